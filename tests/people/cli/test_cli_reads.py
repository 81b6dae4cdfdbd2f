"""Commands that read: what they print for people and for machines, and what they say to bad input."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import COMMAND, SECONDS, Call, execute, pipeline

from stellwerk import flow

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def test_ls_lists_root_flow_runs_newest_first(read: Callable[..., Any]) -> None:
    for n in (0, 1, 2):
        pipeline(n)
    found = read("runs", "ls", "--json")
    assert [run["parameters"]["n"] for run in found] == [2, 1, 0]
    assert {run["flow"] for run in found} == {"pipeline"}
    assert len(read("runs", "ls", "--json", "--limit", "2")) == 2
    everyone = read("runs", "ls", "--all", "--json")
    assert {run["flow"] for run in everyone} == {"pipeline", "child"}
    assert {run["kind"] for run in everyone} == {"flow", "task"}


def test_a_run_is_one_object_of_the_contract(read: Callable[..., Any]) -> None:
    pipeline(2)
    shown = read("runs", "show", read("runs", "ls", "--json")[0]["name"], "--json")
    names = "id name kind flow task state label cause evidence error created_at started_at ended_at"
    assert set(names.split()) < set(shown)
    assert (shown["kind"], shown["flow"], shown["task"], shown["state"]) == ("flow", "pipeline", None, "completed")
    assert (shown["parent_id"], shown["root_id"], shown["tags"]) == (None, shown["id"], ["nightly"])
    assert (shown["parameters"], shown["cause"], shown["error"]) == ({"n": 2}, None, None)
    assert "'done': 2" in shown["result"]["preview"]
    assert [task["task"] or task["flow"] for task in shown["tasks"]] == ["clean", "clean", "load", "load", "child"]
    assert shown["tasks_total"] == 5
    for each in (shown, *shown["tasks"]):
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", each["id"])
        assert all(TIME.fullmatch(each[field]) for field in ("created_at", "started_at", "ended_at"))
        for attempt in each["attempts"]:
            assert set(attempt) == {"number", "state", "label", "cause", "evidence", "error", "started_at", "ended_at"}
    failed = next(task for task in shown["tasks"] if task["state"] == "failed")
    assert failed["cause"] == "user_error"
    assert set(failed["error"]) == {"type", "message", "traceback"}
    assert [attempt["number"] for attempt in failed["attempts"]] == [1, 2]
    assert len(failed["upstream"]) == 1


def test_a_limit_cuts_the_tasks_of_a_run(read: Callable[..., Any]) -> None:
    pipeline(5)
    name = read("runs", "ls", "--json")[0]["name"]
    shown = read("runs", "show", name, "--json", "--limit", "2")
    assert (len(shown["tasks"]), shown["tasks_total"]) == (2, 11)


def test_a_run_is_found_by_what_ls_prints(call: Call, read: Callable[..., Any]) -> None:
    pipeline(2)
    run = read("runs", "ls", "--json")[0]
    code, out, _ = call("runs", "ls")
    assert code == 0
    prefix = out.splitlines()[1].split()[0]
    for text in (prefix, run["id"], run["name"], f"{run['name']}/load-0"):
        assert call("runs", "show", text)[0] == 0
    assert read("runs", "show", prefix, "--json")["id"] == run["id"]


def test_pages_for_people_say_the_important_things(call: Call, read: Callable[..., Any]) -> None:
    pipeline(30)
    name = read("runs", "ls", "--json")[0]["name"]
    _, out, _ = call("runs", "ls")
    assert name in out
    assert "✓ completed" in out
    assert "60/61 ✗1" in out
    _, page, _ = call("runs", "show", name)
    assert page.startswith(f"✓ {name} completed\n")
    for expected in ("pipeline", "nightly", "Parameters", "60 completed, 1 failed", "ValueError: no track 1", "Result"):
        assert expected in page
    assert "\x1b" not in out + page
    assert not [line for line in page.splitlines() if line != line.rstrip()]
    _, page, _ = call("runs", "show", f"{name}/load-0")
    assert "retried" in page
    assert page.index("ValueError") < page.index("Parameters")


def test_a_narrow_terminal_shortens_names_but_no_ids(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    flow(name="a-name-that-is-long-" * 5)(lambda: None)()
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = call("runs", "ls")
    assert max(map(len, out.splitlines())) <= 80
    assert "…" in out
    assert call("runs", "show", out.splitlines()[1].split()[0])[0] == 0


def test_names_cannot_play_tricks_on_a_terminal(call: Call) -> None:
    flow(name="[red]evil\x1b[2J\u202e", flow_run_name="\x1b]0;owned\x07[bold]x")(lambda: None)()
    for command in (("runs", "ls"), ("runs", "show", "\x1b]0;owned\x07[bold]x")):
        _, out, err = call(*command)
        assert "[red]evil\\x1b[2J\\u202e" in out
        assert not {"\x1b", "\x07", "\u202e"} & set(out + err)


def test_nothing_has_run_yet(call: Call, read: Callable[..., Any]) -> None:
    assert read("runs", "ls", "--json") == []
    code, out, err = call("runs", "ls")
    assert (code, out) == (0, "")
    assert "stellwerk run FILE" in err
    assert call("runs", "show", "brave-otter")[0] == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("runs", "show", "nobody"), "no run 'nobody'"),
        (("runs", "watch", "nobody"), "no run"),
        (("runs", "logs", "nobody"), "no run"),
        (("runs", "show", "x\udcff\0"), "no run"),
        (("runs", "shwo"), "No such command"),
        (("runs", "ls", "--limit", "0"), "--limit"),
        (("runs", "ls", "--limit", "many"), "--limit"),
        (("runs", "show"), "Missing argument"),
        (("nonsense",), "No such command"),
        (("completion", "tcsh"), "tcsh"),
        (("--nonsense",), "No such option"),
    ],
)
def test_bad_input_is_told_in_a_few_lines(call: Call, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert "  → " in err
    assert "Traceback" not in err
    assert len(err.splitlines()) <= 3


def test_a_slip_of_the_pen_gets_a_hint(call: Call, read: Callable[..., Any]) -> None:
    pipeline(1)
    name = read("runs", "ls", "--json")[0]["name"]
    code, _, err = call("runs", "show", f"{name}s")
    assert code == 2
    assert f"Did you mean {name}?" in err


def test_a_name_with_several_runs_means_the_newest(call: Call, read: Callable[..., Any]) -> None:
    again = pipeline.with_options(flow_run_name="nightly")
    again(1)
    again(2)
    code, out, err = call("runs", "show", "nightly", "--json")
    assert code == 0
    assert json.loads(out)["parameters"] == {"n": 2}
    assert "older runs named nightly" in err


def test_logs_are_printed_in_order(call: Call, read: Callable[..., Any], flows: Path) -> None:
    assert execute("run", f"{flows}:talks").returncode == 0
    name = read("runs", "ls", "--json")[0]["name"]
    _, out, _ = call("runs", "logs", name)
    assert re.findall(r"line (\d+)", out) == [str(n) for n in range(20)]
    assert out.endswith("late\n    \\x1b[31mvery\n")
    assert re.findall(r"line (\d+)", call("runs", "logs", name, "--tail", "3")[1]) == ["18", "19"]
    assert len(call("runs", "logs", name, "--level", "warning")[1].splitlines()) == 2
    lines = read("runs", "logs", name, "--json", "--tail", "1")
    assert (lines[0]["level"], lines[0]["message"], lines[0]["attempt"]) == ("WARNING", "late\n\x1b[31mvery", 1)
    assert TIME.fullmatch(lines[0]["at"])
    followed = call("runs", "logs", name, "--follow", "--json")[1].splitlines()
    assert [json.loads(line)["n"] for line in followed] == list(range(1, 22))
    assert call("runs", "logs", name, "--follow", "--tail", "0")[1] == ""
    assert call("runs", "logs", name, "--level", "loud")[0] == 2


def test_a_broken_pipe_is_no_error(flows: Path) -> None:
    execute("run", f"{flows}:talks")
    command = (
        f"{sys.executable} -c '{COMMAND[3]}' runs ls --all --json --limit 1000 | head -c 1; echo ${{PIPESTATUS[0]}}"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.stdout == "[0\n"
    assert done.stderr == ""
