"""User code that forks: the children neither hang nor touch what belongs to their parent."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import pytest
from scripts import Script, opened

from stellwerk.api import views

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
