"""Real processes: signals, kills, exits, forks, and the watcher that keeps a lease."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stellwerk.api import views
from stellwerk.assemble import Engine, open_engine

SECONDS = 60  # until a process that should have ended counts as stuck


class Script:
    """A running script; its output so far and what it recorded."""

    def __init__(self, path: Path, text: str, **environment: str) -> None:
        header = "import os, sys, threading, time\nfrom stellwerk import flow, task, get_run_logger\n"
        path.write_text(header + textwrap.dedent(text), encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, str(path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=path.parent,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
            start_new_session=True,
        )

    def wait_for(self, text: str) -> None:
        """Read lines until one is `text`."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.strip() == text:
                return
        pytest.fail(f"the script ended without {text!r}: {self.process.communicate()[1]}")

    def end(self) -> tuple[int, str, str]:
        """Wait for its end; exit status, rest of stdout, stderr."""
        out, err = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, out, err


@pytest.fixture
def run(tmp_path: Path, home: Path) -> Iterator[Callable[..., Script]]:
    """Start scripts; kill what is left of them."""
    started: list[Script] = []

    def start(text: str, **environment: str) -> Script:
        started.append(Script(tmp_path / f"script{len(started)}.py", text, **environment))
        return started[-1]

    yield start
    for script in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(script.process.pid, signal.SIGKILL)  # with the children that it forked
        script.process.communicate()


@contextlib.contextmanager
def opened() -> Iterator[Engine]:
    engine = open_engine()
    try:
        yield engine
    finally:
        engine.close()


def recorded(is_swept: bool = False) -> dict[str, dict[str, Any]]:
    """Read all runs by name of the task or flow."""
    with opened() as engine:
        if is_swept:
            engine.sweep()
        runs = views.recent_runs(engine.store, 1_000, include_children=True)
        return {run["task"] or run["flow"]: run for run in runs}


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + SECONDS
    while not is_so():
        if time.monotonic() > end:
            pytest.fail(f"never so: {what}")
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] != "Z"


STOPPED = {
    "in the flow": """
        @task
        def quick(): return 1
        @flow
        def pipeline():
            quick()
            print("READY")
            time.sleep(600)
        pipeline()
    """,
    "in a task": """
        @task
        def quick(): return 1
        @task
        def sleeps():
            print("READY")
            time.sleep(600)
        @flow
        def pipeline():
            quick()
            sleeps()
        pipeline()
    """,
    "while waiting for a future": """
        @task
        def quick(): return 1
        @task
        def sleeps():
            print("READY")
            time.sleep(600)
        @task
        def never(x): pass
        @flow
        def pipeline():
            quick.submit().result()
            future = sleeps.submit()
            never.submit(future)
            future.result()
        pipeline()
    """,
    "while the flow waits at its end": """
        @task
        def quick(): return 1
        @task
        def sleeps():
            print("READY")
            time.sleep(600)
        @flow
        def child():
            quick()
            sleeps.submit()
        @flow
        def pipeline():
            child()
        pipeline()
    """,
    "under a time limit": """
        @task
        def quick(): return 1
        @task(timeout_seconds=500)
        def sleeps():
            print("READY")
            time.sleep(600)
        @flow(timeout_seconds=500)
        def pipeline():
            quick()
            sleeps()
        pipeline()
    """,
    "while a retry waits": """
        @task
        def quick(): return 1
        @task(retries=1, retry_delay_seconds=600)
        def fails():
            threading.Timer(0.2, print, ["READY"]).start()
            raise ValueError
        @flow
        def pipeline():
            quick()
            fails()
        pipeline()
    """,
    "in an async flow": """
        import asyncio
        @task
        def quick(): return 1
        @task
        async def sleeps():
            print("READY")
            await asyncio.sleep(600)
        @flow
        async def pipeline():
            quick()
            await asyncio.gather(sleeps(), sleeps.submit())
        asyncio.run(pipeline())
    """,
    "in a task outside a flow": """
        @task
        def quick(): return 1
        @task
        def pipeline():
            quick()
            print("READY")
            time.sleep(600)
        pipeline()
    """,
}


@pytest.mark.parametrize("where", STOPPED)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stopped_script_tells_the_truth(run: Callable[..., Script], where: str, number: signal.Signals) -> None:
    script = run(STOPPED[where])
    script.wait_for("READY")
    script.process.send_signal(number)
    status, _, err = script.end()
    assert status == -number, err
    runs = recorded()
    state, cause = ("cancelled", "cancelled") if number == signal.SIGINT else ("crashed", "signal")
    assert runs.pop("quick")["state"] == "completed"
    assert {name: one["state"] for name, one in runs.items()} == dict.fromkeys(runs, state), err
    assert runs["pipeline"]["cause"]["kind"] == cause
    with opened() as engine:
        assert engine.store.select("leases_held") == []
    if number == signal.SIGINT:
        assert "KeyboardInterrupt" in err
    assert "Exception in thread" not in err
    assert "Exception ignored" not in err


def test_interrupts_at_any_moment_leave_nothing_open(run: Callable[..., Script]) -> None:
    scripts = [
        run(
            """
            @task
            def quick(n): return n
            @flow
            def pipeline():
                print("READY")
                n = 0
                while True:
                    n += quick(n) - quick.submit(n).result() + 1
            pipeline()
            """,
        )
        for _ in range(4)
    ]
    for number, script in enumerate(scripts):
        script.wait_for("READY")
        time.sleep(0.05 + 0.0371 * number)  # anywhere in its work: the moment does not matter
        script.process.send_signal(signal.SIGINT)
        status, _, err = script.end()
        assert status == -signal.SIGINT, err
    with opened() as engine:
        states = {one["state"] for one in views.recent_runs(engine.store, 100_000, include_children=True)}
        assert states <= {"completed", "cancelled"}
        assert engine.store.select("leases_held") == []


def test_second_interrupt_does_not_hurt(run: Callable[..., Script]) -> None:
    script = run(STOPPED["while waiting for a future"])
    script.wait_for("READY")
    for _ in range(3):
        script.process.send_signal(signal.SIGINT)
    status, _, err = script.end()
    assert status == -signal.SIGINT, err
    assert {one["state"] for one in recorded().values()} <= {"completed", "cancelled"}


def test_users_own_signal_handler_stays(run: Callable[..., Script]) -> None:
    script = run(
        """
        import signal
        got = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: got.set())
        @flow
        def pipeline():
            print("READY")
            got.wait()
        pipeline()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        """
    )
    script.wait_for("READY")
    script.process.send_signal(signal.SIGTERM)
    assert script.end()[0] == 0
    assert recorded()["pipeline"]["state"] == "completed"


def test_killed_script_is_swept(run: Callable[..., Script]) -> None:
    script = run(
        """
        @task
        def quick(): return 1
        @task
        def sleeps():
            print("READY")
            time.sleep(600)
        @task
        def waits(x): pass
        @flow
        def child():
            sleeps.submit().result()
        @flow
        def pipeline():
            quick.submit().result()
            child()
        pipeline()
        """
    )
    script.wait_for("READY")
    pid = script.process.pid
    wait_until(lambda: "sleeps" in recorded(), "the task is recorded")
    assert {name: one["state"] for name, one in recorded(is_swept=True).items()} == {
        "quick": "completed",
        "sleeps": "running",
        "child": "running",
        "pipeline": "running",
    }, "a living owner is left alone"
    script.process.kill()
    script.end()
    with opened() as engine:
        told = engine.sweep()
        assert len(told) == 1
        assert f"process {pid}" in told[0][1]
        assert engine.sweep() == []
    runs = recorded()
    assert runs.pop("quick")["state"] == "completed"
    for one in runs.values():
        assert (one["state"], one["cause"]["kind"], one["label"]) == ("crashed", "lease_lost", "OwnerLost")
        assert f"process {pid}" in one["cause"]["evidence"]
        assert one["attempts"][-1]["state"] == "crashed"


def test_hard_exit_of_a_task_is_swept(run: Callable[..., Script]) -> None:
    script = run(
        """
        @task
        def leaves(): os._exit(7)
        @flow
        def pipeline(): leaves.submit().result()
        pipeline()
        """
    )
    assert script.end()[0] == 7
    runs = recorded(is_swept=True)
    assert runs["pipeline"]["state"] == "crashed"
    if "leaves" in runs:
        assert runs["leaves"]["state"] == "crashed"


@pytest.mark.parametrize(("code", "status"), [("3", 3), ("None", 0), ("'sorry'", 1)])
def test_exit_of_a_task_ends_the_script_with_its_number(run: Callable[..., Script], code: str, status: int) -> None:
    script = run(
        f"""
        @task
        def leaves(): sys.exit({code})
        @flow
        def pipeline(): leaves()
        pipeline()
        """
    )
    got, _, err = script.end()
    assert got == status
    assert "Traceback" not in err
    runs = recorded()
    assert {one["state"] for one in runs.values()} == {"failed"}
    assert runs["pipeline"]["cause"]["kind"] == "exited"


def test_failing_flow_ends_the_script_with_one_traceback(run: Callable[..., Script]) -> None:
    status, _, err = run(
        """
        @task
        def fails(): raise ValueError("broken")
        @flow
        def pipeline(): fails.submit()
        pipeline()
        """
    ).end()
    assert status == 1
    assert err.count("Traceback") == 1
    assert err.strip().endswith("ValueError: broken")


def test_squares_print_their_sum_and_nothing_else(run: Callable[..., Script]) -> None:
    status, out, err = run(
        """
        @task
        def square(x: int) -> int: return x * x
        @flow
        def squares(n: int = 10): return sum(f.result() for f in square.map(range(n)))
        if __name__ == "__main__": print(squares())
        """
    ).end()
    assert (status, out, err) == (0, "285\n", "")
    assert recorded()["squares"]["state"] == "completed"


def test_unpicklable_result_warns_once_and_exits_0(run: Callable[..., Script]) -> None:
    status, out, err = run(
        """
        @task
        def give(): return threading.Lock()
        @flow
        def pipeline():
            for _ in range(3): give()
        pipeline()
        """
    ).end()
    assert status == 0
    assert out == ""
    assert len(err.splitlines()) == 1
    assert "WARNING" in err
    assert "can't be recorded" in err


def test_abandoned_thread_does_not_keep_the_script_alive(run: Callable[..., Script]) -> None:
    status, out, err = run(
        """
        @task(timeout_seconds=0.1)
        def sleeps(): time.sleep(600)
        @flow
        def pipeline(): print(sleeps.submit().result(raise_on_failure=False).code)
        pipeline()
        """
    ).end()
    assert (status, out, err) == (0, "timed_out\n", "")


FORKS = {
    "multiprocessing pool": """
        import multiprocessing
        def work(n):
            get_run_logger().warning("in the child")
            print("printed", flush=True)
            return inner(n) + inner.submit(n).result() + sum(inner.map([n]).result())
        @task(log_prints=True)
        def forks():
            with multiprocessing.get_context("fork").Pool(2) as pool:
                return pool.map(work, range(4))
    """,
    "bare fork that exits": """
        @task
        def forks():
            pid = os.fork()
            if pid == 0:
                get_run_logger().warning("in the child")
                sys.exit(5)
            return os.waitpid(pid, 0)[1] // 256
    """,
    "bare fork that returns": """
        @task
        def forks():
            pid = os.fork()
            if pid == 0:
                return "the child's"
            return os.waitpid(pid, 0)[1]
    """,
    "bare fork that raises": """
        @task
        def forks():
            pid = os.fork()
            if pid == 0:
                raise ValueError("the child's")
            return os.waitpid(pid, 0)[1] // 256
    """,
    "process pool executor": """
        import concurrent.futures, multiprocessing
        def work(n):
            return inner(n)
        @task
        def forks():
            context = multiprocessing.get_context("fork")
            with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
                return list(pool.map(work, range(4)))
    """,
    "subprocess": """
        import subprocess
        @task
        def forks():
            return subprocess.run(["echo", "hello"], capture_output=True, text=True).stdout
    """,
}


@pytest.mark.parametrize("kind", FORKS)
@pytest.mark.parametrize("how", ["direct", "submit"])
def test_forks_of_user_code_leave_our_record_alone(run: Callable[..., Script], kind: str, how: str) -> None:
    call = "forks()" if how == "direct" else "forks.submit().result()"
    script = run(
        "@task\ndef inner(n): return n\n"
        + textwrap.dedent(FORKS[kind])
        + textwrap.dedent(
            f"""
            @flow
            def pipeline():
                stop = threading.Event()
                def chatter():  # the parent's locks are often held while it forks
                    while not stop.is_set():
                        get_run_logger().info("line")
                        inner(1)
                import contextvars
                thread = threading.Thread(target=contextvars.copy_context().run, args=(chatter,))
                thread.start()
                try:
                    result = [{call} for _ in range(3)]
                finally:
                    stop.set()
                    thread.join()
                return result
            pipeline()
            print("END")
            """
        )
    )
    status, out, err = script.end()
    assert status == 0, err
    assert out.count("END") == 1
    with opened() as engine:
        found = views.recent_runs(engine.store, 1_000_000, include_children=True)
        assert {one["state"] for one in found} == {"completed"}
        assert len([one for one in found if one["task"] == "forks"]) == 3
        root = next(one for one in found if one["kind"] == "flow")
        lines = views.logs(engine.store, root, limit=1_000_000)
        assert [line["n"] for line in lines] == list(range(1, len(lines) + 1))
        assert {line["message"] for line in lines} <= {"line"}, "a child's lines are not the parent's"


def test_flows_in_a_forked_child_are_recorded_after_the_parent_ran_some(run: Callable[..., Script]) -> None:
    status, _, err = run(
        """
        import asyncio, multiprocessing
        tried = []
        @task(retries=1, retry_delay_seconds=0.01)
        def flaky():
            tried.append(1)
            if len(tried) == 1: raise ValueError
        @task
        async def later(): return 1
        @flow
        def pipeline(n):
            flaky.submit().result()
            return n + later.submit().result()
        def work(n):
            tried.clear()
            return pipeline(n)
        pipeline(0)
        with multiprocessing.get_context("fork").Pool(2) as pool:
            assert pool.map(work, range(4)) == [1, 2, 3, 4]
        pipeline(5)
        """
    ).end()
    assert status == 0, err
    with opened() as engine:
        found = views.recent_runs(engine.store, 1_000)
        assert [one["state"] for one in found] == ["completed"] * 6
        assert engine.sweep() == []


# ── the watcher ──────────────────────────────────────────────────────────────────────────────────────────────────────


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


def test_script_in_a_folder_with_an_odd_name(tmp_path: Path) -> None:
    folder = os.path.join(os.fsencode(tmp_path), b"caf\xe9 \xff")
    os.mkdir(folder)
    path = os.path.join(folder, b"flow \xe9.py")
    with open(path, "w", encoding="utf-8") as file:
        file.write(
            "from stellwerk import flow, task\n@task\ndef t(): return 1\n@flow\ndef f(): return t()\nprint(f())\n"
        )
    done = subprocess.run(
        [sys.executable, path], capture_output=True, text=True, cwd=folder, timeout=SECONDS, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")
    assert recorded()["f"]["state"] == "completed"


def test_names_of_the_home_may_hold_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STELLWERK_HOME", str(tmp_path / "ü %20 ?x=1#y 'q'"))
    script = tmp_path / "flow.py"
    script.write_text("from stellwerk import flow\n@flow\ndef f(): return 1\nprint(f())\n", encoding="utf-8")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")
    assert re.fullmatch(r"[a-z]+-[a-z]+", recorded()["f"]["name"])


def test_closed_stderr_and_stdout_do_not_hurt(run: Callable[..., Script], tmp_path: Path) -> None:
    script = run(
        """
        @task
        def t():
            get_run_logger().warning("nobody sees it")
        @flow(log_prints=True)
        def f(): t()
        sys.stderr.close(); os.close(2)
        f()
        """
    )
    assert script.end()[0] == 0
    assert recorded()["f"]["state"] == "completed"
