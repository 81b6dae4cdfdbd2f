"""What starting costs: `import` and `hello`."""

from __future__ import annotations

from ground import HERE, Ground, Wrong, import_milliseconds

from cases.case import Sample, case

PAIRS = 7  # a sample's medians are over so many processes of each kind


@case(
    "import",
    "import stellwerk, beyond bare Python",
    unit="ms",
    at_most=80,
    cpu_unit="ms",
    durability="nothing recorded",
)
def take_import(ground: Ground) -> Sample:
    """Compare whole processes with and without the import."""
    return Sample(*import_milliseconds(ground, "stellwerk", PAIRS))


def least(ground: Ground) -> float:
    """Measure the least that a recorded script can do."""
    return ground.run(HERE / "work" / "limit_hello.py").wall_seconds


@case(
    "hello",
    "python + one-task flow, recorded in a new home, whole process",
    unit="s",
    at_most=0.35,
    cpu_unit="s",
    limit=least,
)
def take_hello(ground: Ground) -> Sample:
    """Time a script from start to end, the making of its database included."""
    finished = ground.run(HERE / "work" / "hello.py")
    if finished.output != "Hello, world!\n":
        raise Wrong(f"hello.py printed {finished.output!r}")
    ground.expect_runs(flows=1, tasks=1)
    return Sample(finished.wall_seconds, finished.cpu_seconds)
