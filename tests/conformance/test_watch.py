"""The watch engine over both databases: what changed is told, once, at once, and never missed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from wire import NOW, Root, accept, new_id, open_store

from stellwerk.engine import apply, watch
from stellwerk.engine.watch import PAUSE_SECONDS, RUNS, Listener, Watch, parse_topic, write_topic
from stellwerk.errors import UnavailableError, UsageError
from stellwerk.model.states import Cause
from stellwerk.store.port import Store

SECONDS = 30


class Ears:
    """Listen, and wait for what is told. Time stands still unless a test moves it."""

    def __init__(self, store: Store) -> None:
        self.now = 1000.0
        self.watch = Watch(store, lambda: self.now)
        self._event = threading.Event()
        self.listener: Listener = self.watch.listen(self._event.set)
        self.until(lambda: self.watch.count == 2)  # it has begun to look, and says that anything may have changed

    def subscribe(self, *topics: bytes) -> dict[bytes, int]:
        return self.listener.subscribe(topics)

    def hear(self) -> dict[bytes, int]:
        """Wait for the next change."""
        deadline = time.monotonic() + SECONDS
        while True:
            self._event.clear()
            told, wait = self.listener.take()
            if told:
                return told
            if wait is not None:
                self.now += wait
            else:
                assert self._event.wait(deadline - time.monotonic())

    def hear_of(self, *topics: bytes) -> dict[bytes, int]:
        """Wait until each of these topics has been told."""
        told: dict[bytes, int] = {}
        while not told.keys() >= set(topics):
            told |= self.hear()
        return told

    def until(self, condition: Callable[[], object]) -> None:
        """Wait for what nobody tells."""
        deadline = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.002)


@pytest.fixture
def ears(store: Store) -> Iterator[Ears]:
    ears = Ears(store)
    yield ears
    ears.watch.close()


@pytest.fixture
def other(url: str) -> Iterator[Store]:
    """Be another process."""
    store = open_store(url)
    yield store
    store.close()


def ours(ears: Ears, store: Store, root: Root, *messages: object) -> None:
    """Commit as this process's own writer does."""
    accept(store, root.batch(*messages))  # type: ignore[arg-type]
    ears.watch.noticed([root.id])


def test_topics_are_written_as_they_are_read() -> None:
    root = new_id()
    for topic in (RUNS, root):
        assert parse_topic(write_topic(topic)) == topic
    for wrong in ("", "run", "run:", "run:x", "runs:", "RUNS", "run:" + "0" * 31, "walk:" + "0" * 32):
        with pytest.raises(UsageError):
            parse_topic(wrong)


def test_the_first_change_at_once_and_then_one_a_pause(ears: Ears) -> None:
    root = new_id()
    first = ears.subscribe(root)[root]
    ears.watch.noticed([root])
    assert ears.listener.take() == ({root: first + 1}, None)
    for _ in range(5):
        ears.watch.noticed([root])
    told, wait = ears.listener.take()
    assert told == {}
    assert wait == pytest.approx(PAUSE_SECONDS)
    ears.now += PAUSE_SECONDS / 2
    assert ears.listener.take()[0] == {}
    ears.now += PAUSE_SECONDS / 2
    assert ears.listener.take() == ({root: first + 6}, None)  # the newest, once
    ears.now += PAUSE_SECONDS
    ears.watch.noticed([root])
    assert ears.listener.take() == ({root: first + 7}, None)


def test_each_topic_has_its_own_pause(ears: Ears) -> None:
    one, two = new_id(), new_id()
    ears.subscribe(one, two)
    ears.watch.noticed([one])
    assert ears.hear().keys() == {one}
    ears.watch.noticed([one, two])
    assert ears.listener.take()[0].keys() == {two}


def test_one_is_woken_once_for_what_it_has_not_taken(ears: Ears) -> None:
    woken: list[int] = []
    listener = ears.watch.listen(lambda: woken.append(1))
    listener.subscribe([RUNS])
    for _ in range(100):
        ears.watch.noticed([new_id()])
    assert len(woken) == 1
    listener.close()
    ears.watch.noticed([new_id()])
    assert len(woken) == 1


def test_a_cursor_is_answered_right_though_little_is_remembered(ears: Ears, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "REMEMBERED", 3)
    roots = [new_id() for _ in range(6)]
    ears.watch.noticed([roots[0]])
    cursor = ears.watch.count
    for root in roots[1:5]:
        ears.watch.noticed([root])
    # What changed since is told; what did not may be told only where it is not remembered.
    changed = ears.watch.since([RUNS, *roots], cursor)
    assert {RUNS, *roots[1:5]} <= changed.keys()
    later = ears.watch.count
    assert ears.watch.since([RUNS, *roots], later) == {}
    ears.watch.noticed([roots[2]])
    assert ears.watch.since([RUNS, *roots], later).keys() == {RUNS, roots[2]}
    assert len(ears.watch._versions) == 3


def test_others_are_told_whatever_they_commit(ears: Ears, other: Store) -> None:
    root, brief = Root(), Root()
    ears.subscribe(RUNS, root.id, brief.id)
    accept(other, root.batch(*root.begin()))
    ears.hear_of(RUNS, root.id)
    accept(other, root.batch(root.task(new_id())))
    ears.hear_of(RUNS, root.id)
    accept(other, brief.batch(*brief.begin(), brief.end()))
    told = ears.hear_of(RUNS, brief.id)
    assert root.id not in told
    accept(other, root.batch(root.end()))
    ears.hear_of(RUNS, root.id)


def test_our_own_commits_are_told_once(ears: Ears, store: Store, other: Store) -> None:
    root, sign = Root(), Root()
    ears.subscribe(sign.id)
    ours(ears, store, root, *root.begin())
    ours(ears, store, root, root.task(new_id()))
    version = ears.watch.versions([root.id])[root.id]
    accept(other, sign.batch(*sign.begin()))
    ears.hear_of(sign.id)  # so it has looked
    assert ears.watch.versions([root.id])[root.id] == version
    ours(ears, store, root, root.end())
    version = ears.watch.versions([root.id])[root.id]
    accept(other, sign.batch(sign.end()))
    ears.hear_of(sign.id)
    assert ears.watch.versions([root.id])[root.id] == version


@pytest.mark.parametrize("is_known", [True, False])
def test_a_take_over_by_another_process_is_told_though_we_wrote_just_now(
    ears: Ears, store: Store, other: Store, is_known: bool
) -> None:
    root, sign = Root(), Root()
    ears.subscribe(root.id, sign.id)
    ours(ears, store, root, *root.begin())
    if is_known:
        accept(other, sign.batch(*sign.begin()))
        ears.hear_of(sign.id)
    # Both between two looks, at best: the version that only a look can give must come all the same.
    with ears.watch._lock:
        ears.watch._own.add(root.id)
        assert apply.crash(other, root.id, 1, NOW + 50, Cause("lease_lost"), "OwnerLost")
        before = ears.watch._count
    ears.until(lambda: ears.watch.versions([root.id])[root.id] > before)


def test_many_new_runs_at_once_are_all_told(ears: Ears, other: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "MOST_NEW", 3)
    roots = [Root() for _ in range(10)]
    ears.subscribe(*(root.id for root in roots))
    accept(other, *(root.batch(*root.begin(), root.end()) for root in roots))
    ears.hear_of(*(root.id for root in roots))


def test_a_commit_that_comes_late_is_told(postgres_database: str) -> None:
    # Postgres numbers rows before they are committed: here the smaller number becomes visible after the greater one.
    stores = [open_store(postgres_database) for _ in range(3)]
    late, early = Root(), Root()
    ears = Ears(stores[0])
    ears.subscribe(late.id, early.id)
    with stores[1].write() as transaction:
        apply.apply_one(transaction, late.batch(*late.begin(), late.end()))
        accept(stores[2], early.batch(*early.begin(), early.end()))
        ears.hear_of(early.id)
    ears.hear_of(late.id)
    ears.watch.close()
    for store in stores:
        store.close()


def test_after_a_time_without_the_database_anything_may_have_changed(
    ears: Ears, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watch, "TROUBLE_SECONDS", 0.01)
    root, asked = new_id(), threading.Event()
    ears.subscribe(RUNS, root)

    def away() -> int:
        asked.set()
        raise UnavailableError("The database is away.")

    with monkeypatch.context() as patch:
        patch.setattr(store, "data_version", away)
        assert asked.wait(SECONDS)
    assert ears.hear().keys() == {RUNS, root}
    assert "The database is away" in caplog.text


def test_nobody_looks_while_nobody_listens(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LINGER_SECONDS", -1.0)
    ears = Ears(store)
    ears.listener.close()
    ears.until(lambda: not ears.watch._is_looking)
    cursor = ears.watch.count
    ears.watch.noticed([new_id()])
    assert not ears.watch._own  # else it would grow as long as nobody listens
    again = ears.watch.listen(lambda: None)
    ears.until(lambda: ears.watch.since([new_id()], cursor))
    again.close()
    ears.watch.close()


def test_closing_wakes_who_listens_and_may_be_repeated(store: Store) -> None:
    ears = Ears(store)
    woken = threading.Event()
    ears.watch.listen(woken.set)
    ears.watch.close()
    ears.watch.close()
    assert woken.is_set()
    assert ears.watch.is_closed
    ears.watch.noticed([new_id()])  # a last commit harms nobody
