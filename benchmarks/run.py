"""Measure what Stellwerk promises, each case as the median of five samples.

    python benchmarks/run.py [CASE…] [--json] [--peer NAME=PATH/TO/PYTHON] [--samples N]

Prints a table; with --json one JSON object a case and line instead. Without a case it measures all. Exit codes: 0
measured (also when a bar was missed: this is a measure, not a gate), 1 a run did not do what it should, 2 bad usage.
README.md beside this file says what each case does.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import sqlite3
import sys
from contextlib import ExitStack
from typing import Any

from cases import CASES, Case
from ground import Ground, Wrong, median
from peers import PEERS, Measured, Peer

SAMPLES = 5


def main() -> int:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}")
    parser.add_argument("--json", action="store_true", help="print one JSON object a case")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON", help=f"of {', '.join(PEERS)}")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="samples a case (default: %(default)s)")
    options = parser.parse_args()
    unknown = [name for name in options.cases if name not in CASES]
    if unknown:
        parser.error(f"there is no case {unknown[0]!r}; there are {', '.join(CASES)}")
    if options.samples < 1:
        parser.error("--samples must be 1 or more")
    chosen = {}
    for word in options.peer:
        name, _, python = word.partition("=")
        if name not in PEERS:
            parser.error(f"there is no peer {name!r}; there are {', '.join(PEERS)}")
        if not os.access(python, os.X_OK):
            parser.error(f"--peer {name}=…: {python!r} is not a Python interpreter")
        chosen[name] = os.path.abspath(python)
    try:
        versions = versions_here()
    except importlib.metadata.PackageNotFoundError:
        parser.error(f"stellwerk is not installed for {sys.executable}; `make bench` sets it up and runs this")
    with ExitStack() as stack:
        peers = [stack.enter_context(PEERS[name](python)) for name, python in chosen.items()]
        if not options.json:
            head(versions)
        for name in options.cases or CASES:
            try:
                report = measure(CASES[name], options.samples, versions, peers)
            except Wrong as problem:
                print(f"{name}: {problem}", file=sys.stderr)
                return 1
            print(json.dumps(report, ensure_ascii=False) if options.json else row(CASES[name], report), flush=True)
    return 0


def versions_here() -> dict[str, str]:
    """Say what is measured, and on what."""
    return {
        "stellwerk": importlib.metadata.version("stellwerk"),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "system": platform.platform(),
        "processors": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
    }


def measure(case: Case, samples: int, versions: dict[str, str], peers: list[Peer]) -> dict[str, Any]:
    """Measure one case: a warm-up that may also prove something, then the samples, each followed by its limit.

    Raises:
        Wrong: a run did not do or record what it should.
    """
    if case.check is not None:
        with Ground() as ground:
            case.check(ground)
    with Ground() as ground:
        case.take(ground)  # warm-up: .pyc files, the page cache
    taken, limits = [], []
    load_before = os.getloadavg()[0]
    for _ in range(samples):
        with Ground() as ground:
            taken.append(case.take(ground))
        if case.limit is not None:
            with Ground() as ground:
                limits.append(case.limit(ground))
    value = median([sample.value for sample in taken])
    cpu = [sample.cpu for sample in taken if sample.cpu is not None]
    report: dict[str, Any] = {
        "case": case.name,
        "value": rounded(value),
        "unit": case.unit,
        "samples": [rounded(sample.value) for sample in taken],
        "versions": versions,
        "bar": case.bar,
        "met": case.is_met(value),
        "durability": case.durability,
        "cpu": {"value": rounded(median(cpu)), "unit": case.cpu_unit} if cpu else None,
        "limit": rounded(median(limits)) if limits else None,
        "load": round(max(load_before, os.getloadavg()[0]), 2),
    }
    if peers:
        report["peers"] = {
            peer.name: told(case, value, found) for peer in peers if (found := peer.measure(case.name)) is not None
        }
    return report


def told(case: Case, value: float, found: Measured) -> dict[str, Any]:
    """Shape what a peer did; `ratio` is how many times better Stellwerk is."""
    theirs = median(found.samples)
    shaped = {
        "value": rounded(theirs),
        "ratio": rounded(case.ratio(value, theirs)),
        "samples": [rounded(sample) for sample in found.samples],
        "version": found.version,
        "what": found.what,
    }
    if found.returned:
        returned = median(found.returned)
        shaped["returned"] = {"value": rounded(returned), "ratio": rounded(case.ratio(value, returned))}
    return shaped


def rounded(value: float) -> float:
    """Keep four digits: more would only be noise."""
    return float(f"{value:.4g}")


def shown(value: float | None) -> str:
    """Write a number for people."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"


COLUMNS = (("case", 8), ("value", 9), ("unit", 11), ("bar", 9), ("", 7), ("samples", 17), ("limit", 9), ("CPU", 15))


def head(versions: dict[str, str]) -> None:
    """Print what is measured on what, and the names of the columns."""
    now = datetime.datetime.now(datetime.UTC)
    print(
        f"Stellwerk {versions['stellwerk']} · Python {versions['python']} · SQLite {versions['sqlite']} · "
        f"{versions['system']} · {versions['processors']} processors, load {os.getloadavg()[0]:.1f} · {now:%Y-%m-%d}\n"
    )
    print(line(*(name for name, _ in COLUMNS), "durability"), flush=True)


def line(*cells: str) -> str:
    """Lay out one row: numbers to the right, words to the left."""
    laid = [
        f"{cell:>{width}}" if name in ("value", "bar", "samples", "limit") else f"{cell:<{width}}"
        for (name, width), cell in zip(COLUMNS, cells, strict=False)
    ]
    return "  ".join([*laid, cells[-1]])


def row(case: Case, report: dict[str, Any]) -> str:
    """Lay out what was measured in one case, and a row for each peer."""
    cpu = f"{shown(report['cpu']['value'])} {report['cpu']['unit']}" if report["cpu"] else "–"
    rows = [
        line(
            case.name,
            shown(report["value"]),
            case.unit,
            f"{'≥' if case.more_is_better else '≤'} {shown(case.bar)}",
            "met" if report["met"] else "MISSED",
            f"{shown(min(report['samples']))} – {shown(max(report['samples']))}",
            shown(report["limit"]),
            cpu,
            case.durability,
        )
    ]
    for name, peer in report.get("peers", {}).items():
        better = f"Stellwerk is {shown(peer['ratio'])} times as good"
        text = f"{name} {peer['version']}: {shown(peer['value'])} {case.unit} ({peer['what']}); {better}"
        if "returned" in peer:
            other = peer["returned"]
            text += f" (until its flow call returned: {shown(other['value'])}; {shown(other['ratio'])} times)"
        rows.append(f"{'':10}{text}")
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
