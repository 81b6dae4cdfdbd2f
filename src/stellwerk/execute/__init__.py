"""Hands: where user code runs."""
