"""What becomes of runs on all roads: retries, pauses, stops, take-overs; logs, items, sources; and how they are read."""

from __future__ import annotations

import pytest
from wire import (
    ERROR,
    HOLDER,
    HOUR,
    NOW,
    RESULT,
    TABLES,
    Root,
    accept,
    change,
    completed,
    everything,
    failed,
    new_id,
    retried,
    rows,
    runs_of,
    send,
)

from stellwerk.engine.apply import crash, renew
from stellwerk.engine.tick import sweep
from stellwerk.model.messages import Began, Ended, Granted, Holder, Logged, Message, Result, Sourced, Yielded
from stellwerk.model.states import Cause
from stellwerk.store.port import Store
from stellwerk.store.statements import SELECTED

LOST = Cause("lease_lost", "process 4711 on signal-box is gone")


def roads(root: Root) -> list[Message]:
    """Give the messages of many runs, on all kinds of roads."""
    a, b, c, d, e, f, g = (new_id() for _ in range(7))
    stopped = Cause("cancelled", "Ctrl-C")
    plain = [root.task(a), Began(a, NOW + 3, 1), completed(a)]
    retries = [root.task(b, ready=False, upstream=(a,)), Granted(b, NOW + 3)]
    for attempt in (1, 2):
        retries += [Began(b, NOW + 4 * attempt, attempt), retried(b, attempt, NOW + 4 * attempt + 1)]
    retries += [Began(b, NOW + 20, 3), completed(b, 3, NOW + 21)]
    paused = [root.task(c), Began(c, NOW + 3, 1), Ended(c, NOW + 4, "paused", 1, "suspended")]
    paused += [Ended(c, NOW + 5, "continued"), Began(c, NOW + 6, 2), failed(c, 2, NOW + 7)]
    cancelled = [root.task(d), Began(d, NOW + 3, 1), Ended(d, NOW + 4, "cancel_asked")]
    cancelled += [Ended(d, NOW + 5, "cancelled", 1, "stopped", "Interrupted", stopped)]
    resumed = [root.task(e), Began(e, NOW + 3, 1), failed(e, 1, NOW + 4), Ended(e, NOW + HOUR, "resumed")]
    resumed += [Began(e, NOW + HOUR + 1, 2), completed(e, 2, NOW + HOUR + 2)]
    never = [root.task(f, ready=False), Ended(f, NOW + 3, "skipped", label="UpstreamSkipped")]
    resumed_unbegun = [root.task(g, ready=False), Ended(g, NOW + 3, "failed", label="UpstreamFailed", error=ERROR)]
    resumed_unbegun += [Ended(g, NOW + 4, "resumed"), Began(g, NOW + 5, 1), completed(g)]
    return [*plain, *retries, *paused, *cancelled, *resumed, *never, *resumed_unbegun]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_folding_equals_message_by_message(store: Store, url: str, size: int) -> None:
    root = Root()
    messages = [*root.begin(), *roads(root), root.end()]
    accept(store, root.batch(*messages))
    folded = everything(url)
    change(url, *(f"DELETE FROM {table}" for table in TABLES))
    again = Root(root.id)
    for start in range(0, len(messages), size):
        accept(store, again.batch(*messages[start : start + size]))
    cut = everything(url)
    del folded["leases"], cut["leases"]  # they tell the number of batches
    # An hour from which a resume took the only run back may stay as a zero or never come to be.
    folded["counters"], cut["counters"] = ([row for row in each["counters"] if row[5]] for each in (folded, cut))
    assert cut == folded


def test_a_retried_run_tells_its_attempts_and_story(store: Store) -> None:
    root, task = Root(), new_id()
    accept(store, root.batch(*root.begin(), root.task(task), Began(task, NOW + 3, 1)))
    accept(store, root.batch(retried(task, 1, NOW + 4)))
    (waiting,) = store.select("run_by_id", (task,))
    assert dict(zip(SELECTED, waiting, strict=True))["due_at"] == NOW + 9
    accept(store, root.batch(Began(task, NOW + 9, 2), completed(task, 2, NOW + 12)))
    attempts = store.select("attempts_of", (), [task, new_id()])
    assert [row[1:3] + row[7:] for row in attempts] == [
        (1, "failed", NOW + 3, NOW + 4),
        (2, "completed", NOW + 9, NOW + 12),
    ]
    assert attempts[0][3:5] == (None, "user_error")  # what the run waits for is the run's label
    assert "no such train" in attempts[0][6]
    assert store.select("story_of", (task,)) == [
        (NOW + 4, "retried", "running", "scheduled", "AwaitingRetry"),
        (NOW + 9, "granted", "scheduled", "pending", None),
        (NOW + 9, "began", "pending", "running", None),
        (NOW + 12, "completed", "running", "completed", None),
    ]
    (ended,) = store.select("run_by_id", (task,))
    run = dict(zip(SELECTED, ended, strict=True))
    assert (run["state"], run["attempts"], run["due_at"], run["error"], run["label"]) == (
        "completed",
        2,
        None,
        None,
        None,
    )
    assert (run["started_at"], run["ended_at"]) == (NOW + 3, NOW + 12)


def unfinished(root: Root) -> dict[str, bytes]:
    """Name runs that are in every state in which an owner can die, and what led there."""
    return {
        state: new_id() for state in ("scheduled", "pending", "running", "paused", "cancelling", "completed", "retried")
    }


def test_a_take_over_ends_all_that_has_not_ended(store: Store, url: str) -> None:
    root = Root()
    ids = unfinished(root)
    messages = [*root.begin(), *(root.task(run_id, ready=name != "scheduled") for name, run_id in ids.items())]
    messages += [Began(ids[name], NOW + 3, 1) for name in ("running", "paused", "cancelling", "completed", "retried")]
    messages += [
        Ended(ids["paused"], NOW + 4, "paused", 1, "suspended"),
        Ended(ids["cancelling"], NOW + 4, "cancel_asked"),
    ]
    messages += [completed(ids["completed"]), retried(ids["retried"])]
    accept(store, root.batch(*messages))
    assert crash(store, root.id, root.fence, NOW + 100, LOST, "OwnerLost")
    runs = runs_of(url)
    assert {name: runs[run_id].state for name, run_id in ids.items()} == dict.fromkeys(ids, "crashed") | {
        "completed": "completed"
    }
    for run_id in (root.id, ids["running"]):
        run = runs[run_id]
        assert (run.cause, run.evidence, run.label, run.ended_at) == (LOST.kind, LOST.evidence, "OwnerLost", NOW + 100)
    states = {row[0]: row[2] for row in rows(url, "attempts")}
    assert states == {ids["paused"]: "suspended", ids["cancelling"]: "crashed", ids["retried"]: "failed"}
    before = everything(url)
    # What its owner still sends comes too late, and nobody takes it over twice.
    assert send(store, root.batch(completed(ids["running"]))).code == "stale_fence"
    assert not crash(store, root.id, 1, NOW + 200, LOST, "OwnerLost")
    assert not crash(store, root.id, 2, NOW + 200, LOST, "OwnerLost")
    assert everything(url) == before
    assert store.select("leases_held") == []


def test_a_sweep_ends_runs_of_the_dead_only(store: Store, url: str) -> None:
    dead, ended = Root(), Root()
    accept(store, dead.batch(*dead.begin()), ended.batch(*ended.begin(), ended.end()))
    assert renew(store, HOLDER) == 1
    assert renew(store, Holder("elsewhere", "boot-1", 4711, 99)) == 0
    assert store.select("leases_held")[0][3] == 1
    asked: list[Holder] = []

    def condition(answer: str, holder: Holder) -> str:
        asked.append(holder)
        return answer

    for answer in ("alive", "stopped", "elsewhere"):
        assert sweep(store, lambda holder, answer=answer: condition(answer, holder)) == []
    assert [swept.run_id for swept in sweep(store, lambda holder: condition("gone", holder))] == [dead.id]
    assert asked == [HOLDER] * 4
    assert sweep(store, lambda holder: condition("gone", holder)) == []
    runs = runs_of(url)
    assert (runs[dead.id].state, runs[ended.id].state) == ("crashed", "completed")


def test_logs_come_back_in_order(store: Store) -> None:
    root, task = Root(), new_id()
    lines = [(n, task if n % 3 else root.id, 1, NOW - n, 20, "drive", f"line {n} — ü ✓ 🚂") for n in range(1, 3001)]
    accept(store, root.batch(*root.begin(), root.task(task), Logged(lines[:1000])))
    accept(store, root.batch(Logged(lines[1000:1001])), root.batch(Logged(lines[1001:])))
    told = store.select("logs_of_root", (root.id, 0, 10_000))
    assert [row[:7] for row in told] == lines
    assert {row[7] for row in told} == {"couple-0", "night train"}
    assert [row[0] for row in store.select("logs_of_root", (root.id, 2990, 5))] == [2991, 2992, 2993, 2994, 2995]
    assert [row[0] for row in store.select("logs_of_run", (root.id, 0, 3))] == [3, 6, 9]


def test_a_line_number_is_taken_once(store: Store, url: str) -> None:
    root = Root()
    line = (1, root.id, 1, NOW, 20, "drive", "first")
    accept(store, root.batch(*root.begin(), Logged([line])))
    assert send(store, root.batch(Logged([(*line[:6], "second")]))).code == "conflict"
    assert [row[6] for row in store.select("logs_of_root", (root.id, 0, 10))] == ["first"]


def test_items_are_replaced_by_number(store: Store) -> None:
    root = Root()
    large = Result(b"g" * 32, 1 << 40, "large")
    accept(store, root.batch(*root.begin(), *(Yielded(root.id, NOW + n, n, RESULT) for n in range(5))))
    accept(store, root.batch(Yielded(root.id, NOW + 9, 1, large), Yielded(root.id, NOW + 10, 1, large)))
    items = store.select("items_of", (root.id, 100))
    assert [row[0] for row in items] == [0, 1, 2, 3, 4]
    assert items[1] == (1, NOW + 10, b"g" * 32, 1 << 40, None, "large")
    assert items[2] == (2, NOW + 2, RESULT.hash, 5, RESULT.data, "5")


def test_sources_are_kept_once(store: Store, url: str) -> None:
    one, two = Root(), Root()
    source = Sourced(b"s" * 32, "couple", "def couple(): ...", "flow.py")
    accept(store, one.batch(*one.begin(), source, source), two.batch(*two.begin(), source))
    accept(store, one.batch(source, Sourced(b"t" * 32, "uncouple", "")))
    assert store.select("source_of", (b"s" * 32,)) == [("couple", "flow.py", "def couple(): ...")]
    assert len(rows(url, "sources")) == 2


def test_counters_are_kept_by_hour_flow_and_state(store: Store) -> None:
    root, late = Root(), Root(at=NOW + 2 * HOUR)
    tasks = [new_id() for _ in range(5)]
    messages = [message for task in tasks for message in (root.task(task), Began(task, NOW + 3, 1))]
    messages += [*(completed(task) for task in tasks[:3]), *(failed(task) for task in tasks[3:])]
    accept(store, root.batch(*root.begin(), *messages, root.end()), late.batch(*late.begin(), late.end()))
    accept(store, *(other.batch(*other.begin(), other.end()) for other in (Root(), Root(), Root())))
    counted = sorted(store.select("counters_since", ("default", 0)))
    assert counted == [
        ("night", "flow", "completed", 5),
        ("night", "task", "completed", 3),
        ("night", "task", "failed", 2),
    ]
    assert all(type(row[3]) is int for row in counted)
    assert store.select("counters_since", ("default", (NOW + HOUR) // HOUR)) == [("night", "flow", "completed", 1)]


def test_runs_are_found(store: Store) -> None:
    roots = [Root() for _ in range(3)]
    child, task = new_id(), new_id()
    for root in roots:
        accept(store, root.batch(*root.begin()))
    first = roots[0]
    messages = [first.task(child, kind="flow", task=""), first.task(task, parent_id=child)]
    accept(store, first.batch(*messages, completed(first.id)))

    def ids(name: str, *parameters: object) -> list[bytes]:
        return [row[0] for row in store.select(name, parameters)]

    newest_first = [root.id for root in reversed(roots)]
    assert ids("runs_recent", "default", 10) == newest_first
    assert ids("runs_recent", "default", 2) == newest_first[:2]
    assert ids("runs_recent", "other", 10) == []
    assert ids("runs_recent_all", "default", 10) == [task, child, *newest_first]
    assert ids("run_children", first.id, 10) == [child]
    assert ids("run_children", child, 10) == [task]
    assert ids("runs_by_name", "default", "night train") == newest_first[:2]
    assert ids("runs_by_prefix", first.id[:8] + bytes(8), first.id[:8] + b"\xff" * 8)[0] == first.id
    assert store.select("result_of", (first.id,)) == [(RESULT.hash, 5, RESULT.data, "5")]


def test_upstream_is_kept(store: Store) -> None:
    root = Root()
    ids = sorted(new_id() for _ in range(6))
    accept(store, root.batch(*root.begin(), *(root.task(task, upstream=tuple(ids[:n])) for n, task in enumerate(ids))))
    assert store.select("upstream_of", (), [ids[2], ids[1]]) == [(ids[1], ids[0]), (ids[2], ids[0]), (ids[2], ids[1])]
    assert store.select("upstream_of", (), []) == []
