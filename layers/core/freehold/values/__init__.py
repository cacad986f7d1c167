"""The nouns: plain frozen dataclasses, no behaviour that needs a clock, a network or a store."""
