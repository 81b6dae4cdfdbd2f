"""One suite, two databases: every test here runs over SQLite and over PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from wire import check_all, open_store

from stellwerk.store.port import Store


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Name an empty database."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_database"))
    return str(tmp_path / "stellwerk.db")


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """Open it; afterwards the invariants hold, whatever the test did."""
    store = open_store(url)
    yield store
    store.close()
    check_all(url)
