"""How fast log lines are stored: `logs`."""

from __future__ import annotations

from ground import Ground

from cases.case import Sample, case

LINES = 100_000
WARM = 10
LINE_BYTES = 80


def limit(ground: Ground) -> float:
    """Measure bare rows of a line's size, a thousand a commit."""
    return LINES / float(ground.work("limit.py", LINES, 1_000, LINE_BYTES, "none")["seconds"])


@case(
    "logs",
    "100,000 lines from one task by get_run_logger().info, until all are stored",
    unit="lines/s",
    at_least=30_000,
    cpu_unit="µs/line",
    limit=limit,
)
def take_logs(ground: Ground) -> Sample:
    """Time the flow call and the wait for the last row, inside the process; stderr, which shows them, is a file."""
    told = ground.work("logs.py", LINES)
    ground.expect_runs(flows=2, tasks=2)
    text = "line {} of what a task has to say"
    ground.expect_lines(LINES + WARM, text.format(0), text.format(LINES - 1))
    return Sample(LINES / told["seconds"], told["cpu_seconds"] / LINES * 1e6)
