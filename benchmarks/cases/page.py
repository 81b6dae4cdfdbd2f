"""What the page waits for: `first_load`, `runs_page` and `live_lag`."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import shutil
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

from browser import open_page
from ground import HERE, Ground, Wrong
from server import Server

from cases.case import Sample, case

ROOT = HERE.parent
PAGE = ROOT / "src" / "stellwerk" / "ui_dist"
FLOW_RUNS, TASKS = 10_000, 100
QUESTIONS = 200
ROOTS = {"kind": {"_eq": "flow"}, "parent_id": {"_is_null": True}}
FILTERS: list[dict[str, Any]] = [
    {},
    {"state": {"_in": ["failed", "crashed"]}},
    {"flow_name": {"_eq": "flow_17"}},
    {"tags": {"_contains": ["etl"]}},
    {"started_at": {"_gte": "2025-11-01T00:00:00Z", "_lt": "2025-12-01T00:00:00Z"}},
    {"duration_seconds": {"_gt": 600}},
    {"seq": {"_lt": 500_000}},
    {"_and": [{"flow_name": {"_like": "flow_1%"}}, {"state": {"_eq": "cancelled"}}]},
]
BEATS = 40


def p95(values: list[float]) -> float:
    """Return the value that 95 of 100 do not exceed."""
    return sorted(values)[max(0, -(-len(values) * 95 // 100) - 1)]


@case(
    "first_load",
    "scripts and styles that the page needs before it shows anything",
    unit="kB gzip",
    at_most=220,
    cpu_unit="s",
    durability="nothing recorded",
)
def take_first_load(ground: Ground) -> Sample:
    """Add up the closure of index.html in the build's manifest, each file compressed by gzip -9."""
    try:
        manifest = json.loads((PAGE / ".vite" / "manifest.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Wrong("the page is not built: make ui") from None
    files: set[str] = set()
    waiting, seen = ["index.html"], set()
    while waiting:
        key = waiting.pop()
        if key in seen:
            continue
        seen.add(key)
        files |= {manifest[key]["file"], *manifest[key].get("css", [])}
        waiting += manifest[key].get("imports", [])
    return Sample(sum(len(gzip.compress((PAGE / file).read_bytes(), 9)) for file in files) / 1000)


@cache
def _seeded() -> Path:
    """Make a home with a million task runs, once for all samples; it goes away with this process."""
    folder = tempfile.TemporaryDirectory(prefix="stellwerk-bench-")
    _kept.append(folder)
    home = Path(folder.name)
    with Ground() as ground:
        ground.run(HERE / "seed.py", home / "stellwerk.db", FLOW_RUNS, TASKS)
    return home


_kept: list[tempfile.TemporaryDirectory[str]] = []


@case(
    "runs_page",
    "the query behind the list of runs, over HTTP, with 1,000,000 task runs stored: 95 of 100 are faster",
    unit="ms",
    at_most=20,
    cpu_unit="ms",
)
def take_runs_page(ground: Ground) -> Sample:
    """Ask the page's own document with eight filters in turn."""
    text = (ROOT / "ui" / "src" / "pages" / "runs" / "Runs.graphql").read_text(encoding="utf-8")
    fragment = text[: text.index("query RunsList")]
    query = re.search(r"query RunsList.*?\n}\n", text, re.DOTALL)
    assert query is not None
    ground.use(_seeded())
    spent: list[float] = []
    with Server(ground) as server:
        connection = http.client.HTTPConnection(server.url.removeprefix("http://"))
        headers = {"Authorization": f"Bearer {server.secret}", "Content-Type": "application/json"}
        before = server.cpu_seconds()
        for number in range(QUESTIONS + len(FILTERS)):
            where = {"_and": [ROOTS, FILTERS[number % len(FILTERS)]]}
            body = json.dumps({"query": fragment + query[0], "variables": {"where": where, "limit": 30}})
            began = time.perf_counter()
            connection.request("POST", "/graphql", body, headers)
            answer = connection.getresponse()
            content = answer.read()
            wall = time.perf_counter() - began
            if answer.status != 200 or not json.loads(content)["data"]["runs"]:
                raise Wrong(f"{answer.status}: {content[:500]!r}")
            if number >= len(FILTERS):  # each once before: a page that is open has been asked before
                spent.append(wall * 1000)
        cpu = server.cpu_seconds() - before
        connection.close()
    return Sample(p95(spent), cpu / QUESTIONS * 1000)


@case(
    "live_lag",
    "from a task's end being committed to its being shown on the open page, while fanout_server runs: 95 of 100",
    unit="ms",
    at_most=300,
    cpu_unit="s",
)
def take_live_lag(ground: Ground) -> Sample:
    """Compare the moments at which a slow flow's tasks returned with those at which the page's count changed."""
    if shutil.which("chromium") is None:
        raise Wrong("there is no chromium: apt-get install chromium")
    with Server(ground) as server, open_page(ground, server) as page:
        load = subprocess.Popen(
            [ground.python, HERE / "work" / "load.py"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=ground.environment,
            cwd=ground.folder,
        )
        try:
            beat = subprocess.Popen(
                [ground.python, HERE / "work" / "beat.py", str(BEATS)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env=ground.environment,
                cwd=ground.folder,
            )
            assert beat.stdout is not None
            run_id = beat.stdout.readline().strip()
            page.watch_run(run_id)
            committed = json.loads(beat.stdout.readline())
            beat.wait()
            shown = page.shown(BEATS)
        finally:
            load.terminate()
            load.wait()
    lags = [(shown[n] - at) * 1000 for n, at in enumerate(committed, 1) if n in shown and n > 5]
    if len(lags) < BEATS // 2:
        raise Wrong(f"the page showed only {len(lags)} of {BEATS} ends")
    return Sample(p95(lags))
