"""The timeline and the graph of a run: which rows are in it, what is new, and what was asked for again."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from wire import NOW, Root, accept, completed, new_id

from stellwerk.api import views
from stellwerk.api.page import graph, timeline
from stellwerk.errors import NotFound
from stellwerk.model.messages import Began, Message
from stellwerk.store.port import Store


def frame(store: Store, root: bytes, after: int = 0, opened: tuple[int, ...] = ()) -> dict[str, Any]:
    """Fetch a frame: its header, with the seqs and names of its rows."""
    data = timeline.frame(store, root, after, opened)
    (length,) = struct.unpack_from("<I", data, 4)
    head: dict[str, Any] = json.loads(data[8 : 8 + length])
    count, at = head["n"], 8 + length
    head["seqs"] = [int(seq) for seq in struct.unpack_from(f"<{count}d", data, at)]
    groups = struct.unpack_from(f"<{count}H", data, at + 36 * count)
    head["names"] = [head["groups"][group]["name"] for group in groups]
    return head


class Tree:
    """A flow with tasks, one of which calls tasks, and a child flow with tasks of its own; and another root run."""

    def __init__(self, store: Store) -> None:
        self.store, self.root, self.other = store, Root(), Root()
        self.outer, self.inner, self.deep, self.child, self.below, self.late = (new_id() for _ in range(6))
        accept(store, self.other.batch(*self.other.begin(), self.other.task(new_id(), task="foreign")))
        task = self.root.task
        messages: list[Message] = [*self.root.begin(), task(self.outer, task="outer"), Began(self.outer, NOW + 3, 1)]
        messages += [task(self.inner, task="inner", parent_id=self.outer, upstream=(self.outer,))]
        messages += [task(self.deep, task="deep", parent_id=self.inner, upstream=(self.inner, self.outer))]
        messages += [
            task(self.child, kind="flow", task="", flow="child"),
            task(self.below, task="below", parent_id=self.child),
        ]
        accept(store, self.root.batch(*messages))


@pytest.fixture
def tree(store: Store) -> Tree:
    return Tree(store)


def test_a_frame_has_the_rows_of_a_run(store: Store, tree: Tree) -> None:
    told = frame(store, tree.root.id)
    assert told["names"] == ["outer", "inner", "deep", "child"]
    assert told["seqs"] == sorted(told["seqs"])
    assert told["max_seq"] == told["seqs"][-1]
    assert told["base"] == NOW
    assert [group["kind"] for group in told["groups"]] == ["task", "task", "task", "flow"]
    assert frame(store, tree.child)["names"] == ["below"]
    assert frame(store, tree.outer)["names"] == ["inner", "deep"]
    assert frame(store, tree.deep)["names"] == []


@pytest.mark.parametrize("is_near", [True, False], ids=["near", "far"])
def test_only_what_is_new_is_sent(store: Store, tree: Tree, is_near: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not is_near:
        monkeypatch.setattr(timeline, "NEAR", -1)
    first, below = frame(store, tree.root.id), frame(store, tree.child)
    assert frame(store, tree.root.id, first["max_seq"])["seqs"] == []
    assert frame(store, tree.root.id, first["max_seq"])["max_seq"] == first["max_seq"]
    calls = [
        tree.root.task(tree.late, task="late", parent_id=tree.deep),
        tree.root.task(new_id(), task="hidden", parent_id=tree.below),
    ]
    accept(store, tree.root.batch(*calls))
    accept(store, tree.other.batch(tree.other.task(new_id(), task="foreign")))
    told = frame(store, tree.root.id, first["max_seq"])
    assert told["names"] == ["late"]
    assert frame(store, tree.root.id)["seqs"] == first["seqs"] + told["seqs"]
    assert frame(store, tree.child, below["max_seq"])["names"] == ["hidden"]


def test_rows_that_were_open_are_sent_again(store: Store, tree: Tree) -> None:
    first = frame(store, tree.root.id)
    accept(store, tree.root.batch(completed(tree.outer)))
    foreign = frame(store, tree.other.id)["seqs"]
    hidden = frame(store, tree.child)["seqs"]
    asked = (first["seqs"][0], first["seqs"][2], *foreign, *hidden, 1 << 40, -5)
    told = frame(store, tree.root.id, first["max_seq"], asked)
    assert told["names"] == ["outer", "deep"]
    assert told["max_seq"] == first["max_seq"]


def test_a_run_that_is_not_there_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        timeline.frame(store, bytes(16))


def test_a_graph_is_of_names(store: Store, tree: Tree) -> None:
    told = graph.graph(store, tree.root.id)
    nodes = {node["key"]: node for node in told["nodes"]}
    assert set(nodes) == {"task:outer", "task:inner", "task:deep", "flow:child"}
    assert nodes["task:outer"] == {
        "key": "task:outer", "kind": "task", "name": "outer", "states": {"running": 1},
        "started_at": "2026-01-01T00:00:00.000003Z", "ended_at": None,
    }  # fmt: skip
    edges = {(edge["from"], edge["to"]): edge["count"] for edge in told["edges"]}
    assert edges == {("task:outer", "task:inner"): 1, ("task:inner", "task:deep"): 1, ("task:outer", "task:deep"): 1}
    assert graph.graph(store, bytes(16)) == {"nodes": [], "edges": []}


def test_a_graph_counts_and_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    root, source = Root(), new_id()
    ids = [new_id() for _ in range(20)]
    messages = [
        root.task(source, task="source"),
        *(root.task(run_id, task=f"t{n % 4}", upstream=(source,)) for n, run_id in enumerate(ids)),
    ]
    accept(store, root.batch(*root.begin(), *messages))
    told = graph.graph(store, root.id)
    assert {edge["to"]: edge["count"] for edge in told["edges"]} == {f"task:t{n}": 5 for n in range(4)}
    assert sum(sum(node["states"].values()) for node in told["nodes"]) == 21
    assert (
        sum(sum(group["states"].values()) for group in views.task_groups(store, views.run_by_id(store, root.id))) == 21
    )
    monkeypatch.setattr(graph, "MOST_NODES", 3)
    told = graph.graph(store, root.id)
    assert len(told["nodes"]) == 3
    assert {edge["to"] for edge in told["edges"]} <= {node["key"] for node in told["nodes"]}
