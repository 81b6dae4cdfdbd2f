"""Commands that run and watch: exit codes, truthful states, and what is refused before anything is recorded."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import COMMAND, SECONDS, Call, execute, pipeline, start

from stellwerk import Skip, flow
from stellwerk.testing import Recorded


@pytest.mark.parametrize(
    ("name", "arguments", "code", "out", "state"),
    [
        ("squares", (), 0, "5\n", "completed"),
        ("squares", ("-p", "n=4", "-p", "label=007"), 0, "14\n", "completed"),
        ("says", ("-p", "code=007"), 0, "'007' None\n", "completed"),
        ("says", ("-p", "code=7", "-p", "days=[1, 2]"), 0, "'7' [1, 2]\n", "completed"),
        ("says", ("-p", 'code="7"'), 0, "'7' None\n", "completed"),
        ("waits", ("-p", "n=5"), 0, "5\n", "completed"),
        ("yields", (), 0, "end\n", "completed"),
        ("skips", (), 0, "", "skipped"),
        ("breaks", (), 1, "", "failed"),
        ("exits", (), 1, "", "failed"),
        ("wrong_call", (), 1, "", "failed"),
    ],
)
def test_run_exits_by_the_state(
    flows: Path, read: Callable[..., Any], name: str, arguments: tuple[str, ...], code: int, out: str, state: str
) -> None:
    done = execute("run", f"{flows}:{name}", *arguments)
    assert (done.returncode, done.stdout) == (code, out), done.stderr
    (run,) = read("runs", "ls", "--json")
    assert (run["flow"], run["state"]) == (name, state)
    assert f"{run['name']} {state}" in done.stderr
    assert f"stellwerk runs show {run['name']}" in done.stderr
    assert "\x1b" not in done.stderr


def test_a_failed_run_shows_the_users_traceback_only(flows: Path) -> None:
    done = execute("run", f"{flows}:breaks")
    assert re.findall(r'File "([^"]+)"', done.stderr) == [str(flows)]
    assert "no such train\\x1b[31m" in done.stderr


def test_a_result_that_cannot_be_pickled_is_a_warning(flows: Path, read: Callable[..., Any]) -> None:
    done = execute("run", f"{flows}:unpicklable")
    assert done.returncode == 0
    assert done.stderr.count("can't be recorded") == 1
    assert read("runs", "ls", "--json")[0]["state"] == "completed"


@pytest.mark.parametrize(
    ("target", "arguments", "said", "hint"),
    [
        ("trains.py:squarse", (), "no flow 'squarse'", "Did you mean squares?"),
        ("trains.py", (), "several flows", "trains.py:squares"),
        ("trains.py:square", (), "is a task", "squares"),
        ("train.py", (), "no file train.py", "Did you mean trains.py?"),
        ("nowhere/at/all.py", (), "no file", "no folder"),
        (".", (), "is a folder", "FILE"),
        ("no.such.module:x", (), "no module", ""),
        ("trains.py:squares", ("-p", "m=1"), "'m' is not a parameter", "n: int"),
        ("trains.py:squares", ("-p", "n=one"), "n = 'one'", "n: int"),
        ("trains.py:squares", ("-p", "n"), "name=value", "-p n=10"),
        ("trains.py:squares", ("-p", "n=1", "-p", "n=2"), "given twice", ""),
        ("trains.py:says", (), "'code' is missing", "code: str"),
        ("empty.py", (), "defines no flow", "@flow"),
        ("missing.py", (), "No module named 'no_such_thing'", "Install"),
        ("syntax.py", (), "SyntaxError", "Correct"),
        ("ends.py", (), "sys.exit(3)", "__main__"),
        ("options.py", (), "no option 'retires'", "retries"),
    ],
)
def test_what_cannot_run_is_refused_before_anything_is_recorded(
    flows: Path, read: Callable[..., Any], target: str, arguments: tuple[str, ...], said: str, hint: str
) -> None:
    folder = flows.parent
    (folder / "empty.py").write_text("x = 1\n")
    (folder / "missing.py").write_text("def f():\n    import no_such_thing\nf()\n")
    (folder / "syntax.py").write_text("def f(:\n")
    (folder / "ends.py").write_text("import sys\nsys.exit(3)\n")
    (folder / "options.py").write_text("from stellwerk import flow\n@flow(retires=3)\ndef f(): ...\n")
    done = execute("run", target, *arguments, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert hint in done.stderr
    assert "/stellwerk/cli/" not in done.stderr
    assert read("runs", "ls", "--json") == []


def test_a_module_runs_by_its_dotted_name(flows: Path) -> None:
    package = flows.parent / "lines"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "main.py").write_text("from trains import square, squares\n")
    done = execute("run", "lines.main:squares", cwd=flows.parent)
    assert (done.returncode, done.stdout) == (0, "5\n"), done.stderr


def test_a_file_named_like_a_loaded_module_runs(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("from stellwerk import flow\n@flow\ndef f(): return 1\n")
    done = execute("run", "click.py", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr


def test_code_counts_the_same_as_a_script_and_by_run(flows: Path, recorded: Recorded) -> None:
    script = flows.with_name("script.py")
    text = "from stellwerk import flow, task\n@task\ndef t(x): return x\n@flow\ndef f(): t(1)\n"
    script.write_text(text + 'if __name__ == "__main__": f()\n')
    assert subprocess.run([sys.executable, script], timeout=SECONDS, check=False).returncode == 0
    assert execute("run", script).returncode == 0
    store = recorded.engine.store
    rows = [
        store.select("run_by_id", (bytes.fromhex(run["id"].replace("-", "")),))[0] for run in recorded.runs(task="t")
    ]
    assert len(rows) == 2
    assert len({row[8] for row in rows}) == len({row[10] for row in rows}) == 1  # call_key, code_hash


EXITING = """
import asyncio, sys
from stellwerk import flow, task

CODE = {code}

@task
def leaves(): sys.exit(CODE)

@flow
def called(): sys.exit(CODE)

@flow
async def waits(): sys.exit(CODE)

@flow
def yields():
    yield 1
    sys.exit(CODE)

@flow
def submits(): leaves.submit()

@flow
def calls(): called()

if __name__ == "__main__":
    {call}
"""


@pytest.mark.parametrize("code", [0, 3])
@pytest.mark.parametrize("script", ["called()", "asyncio.run(waits())", "list(yields())", "submits()", "calls()"])
def test_a_script_that_exits_within_a_flow_says_that_the_run_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[..., Any], script: str, code: int
) -> None:
    path = tmp_path / "exiting.py"
    path.write_text(EXITING.format(code=code, call=script))
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=SECONDS, check=False)
    (run,) = read("runs", "ls", "--json")
    assert (run["state"], run["label"], run["cause"], run["evidence"]) == (
        "failed",
        "Exited",
        "exited",
        f"sys.exit({code})",
    )
    assert (done.returncode, done.stdout) == (code, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"Run '{run['name']}' failed: its code called sys.exit({code}).")
    assert f"`stellwerk runs show {run['name']}`" in line
    monkeypatch.setenv("STELLWERK_RECORDING", "off")
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == code
    assert done.stderr.endswith(f"failed: its code called sys.exit({code}).\n"), "there is nothing to look at"


def test_what_the_run_command_tells_of_an_exit_it_tells_once(flows: Path) -> None:
    done = execute("run", f"{flows}:exits")
    assert done.stderr.count("sys.exit(7)") == 1 + done.stderr.count("def exits()")
    assert "tells more" not in done.stderr


@pytest.mark.parametrize(
    ("number", "code", "state", "cause"),
    [(signal.SIGINT, 4, "cancelled", "cancelled"), (signal.SIGTERM, 3, "crashed", "signal")],
)
def test_a_stopped_run_says_so(
    flows: Path, read: Callable[..., Any], number: signal.Signals, code: int, state: str, cause: str
) -> None:
    process = start("run", f"{flows}:stays")
    process.send_signal(number)
    _, err = process.communicate(timeout=SECONDS)
    (run,) = read("runs", "ls", "--json")
    assert (run["state"], run["cause"]) == (state, cause)
    assert process.returncode == code
    assert f"{run['name']} {state}" in err


@pytest.mark.parametrize("name", ["dies", "stays"])
def test_a_dead_owner_is_swept_by_the_next_command(flows: Path, call: Call, name: str) -> None:
    if name == "stays":
        process = start("run", f"{flows}:stays")
        process.kill()
        process.communicate(timeout=SECONDS)
    else:
        assert execute("run", f"{flows}:dies").returncode == 9
    code, out, err = call("runs", "ls", "--json")
    (run,) = json.loads(out)
    assert code == 0
    assert f"{run['name']} crashed: process" in err
    assert (run["state"], run["cause"]) == ("crashed", "lease_lost")
    assert "is gone" in run["evidence"]
    assert call("runs", "ls")[2] == ""
    assert call("runs", "watch", run["name"])[0] == 3


def test_watch_follows_a_run_to_its_end(flows: Path, call: Call, read: Callable[..., Any]) -> None:
    process = start("run", f"{flows}:stays")
    (run,) = read("runs", "ls", "--json")
    watching = subprocess.Popen([*COMMAND, "runs", "watch", run["name"]], stderr=subprocess.PIPE, text=True)
    assert watching.stderr is not None
    assert watching.stderr.readline() == f"{run['name']} is running\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=SECONDS)
    _, err = watching.communicate(timeout=SECONDS)
    assert watching.returncode == 4
    assert f"{run['name']} cancelled" in err


def test_interrupting_a_watch_leaves_the_run_alone(flows: Path, read: Callable[..., Any]) -> None:
    process = start("run", f"{flows}:stays")
    (run,) = read("runs", "ls", "--json")
    watching = subprocess.Popen([*COMMAND, "runs", "watch", run["name"]], stderr=subprocess.PIPE, text=True)
    assert watching.stderr is not None
    watching.stderr.readline()
    watching.send_signal(signal.SIGINT)
    _, err = watching.communicate(timeout=SECONDS)
    assert watching.returncode == 6
    assert f"{run['name']} goes on" in err
    assert read("runs", "ls", "--json")[0]["state"] == "running"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=SECONDS)


@flow
def skipped() -> None:
    raise Skip("no trains today")


def test_watching_what_has_ended_exits_by_its_state(call: Call, read: Callable[..., Any]) -> None:
    pipeline(1)
    with pytest.raises(Skip):
        skipped()
    for run in read("runs", "ls", "--json"):
        code, out, err = call("runs", "watch", run["id"])
        assert (code, out) == (0, "")
        assert run["state"] in err
