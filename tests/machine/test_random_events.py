"""Random events against the core and both stores: they accept the same, and keep what a naive model keeps."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import NaiveStore, choose
from wire import NOW, OPENING, Root, check_all, new_id, open_store

from stellwerk.core.check import violations
from stellwerk.engine.apply import apply, crash
from stellwerk.model.messages import Batch
from stellwerk.model.records import AttemptRecord, RunRecord, StoryRecord
from stellwerk.model.states import TERMINAL, Cause
from stellwerk.store.port import Store

LOST = Cause("lease_lost", "process 4711 on signal-box is gone")


@pytest.fixture(scope="module")
def stores(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Store]]:
    """Open an SQLite and a PostgreSQL store for all examples; afterwards counters agree with a recount."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE machine TEMPLATE template0")
        urls = [str(tmp_path_factory.mktemp("machine") / "stellwerk.db"), postgres_url.rpartition("/")[0] + "/machine"]
        stores = {url: open_store(url) for url in urls}
        yield stores
        for url, store in stores.items():
            store.close()
            check_all(url)
        connection.execute("DROP DATABASE machine WITH (FORCE)")


def compare(store: Store, root: Root, model: NaiveStore) -> None:
    """Compare what a store keeps of a root run with the model."""
    rows = {row[0]: RunRecord(*row[:-2]) for row in store.select("runs_load", (), list(model.runs))}
    known = {run_id: run for run_id, run in model.runs.items() if run.story}
    assert rows == {run_id: run.record(model.submitted[run_id], root.id) for run_id, run in known.items()}
    for run_id, run in known.items():
        attempts = [AttemptRecord(*row) for row in store.select("attempts_of", (), [run_id])]
        story = [StoryRecord(*row) for row in store.select("story_of", (run_id,))]
        assert attempts == run.kept()
        assert story == run.told()
        assert violations(rows[run_id], attempts, story) == []


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 1 << 32), length=st.integers(1, 80), is_lost=st.booleans())
def test_the_stores_keep_what_the_model_keeps(stores: dict[str, Store], seed: int, length: int, is_lost: bool) -> None:
    root, seq, is_held = Root(), 1, False
    model = NaiveStore([root.id, new_id(), new_id(), new_id()])
    for messages in choose(root, model, seed, length):
        is_accepted = model.apply(messages)
        batch = Batch(root.id, 1, seq, messages, OPENING if seq == 1 else None)
        acks = [apply(store, [batch])[0] for store in stores.values()]
        assert [not ack.code for ack in acks] == [is_accepted] * 2, (acks, messages)
        if is_accepted:
            # The lease is open from the first batch until one ends the root run.
            is_held = (is_held or seq == 1) and model.runs[root.id].subject.run not in TERMINAL
            seq += 1
    if is_lost:
        taken = [crash(store, root.id, 1, NOW + 10_000, LOST, "OwnerLost") for store in stores.values()]
        assert taken == [is_held] * 2
        if is_held:
            model.lose(NOW + 10_000, LOST)
    for store in stores.values():
        compare(store, root, model)
