"""Retry policies and the names of conditions: the arithmetic, its edges and what is refused."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellwerk.errors import DefinitionError
from stellwerk.model.policy import (
    CONDITIONS,
    at_least,
    checked_condition,
    checked_retry,
    exponential_backoff,
    retry_delay,
)

SECONDS = st.floats(0, 1e6)
DRAWS = st.floats(0, 1, exclude_max=True)


@given(SECONDS, st.floats(0, 10), DRAWS, st.integers(1, 50))
def test_jitter_draws_from_the_delay_upwards(delay: float, factor: float, draw: float, number: int) -> None:
    assert delay <= retry_delay(delay, number, factor, draw) <= delay * (1 + factor)


@given(SECONDS, st.integers(1, 50), DRAWS)
def test_without_jitter_the_delay_is_exact(delay: float, number: int, draw: float) -> None:
    assert retry_delay(delay, number, None, draw) == retry_delay(delay, number, 0, draw) == delay


@given(st.lists(SECONDS, min_size=1, max_size=10), st.integers(1, 30))
def test_the_last_of_a_list_repeats(delays: list[float], number: int) -> None:
    expected = (delays + [delays[-1]] * 30)[number - 1]
    assert retry_delay(delays, number, None, 0.5) == retry_delay(tuple(delays), number, None, 0.5) == expected


def test_a_callable_gets_the_number_of_the_retry() -> None:
    assert [retry_delay(lambda n: n * 10, n, None, 0) for n in (1, 2, 3)] == [10, 20, 30]


def test_no_delay_is_none_even_with_jitter() -> None:
    assert retry_delay(None, 1, 1.0, 0.9) == 0


@pytest.mark.parametrize("answer", [[1, 2], None, -1, float("nan"), float("inf"), "5", True])
def test_a_callable_with_a_bad_answer_is_named(answer: object) -> None:
    with pytest.raises(DefinitionError, match="called with 2"):
        retry_delay(lambda n: answer, 2, None, 0)  # type: ignore[arg-type,return-value]  # the point of the test


def test_exponential_backoff_doubles_up_to_its_cap() -> None:
    backoff = exponential_backoff(backoff_factor=10, cap_seconds=60)
    assert [backoff(n) for n in range(1, 6)] == [10, 20, 40, 60, 60]
    assert exponential_backoff(1)(100_000) == 86_400
    assert exponential_backoff(0)(3) == 0
    assert pickle.loads(pickle.dumps(backoff)) == backoff
    assert hash(backoff) == hash(exponential_backoff(10.0, 60.0))
    assert repr(backoff) == "exponential_backoff(backoff_factor=10, cap_seconds=60)"


@pytest.mark.parametrize(
    ("retries", "delay", "jitter"),
    [
        (-1, None, None),
        (1.5, None, None),
        (True, None, None),
        (1, -1, None),
        (1, [], None),
        (1, [1, -2], None),
        (1, "10", None),
        (1, ["10"], None),
        (1, 10**400, None),
        (1, 1, -0.1),
        (1, 1, float("nan")),
    ],
)
def test_a_bad_retry_policy_is_refused_at_definition(retries: object, delay: object, jitter: object) -> None:
    with pytest.raises(DefinitionError, match="retr"):
        checked_retry(retries, delay, jitter)


@pytest.mark.parametrize("delay", [None, 0, 1.5, [1, 2], (0.5,), lambda n: n, exponential_backoff(2)])
def test_a_good_retry_policy_passes(delay: object) -> None:
    checked_retry(3, delay, 0.5)


def test_unknown_conditions_are_refused_with_the_list() -> None:
    for wrong in ("all_suceeded", "at_least(0)", "at_least(x)", "at_least(-1)", "at_least", "", None, 3):
        with pytest.raises(DefinitionError, match="any_succeeded"):
            checked_condition(wrong)
    for wrong_number in (0, -1, 1.0, True, "2"):
        with pytest.raises(DefinitionError, match="at_least"):
            at_least(wrong_number)  # type: ignore[arg-type]  # the point of the test
    for right in (*CONDITIONS, at_least(1), at_least(12)):
        assert checked_condition(right) == right
