"""Real processes: signals, kills and exits."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from scripts import SECONDS, Script, opened, recorded, wait_until

from stellwerk.api import views

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
    assert runs["pipeline"]["cause"] == cause
    with opened() as engine:
        assert engine.store.select("leases_held") == []
    if number == signal.SIGINT:
        assert "KeyboardInterrupt" in err
    assert "Exception in thread" not in err
    assert "Exception ignored" not in err


BUSY = {
    "sync": """
        @task
        def quick(n): return n
        @task
        def nest(n): return quick(n) + quick.submit(n).result()
        @task
        def items(n): yield from range(n)
        @flow
        def child(n): return nest.submit(n).result()
        @flow
        def pipeline():
            print("READY")
            while True:
                quick.map(range(5))
                nest(1), child(2), list(items(3)), quick.submit(4).result()
        pipeline()
    """,
    "async": """
        import asyncio
        @task
        async def quick(n): await asyncio.sleep(0); return n
        @task
        def sync(n): return n
        @task
        async def nest(n): return await quick(n) + await quick.submit(n)
        @flow
        async def child(n): return await nest.submit(n)
        @flow
        async def pipeline():
            print("READY")
            while True:
                await asyncio.gather(quick(1), nest(2), child(3), sync.submit(4))
        asyncio.run(pipeline())
    """,
}


@pytest.mark.parametrize("kind", BUSY)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_at_any_moment_leave_nothing_open(
    run: Callable[..., Script], kind: str, number: signal.Signals
) -> None:
    scripts = [run(BUSY[kind]) for _ in range(3)]
    for place, script in enumerate(scripts):
        script.wait_for("READY")
        time.sleep(0.05 + 0.0371 * place)  # anywhere in its work: the moment does not matter
        script.process.send_signal(number)
        status, _, err = script.end()
        assert status == -number, err
        assert "never retrieved" not in err
        assert "Exception in thread" not in err
    with opened() as engine:
        states = {one["state"] for one in views.recent_runs(engine.store, 100_000, include_children=True)}
        assert states <= {"completed", "cancelled" if number == signal.SIGINT else "crashed"}
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
        assert (one["state"], one["cause"], one["label"]) == ("crashed", "lease_lost", "OwnerLost")
        assert f"process {pid}" in one["evidence"]
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
    assert runs["pipeline"]["cause"] == "exited"


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
