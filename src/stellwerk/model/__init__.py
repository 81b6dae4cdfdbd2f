"""Nouns: what the house talks about. No I/O, no clock, no threads."""

__version__ = "0.1.0"
"""Of Stellwerk: here, on the floor, so that both wings can tell it."""
