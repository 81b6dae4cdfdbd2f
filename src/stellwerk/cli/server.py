"""`stellwerk server`: start, stop and look at the server of this user's home."""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stellwerk.cli.main import LazyGroup, tell

if TYPE_CHECKING:
    from stellwerk.assemble.server import Server
    from stellwerk.client.road import ServerFile
    from stellwerk.config import Config

__all__ = ["server", "start", "status", "stop"]

LOG = "server.log"
LOG_BYTES = 5_000_000  # from which on it is moved aside; one such file is kept
READY_FD = "STELLWERK_READY_FD"  # by which a server in the background tells the one who started it that it is ready
START_SECONDS = 60.0
STOP_SECONDS = 15.0
ASK_SECONDS = 5.0
NOT_RUNNING = 5

server = LazyGroup(
    "server",
    help="Start, stop and look at this user's server.",
    places={
        "start": ("Start the server; it runs until Ctrl-C.", "stellwerk.cli.server:start"),
        "stop": ("Stop the server of this home, in order.", "stellwerk.cli.server:stop"),
        "status": ("Tell whether it runs, where and since when.", "stellwerk.cli.server:status"),
    },
)


@click.command()
@click.option("--host", help="Where to listen.  [default: the setting server_host, 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65_535), help="0 takes any.  [default: the setting server_port, 4711]")
@click.option("--database-url", help="The database.  [default: the setting database_url, else SQLite in the home]")
@click.option("--background", is_flag=True, help="Return as soon as it is ready; it goes on without a terminal.")
def start(host: str | None, port: int | None, database_url: str | None, background: bool) -> int:
    """Start the server; it runs until Ctrl-C.

    Scripts of the same user report to it without any setting, as long as they use the same home. Beyond this machine
    it listens only with STELLWERK_API_TOKEN set.
    """
    given = {"SERVER_HOST": host, "SERVER_PORT": port, "DATABASE_URL": database_url}
    from stellwerk.config import PREFIX, load

    told = {PREFIX + name: str(value) for name, value in given.items() if value is not None}
    config = load({**os.environ, **told})
    if background:
        return _start_in_background(config, told)
    from stellwerk.assemble.server import make_server

    told_by = os.environ.pop(READY_FD, "")
    ready_fd = int(told_by) if told_by else None
    _log_to(Path(config.home) / LOG if ready_fd is not None else None)
    made = make_server(config)
    try:
        made.serve(lambda: _tell_ready(made, ready_fd))
    finally:
        made.close()
    if ready_fd is None:
        click.echo("The server has ended.")
    return 0


def _log_to(file: Path | None) -> None:
    handler: logging.Handler = logging.StreamHandler()
    if file is not None:
        handler = logging.handlers.RotatingFileHandler(file, maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


def _tell_ready(made: Server, ready_fd: int | None) -> None:
    from stellwerk import __version__

    how = "Ctrl-C" if ready_fd is None else "stellwerk server stop"
    lines = [
        f"Stellwerk {__version__} serves {made.parts.store.address}",
        f"  address  {made.url}",
        f"  page     {made.page_link()}  (this link works once)",
        f"  stop it  {how}",
    ]
    if ready_fd is None:
        click.echo("\n".join(lines))
        return
    with contextlib.suppress(BrokenPipeError), open(ready_fd, "w", encoding="utf-8") as parent:
        parent.write("\n".join(lines))


def _start_in_background(config: Config, told: dict[str, str]) -> int:
    from stellwerk.assemble import prepare_home

    log = prepare_home(config) / LOG
    if log.exists() and log.stat().st_size > LOG_BYTES:
        os.replace(log, log.with_name(f"{LOG}.1"))
    ready, child_end = os.pipe()
    with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600), "ab") as out:
        began_at = out.tell()
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "stellwerk", "server", "start"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env={**os.environ, **told, READY_FD: str(child_end)},
            pass_fds=(child_end,),
            start_new_session=True,
        )
    os.close(child_end)
    try:
        said = _wait_ready(ready)
    except KeyboardInterrupt:
        child.terminate()
        raise
    finally:
        os.close(ready)
    if said:
        click.echo(said)
        click.echo(f"  log      {log}")
        return 0
    if said is None:
        tell(f"The server is not ready after {START_SECONDS:g} s; it goes on trying.", f"See {log}.")
        return 6
    code = child.wait()
    with log.open("rb") as file:
        file.seek(began_at)
        click.echo(file.read().decode("utf-8", "replace"), err=True, nl=False)
    return code if code > 0 else 6


def _wait_ready(ready: int) -> str | None:
    """Read what the child says; empty when it ended without a word, None when it is silent for too long."""
    said, end = b"", time.monotonic() + START_SECONDS
    while True:
        if not select.select([ready], [], [], max(0.0, end - time.monotonic()))[0]:
            return None
        piece = os.read(ready, 65_536)
        if not piece:
            return said.decode("utf-8")
        said += piece


@click.command()
def stop() -> int:
    """Stop the server of this home, in order; returns when it is gone.

    Only the very process that server.json names is ever signalled.
    """
    from stellwerk.client.process import condition

    home, file = _find()
    if file is None or condition(file.holder) == "gone":
        click.echo(f"No server of {home} is running.")
        return 0
    if condition(file.holder) == "elsewhere":
        tell(f"The server {file.url} runs on {file.host}, or in another container.", "Stop it there.")
        return 6
    with _handle(file) as handle:
        if condition(file.holder) == "gone":
            click.echo("It has just ended by itself.")
            return 0
        _signal(file, handle)
        if _wait_gone(file, handle):
            click.echo(f"The server {file.url} has ended.")
            return 0
    tell(
        f"The server {file.url} (process {file.pid}) is still there after {STOP_SECONDS:g} s.",
        f"It may be writing for a slow disk: look at {home / LOG}. `kill -9 {file.pid}` ends it, and loses nothing "
        "that was acknowledged.",
    )
    return 6


@contextlib.contextmanager
def _handle(file: ServerFile) -> Iterator[int]:
    """Hold on to a process, so that no other one with its number can be meant; -1 where the system can't."""
    try:
        handle = os.pidfd_open(file.pid) if hasattr(os, "pidfd_open") else -1
    except OSError:
        handle = -1
    try:
        yield handle
    finally:
        if handle >= 0:
            os.close(handle)


def _signal(file: ServerFile, handle: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        if handle >= 0 and sys.platform == "linux":
            signal.pidfd_send_signal(handle, signal.SIGTERM)
        else:
            os.kill(file.pid, signal.SIGTERM)


def _wait_gone(file: ServerFile, handle: int) -> bool:
    from stellwerk.client.process import condition

    if handle >= 0:
        return bool(select.select([handle], [], [], STOP_SECONDS)[0])
    end = time.monotonic() + STOP_SECONDS
    while condition(file.holder) != "gone":
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(as_json: bool) -> int:
    """Tell whether the server of this home runs, where and since when: exit code 0 when it does, 5 when not."""
    from stellwerk.cli.output import print_json
    from stellwerk.client.process import condition

    home, file = _find()
    state = condition(file.holder) if file is not None else "gone"
    if file is None or state == "gone":
        if as_json:
            print_json({"running": False, "home": str(home)})
        else:
            click.echo(f"No server of {home} is running.")
        return NOT_RUNNING
    said = _ask(home, file)
    facts = {
        "running": said is not None,
        "home": str(home),
        "url": file.url,
        "pid": file.pid,
        "host": file.host,
        "since": said["started_at"] if said else None,
        "version": file.version,
        "database": said["address"] if said else None,
        "database_id": file.database_id,
        "runs_under_way": said["runs_under_way"] if said else None,
    }
    if as_json:
        print_json(facts)
    elif said is None:
        why = {"stopped": "it is stopped", "elsewhere": "it runs elsewhere"}.get(state, "it does not answer")
        tell(f"The server {file.url} (process {file.pid} on {file.host}) is there, but {why}.", f"See {home / LOG}.")
    else:
        click.echo(f"Stellwerk {file.version} serves {facts['database']}")
        click.echo(f"  address  {file.url}\n  process  {file.pid} on {file.host}\n  since    {facts['since']}")
        click.echo(f"  runs under way  {facts['runs_under_way']}")
    return 0 if said is not None else NOT_RUNNING


def _find() -> tuple[Path, ServerFile | None]:
    from stellwerk.client.road import read_file
    from stellwerk.config import load

    home = Path(load().home)
    file, note = read_file(home)
    if note:
        tell(note)
    return home, file


def _ask(home: Path, file: ServerFile) -> dict[str, Any] | None:
    """Ask the server about itself; None when it does not answer, or runs where nothing is known of its process."""
    from stellwerk.client.http import Http
    from stellwerk.client.road import local_server
    from stellwerk.errors import StellwerkError

    with contextlib.closing(Http(local_server(home, file.url, file.database_id), ASK_SECONDS)) as server:
        try:
            said: dict[str, Any] = server.json("/api/server")
        except StellwerkError:
            return None
    return said
