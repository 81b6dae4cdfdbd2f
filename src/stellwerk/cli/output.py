"""What commands print with: JSON for machines, tables for people. rich is loaded with this module's tables only."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click
import msgspec

from stellwerk.cli.text import COLOURS, GLYPHS, NO_GLYPH, one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

__all__ = ["make_table", "may_colour", "open_page", "plain", "print_json", "state_text", "styled"]

PIPE_WIDTH = 400  # columns: nothing is cut short for a program that reads, and the lines stay bounded
_trailing_blanks = re.compile(r"[ ]+$", re.MULTILINE)
_ANSI = {"green": 32, "red": 31, "yellow": 33, "blue": 34, "magenta": 35, "cyan": 36, "dim": 2, "bold": 1}


def print_json(value: Any) -> None:
    """Print a value as JSON, in UTF-8 whatever the terminal's encoding."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))


def may_colour(stream: Any) -> bool:
    """Say whether a stream is a terminal that wants colours (https://no-color.org)."""
    is_terminal = stream is not None and hasattr(stream, "isatty") and stream.isatty()
    return is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def styled(text: str, style: str, stream: Any) -> str:
    """Put a colour round a text where the stream wants one; for lines that are not worth loading rich."""
    return f"\x1b[{_ANSI[style]}m{text}\x1b[0m" if may_colour(stream) else text


@contextlib.contextmanager
def open_page() -> Iterator[Console]:
    """Give a console to lay a page out on; it is printed, without trailing blanks, when all of it is there.

    It is as wide as the terminal, and without colour or limit in a pipe.
    """
    from rich.console import Console

    is_terminal = sys.stdout.isatty()
    is_coloured = may_colour(sys.stdout)
    page = io.StringIO()
    console = Console(
        file=page,
        highlight=False,
        markup=False,
        emoji=False,
        width=None if is_terminal or os.environ.get("COLUMNS") else PIPE_WIDTH,
        force_terminal=is_coloured,
        no_color=not is_coloured,
    )
    yield console
    click.echo(_trailing_blanks.sub("", page.getvalue()), nl=False, color=is_coloured)


def make_table(*columns: str, right: tuple[str, ...] = (), cut: tuple[str, ...] = ()) -> Table:
    """Make a table without frames.

    Args:
        columns: their headings.
        right: which of them are set to the right.
        cut: which of them give way when the terminal is narrow (their cells are made by `plain(…, cut=True)`); when
            none is named, all wrap.
    """
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in columns:
        table.add_column(
            name, justify="right" if name in right else "left", no_wrap=bool(cut) and name not in cut, overflow="fold"
        )
    return table


def plain(value: object, style: str = "", cut: bool = False) -> Text:
    """Make one line of a user's text: never markup, never control characters.

    Args:
        cut: shorten it where the column is too narrow, instead of wrapping it.
    """
    from rich.text import Text

    text = one_line(value)
    return Text(text, style, no_wrap=True, overflow="ellipsis") if cut else Text(text, style)


def state_text(state: str, label: str | None = None) -> Text:
    """Write a state with its glyph and colour, and its label where that says more."""
    from rich.text import Text

    text = Text(f"{GLYPHS.get(state, NO_GLYPH)} {state}", COLOURS.get(state, ""))
    if label:
        text.append(f" ({one_line(label)})", "dim")
    return text
