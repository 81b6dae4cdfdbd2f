"""The observer: who loses a run, and who does not, by a clock that the tests turn."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from wire import HOLDER, OPENING, PLAN, Root, accept, new_id, runs_of, send

from stellwerk.engine.apply import crash, renew
from stellwerk.engine.tick import DEAF_SECONDS, LOOK_SECONDS, Observer, Swept
from stellwerk.errors import UnavailableError
from stellwerk.model.messages import Began, Holder, Opening
from stellwerk.model.states import Cause
from stellwerk.store.port import Store

LEASE = OPENING.lease_seconds


class World:
    """An observer with a clock, a look at processes and a lag that are set by hand."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = 1_000.0
        self.condition = "elsewhere"
        self.lag = 0.0
        self.observer = self.make()

    def make(self) -> Observer:
        return Observer(self.store, lambda _holder: self.condition, lag=lambda: self.lag, clock=lambda: self.now)

    def look_for(self, seconds: float, each: Callable[[], object] | None = None) -> list[Swept]:
        """Look once a second."""
        lost = []
        for _ in range(round(seconds / LOOK_SECONDS)):
            self.now += LOOK_SECONDS
            if each is not None:
                each()
            lost += self.observer.look()
        return lost


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


@pytest.fixture
def root(store: Store) -> Root:
    """A flow run of an owner elsewhere, with a task under way."""
    root = Root()
    run_id = new_id()
    accept(store, root.batch(*root.begin(), root.task(run_id), Began(run_id, root.at + 3, 1)))
    return root


def states(url: str) -> set[str]:
    return {run.state for run in runs_of(url).values()}


def test_a_lease_lapses_when_it_stood_still(world: World, root: Root, url: str) -> None:
    assert world.observer.look() == []
    assert world.look_for(LEASE - 1) == []
    assert states(url) == {"running"}
    (lost,) = world.look_for(1)
    assert (lost.run_id, lost.fence, lost.holder) == (root.id, 1, HOLDER)
    runs = runs_of(url)
    assert states(url) == {"crashed"}
    assert runs[root.id].cause == "lease_lost"
    assert runs[root.id].label == "OwnerLost"
    assert runs[root.id].evidence == "nobody renewed the lease of process 4711 on signal-box for 30 s"
    assert world.look_for(3) == []
    assert send(world.store, root.batch(root.end())).code == "stale_fence"


def test_a_renewal_keeps_it(world: World, root: Root, url: str) -> None:
    world.observer.look()
    for _ in range(5):
        assert world.look_for(LEASE - 1) == []
        renew(world.store, HOLDER)
    assert states(url) == {"running"}


def test_a_report_keeps_it(world: World, root: Root, url: str) -> None:
    world.observer.look()
    for _ in range(3):
        assert world.look_for(LEASE - 1) == []
        accept(world.store, root.batch(root.task(new_id())))
    assert "crashed" not in states(url)


def test_a_server_that_was_away_kills_nobody(world: World, root: Root, url: str) -> None:
    world.observer.look()
    world.look_for(LEASE - 2)
    world.now += 10_000
    world.observer = world.make()
    assert world.observer.look() == []
    assert world.look_for(LEASE - 1) == []
    assert states(url) == {"running"}
    assert len(world.look_for(1)) == 1


def test_a_gap_between_two_looks_does_not_count(world: World, root: Root, url: str) -> None:
    world.observer.look()
    world.look_for(LEASE - 2)
    world.now += 10_000  # it was stopped, or a look took that long
    assert world.observer.look() == []
    assert world.look_for(1) == []
    assert states(url) == {"running"}
    assert len(world.look_for(1)) == 1


def test_while_what_came_waits_to_be_written_nothing_counts(world: World, root: Root, url: str) -> None:
    world.observer.look()
    world.lag = DEAF_SECONDS + 1
    assert world.look_for(10 * LEASE) == []
    world.lag = 0.0
    assert world.look_for(LEASE - 1) == []
    assert states(url) == {"running"}
    assert len(world.look_for(1)) == 1


def test_a_database_that_was_away_is_no_silence(world: World, root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise UnavailableError("The database is away.")

    world.observer.look()
    world.look_for(LEASE - 2)
    with monkeypatch.context() as patch:
        patch.setattr(world.store, "select", away)
        world.now += 2
        with pytest.raises(UnavailableError):
            world.observer.look()
    world.now += 2
    assert world.observer.look() == []
    assert world.look_for(1) == []


def test_who_was_heard_in_time_keeps_the_run(store: Store, root: Root, url: str) -> None:
    # A renewal was received, and is written before the take-over that was decided without it.
    world = World(store)

    def write(verb: Callable[[Store], bool], _roots: tuple[bytes, ...]) -> bool:
        renew(store, HOLDER)
        return verb(store)

    world.observer = Observer(store, lambda _holder: "elsewhere", write, clock=lambda: world.now)
    world.observer.look()
    assert world.look_for(2 * LEASE - 1) == []
    assert states(url) == {"running"}


def test_an_owner_of_this_host_that_lives_needs_no_renewal(world: World, root: Root, url: str) -> None:
    world.condition = "alive"
    world.observer.look()
    assert world.look_for(10 * LEASE) == []
    assert states(url) == {"running"}


def test_one_that_is_stopped_loses_its_lease(world: World, root: Root, url: str) -> None:
    world.condition = "alive"
    world.observer.look()
    world.look_for(10 * LEASE)
    world.condition = "stopped"  # from now on it counts: what was before says nothing
    assert world.look_for(LEASE - 1) == []
    (lost,) = world.look_for(1)
    assert lost.evidence == "process 4711 on signal-box is stopped and was not heard for 30 s"
    assert states(url) == {"crashed"}


def test_one_that_was_stopped_for_a_while_keeps_it(world: World, root: Root, url: str) -> None:
    world.observer.look()
    for condition in ("stopped", "alive", "stopped", "alive"):
        world.condition = condition
        assert world.look_for(LEASE - 1) == []
    assert states(url) == {"running"}


def test_one_that_is_gone_loses_it_at_once(world: World, root: Root, url: str) -> None:
    world.condition = "gone"
    (lost,) = world.observer.look()
    assert lost == Swept(root.id, "process 4711 on signal-box is gone", 1, HOLDER)
    assert states(url) == {"crashed"}
    assert world.observer.look() == []


def test_owners_are_told_apart(world: World, root: Root, store: Store, url: str) -> None:
    other = Root()
    holder = Holder("interlocking", "boot-2", 12, 34)
    batch = other.batch(*other.begin())
    batch.opening = Opening(holder, PLAN, 5.0)
    accept(store, batch)
    world.observer.look()
    (lost,) = world.look_for(LEASE - 1)
    assert (lost.run_id, lost.holder) == (other.id, holder)
    assert runs_of(url)[root.id].state == "running"


def test_what_somebody_else_took_over_is_told(world: World, root: Root, store: Store) -> None:
    world.observer.look()
    crash(store, root.id, 1, root.at + 50, Cause("lease_lost", "seen by another"), "OwnerLost")
    (lost,) = world.look_for(2)
    assert (lost.run_id, lost.fence, lost.holder) == (root.id, 1, HOLDER)


def test_what_ended_by_itself_is_not_told(world: World, store: Store) -> None:
    root = Root()
    accept(store, root.batch(*root.begin()))
    world.observer.look()
    accept(store, root.batch(root.end()))
    assert world.look_for(3) == []
