"""Runs while their server is away: they wait as long as it takes, say so once, and nothing is lost."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from scripts import Script, is_alive, opened, recorded, wait_until
from servers import Server

from stellwerk.api import views
from stellwerk.client import line

TOKEN = "a-token-of-many-letters"
LEASE_SECONDS = 1.0

GATES = textwrap.dedent("""
    def gate(name):
        print(name, flush=True)
        while not os.path.exists(name): time.sleep(0.01)
    @task
    def step(n): return n
""")


@pytest.fixture
def server(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("STELLWERK_LEASE_SECONDS", str(LEASE_SECONDS))
    server = Server(STELLWERK_API_TOKEN=TOKEN)
    server.start()
    yield server
    server.kill()


def by_url(server: Server) -> dict[str, str]:
    return {"STELLWERK_API_URL": server.url, "STELLWERK_API_TOKEN": TOKEN}


def read_until(script: Script, text: str) -> list[str]:
    """Read what it says on stderr until a line has `text`."""
    assert script.process.stderr is not None
    lines = []
    for each in script.process.stderr:
        lines.append(each)
        if text in each:
            return lines
    pytest.fail(f"it never said {text!r}: {lines}")


WAITING = {
    "for a task": """
        @flow
        def pipeline():
            step(1)
            gate("gate")
            for n in range(2, 5): step(n)
        pipeline()
    """,
    "for submitted tasks": """
        @flow
        def pipeline():
            step(1)
            gate("gate")
            [f.result() for f in [step.submit(n) for n in range(2, 5)]]
        pipeline()
    """,
    "at its end": """
        @flow
        def pipeline():
            for n in range(1, 5): step(n)
            gate("gate")
        pipeline()
    """,
    "in an async flow": """
        import asyncio
        @task
        async def astep(n): return n
        @flow
        async def pipeline():
            step(1)
            gate("gate")
            await asyncio.gather(*(astep(n) for n in range(2, 5)))
        asyncio.run(pipeline())
    """,
    "with a large result": """
        @task
        def large(): return b"r" * 1_000_000
        @flow
        def pipeline():
            step(1)
            gate("gate")
            for n in range(3): large()
        pipeline()
    """,
    "for its large result": """
        @task
        def large(n):
            if n == 1: gate("gate")
            return b"r" * 1_000_000
        @flow
        def pipeline():
            for n in range(1, 4): large(n)
            step(1)
        pipeline()
    """,
    "under a time limit": """
        @flow(timeout_seconds=600)
        def pipeline():
            step(1)
            gate("gate")
            for n in range(2, 5): step(n)
        pipeline()
    """,
}


def waiting(where: str) -> str:
    return GATES + textwrap.dedent(WAITING[where])


@pytest.mark.parametrize(("where", "road"), [(where, road) for where in WAITING for road in ("URL", "file")])
def test_a_flow_waits_for_its_server(
    run: Callable[..., Script], server: Server, tmp_path: Path, where: str, road: str
) -> None:
    script = run(waiting(where), **(by_url(server) if road == "URL" else {}))
    script.wait_for("gate")
    server.kill()
    (tmp_path / "gate").touch()
    said = read_until(script, "goes on as soon as the server is back")
    time.sleep(LEASE_SECONDS * 1.5)  # an outage longer than a lease
    assert script.process.poll() is None
    server.start()
    status, _, err = script.end()
    assert status == 0, err
    assert err == "The server is back; nothing was lost.\n"
    assert len(said) == 2  # where its page is, and that it waits
    with opened() as engine:
        [found] = views.recent_runs(engine.store, 10)
        assert found["state"] == "completed"
        assert views.task_tally(engine.store, found) == ({"completed": 4}, False)
        assert engine.store.select("leases_held") == []


@pytest.mark.parametrize(
    ("where", "number"),
    [
        *((where, signal.SIGINT) for where in WAITING),
        ("for a task", signal.SIGTERM),
        ("in an async flow", signal.SIGTERM),
    ],
)
def test_a_stopped_script_ends_while_its_server_is_away(
    run: Callable[..., Script], server: Server, tmp_path: Path, where: str, number: signal.Signals
) -> None:
    script = run(waiting(where), **by_url(server))
    script.wait_for("gate")
    server.kill()
    (tmp_path / "gate").touch()
    read_until(script, "goes on as soon as the server is back")
    script.process.send_signal(number)
    status, _, err = script.end()
    assert status == -number, err
    assert err.count("It could not be told how run") == 1
    assert "then as crashed" in err
    assert "Exception ignored" not in err
    assert "UnavailableError" not in err
    server.start()
    wait_until(lambda: recorded()["pipeline"]["state"] == "crashed", "the server finds the process gone")
    assert recorded()["pipeline"]["label"] == "OwnerLost"


def test_a_script_stopped_in_its_own_code_ends_while_its_server_is_away(
    run: Callable[..., Script], server: Server
) -> None:
    script = run(
        """
        @flow
        def pipeline():
            print("READY")
            time.sleep(600)
        pipeline()
        """,
        **by_url(server),
    )
    script.wait_for("READY")
    server.kill()
    script.process.send_signal(signal.SIGINT)
    status, _, err = script.end()
    assert status == -signal.SIGINT
    assert err.count("It could not be told how run") == 1


def test_a_stopped_script_tells_the_truth_while_its_server_is_there(run: Callable[..., Script], server: Server) -> None:
    for number, state in ((signal.SIGINT, "cancelled"), (signal.SIGTERM, "crashed")):
        script = run(
            f"""
            @task
            def step(n): return n
            @flow(name="{state}")
            def pipeline():
                print("READY")
                for n in range(1_000_000): step(n)
            pipeline()
            """,
            **by_url(server),
        )
        script.wait_for("READY")
        time.sleep(0.3)  # somewhere in the midst of it
        script.process.send_signal(number)
        status, _, err = script.end()
        assert status == -number, err
        assert "could not be told" not in err
        with opened() as engine:
            [found] = [each for each in views.recent_runs(engine.store, 10) if each["flow"] == state]
            assert (found["state"], found["cause"]) == (state, "cancelled" if state == "cancelled" else "signal")
            tally, _ = views.task_tally(engine.store, found)
            assert set(tally) <= {"completed", state}


def test_a_server_that_was_stopped_for_a_while(run: Callable[..., Script], server: Server, tmp_path: Path) -> None:
    script = run(waiting("for a task"), **by_url(server))
    script.wait_for("gate")
    os.kill(server.pid, signal.SIGSTOP)
    (tmp_path / "gate").touch()
    said = read_until(script, "goes on as soon as the server is back")[-1]
    assert f"not a word for {line.SILENT_SECONDS:g} s" in said
    os.kill(server.pid, signal.SIGCONT)
    status, _, err = script.end()
    assert status == 0, err
    assert recorded()["pipeline"]["state"] == "completed"
    with opened() as engine:
        assert len(views.recent_runs(engine.store, 10, include_children=True)) == 5


def test_a_server_may_come_back_at_another_port(run: Callable[..., Script], server: Server, tmp_path: Path) -> None:
    script = run(waiting("for a task"))
    script.wait_for("gate")
    server.stop()
    (tmp_path / "gate").touch()
    read_until(script, "goes on as soon as the server is back")
    other = Server()
    other.start()
    try:
        assert other.port != server.port
        assert script.end()[0] == 0
    finally:
        other.kill()
    assert recorded()["pipeline"]["state"] == "completed"


def test_a_server_on_another_database_is_refused(
    run: Callable[..., Script], server: Server, tmp_path: Path, home: Path
) -> None:
    script = run(waiting("for a task"), **by_url(server))
    script.wait_for("gate")
    server.stop()
    other = Server(STELLWERK_API_TOKEN=TOKEN, STELLWERK_HOME=str(tmp_path / "other"))
    other.port, other.url = server.port, server.url
    other.start()
    (tmp_path / "gate").touch()
    said = read_until(script, "goes on as soon as the server is back")[-1]
    assert "keeps another database" in said
    other.kill()
    server.start()
    status, _, err = script.end()
    assert status == 0, err
    assert recorded()["pipeline"]["state"] == "completed"
    os.environ["STELLWERK_HOME"] = str(tmp_path / "other")
    try:
        assert recorded() == {}
    finally:
        os.environ["STELLWERK_HOME"] = str(home)


class Stranger:
    """Somebody who listens on a port and notes who comes."""

    def __init__(self, port: int) -> None:
        self.heard: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", port), reuse_port=False)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                came, _ = self._listener.accept()
                came.settimeout(1)
                with contextlib.suppress(OSError):
                    self.heard.append(came.recv(65_536))
                came.close()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


def test_a_stranger_on_the_port_of_a_dead_server_gets_nothing(
    run: Callable[..., Script], server: Server, tmp_path: Path
) -> None:
    script = run(waiting("for a task"))
    script.wait_for("gate")
    server.kill()
    stranger = Stranger(server.port)
    (tmp_path / "gate").touch()
    read_until(script, "goes on as soon as the server is back")
    # Whoever begins now records straight into the same database, and asks the stranger neither.
    second = run(waiting("at its end"))
    status, _, err = second.end()
    assert status == 0, err
    assert err == ""
    time.sleep(2.5)  # more than the longest pause between two attempts
    stranger.close()
    assert stranger.heard == []
    server.start()
    assert script.end()[0] == 0
    with opened() as engine:
        assert [each["state"] for each in views.recent_runs(engine.store, 10)] == ["completed"] * 2


def test_a_file_that_others_could_have_written_is_not_followed(
    run: Callable[..., Script], server: Server, home: Path
) -> None:
    (home / "server.json").chmod(0o644)
    status, _, err = run(waiting("at its end").replace('gate("gate")', "")).end()
    assert status == 0
    assert err.count("\n") == 1
    assert "is ignored: others may read it" in err
    assert recorded()["pipeline"]["state"] == "completed"


def test_the_watcher_renews_through_the_server(
    run: Callable[..., Script], server: Server, tmp_path: Path, home: Path
) -> None:
    """While C code holds the interpreter, the lease is kept from outside, also after the server was away."""
    script = run(
        """
        import ctypes
        @flow
        def pipeline():
            print("READY")
            while not os.path.exists("go"): time.sleep(0.01)
            print("HOLDS")
            ctypes.PyDLL(None).sleep(600)  # PyDLL does not release the interpreter's lock
        pipeline()
        """,
        **by_url(server),
        STELLWERK_HOME=str(tmp_path / "none"),
    )
    script.wait_for("READY")
    with opened() as engine:

        def counter() -> int:
            rows = engine.store.select("leases_held")
            return int(rows[0][3]) if rows else -1

        wait_until(lambda: counter() >= 2, "the watcher renews")
        (tmp_path / "go").touch()
        script.wait_for("HOLDS")
        [watcher] = watchers(script.process.pid)
        words = Path(f"/proc/{watcher}/cmdline").read_bytes()
        assert TOKEN.encode() not in words
        server.kill()
        time.sleep(LEASE_SECONDS)
        server.start()
        first = counter()
        wait_until(lambda: counter() >= first + 7, "it goes on for two leases")
        assert [each["state"] for each in views.recent_runs(engine.store, 10)] == ["running"]
    script.process.kill()
    script.process.communicate()
    wait_until(lambda: not is_alive(watcher), "the watcher ends after its process")
    assert not (tmp_path / "none").exists()


def watchers(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if b"stellwerk.cli.watch_process" in words and str(pid).encode() in words:
                found.append(int(path.parent.name))
    return found


def test_a_script_with_many_lines_is_slowed_not_bloated(
    run: Callable[..., Script], server: Server, tmp_path: Path
) -> None:
    """What can't be sent is bounded: who logs waits."""
    script = run(
        GATES
        + textwrap.dedent("""
            @flow
            def pipeline():
                gate("gate")
                for n in range(60): get_run_logger().debug("%d %s", n, "x" * 900_000)
                [peak] = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
                print(peak.split()[1])
            pipeline()
            """),
        **by_url(server),
        STELLWERK_LOG_LEVEL="DEBUG",
    )
    script.wait_for("gate")
    server.kill()
    (tmp_path / "gate").touch()
    read_until(script, "goes on as soon as the server is back")
    server.start()
    status, out, err = script.end()
    assert status == 0, err[-2000:]
    assert int(out) < 120_000  # KiB; 30,000 are Python with its modules, and all lines at once would be 54,000
    with opened() as engine:
        [found] = views.recent_runs(engine.store, 10)
        assert len(views.logs(engine.store, found, limit=1_000)) == 60


def test_a_run_that_nobody_can_be_told_of_is_given_up_later(
    run: Callable[..., Script], server: Server, tmp_path: Path, home: Path
) -> None:
    """A script that catches Ctrl-C and goes on tells the record, as soon as it can, that the run ended untold."""
    script = run(
        GATES
        + textwrap.dedent("""
            @flow
            def pipeline():
                step(1)
                gate("gate")
                step(2)
            try: pipeline()
            except KeyboardInterrupt: gate("again")
            pipeline.with_options(name="second")()
            """),
        **by_url(server),
    )
    script.wait_for("gate")
    server.kill()
    (tmp_path / "gate").touch()
    read_until(script, "goes on as soon as the server is back")
    script.process.send_signal(signal.SIGINT)
    script.wait_for("again")
    server.start()
    (tmp_path / "again").touch()
    status, _, err = script.end()
    assert status == 0, err
    with opened() as engine:
        states = {each["flow"]: each["state"] for each in views.recent_runs(engine.store, 10)}
    assert states == {"pipeline": "crashed", "second": "completed"}


def test_each_run_takes_the_road_of_its_time(run: Callable[..., Script], server: Server, tmp_path: Path) -> None:
    """A process that lives long goes on recording when its local server comes and goes."""
    script = run(
        GATES
        + textwrap.dedent("""
            @flow
            def pipeline(n): return step(n)
            for n in range(4):
                gate(f"gate{n}")
                pipeline(n)
            """)
    )
    server.stop()
    for number in range(4):
        script.wait_for(f"gate{number}")
        if number % 2:
            server.start()
        (tmp_path / f"gate{number}").touch()
        if number % 2:
            wait_until(lambda number=number: len(ended()) == number + 1, "it is recorded")
            server.stop()
    status, _, err = script.end()
    assert status == 0, err
    assert "waits" not in err
    assert err.count("/runs/") == 1
    assert ended() == ["completed"] * 4


def ended() -> list[str]:
    with opened() as engine:
        return [each["state"] for each in views.recent_runs(engine.store, 10) if each["ended_at"]]


def test_no_run_goes_to_another_database_unsaid(
    run: Callable[..., Script], server: Server, tmp_path: Path, home: Path
) -> None:
    """The server of the home keeps another database than the home's: a process that has told it of a run waits for it."""
    server.stop()
    shutil.rmtree(home)
    other = Server("--database-url", f"sqlite:///{tmp_path / 'other.db'}")
    other.start()
    script = run(
        GATES
        + textwrap.dedent("""
            @flow
            def pipeline(n): return step(n)
            for n in range(2):
                gate(f"gate{n}")
                pipeline(n)
            """)
    )
    script.wait_for("gate0")
    (tmp_path / "gate0").touch()
    script.wait_for("gate1")
    other.kill()
    (tmp_path / "gate1").touch()
    read_until(script, "goes on as soon as the server is back")
    second = run(GATES + "@flow\ndef second(): pass\nsecond()\n")
    status, _, err = second.end()
    assert status == 0, err
    assert "kept another database" in err  # it has told nobody of anything, and says where it goes
    other.start()
    try:
        assert script.end()[0] == 0
        assert "pipeline" in command("runs", "ls")
        assert "second" not in command("runs", "ls")
    finally:
        other.kill()
    assert [name for name in recorded() if name != "second"] == []


def command(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "stellwerk", *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout
