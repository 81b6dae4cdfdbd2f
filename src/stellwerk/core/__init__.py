"""Verbs: what may happen, decided without I/O, clock, randomness or threads."""
