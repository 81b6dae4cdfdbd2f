"""Admission: whether a run may start, and what it still waits for, in words for its user.

What lives here: the decision itself, from facts that the caller counts, and the sentences that tell it. What does not:
how facts are counted (the caller's), what a condition may be called (`model.policy`), and who claims what.

Theory of operation: `_unmet` lists what stands in the way, as kinds from a closed list. `admits` reads the decision off
that list and `unmet` puts a sentence to each of its kinds, so what a user is told is what was decided. Some kinds are
final: such a run will never start, whatever ends or however late it gets.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeAlias

import msgspec

from stellwerk.model.policy import ALL_FAILED, ALL_FINISHED, ALL_SUCCEEDED, ANY_FAILED, needed
from stellwerk.model.states import COMPLETED, SKIPPED, TERMINAL

__all__ = ["CLAUSES", "FINAL", "Clause", "Decision", "Waiting", "admits", "condition", "decide", "unmet"]

Decision: TypeAlias = Literal["run", "skip", "upstream_failed", "wait"]

CLAUSES: Final = {
    "upstream": "what it depends on has not ended as its run_when needs",
    "value": "a task whose value it takes as an argument, or whose failure it allows, has not ended",
    "time": "the time at which it is due has not come",
    "upstream_failed": "a task it needs has failed, so it will never run",
    "upstream_skipped": "a task it needs was skipped, so it will never run",
    "condition": "its run_when can no longer hold, so it will never run",
}
"""Every kind of clause, with its meaning."""

FINAL: Final[dict[str, Decision]] = {
    "upstream_failed": "upstream_failed",
    "upstream_skipped": "skip",
    "condition": "skip",
}
"""The kinds that no waiting helps against, with the decision that each stands for."""

_WAIT_FOR_ALL: Final = (ALL_SUCCEEDED, ALL_FINISHED, ALL_FAILED)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Waiting(msgspec.Struct, frozen=True):
    """Hold what is known of a run that has not begun.

    Args:
        run_when: a checked condition.
        succeeded: how many of its upstream runs completed.
        failed: how many failed (UpstreamFailed too), crashed or were cancelled.
        skipped: how many neither succeeded nor failed.
        unfinished: how many have not ended.
        unread: how many have not ended whose value it takes as an argument, or whose failure it allows. The first may
            be among the unfinished too; the second (`allow_failure`) count here alone.
        due_at: before this it does not start, in microseconds since the Unix epoch, UTC; None when no time matters.
        now: likewise; plays no part without `due_at`.
    """

    run_when: str = ALL_SUCCEEDED
    succeeded: int = 0
    failed: int = 0
    skipped: int = 0
    unfinished: int = 0
    unread: int = 0
    due_at: int | None = None
    now: int = 0


class Clause(msgspec.Struct, frozen=True):
    """Hold one thing that stands in a run's way: a kind from `CLAUSES` and the sentence for its user."""

    kind: str
    text: str

    @property
    def is_final(self) -> bool:
        """Say whether the run will never start, however long it waits."""
        return self.kind in FINAL


def admits(facts: Waiting) -> Decision:
    """Decide whether a run may start now.

    Returns: `run`, exactly when `unmet` is empty; `upstream_failed` or `skip` when it will never run, which is final
        whatever else is outstanding; else `wait`.
    """
    kinds = _unmet(facts)
    return FINAL.get(kinds[0], "wait") if kinds else "run"


def unmet(facts: Waiting) -> list[Clause]:
    """List what stands in the way of a run, in words for its user.

    Returns: empty exactly when `admits` says `run`; the one final clause when it will never run; else all that it
        waits for: upstream, values, time.
    """
    return [Clause(kind, _text(kind, facts)) for kind in _unmet(facts)]


def _unmet(facts: Waiting) -> list[str]:
    decision = decide(facts.run_when, facts.succeeded, facts.failed, facts.skipped, facts.unfinished)
    if decision == "upstream_failed":
        return ["upstream_failed"]
    if decision == "skip":
        return ["upstream_skipped" if facts.run_when == ALL_SUCCEEDED else "condition"]
    kinds = ["upstream"] if decision == "wait" else []
    # Who waits for all of them anyway need not be told that it also takes their values.
    told = facts.unfinished if kinds and facts.run_when in _WAIT_FOR_ALL else 0
    if facts.unread > told:
        kinds.append("value")
    if facts.due_at is not None and facts.due_at > facts.now:
        kinds.append("time")
    return kinds


def condition(run_when: str, outcomes: Iterable[str | None]) -> Decision:
    """Decide whether a condition holds, from the states of the upstream.

    Args:
        run_when: a checked condition.
        outcomes: the state of each upstream run; None or a state that is not terminal means unfinished.

    Returns:
        As `decide`.

    Cost: linear in the number of upstream runs; who keeps counts calls `decide`.
    """
    succeeded = failed = skipped = unfinished = 0
    for state in outcomes:
        if state == COMPLETED:
            succeeded += 1
        elif state == SKIPPED:
            skipped += 1
        elif state in TERMINAL:
            failed += 1
        else:
            unfinished += 1
    return decide(run_when, succeeded, failed, skipped, unfinished)


def decide(run_when: str, succeeded: int, failed: int, skipped: int, unfinished: int) -> Decision:
    """Decide whether a condition holds, from how many upstream runs ended how.

    A decision other than `wait` is final: however the unfinished ones end, it stays. It may come before all have
    finished; then a run that takes an unfinished one as an argument has to wait for that value all the same, and
    `admits` says so.

    Args:
        run_when: a checked condition.
        succeeded: completed ones.
        failed: failed (UpstreamFailed too), crashed or cancelled ones.
        skipped: those that neither succeeded nor failed.
        unfinished: all others.

    Returns:
        `run`; `upstream_failed` when all had to succeed and one failed; `skip` when the condition can no longer hold
        for another reason; `wait` while it is open.
    """
    total = succeeded + failed + skipped + unfinished
    if not total:
        return "run"
    if run_when == ALL_SUCCEEDED:
        if failed:
            return "upstream_failed"
        # A skipped one settles that it will not run, but a failure among the unfinished would be the better reason.
        return "wait" if unfinished else "skip" if skipped else "run"
    if run_when == ALL_FINISHED:
        return "wait" if unfinished else "run"
    if run_when == ALL_FAILED:
        return "skip" if succeeded or skipped else "wait" if unfinished else "run"
    reached, wanted = _progress(run_when, succeeded, failed)
    if reached >= wanted:
        return "run"
    return "wait" if reached + unfinished >= wanted else "skip"


def _progress(run_when: str, succeeded: int, failed: int) -> tuple[int, int]:
    """Return how many have ended as a condition on some of them wants, and how many it wants."""
    return (failed, 1) if run_when == ANY_FAILED else (succeeded, needed(run_when) or 1)


# ── sentences ────────────────────────────────────────────────────────────────────────────────────────────────────────
def _text(kind: str, facts: Waiting) -> str:
    if kind == "upstream":
        return _upstream_text(facts)
    if kind == "value":
        those, them = ("a task", "it") if facts.unread == 1 else (f"{facts.unread:,} tasks", "them")
        return f"waits for {those} to end, whatever comes of {them}"
    if kind == "time":
        due_at = _EPOCH + timedelta(microseconds=facts.due_at or 0)
        return f"its next attempt is due at {due_at.isoformat()[:-6]}Z"
    total = facts.succeeded + facts.failed + facts.skipped + facts.unfinished
    if kind == "upstream_failed":
        return f"will not run: {_some(facts.failed, total)} failed"
    if kind == "upstream_skipped":
        return f"will not run: {_some(facts.skipped, total)} {'was' if facts.skipped == 1 else 'were'} skipped"
    counts = {"succeeded": facts.succeeded, "failed": facts.failed, "skipped": facts.skipped}
    told = ", ".join(f"{count:,} {how}" for how, count in counts.items() if count)
    of_total = f" (of {total:,}: {told})" if told else f" (it depends on {total:,})"
    return f"will not run: its run_when={facts.run_when!r} can no longer hold{of_total}"


def _upstream_text(facts: Waiting) -> str:
    total = facts.succeeded + facts.failed + facts.skipped + facts.unfinished
    if facts.run_when in _WAIT_FOR_ALL:
        must = ", which must fail" if facts.run_when == ALL_FAILED else ""
        return f"waits for {_some(facts.unfinished, total)}{must}"
    reached, wanted = _progress(facts.run_when, facts.succeeded, facts.failed)
    verb = "fail" if facts.run_when == ANY_FAILED else "succeed"
    return f"waits for {wanted - reached:,} of {facts.unfinished:,} unfinished tasks it depends on to {verb}"


def _some(count: int, total: int) -> str:
    if total == 1:
        return "the task it depends on"
    return f"{count:,} of {total:,} tasks it depends on"
