"""Reading, following and printing log lines."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import click
import msgspec

from stellwerk.cli.output import may_colour, print_json
from stellwerk.cli.record import Reader
from stellwerk.cli.text import clock, lines, one_line
from stellwerk.errors import UsageError
from stellwerk.model.states import TERMINAL

__all__ = ["follow_lines", "level_number", "print_lines", "read_lines"]

PAGE = 5_000  # lines read at a time
_COLOURS = {"WARNING": 33, "ERROR": 31, "CRITICAL": 31, "DEBUG": 2}


def level_number(text: str) -> int:
    """Read a level: a name of Python's logging, or a number.

    Raises:
        UsageError: it is neither.
    """
    if text.isdigit():
        return int(text)
    number = logging.getLevelNamesMapping().get(text.upper())
    if number is None:
        raise UsageError(f"--level {text} is not a level.", hint="There are DEBUG, INFO, WARNING, ERROR and CRITICAL.")
    return number


def read_lines(
    reader: Reader, run: dict[str, Any], level: int, tail: int | None, after: int = 0
) -> Iterator[dict[str, Any]]:
    """Read a run's lines, page by page."""
    if tail == 0:
        return
    while True:
        page = reader.logs(run, after, PAGE, level, tail)
        yield from page
        if len(page) < PAGE:
            return
        after, tail = page[-1]["n"], None


def follow_lines(reader: Reader, run: dict[str, Any], level: int, tail: int | None) -> Iterator[dict[str, Any]]:
    """Read a run's lines as they come, until the run has ended and all are read."""
    after = 0
    if tail == 0:
        last = reader.logs(run, 0, 1, level, 1)
        after, tail = (last[0]["n"] if last else 0), None
    reader.follow(run)
    while True:
        # Whether it has ended is asked before its lines are read, so that none is missed.
        run, _ = reader.find_run(run["id"])
        for line in read_lines(reader, run, level, tail, after):
            after, tail = line["n"], None
            yield line
        if run["state"] in TERMINAL:
            return
        reader.wait()


def print_lines(found: Iterable[dict[str, Any]], as_json: bool, one_a_line: bool) -> None:
    """Print lines for people, or as JSON: an array, or one object a line where more may come."""
    if as_json and not one_a_line:
        print_json(list(found))
        return
    is_coloured = may_colour(sys.stdout)
    for line in found:
        if as_json:
            click.echo(msgspec.json.encode(line))
        else:
            click.echo(_written(line, is_coloured))


def _written(line: dict[str, Any], is_coloured: bool) -> str:
    level = one_line(line["level"])
    shown = f"{level:<7}"
    if is_coloured and level in _COLOURS:
        shown = f"\x1b[{_COLOURS[level]}m{shown}\x1b[0m"
    head = f"{clock(line['at'])} {shown} {one_line(line['run'])}"
    if line["logger"] not in ("run", "print"):
        head += f" {one_line(line['logger'])}"
    return f"{head} · {lines(line['message']).replace(chr(10), chr(10) + '    ')}"
