"""Commands about Stellwerk itself, what they cost, and whether the reference names them all."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import COMMAND, SECONDS, Call, pipeline

import stellwerk
from stellwerk.cli.main import cli

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "cli.md"


def test_version_and_settings(call: Call, read: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert call("version")[1] == f"{stellwerk.__version__}\n"
    assert read("version", "--json")["version"] == stellwerk.__version__
    monkeypatch.setenv("STELLWERK_API_TOKEN", "s3cret")
    monkeypatch.setenv("STELLWERK_MAX_WORKERS", "3")
    _, page, _ = call("config", "show")
    told = {setting["name"]: setting for setting in read("config", "show", "--json")}
    assert (told["max_workers"]["value"], told["max_workers"]["source"]) == (3, "STELLWERK_MAX_WORKERS")
    assert (told["durability"]["value"], told["durability"]["source"]) == ("strict", "default")
    assert told["api_url"]["value"] is None
    assert "s3cret" not in page + json.dumps(told)
    assert set(told) == {line.split()[0] for line in page.splitlines()[1:]}


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "stellwerk", "version"],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{stellwerk.__version__}\n", "")


def test_a_wrong_setting_is_bad_input(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STELLWERK_MAX_WORKERS", "none")
    for command in (("config", "show"), ("runs", "ls")):
        code, _, err = call(*command)
        assert code == 2
        assert "STELLWERK_MAX_WORKERS" in err


def test_a_file_that_is_no_database_is_bad_input(call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = tmp_path / "other"
    home.mkdir()
    (home / "stellwerk.db").write_text("no database at all, but long enough to be looked at " * 20)
    monkeypatch.setenv("STELLWERK_HOME", str(home))
    code, out, err = call("runs", "ls")
    assert (code, out) == (2, "")
    assert "is not a database" in err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(call: Call, shell: str) -> None:
    code, out, _ = call("completion", shell)
    assert code == 0
    assert "_STELLWERK_COMPLETE" in out


def test_completion_knows_commands_and_runs(read: Callable[..., Any]) -> None:
    pipeline(1)
    name = read("runs", "ls", "--json")[0]["name"]

    def complete(words: str) -> list[str]:
        variables = {"_STELLWERK_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        done = subprocess.run(
            COMMAND, capture_output=True, text=True, timeout=SECONDS, check=False, env={**os.environ, **variables}
        )
        return [line.partition(",")[2] for line in done.stdout.splitlines()]

    assert "runs" in complete("stellwerk ")
    assert complete("stellwerk runs s") == ["show"]
    assert complete(f"stellwerk runs show {name[:3]}") == [name]


def test_the_light_commands_import_no_engine() -> None:
    program = (
        "import sys\nfrom stellwerk.cli.main import main\ntry: main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "print(sorted({name for name in sys.modules if name.split('.')[0] in ('rich', 'sqlite3', 'pydantic', 'asyncio')}))"
    )
    for arguments in (["--help"], ["version"], ["runs", "--help"], ["runs", "ls", "--help"], ["dev", "states"]):
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert done.stdout.splitlines()[-1] == "[]", arguments


def test_state_diagrams_have_every_state(call: Call) -> None:
    from stellwerk.core.table import ATTEMPT, RUN

    for command, table in ((("dev", "states"), RUN), (("dev", "states", "--attempts"), ATTEMPT)):
        _, out, _ = call(*command)
        assert out.startswith("stateDiagram-v2\n")
        for event, moves in table.items():
            for before, after in moves.items():
                assert re.search(rf"^    {re.escape(before or '[*]')} --> {after}: .*\b{event}\b", out, re.MULTILINE)


def commands(group: Any, path: str) -> list[tuple[str, Any]]:
    found = []
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        inner = commands(command, f"{path} {name}") if hasattr(command, "list_commands") else []
        found += inner or [(f"{path} {name}", command)]
    return found


def test_every_command_and_option_is_documented() -> None:
    page = PAGE.read_text(encoding="utf-8")
    missing = []
    for path, command in commands(cli, "stellwerk"):
        section = re.search(rf"^## `{path}\b.*?(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
        if section is None:
            missing.append(path)
            continue
        options = [option for parameter in command.params for option in parameter.opts if option.startswith("-")]
        missing += [f"{path} {option}" for option in options if f"`{option}" not in section[0]]
    assert missing == []
