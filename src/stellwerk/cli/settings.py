"""Commands about Stellwerk itself: its version, its settings, its state diagrams and schema, its completion in a shell."""

from __future__ import annotations

import platform
import sys
from typing import Any

import click

from stellwerk.cli.main import LazyGroup, cli

__all__ = ["completion", "config", "dev", "schema", "states", "version"]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def version(as_json: bool) -> None:
    """Print the version of Stellwerk, and with --json what it runs on."""
    from stellwerk import __version__

    if not as_json:
        click.echo(__version__)
        return
    from stellwerk.cli.output import print_json
    from stellwerk.store.port import SCHEMA_VERSION

    print_json(
        {
            "version": __version__,
            "schema": SCHEMA_VERSION,
            "python": platform.python_version(),
            "executable": sys.executable,
            "platform": platform.platform(),
        }
    )


config = LazyGroup(
    "config",
    help="Show the settings.",
    places={
        "show": ("Show each setting, its value and where it comes from.", "stellwerk.cli.settings:show_config"),
    },
)


@click.command("show")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array of objects.")
def show_config(as_json: bool) -> None:
    """Show each setting, its value and where it comes from.

    Tokens, and passwords in URLs, are never shown.
    """
    from stellwerk.config import DEFAULT, SETTINGS, load

    loaded = load()
    if as_json:
        from stellwerk.cli.output import print_json

        print_json([_setting(setting, loaded) for setting in SETTINGS])
        return
    from stellwerk.cli.output import make_table, open_page, plain

    table = make_table("SETTING", "VALUE", "FROM")
    for setting in SETTINGS:
        source = loaded.source(setting.name)
        style = "dim" if source == DEFAULT else ""
        value = loaded.shown(setting.name)
        unit = f" {setting.unit}" if setting.unit and value.isdigit() else ""
        table.add_row(plain(setting.name), plain(value + unit), plain(source, style))
    with open_page() as console:
        console.print(table)


def _setting(setting: Any, loaded: Any) -> dict[str, Any]:
    value = getattr(loaded, setting.name)
    if value is not None and (setting.secret or setting.type == "URL"):
        value = loaded.shown(setting.name)
    return {
        "name": setting.name,
        "value": value,
        "source": loaded.source(setting.name),
        "default": setting.default_text,
        "unit": setting.unit or None,
        "variable": setting.variable,
        "description": setting.description,
    }


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash:  eval "$(stellwerk completion bash)"         in ~/.bashrc
    zsh:   eval "$(stellwerk completion zsh)"          in ~/.zshrc
    fish:  stellwerk completion fish | source          in ~/.config/fish/config.fish
    """
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(cli, {}, "stellwerk", "_STELLWERK_COMPLETE").source())


dev = LazyGroup(
    "dev",
    help="Look into Stellwerk itself.",
    places={
        "states": ("Print the state diagram, as Mermaid text.", "stellwerk.cli.settings:states"),
        "schema": ("Print the GraphQL schema.", "stellwerk.cli.settings:schema"),
    },
)


@click.command()
@click.option("--attempts", is_flag=True, help="The diagram of an attempt instead of a run's.")
@click.option("--json", "as_json", is_flag=True, help="The states and how the page shows them, as one JSON object.")
def states(attempts: bool, as_json: bool) -> None:
    """Print the state diagram of a run, drawn from the table that decides, as Mermaid text."""
    if as_json:
        from stellwerk.api.page import looks
        from stellwerk.cli.output import print_json

        print_json(looks.as_json())
        return
    from stellwerk.core.diagram import draw_attempts, draw_runs

    click.echo(draw_attempts() if attempts else draw_runs(), nl=False)


@click.command()
def schema() -> None:
    """Print the schema of the GraphQL window, in the schema definition language."""
    from stellwerk.api.graphql.schema import as_text

    click.echo(as_text(), nl=False)
