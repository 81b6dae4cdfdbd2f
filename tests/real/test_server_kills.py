"""A server that is killed again and again under the load of ten scripts: nothing is lost, nothing happens twice.

The scripts insert a row into a database of their own for each task that ran. What was recorded is compared with that.
`make proof` does it three hundred times and keeps the report.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from scripts import Script, opened, wait_until
from servers import Server

from stellwerk.api import views

KILLS = int(os.environ.get("STELLWERK_PROOF_KILLS", "12"))
REPORT = os.environ.get("STELLWERK_PROOF_REPORT", "")
SCRIPTS = 10
LEASE_SECONDS = 2.0
SEED = 20261124
TOKEN = "a-token-of-many-letters"

SCRIPT = """
    import sqlite3
    from pathlib import Path

    effects = sqlite3.connect(os.environ["EFFECTS"], isolation_level=None, check_same_thread=False)
    effects.execute("CREATE TABLE effects (flow INTEGER, n INTEGER)")
    lock = threading.Lock()


    @task
    def effect(flow, n):
        get_run_logger().info("effect %s/%s", flow, n)
        with lock:
            effects.execute("INSERT INTO effects VALUES (?, ?)", (flow, n))
        if n >= 5:
            time.sleep(0.01)
        return n


    @flow
    def work(script, number):
        chained = [effect(number, n) for n in range(5)]
        return sum(chained) + sum(f.result() for f in effect.map(number, range(5, 25)))


    number = 0
    while not Path(os.environ["STOP"]).exists():
        assert work(os.environ["NAME"], number) == sum(range(25))
        number += 1
    print(number)
"""
TASKS = 25


@pytest.fixture
def server(home: Path) -> Iterator[Server]:
    server = Server(STELLWERK_LEASE_SECONDS=str(LEASE_SECONDS), STELLWERK_API_TOKEN=TOKEN)
    yield server
    server.kill()


@pytest.mark.timeout(0 if REPORT else 300)
def test_nothing_is_lost_or_doubled(
    server: Server, run: Callable[..., Script], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STELLWERK_LEASE_SECONDS", str(LEASE_SECONDS))
    dice = random.Random(SEED)
    server.start()
    stop = tmp_path / "stop"
    scripts: dict[str, Script] = {}
    for number in range(SCRIPTS):
        name = f"script{number}"
        place = {"EFFECTS": str(tmp_path / f"{name}.db"), "STOP": str(stop), "NAME": name}
        # Said outright, so that a script that begins a run while the server is away waits for it, too.
        road = {"STELLWERK_API_URL": server.url, "STELLWERK_API_TOKEN": TOKEN}
        scripts[name] = run(SCRIPT, **place, **(road if number % 2 else {}))
    # A server is waited for as long as it takes once it has let a script in; before, for a lease.
    wait_until(lambda: all(_has_begun(tmp_path / f"{name}.db") for name in scripts), "all scripts at work")
    began, outages = time.monotonic(), []
    for kill in range(KILLS):
        time.sleep(dice.uniform(0.1, 0.8))
        server.kill()
        # Most outages are short; each tenth is longer than a lease.
        outage = LEASE_SECONDS * dice.uniform(1.2, 1.8) if kill % 10 == 9 else dice.uniform(0.0, 0.4)
        time.sleep(outage)
        outages.append(outage)
        server.start()
    spent = time.monotonic() - began
    stop.touch()
    told = {name: script.end() for name, script in scripts.items()}
    server.stop()
    problems: list[str] = []
    flows = effects = 0
    for name, (code, out, err) in told.items():
        if code:
            problems.append(f"{name} ended with {code}: {err[-2000:]}")
            continue
        counted = _effects(tmp_path / f"{name}.db")
        flows += int(out)
        effects += sum(counted.values())
        problems += _compare(name, int(out), counted)
    if REPORT:
        _write_report(outages, spent, flows, effects, problems)
    assert not problems, "\n".join(problems[:20])
    assert flows >= SCRIPTS


def _has_begun(path: Path) -> bool:
    try:
        return bool(_effects(path))
    except sqlite3.OperationalError:  # its table is not there yet
        return False


def _effects(path: Path) -> Counter[tuple[int, int]]:
    connection = sqlite3.connect(path)
    counted = Counter(connection.execute("SELECT flow, n FROM effects"))
    connection.close()
    return counted


def _compare(name: str, flows: int, effects: Counter[tuple[int, int]]) -> list[str]:
    """Hold what one script did against what was recorded of it."""
    problems = [f"{name}: {place} happened {count} times" for place, count in effects.items() if count != 1]
    recorded: dict[int, dict[str, Any]] = {}
    with opened() as engine:
        for each in views.recent_runs(engine.store, 1_000_000):
            if each["parameters"].get("script") != name:
                continue
            number = each["parameters"]["number"]
            if number in recorded:
                problems.append(f"{name}: flow {number} is recorded twice")
            recorded[number] = views.show_run(engine.store, each)
            if each["state"] != "completed":
                problems.append(f"{name}: flow {number} is recorded as {each['state']}")
            said = Counter(line["message"] for line in views.logs(engine.store, each, limit=10_000))
            if said != Counter(f"effect {number}/{n}" for n in range(TASKS)):
                problems.append(f"{name}: flow {number} has other log lines than it logged")
    if sorted(recorded) != list(range(flows)):
        problems.append(f"{name}: {len(recorded)} flows are recorded of {flows}")
    completed = Counter(
        (number, int(task["result"]["preview"]))
        for number, each in recorded.items()
        for task in each["tasks"]
        if task["state"] == "completed"
    )
    if completed != effects:
        lost, more = effects - completed, completed - effects
        problems.append(f"{name}: {sum(lost.values())} completions are missing, {sum(more.values())} are too many")
    return problems


def _write_report(outages: list[float], spent: float, flows: int, effects: int, problems: list[str]) -> None:
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    report = {
        "proof": "a server killed under the load of ten scripts",
        "commit": commit,
        "python": sys.version.split()[0],
        "kills": len(outages),
        "signal": signal.SIGKILL.name,
        "lease_seconds": LEASE_SECONDS,
        "outages_longer_than_a_lease": sum(outage > LEASE_SECONDS for outage in outages),
        "longest_outage_seconds": round(max(outages), 2),
        "seconds": round(spent),
        "scripts": SCRIPTS,
        "flow_runs": flows,
        "side_effects": effects,
        "lost_or_doubled": len(problems),
        "problems": problems[:20],
    }
    Path(REPORT).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
