"""Settings: their order of sources, what is refused, what is never shown, and their reference page."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellwerk import config
from stellwerk.config import DEFAULT, SETTINGS, Config, load, mask_url
from stellwerk.errors import ConfigError

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Give a home and a project folder with a folder below it."""
    (tmp_path / "home" / ".stellwerk").mkdir(parents=True)
    (tmp_path / "project" / "below" / "deep").mkdir(parents=True)
    return tmp_path


def settings(place: Path, below: str = "below/deep", **environ: str) -> Config:
    return load({"HOME": str(place / "home"), **environ}, place / "project" / below)


def write_project(place: Path, text: str, name: str = "stellwerk.toml") -> Path:
    path = place / "project" / name
    path.write_text(text)
    return path


def write_user(place: Path, text: str) -> Path:
    path = place / "home" / ".stellwerk" / "config.toml"
    path.write_text(text)
    return path


def test_defaults(place: Path) -> None:
    config = settings(place)
    assert config.home == str(place / "home" / ".stellwerk")
    assert (config.api_url, config.api_token, config.database_url) == (None, None, None)
    assert (config.lease_seconds, config.infra_retries, config.durability) == (30, 3, "strict")
    assert (config.inline_result_bytes, config.result_limit_bytes, config.preview_bytes) == (16384, 2 << 30, 1024)
    assert (config.log_level, config.log_prints, config.recording, config.progress) == ("INFO", False, True, "auto")
    assert (config.server_host, config.server_port) == ("127.0.0.1", 4711)
    assert (config.server_path, config.server_names) == ("", "")
    assert 5 <= config.max_workers <= 32
    assert {config.source(setting.name) for setting in SETTINGS} == {DEFAULT}


def test_environment_beats_project_beats_user_beats_default(place: Path) -> None:
    user = write_user(place, "lease_seconds = 10\ninfra_retries = 1\nmax_workers = 2")
    project = write_project(place, "lease_seconds = 20\ninfra_retries = 2")
    config = settings(place, STELLWERK_LEASE_SECONDS="40")
    assert (config.lease_seconds, config.source("lease_seconds")) == (40, "STELLWERK_LEASE_SECONDS")
    assert (config.infra_retries, config.source("infra_retries")) == (2, str(project))
    assert (config.max_workers, config.source("max_workers")) == (2, str(user))
    assert config.source("durability") == "default"


def test_the_nearest_project_file_counts_alone(place: Path) -> None:
    write_project(place, "max_workers = 1\ninfra_retries = 9")
    write_project(place, "max_workers = 2", "below/stellwerk.toml")
    config = settings(place)
    assert (config.max_workers, config.infra_retries) == (2, 3)


def test_pyproject_counts_when_it_has_our_table(place: Path) -> None:
    write_project(place, '[project]\ndependencies = ["stellwerk"]\n[tool.ruff]\n', "below/pyproject.toml")
    path = write_project(place, "[tool.stellwerk]\nmax_workers = 7", "pyproject.toml")
    config = settings(place)
    assert (config.max_workers, config.source("max_workers")) == (7, str(path))
    write_project(place, "[tool]\nstellwerk = {max_workers = 8}", "pyproject.toml")
    assert settings(place).max_workers == 8
    write_project(place, "max_workers = 9")
    assert settings(place).max_workers == 9


def test_an_empty_variable_is_not_set(place: Path) -> None:
    assert settings(place, STELLWERK_MAX_WORKERS="", STELLWERK_API_URL="").source("api_url") == "default"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("api_url", "https://example.org/sub/", "https://example.org/sub"),
        ("lease_seconds", "0.5", 0.5),
        ("durability", "Power", "power"),
        ("inline_result_bytes", "32 KiB", 32768),
        ("result_limit_bytes", "4GiB", 4 << 30),
        ("result_limit_bytes", "1000", 1000),
        ("log_level", "debug", "DEBUG"),
        ("log_prints", "on", True),
        ("log_prints", "TRUE", True),
        ("recording", "off", False),
        ("recording", "0", False),
        ("progress", "off", "off"),
        ("max_workers", "1", 1),
        ("server_host", " 0.0.0.0 ", "0.0.0.0"),
        ("server_port", "0", 0),
        ("server_path", "/a/b.c/", "/a/b.c"),
        ("server_path", "/", ""),
        ("server_names", "Trains.Example.org, signal-box", "trains.example.org,signal-box"),
    ],
)
def test_values_are_read(place: Path, name: str, text: str, value: object) -> None:
    config = settings(place, **{f"STELLWERK_{name.upper()}": text})
    assert getattr(config, name) == value
    assert type(getattr(config, name)) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "allowed"),
    [
        ("api_url", "localhost:4200", "https://"),
        ("api_url", "https://u:p@example.org", "without credentials"),
        ("database_url", "mysql://host/db", "postgresql://"),
        ("database_url", "trains.db", "sqlite:///trains.db"),
        ("database_url", "sqlite://trains.db", "sqlite:///trains.db"),
        ("database_url", "sqlite:///", "sqlite:////srv"),
        ("database_url", "sqlite:///folder/", "sqlite:///trains.db"),
        ("database_url", "sqlite:///:memory:", "sqlite:///trains.db"),
        ("database_url", "sqlite:///file:x.db", "sqlite:///trains.db"),
        ("database_url", "sqlite:///x.db?mode=ro", "sqlite:///trains.db"),
        ("database_url", "sqlite:/x.db", "sqlite:///trains.db"),
        ("lease_seconds", "nan", "from 0.2 to 86400"),
        ("lease_seconds", "soon", "from 0.2 to 86400"),
        ("durability", "stric", "relaxed, strict or power"),
        ("infra_retries", "-1", "from 0 to 1000"),
        ("infra_retries", "1.5", "whole number"),
        ("max_workers", "0", "from 1 to 10000"),
        ("inline_result_bytes", "16 KB", "KiB"),
        ("log_level", "LOUD", "CRITICAL"),
        ("log_prints", "maybe", "on or off"),
        ("progress", "bar", "auto, on or off"),
        ("preview_bytes", "1e3", "65536"),
        ("server_port", "65536", "from 0 to 65535"),
        ("server_path", "stellwerk", "/stellwerk"),
        ("server_path", "/a//b", "/stellwerk"),
        ("server_path", "/a/../b", "/stellwerk"),
        ("server_path", '/"><script>', "/stellwerk"),
        ("server_names", "a,,b", "commas"),
        ("server_names", "https://example.org", "host names"),
    ],
)
def test_a_malformed_value_names_setting_value_source_and_what_is_allowed(
    place: Path, name: str, text: str, allowed: str
) -> None:
    variable = f"STELLWERK_{name.upper()}"
    with pytest.raises(ConfigError) as caught:
        settings(place, **{variable: text})
    message = str(caught.value)
    assert name in message
    assert variable in message
    assert allowed in message
    assert text in message or "@" in text
    assert "u:p@" not in message


@pytest.mark.parametrize(
    "line", ["lease_seconds = true", "max_workers = 2.0", "home = 5", "log_level = [1]", "api_url = {}"]
)
def test_a_wrong_type_in_a_file_is_refused_by_its_path(place: Path, line: str) -> None:
    path = write_project(place, line)
    with pytest.raises(ConfigError, match="must be") as caught:
        settings(place)
    assert str(path) in str(caught.value)


def test_a_value_is_checked_even_when_another_source_wins(place: Path) -> None:
    write_project(place, "max_workers = 0")
    with pytest.raises(ConfigError, match="max_workers"):
        settings(place, STELLWERK_MAX_WORKERS="3")


@pytest.mark.parametrize(
    ("key", "nearest"),
    [("lease_second", "lease_seconds"), ("STELLWERK_API_URL", "api_url"), ("max-workers", "max_workers")],
)
def test_an_unknown_name_in_a_file_is_refused_with_the_nearest(place: Path, key: str, nearest: str) -> None:
    path = write_project(place, f"{key} = 1")
    with pytest.raises(ConfigError, match=f"Did you mean {nearest}") as caught:
        settings(place)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_toml_is_named(place: Path) -> None:
    path = write_user(place, "max_workers = ")
    with pytest.raises(ConfigError, match="not valid TOML") as caught:
        settings(place)
    assert str(path) in str(caught.value)
    path.write_bytes(b'log_level = "\xff"')
    with pytest.raises(ConfigError, match="not valid TOML"):
        settings(place)


def test_a_project_may_not_set_a_token_but_a_user_may(place: Path) -> None:
    write_user(place, 'api_token = "geheim"')
    assert settings(place).api_token == "geheim"
    write_project(place, 'api_token = "geheim"')
    with pytest.raises(ConfigError, match="may not") as caught:
        settings(place, STELLWERK_API_TOKEN="other")
    assert "geheim" not in str(caught.value)


def test_a_project_that_moves_the_home_brings_no_token_with_it(place: Path) -> None:
    write_project(place, 'home = "state"')
    (place / "project" / "state").mkdir()
    (place / "project" / "state" / "config.toml").write_text('api_token = "planted"')
    config = settings(place)
    assert config.home == str(place / "project" / "state")
    assert config.api_token is None


def test_a_token_goes_only_to_a_url_of_its_own_source_or_the_environment(place: Path) -> None:
    write_user(place, 'api_token = "t"\napi_url = "https://mine.org"')
    assert settings(place).may_send_token()
    assert settings(place, STELLWERK_API_URL="https://other.org").may_send_token()
    assert not settings(place, STELLWERK_API_TOKEN="t").may_send_token()
    write_project(place, 'api_url = "https://evil.org"')
    assert not settings(place).may_send_token()
    assert not settings(place, STELLWERK_API_TOKEN="t").may_send_token()
    assert settings(place, STELLWERK_API_TOKEN="t", STELLWERK_API_URL="https://a.org").may_send_token()
    assert not load({"HOME": str(place)}, place).may_send_token()


def test_home_is_not_set_by_files_inside_a_home(place: Path) -> None:
    write_user(place, 'home = "/elsewhere"')
    with pytest.raises(ConfigError, match="inside a home"):
        settings(place)
    write_user(place, "")
    write_project(place, 'home = "."')
    with pytest.raises(ConfigError, match="inside a home"):
        settings(place)
    write_project(place, 'home = "/elsewhere"')
    with pytest.raises(ConfigError, match="inside a home"):
        settings(place, STELLWERK_HOME=str(place / "project"))


def test_the_path_of_an_sqlite_url_is_absolute(place: Path) -> None:
    deep = place / "project" / "below" / "deep"
    for url, path in (
        ("sqlite:///x.db", deep / "x.db"),
        ("SQLite:///../x.db", deep.parent / "x.db"),
        ("sqlite:////srv/x.db", Path("/srv/x.db")),
        ("sqlite:///~/x.db", place / "home" / "x.db"),
    ):
        assert settings(place, STELLWERK_DATABASE_URL=url).database_url == f"sqlite:///{path}"
    write_user(place, 'database_url = "sqlite:///user.db"')
    assert settings(place).database_url == f"sqlite:///{place}/home/.stellwerk/user.db"
    write_project(place, 'database_url = "sqlite:///state/project.db"')
    assert settings(place).database_url == f"sqlite:///{place}/project/state/project.db"
    assert settings(place, STELLWERK_DATABASE_URL="PostgreSQL://h/DB").database_url == "postgresql://h/DB"


def test_home_is_absolute(place: Path) -> None:
    assert settings(place, STELLWERK_HOME="~/x").home == str(place / "home" / "x")
    assert settings(place, STELLWERK_HOME="x").home == str(place / "project" / "below" / "deep" / "x")
    write_project(place, 'home = "y"')
    assert settings(place).home == str(place / "project" / "y")


def test_the_users_file_is_in_the_home_of_the_environment(place: Path) -> None:
    (place / "other").mkdir()
    (place / "other" / "config.toml").write_text("max_workers = 3")
    assert settings(place, STELLWERK_HOME=str(place / "other")).max_workers == 3


def test_secrets_are_masked(place: Path) -> None:
    url = "postgresql://me:geheim@host/db"
    config = settings(place, STELLWERK_API_TOKEN="geheim", STELLWERK_DATABASE_URL=url)
    assert config.database_url == url
    assert "geheim" not in repr(config)
    assert config.shown("api_token") == "********"
    assert config.shown("database_url") == "postgresql://me:********@host/db"
    assert (config.shown("recording"), config.shown("api_url"), config.shown("lease_seconds")) == (
        "on",
        "not set",
        "30",
    )


@given(st.text(st.characters(codec="ascii", exclude_categories=["C"]), min_size=4).map(lambda text: f"<{text}>"))
def test_no_password_survives_masking(password: str) -> None:
    assert password not in mask_url(f"postgresql://me:{password}@host/db?sslmode=require")
    plain = password.replace("&", "").replace("@", "").replace("?", "")
    assert plain not in mask_url(f"postgresql:///db?user=me&password={plain}")


def test_config_is_frozen_and_stays_here(place: Path) -> None:
    config = settings(place)
    with pytest.raises(AttributeError, match="frozen"):
        config.max_workers = 1
    with pytest.raises(AttributeError):
        config.unknown = 1
    with pytest.raises(TypeError, match="token"):
        config.__reduce_ex__(2)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file another's")
def test_a_strangers_file_in_a_public_folder_is_not_a_project(place: Path) -> None:
    path = write_project(place, 'api_url = "https://evil.org"')
    os.chown(path, 12345, 12345)
    assert settings(place).api_url is not None
    (place / "project").chmod(0o1777)
    assert settings(place).api_url is None
    os.chown(path, 0, 0)
    assert settings(place).api_url is not None


def test_a_removed_working_folder_is_no_error(place: Path) -> None:
    code = (
        "import os, sys\nos.chdir(sys.argv[1]); os.rmdir(sys.argv[1])\n"
        "from stellwerk.config import load\nprint(load().home)"
    )
    environ = {**os.environ, "HOME": str(place / "home"), "PYTHONPATH": os.pathsep.join(sys.path)}
    environ.pop("STELLWERK_HOME", None)
    gone = place / "project" / "below" / "deep"
    done = subprocess.run(
        [sys.executable, "-c", code, str(gone)], env=environ, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == str(place / "home" / ".stellwerk")


def test_importing_it_imports_nothing_heavy() -> None:
    code = (
        "import os, sys, types; package = types.ModuleType('stellwerk'); package.__path__ = [sys.argv[1]]; "
        "sys.modules['stellwerk'] = package; before = set(sys.modules); import stellwerk.config; "
        "print(*sorted(set(sys.modules) - before))"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-S", "-c", code, os.path.dirname(config.__file__)],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert set(done.stdout.split()) <= {"__future__", "stellwerk.config"}


def test_the_reference_lists_every_setting() -> None:
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in REFERENCE.read_text().splitlines()
        if line.startswith("| `")
    ]
    expected = [
        [
            f"`{setting.name}`",
            f"`{setting.variable}`",
            setting.type,
            setting.default_text,
            setting.unit or "-",
            setting.allowed,
            setting.description,
        ]
        for setting in SETTINGS
    ]
    assert rows == expected
