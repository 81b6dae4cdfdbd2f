"""Retry delays and conditions: the arithmetic, its edges and its promises."""

from __future__ import annotations

import itertools
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
    condition,
    decide,
    exponential_backoff,
    retry_delay,
)
from stellwerk.model.states import CANCELLED, COMPLETED, CRASHED, FAILED, RUNNING, SKIPPED

SECONDS = st.floats(0, 1e6)
DRAWS = st.floats(0, 1, exclude_max=True)
TERMINAL_STATES = (COMPLETED, FAILED, SKIPPED, CRASHED, CANCELLED)
RUN_WHEN = st.one_of(st.sampled_from(CONDITIONS), st.integers(1, 5).map(at_least))


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


DONE, BAD, SKIP, OPEN = COMPLETED, FAILED, SKIPPED, None


@pytest.mark.parametrize(
    ("run_when", "outcomes", "decision"),
    [
        ("all_succeeded", [DONE, DONE], "run"),
        ("all_succeeded", [DONE, OPEN], "wait"),
        ("all_succeeded", [DONE, RUNNING], "wait"),
        ("all_succeeded", [BAD, OPEN], "upstream_failed"),
        ("all_succeeded", [SKIP, OPEN], "wait"),
        ("all_succeeded", [SKIP, DONE], "skip"),
        ("all_succeeded", [SKIP, BAD], "upstream_failed"),
        ("all_succeeded", [CRASHED], "upstream_failed"),
        ("all_succeeded", [CANCELLED], "upstream_failed"),
        ("all_finished", [DONE, BAD, SKIP], "run"),
        ("all_finished", [DONE, BAD, OPEN], "wait"),
        ("any_failed", [OPEN, BAD], "run"),
        ("any_failed", [OPEN, DONE], "wait"),
        ("any_failed", [SKIP, DONE], "skip"),
        ("any_failed", [CRASHED, DONE], "run"),
        ("any_succeeded", [OPEN, DONE], "run"),
        ("any_succeeded", [OPEN, BAD], "wait"),
        ("any_succeeded", [SKIP, BAD], "skip"),
        ("all_failed", [BAD, CRASHED, CANCELLED], "run"),
        ("all_failed", [BAD, OPEN], "wait"),
        ("all_failed", [DONE, OPEN], "skip"),
        ("all_failed", [SKIP, OPEN], "skip"),
        ("at_least(2)", [DONE, OPEN, OPEN], "wait"),
        ("at_least(2)", [DONE, DONE, OPEN], "run"),
        ("at_least(2)", [DONE, BAD, SKIP], "skip"),
        ("at_least(2)", [BAD, BAD, OPEN], "skip"),
        ("at_least(3)", [OPEN, OPEN], "skip"),
    ],
)
def test_conditions(run_when: str, outcomes: list[str | None], decision: str) -> None:
    assert condition(run_when, outcomes) == decision


@given(RUN_WHEN)
def test_without_upstream_everything_runs(run_when: str) -> None:
    assert condition(run_when, []) == "run"


@given(RUN_WHEN, st.lists(st.sampled_from(TERMINAL_STATES), min_size=1))
def test_when_all_have_finished_nothing_waits(run_when: str, outcomes: list[str]) -> None:
    assert condition(run_when, outcomes) != "wait"


@given(RUN_WHEN, st.lists(st.sampled_from(TERMINAL_STATES), min_size=1, max_size=8), st.data())
def test_an_early_decision_is_never_contradicted(run_when: str, ends: list[str], data: st.DataObject) -> None:
    outcomes: list[str | None] = [None] * len(ends)
    decided = condition(run_when, outcomes)
    for position in data.draw(st.permutations(range(len(ends)))):
        outcomes[position] = ends[position]
        now = condition(run_when, outcomes)
        assert decided in ("wait", now)
        decided = now
    assert decided == condition(run_when, ends)


def test_a_wait_is_truly_open() -> None:
    # For every small count: waiting means that the unfinished ones can still end in two different decisions,
    # or that the decision (to start) needs them all to have ended.
    for run_when in (*CONDITIONS, at_least(2)):
        for succeeded, failed, skipped, unfinished in itertools.product(range(3), repeat=4):
            if decide(run_when, succeeded, failed, skipped, unfinished) != "wait":
                continue
            ends = {
                decide(run_when, succeeded + s, failed + f, skipped + unfinished - s - f, 0)
                for s in range(unfinished + 1)
                for f in range(unfinished + 1 - s)
            }
            assert len(ends) > 1 or run_when == "all_finished"
