"""The command line of Freehold: never deployed."""
