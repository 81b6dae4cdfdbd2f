"""Nouns: what the house talks about. No I/O, no clock, no threads."""
