"""`stellwerk open`: the page of the server, or of one run, in a browser."""

from __future__ import annotations

import contextlib
import html
import os
import sys
from pathlib import Path

import click

from stellwerk import config as settings
from stellwerk.assemble import prepare_home
from stellwerk.cli.record import open_reader, open_server
from stellwerk.cli.runs import complete_run
from stellwerk.cli.text import one_line

__all__ = ["open_page"]

FILE = "open.html"


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
        _open_browser(prepare_home(config), link)


def _open_browser(home: Path, link: str) -> None:
    """Open a link in a browser without telling it in the browser's arguments, which all users of the machine can read.

    The browser is given a file of this user alone, which leads on to the link.
    """
    import webbrowser

    there = html.escape(link)
    text = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Stellwerk</title>'
        '<meta name="referrer" content="no-referrer">'
        f'<meta http-equiv="refresh" content="0; url={there}"><a href="{there}">Open Stellwerk</a></html>'
    )
    part = home / f".{FILE}.{os.getpid()}"
    try:
        part.unlink(missing_ok=True)
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as opened:
            opened.write(text)
        os.replace(part, home / FILE)
    except OSError as problem:
        click.echo(f"No browser was opened: {home / FILE} can't be written ({problem.strerror}).", err=True)
        return
    webbrowser.open((home / FILE).as_uri())


def _has_browser() -> bool:
    """Say whether a browser could show itself here: without a display, Python would start one in the terminal."""
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
