"""The watcher: it keeps the lease of a process that lives, and ends with it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from scripts import Script, is_alive, opened, wait_until

from stellwerk.assemble import Engine


def _counter(engine: Engine) -> int | None:
    rows = engine.store.select("leases_held")
    return rows[0][3] if rows else None


def _watchers(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"stellwerk.cli.watch_process" in words and str(pid).encode() in words:
            found.append(int(path.parent.name))
    return found


def test_lease_is_kept_while_a_c_call_holds_the_interpreter(run: Callable[..., Script], tmp_path: Path) -> None:
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
        STELLWERK_LEASE_SECONDS="0.6",
    )
    script.wait_for("READY")
    with opened() as engine:
        wait_until(lambda: (_counter(engine) or 0) >= 2, "the watcher renews")
        (tmp_path / "go").touch()
        script.wait_for("HOLDS")
        first = _counter(engine) or 0
        wait_until(lambda: (_counter(engine) or 0) >= first + 7, "it goes on for two leases")
    [watcher] = _watchers(script.process.pid)
    script.process.kill()
    script.end()
    wait_until(lambda: not is_alive(watcher), "the watcher ends after its process")


def test_lease_is_not_renewed_while_the_process_is_stopped(run: Callable[..., Script]) -> None:
    script = run(
        """
        @flow
        def pipeline():
            print("READY")
            sys.stdin.read()
            time.sleep(600)
        pipeline()
        """,
        STELLWERK_LEASE_SECONDS="0.6",
    )
    script.wait_for("READY")
    with opened() as engine:
        wait_until(lambda: (_counter(engine) or 0) >= 2, "the watcher renews")
        script.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: _process_state(script.process.pid) == "T", "it is stopped")
        time.sleep(0.3)  # what the watcher had begun before
        before = _counter(engine)
        time.sleep(1.3)  # two leases, in which nothing may happen
        assert _counter(engine) == before
        assert engine.sweep() == [], "a stopped process is not gone"
        script.process.send_signal(signal.SIGCONT)
        wait_until(lambda: (_counter(engine) or 0) > (before or 0), "it is renewed again")
    script.process.kill()
    script.end()


def _process_state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]


def test_watcher_ends_when_its_process_holds_no_lease_any_more(run: Callable[..., Script]) -> None:
    script = run(
        """
        @flow
        def pipeline():
            print("READY")
            time.sleep(1)
        pipeline()
        print("OVER")
        time.sleep(600)
        """,
        STELLWERK_LEASE_SECONDS="0.6",
    )
    script.wait_for("READY")
    wait_until(lambda: bool(_watchers(script.process.pid)), "the watcher starts")
    script.wait_for("OVER")
    wait_until(lambda: not _watchers(script.process.pid), "the watcher ends")


def test_short_flow_starts_no_watcher(run: Callable[..., Script]) -> None:
    script = run(
        """
        @flow
        def pipeline(): pass
        pipeline()
        print("OVER")
        time.sleep(600)
        """
    )
    script.wait_for("OVER")
    assert _watchers(script.process.pid) == []


def test_watcher_survives_ctrl_c_in_the_terminal(run: Callable[..., Script]) -> None:
    script = run(
        """
        @flow
        def pipeline():
            try:
                print("READY")
                time.sleep(600)
            except KeyboardInterrupt:  # the user's flow goes on
                print("AGAIN")
                time.sleep(600)
        pipeline()
        """,
        STELLWERK_LEASE_SECONDS="0.6",
    )
    script.wait_for("READY")
    wait_until(lambda: bool(_watchers(script.process.pid)), "the watcher starts")
    [watcher] = _watchers(script.process.pid)
    assert os.getsid(watcher) != os.getsid(script.process.pid), "it is not in the terminal's foreground group"
