"""The nouns: frozen values, no behaviour that needs a clock, a network or a store."""
