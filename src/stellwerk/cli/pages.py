"""Runs laid out for people: the list, and one run on a page."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from stellwerk.cli.output import make_table, open_page, plain, state_text
from stellwerk.cli.record import Reader
from stellwerk.cli.text import COLOURS, GLYPHS, ago, clock, count_states, duration, lines, one_line, seconds_of, word
from stellwerk.model.states import CAUSES, LABELS

__all__ = ["print_run", "print_runs"]

LISTED = 20  # tasks one by one on a run's page, unless --limit
TOLD = 40  # steps of a story


def print_runs(reader: Reader, runs: list[dict[str, Any]]) -> None:
    """Print a list of runs."""
    now = datetime.now(UTC)
    prefixes = reader.prefixes(runs)
    table = make_table("ID", "NAME", "FLOW", "STATE", "STARTED", "TOOK", "TASKS", right=("TOOK",), cut=("NAME", "FLOW"))
    for run in runs:
        table.add_row(
            plain(prefixes[run["id"]], "dim"),
            plain(run["name"], "bold" if run["parent_id"] is None else "", cut=True),
            plain(_what(run), cut=True),
            state_text(run["state"]),
            plain(ago(run["started_at"], now)),
            plain(duration(seconds_of(run["started_at"], run["ended_at"], now))),
            _tally(*reader.task_tally(run)),
        )
    with open_page() as console:
        console.print(table)


def _what(run: dict[str, Any]) -> str:
    flow, task = run["flow"], run["task"]
    return f"{flow} › {task}" if flow and task else str(flow or task)


def _tally(states: dict[str, int], has_more: bool) -> Text:
    """Write how many tasks there are, and how many of them did not complete, in as little room as it takes."""
    total = sum(states.values())
    if not total:
        return Text("")
    if has_more:
        return Text(f"{total:,}+")
    text = Text(
        f"{states.get('completed', 0):,}/{total:,}" if len(states) > 1 or "completed" not in states else f"{total:,}"
    )
    for state in ("failed", "crashed", "cancelled", "running"):
        if states.get(state):
            text.append(f" {GLYPHS[state]}{states[state]:,}", COLOURS[state])
    return text


def print_run(reader: Reader, run: dict[str, Any], limit: int | None) -> None:
    """Print one run on a page: how it stands first, what went wrong next, then what it did."""
    with open_page() as console:
        _print_parts(console, reader, run, limit)


def _print_parts(console: Console, reader: Reader, run: dict[str, Any], limit: int | None) -> None:
    now = datetime.now(UTC)
    _print_head(console, run, now)
    _print_error(console, run)
    if run["parameters"]:
        _print_section(console, "Parameters", _values(run["parameters"]))
    groups = reader.task_groups(run)
    if groups:
        _print_tasks(console, reader, run, groups, limit, now)
    if run["result"]:
        _print_result(console, run["result"])
    if len(run["attempts"]) > 1:
        _print_section(console, "Attempts", _attempts(run["attempts"], now))
    steps = reader.story(run)
    if len(run["attempts"]) > 1 or run["state"] in ("cancelled", "crashed", "cancelling", "paused"):
        _print_section(console, "Story", _story(steps, run["created_at"]))


def _print_head(console: Console, run: dict[str, Any], now: datetime) -> None:
    head = Text(f"{GLYPHS[run['state']]} ", COLOURS[run["state"]])
    head.append(one_line(run["name"]), "bold")
    head.append(f" {run['state']}", COLOURS[run["state"]])
    if run["label"]:
        head.append(f" ({one_line(run['label'])})", "dim")
    console.print(head, soft_wrap=True)
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _facts(run, now):
        table.add_row(name, plain(value))
    console.print(Padding(table, (0, 0, 0, 2), expand=False))


def _facts(run: dict[str, Any], now: datetime) -> Iterable[tuple[str, str]]:
    yield "id", run["id"]
    if run["task"]:
        yield "task", run["task"]
    yield "flow", run["flow"] or "none: the task was called outside any flow"
    if run["label"] in LABELS:
        yield "why", LABELS[run["label"]]
    if run["cause"] and run["cause"] != "user_error":
        said = CAUSES.get(run["cause"], "")
        evidence = f" ({run['evidence']})" if run["evidence"] else ""
        yield "cause", f"{run['cause']}: {said}{evidence}"
    if run["started_at"]:
        yield "started", f"{clock(run['started_at'], now)} · {ago(run['started_at'], now)}"
    else:
        yield "created", f"{clock(run['created_at'], now)} · {ago(run['created_at'], now)}"
    took = seconds_of(run["started_at"], run["ended_at"], now)
    if took is not None:
        yield "took" if run["ended_at"] else "runs for", duration(took)
    if run["parent_id"]:
        yield "called by", run["parent_id"]
    if run["tags"]:
        yield "tags", ", ".join(run["tags"])


def _print_error(console: Console, run: dict[str, Any]) -> None:
    """Print what was raised, then where; the traceback's own last lines, which say it again, are left out."""
    error = run["error"]
    if not error:
        return
    raised = f"{error['type']}: {error['message']}" if error["message"] else error["type"]
    where = error["traceback"].rstrip("\n").removesuffix(raised.rstrip("\n"))
    console.print()
    console.print(Text(lines(raised), "red"), soft_wrap=True)
    if where.strip():
        indented = "\n".join(f"  {line}" for line in lines(where).rstrip("\n").split("\n"))
        console.print(Text(indented, "dim"), soft_wrap=True)


def _print_section(console: Console, title: str, content: Any) -> None:
    console.print()
    console.print(Text(title, "bold"))
    console.print(Padding(content, (0, 0, 0, 2), expand=False))


def _values(values: dict[str, Any]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in values.items():
        table.add_row(plain(name, "dim"), plain(msgspec.json.encode(value).decode()))
    return table


def _print_tasks(
    console: Console,
    reader: Reader,
    run: dict[str, Any],
    groups: list[dict[str, Any]],
    limit: int | None,
    now: datetime,
) -> None:
    """Print the tasks one by one while they are few; else in groups, and those that did not complete one by one."""
    states: dict[str, int] = {}
    for group in groups:
        for state, count in group["states"].items():
            states[state] = states.get(state, 0) + count
    total = sum(states.values())
    title = f"Tasks  {count_states(states)}"
    listed = LISTED if limit is None else limit
    if total <= listed or limit is not None:
        found = reader.show_run(run, listed)["tasks"]
        _print_section(console, title, _tasks(found, run, now))
        _print_rest(console, total - len(found), "more", run)
        return
    _print_section(console, title, _groups(groups, now))
    unlucky = reader.tasks_not_completed(run, listed)
    if unlucky:
        _print_section(console, "Not completed", _tasks(unlucky, run, now))
        _print_rest(console, total - states.get("completed", 0) - len(unlucky), "more", run)
    console.print(Text(f"  stellwerk runs show {word(run)} --limit {min(total, 1000)} lists them one by one", "dim"))


def _print_rest(console: Console, count: int, what: str, run: dict[str, Any]) -> None:
    if count > 0:
        console.print(Text(f"  … and {count:,} {what} (--limit)", "dim"))


def _tasks(tasks: list[dict[str, Any]], run: dict[str, Any], now: datetime) -> Table:
    is_retried = any(len(task["attempts"]) > 1 for task in tasks)
    columns = ["STATE", "NAME", "BEGAN", "TOOK", *(["TRIES"] if is_retried else []), "RESULT"]
    table = make_table(*columns, right=("BEGAN", "TOOK", "TRIES"), cut=("NAME", "RESULT"))
    depths: dict[str, int] = {}
    for task in tasks:
        depth = depths[task["id"]] = depths[task["parent_id"]] + 1 if task["parent_id"] in depths else 0
        name = f"{'  ' * depth}{task['name']}" + (" (flow)" if task["kind"] == "flow" else "")
        began = seconds_of(run["started_at"], task["started_at"])
        cells = [
            state_text(task["state"]),
            plain(name, cut=True),
            plain(f"+{duration(began)}" if began is not None else ""),
            plain(duration(seconds_of(task["started_at"], task["ended_at"], now))),
        ]
        if is_retried:
            cells.append(plain(len(task["attempts"]) or ""))
        table.add_row(*cells, _outcome(task))
    return table


def _outcome(task: dict[str, Any]) -> Text:
    """Say in a few words what came of a task: its result, its error, or why it did not run."""
    if task["label"] in ("UpstreamFailed", "UpstreamSkipped", "ConditionUnmet"):
        return plain(LABELS[task["label"]], "dim", cut=True)
    error = task["error"]
    if error:
        first = str(error["message"]).split("\n", 1)[0]
        return plain(f"{error['type']}: {first}" if first else error["type"], "red", cut=True)
    if task["cause"]:
        return plain(": ".join(filter(None, (task["cause"], task["evidence"]))), "dim", cut=True)
    if task["label"]:
        return plain(task["label"], "dim", cut=True)
    return plain((task["result"] or {}).get("preview") or "", "dim", cut=True)


def _groups(groups: list[dict[str, Any]], now: datetime) -> Table:
    table = make_table("TASK", "RUNS", "TOOK", "STATES", right=("RUNS", "TOOK"), cut=("TASK",))
    for group in groups:
        name = group["name"] + (" (flow)" if group["kind"] == "flow" else "")
        is_over = not set(group["states"]) & {"scheduled", "pending", "running", "paused", "cancelling"}
        states = Text(", ").join(
            Text(f"{GLYPHS[state]} {count:,} {state}", COLOURS[state])
            for state, count in sorted(group["states"].items(), key=lambda item: list(GLYPHS).index(item[0]))
        )
        table.add_row(
            plain(name, cut=True),
            plain(f"{sum(group['states'].values()):,}"),
            plain(duration(seconds_of(group["started_at"], group["ended_at"] if is_over else None, now))),
            states,
        )
    return table


def _print_result(console: Console, result: dict[str, Any]) -> None:
    size = result["size_bytes"]
    if result["preview"] in (None, "", "None"):
        return
    console.print()
    console.print(Text("Result", "bold") + Text(f"  {size:,} bytes", "dim"))
    console.print(Padding(Text(lines(result["preview"])), (0, 0, 0, 2), expand=False))


def _attempts(attempts: list[dict[str, Any]], now: datetime) -> Table:
    table = make_table("TRY", "STATE", "BEGAN", "TOOK", "WHY", right=("TRY", "TOOK"), cut=("WHY",))
    for attempt in attempts:
        table.add_row(
            plain(attempt["number"]),
            state_text(attempt["state"]),
            plain(clock(attempt["started_at"], now)),
            plain(duration(seconds_of(attempt["started_at"], attempt["ended_at"], now))),
            _outcome({**attempt, "result": None}),
        )
    return table


def _story(steps: list[dict[str, Any]], created_at: str) -> Table:
    table = make_table("AFTER", "EVENT", "STATE", right=("AFTER",))
    shown = steps if len(steps) <= TOLD else [*steps[: TOLD // 2], *steps[-TOLD // 2 :]]
    for step in shown:
        after = duration(seconds_of(created_at, step["at"]))
        table.add_row(plain(f"+{after}", "dim"), plain(step["event"]), state_text(step["to_state"], step["label"]))
    return table
