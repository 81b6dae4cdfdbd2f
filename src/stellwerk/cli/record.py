"""The record as commands read it: straight from the database, or through the server that keeps it.

Both answer alike, in the shapes of `api.views`. Who reads the database first ends what dead owners left behind in it; a
server does that itself.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click

from stellwerk import config as settings
from stellwerk.api import views
from stellwerk.cli.text import one_line
from stellwerk.client.road import START, Embedded, Remote, find_road
from stellwerk.errors import UnavailableError
from stellwerk.model import __version__

if TYPE_CHECKING:
    from stellwerk.assemble import Engine
    from stellwerk.client.http import Http
    from stellwerk.client.live import LiveFeed
    from stellwerk.config import Config
    from stellwerk.model.messages import Holder

__all__ = ["LocalReader", "Reader", "RemoteReader", "open_reader", "open_record", "open_server"]

T = TypeVar("T")
Object = dict[str, Any]

POLL_SECONDS = 0.2  # between two looks of a command that follows a run, where no server tells of changes
FOLLOW_SECONDS = 2.0  # likewise where one does: what nobody tells of, such as the time that passes
SWEEP_SECONDS = 2.0
AGAIN_SECONDS = 0.5  # between two questions to a server that is away
CHUNK = 500  # ids in one question


class Reader(Protocol):
    """Read the record: see the functions of `api.views` of the same names."""

    def find_run(self, text: str) -> tuple[Object, str]:
        """Find the run that a person means, with a note for them."""

    def recent_runs(self, limit: int, include_children: bool = False) -> list[Object]:
        """List runs, newest first."""

    def show_run(self, run: Object, limit: int) -> Object:
        """Return a run with its tasks."""

    def tasks_not_completed(self, run: Object, limit: int) -> list[Object]:
        """List the tasks of a run that have not completed."""

    def task_groups(self, run: Object) -> list[Object]:
        """Count the tasks of a run by name and state."""

    def task_tally(self, run: Object) -> tuple[dict[str, int], bool]:
        """Count the tasks of a run by state; whether there are more."""

    def run_begun_by(self, holder: Holder, since: int) -> Object | None:
        """Find the first root run that a process began."""

    def prefixes(self, runs: Sequence[Object]) -> dict[str, str]:
        """Return the shortest unique beginning of each run's id."""

    def story(self, run: Object) -> list[Object]:
        """Tell a run's transitions in order."""

    def logs(self, run: Object, after: int, limit: int, level: int, tail: int | None) -> list[Object]:
        """List log lines of a run and of everything below it."""

    def follow(self, run: Object) -> None:
        """Prepare to wait for changes of a run."""

    def wait(self) -> None:
        """Wait until something of the followed run may have changed."""

    def close(self) -> None:
        """Give back what was opened."""


class LocalReader:
    """Read from the database itself.

    Args:
        engine: the open database.
        server: a server on the same database, which tells of changes; None where there is none.
    """

    def __init__(self, engine: Engine, server: Remote | None = None) -> None:
        self._engine = engine
        self._store = engine.store
        self._server = server
        self._feed: LiveFeed | None = None
        self._swept_at = time.monotonic()

    def find_run(self, text: str) -> tuple[Object, str]:
        """See `Reader.find_run`."""
        return views.find_run(self._store, text)

    def recent_runs(self, limit: int, include_children: bool = False) -> list[Object]:
        """See `Reader.recent_runs`."""
        return views.recent_runs(self._store, limit, include_children)

    def show_run(self, run: Object, limit: int) -> Object:
        """See `Reader.show_run`."""
        return views.show_run(self._store, run, limit)

    def tasks_not_completed(self, run: Object, limit: int) -> list[Object]:
        """See `Reader.tasks_not_completed`."""
        return views.tasks_not_completed(self._store, run, limit)

    def task_groups(self, run: Object) -> list[Object]:
        """See `Reader.task_groups`."""
        return views.task_groups(self._store, run)

    def task_tally(self, run: Object) -> tuple[dict[str, int], bool]:
        """See `Reader.task_tally`."""
        return views.task_tally(self._store, run)

    def run_begun_by(self, holder: Holder, since: int) -> Object | None:
        """See `Reader.run_begun_by`."""
        return views.run_begun_by(self._store, holder, since)

    def prefixes(self, runs: Sequence[Object]) -> dict[str, str]:
        """See `Reader.prefixes`."""
        return views.prefixes(self._store, runs)

    def story(self, run: Object) -> list[Object]:
        """See `Reader.story`."""
        return views.story(self._store, run)

    def logs(self, run: Object, after: int, limit: int, level: int, tail: int | None) -> list[Object]:
        """See `Reader.logs`."""
        return views.logs(self._store, run, after, limit, level, tail)

    def follow(self, run: Object) -> None:
        """See `Reader.follow`."""
        self._feed = _feed(self._server, run) if self._server is not None else None

    def wait(self) -> None:
        """See `Reader.wait`. Sweeps again where the last time is long ago."""
        _wait(self._feed)
        if time.monotonic() - self._swept_at > SWEEP_SECONDS:
            self.sweep()
            self._swept_at = time.monotonic()

    def sweep(self) -> None:
        """End the runs whose owner is gone, and say which."""
        for name, message in self._engine.sweep():
            click.echo(f"{one_line(name)} {one_line(message)}.", err=True)

    def close(self) -> None:
        """See `Reader.close`."""
        if self._feed is not None:
            self._feed.close()
        self._engine.close()


class RemoteReader:
    """Read through a server.

    Args:
        server: the road to it.
    """

    def __init__(self, server: Remote) -> None:
        from stellwerk.client.http import Http

        self._server = server
        self._http = Http(server)
        self._feed: LiveFeed | None = None
        self._is_checked = False

    def find_run(self, text: str) -> tuple[Object, str]:
        """See `Reader.find_run`."""
        found = self._get("/api/runs/find", run=text)
        return found["run"], found["note"]

    def recent_runs(self, limit: int, include_children: bool = False) -> list[Object]:
        """See `Reader.recent_runs`."""
        found: list[Object] = self._get("/api/runs", limit=limit, all="true" if include_children else "false")
        return found

    def show_run(self, run: Object, limit: int) -> Object:
        """See `Reader.show_run`."""
        found: Object = self._get(f"/api/runs/{run['id']}/tasks", limit=limit)
        return found

    def tasks_not_completed(self, run: Object, limit: int) -> list[Object]:
        """See `Reader.tasks_not_completed`."""
        found: list[Object] = self._get(f"/api/runs/{run['id']}/not_completed", limit=limit)
        return found

    def task_groups(self, run: Object) -> list[Object]:
        """See `Reader.task_groups`."""
        found: list[Object] = self._get(f"/api/runs/{run['id']}/groups")
        return found

    def task_tally(self, run: Object) -> tuple[dict[str, int], bool]:
        """See `Reader.task_tally`."""
        found = self._get(f"/api/runs/{run['id']}/tally")
        return found["states"], found["has_more"]

    def run_begun_by(self, holder: Holder, since: int) -> Object | None:
        """See `Reader.run_begun_by`."""
        named = {"host": holder.host, "boot_id": holder.boot_id, "pid": holder.pid, "started": holder.started}
        found: Object | None = self._get("/api/runs/begun_by", since=since, **named)["run"]
        return found

    def prefixes(self, runs: Sequence[Object]) -> dict[str, str]:
        """See `Reader.prefixes`."""
        ids = [run["id"] for run in runs]
        found: dict[str, str] = {}
        for start in range(0, len(ids), CHUNK):
            chunk = ids[start : start + CHUNK]
            found |= self._ask(lambda chunk=chunk: self._http.json("/api/runs/prefixes", body={"ids": chunk}))  # type: ignore[misc]  # a lambda's default
        return found

    def story(self, run: Object) -> list[Object]:
        """See `Reader.story`."""
        found: list[Object] = self._get(f"/api/runs/{run['id']}/story")
        return found

    def logs(self, run: Object, after: int, limit: int, level: int, tail: int | None) -> list[Object]:
        """See `Reader.logs`."""
        query = {"after": after, "limit": limit, "level": level, "tail": tail}
        found: list[Object] = self._get(f"/api/runs/{run['id']}/logs", **query)["lines"]
        return found

    def _get(self, path: str, **query: object) -> Any:
        return self._ask(lambda: self._http.json(path, query))

    def _ask(self, ask: Callable[[], T]) -> T:
        """Ask; a command that follows a run waits for a server that is away, any other says so and ends."""
        is_told = False
        while True:
            try:
                if not self._is_checked:
                    self._http.check(__version__)
                    self._is_checked = True
                answer = ask()
            except UnavailableError as problem:
                if self._feed is None or not problem.facts.get("is_passing"):
                    raise
                if not is_told:
                    is_told = True
                    click.echo(f"{one_line(problem.message)} Going on as soon as it is back.", err=True)
                time.sleep(AGAIN_SECONDS)
            else:
                if is_told:
                    click.echo("The server is back.", err=True)
                return answer

    def follow(self, run: Object) -> None:
        """See `Reader.follow`."""
        self._feed = _feed(self._server, run)

    def wait(self) -> None:
        """See `Reader.wait`."""
        _wait(self._feed)

    def close(self) -> None:
        """See `Reader.close`."""
        if self._feed is not None:
            self._feed.close()
        self._http.close()


def _feed(server: Remote, run: Object) -> LiveFeed:
    from stellwerk.client.live import LiveFeed

    return LiveFeed(server, [f"run:{run['root_id']}"])


def _wait(feed: LiveFeed | None) -> None:
    if feed is None or not feed.wait(FOLLOW_SECONDS):
        time.sleep(POLL_SECONDS)


@contextlib.contextmanager
def open_record() -> Iterator[Reader]:
    """Open the record that runs go to; of the database, end first what dead owners left behind, and say so."""
    reader = open_reader(settings.load())
    try:
        if isinstance(reader, LocalReader):
            reader.sweep()
        yield reader
    finally:
        reader.close()


def open_server(config: Config) -> Http:
    """Open the server that runs go to, for what only a server can do.

    Raises:
        UnavailableError: they go to none.
    """
    from stellwerk.assemble import has_database, open_engine
    from stellwerk.client.http import Http

    def database_id() -> str:
        if not has_database(config):
            return ""
        with contextlib.closing(open_engine(config)) as engine:
            return engine.store.database_id

    road = find_road(config, database_id)
    if isinstance(road, Embedded):
        raise UnavailableError(road.note or f"No server of {config.home} is running.", hint=START, server=config.home)
    return Http(road)


def open_reader(config: Config) -> Reader:
    """Open the record that runs go to.

    Raises:
        ConfigError: the home or the database can't be used as it is.
        UnavailableError: the database can't be reached.
    """
    from stellwerk.assemble import has_database, open_engine

    opened: list[Engine] = []

    def engine() -> Engine:
        if not opened:
            opened.append(open_engine(config))
        return opened[0]

    def database_id() -> str:
        return engine().store.database_id if has_database(config) else ""  # only to compare it, none is made

    road = find_road(config, database_id)
    if isinstance(road, Embedded):
        if road.note:
            click.echo(one_line(road.note), err=True)
        return LocalReader(engine())
    # Where this user's own server keeps our database, it need not be asked to read.
    if road.home is not None and database_id() == road.database_id:
        return LocalReader(engine(), road)
    if opened:
        opened[0].close()
    return RemoteReader(road)
