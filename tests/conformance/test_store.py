"""The store and the hallway: what is accepted, what is refused, and what is left in the tables."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from wire import HOLDER, NOW, PLAN, RESULT, Root, accept, completed, everything, new_id, rows, runs_of, send

from stellwerk.assemble import InProcess
from stellwerk.engine.apply import apply
from stellwerk.errors import NotFound
from stellwerk.model.messages import (
    Batch,
    Began,
    Ended,
    Granted,
    Logged,
    Message,
    Opening,
    Plan,
    Result,
    Sourced,
    Yielded,
)
from stellwerk.store.blobs import FolderBlobs
from stellwerk.store.port import Store


def test_a_plain_run_is_one_row(store: Store, url: str) -> None:
    root, task = Root(), new_id()
    accept(store, root.batch(*root.begin(), root.task(task), Began(task, NOW + 3, 1), completed(task), root.end()))
    runs = runs_of(url)
    assert (runs[root.id].kind, runs[root.id].state, runs[root.id].parent_id) == ("flow", "completed", None)
    assert (runs[root.id].tags, runs[root.id].parameters) == ('["a"]', '{"n": 1}')
    run = runs[task]
    assert (run.state, run.attempts, run.story_rows, run.call_key) == ("completed", 1, 0, b"k" * 16)
    assert (run.created_at, run.started_at, run.ended_at) == (NOW + 2, NOW + 3, NOW + 10)
    assert (run.result_hash, run.result_size, run.result, run.preview) == (RESULT.hash, 5, RESULT.data, "5")
    assert rows(url, "attempts") == rows(url, "story") == []
    assert store.select("plan_of", (root.id,)) == [
        (PLAN.interpreter, PLAN.folder, PLAN.file, PLAN.entry, PLAN.arguments, None, PLAN.code)
    ]


def test_applying_twice_is_applying_once(store: Store, url: str) -> None:
    root = Root()
    first, second = root.batch(*root.begin()), root.batch(root.end())
    accept(store, first, first)
    accept(store, second)
    before = everything(url)
    accept(store, first, second, first)
    assert everything(url) == before


def test_a_gap_is_refused(store: Store, url: str) -> None:
    root = Root()
    accept(store, root.batch(*root.begin()))
    before = everything(url)
    assert send(store, Batch(root.id, 1, 3, [root.end()])).code == "stale_fence"
    assert everything(url) == before


def test_a_first_batch_without_opening_is_refused(store: Store, url: str) -> None:
    root = Root()
    assert send(store, Batch(root.id, 1, 1, root.begin())).code == "stale_fence"
    assert not rows(url, "runs")


@pytest.mark.parametrize("fence", [0, 2])
def test_another_fence_is_refused(store: Store, url: str, fence: int) -> None:
    root = Root()
    accept(store, root.batch(*root.begin()))
    before = everything(url)
    assert send(store, Batch(root.id, fence, 2, [root.end()])).code == "stale_fence"
    assert everything(url) == before


def illegal_messages(root: Root, task: bytes) -> dict[str, Message]:
    """Give one message of every kind that does not fit a running task, by what is wrong with it."""
    return {
        "began twice": Began(task, NOW, 1),
        "began out of turn": Began(task, NOW, 2),
        "ended another attempt": completed(task, 2),
        "granted while running": Granted(task, NOW),
        "completed without its attempt": Ended(task, NOW, "completed"),
        "unknown event": Ended(task, NOW, "derailed"),
        "unknown attempt event": Ended(task, NOW, "completed", 1, "derailed"),
        "moved to running": Ended(task, NOW, "began"),
        "event and resolution at odds": Ended(task, NOW, "completed", 1, "raised"),
        "never submitted": Began(new_id(), NOW, 1),
        "items of nobody": Yielded(new_id(), NOW, 0, RESULT),
        "submitted twice": root.task(task),
    }


@pytest.mark.parametrize("case", illegal_messages(Root(), b""))
def test_an_illegal_event_refuses_the_whole_batch(store: Store, url: str, case: str) -> None:
    root, task, other = Root(), new_id(), new_id()
    accept(store, root.batch(*root.begin(), root.task(task), Began(task, NOW + 3, 1)))
    before = everything(url)
    illegal = illegal_messages(root, task)[case]
    good: list[Message] = [
        root.task(other),
        Logged([(1, other, 1, NOW, 20, "x", "y")]),
        Sourced(b"s" * 32, "f", "text"),
    ]
    for messages in ([*good, illegal], [illegal, *good]):
        ack = send(store, Batch(root.id, 1, 2, messages))
        assert ack.code in ("illegal_transition", "conflict")
        assert ack.reason
        assert everything(url) == before
    # The number was not used up: its owner may send something better under it.
    accept(store, Batch(root.id, 1, 2, [completed(task)]))


def test_an_illegal_first_batch_leaves_no_lease(store: Store, url: str) -> None:
    root = Root()
    batch = root.batch(*root.begin(), Began(root.id, NOW, 5))
    assert send(store, batch).code == "illegal_transition"
    assert not any(everything(url).values())
    accept(store, Batch(root.id, 1, 1, root.begin(), batch.opening))


def test_a_refused_batch_does_not_fail_its_neighbours(store: Store, url: str) -> None:
    one, two, three, four, taken = Root(), Root(), Root(), Root(), new_id()
    accept(store, one.batch(*one.begin(), one.task(taken)), three.batch(*three.begin()))
    acks = apply(
        store,
        [
            one.batch(one.end()),
            two.batch(*two.begin(), Began(two.id, NOW, 7)),  # illegal by the tables
            four.batch(*four.begin(), four.task(taken)),  # refused by the database: the id is taken
            three.batch(three.end()),
            Batch(three.id, 9, 3, []),  # a fence that never was
        ],
    )
    assert [ack.code for ack in acks] == ["", "illegal_transition", "conflict", "", "stale_fence"]
    runs = runs_of(url)
    assert {runs[one.id].state, runs[three.id].state} == {"completed"}
    assert two.id not in runs
    assert four.id not in runs
    assert len(rows(url, "leases")) == 2


def test_a_run_answers_to_its_own_root_only(store: Store, url: str) -> None:
    one, two, task = Root(), Root(), new_id()
    accept(store, one.batch(*one.begin(), one.task(task)), two.batch(*two.begin()))
    before = everything(url)
    assert send(store, two.batch(Began(task, NOW, 1))).code == "illegal_transition"
    assert everything(url) == before


def test_a_blob_is_read_through_a_run_that_references_it(store: Store, tmp_path: Path) -> None:
    transport = InProcess(store, FolderBlobs(tmp_path / "blobs"))
    kept = [b"a result" * 9, b"an item" * 9, b"arguments" * 9, b"nobody's" * 9]
    hashes = [hashlib.blake2b(data, digest_size=32).digest() for data in kept]
    for digest, data in zip(hashes, kept, strict=True):
        transport.put_blob(digest, data)
    one, two, task = Root(), Root(), new_id()
    first = one.batch(*one.begin(), one.task(task), Began(task, NOW + 3, 1))
    first.opening = Opening(HOLDER, Plan("python", "/", arguments_hash=hashes[2]), 30.0)
    first.messages.append(Yielded(task, NOW + 4, 0, Result(hashes[1], 63)))
    first.messages.append(Ended(task, NOW + 10, "completed", 1, "returned", result=Result(hashes[0], 72)))
    accept(store, first, two.batch(*two.begin()))
    readers = dict(zip(hashes, (task, task, one.id, None), strict=True))
    for digest, data in zip(hashes, kept, strict=True):
        for run_id in (one.id, two.id, task, new_id()):
            if run_id == readers[digest]:
                assert transport.get_blob(run_id, digest) == data
            else:
                with pytest.raises(NotFound, match="does not reference"):
                    transport.get_blob(run_id, digest)
