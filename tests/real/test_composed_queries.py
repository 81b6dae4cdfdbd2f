"""Queries that take for ever: they end, others are answered meanwhile, and the server goes when it is told to."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from doors import SECONDS, Answer, House
from wire import Root, accept, completed, new_id, open_store

from stellwerk.api.answers import ASKERS
from stellwerk.errors import UsageError
from stellwerk.model.messages import Began
from stellwerk.store import port

TASKS = 600
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
BOMB = "{ runs(limit: 1000) { parent { children(limit: 1000) { parent { children(limit: 1000) { id } } } } } }"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_database"))
    return str(tmp_path / "stellwerk.db")


@pytest.fixture
def house(url: str, tmp_path: Path) -> Iterator[House]:
    with House(tmp_path, url) as house:
        root, tasks = Root(), [new_id() for _ in range(TASKS)]
        told = [
            message for task in tasks for message in (root.task(task), Began(task, root.at + 3, 1), completed(task))
        ]
        accept(house.parts.store, root.batch(*root.begin(), *told, root.end()))
        yield house


class Bombs:
    """Ask more such queries at once than there are threads for them."""

    def __init__(self, house: House) -> None:
        self.answers: list[Answer] = []
        self._house = house
        self._threads = [threading.Thread(target=self._ask) for _ in range(ASKERS + 1)]
        for thread in self._threads:
            thread.start()

    def _ask(self) -> None:
        try:
            self.answers.append(self._house.post("/graphql", {"query": BOMB}))
        except OSError:
            pass  # the server went

    def join(self) -> None:
        """Wait until all have ended."""
        for thread in self._threads:
            thread.join(SECONDS)
            assert not thread.is_alive()


def test_a_statement_without_end_is_ended(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port, "READ_SECONDS", 0.2)
    store = open_store(url)
    for _ in range(2):
        with pytest.raises(UsageError, match="takes longer than"):
            store.read(ENDLESS)
    assert store.read("SELECT 1") == [(1,)]
    assert store.select("leases_held") == []
    store.close()


def test_others_are_answered_meanwhile(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port, "READ_SECONDS", 3.0)
    bombs = Bombs(house)
    for path in ("/ready", "/api/runs", "/", "/metrics"):
        assert house.ask(path).status == 200
    assert not bombs.answers  # they are still under way
    bombs.join()
    assert [(each.status, each.json["errors"][0]["extensions"]["code"]) for each in bombs.answers] == [
        (400, "usage") for _ in range(ASKERS + 1)
    ]
    assert house.post("/graphql", {"query": "{ runs(limit: 1) { name } }"}).status == 200


def test_what_has_no_end_does_not_outlive_the_store(tmp_path: Path) -> None:
    # Threads that read keep a process alive; PostgreSQL ends them by its own clock.
    store = open_store(str(tmp_path / "stellwerk.db"))
    problems: list[BaseException] = []

    def read() -> None:
        try:
            store.read(ENDLESS)
        except BaseException as problem:
            problems.append(problem)

    reader = threading.Thread(target=read)
    before = time.process_time()
    reader.start()
    while time.process_time() < before + 0.1:  # until it is at work
        time.sleep(0.01)
    store.close()
    reader.join(port.READ_SECONDS / 2)
    assert not reader.is_alive()
    assert "was closed" in str(problems[0])
