"""Opening the record, and ending what dead owners left behind in it before anything is read."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from stellwerk.cli.text import one_line

if TYPE_CHECKING:
    from stellwerk.assemble import Engine

__all__ = ["POLL_SECONDS", "Sweeper", "open_swept", "sweep"]

POLL_SECONDS = 0.2  # between two looks of a command that follows a run
SWEEP_SECONDS = 2.0


@contextlib.contextmanager
def open_swept() -> Iterator[Engine]:
    """Open the record, end what dead owners left behind and say so."""
    from stellwerk.assemble import open_engine

    engine = open_engine()
    try:
        sweep(engine)
        yield engine
    finally:
        engine.close()


def sweep(engine: Engine) -> None:
    """End the runs whose owner is gone, and say which."""
    for name, message in engine.sweep():
        click.echo(f"{one_line(name)} {one_line(message)}.", err=True)


class Sweeper:
    """Sweep again and again while a command waits, but not at every look."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._swept_at = time.monotonic()

    def sweep_when_due(self) -> None:
        """Sweep if the last time is long enough ago."""
        if time.monotonic() - self._swept_at > SWEEP_SECONDS:
            sweep(self._engine)
            self._swept_at = time.monotonic()
