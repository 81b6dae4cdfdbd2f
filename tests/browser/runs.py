"""Flows that end in every way; `python runs.py NAME ARGUMENT…` runs one, `python runs.py seed` those that end by themselves."""

import contextlib
import os
import sys
import time

from stellwerk import flow, get_run_logger, task

EVIL = "<img src=x onerror=\"document.documentElement.dataset.struck='yes'\">"
ODD = "\u202egnp.exe\u202c 🚂🚃 \u0645\u0631\u062d\u0628\u0627 e\u0301 \u200b|"
LONG = "Donaudampfschifffahrt" * 480  # some 10 kB without a place to break
LINES = 20_000


# ── that complete ────────────────────────────────────────────────────────────────────────────────────────────────────
@task
def load(table: str) -> list[int]:
    get_run_logger().info("reading table %s", table)
    return list(range(5))


@task
def double(x: int) -> int:
    return 2 * x


@task
def add_up(numbers: list[int]) -> int:
    get_run_logger().warning("only %d numbers", len(numbers))
    return sum(numbers)


@flow
def tidy(table: str = "trains", factor: int = 2) -> dict[str, object]:
    """Complete, with a small graph."""
    loaded = load.submit(table)
    doubled = double.map(loaded, wait_for=[loaded])
    return {"table": table, "factor": factor, "sum": add_up(doubled)}


@task
def step(n: int) -> int:
    return n


@flow
def wide() -> int:
    """Complete, with many task runs."""
    return sum(future.result() for future in step.map(range(300)))


@flow(name="etl-daily", tags=["prod", "night shift"], flow_run_name="daily-{day}")
def etl_daily(day: str) -> int:
    """Complete, with tags and a name of its own."""
    return len(load(day))


@flow(name="etl-hourly", tags=["dev"])
def etl_hourly(hour: int) -> int:
    """Complete, or fail in odd hours."""
    if hour % 2:
        raise RuntimeError(f"nothing arrived at {hour:02}:00")
    return hour


@flow
def dawdle(seconds: float = 1.1) -> None:
    """Complete after a while, so that it can be told by its duration."""
    time.sleep(seconds)


TRIES: list[int] = []


@task(retries=2, retry_delay_seconds=0.02)
def stumble() -> str:
    TRIES.append(1)
    if len(TRIES) < 3:
        raise ConnectionError(f"try {len(TRIES)} was refused")
    return "through"


@flow
def family() -> str:
    """Complete, with a child flow and a task that needed three attempts."""
    tidy("cars", 3)
    return stumble()


# ── that do not ──────────────────────────────────────────────────────────────────────────────────────────────────────
@task
def parse(row: int) -> int:
    if row == 3:
        raise ValueError(f"row {row} has no amount")
    return row


@flow
def spoilt() -> int:
    """Fail by one item of a map."""
    return sum(future.result() for future in parse.map(range(6)))


@task
def hang(seconds: float) -> None:
    print("at work", flush=True)
    time.sleep(seconds)


@flow
def struck() -> None:
    """Be killed from outside."""
    hang(600)


@flow
def stopped() -> None:
    """Be interrupted from outside."""
    hang(600)


@flow
def lasting() -> None:
    """Still run when everything else has ended."""
    step.map(range(4))
    hang(600)


# ── with much, and with evil, in them ────────────────────────────────────────────────────────────────────────────────
@flow
def chatty(lines: int = LINES) -> None:
    """Log more than a page can hold."""
    logger = get_run_logger()
    for n in range(1, lines + 1):
        if n % 1_000 == 0:
            logger.error("line %d went wrong", n)
        else:
            logger.info("line %d of the log", n)


@task(name=f"task {EVIL}")
def evil_task(text: str) -> str:
    logger = get_run_logger()
    logger.info("logged %s", EVIL)
    logger.warning("odd %s", ODD)
    logger.info("coloured \x1b[31mred %s\x1b[0m \x1b]8;;javascript:alert(1)\x07link\x1b]8;;\x07", EVIL)
    logger.error("long %s", LONG)
    return text


@flow(name=f"flow {EVIL}", flow_run_name=f"run {EVIL} {ODD}", tags=[f"tag {EVIL}"])
def evil(text: str = EVIL, values: list[str] | None = None, long: str = "") -> str:
    """Have names, lines, parameters and a result that try to be more than text."""
    return evil_task(text) + ODD


@flow(name=LONG, flow_run_name=LONG)
def lengthy() -> None:
    """Fail with a long name and an error that tries to be more than text."""
    raise ValueError(f"{EVIL} {ODD} {LONG}")


# ── to be watched ────────────────────────────────────────────────────────────────────────────────────────────────────
@task
def tick(n: int, gate: str) -> int:
    get_run_logger().info("tick %d", n)
    _wait_for(f"{gate}.{n}")
    return n


@flow
def gated(gate: str, ticks: int = 2) -> int:
    """Go on each time a file appears: GATE.0, GATE.1, … let one tick each end."""
    print("at work", flush=True)
    return sum(tick(n, gate) for n in range(ticks))


@flow
def brief() -> None:
    """Complete at once."""


@flow
def bursts(gate: str, tasks: int = 40) -> None:
    """Call many tasks, wait for the file, and call as many again."""
    step.map(range(tasks))
    print("at work", flush=True)
    _wait_for(gate)
    step.map(range(tasks))


def _wait_for(path: str) -> None:
    while not os.path.exists(path):
        time.sleep(0.005)  # nothing tells when a file appears


def seed() -> None:
    """Run what ends by itself, one run after the other."""
    for flow_, arguments in (
        (tidy, ()),
        (spoilt, ()),
        (wide, ()),
        (etl_daily, ("monday",)),
        (etl_daily, ("tuesday",)),
        (etl_hourly, (6,)),
        (etl_hourly, (7,)),
        (etl_hourly, (9,)),
        (dawdle, ()),
        (family, ()),
    ):
        with contextlib.suppress(ValueError, RuntimeError):
            flow_(*arguments)


def seed_evil() -> None:
    """Run what tries to be more than text."""
    evil(values=[EVIL, ODD], long=LONG)
    with contextlib.suppress(ValueError):
        lengthy()


if __name__ == "__main__":
    globals()[sys.argv[1]](*(int(word) if word.isdigit() else word for word in sys.argv[2:]))
