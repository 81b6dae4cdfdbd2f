"""The graph of a run as the page draws it: names, not task runs, so that it stays small however much a run does."""

from __future__ import annotations

from typing import Any

from stellwerk.api import views
from stellwerk.model.identity import to_text
from stellwerk.store.port import Store

__all__ = ["graph"]

LOOKED_AT = 100_000  # task runs whose upstream is read
MOST_NODES = 2_000
MOST_EDGES = 10_000


def graph(store: Store, run_id: bytes) -> dict[str, Any]:
    """Return a run's graph.

    Returns: `nodes`, one for each task name and child flow in order of first creation, at most 2,000, each with `key,
        kind, name, states, started_at, ended_at` (as `views.task_groups`); and `edges`, at most 10,000, each with the
        keys `from` and `to` and in `count` how often a run of the one was given a result of the other. Both are empty
        for a run without tasks, and for one that is not there.

    Cost: two statements; over 100,000 task runs some 0.4 s.
    """
    groups = views.task_groups(store, {"id": to_text(run_id)})[:MOST_NODES]
    nodes = {_key(group["kind"], group["name"]): group for group in groups}
    told = store.select("graph_edges", (run_id, LOOKED_AT, MOST_EDGES))
    edges = [{"from": _key(*row[:2]), "to": _key(*row[2:4]), "count": row[4]} for row in told]
    return {
        "nodes": [{"key": key, **group} for key, group in nodes.items()],
        "edges": [edge for edge in edges if edge["from"] in nodes and edge["to"] in nodes],
    }


def _key(kind: str, name: str) -> str:
    return f"{kind}:{name}"
