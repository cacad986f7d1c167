"""The HTTP contract: what comes in is checked, what goes out has one shape, what goes wrong is a problem document."""
