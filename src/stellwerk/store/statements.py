"""Named statements, read from `sql/`: what lives here is finding and shaping SQL text, never running it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from stellwerk.model.records import RUN_COLUMNS

FOLDER = Path(__file__).parent / "sql"
SELECTED = tuple(column for column in RUN_COLUMNS if column != "result")
"""What `RUN` stands for in a statement: every column of a run but its bulky result."""


@cache
def statements(dialect: str) -> dict[str, str]:
    """Read all statements by name, with the dialect's own in place of their twins.

    Args:
        dialect: `sqlite` or `postgres`.

    Cost: one file read a process.
    """
    found: dict[str, str] = {}
    special: dict[str, str] = {}
    run = ", ".join(f"r.{column}" for column in SELECTED)
    for part in (FOLDER / "verbs.sql").read_text(encoding="utf-8").split("-- name: ")[1:]:
        head, _, body = part.partition("\n")
        lines = (line for line in body.splitlines() if not line.startswith("--"))
        sql = " ".join(" ".join(lines).split()).replace("SELECT RUN FROM", f"SELECT {run} FROM")
        name, _, only = head.strip().partition(" ")
        if not only:
            found[name] = sql
        elif only == dialect:
            special[name] = sql
    found.update(special)
    if dialect == "postgres":
        return {name: _for_psycopg(sql) for name, sql in found.items()}
    return found


def _for_psycopg(sql: str) -> str:
    # A list is one array there, so that a statement has one text (and one plan) however long it is. Arrays of columns
    # (`?::type[]`) go in binary form: measured twice to four times as fast as text.
    sql = sql.replace("%", "%%").replace("IN (??)", "= ANY(?)").replace("?::", "%b::")
    return sql.replace("?", "%s")


def migrations(dialect: str) -> list[tuple[int, str, str]]:
    """List the migrations of a dialect in order: (number, name, SQL)."""
    files = sorted((FOLDER / dialect).glob("[0-9]*.sql"))
    return [(int(file.name[:4]), file.stem, file.read_text(encoding="utf-8")) for file in files]
