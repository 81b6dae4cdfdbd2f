"""Runs through a server: the same record as without one, whatever a flow does."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from proxies import Proxy
from scripts import SECONDS, Script, opened, recorded, wait_until
from servers import Server

from stellwerk.api import views
from stellwerk.engine.apply import crash
from stellwerk.engine.tick import LOOK_SECONDS
from stellwerk.model.states import Cause

TOKEN = "a-token-of-many-letters"

EVERYTHING = """
    import asyncio
    from stellwerk import Skip, allow_failure

    @task
    def square(x): return x * x

    @task(retries=2, retry_delay_seconds=0)
    def stumbles(seen=[]):
        seen.append(1)
        if len(seen) < 3: raise ValueError("mind the gap")
        return len(seen)

    @task
    def fails(): raise RuntimeError("signal at red")

    @task
    def skips(): raise Skip("no train today")

    @task
    def needs(x): return x

    @task
    def large(n): return b"r" * n

    @task(timeout_seconds=0.05)
    def slow():
        while True: time.sleep(0.001)

    @task(log_prints=True)
    def talks():
        print("all aboard ✓")
        get_run_logger().warning("doors are closing")
        for n in range(300): get_run_logger().info("sleeper %d", n)

    @task
    def yields():
        yield 1
        yield large.fn(100_000)

    @task
    async def waits(n):
        await asyncio.sleep(0)
        return n

    @flow(flow_run_name="branch line", tags=["branch"])
    def branch(n): return square(n)

    @flow(flow_run_name="main line", tags=["nightly"])
    def main_line(n: int, note: str):
        total = sum(future.result() for future in square.map(range(n)))
        assert stumbles() == 3
        failed = fails.submit()
        try: needs.submit(failed).result()
        except Exception: pass
        needs.submit(allow_failure(failed)).result(raise_on_failure=False)
        needs.submit(skips.submit()).wait()
        assert len(large(1_000_000)) == 1_000_000
        assert list(yields())[0] == 1
        try: slow()
        except TimeoutError: pass
        talks()
        assert waits.submit(7).result() == 7
        return total + branch(3)

    @flow(flow_run_name="async line")
    async def async_line():
        first, second = await asyncio.gather(waits(1), waits(2))
        return first + second

    @flow(flow_run_name="dead end")
    def dead_end():
        fails()

    assert main_line(30, "x" * 1000) == 8555 + 9
    assert asyncio.run(async_line()) == 3
    assert square(12) == 144
    try: dead_end()
    except RuntimeError: pass
    else: raise AssertionError
"""


@pytest.fixture
def server(home: Path) -> Iterator[Server]:
    server = Server(STELLWERK_API_TOKEN=TOKEN)
    server.start()
    yield server
    server.kill()


def told() -> list[Any]:
    """Tell all that was recorded, without what differs from one time to the next."""
    with opened() as engine:
        found = views.recent_runs(engine.store, 1_000, include_children=True)
        names = {run["id"]: run["name"] for run in found}
        runs = sorted((_told(engine.store, run, names) for run in found), key=json.dumps)
        lines = [
            Counter((line["level"], line["logger"], line["message"], line["run"]) for line in logs)
            for run in found[::-1]
            if run["parent_id"] is None and (logs := views.logs(engine.store, run, limit=10_000))
        ]
        assert engine.store.select("leases_held") == []
    return [runs, lines]


def _told(store: Any, run: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    kept = ("kind", "flow", "task", "index", "state", "label", "cause", "evidence", "tags", "parameters", "result")
    attempts = [{name: each[name] for name in ("number", "state", "label", "cause")} for each in run["attempts"]]
    steps = [[each[name] for name in ("event", "from_state", "to_state", "label")] for each in views.story(store, run)]
    error = run["error"] and [run["error"]["type"], run["error"]["message"], "Traceback" in run["error"]["traceback"]]
    name = run["name"] if "-" not in run["name"] or run["task"] else ""
    parent = names.get(run["parent_id"], "")
    return {**{key: run[key] for key in kept}, "name": name, "parent": parent, "error": error} | {
        "attempts": attempts,
        "story": steps,
    }


def blobs(home: Path) -> list[str]:
    files = [path for path in (home / "blobs").rglob("*") if path.is_file()]
    for path in files:
        assert hashlib.blake2b(path.read_bytes(), digest_size=32).hexdigest() == path.parent.name + path.name
    return sorted(path.name for path in files)


@pytest.mark.parametrize("way", ["file", "URL", "refuses", "strips", "swallows"])
def test_everything_is_recorded_as_without_a_server(
    run: Callable[..., Script],
    server: Server,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
) -> None:
    alone = tmp_path / "alone"
    status, _, err = run(EVERYTHING, STELLWERK_HOME=str(alone)).end()
    assert status == 0, err
    with Proxy(server.port, way) as proxy:
        url = {"file": "", "URL": server.url}.get(way, proxy.url)
        road = {"STELLWERK_API_URL": url, "STELLWERK_API_TOKEN": TOKEN, "STELLWERK_HOME": str(tmp_path / "none")}
        status, _, err = run(EVERYTHING, **(road if url else {})).end()
        assert status == 0, err
        assert "is away" not in err
        if url == proxy.url:
            assert proxy.handshakes == (3 if way == "swallows" else 1)
    assert not (tmp_path / "none").exists()  # nothing was recorded here
    through = told()
    monkeypatch.setenv("STELLWERK_HOME", str(alone))
    directly = told()
    differing = [(one, other) for one, other in zip(through[0], directly[0], strict=True) if one != other]
    assert not differing, json.dumps(differing, indent=1)
    assert through[1] == directly[1]
    assert blobs(home) == blobs(alone)
    assert len(blobs(home)) == 2


def test_the_page_of_the_first_run_is_named_once(run: Callable[..., Script], server: Server) -> None:
    text = """
        @flow
        def pipeline(): pass
        pipeline()
        pipeline()
    """
    _, out, err = run(text).end()
    assert out == ""
    [line] = err.splitlines()
    address = f"{server.url}/runs/"
    assert address in line
    with opened() as engine:
        first = views.recent_runs(engine.store, 10)[-1]
    assert line == f"{first['name']} · {address}{first['id']}"
    assert run(text, STELLWERK_PROGRESS="off").end()[2] == ""


def test_ten_scripts_at_once(run: Callable[..., Script], server: Server, tmp_path: Path) -> None:
    scripts = [
        run(
            """
            @task
            def step(n): return n
            @flow
            def pipeline():
                for n in range(50): step(n)
                return sum(f.result() for f in step.map(range(200)))
            for _ in range(3): pipeline()
            """
        )
        for _ in range(10)
    ]
    for script in scripts:
        status, _, err = script.end()
        assert status == 0, err
    with opened() as engine:
        found = views.recent_runs(engine.store, 100)
        assert Counter(each["state"] for each in found) == {"completed": 30}
        for each in found:
            assert views.task_groups(engine.store, each)[0]["states"] == {"completed": 250}
        assert engine.store.select("leases_held") == []


def test_a_child_process_does_not_keep_the_line(run: Callable[..., Script], server: Server) -> None:
    script = run(
        """
        @task
        def step(): return 1
        @flow
        def pipeline():
            step()
            pid = os.fork()
            if not pid:
                time.sleep(600)
            print(f"child {pid}", flush=True)
            step()
            return pid
        pipeline()
        print("OVER")

        @flow
        def in_child(): return step()
        pid = os.fork()
        if not pid:  # a run of its own, on a line of its own
            assert in_child() == 1
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        assert pipeline.name == "pipeline"
        """
    )
    script.wait_for("OVER")
    assert script.process.wait(SECONDS) == 0
    runs = recorded()
    assert {name: one["state"] for name, one in runs.items()} == dict.fromkeys(
        ("pipeline", "step", "in_child"), "completed"
    )
    wait_until(lambda: _lines(server) == 0, "the child has let go of the line")


def _lines(server: Server) -> int:
    request = urllib.request.Request(f"{server.url}/metrics", headers={"Authorization": f"Bearer {server.secret()}"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        text = answer.read().decode()
    [line] = [line for line in text.splitlines() if line.startswith("stellwerk_channels ")]
    return int(float(line.split()[1]))


def test_large_batches_are_cut(run: Callable[..., Script], server: Server) -> None:
    """What gathers while one batch is under way may be more than a frame may hold."""
    script = run(
        """
        @task
        def talks(n):
            for i in range(10): get_run_logger().info("%d %d %s", n, i, "ü" * 400_000)
            return b"d" * 15_000
        @flow
        def pipeline():
            return sum(len(f.result()) for f in talks.map(range(30)))
        pipeline()
        """
    )
    status, _, err = script.end()
    assert status == 0, err[-2000:]
    with opened() as engine:
        [found] = views.recent_runs(engine.store, 10)
        assert found["state"] == "completed"
        assert len(views.logs(engine.store, found, limit=1_000)) == 300


def test_a_taken_over_run_stops_itself(run: Callable[..., Script], server: Server, tmp_path: Path) -> None:
    """What somebody else has ended is told to its owner, which stops also where it only sleeps."""
    texts = {
        "sync": """
            @flow
            def pipeline():
                print("READY")
                try: time.sleep(600)
                finally: print("STOPPED")
            pipeline()
        """,
        "in a task on a thread": """
            @task
            def naps():
                print("READY")
                while True: time.sleep(0.01)
            @flow
            def pipeline(): naps.submit().result()
            pipeline()
        """,
        "async": """
            import asyncio
            @flow
            async def pipeline():
                print("READY")
                try: await asyncio.sleep(600)
                finally: print("STOPPED")
            asyncio.run(pipeline())
        """,
    }
    scripts = {name: run(text) for name, text in texts.items()}
    for script in scripts.values():
        script.wait_for("READY")
    time.sleep(2 * LOOK_SECONDS)  # what a server has never seen, it does not miss
    with opened() as engine:
        held = engine.store.select("leases_held")
        assert len(held) == 3
        for root_id, fence, *_ in held:
            assert crash(engine.store, root_id, fence, 1, Cause("lease_lost", "the test took it"), "OwnerLost")
    for name, script in scripts.items():
        status, out, err = script.end()
        assert status == 1, (name, err)
        assert "Abandoned" in err, (name, err)
        assert "somebody else" in err, (name, err)
        if name != "in a task on a thread":
            assert out == "STOPPED\n"
    assert {one["state"] for one in recorded().values()} == {"crashed"}


def test_effects_and_record_agree(run: Callable[..., Script], server: Server, tmp_path: Path) -> None:
    script = run(
        """
        import sqlite3
        effects = sqlite3.connect("effects.db", isolation_level=None, check_same_thread=False)
        effects.execute("CREATE TABLE effects (n)")
        lock = threading.Lock()
        @task
        def effect(n):
            with lock: effects.execute("INSERT INTO effects VALUES (?)", (n,))
            return n
        @flow
        def pipeline():
            return sum(f.result() for f in effect.map(range(500)))
        pipeline()
        """
    )
    assert script.end()[0] == 0
    counted = sqlite3.connect(tmp_path / "effects.db").execute("SELECT n FROM effects ORDER BY n").fetchall()
    with opened() as engine:
        [found] = views.recent_runs(engine.store, 10)
        tasks = views.show_run(engine.store, found)["tasks"]
    assert [(int(task["result"]["preview"]),) for task in sorted(tasks, key=lambda task: task["index"])] == counted
