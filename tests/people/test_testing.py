"""What users get for their own tests: a home for a test, recording off, and the fixtures of both."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stellwerk import flow, task
from stellwerk.errors import StellwerkError
from stellwerk.sdk import runtime
from stellwerk.testing import recording_off, stellwerk_test


@task
def double(x: int) -> int:
    return 2 * x


@flow
def pipeline(x: int) -> int:
    return double.submit(x).result()


def test_home_lives_as_long_as_the_test(home: Path) -> None:
    before = runtime.install(None)
    try:
        with stellwerk_test() as told:
            assert pipeline(2) == 4
            assert told.home.is_dir()
            assert told.run(task="double")["state"] == "completed"
            assert [run["kind"] for run in told.runs()] == ["flow", "task"]
            assert told.logs(told.run(kind="flow")) == []
            assert [step["event"] for step in told.story(told.run(kind="flow"))][-1] == "completed"
            with pytest.raises(StellwerkError, match="0 runs have"):
                told.run(task="treble")
            with stellwerk_test() as inner:
                pipeline(3)
                assert len(inner.runs()) == 2
            pipeline(4)
            assert len(told.runs()) == 4
        assert not told.home.exists()
        assert runtime.install(None) is None, "the former runtime is back"
        assert not home.exists(), "nothing went elsewhere"
    finally:
        runtime.install(before)


def test_settings_are_the_tests_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STELLWERK_RECORDING", "off")
    with stellwerk_test(max_workers="3", lease_seconds="5") as told:
        pipeline(1)
        assert len(told.runs()) == 2
        assert (told.engine.config.max_workers, told.engine.config.lease_seconds) == (3, 5.0)
    with pytest.raises(StellwerkError, match="no setting 'workers'"), stellwerk_test(workers="3"):
        pass
    with pytest.raises(StellwerkError, match="max_workers"), stellwerk_test(max_workers="none"):
        pass


def test_failure_inside_still_restores(home: Path) -> None:
    before = runtime.install(None)
    runtime.install(before)
    with pytest.raises(ValueError, match="x"), stellwerk_test():
        raise ValueError("x")
    with pytest.raises(ValueError, match="x"), recording_off():
        raise ValueError("x")
    assert runtime.install(before) is before


def test_recording_is_off_inside_only() -> None:
    with stellwerk_test() as told:
        with recording_off():
            assert pipeline(2) == 4
        assert told.runs() == []
        assert pipeline(2) == 4
        assert len(told.runs()) == 2


def test_fixtures_work_in_a_users_own_suite(tmp_path: Path, home: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["stellwerk.testing.fixtures"]\n', encoding="utf-8")
    (tmp_path / "test_mine.py").write_text(
        "from stellwerk import flow, task\n"
        "@task\ndef double(x): return 2 * x\n"
        "@flow\ndef pipeline(x): return double.submit(x).result()\n"
        "def test_recorded(recorded):\n    assert pipeline(2) == 4\n    assert len(recorded.runs()) == 2\n"
        "def test_off(recording_off):\n    assert pipeline(2) == 4\n",
        encoding="utf-8",
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=os.environ, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    assert not (home / "stellwerk.db").exists()
