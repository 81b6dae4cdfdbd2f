"""Admission: every condition, what is final and what is not, and that a user is told what was decided."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellwerk.core.admit import CLAUSES, FINAL, Clause, Waiting, admits, condition, decide, unmet
from stellwerk.execute.upstream import Upstream
from stellwerk.model.policy import CONDITIONS, at_least
from stellwerk.model.states import CANCELLED, COMPLETED, CRASHED, FAILED, RUNNING, SKIPPED, State
from stellwerk.sdk.futures import Future

TERMINAL_STATES = (COMPLETED, FAILED, SKIPPED, CRASHED, CANCELLED)
RUN_WHEN = st.one_of(st.sampled_from(CONDITIONS), st.integers(1, 5).map(at_least))
COUNTS = st.integers(0, 4)
TIMES = st.integers(0, 4_000_000_000_000_000)  # up to the year 2096
FACTS = st.builds(
    Waiting,
    run_when=RUN_WHEN,
    succeeded=COUNTS,
    failed=COUNTS,
    skipped=COUNTS,
    unfinished=COUNTS,
    unread=COUNTS,
    due_at=st.none() | TIMES,
    now=TIMES,
)

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


# ── a run as a whole: its upstream, the values that it takes, and the time ───────────────────────────────────────────
def changed(facts: Waiting, **news: Any) -> Waiting:
    return msgspec.structs.replace(facts, **news)


@given(FACTS)
def test_nothing_is_unmet_exactly_when_it_runs(facts: Waiting) -> None:
    clauses = unmet(facts)
    assert (clauses == []) == (admits(facts) == "run")
    assert {clause.kind for clause in clauses} <= set(CLAUSES)
    assert len({clause.kind for clause in clauses}) == len(clauses)
    assert all(clause.text and "\n" not in clause.text for clause in clauses)


@given(FACTS)
def test_it_runs_when_the_condition_holds_all_values_are_there_and_it_is_due(facts: Waiting) -> None:
    decided = decide(facts.run_when, facts.succeeded, facts.failed, facts.skipped, facts.unfinished)
    is_due = facts.due_at is None or facts.due_at <= facts.now
    assert (admits(facts) == "run") == (decided == "run" and facts.unread == 0 and is_due)


@given(FACTS)
def test_what_is_final_is_told_apart_from_waiting(facts: Waiting) -> None:
    decision, clauses = admits(facts), unmet(facts)
    assert [clause.is_final for clause in clauses] == ([True] if decision in FINAL.values() else [False] * len(clauses))
    assert decision == (FINAL.get(clauses[0].kind, "wait") if clauses else "run")
    if decision in FINAL.values():
        # Neither values nor the time play a part, and nothing that still ends can change it.
        assert admits(changed(facts, unread=0, due_at=None)) == decision
        for ended in ("succeeded", "failed", "skipped"):
            assert admits(changed(facts, unfinished=0, **{ended: getattr(facts, ended) + facts.unfinished})) == decision


@given(FACTS)
def test_a_clause_goes_when_what_it_names_comes(facts: Waiting) -> None:
    if admits(facts) == "wait":
        kinds = [clause.kind for clause in unmet(facts)]
        later = changed(facts, now=max(facts.now, facts.due_at or 0))
        assert [clause.kind for clause in unmet(later)] == [kind for kind in kinds if kind != "time"]
        read = changed(facts, unread=0)
        assert [clause.kind for clause in unmet(read)] == [kind for kind in kinds if kind != "value"]


@pytest.mark.parametrize(
    ("facts", "clauses"),
    [
        (Waiting(), []),
        (Waiting(succeeded=3), []),
        (Waiting(succeeded=1, unfinished=2), [("upstream", "waits for 2 of 3 tasks it depends on")]),
        (Waiting(unfinished=1, unread=1), [("upstream", "waits for the task it depends on")]),
        (
            Waiting("all_failed", failed=1, unfinished=1),
            [("upstream", "waits for 1 of 2 tasks it depends on, which must fail")],
        ),
        (
            Waiting("at_least(2)", succeeded=1, unfinished=1_200),
            [("upstream", "waits for 1 of 1,200 unfinished tasks it depends on to succeed")],
        ),
        (
            Waiting("any_failed", succeeded=1, unfinished=2, unread=2),
            [
                ("upstream", "waits for 1 of 2 unfinished tasks it depends on to fail"),
                ("value", "waits for 2 tasks to end, whatever comes of them"),
            ],
        ),
        (
            Waiting("any_succeeded", succeeded=1, unfinished=1, unread=1),
            [("value", "waits for a task to end, whatever comes of it")],
        ),
        (
            Waiting(unfinished=1, unread=2, due_at=1_785_000_000_000_000, now=1),
            [
                ("upstream", "waits for the task it depends on"),
                ("value", "waits for 2 tasks to end, whatever comes of them"),
                ("time", "its next attempt is due at 2026-07-25T17:20:00Z"),
            ],
        ),
        (Waiting(due_at=1_500_000, now=2), [("time", "its next attempt is due at 1970-01-01T00:00:01.500000Z")]),
        (Waiting(due_at=5, now=5), []),
        (Waiting(failed=1), [("upstream_failed", "will not run: the task it depends on failed")]),
        (
            Waiting(failed=2, unfinished=1, due_at=9),
            [("upstream_failed", "will not run: 2 of 3 tasks it depends on failed")],
        ),
        (
            Waiting(succeeded=1, skipped=1),
            [("upstream_skipped", "will not run: 1 of 2 tasks it depends on was skipped")],
        ),
        (
            Waiting("any_failed", succeeded=2, skipped=1),
            [
                (
                    "condition",
                    "will not run: its run_when='any_failed' can no longer hold (of 3: 2 succeeded, 1 skipped)",
                )
            ],
        ),
        (
            Waiting("at_least(3)", unfinished=2),
            [("condition", "will not run: its run_when='at_least(3)' can no longer hold (it depends on 2)")],
        ),
    ],
)
def test_the_sentences(facts: Waiting, clauses: list[tuple[str, str]]) -> None:
    assert unmet(facts) == [Clause(kind, text) for kind, text in clauses]


def test_every_kind_is_documented_and_occurs() -> None:
    assert all(CLAUSES.values())
    assert set(FINAL) < set(CLAUSES)
    spans = itertools.product((*CONDITIONS, at_least(2)), *[range(3)] * 5, (None, 1))
    assert {clause.kind for span in spans for clause in unmet(Waiting(*span))} == set(CLAUSES)


def test_the_engine_counts_the_facts() -> None:
    needed, allowed, other = (Future[int](bytes([number]) * 16, f"t-{number}", "t") for number in range(3))
    upstream = Upstream([(needed, False), (allowed, True)], [(other, False)])
    assert upstream.facts("all_succeeded") == Waiting(unfinished=2, unread=2)
    for future, state, facts, decision in (
        (other, COMPLETED, Waiting(succeeded=1, unfinished=1, unread=2), "wait"),
        (needed, COMPLETED, Waiting(succeeded=2, unread=1), "wait"),
        (allowed, FAILED, Waiting(succeeded=2), "run"),
    ):
        future.settle(State(state))
        upstream.count(future)
        assert upstream.facts("all_succeeded") == facts
        assert upstream.decide("all_succeeded") == decision == admits(facts)
