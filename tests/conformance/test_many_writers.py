"""Several processes and threads write into one store at once; one of them is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

from wire import Root, accept, check_all, new_id, open_store, query, rows, runs_of, send

from stellwerk.engine.apply import crash
from stellwerk.model.states import Cause
from stellwerk.store.port import Store

WRITER = Path(__file__).parents[1] / "writer.py"


def start(url: str, batches: int, root: Root) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(WRITER), url, str(batches), root.id.hex()]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_eight_processes_lose_nothing(url: str) -> None:
    batches, roots = 25, [Root() for _ in range(8)]
    processes = [start(url, batches, root) for root in roots]  # the database does not exist yet
    for process in processes:
        _out, problem = process.communicate(timeout=90)
        assert process.returncode == 0, problem.decode()
    runs = runs_of(url)
    assert len(runs) == len(roots) * (batches + 1)
    assert {run.state for run in runs.values()} == {"completed"}
    assert len(rows(url, "logs")) == len(roots) * batches
    assert query(url, "SELECT COUNT(DISTINCT value) FROM meta WHERE key = 'database_id'") == [(1,)]
    check_all(url)


def test_what_was_acknowledged_survives_a_kill(url: str) -> None:
    for patience in (1, 7, 20):
        root = Root()
        process = start(url, 100_000, root)
        assert process.stdout is not None
        acknowledged = 0
        for line in process.stdout:
            acknowledged = int(line)
            if acknowledged == patience:
                process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
        store = open_store(url)
        check_all(url)
        ((fence, seq),) = store.select("lease_look", (root.id,))
        # One more may have been committed than was told.
        assert fence == 1
        assert seq in (acknowledged, acknowledged + 1)
        runs = [run for run in runs_of(url).values() if run.root_id == root.id]
        assert len(runs) == seq + 1
        assert [row[0] for row in store.select("logs_of_root", (root.id, 0, 100_000))] == list(range(1, seq + 1))
        assert crash(store, root.id, 1, 0, Cause("lease_lost"), "OwnerLost")
        store.close()
        check_all(url)


def test_threads_share_a_store(store: Store, url: str) -> None:
    problems: list[BaseException] = []

    def work() -> None:
        try:
            root = Root()
            accept(store, root.batch(*root.begin()))
            for _ in range(20):
                accept(store, root.batch(root.task(new_id())))
                assert len(store.select("run_children", (root.id, 100))) == root.seq - 1
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not problems
    assert len(rows(url, "runs")) == 6 * 21


def test_a_run_is_taken_over_once(store: Store, url: str) -> None:
    """Two engines see the same dead owner: one of them ends its runs, and the owner, not dead after all, comes too late."""
    root, other = Root(), open_store(url)
    accept(store, root.batch(*root.begin(), *(root.task(new_id()) for _ in range(50))))
    done: list[bool] = []
    threads = [
        threading.Thread(
            target=lambda own=own: done.append(crash(own, root.id, 1, 0, Cause("lease_lost"), "OwnerLost"))
        )
        for own in (store, other)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(done) == [False, True]
    assert send(other, root.batch(root.end())).code == "stale_fence"
    other.close()
    assert {run.state for run in runs_of(url).values()} == {"crashed"}
