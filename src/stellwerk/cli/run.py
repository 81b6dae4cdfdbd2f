"""`stellwerk run`: load a flow from a file, call it here, and say how it ended."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import Any

import click

from stellwerk.cli.main import OTHER, tell
from stellwerk.cli.text import COLOURS, GLYPHS, count_states, duration, lines, one_line, seconds_of, word
from stellwerk.model.states import LABELS

__all__ = ["EXIT_CODES", "run", "summary"]

EXIT_CODES = {"completed": 0, "skipped": 0, "failed": 1, "crashed": 3, "cancelled": 4}
SHOWN_BYTES = 4_096  # of the returned value


def _complete_file(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


@click.command()
@click.argument("target", metavar="FILE[:FLOW]", shell_complete=_complete_file)
@click.option("-p", "--param", "pairs", metavar="NAME=VALUE", multiple=True, help="Set a parameter; may be repeated.")
def run(target: str, pairs: tuple[str, ...]) -> int:
    """Run a flow from a file (or from a module, by its dotted name).

    FLOW may be left out where the file defines only one. A VALUE is read as JSON if it is JSON, else as text, and
    then checked by the flow's annotations.

    What the flow returns is printed on stdout, as `print(flow(…))` would; how it ended is told on stderr. Exits with
    0 completed, 1 failed, 3 crashed, 4 cancelled.

    \b
    stellwerk run squares.py
    stellwerk run pipeline.py:nightly -p date=2026-01-31 -p 'regions=["eu", "us"]'
    """
    from stellwerk.cli.flowfile import find_flow, read_parameters
    from stellwerk.execute import progress, signals

    progress.leaves_summary = False
    signals.dies_of_signals = False
    flow = find_flow(target)
    values = read_parameters(flow, pairs)
    began_at = time.time_ns() // 1000
    value: Any = None
    problem: BaseException | None = None
    try:
        value = _call(flow, values)
    except BaseException as raised:
        problem = raised
    if value is not None:
        _print_value(value)
    return _report(began_at, problem)


def _call(flow: Any, values: dict[str, Any]) -> Any:
    """Call a flow of any kind to its end; of what a generator yields, only its record is kept."""
    if flow.is_async:
        import asyncio

        return asyncio.run(_await(flow, values))
    if flow.is_async_generator:
        import asyncio

        return asyncio.run(_exhaust(flow, values))
    made = flow(**values)
    if not flow.is_generator:
        return made
    while True:
        try:
            next(made)
        except StopIteration as end:
            return end.value


async def _await(flow: Any, values: dict[str, Any]) -> Any:
    return await flow(**values)


async def _exhaust(flow: Any, values: dict[str, Any]) -> None:
    async for _ in flow(**values):
        pass


def _print_value(value: Any) -> None:
    try:
        text = str(value)
    except Exception as problem:  # user code
        text = f"<{type(value).__name__}: its str() raised {type(problem).__name__}>"
    if len(text) > SHOWN_BYTES:
        text = f"{text[:SHOWN_BYTES]}… ({len(text):,} characters)"
    click.echo(lines(text))


def _report(began_at: int, problem: BaseException | None) -> int:
    """Tell how the run ended, by its record; return the exit code."""
    from stellwerk.errors import StellwerkError

    found = _look_up(began_at)
    if found is None:  # recording is off, or nothing could be recorded
        if problem is None:
            return 0
        if isinstance(problem, StellwerkError):
            raise problem
        _print_problem(problem)
        return 4 if isinstance(problem, KeyboardInterrupt) else 1
    ended, states = found
    if problem is not None:
        if isinstance(problem, StellwerkError) and ended["state"] not in EXIT_CODES:
            raise problem
        if ended["state"] not in ("cancelled", "skipped"):
            _print_problem(problem)
    click.echo(summary(ended, states), err=True)
    if ended["state"] not in EXIT_CODES:
        tell("It has not ended in the record: what followed could not be recorded.", "`stellwerk runs ls` settles it.")
        return OTHER
    return EXIT_CODES[ended["state"]]


def _look_up(began_at: int) -> tuple[dict[str, Any], dict[str, int]] | None:
    from stellwerk import config
    from stellwerk.cli.record import open_reader
    from stellwerk.client.process import this_process
    from stellwerk.errors import StellwerkError

    settings = config.load()
    if not settings.recording:
        return None
    try:
        with contextlib.closing(open_reader(settings)) as reader:
            run = reader.run_begun_by(this_process(), began_at)
            return (run, tally(reader.task_groups(run))) if run else None
    except StellwerkError:
        return None


def tally(groups: list[dict[str, Any]]) -> dict[str, int]:
    """Add up the states of all groups of tasks."""
    states: dict[str, int] = {}
    for group in groups:
        for state, count in group["states"].items():
            states[state] = states.get(state, 0) + count
    return states


def _print_problem(problem: BaseException) -> None:
    from stellwerk.execute.attempt import without_engine
    from stellwerk.execute.results import describe

    problem = without_engine(problem)  # and without this command
    click.echo(lines(describe(problem).traceback).rstrip("\n"), err=True)


def summary(run: dict[str, Any], states: dict[str, int]) -> str:
    """Say in two lines how a run ended and where to look; coloured for stderr."""
    from stellwerk.cli.output import styled

    name, state = one_line(run["name"]), run["state"]
    took = duration(seconds_of(run["started_at"], run["ended_at"]))
    glyph = styled(GLYPHS[state], COLOURS[state], sys.stderr)
    ended = f"{glyph} {styled(name, 'bold', sys.stderr)} {styled(state, COLOURS[state], sys.stderr)}"
    if took:
        ended += f" after {took}"
    total = sum(states.values())
    if total:
        ended += f" · {total:,} task{'s' if total != 1 else ''}: {count_states(states)}"
    for line in _reasons(run):
        ended += f"\n  {one_line(line)}"
    return f"{ended}\n  stellwerk runs show {word(run)}"


def _reasons(run: dict[str, Any]) -> list[str]:
    """Say why a run ended as it did, where its traceback does not."""
    if run["state"] == "skipped" and run["error"]:
        return [run["error"]["message"]]
    said = LABELS.get(run["label"], run["label"] or "")
    return [": ".join(filter(None, (said, run["evidence"])))] if said or run["evidence"] else []
