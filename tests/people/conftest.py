"""What these tests share: a home of its own for each, filled by the real engine, and a look at what was recorded."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from stellwerk.testing import Recorded, stellwerk_test


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    """Record what the test runs; no test may leave a run that has not ended."""
    with stellwerk_test(max_workers="4") as told:
        yield told
        left = [(run["name"], run["state"]) for run in told.runs() if run["ended_at"] is None]
        assert left == []
        assert told.engine.store.select("leases_held") == []


@pytest.fixture
def sql(recorded: Recorded) -> Callable[..., list[Any]]:
    """Read the tables themselves, by a connection of our own."""

    def select(statement: str, *parameters: Any) -> list[Any]:
        with closing(sqlite3.connect(recorded.home / "stellwerk.db")) as connection:
            return connection.execute(statement, parameters).fetchall()

    return select
