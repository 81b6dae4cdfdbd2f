"""The naive model of a root run: it keeps everything, folds nothing and asks only the core's steps what is legal."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

import msgspec
from wire import ERROR, NOW, RESULT, Root

from stellwerk.core.step import NOTHING, Subject, begin, end, move
from stellwerk.core.table import ATTEMPT, RUN
from stellwerk.errors import IllegalTransition
from stellwerk.model.messages import Began, Ended, Granted, Message, Submitted
from stellwerk.model.records import AttemptRecord, RunRecord, StoryRecord
from stellwerk.model.states import RUNNING, TERMINAL, Cause

CAUSES = {
    "raised": Cause("user_error", "ValueError"),
    "lost": Cause("lease_lost"),
    "stopped": Cause("cancelled", "Ctrl-C"),
}


class NaiveRun:
    """Hold one run with each of its attempts and its whole story."""

    def __init__(self) -> None:
        self.subject = NOTHING
        self.attempts: list[AttemptRecord] = []
        self.story: list[StoryRecord] = []
        self.left_at: int | None = None  # where in the story the run left the plain road
        self.created_at = 0
        self.due_at: int | None = None
        self.cause: Cause | None = None
        self.error: Any = None
        self.has_result = False

    def take(self, message: Message) -> None:
        """Take a message, or raise IllegalTransition."""
        if isinstance(message, Submitted):
            if self.subject != NOTHING:
                raise IllegalTransition("submitted twice")
            self.created_at = message.at
            self._move(
                message.at, "submitted", move(self.subject, "submitted"), None if message.ready else "AwaitingUpstream"
            )
            if message.ready:
                self._move(message.at, "granted", move(self.subject, "granted"), None)
        elif self.subject == NOTHING:
            raise IllegalTransition("never submitted")
        elif isinstance(message, Granted):
            self._move(message.at, "granted", move(self.subject, "granted"), None)
        elif isinstance(message, Began):
            self._begin(message, begin(self.subject, message.attempt))
        elif isinstance(message, Ended) and message.event:
            self._end(message, end(self.subject, message.attempt, message.event, message.then))
        elif isinstance(message, Ended):
            self._end(message, move(self.subject, message.then))

    def _move(self, at: int, event: str, after: Subject, label: str | None) -> None:
        self.story.append(StoryRecord(at, event, self.subject.run, after.run, label))
        self.subject = after

    def _begin(self, message: Began, after: Subject) -> None:
        if self.subject.run == "scheduled":
            self._move(message.at, "granted", move(self.subject, "granted"), None)
        self._move(message.at, "began", after, None)
        self.attempts.append(
            AttemptRecord(message.run_id, message.attempt, RUNNING, None, None, None, None, message.at, None)
        )
        self.due_at = self.cause = self.error = None

    def _end(self, message: Ended, after: Subject) -> None:
        if after.run not in TERMINAL and self.left_at is None:
            self.left_at = len(self.story)
        label = message.label or None
        self._move(message.at, message.then, after, "AwaitingRetry" if message.then == "retried" else label)
        self.cause, self.error, self.due_at = message.cause, message.error, message.until or None
        self.has_result = self.has_result or message.result is not None
        if message.event:
            attempt = self.attempts[-1]
            attempt.state, attempt.label, attempt.ended_at = after.attempt, label, message.at
            attempt.cause, attempt.evidence = words(message.cause)
            attempt.error = msgspec.json.encode(message.error).decode() if message.error else None

    def record(self, submitted: Submitted, root_id: bytes) -> RunRecord:
        """Give the row that the store should have."""
        last = self.story[-1]
        cause, evidence = words(self.cause)
        return RunRecord(
            id=submitted.run_id,
            project="default",
            kind=submitted.kind,
            parent_id=submitted.parent_id or None,
            root_id=root_id,
            name=submitted.name,
            flow=submitted.flow or None,
            task=submitted.task or None,
            call_key=submitted.call_key or None,
            n=submitted.n,
            item_index=submitted.item_index if submitted.item_index >= 0 else None,
            code_hash=submitted.code_hash or None,
            tags=None,
            parameters=None,
            created_at=self.created_at,
            state=self.subject.run,
            label=last.label,
            cause=cause,
            evidence=evidence,
            attempts=len(self.attempts),
            story_rows=len(self.told()),
            due_at=self.due_at,
            started_at=self.attempts[0].started_at if self.attempts else None,
            ended_at=last.at if self.subject.run in TERMINAL else None,
            error=msgspec.json.encode(self.error).decode() if self.error else None,
            result_hash=RESULT.hash if self.has_result else None,
            result_size=RESULT.size_bytes if self.has_result else None,
            result=RESULT.data if self.has_result else None,
            preview=RESULT.preview if self.has_result else None,
        )

    def told(self) -> list[StoryRecord]:
        """Give the part of the story that the store keeps: from where the run left the plain road."""
        return [] if self.left_at is None else self.story[self.left_at :]

    def kept(self) -> list[AttemptRecord]:
        """Give the attempts that the store keeps as rows of their own."""
        return [] if self.left_at is None else self.attempts


class NaiveStore:
    """Hold the runs of one root, and take batches whole or not at all."""

    def __init__(self, ids: list[bytes]) -> None:
        self.runs = {run_id: NaiveRun() for run_id in ids}
        self.submitted: dict[bytes, Submitted] = {}

    def apply(self, messages: list[Message]) -> bool:
        """Take a batch; whether it is accepted."""
        before = copy.deepcopy(self.runs)
        try:
            for message in messages:
                self.runs[message.run_id].take(message)  # type: ignore[union-attr]  # no lines, no sources here
        except IllegalTransition:
            self.runs = before
            return False
        self.submitted |= {message.run_id: message for message in messages if isinstance(message, Submitted)}
        return True

    def lose(self, at: int, cause: Cause) -> None:
        """End all that has not ended, as a take-over does."""
        for run_id, run in self.runs.items():
            if run.subject.run == "" or run.subject.run in TERMINAL:
                continue
            attempt, event = (run.subject.number, "lost") if run.subject.attempt == RUNNING else (0, "")
            run.take(Ended(run_id, at, "crashed", attempt, event, "OwnerLost", cause))


def words(cause: Cause | None) -> tuple[str | None, str | None]:
    """Split a cause into its columns."""
    return (cause.kind, cause.evidence or None) if cause else (None, None)


def messages_for(root: Root, run_id: bytes, run: NaiveRun, at: int) -> list[Message]:
    """List every message that might be sent of a run, legal or not."""
    number = run.subject.number
    whole = root.begin()[0] if run_id == root.id else None
    assert whole is None or isinstance(whole, Submitted)
    messages: list[Message] = []
    for ready in (True, False):
        first = whole or root.task(run_id)
        messages.append(msgspec.structs.replace(first, at=at, ready=ready, parameters=b"", tags=()))
    messages.append(Granted(run_id, at))
    messages += [Began(run_id, at, attempt) for attempt in (number + 1, number, number + 2)]
    for then in RUN:
        until = at + 5 if then == "retried" else 0
        messages.append(Ended(run_id, at, then, result=RESULT if then == "cached" else None))
        for event in ATTEMPT:
            cause = CAUSES.get(event)
            error = ERROR if event == "raised" else None
            result = RESULT if (event, then) == ("returned", "completed") else None
            messages.append(Ended(run_id, at, then, number, event, "", cause, error, result, until))
    messages.append(Ended(run_id, at, "completed", number + 1, "returned", result=RESULT))
    return messages


def choose(root: Root, model: NaiveStore, seed: int, length: int) -> list[list[Message]]:
    """Choose messages and cut them into batches: mostly messages that are legal where they stand, some of any."""
    chance, shadow = Random(seed), copy.deepcopy(model)
    batches: list[list[Message]] = [[]]
    for step in range(length):
        run_id = chance.choice(list(shadow.runs))
        candidates = messages_for(root, run_id, shadow.runs[run_id], NOW + 10 * step)
        legal = [message for message in candidates if is_legal(shadow.runs[run_id].subject, message)]
        forward = [message for message in legal if isinstance(message, Submitted | Granted | Began)]
        ends = [message for message in legal if isinstance(message, Ended) and message.event]
        going_on = [message for message in ends if message.then in ("retried", "paused")]
        again = [
            message for message in legal if isinstance(message, Ended) and message.then in ("resumed", "continued")
        ]
        weighed = {1: candidates, 2: legal, 6: ends, 7: going_on, 8: again, 12: forward}
        kinds = {weight: some for weight, some in weighed.items() if some}
        message = chance.choice(kinds[chance.choices(list(kinds), list(kinds))[0]])
        if message in legal:
            shadow.runs[run_id].take(message)
        batches[-1].append(message)
        if chance.random() < 0.4:
            batches.append([])
    return [batch for batch in batches if batch]


def is_legal(subject: Subject, message: Message) -> bool:
    """Whether a run could take a message."""
    try:
        if isinstance(message, Submitted):
            return subject == NOTHING
        if isinstance(message, Began):
            begin(subject, message.attempt)
        elif isinstance(message, Ended) and message.event:
            end(subject, message.attempt, message.event, message.then)
        elif isinstance(message, Ended):
            return subject != NOTHING and bool(move(subject, message.then))
        else:
            move(subject, "granted")
    except IllegalTransition:
        return False
    return True
