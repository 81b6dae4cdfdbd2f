"""The command line as people and scripts use it: what it prints, what it exits with, and what it says to bad input."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import stellwerk
from stellwerk import Skip, flow, task
from stellwerk.cli.main import cli, main
from stellwerk.testing import Recorded

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
SECONDS = 30
FLOWS = """
import asyncio, os, signal, sys, time
from stellwerk import Skip, flow, get_run_logger, task

@task
def square(x: int) -> int:
    return x * x

@flow
def squares(n: int = 3, label: str = "x") -> int:
    return sum(f.result() for f in square.map(range(n)))

@flow
def says(code: str, days: list[int] | None = None): return f"{code!r} {days!r}"

@flow
def breaks():
    square(1)
    raise ValueError("no such train\\x1b[31m")

@flow
def exits(): sys.exit(7)

@flow
def dies():
    square(1)
    os._exit(9)

@flow
def skips(): raise Skip("no trains today")

@flow
async def waits(n: int):
    await asyncio.sleep(0)
    return n

@flow
def yields():
    yield 1
    return "end"

@flow
def stays():
    square(2)
    print("ready", flush=True)
    time.sleep(60)

@flow
def talks():
    for n in range(20):
        get_run_logger().info("line %d", n)
    get_run_logger().warning("late\\n\\x1b[31mvery")

@flow
def wrong_call(): return square(1, 2)

@flow
def unpicklable(): return (x for x in [])
"""

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def environment(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands read what the test records, in a pipe."""
    monkeypatch.setenv("STELLWERK_HOME", str(recorded.home))
    monkeypatch.setenv("PYTHONPATH", str(Path(stellwerk.__file__).parents[1]))
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Call a command in this process: its exit code, what it said on stdout and on stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        told = capsys.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else 0), told.out, told.err

    return run


@pytest.fixture
def read(call: Call) -> Callable[..., Any]:
    """Call a command that prints JSON; what it printed, decoded."""

    def run(*arguments: str) -> Any:
        code, out, _ = call(*arguments)
        assert code == 0
        return json.loads(out)

    return run


@pytest.fixture
def flows(tmp_path: Path) -> Path:
    """Write a file of flows."""
    path = tmp_path / "trains.py"
    path.write_text(FLOWS)
    return path


COMMAND = [sys.executable, "-P", "-c", "from stellwerk.cli.main import main; main()"]


def execute(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Call a command in a process of its own."""
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False, cwd=cwd)


@task
def clean(x: int) -> int:
    return x + 1


@task(retries=1, retry_delay_seconds=0)
def load(x: int) -> int:
    if x == 1:
        raise ValueError(f"no track {x}")
    return x


@flow
def child(n: int) -> int:
    return clean(n)


@flow(tags=["nightly"])
def pipeline(n: int = 3) -> dict[str, int]:
    done = [f.result(raise_on_failure=False) for f in load.map(clean.map(range(n)))]
    return {"done": len(done), "child": child(n)}


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────
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
    for field in ("id", "name", "kind", "flow", "task", "state", "label", "cause", "error", "started_at", "ended_at"):
        assert field in shown
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
            assert set(attempt) == {"number", "state", "label", "cause", "error", "started_at", "ended_at"}
    failed = next(task for task in shown["tasks"] if task["state"] == "failed")
    assert failed["cause"]["kind"] == "user_error"
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
    command = f"{sys.executable} -c '{COMMAND[3]}' runs ls --all --json --limit 1000 | head -c 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.stdout == "[0\n"
    assert done.stderr == ""


# ── running ──────────────────────────────────────────────────────────────────────────────────────────────────────────
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
    rows = [store.select("run_by_id", (bytes.fromhex(run["id"].replace("-", "")),))[0] for run in recorded.runs(task="t")]
    assert len(rows) == 2
    assert len({row[8] for row in rows}) == len({row[10] for row in rows}) == 1  # call_key, code_hash


def start(*arguments: object) -> subprocess.Popen[str]:
    """Start a command and wait until its flow says that it is ready."""
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


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
    assert (run["state"], run["cause"]["kind"]) == (state, cause)
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
    assert (run["state"], run["cause"]["kind"]) == ("crashed", "lease_lost")
    assert "is gone" in run["cause"]["evidence"]
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


# ── itself ───────────────────────────────────────────────────────────────────────────────────────────────────────────
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
