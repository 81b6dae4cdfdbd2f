"""`stellwerk open`: the page of the server, or of one run, in a browser."""

from __future__ import annotations

import contextlib
import os
import sys

import click

from stellwerk import config as settings
from stellwerk.cli.record import open_reader, open_server
from stellwerk.cli.runs import complete_run
from stellwerk.cli.text import one_line

__all__ = ["open_page"]


@click.command("open")
@click.argument("run", metavar="[RUN]", required=False, shell_complete=complete_run)
@click.option("--print", "only_print", is_flag=True, help="Print the link, and open nothing.")
def open_page(run: str | None, only_print: bool) -> None:
    """Open the server's page, or that of a run, in a browser.

    The link that is printed lets one browser in, once.
    """
    config = settings.load()
    path = "/"
    with contextlib.closing(open_server(config)) as server:
        if run is not None:
            with contextlib.closing(open_reader(config)) as reader:
                found, note = reader.find_run(run)
            if note:
                click.echo(one_line(note), err=True)
            path = f"/runs/{found['id']}"
        made = server.json("/api/links", body={"path": path})
        # A server behind a proxy does not know by what name it is reached; whoever set the URL does.
        remote = server.remote
        link = str(made["url"]) if remote.home is not None else f"{remote.url}{path}#code={made['code']}"
    click.echo(link)
    if not only_print and _has_browser():
        import webbrowser

        webbrowser.open(link)


def _has_browser() -> bool:
    """Say whether a browser could show itself here: without a display, Python would start one in the terminal."""
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
