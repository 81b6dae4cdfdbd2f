"""The intake: in order, in groups, bounded, and no sender suffers from another."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import pytest
from wire import HOLDER, Root, completed, new_id, rows, runs_of

from stellwerk.engine import intake as module
from stellwerk.engine.apply import renew
from stellwerk.engine.intake import Intake
from stellwerk.errors import InternalError, StellwerkError, UnavailableError
from stellwerk.model.messages import Ack, Batch, Began, Logged
from stellwerk.store.port import Store, Transaction

SECONDS = 30


class Gate:
    """A store whose writer waits before each transaction until it is let through."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.is_open = threading.Event()
        self.arrived = threading.Semaphore(0)
        self.problem: Exception | None = None

    @contextlib.contextmanager
    def write(self) -> Iterator[Transaction]:
        self.arrived.release()
        assert self.is_open.wait(SECONDS)
        if self.problem is not None:
            raise self.problem
        with self._store.write() as transaction:
            yield transaction

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class Desk:
    """An intake over a gate, and what it answered and told, in order."""

    def __init__(self, store: Store) -> None:
        self.gate = Gate(store)
        self.answers: SimpleQueue[tuple[Any, Any]] = SimpleQueue()
        self.told: list[list[bytes]] = []
        self.intake = Intake(self.gate, lambda ids: self.told.append(list(ids)))  # type: ignore[arg-type]

    def submit(self, name: object, batch: Batch, size_bytes: int = 0) -> None:
        self.intake.submit(batch, lambda answer: self.answers.put((name, answer)), size_bytes)

    def hold(self) -> None:
        """Occupy the writer, so that what comes next gathers."""
        self.submit("first", Root().batch())
        assert self.gate.arrived.acquire(timeout=SECONDS)

    def release(self) -> None:
        self.gate.is_open.set()
        assert self.answers.get(timeout=SECONDS)[0] == "first"

    def take(self, count: int) -> list[tuple[Any, Any]]:
        return [self.answers.get(timeout=SECONDS) for _ in range(count)]


@pytest.fixture
def desk(store: Store) -> Iterator[Desk]:
    desk = Desk(store)
    yield desk
    desk.gate.is_open.set()
    assert desk.intake.close(SECONDS)


def work(root: Root) -> Batch:
    run_id = new_id()
    messages = [root.task(run_id), Began(run_id, root.at + 3, 1), completed(run_id)]
    return root.batch(*(root.begin() if not root.seq else ()), *messages)


def is_accepted(answer: Any) -> bool:
    return isinstance(answer, Ack) and not answer.code


def test_a_batch_is_answered_after_its_commit(desk: Desk, url: str) -> None:
    desk.gate.is_open.set()
    root = Root()
    for seq in range(1, 4):
        desk.submit(seq, work(root))
        ((name, answer),) = desk.take(1)
        assert (name, answer) == (seq, Ack(seq))
        assert len(runs_of(url)) == seq + 1
    assert desk.intake.waiting == 0
    assert desk.told == [[root.id]] * 3


def test_what_gathers_shares_a_commit_and_is_answered_in_order(desk: Desk, url: str) -> None:
    desk.hold()
    roots = [Root() for _ in range(30)]
    for number, root in enumerate(roots):
        desk.submit(number, work(root))
    assert desk.intake.waiting == 31
    desk.release()
    answers = desk.take(30)
    assert [name for name, _ in answers] == list(range(30))
    assert all(is_accepted(answer) for _, answer in answers)
    assert len(runs_of(url)) == 60
    assert desk.intake.close(SECONDS)
    assert desk.intake.commits == 2
    assert sum(desk.intake.commit_buckets) == 2
    assert desk.intake.batches == 31
    assert desk.intake.messages == 30 * 5
    assert desk.told[-1] == [root.id for root in roots]


def test_a_commit_is_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BATCHES", 4)
    monkeypatch.setattr(module, "MOST_MESSAGES", 12)
    desk.hold()
    for number in range(8):  # five messages each: two a commit
        desk.submit(number, work(Root()))
    for number in range(8, 16):  # none: four a commit
        desk.submit(number, Root().batch())
    huge = Root()
    desk.submit(16, huge.batch(*huge.begin(), *(huge.task(new_id()) for _ in range(20))))
    desk.release()
    answers = desk.take(17)
    assert [name for name, _ in answers] == list(range(17))
    assert all(is_accepted(answer) for _, answer in answers)
    assert desk.intake.close(SECONDS)
    assert desk.intake.commits == 1 + 4 + 2 + 1


@pytest.mark.parametrize("poison", ["conflict", "illegal", "stale", "number", "text"])
def test_a_bad_batch_harms_no_neighbour(desk: Desk, url: str, poison: str) -> None:
    twin = new_id()
    first, second = Root(), Root()
    desk.hold()
    desk.submit("before", first.batch(*first.begin(), first.task(twin)))
    if poison == "conflict":
        bad = second.batch(*second.begin(), second.task(twin))
    elif poison == "illegal":
        bad = second.batch(completed(second.id))
    elif poison == "stale":
        second.seq = 4
        bad = second.batch(*second.begin())
    elif poison == "number":
        bad = second.batch(*second.begin(), second.task(new_id(), n=1 << 63))
    else:
        bad = second.batch(*second.begin(), second.task(new_id(), parameters=b"\xff\xfe"))
    desk.submit("bad", bad)
    after = Root()
    desk.submit("after", work(after))
    desk.release()
    answers = dict(desk.take(3))
    assert is_accepted(answers["before"])
    assert is_accepted(answers["after"])
    told = answers["bad"]
    if poison in ("number", "text"):
        assert isinstance(told, InternalError)
    else:
        assert told.code in ("conflict", "illegal_transition", "stale_fence")
    assert {run.root_id for run in runs_of(url).values()} == {first.id, after.id}
    assert not rows(url, "leases", f"root_id = {literal(url, second.id)}")


def literal(url: str, run_id: bytes) -> str:
    return f"'\\x{run_id.hex()}'" if "://" in url else f"x'{run_id.hex()}'"


def test_a_database_that_is_away_is_told_to_all_and_nothing_is_lost(desk: Desk, url: str) -> None:
    desk.hold()
    desk.gate.problem = UnavailableError("It is away.", is_passing=True)
    roots = [Root() for _ in range(5)]
    batches = [work(root) for root in roots]
    for number, batch in enumerate(batches):
        desk.submit(number, batch)
    desk.release()
    answers = desk.take(5)
    assert [name for name, _ in answers] == list(range(5))
    assert all(isinstance(answer, UnavailableError) and answer.facts["is_passing"] for _, answer in answers)
    assert runs_of(url) == {}
    desk.gate.problem = None
    for number, batch in enumerate(batches):
        desk.submit(number, batch)
    assert all(is_accepted(answer) for _, answer in desk.take(5))
    assert len(runs_of(url)) == 10


def test_other_verbs_keep_their_place(desk: Desk) -> None:
    root = Root()
    desk.hold()
    desk.submit("open", work(root))
    desk.intake.run(lambda store: renew(store, HOLDER), lambda held: desk.answers.put(("renew", held)), (root.id,))
    desk.submit("end", root.batch(root.end()))
    desk.intake.run(lambda store: renew(store, HOLDER), lambda held: desk.answers.put(("again", held)))
    desk.release()
    # What holds the writer up has a lease, too.
    assert desk.take(4) == [("open", Ack(1)), ("renew", 2), ("end", Ack(2)), ("again", 1)]


def test_a_verb_that_fails_tells_its_own_caller(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.gate.is_open.set()

    def refuse(_store: Store) -> None:
        raise UnavailableError("Not now.")

    def break_down(_store: Store) -> None:
        raise ZeroDivisionError("by nothing")

    with pytest.raises(UnavailableError, match="Not now"):
        desk.intake.call(refuse)
    with pytest.raises(InternalError, match="by nothing"):
        desk.intake.call(break_down)
    assert "ZeroDivisionError" in caplog.text
    assert desk.intake.call(lambda _store: 7) == 7


def test_an_answer_that_nobody_can_take_does_not_end_the_writer(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.gate.is_open.set()

    def lost(_answer: object) -> None:
        raise ConnectionError("nobody is there")

    desk.intake.submit(work(Root()), lost)
    desk.submit("next", work(Root()))
    assert is_accepted(desk.take(1)[0][1])
    assert "nobody is there" in caplog.text


def test_who_reads_is_asked_to_wait_while_it_is_full(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FULL_BYTES", 1_000)
    desk.hold()
    called = threading.Event()
    desk.intake.when_room(called.set)
    assert called.is_set()  # at once
    desk.submit("large", work(Root()), 1_000)
    assert desk.intake.is_full
    later = threading.Event()
    desk.intake.when_room(later.set)
    assert not later.is_set()
    desk.release()
    assert later.wait(SECONDS)
    assert not desk.intake.is_full


def test_it_tells_for_how_long_the_oldest_waits(desk: Desk) -> None:
    desk.hold()
    before = desk.intake.lag_seconds
    assert 0 < before < desk.intake.lag_seconds
    desk.release()
    assert desk.intake.close(SECONDS)
    assert desk.intake.lag_seconds == 0


def test_closing_writes_what_waits_and_refuses_what_comes(desk: Desk, url: str) -> None:
    desk.hold()
    for number in range(200):
        desk.submit(number, work(Root()))
    assert not desk.intake.close(0)
    desk.submit("late", work(Root()))
    name, problem = desk.take(1)[0]
    assert name == "late"
    assert isinstance(problem, StellwerkError)
    assert problem.facts["is_passing"]
    desk.release()
    assert [name for name, _ in desk.take(200)] == list(range(200))
    assert desk.intake.close(SECONDS)
    assert len(runs_of(url)) == 400


def test_many_threads_at_once(desk: Desk, url: str) -> None:
    desk.gate.is_open.set()

    def owner() -> None:
        root, answers = Root(), SimpleQueue[Any]()
        for number in range(20):
            batch = work(root)
            batch.messages.append(Logged([(number, root.id, 1, root.at, 20, "owner", "line")]))
            desk.intake.submit(batch, answers.put)
            assert answers.get(timeout=SECONDS) == Ack(number + 1)

    threads = [threading.Thread(target=owner) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert len(runs_of(url)) == 10 * 21
    assert len(rows(url, "logs")) == 200
    assert desk.intake.batches == 200
    assert desk.intake.messages == 10 * (2 + 20 * 4)
