"""What is folded into a run's row unfolds in SQL as it does in the views, on both databases, whatever happened to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import NaiveStore, choose
from wire import NOW, OPENING, Root, new_id, open_store

from stellwerk.api import views
from stellwerk.api.graphql.answer import Answers
from stellwerk.engine.apply import apply, crash
from stellwerk.model.identity import to_text
from stellwerk.model.messages import Batch
from stellwerk.model.states import Cause
from stellwerk.store.port import Store

DOCUMENT = """query($root: uuid!) { runs(where: {root_id: {_eq: $root}}, order_by: [{seq: desc}]) {
    id
    attempts { number state label cause evidence error started_at ended_at }
    attempts_aggregate { aggregate { count } }
    story { n at event from_state to_state label }
    failed: attempts(where: {state: {_eq: "failed"}}) { number }
    began: story_aggregate(where: {event: {_eq: "began"}}) { aggregate { count } }
} }"""
FLAT = """query($root: uuid!) {
    attempts(where: {run: {root_id: {_eq: $root}}}, limit: 1000) { run_id number }
    story(where: {run: {root_id: {_eq: $root}}}, limit: 1000) { run_id n event }
}"""


@pytest.fixture(scope="module")
def stores(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Store]]:
    """Open an SQLite and a PostgreSQL store for all examples."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE folded TEMPLATE template0")
        path = tmp_path_factory.mktemp("folded") / "stellwerk.db"
        stores = [open_store(str(path)), open_store(postgres_url.rpartition("/")[0] + "/folded")]
        yield stores
        for store in stores:
            store.close()
        connection.execute("DROP DATABASE folded WITH (FORCE)")


def viewed(store: Store, run_id: str) -> dict[str, Any]:
    """Show a run as the views do, in the shape of the request."""
    run, _ = views.find_run(store, run_id)
    story = views.story(store, run)
    return {
        "id": run_id,
        "attempts": run["attempts"],
        "attempts_aggregate": {"aggregate": {"count": len(run["attempts"])}},
        "story": [{"n": n, **step} for n, step in enumerate(story, 1)],
        "failed": [{"number": each["number"]} for each in run["attempts"] if each["state"] == "failed"],
        "began": {"aggregate": {"count": sum(step["event"] == "began" for step in story)}},
    }


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1 << 32), length=st.integers(1, 60), is_lost=st.booleans())
def test_sql_unfolds_as_the_views_do(stores: list[Store], seed: int, length: int, is_lost: bool) -> None:
    root, seq = Root(), 1
    for messages in choose(root, NaiveStore([root.id, new_id(), new_id()]), seed, length):
        batch = Batch(root.id, 1, seq, messages, OPENING if seq == 1 else None)
        seq += not next(apply(store, [batch])[0] for store in stores).code
    for store in stores:
        if is_lost:
            crash(store, root.id, 1, NOW + 10_000, Cause("lease_lost", "gone"), "OwnerLost")
        answers, variables = Answers(store), {"root": to_text(root.id)}
        runs = json.loads(answers.answer(DOCUMENT, variables))["data"]["runs"]
        assert runs == [viewed(store, run["id"]) for run in runs]
        flat = json.loads(answers.answer(FLAT, variables))["data"]
        by_id = sorted(runs, key=lambda run: str(run["id"]), reverse=True)
        attempts = [(run["id"], each["number"]) for run in by_id for each in reversed(run["attempts"])]
        assert [(each["run_id"], each["number"]) for each in flat["attempts"]] == attempts
        story = [(run["id"], each["n"], each["event"]) for run in by_id for each in reversed(run["story"])]
        assert [(each["run_id"], each["n"], each["event"]) for each in flat["story"]] == story
