"""Rows. The only room that speaks SQL."""
