"""Policies: when to try again, and how upstream must have ended: their names, their arithmetic and their checks.

Pure arithmetic. Randomness comes in as a number and time is not known here; who waits, and for what, is decided in
`core.admit`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from stellwerk.errors import DefinitionError

RetryDelay: TypeAlias = float | Sequence[float] | Callable[[int], float] | None

ALL_SUCCEEDED: Final = "all_succeeded"
ALL_FINISHED: Final = "all_finished"
ANY_FAILED: Final = "any_failed"
ANY_SUCCEEDED: Final = "any_succeeded"
ALL_FAILED: Final = "all_failed"
CONDITIONS: Final = (ALL_SUCCEEDED, ALL_FINISHED, ANY_FAILED, ANY_SUCCEEDED, ALL_FAILED)
"""The names that `run_when` takes, besides `at_least(n)`."""

_AT_LEAST: Final = "at_least("


class exponential_backoff:  # noqa: N801 - users write it as a function, as in Prefect
    """Wait `backoff_factor`, then twice, four, eight … times as long before each next retry.

    A callable from the retry's number to seconds, for `retry_delay_seconds`. Two with equal numbers are equal, and it
    can be pickled.

    Args:
        backoff_factor: seconds before the first retry, at least 0.
        cap_seconds: no delay is longer than this; a day by default.

    Raises:
        DefinitionError: a negative or infinite number.

    Source: Prefect 3's `exponential_backoff`, whose delays are the same but have no cap.
    """

    __slots__ = ("backoff_factor", "cap_seconds")

    def __init__(self, backoff_factor: float, cap_seconds: float = 86_400.0) -> None:
        self.backoff_factor = _checked_seconds(backoff_factor, "backoff_factor")
        self.cap_seconds = _checked_seconds(cap_seconds, "cap_seconds")

    def __call__(self, retry_number: int) -> float:
        # The exponent is bounded so that a run with thousands of retries does not overflow a float.
        return min(self.cap_seconds, self.backoff_factor * 2.0 ** min(retry_number - 1, 512))

    def __repr__(self) -> str:
        return f"exponential_backoff(backoff_factor={self.backoff_factor:g}, cap_seconds={self.cap_seconds:g})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, exponential_backoff):
            return NotImplemented
        return (self.backoff_factor, self.cap_seconds) == (other.backoff_factor, other.cap_seconds)

    def __hash__(self) -> int:
        return hash((self.backoff_factor, self.cap_seconds))


def checked_retry(retries: object, retry_delay_seconds: object, retry_jitter_factor: object) -> None:
    """Check a retry policy where it is written down, so that it cannot fail after an attempt has.

    Args:
        retries: a whole number, at least 0.
        retry_delay_seconds: None, a number, a sequence of numbers, or a callable.
        retry_jitter_factor: None or a number, at least 0.

    Raises:
        DefinitionError: names the option and its value. Nothing is defined.
    """
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        raise DefinitionError(f"retries is {retries!r}, but must be a whole number, 0 or more.")
    if retry_jitter_factor is not None:
        _checked_seconds(retry_jitter_factor, "retry_jitter_factor")
    if retry_delay_seconds is None or callable(retry_delay_seconds):
        return
    if isinstance(retry_delay_seconds, str | bytes) or not isinstance(retry_delay_seconds, Sequence):
        _checked_seconds(retry_delay_seconds, "retry_delay_seconds")
        return
    if not retry_delay_seconds:
        raise DefinitionError(
            "retry_delay_seconds is an empty list.", hint="Give one number for each retry; the last one repeats."
        )
    for position, seconds in enumerate(retry_delay_seconds):
        _checked_seconds(seconds, f"retry_delay_seconds[{position}]")


def retry_delay(spec: RetryDelay, retry_number: int, jitter_factor: float | None, draw: float) -> float:
    """Compute the seconds to wait before a retry.

    Args:
        spec: None (no delay), a number, a list of which the last one repeats, or a callable from the retry's number.
        retry_number: 1 for the first retry.
        jitter_factor: f draws uniformly from [d, d · (1 + f)]; None or 0 adds nothing.
        draw: a uniformly drawn number, 0 ≤ draw < 1.

    Raises:
        DefinitionError: the user's callable gave something else than a number of seconds, 0 or more. What it raises
            itself passes through. Nothing was scheduled.
    """
    if spec is None:
        return 0.0
    if callable(spec):
        seconds = _checked_seconds(spec(retry_number), f"retry_delay_seconds, called with {retry_number},")
    elif isinstance(spec, Sequence):
        seconds = float(spec[min(retry_number, len(spec)) - 1])
    else:
        seconds = float(spec)
    return seconds * (1.0 + jitter_factor * draw) if jitter_factor else seconds


def _checked_seconds(value: object, name: str) -> float:
    number = -1.0
    # Whatever can be a float will do (numpy's numbers, Decimal), but not what merely reads like one.
    if not isinstance(value, bool) and hasattr(value, "__float__"):
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = -1.0
    if not math.isfinite(number) or number < 0:
        raise DefinitionError(f"{name} is {value!r}, but must be a number, 0 or more.")
    return number


def at_least(n: int) -> str:
    """Name the condition that at least `n` upstream calls succeeded, for `run_when`.

    Raises:
        DefinitionError: `n` is not a whole number of 1 or more.
    """
    given: object = n
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise DefinitionError(f"at_least({n!r}) needs a whole number, 1 or more.")
    return f"{_AT_LEAST}{n})"


def checked_condition(run_when: object) -> str:
    """Check a `run_when` where it is written down, and return it.

    Raises:
        DefinitionError: lists what there is. Nothing is defined.
    """
    if isinstance(run_when, str) and (run_when in CONDITIONS or needed(run_when)):
        return run_when
    raise DefinitionError(
        f"run_when is {run_when!r}, which is not a condition.", hint=f"There are: {', '.join(CONDITIONS)}, at_least(n)."
    )


def needed(run_when: str) -> int:
    """Return the n of `at_least(n)`, or 0 for what is not one."""
    digits = run_when[len(_AT_LEAST) : -1]
    is_one = run_when.startswith(_AT_LEAST) and run_when.endswith(")") and digits.isascii() and digits.isdigit()
    return int(digits) if is_one and len(digits) < 10 else 0
