"""Two, ten and a hundred scripts through one server: what each did is recorded, and none is left behind."""

from __future__ import annotations

import datetime
import json
import os
import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from scripts import Script, opened, wait_until
from servers import Server

from stellwerk.api import views

REPORT = os.environ.get("STELLWERK_PROOF_SCRIPTS_REPORT", "")
CALLS = {2: 2_000, 10: 600, 100: 150}  # tasks of each script, by how many scripts there are

SCRIPT = """
    from pathlib import Path


    @task
    def inc(x):
        return x + 1


    @flow
    def count(script, calls):
        x = 0
        for _ in range(calls):
            x = inc(x)
        return x


    assert count("warm-up", 1) == 1
    Path(os.environ["READY"]).touch()
    while not Path(os.environ["GO"]).exists():
        time.sleep(0.005)
    began = time.time()
    assert count(os.environ["NAME"], int(os.environ["CALLS"])) == int(os.environ["CALLS"])
    print(began, time.time())
"""


@pytest.fixture
def server(home: Path) -> Iterator[Server]:
    server = Server()
    server.start()
    yield server
    server.kill()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", [2, 10, 100])
def test_scripts_at_once(server: Server, run: Callable[..., Script], tmp_path: Path, number: int) -> None:
    calls = CALLS[number]
    names = [f"script{each}" for each in range(number)]
    go = tmp_path / "go"
    scripts = [
        run(SCRIPT, NAME=name, READY=str(tmp_path / f"{name}.ready"), GO=str(go), CALLS=str(calls)) for name in names
    ]
    wait_until(lambda: all((tmp_path / f"{name}.ready").exists() for name in names), "all are ready")
    go.touch()
    spans = []
    for script in scripts:
        code, out, err = script.end()
        assert code == 0, err
        spans.append(tuple(float(word) for word in out.split()))
    server.stop()
    with opened() as engine:
        recorded = {
            each["parameters"]["script"]: views.show_run(engine.store, each)
            for each in views.recent_runs(engine.store, 1_000)
            if each["parameters"]["script"] != "warm-up"
        }
        # Fair: when the first script was done, every other had come a good way, too.
        first_end = min(end for _, end in spans)
        done = [sum(_seconds(task["ended_at"]) <= first_end for task in each["tasks"]) for each in recorded.values()]
    assert sorted(recorded) == sorted(names)
    for each in recorded.values():
        assert each["state"] == "completed"
        assert [task["result"]["preview"] for task in each["tasks"]] == [str(x + 1) for x in range(calls)]
    assert min(done) >= calls / 20
    if REPORT:
        _report(number, calls, spans, done)


def _seconds(text: str) -> float:
    return datetime.datetime.fromisoformat(text).timestamp()


def _report(number: int, calls: int, spans: list[tuple[float, ...]], done: list[int]) -> None:
    path = Path(REPORT)
    told = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"python": sys.version.split()[0]}
    spent = sorted(end - began for began, end in spans)
    told[f"{number} scripts"] = {
        "tasks_each": calls,
        "tasks_a_second": round(number * calls / (max(end for _, end in spans) - min(began for began, _ in spans))),
        "seconds_fastest_median_slowest": [round(x, 2) for x in (spent[0], statistics.median(spent), spent[-1])],
        "tasks_done_by_the_slowest_when_the_first_ended": min(done),
    }
    path.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
