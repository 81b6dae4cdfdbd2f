"""Reading through a server: what commands print is the same as from the database itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from proxies import Proxy
from scripts import SECONDS, Script, recorded
from servers import Server

TOKEN = "a-token-of-many-letters"
COMMAND = [sys.executable, "-m", "stellwerk"]

FLOWS = """
    @task
    def step(n): return n
    @task(retries=1, retry_delay_seconds=0)
    def stumbles():
        raise ValueError("mind the gap")
    @task
    def talks():
        for n in range(30): get_run_logger().info("sleeper %d ü\\x1b[31m", n)
        get_run_logger().warning("doors are closing")
    @flow(flow_run_name="branch line")
    def branch(n): return [f.result() for f in step.map(range(n))]
    @flow(flow_run_name="main line", tags=["nightly"])
    def main_line(day: str, stops: int):
        talks()
        return len(branch(stops))
    @flow(flow_run_name="dead end")
    def dead_end(): stumbles()
    main_line("2026-11-24", 40)
    main_line("2026-11-25", 3)
    step(1)
    try: dead_end()
    except ValueError: pass
"""

READ = [
    "runs ls",
    "runs ls --json",
    "runs ls --limit 1",
    "runs ls --all",
    "runs ls --all --json --limit 7",
    "runs show {main}",
    "runs show main\tline",
    "runs show main\tline --json",
    "runs show {main} --json --limit 2",
    "runs show {main} --limit 2",
    "runs show dead\tend",
    "runs show dead\tend --json",
    "runs show dead\tend/stumbles-0",
    "runs show {prefix}",
    "runs show 01",
    "runs show nowhere",
    "runs show main\tline/nowhere",
    "runs show a\x1b[31mb",
    "runs logs main\tline",
    "runs logs main\tline --json",
    "runs logs main\tline --level WARNING",
    "runs logs main\tline --tail 3",
    "runs logs main\tline --tail 0",
    "runs logs main\tline --follow --json",
    "runs watch main\tline",
    "runs watch dead\tend",
]


@pytest.fixture
def server(home: Path) -> Iterator[Server]:
    server = Server(STELLWERK_API_TOKEN=TOKEN)
    server.start()
    yield server
    server.kill()


def by_url(url: str, tmp_path: Path) -> dict[str, str]:
    return {"STELLWERK_API_URL": url, "STELLWERK_API_TOKEN": TOKEN, "STELLWERK_HOME": str(tmp_path / "none")}


def command(words: str, environment: dict[str, str]) -> tuple[int, str, str]:
    arguments = [word.replace("\t", " ") for word in words.split(" ")]
    done = subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        env={**os.environ, "TZ": "UTC", **environment},
    )
    return done.returncode, done.stdout, done.stderr


def test_commands_print_the_same_on_each_road(
    run: Callable[..., Script], server: Server, tmp_path: Path, home: Path
) -> None:
    assert run(FLOWS).end()[0] == 0
    runs = json.loads(command("runs ls --json", {})[1])
    main = next(each["id"] for each in runs if each["name"] == "main line")
    road = by_url(server.url, tmp_path)
    told = {}
    for text in READ:
        words = text.format(main=main, prefix=main.replace("-", "")[:17])
        here, there = command(words, {}), command(words, road)
        # How long ago something was may differ by the second that passes between the two.
        assert [_steady(each) for each in there[1:]] == [_steady(each) for each in here[1:]], words
        assert there[0] == here[0], words
        told[text] = there
    assert told["runs ls"][1].count("\n") == 4
    assert told["runs show nowhere"][0] == 2
    assert told["runs watch dead\tend"][0] == 1
    assert len(json.loads(told["runs show main\tline --json"][1])["tasks"]) == 2
    assert not (tmp_path / "none").exists()


def _steady(text: str) -> str:
    return " ".join(word for word in text.split() if not word.isdigit())


@pytest.mark.parametrize("way", ["file", "URL", "refuses"])
def test_a_run_is_watched_live(run: Callable[..., Script], server: Server, tmp_path: Path, way: str) -> None:
    script = run(
        """
        @task
        def step(): return 1
        @flow(flow_run_name="night train")
        def pipeline():
            print("READY")
            while not os.path.exists("go"): time.sleep(0.01)
            get_run_logger().info("off we go")
            for n in range(20): step()
        pipeline()
        """
    )
    script.wait_for("READY")
    with Proxy(server.port, "refuses") as proxy:
        road = {} if way == "file" else by_url(proxy.url if way == "refuses" else server.url, tmp_path)
        environment = {**os.environ, **road}
        words = (["runs", "watch", "night train"], ["runs", "logs", "night train", "--follow"])
        watch, logs = (
            subprocess.Popen(
                [*COMMAND, *each], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
            )
            for each in words
        )
        assert watch.stderr is not None
        assert watch.stderr.readline() == "night train is running\n"
        (tmp_path / "go").touch()
        assert script.end()[0] == 0
        _, err = watch.communicate(timeout=SECONDS)
        assert watch.returncode == 0, err
        assert "20 tasks: 20 completed" in err
        out, err = logs.communicate(timeout=SECONDS)
        assert logs.returncode == 0, err
        assert out.count("off we go") == 1


def test_watching_outlives_the_server(run: Callable[..., Script], server: Server, tmp_path: Path) -> None:
    script = run(
        """
        @flow(flow_run_name="night train")
        def pipeline():
            print("READY")
            while not os.path.exists("go"): time.sleep(0.01)
        pipeline()
        """
    )
    script.wait_for("READY")
    watch = subprocess.Popen(
        [*COMMAND, "runs", "watch", "night train"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **by_url(server.url, tmp_path)},
    )
    assert watch.stderr is not None
    assert watch.stderr.readline() == "night train is running\n"
    server.kill()
    assert "Going on as soon as it is back" in watch.stderr.readline()
    server.start()
    assert watch.stderr.readline() == "The server is back.\n"
    (tmp_path / "go").touch()
    assert script.end()[0] == 0
    assert watch.wait(SECONDS) == 0
    watch.stderr.close()
    assert watch.stdout is not None
    watch.stdout.close()


def test_open_gives_a_link_that_lets_in_once(run: Callable[..., Script], server: Server, tmp_path: Path) -> None:
    assert run(FLOWS).end()[0] == 0
    found = recorded()["dead_end"]
    for road in ({}, by_url(server.url, tmp_path)):
        code, out, err = command("open dead\tend --print", road)
        assert (code, err) == (0, "")
        place, _, secret = out.strip().partition("#code=")
        assert place == f"{server.url}/runs/{found['id']}"
        body = json.dumps({"code": secret}).encode()
        asked = urllib.request.Request(
            f"{server.url}/api/session", body, {"Content-Type": "application/json", "Origin": server.url}
        )
        with urllib.request.urlopen(asked, timeout=SECONDS) as answer:
            assert json.loads(answer.read())["token"]
    assert command("open", {})[1].startswith(f"{server.url}/#code=")
    assert command("open nowhere --print", {})[0] == 2


def test_open_without_a_server() -> None:
    code, out, err = command("open --print", {})
    assert (code, out) == (5, "")
    assert "stellwerk server start" in err


def test_run_reports_through_the_server(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "trains.py"
    path.write_text(
        "from stellwerk import flow, task\n@task\ndef step(): return 1\n@flow\ndef f(n: int): return step() + n\n",
        encoding="utf-8",
    )
    for road in ({}, by_url(server.url, tmp_path)):
        code, out, err = command(f"run {path} -p n=3", road)
        assert (code, out) == (0, "4\n"), err
        assert err.count(f"{server.url}/runs/") == 1
        assert "completed" in err
        assert "1 task: 1 completed" in err
    assert not (tmp_path / "none").exists()
