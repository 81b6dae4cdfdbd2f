"""Which road is taken: by the settings, and by what a server has left in the home."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stellwerk import config as settings
from stellwerk.client.process import this_process
from stellwerk.client.road import Embedded, Remote, find_road, living, local_server, read_file
from stellwerk.config import Config
from stellwerk.errors import UnavailableError

URL = "http://127.0.0.1:4711"


def config(home: Path, **changes: str) -> Config:
    variables = {f"STELLWERK_{name.upper()}": value for name, value in {"home": str(home), **changes}.items()}
    return settings.load(variables, cwd=home.parent)


def write(home: Path, mode: int = 0o600, **changes: Any) -> Path:
    """Leave the file of a server that is this very process."""
    here = this_process()
    told = {
        "url": URL,
        "pid": here.pid,
        "started_at": here.started,
        "boot_id": here.boot_id,
        "host": here.host,
        "database_id": "rails",
        "secret": "open sesame",
        "version": "0.1.0",
    }
    home.mkdir(exist_ok=True)
    path = home / "server.json"
    path.write_text(json.dumps({**told, **changes}), encoding="utf-8")
    path.chmod(mode)
    return path


def ended() -> dict[str, Any]:
    """Name a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return {"pid": process.pid, "started_at": 1}


def never() -> str:
    raise AssertionError("the database was looked at")


def test_nothing_is_set_and_no_server_has_been(home: Path) -> None:
    assert find_road(config(home), never) == Embedded()


def test_a_url_goes_before_all_else(home: Path) -> None:
    write(home)
    road = find_road(config(home, api_url="https://signal.example/box/", api_token="t"), never)
    assert isinstance(road, Remote)
    assert road.address() == ("https://signal.example/box", "t")
    assert road.home is None


def test_a_token_goes_only_where_it_may(home: Path) -> None:
    home.mkdir()
    project = home.parent / "stellwerk.toml"
    project.write_text('api_url = "http://elsewhere.example"\n', encoding="utf-8")
    road = find_road(config(home, api_token="mine"), never)
    assert isinstance(road, Remote)
    assert road.address() == ("http://elsewhere.example", "")
    assert "STELLWERK_API_TOKEN" in road.remedy
    assert str(project) in road.remedy


def test_a_living_server_of_the_home(home: Path) -> None:
    write(home)
    road = find_road(config(home), never)
    assert isinstance(road, Remote)
    assert (road.url, road.database_id, road.home) == (URL, "rails", home)
    assert road.address() == (URL, "open sesame")


def test_the_secret_is_read_anew_at_each_connection(home: Path) -> None:
    write(home)
    road = find_road(config(home), never)
    assert isinstance(road, Remote)
    write(home, secret="another", url="http://127.0.0.1:5000/")
    assert road.address() == ("http://127.0.0.1:5000", "another")
    write(home, **ended())
    with pytest.raises(UnavailableError, match="is not running"):
        road.address()
    write(home, database_id="wires")
    with pytest.raises(UnavailableError, match="another database"):
        road.address()
    (home / "server.json").unlink()
    with pytest.raises(UnavailableError, match="is not running"):
        road.address()


@pytest.mark.parametrize(("database", "is_taken"), [("rails", True), ("wires", False)])
def test_a_database_url_takes_the_server_only_if_it_is_the_same(home: Path, database: str, is_taken: bool) -> None:
    write(home)
    road = find_road(config(home, database_url="sqlite:///trains.db"), lambda: database)
    assert isinstance(road, Remote) is is_taken
    if isinstance(road, Embedded):
        assert URL in road.note
        assert "trains.db" in road.note


def test_a_dead_server_is_no_road(home: Path) -> None:
    write(home, **ended())
    assert find_road(config(home), lambda: "rails") == Embedded()
    assert find_road(config(home, database_url="sqlite:///trains.db"), never) == Embedded()
    assert living(home) == (None, "")


def test_a_dead_server_on_another_database_is_spoken_of(home: Path) -> None:
    write(home, **ended())
    road = find_road(config(home), lambda: "wires")
    assert isinstance(road, Embedded)
    assert "another database" in road.note


def test_a_process_with_the_number_of_a_dead_server_is_none(home: Path) -> None:
    write(home, started_at=this_process().started - 1)
    assert find_road(config(home), lambda: "rails") == Embedded()


def test_a_server_elsewhere_is_none_here(home: Path) -> None:
    write(home, host="another-machine")
    assert find_road(config(home), lambda: "rails") == Embedded()


def test_a_server_before_a_reboot_is_none(home: Path) -> None:
    write(home, boot_id="before/pid:[1]")
    assert find_road(config(home), lambda: "rails") == Embedded()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o620])
def test_a_file_that_others_may_touch_is_ignored(home: Path, mode: int) -> None:
    write(home, mode)
    road = find_road(config(home), never)
    assert isinstance(road, Embedded)
    assert "others may read it" in road.note


def test_a_file_of_another_user_is_ignored(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(home)
    if os.geteuid() == 0:
        os.chown(path, 12_345, -1)
    else:  # the file can't be given away, so we are somebody else
        monkeypatch.setattr(os, "geteuid", lambda: 12_345)
    road = find_road(config(home), never)
    assert isinstance(road, Embedded)
    assert "another user" in road.note


def test_what_is_no_file_of_ours_is_ignored(home: Path) -> None:
    path = write(home)
    path.rename(home / "other.json")
    path.symlink_to(home / "other.json")
    assert read_file(home)[0] is None
    path.unlink()
    path.mkdir()
    assert "not a regular file" in read_file(home)[1]
    path.rmdir()
    os.mkfifo(path, 0o600)
    assert "not a regular file" in read_file(home)[1]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"url": 4}', "\xff", '{"x": ' + "[" * 20_000 + "]" * 20_000 + "}"]
)
def test_nonsense_in_the_file_is_ignored(home: Path, text: str) -> None:
    write(home).write_text(text, encoding="latin-1")
    assert "does not name a server" in read_file(home)[1]


@pytest.mark.parametrize("pid", [-1, 0, 1 << 40])
def test_what_is_no_number_of_a_process_is_never_signalled_or_looked_at(home: Path, pid: int) -> None:
    write(home, pid=pid)
    assert "not the number of a process" in read_file(home)[1]


def test_a_url_that_is_no_servers_is_ignored(home: Path) -> None:
    write(home, url="file:///etc/passwd")
    assert "not the URL of a server" in read_file(home)[1]


def test_no_port_is_ever_probed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_: object) -> None:
        raise AssertionError("a connection was made")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "create_connection", connect)
    write(home)
    assert isinstance(find_road(config(home), never), Remote)
    write(home, **ended())
    assert find_road(config(home), lambda: "rails") == Embedded()
    with pytest.raises(UnavailableError):
        local_server(home, URL, "rails").address()
