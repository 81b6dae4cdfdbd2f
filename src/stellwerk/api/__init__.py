"""Doors: what people and programs may read and ask."""
