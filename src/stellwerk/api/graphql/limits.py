"""Limits of a request: what is refused before a statement is made. Each refusal names its limit.

They keep a request within what both databases can parse. Limits on cost, rows over all levels and time have their place
here, once users share a server.
"""

from __future__ import annotations

DEFAULT_ROWS = 100
MOST_ROWS = 1_000
MOST_BYTES = 1 << 20  # of a request's body
MOST_CHARACTERS = 100_000  # of a document
MOST_TOKENS = 5_000
MOST_ALIKE = 250_000
"""Sum of the squares of how often each response name occurs: what validation compares, and so its time."""
MOST_CONDITIONS = 200  # in one statement
MOST_DEPTH = 98
"""Symbols that a parser must hold to read the statement, as estimated; SQLite's before 3.46 holds 100. What the request's
parts cost of it stands with those parts (`*_DEPTH`)."""
MOST_VALUES = 1_000  # in one list
LONGEST_PATTERN = 10_000  # characters; SQLite takes 50,000 bytes
MOST_BOUND = 30_000  # parameters of a statement; SQLite takes 32,766
MOST_STATEMENT = 500_000  # characters; SQLite takes a million bytes
