"""The entry of the command line: which commands there are, and what an error or an ending exits with.

Commands are imported when they are called; what `--help` says of them stands here, so that it costs no import.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from stellwerk.cli.text import lines, one_line

__all__ = ["BAD_INPUT", "OTHER", "UNREACHABLE", "LazyGroup", "cli", "main"]

BAD_INPUT, UNREACHABLE, OTHER = 2, 5, 6
_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class LazyGroup(click.Group):
    """Hold commands by name, help and place, and import one only when it is called."""

    def __init__(self, *args: Any, places: dict[str, tuple[str, str]], **options: Any) -> None:
        super().__init__(*args, **options)
        self._places = places

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order in which they were given."""
        return list(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in self._places:
            return None
        module, _, name = self._places[cmd_name][1].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (text, _) in self._places.items()])


cli = LazyGroup(
    "stellwerk",
    help="Run flows, and see what ran.",
    context_settings=_CONTEXT,
    places={
        "run": ("Run a flow from a file.", "stellwerk.cli.run:run"),
        "runs": ("List, show, watch runs and read their logs.", "stellwerk.cli.runs:runs"),
        "open": ("Open the page of the server, or of a run.", "stellwerk.cli.open:open_page"),
        "server": ("Start, stop and look at this user's server.", "stellwerk.cli.server:server"),
        "config": ("Show the settings.", "stellwerk.cli.settings:config"),
        "completion": ("Print the completion script of a shell.", "stellwerk.cli.settings:completion"),
        "version": ("Print the version.", "stellwerk.cli.settings:version"),
        "dev": ("Look into Stellwerk itself.", "stellwerk.cli.settings:dev"),
    },
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 2 bad input, 5 server unreachable, 6 anything else, else what the command says."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal that can't show a character is no error
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - closed by the caller (>&-): nobody reads
    try:
        code = _call(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has read enough. What is still buffered must not fail a second time at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except OSError as problem:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        tell(f"What was to be printed can't be written: {problem.strerror}.")
        code = OTHER
    sys.exit(code)


def _call(arguments: Sequence[str] | None) -> int:
    try:
        value = cli.main(args=arguments, prog_name="stellwerk", standalone_mode=False)
        return value if isinstance(value, int) else 0
    except click.exceptions.NoArgsIsHelpError as problem:
        click.echo(problem.format_message(), err=True)
        return BAD_INPUT
    except click.UsageError as problem:
        hint = f"{problem.ctx.command_path} --help" if problem.ctx else "stellwerk --help"
        tell(problem.format_message(), hint)
        return BAD_INPUT
    except click.ClickException as problem:
        tell(problem.format_message())
        return OTHER
    except (click.Abort, KeyboardInterrupt):
        tell("Interrupted.")
        return OTHER
    except OSError as problem:
        if isinstance(problem, BrokenPipeError) or problem.errno in (errno.ENOSPC, errno.EIO):
            raise
        return _explain(problem)
    except Exception as problem:
        return _explain(problem)


def _explain(problem: Exception) -> int:
    from stellwerk.errors import NotFound, StellwerkError, UnavailableError, UsageError

    if isinstance(problem, StellwerkError):
        if "traceback" in problem.facts:
            click.echo(lines(problem.facts["traceback"]), err=True)
        tell(problem.message, problem.hint)
        if isinstance(problem, (UsageError, NotFound)):
            return BAD_INPUT
        is_about_server = isinstance(problem, UnavailableError) and "server" in problem.facts
        return UNREACHABLE if is_about_server else OTHER
    import traceback

    click.echo(lines("".join(traceback.format_exception(problem))), err=True)
    tell(
        f"Stellwerk itself failed: {type(problem).__name__}: {problem}",
        "This is a bug of ours; please report it with the lines above.",
    )
    return OTHER


def tell(message: str, hint: str = "") -> None:
    """Print an error and what to do next on stderr."""
    click.echo(lines(message) + (f"\n  → {one_line(hint)}" if hint else ""), err=True)
