"""Views: every read goes through here.

What lives here: from stored rows to the objects that the command line, the server and pages show, in one shape for all
of them. What does not: SQL (the store's), and any change.

Theory of operation: a run that stayed on the plain road (submitted, granted, began, ended) keeps its only attempt and
its story folded into its row, so they are derived here from its times; what left that road has rows of its own from
then on, and only the part before is derived. In what is returned, times are RFC 3339 texts in UTC with microseconds,
identities are UUID texts, and an absent value is None.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from stellwerk.errors import NotFound, UsageError
from stellwerk.model.identity import to_text
from stellwerk.model.messages import Holder
from stellwerk.model.records import RunRecord
from stellwerk.model.states import ABSENT, COMPLETED, PENDING, RUNNING, SCHEDULED, TERMINAL
from stellwerk.store.port import Row, Store, in_chunks
from stellwerk.store.statements import SELECTED

__all__ = [
    "find_run",
    "has_blob",
    "log_count",
    "logs",
    "prefixes",
    "recent_runs",
    "result_of",
    "run_begun_by",
    "run_by_id",
    "show_run",
    "story",
    "task_groups",
    "task_tally",
    "tasks_not_completed",
]

PROJECT = "default"
TASKS = 10_000  # that `show_run` lists unless told otherwise: a contract
TALLIED = 1_000  # tasks that `task_tally` looks at, so that a list of runs costs the same however big they are
NEAR = 200  # recent runs among whose names a mistyped one is sought

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLACES = {column: place for place, column in enumerate(SELECTED)}
Step = tuple[int, str, str, str, str | None]  # at, event, state before, state after, label
_decode = msgspec.json.decode
_LEVELS = {10: "DEBUG", 20: "INFO", 30: "WARNING", 40: "ERROR", 50: "CRITICAL"}


# ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def recent_runs(store: Store, limit: int, include_children: bool = False) -> list[dict[str, Any]]:
    """List flow runs without a parent, or all runs of any kind, newest first.

    Cost: one statement, and one more for those that were tried more than once.
    """
    rows = store.select("runs_recent_all" if include_children else "runs_recent", (PROJECT, limit))
    return _objects(store, rows)


def run_by_id(store: Store, run_id: bytes) -> dict[str, Any]:
    """Return the run that has an id.

    Raises:
        NotFound: there is none.
    """
    rows = store.select("run_by_id", (run_id,))
    if not rows:
        raise NotFound(
            f"There is no run {to_text(run_id)}.", hint="It may have been deleted, or lie in another database."
        )
    return _objects(store, rows)[0]


def find_run(store: Store, text: str) -> tuple[dict[str, Any], str]:
    """Find the run that a person means.

    Args:
        text: an id or the unique beginning of one, with or without hyphens; or a name, which means the newest flow
            run of that name; or `RUN/TASK`, the task run or child flow run of that name within a run.

    Returns: the run, and a note for the person when the name has several (else empty).

    Raises:
        NotFound: there is none; the hint names the nearest.
        UsageError: several ids begin like this, and no run has it as its name.
    """
    if not _is_storable(text):
        raise NotFound(f"There is no run {text!r}.", hint="`stellwerk runs ls` lists what has run.")
    rows = _by_prefix(store, text)
    if len(rows) == 1:
        return _objects(store, rows)[0], ""
    named = store.select("runs_by_name", (PROJECT, text))
    if named:
        run = _objects(store, named[:1])[0]
        note = "" if len(named) == 1 else f"There are older runs named {text}; this is the newest, {run['id']}."
        return run, note
    if rows:
        found = [_record(row) for row in rows]
        told = ", ".join(f"{to_text(record.id)} ({record.name})" for record in found[:2])
        more = " and others" if len(found) > 2 else ""
        raise UsageError(f"Several runs have an id that begins with {text!r}: {told}{more}.", hint="Give more of it.")
    above, slash, name = text.rpartition("/")
    if slash and above and name:
        return _find_task(store, above, name)
    raise NotFound(f"There is no run {text!r}.", hint=_near(store, text), run=text)


def _find_task(store: Store, above: str, name: str) -> tuple[dict[str, Any], str]:
    run, note = find_run(store, above)
    names: list[str] = []
    for row in store.select("run_tasks", (_identity(run), TASKS)):
        names.append(_record(row).name)
        if names[-1] == name:
            return _objects(store, [row])[0], note
    raise NotFound(
        f"Run {run['name']!r} has no task run {name!r}.",
        hint=_nearest(name, names) or f"`stellwerk runs show {run['name']} --limit 1000` lists them.",
        run=name,
    )


def show_run(store: Store, run: dict[str, Any], limit: int = TASKS) -> dict[str, Any]:
    """Return a run with its tasks.

    Args:
        run: as `find_run` or `recent_runs` gave it.
        limit: how many of its tasks to list, from the first.

    Returns: the run with `tasks` (its task runs, those that they called and its child flow runs, in order of creation,
        each a run like any other with `upstream` beside) and `tasks_total`.

    Cost: four statements for each 500 tasks.
    """
    run_id = _identity(run)
    tasks = _objects(store, store.select("run_tasks", (run_id, limit)))
    upstream: dict[str, list[str]] = {}
    for ids in in_chunks([_identity(task) for task in tasks]):
        for below, above in store.select("upstream_of", (), ids):
            upstream.setdefault(to_text(bytes(below)), []).append(to_text(bytes(above)))
    for task in tasks:
        task["upstream"] = upstream.get(task["id"], [])
    total = len(tasks)
    if total >= limit:
        total = sum(row[3] for row in store.select("run_task_groups", (run_id,)))
    return {**run, "tasks": tasks, "tasks_total": total}


def tasks_not_completed(store: Store, run: dict[str, Any], limit: int) -> list[dict[str, Any]]:
    """List the tasks and child flow runs of a run that have not completed, from the first."""
    return _objects(store, store.select("run_tasks_not_completed", (_identity(run), limit)))


def task_groups(store: Store, run: dict[str, Any]) -> list[dict[str, Any]]:
    """Count the tasks and child flows of a run by name: `kind, name, states, started_at, ended_at`.

    Returns: in order of their first creation; `states` maps each state to how many are in it.
    """
    groups: dict[tuple[str, str], dict[str, Any]] = {}
    spans: dict[tuple[str, str], list[tuple[int | None, int | None]]] = {}
    for kind, name, state, count, started_at, ended_at in store.select("run_task_groups", (_identity(run),)):
        group = groups.setdefault((kind, name), {"kind": kind, "name": name, "states": {}})
        group["states"][state] = count
        spans.setdefault((kind, name), []).append((started_at, ended_at))
    for key, group in groups.items():
        started = [start for start, _ in spans[key] if start is not None]
        ended = [end for _, end in spans[key] if end is not None]
        group["started_at"] = _time(min(started, default=None))
        group["ended_at"] = _time(max(ended, default=None))
    return list(groups.values())


def task_tally(store: Store, run: dict[str, Any]) -> tuple[dict[str, int], bool]:
    """Count the tasks and child flows of a run by state; the second tells whether there are more than were counted.

    Cost: one statement over at most 1,000 rows.
    """
    tally: dict[str, int] = dict(store.select("run_tasks_tally", (_identity(run), TALLIED)))
    return tally, sum(tally.values()) >= TALLIED


def run_begun_by(store: Store, holder: Holder, since: int) -> dict[str, Any] | None:
    """Find the first root run that a process began.

    Args:
        since: microseconds since the Unix epoch, UTC.

    Returns: None when it began none.
    """
    first = (since // 1000 << 80).to_bytes(16, "big")
    rows = store.select("run_of_process", (first, holder.host, holder.boot_id, holder.pid))
    return _objects(store, rows)[0] if rows else None


def result_of(store: Store, run: dict[str, Any]) -> tuple[bytes, bytes | None]:
    """Return a run's recorded result.

    Returns: its digest, and its encoded bytes, or None when they lie in the blob store under that digest.

    Raises:
        NotFound: the run has none, or it was not recorded.
    """
    rows = store.select("result_of", (_identity(run),))
    digest, _size, data, _preview = rows[0] if rows else (None,) * 4
    if digest is None:
        raise NotFound(
            f"Run {run['name']!r} has no recorded result.",
            hint="It has not completed, returned something that can't be pickled, or was told not to record it.",
        )
    return bytes(digest), bytes(data) if data is not None else None


def has_blob(store: Store, run_id: bytes, digest: bytes) -> bool:
    """Say whether a run, an item of it or its plan refers to a blob."""
    return bool(store.select("blob_of", (run_id, digest) * 3))


def prefixes(store: Store, runs: Sequence[dict[str, Any]], shortest: int = 8) -> dict[str, str]:
    """Return for each run's id the shortest beginning that no other run's has, of at least `shortest` digits."""
    found: dict[str, str] = {}
    for ids in in_chunks([_identity(run) for run in runs]):
        for row in store.select("run_neighbours", (), ids):
            own, *others = (bytes(each).hex() for each in row if each is not None)
            digits = max([shortest, *(_shared(own, other) + 1 for other in others)])
            text = to_text(bytes(row[0]))
            # Hyphens stand after the 8th, 12th, 16th and 20th digit.
            found[text] = text[: digits + sum(digits > place for place in (8, 12, 16, 20))]
    return found


# ── what happened ────────────────────────────────────────────────────────────────────────────────────────────────────
def story(store: Store, run: dict[str, Any]) -> list[dict[str, Any]]:
    """Tell a run's transitions in order: `at, event, from_state, to_state, label`."""
    row = store.select("run_by_id", (_identity(run),))
    if not row:
        raise NotFound(f"There is no run {run['id']!r}.", hint="It may have been deleted meanwhile.")
    record = _record(row[0])
    told = store.select("story_of", (record.id,)) if record.story_rows else []
    first_attempt = next(iter(store.select("attempts_of", (), [record.id])), None) if told else None
    steps = [*_plain_story(record, told[0] if told else None, first_attempt), *told]
    return [
        {"at": _time(at), "event": event, "from_state": before or None, "to_state": after, "label": label}
        for at, event, before, after, label in steps
    ]


def _plain_story(record: RunRecord, first_told: Row | None, first_attempt: Row | None) -> list[Step]:
    """Derive the part of a story that was not written: up to the first written step, else to the present state."""
    reached, began_at, ended_at, label = record.state, record.started_at, record.ended_at, record.label
    if first_told is not None:
        reached, label = first_told[2], None
        began_at = record.started_at if reached == RUNNING else None
        ended_at = first_told[0] if reached in TERMINAL else None  # a resumed run that never began: by then, at latest
        if ended_at is not None and first_attempt is not None and (first_attempt[8] or ended_at + 1) <= ended_at:
            label, began_at, ended_at = first_attempt[3], first_attempt[7], first_attempt[8]
    if reached == ABSENT:
        return []
    steps: list[Step] = [(record.created_at, "submitted", ABSENT, SCHEDULED, None)]
    if began_at is not None:
        steps.append((began_at, "granted", SCHEDULED, PENDING, None))
        steps.append((began_at, "began", PENDING, RUNNING, None))
    elif reached == PENDING:
        steps.append((record.created_at, "granted", SCHEDULED, PENDING, None))
    if ended_at is not None:
        # A result without an attempt was taken from an earlier call; else the event is called like the state.
        event = "cached" if reached == COMPLETED and began_at is None else reached
        steps.append((ended_at, event, steps[-1][3], reached, label))
    return steps


def logs(
    store: Store,
    run: dict[str, Any],
    after: int = 0,
    limit: int = 1_000,
    level: int = 0,
    tail: int | None = None,
    text: str = "",
) -> list[dict[str, Any]]:
    """List log lines of a run and of everything below it, in the order in which they were logged.

    Args:
        after: number of the line to go on after; 0 for the beginning.
        limit: how many at most.
        level: the lowest level, as Python's logging numbers them.
        tail: only the last so many.
        text: only lines whose message contains it; whether A to Z are capitals does not matter.

    Returns: lines of `n, at, level, logger, message, run_id, run, attempt`; empty when there is none (yet).
    """
    run_id = _identity(run)
    where = "root" if run["root_id"] == run["id"] else "tree"
    found = (_containing(text),) if text else ()
    if tail is not None:
        name = f"logs_found_of_{where}_tail" if text else f"logs_of_{where}_tail"
        first = store.select(name, (run_id, level, *found, tail))[0][0]
        if first is None:
            return []
        after = max(after, first - 1)
    plain = "logs_of_root_from" if where == "root" else "logs_of_tree"
    name = f"logs_found_of_{where}" if text else plain
    return [
        {
            "n": n,
            "at": _time(at),
            "level": _LEVELS.get(number, str(number)),
            "logger": logger,
            "message": message,
            "run_id": to_text(bytes(line_run)),
            "run": run_name,
            "attempt": attempt,
        }
        for n, line_run, attempt, at, number, logger, message, run_name in store.select(
            name, (run_id, after, level, *found, limit)
        )
    ]


def log_count(store: Store, run: dict[str, Any]) -> int | None:
    """Tell how many lines a root run and everything below it have logged; None where counting would not be cheap."""
    if run["root_id"] != run["id"]:
        return None
    # Lines are numbered from 1 within their root run.
    return store.select("logs_of_root_tail", (_identity(run), 0, 1))[0][0] or 0


def _containing(text: str) -> str:
    """Write a pattern for LIKE that every text containing this one matches."""
    for special in "!%_":
        text = text.replace(special, f"!{special}")
    return f"%{text}%"


# ── shapes ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _record(row: Row) -> RunRecord:
    return RunRecord(**dict(zip(SELECTED, row, strict=True)))


def _objects(store: Store, rows: Sequence[Row]) -> list[dict[str, Any]]:
    records = [_record(row) for row in rows]
    tried: dict[bytes, list[Row]] = {}
    for ids in in_chunks([record.id for record in records if record.story_rows]):
        for row in store.select("attempts_of", (), ids):
            tried.setdefault(bytes(row[0]), []).append(row)
    return [_object(record, tried.get(bytes(record.id), ())) for record in records]


def _object(record: RunRecord, tried: Sequence[Row]) -> dict[str, Any]:
    has_result = record.result_size is not None
    return {
        "id": to_text(record.id),
        "name": record.name,
        "kind": record.kind,
        "flow": record.flow,
        "task": record.task,
        "index": record.item_index,
        "state": record.state,
        "label": record.label,
        "cause": record.cause,
        "evidence": record.evidence,
        "error": _json(record.error),
        "parent_id": to_text(record.parent_id) if record.parent_id is not None else None,
        "root_id": to_text(record.root_id),
        "tags": _json(record.tags) or [],
        "parameters": _json(record.parameters) or {},
        "created_at": _time(record.created_at),
        "due_at": _time(record.due_at),
        "started_at": _time(record.started_at),
        "ended_at": _time(record.ended_at),
        "attempts": [_attempt(row) for row in tried] if tried else _folded_attempt(record),
        "result": {"preview": record.preview, "size_bytes": record.result_size} if has_result else None,
    }


def _attempt(row: Row) -> dict[str, Any]:
    _, number, state, label, cause, evidence, error, started_at, ended_at = row
    return {
        "number": number,
        "state": state,
        "label": label,
        "cause": cause,
        "evidence": evidence,
        "error": _json(error),
        "started_at": _time(started_at),
        "ended_at": _time(ended_at),
    }


def _folded_attempt(record: RunRecord) -> list[dict[str, Any]]:
    if not record.attempts:
        return []
    is_over = record.state in TERMINAL
    state = record.state if is_over else RUNNING
    told = (record.label, record.cause, record.evidence, record.error) if is_over else (None, None, None, None)
    row = (record.id, record.attempts, state, *told, record.started_at, record.ended_at)
    return [_attempt(row)]


def _json(text: str | None) -> Any:
    """Read what should be JSON; what a client sent may be anything."""
    try:
        return _decode(text) if text else None
    except msgspec.DecodeError:
        return None


def _time(microseconds: int | None) -> str | None:
    if microseconds is None:
        return None
    moment = _EPOCH + timedelta(microseconds=microseconds)
    return moment.isoformat(timespec="microseconds")[:-6] + "Z"


# ── finding ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def _identity(run: dict[str, Any]) -> bytes:
    return bytes.fromhex(run["id"].replace("-", ""))


def _is_storable(text: str) -> bool:
    """Say whether a text can be one of the record's: NUL and what was no UTF-8 on the command line cannot."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _by_prefix(store: Store, text: str) -> list[Row]:
    digits = text.lower().replace("-", "")
    if not digits or len(digits) > 32 or not set(digits) <= set("0123456789abcdef"):
        return []
    low, high = bytes.fromhex(digits.ljust(32, "0")), bytes.fromhex(digits.ljust(32, "f"))
    return store.select("runs_by_prefix", (low, high))


def _near(store: Store, text: str) -> str:
    names = [_record(row).name for row in store.select("runs_recent", (PROJECT, NEAR))]
    if not names:
        return "No flow has run yet: `stellwerk run FILE` or `python FILE` runs one; `runs ls --all` lists all runs."
    return _nearest(text, names) or "`stellwerk runs ls` lists what has run; a task run is RUN/TASK, or its id."


def _nearest(text: str, names: list[str]) -> str:
    import difflib  # 6 ms, and only needed for a mistake

    near = difflib.get_close_matches(text, names, n=1, cutoff=0.6)
    return f"Did you mean {near[0]}?" if near else ""


def _shared(one: str, other: str) -> int:
    """Count the digits in which two ids begin alike."""
    return next((place for place, (a, b) in enumerate(zip(one, other, strict=True)) if a != b), len(one))
