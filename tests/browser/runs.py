"""Flows that end in every way; `python runs.py NAME` runs one."""

import sys
import time

from stellwerk import flow, get_run_logger, task


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
def tidy(table: str = "trains", factor: int = 2) -> int:
    """Complete, with a small graph."""
    loaded = load.submit(table)
    doubled = double.map(loaded.result())
    return add_up(doubled)


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
def step(n: int) -> int:
    time.sleep(0.002)
    return n


@flow
def wide() -> int:
    """Complete, with many task runs."""
    return sum(future.result() for future in step.map(range(300)))


@task
def hang(seconds: float) -> None:
    print("at work", flush=True)
    time.sleep(seconds)


@flow
def struck() -> None:
    """Be killed from outside."""
    hang(120)


@flow
def stopped() -> None:
    """Be interrupted from outside."""
    hang(120)


@task
def tick(n: int) -> int:
    get_run_logger().info("tick %d", n)
    time.sleep(0.3)
    return n


@flow
def slow(ticks: int = 20) -> int:
    """Take a while, so that it can be watched."""
    print("at work", flush=True)
    return sum(tick(n) for n in range(ticks))


if __name__ == "__main__":
    globals()[sys.argv[1]](*(int(word) for word in sys.argv[2:]))
