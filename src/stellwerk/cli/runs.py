"""`stellwerk runs`: what ran and what is running. Reads only; each command first ends what its owner left behind."""

from __future__ import annotations

import contextlib
import re
import sys
from datetime import UTC, datetime
from typing import Any

import click

from stellwerk.api.views import TASKS
from stellwerk.cli.main import LazyGroup
from stellwerk.cli.record import Reader, open_reader, open_record
from stellwerk.cli.text import lines, one_line, seconds_of

__all__ = ["complete_run", "list_runs", "runs", "show", "show_logs", "watch"]

LISTED = 50  # runs, unless --limit: a contract

runs = LazyGroup(
    "runs",
    help="List, show, watch runs and read their logs.",
    epilog="RUN is an id, the beginning of one, or a name (the newest flow run of that name). RUN/TASK is a task run.",
    places={
        "ls": ("List flow runs, newest first.", "stellwerk.cli.runs:list_runs"),
        "show": ("Show one run with its tasks.", "stellwerk.cli.runs:show"),
        "logs": ("Print what a run logged.", "stellwerk.cli.runs:show_logs"),
        "watch": ("Follow a run until it ends.", "stellwerk.cli.runs:watch"),
    },
)


def _find(reader: Reader, text: str) -> dict[str, Any]:
    run, note = reader.find_run(text)
    if note:
        click.echo(one_line(note), err=True)
    return run


_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]*")


def complete_run(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Offer the names of recent runs to a shell."""
    from stellwerk.config import load

    try:
        with contextlib.closing(open_reader(load())) as reader:
            found = reader.recent_runs(LISTED)
    except Exception:  # a completion says nothing rather than spoil the line that is being typed
        return []
    # A shell would obey what stands in a name; where that could be, the id is offered instead.
    words = dict.fromkeys(run["name"] if _PLAIN_NAME.fullmatch(run["name"]) else run["id"] for run in found)
    return [word for word in words if word.startswith(incomplete)]


_run_argument = click.argument("run", metavar="RUN", shell_complete=complete_run)
_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command("ls")
@click.option("--limit", type=click.IntRange(1, 100_000), default=LISTED, show_default=True, help="How many at most.")
@click.option("--all", "everything", is_flag=True, help="Child flow runs and task runs too.")
@_as_json
def list_runs(limit: int, everything: bool, as_json: bool) -> None:
    """List flow runs that no other run called, newest first."""
    with open_record() as reader:
        found = reader.recent_runs(limit, everything)
        if as_json:
            from stellwerk.cli.output import print_json

            print_json(found)
            return
        if not found:
            hint = "" if everything else " `--all` lists tasks that were called outside any flow."
            click.echo(f"No flow has run yet: `stellwerk run FILE` or `python FILE` runs one.{hint}", err=True)
            return
        from stellwerk.cli.pages import print_runs

        print_runs(reader, found)


@click.command()
@_run_argument
@click.option("--limit", type=click.IntRange(0), help="How many tasks to list.  [default: 20; with --json 10000]")
@_as_json
def show(run: str, limit: int | None, as_json: bool) -> None:
    """Show a run: how it stands, its parameters, its error, its tasks and its result."""
    with open_record() as reader:
        found = _find(reader, run)
        if as_json:
            from stellwerk.cli.output import print_json

            print_json(reader.show_run(found, TASKS if limit is None else limit))
            return
        from stellwerk.cli.pages import print_run

        print_run(reader, found, limit)


@click.command("logs")
@_run_argument
@click.option("--follow", "-f", is_flag=True, help="Go on until the run ends.")
@click.option("--tail", type=click.IntRange(0), metavar="N", help="Begin with the last N lines.")
@click.option("--level", metavar="LEVEL", default="DEBUG", show_default=True, help="The lowest level to print.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array; with --follow one object a line.")
def show_logs(run: str, follow: bool, tail: int | None, level: str, as_json: bool) -> None:
    """Print what a run and everything below it logged, in order."""
    from stellwerk.cli.logs import follow_lines, level_number, print_lines, read_lines

    number = level_number(level)
    with open_record() as reader:
        found = _find(reader, run)
        if follow:
            following = follow_lines(reader, found, number, tail)
            print_lines(following, as_json, one_a_line=True)
        else:
            print_lines(read_lines(reader, found, number, tail), as_json, one_a_line=False)


@click.command()
@_run_argument
def watch(run: str) -> int:
    """Follow a run until it ends, and exit with its code: 0 completed, 1 failed, 3 crashed, 4 cancelled.

    Ctrl-C ends the watching; the run goes on.
    """
    from stellwerk.cli.run import EXIT_CODES, summary, tally

    with open_record() as reader:
        found = _find(reader, run)
        try:
            ended, groups = _watch(reader, found)
        except KeyboardInterrupt:
            click.echo(f"{one_line(found['name'])} goes on; only the watching was interrupted.", err=True)
            raise
        if ended["error"]:
            click.echo(lines(ended["error"]["traceback"]).rstrip("\n"), err=True)
        click.echo(summary(ended, tally(groups)), err=True)
        return EXIT_CODES[ended["state"]]


class _Counts:
    """Hold what the display shows: task name → state → count."""

    rows: dict[str, dict[str, int]]

    def __init__(self) -> None:
        self.rows = {}


def _watch(reader: Reader, run: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Show how a run stands until it ends: live on a terminal, else a line at each change of state."""
    from stellwerk.cli.run import EXIT_CODES
    from stellwerk.execute.progress import Progress

    rows = _Counts()
    spent = seconds_of(run["started_at"], None, datetime.now(UTC)) or 0.0
    display = Progress(rows, f"{one_line(run['name'])} · {one_line(run['flow'] or run['task'])}", spent)
    is_live = sys.stderr.isatty()
    said = ""
    reader.follow(run)
    try:
        while True:
            run, _ = reader.find_run(run["id"])
            groups = reader.task_groups(run)
            rows.rows = {one_line(group["name"]): group["states"] for group in groups}
            if run["state"] in EXIT_CODES:
                return run, groups
            if is_live and not said:
                display.start()
            elif not is_live and said != run["state"]:
                click.echo(f"{one_line(run['name'])} is {run['state']}", err=True)
            said = run["state"]
            reader.wait()
    finally:
        if is_live and said:
            display.stop("")
