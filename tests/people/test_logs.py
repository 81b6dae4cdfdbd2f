"""Logs and prints: what user code says inside a run is recorded with it, in order, and shown as before."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

import pytest

from stellwerk import flow, get_run_logger, task
from stellwerk.testing import Recorded


def _said(recorded: Recorded, **wanted: Any) -> list[tuple[str, str, str]]:
    run = recorded.run(**wanted)
    return [
        (line["level"], line["logger"], line["message"]) for line in recorded.logs(run) if line["run_id"] == run["id"]
    ]


def test_lines_are_recorded_with_the_run_that_logs_them(recorded: Recorded) -> None:
    @task
    def step(n: int) -> None:
        get_run_logger().info("step %d", n)

    @flow
    def pipeline() -> None:
        logger = get_run_logger()
        logger.info("begin")
        step(1)
        step.submit(2).result()
        logger.warning("end")

    pipeline()
    run = recorded.run(kind="flow")
    lines = recorded.logs(run)
    assert [line["message"] for line in lines] == ["begin", "step 1", "step 2", "end"]
    assert [line["run"] for line in lines] == [run["name"], "step-0", "step-1", run["name"]]
    assert [line["n"] for line in lines] == sorted(line["n"] for line in lines)
    assert {line["attempt"] for line in lines} == {1}


def test_standard_loggers_are_captured(recorded: Recorded) -> None:
    @task
    def step() -> None:
        logging.getLogger("my.module").warning("attention %s", "please")
        try:
            raise KeyError("x")
        except KeyError:
            logging.getLogger("my.module").exception("it broke")

    @flow
    def pipeline() -> None:
        step.submit()

    pipeline()
    first, second = _said(recorded, task="step")
    assert first == ("WARNING", "my.module", "attention please")
    assert second[2].startswith("it broke\nTraceback")
    assert "KeyError: 'x'" in second[2]


def test_lines_of_async_tasks(recorded: Recorded) -> None:
    @task
    async def step(n: int) -> None:
        await asyncio.sleep(0)
        get_run_logger().info("step %d", n)

    @flow
    async def pipeline() -> None:
        await asyncio.gather(*(step(n) for n in range(3)))

    asyncio.run(pipeline())
    told = {line["run"]: line["message"] for line in recorded.logs(recorded.run(kind="flow"))}
    assert told == {"step-0": "step 0", "step-1": "step 1", "step-2": "step 2"}


def test_lines_of_each_attempt(recorded: Recorded) -> None:
    tries = []

    @task(retries=1)
    def flaky() -> None:
        tries.append(1)
        get_run_logger().info("try")
        if len(tries) == 1:
            raise ValueError

    @flow
    def pipeline() -> None:
        flaky()

    pipeline()
    assert [line["attempt"] for line in recorded.logs(recorded.run(task="flaky"))] == [1, 2]


def test_prints_are_recorded_where_asked_for(recorded: Recorded, capsys: pytest.CaptureFixture[str]) -> None:
    @task
    def quiet() -> None:
        print("quiet")

    @task(log_prints=True)
    def loud() -> None:
        print("loud", 1, None, sep="-", end="!\n")
        print("to stderr", file=sys.stderr)

    @flow
    def pipeline() -> None:
        quiet()
        loud()

    @flow(log_prints=True)
    def printing() -> None:
        print("flow")
        quiet.submit().result()
        quiet.with_options(log_prints=False, name="silent")()

    pipeline()
    assert _said(recorded, task="loud") == [("INFO", "print", "loud-1-None")]
    assert _said(recorded, task="quiet") == []
    printing()
    assert [line["message"] for line in recorded.logs(recorded.run(flow="printing", kind="flow"))] == ["flow", "quiet"]
    assert capsys.readouterr().out == "quiet\nloud-1-None!\nflow\nquiet\nquiet\n", "printed as ever"


def test_strange_lines_are_recorded(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])  # pytest's own handlers raise where they cannot format

    class Rude:
        def __str__(self) -> str:
            raise RuntimeError("no")

        __repr__ = __str__

    @task
    def step() -> None:
        logger = get_run_logger()
        logger.info("nul \0 and \ud800 surrogate")
        logger.info("%d", "not a number")
        logger.info("%s", Rude())
        logger.info("x" * 2_000_000)
        logger.info("")
        logger.info("two\nlines ü €")
        logging.getLogger("odd\0name\udc00").warning("odd name")

    @flow
    def pipeline() -> None:
        step()

    pipeline()
    messages = [line[2] for line in _said(recorded, task="step")]
    assert messages[0] == "nul \N{REPLACEMENT CHARACTER} and ? surrogate"
    assert "can't be formatted" in messages[1]
    assert "can't be formatted" in messages[2]
    assert messages[3] == "x" * (1 << 20) + f"… ({2_000_000 - (1 << 20):,} more characters)"
    assert messages[4:6] == ["", "two\nlines ü €"]
    assert len(messages) == 7
    assert recorded.run(task="step")["state"] == "completed"


def test_many_lines_from_many_tasks_keep_their_order(recorded: Recorded) -> None:
    @task
    def step(n: int) -> None:
        for i in range(500):
            get_run_logger().info("%d %d", n, i)

    @flow
    def pipeline() -> None:
        step.map(range(8))

    pipeline()
    lines = recorded.logs(recorded.run(kind="flow"))
    assert len(lines) == 4_000
    for n in range(8):
        assert [line["message"] for line in lines if line["message"].startswith(f"{n} ")] == [
            f"{n} {i}" for i in range(500)
        ]


def test_hundred_thousand_lines_of_one_task(recorded: Recorded, sql: Any) -> None:
    @task
    def step() -> None:
        logger = get_run_logger()
        for i in range(100_000):
            logger.info("line %d", i)

    @flow
    def pipeline() -> None:
        step()

    pipeline()
    assert sql("SELECT COUNT(*), MIN(n), MAX(n) FROM logs") == [(100_000, 1, 100_000)]
    assert sql("SELECT COUNT(*) FROM logs WHERE message != 'line ' || (n - 1)") == [(0,)]


def test_logging_outside_a_run_is_left_alone(recorded: Recorded, caplog: pytest.LogCaptureFixture) -> None:
    @flow
    def pipeline() -> None: ...

    pipeline()
    get_run_logger().warning("outside")
    assert [record.message for record in caplog.records if record.message == "outside"] == ["outside"]
    assert recorded.logs(recorded.run(kind="flow")) == []
