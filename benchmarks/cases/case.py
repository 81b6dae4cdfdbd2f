"""What a case is, and the register that `@case` puts it into."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ground import Ground

STRICT = "strict (SQLite, WAL, synchronous=NORMAL)"


@dataclass
class Sample:
    """Hold one measured value, and the processor time it took in the case's `cpu_unit`."""

    value: float
    cpu: float | None = None


@dataclass
class Case:
    """Hold a case.

    Attributes:
        name: as on the command line.
        what: one line for people.
        unit: of the value.
        bar: what is promised.
        more_is_better: whether the value should be at least the bar; else at most.
        durability: what "recorded" means in it.
        take: takes one sample on a fresh ground.
        cpu_unit: of the samples' processor time.
        limit: measures, in the same unit, what the machine could do at most; None where there is no such thing.
        check: proves on a fresh ground what the value claims, once before the samples; it is also a warm-up.
    """

    name: str
    what: str
    unit: str
    bar: float
    more_is_better: bool
    durability: str
    take: Callable[[Ground], Sample]
    cpu_unit: str
    limit: Callable[[Ground], float] | None = None
    check: Callable[[Ground], None] | None = None

    def is_met(self, value: float) -> bool:
        """Say whether a value keeps what is promised."""
        return value >= self.bar if self.more_is_better else value <= self.bar

    def ratio(self, value: float, other: float) -> float:
        """Say how many times better a value is than another's."""
        return value / other if self.more_is_better else other / value


CASES: dict[str, Case] = {}


def case(
    name: str,
    what: str,
    *,
    unit: str,
    cpu_unit: str,
    at_least: float | None = None,
    at_most: float | None = None,
    durability: str = STRICT,
    limit: Callable[[Ground], float] | None = None,
    check: Callable[[Ground], None] | None = None,
) -> Callable[[Callable[[Ground], Sample]], Callable[[Ground], Sample]]:
    """Register a function that takes one sample; exactly one of `at_least` and `at_most` is the bar."""
    bar = at_least if at_least is not None else at_most
    if bar is None or (at_least is not None and at_most is not None):
        raise TypeError(f"case {name!r} needs either at_least or at_most")

    def register(take: Callable[[Ground], Sample]) -> Callable[[Ground], Sample]:
        CASES[name] = Case(name, what, unit, bar, at_least is not None, durability, take, cpu_unit, limit, check)
        return take

    return register
