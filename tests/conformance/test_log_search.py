"""Log lines that contain a text, and the few reads that only a server needs: the same from both databases."""

from __future__ import annotations

from typing import Any

import pytest
from wire import NOW, RESULT, Root, accept, completed, new_id

from stellwerk.api import views
from stellwerk.errors import NotFound
from stellwerk.model.identity import to_text
from stellwerk.model.messages import Began, Logged
from stellwerk.store.port import Store

LINES = ["Couple 7", "couple 8", "100% done", "under_score", "!mark", "", "uncouple"]


@pytest.fixture
def runs(store: Store) -> tuple[dict[str, Any], dict[str, Any]]:
    """Log the same lines in a root run and, interleaved, in its task; both runs."""
    root, task = Root(), new_id()
    lines = []
    for number, text in enumerate(LINES):
        lines.append((2 * number + 1, root.id, 1, NOW + number, 20, "run", text))
        lines.append((2 * number + 2, task, 1, NOW + number, 30, "run", text))
    accept(store, root.batch(*root.begin(), root.task(task), Began(task, NOW + 3, 1), Logged(lines), completed(task)))
    return views.run_by_id(store, root.id), views.run_by_id(store, task)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("couple", ["Couple 7", "couple 8", "uncouple"]),
        ("COUPLE", ["Couple 7", "couple 8", "uncouple"]),
        ("%", ["100% done"]),
        ("_", ["under_score"]),
        ("!", ["!mark"]),
        ("!mark", ["!mark"]),
        ("e%d", []),
        ("", LINES),
    ],
)
def test_lines_that_contain_a_text(
    store: Store, runs: tuple[dict[str, Any], dict[str, Any]], text: str, found: list[str]
) -> None:
    root, task = runs
    assert [line["message"] for line in views.logs(store, task, text=text)] == found
    assert [line["message"] for line in views.logs(store, root, text=text)] == [each for each in found for _ in "12"]
    assert [line["message"] for line in views.logs(store, root, text=text, level=30)] == found
    for run, factor in ((task, 1), (root, 2)):
        whole = views.logs(store, run, text=text)
        assert views.logs(store, run, text=text, tail=2) == whole[-2:]
        assert views.logs(store, run, text=text, limit=2) == whole[:2]
        if whole:
            assert views.logs(store, run, after=whole[0]["n"], text=text) == whole[1:]
        assert len(whole) == factor * len(found)


def test_lines_are_counted_where_that_is_cheap(store: Store, runs: tuple[dict[str, Any], dict[str, Any]]) -> None:
    root, task = runs
    assert views.log_count(store, root) == 2 * len(LINES)
    assert views.log_count(store, task) is None
    silent = Root()
    accept(store, silent.batch(*silent.begin()))
    assert views.log_count(store, views.run_by_id(store, silent.id)) == 0


def test_one_run_by_its_id(store: Store, runs: tuple[dict[str, Any], dict[str, Any]]) -> None:
    (listed,) = views.recent_runs(store, 5)
    assert runs[0] == listed
    with pytest.raises(NotFound) as refused:
        views.run_by_id(store, new_id())
    assert refused.value.hint


def test_a_result_by_its_run(store: Store, runs: tuple[dict[str, Any], dict[str, Any]]) -> None:
    root, task = runs
    assert views.result_of(store, task) == (RESULT.hash, RESULT.data)
    with pytest.raises(NotFound):
        views.result_of(store, root)
    assert views.has_blob(store, bytes.fromhex(task["id"].replace("-", "")), RESULT.hash)
    assert not views.has_blob(store, new_id(), RESULT.hash)
    assert to_text(bytes.fromhex(task["id"].replace("-", ""))) == task["id"]
