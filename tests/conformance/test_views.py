"""What is read of runs: the same from both databases, and the same whether it was written or is derived."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from test_roads import roads
from wire import HOLDER, HOUR, NOW, Root, accept, completed, failed, new_id

from stellwerk.api import views
from stellwerk.core.table import RUN
from stellwerk.errors import NotFound, UsageError
from stellwerk.model.identity import to_text
from stellwerk.model.messages import Began, Ended, Logged, Result
from stellwerk.store.port import Store

RUN_FIELDS = {
    "id", "name", "kind", "flow", "task", "index", "state", "label", "cause", "evidence", "error",
    "parent_id", "root_id", "tags", "parameters", "created_at", "due_at", "started_at", "ended_at", "attempts", "result",
}  # fmt: skip
ATTEMPT_FIELDS = {"number", "state", "label", "cause", "evidence", "error", "started_at", "ended_at"}
TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"


def microseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000_000)


@pytest.fixture
def root(store: Store) -> Root:
    root = Root()
    accept(store, root.batch(*root.begin(), *roads(root), root.end()))
    return root


def tasks(store: Store) -> list[dict[str, Any]]:
    (run,) = views.recent_runs(store, 10)
    found: list[dict[str, Any]] = views.show_run(store, run)["tasks"]
    return found


def test_a_run_has_the_fields_of_the_contract(store: Store, root: Root) -> None:
    (run,) = views.recent_runs(store, 10)
    shown = views.show_run(store, run)
    assert set(run) == RUN_FIELDS
    assert set(shown) == RUN_FIELDS | {"tasks", "tasks_total"}
    assert shown["tasks_total"] == len(shown["tasks"]) == 7
    for task in shown["tasks"]:
        assert set(task) == RUN_FIELDS | {"upstream"}
        assert all(set(attempt) == ATTEMPT_FIELDS for attempt in task["attempts"])
        assert task["parent_id"] == task["root_id"] == run["id"] == to_text(root.id)
    assert [task["upstream"] for task in shown["tasks"][:2]] == [[], [shown["tasks"][0]["id"]]]


def test_every_story_is_whole_and_legal(store: Store, root: Root) -> None:
    everyone = views.recent_runs(store, 100, include_children=True)
    assert len(everyone) == 8
    for run in everyone:
        state = ""
        steps = views.story(store, run)
        for step in steps:
            assert (step["from_state"] or "") == state
            state = RUN[step["event"]][state]
            assert step["to_state"] == state
        assert state == run["state"]
        assert steps[0]["at"] == run["created_at"]
        at = [microseconds(step["at"]) for step in steps]
        assert at == sorted(at)
        # The derived beginning of an attempt is where the attempt says that it began.
        began = [step["at"] for step in steps if step["event"] == "began"]
        assert began == [attempt["started_at"] for attempt in run["attempts"]]


def test_attempts_are_derived_where_they_are_folded(store: Store, root: Root) -> None:
    plain, tried, paused, stopped, resumed, never, late = tasks(store)
    assert [attempt["state"] for attempt in plain["attempts"]] == ["completed"]
    assert [attempt["number"] for attempt in tried["attempts"]] == [1, 2, 3]
    assert [attempt["state"] for attempt in tried["attempts"]] == ["failed", "failed", "completed"]
    assert tried["attempts"][0]["error"]["type"] == "ValueError"
    assert [attempt["state"] for attempt in paused["attempts"]] == ["suspended", "failed"]
    assert [(attempt["cause"], attempt["evidence"]) for attempt in stopped["attempts"]] == [("cancelled", "Ctrl-C")]
    assert [attempt["state"] for attempt in resumed["attempts"]] == ["failed", "completed"]
    assert never["attempts"] == []
    assert (never["state"], never["label"], never["started_at"]) == ("skipped", "UpstreamSkipped", None)
    assert [attempt["state"] for attempt in late["attempts"]] == ["completed"]


def test_an_unfinished_run_has_an_open_attempt(store: Store) -> None:
    root, task = Root(), new_id()
    accept(store, root.batch(*root.begin(), root.task(task), Began(task, NOW + 3, 1)))
    (shown,) = tasks(store)
    assert shown["state"] == "running"
    (attempt,) = shown["attempts"]
    assert (attempt["state"], attempt["ended_at"], attempt["error"]) == ("running", None, None)
    assert microseconds(attempt["started_at"]) == NOW + 3
    assert [step["event"] for step in views.story(store, shown)] == ["submitted", "granted", "began"]


def test_waiting_runs_tell_how_far_they_came(store: Store) -> None:
    root, waiting, granted = Root(), new_id(), new_id()
    accept(store, root.batch(*root.begin(), root.task(waiting, ready=False), root.task(granted)))
    first, second = tasks(store)
    assert (first["state"], first["label"], first["attempts"]) == ("scheduled", "AwaitingUpstream", [])
    assert [step["to_state"] for step in views.story(store, first)] == ["scheduled"]
    assert [step["to_state"] for step in views.story(store, second)] == ["scheduled", "pending"]


def test_a_result_and_an_error_are_objects(store: Store) -> None:
    root, good, bad = Root(), new_id(), new_id()
    big = Result(b"b" * 32, 1 << 20, "<big>")
    end = Ended(good, NOW + 9, "completed", 1, "returned", result=big)
    messages = [root.task(good), Began(good, NOW + 3, 1), end, root.task(bad), Began(bad, NOW + 3, 1), failed(bad)]
    accept(store, root.batch(*root.begin(), *messages))
    one, two = tasks(store)
    assert one["result"] == {"preview": "<big>", "size_bytes": 1 << 20}
    assert (one["error"], one["cause"], one["evidence"]) == (None, None, None)
    assert set(two["error"]) == {"type", "message", "traceback"}
    assert (two["cause"], two["evidence"]) == ("user_error", "ValueError")
    assert two["attempts"][0]["error"] == two["error"]
    assert two["result"] is None


def test_nested_tasks_are_listed_and_child_flows_are_not_entered(store: Store) -> None:
    root = Root()
    outer, inner, child, below = (new_id() for _ in range(4))
    messages = [
        root.task(outer),
        root.task(inner, parent_id=outer),
        root.task(child, kind="flow", task="", flow="child"),
        root.task(below, parent_id=child),
    ]
    accept(store, root.batch(*root.begin(), *messages))
    (run,) = views.recent_runs(store, 10)
    shown = views.show_run(store, run)
    assert [task["id"] for task in shown["tasks"]] == [to_text(each) for each in (outer, inner, child)]
    assert sum(sum(group["states"].values()) for group in views.task_groups(store, run)) == 3
    assert views.task_tally(store, run) == ({"pending": 3}, False)
    flow = next(task for task in shown["tasks"] if task["kind"] == "flow")
    assert [task["id"] for task in views.show_run(store, flow)["tasks"]] == [to_text(below)]
    assert [each["id"] for each in views.recent_runs(store, 2)] == [run["id"]]
    assert len(views.recent_runs(store, 100, include_children=True)) == 5


def test_a_limit_cuts_the_list_but_not_the_total(store: Store) -> None:
    root = Root()
    ids = [new_id() for _ in range(1_100)]
    done = [message for each in ids[:-1] for message in (root.task(each), Began(each, NOW, 1), completed(each))]
    accept(store, root.batch(*root.begin(), *done, root.task(ids[-1])))
    (run,) = views.recent_runs(store, 10)
    shown = views.show_run(store, run, 600)
    assert [task["id"] for task in shown["tasks"]] == [to_text(each) for each in ids[:600]]
    assert shown["tasks_total"] == 1_100
    assert [task["id"] for task in views.tasks_not_completed(store, run, 5)] == [to_text(ids[-1])]
    (group,) = views.task_groups(store, run)
    assert group["states"] == {"completed": 1_099, "pending": 1}
    counted, has_more = views.task_tally(store, run)
    assert sum(counted.values()) == 1_000
    assert has_more


def test_runs_are_found_by_id_prefix_and_name(store: Store, root: Root) -> None:
    everyone = views.recent_runs(store, 100, include_children=True)
    (run,) = views.recent_runs(store, 1)
    for text in (run["id"], run["id"].replace("-", ""), run["id"].upper(), run["name"]):
        assert views.find_run(store, text) == (run, "")
    for id_, prefix in views.prefixes(store, everyone).items():
        assert len(prefix) >= 8
        assert id_.startswith(prefix)
        assert views.find_run(store, prefix)[0]["id"] == id_
    (task, *_) = views.show_run(store, run)["tasks"]
    assert views.find_run(store, f"{run['name']}/{task['name']}")[0]["id"] == task["id"]


def test_what_cannot_be_found_says_what_could_be_meant(store: Store, root: Root) -> None:
    (run,) = views.recent_runs(store, 1)
    with pytest.raises(NotFound) as missing:
        views.find_run(store, run["name"][:-1] + "x")
    assert run["name"] in missing.value.hint
    with pytest.raises(UsageError, match="begins with"):
        views.find_run(store, run["id"][:2])
    for odd in ("", "/", "a/", "/a", "g", "0" * 40, "%", "\x00", "\udcff", "'"):
        with pytest.raises(NotFound):
            views.find_run(store, odd)


def test_a_name_means_the_newest_and_says_so(store: Store) -> None:
    first, second = Root(), Root()
    accept(store, first.batch(*first.begin()))
    accept(store, second.batch(*second.begin()))
    name = views.recent_runs(store, 1)[0]["name"]
    run, note = views.find_run(store, name)
    assert run["id"] == to_text(second.id)
    assert run["id"] in note


def test_logs_come_in_order_page_by_page(store: Store) -> None:
    root, child, task, other = Root(), new_id(), new_id(), new_id()
    runs = [root.task(child, kind="flow", task="", flow="child"), root.task(task, parent_id=child), root.task(other)]
    lines = [(n, (task, other)[n % 2], 1, NOW + n, (10, 20, 30)[n % 3], "lib", f"line {n}") for n in range(1, 31)]
    accept(store, root.batch(*root.begin(), *runs, Logged(lines)))
    (run,) = views.recent_runs(store, 1)
    everything = views.logs(store, run)
    assert [line["n"] for line in everything] == list(range(1, 31))
    assert everything[0]["level"] == "INFO"
    assert everything[1] == {
        **everything[1],
        "message": "line 2",
        "run_id": to_text(task),
        "attempt": 1,
        "logger": "lib",
    }
    assert [line["n"] for line in views.logs(store, run, after=28)] == [29, 30]
    assert [line["n"] for line in views.logs(store, run, limit=2)] == [1, 2]
    assert [line["n"] for line in views.logs(store, run, tail=3)] == [28, 29, 30]
    assert [line["n"] for line in views.logs(store, run, level=30, tail=2)] == [26, 29]
    below = views.find_run(store, to_text(child))[0]
    assert [line["n"] for line in views.logs(store, below)] == list(range(2, 31, 2))
    assert [line["n"] for line in views.logs(store, below, tail=2)] == [28, 30]
    quiet = views.find_run(store, to_text(other))[0]
    assert views.logs(store, quiet, level=60) == []
    assert views.logs(store, quiet, level=60, tail=5) == []


def test_a_process_finds_the_run_that_it_began(store: Store) -> None:
    since = int.from_bytes(new_id()[:6], "big") * 1000
    first, second = Root(), Root()
    accept(store, first.batch(*first.begin()), second.batch(*second.begin()))
    found = views.run_begun_by(store, HOLDER, since)
    assert found is not None
    assert found["id"] == to_text(first.id)
    assert views.run_begun_by(store, HOLDER, since + HOUR) is None


def test_an_empty_store_has_nothing(store: Store) -> None:
    assert views.recent_runs(store, 50) == []
    with pytest.raises(NotFound, match="no run"):
        views.find_run(store, "brave-otter")
