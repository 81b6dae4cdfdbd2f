"""The progress display: what it shows, that it keeps out of the way, and what it leaves on the screen."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

import stellwerk
from stellwerk.execute import progress
from stellwerk.execute.progress import Progress

SECONDS = 30
ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
ROWS = {
    "extract": {"completed": 12},
    "a task with a very long name indeed, longer than any terminal is wide " * 2: {"running": 3, "pending": 9_000},
    "列車を待つ": {"completed": 1, "failed": 2, "skipped": 1, "running": 1},
    "evil\x1b[2J": {"pending": 4},
    **{f"step-{n}": {"completed": n} for n in range(20)},
}


class Counts:
    def __init__(self, rows: dict[str, dict[str, int]]) -> None:
        self.rows = rows


def in_terminal(code: str, *arguments: str, **variables: str) -> tuple[int, str]:
    """Run Python code in a terminal of its own; its exit code and all that appeared."""
    above, below = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "PYTHONPATH": str(Path(stellwerk.__file__).parents[1]), **variables}
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdin=below, stdout=below, stderr=below, env=environment
    )
    os.close(below)
    shown = b""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            if select.select([above], [], [], 1)[0]:
                part = os.read(above, 65_536)
                if not part:
                    break
                shown += part
        except OSError:  # Linux tells the end of a terminal by an error
            break
    os.close(above)
    return process.wait(SECONDS), shown.decode()


def screen(text: str) -> list[str]:
    """Play what a program wrote to a terminal: the lines that are left on it."""
    lines, row, column = [""], 0, 0
    for part in re.split(r"(\x1b\[[0-9;]*[A-Za-z]|\r|\n)", text):
        if part == "\n":
            row, column = row + 1, 0
            if row == len(lines):
                lines.append("")
        elif part == "\r":
            column = 0
        elif part.startswith("\x1b"):
            number, verb = part[2:-1], part[-1]
            if verb == "A":
                row -= int(number)
            elif verb == "J":
                lines[row:] = [lines[row][:column]]
            elif verb == "K":
                lines[row] = lines[row][:column]
            else:
                assert verb == "m", part
        else:
            lines[row] = lines[row].ljust(column)[:column] + part + lines[row][column + len(part) :]
            column += len(part)
    return [line for line in lines if line]


@pytest.mark.parametrize("width", [20, 39, 60, 80, 120, 300])
@pytest.mark.parametrize("height", [1, 2, 5, 12])
def test_every_line_fits(width: int, height: int) -> None:
    lines = Progress(Counts(ROWS), "brave-otter · " + "x" * 100)._lines(width, height)
    assert len(lines) <= max(height, 2)
    for line in lines:
        plain = ESCAPE.sub("", line)
        assert progress._cells(plain) <= width
        assert "\x1b" not in plain


def test_what_works_is_shown_when_there_is_no_room_for_all() -> None:
    rows = {f"step-{n}": {"completed": 1} for n in range(30)} | {"slow": {"running": 1}, "next": {"pending": 1}}
    lines = "\n".join(Progress(Counts(rows), "x")._lines(80, 5))
    assert "slow" in lines
    assert "step-29" in lines
    assert "… and 29 more" in lines


FLOW = """
import os, sys, time, logging, warnings
from stellwerk import flow, task
warnings.simplefilter("ignore")  # Python 3.12 and newer warn of a fork beside threads
logging.basicConfig(level="INFO", format="LOG %(message)s")
@task
def wait(n):
    time.sleep(0.2)
    print("printed", n)
    logging.info("logged %s", n)
@flow
def trains():
    for n in range(3): wait(n)
    print("in ", end="", flush=True); time.sleep(0.3); print("pieces")
    if os.fork() == 0:
        print("from the child"); sys.stdout.flush(); os._exit(0)
    os.wait()
trains()
"""


def test_the_display_keeps_out_of_the_way_of_output() -> None:
    code, text = in_terminal(FLOW)
    assert code == 0
    assert "trains  " in ESCAPE.sub("", text)  # it was drawn
    assert "?25" not in text  # the cursor was never hidden
    left = screen(text)
    pairs = [line for n in range(3) for line in (f"printed {n}", f"LOG logged {n}")]
    assert left[:7] == [*pairs, "in pieces"]
    # What a child prints may land below a block that its parent has just drawn.
    assert "from the child" in left[7:-1]
    assert re.fullmatch(r"[a-z]+-[a-z]+ · trains · tasks: 3 completed · \d\.\d s", left[-1])


def test_a_dumb_terminal_and_a_pipe_show_nothing() -> None:
    assert "\x1b" not in in_terminal(FLOW, TERM="dumb")[1]
    done = subprocess.run([sys.executable, "-c", FLOW], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert "\x1b" not in done.stdout + done.stderr
    assert "trains" not in done.stderr


def test_no_color_is_respected() -> None:
    assert not re.search(r"\x1b\[\d*m", in_terminal(FLOW, NO_COLOR="1")[1])


def test_the_setting_switches_it_off() -> None:
    assert "\x1b" not in in_terminal(FLOW, STELLWERK_PROGRESS="off")[1]


def test_streams_are_as_before_afterwards() -> None:
    code, _ = in_terminal(f"{FLOW}\nassert 'write' not in vars(sys.stdout) | vars(sys.stderr)")
    assert code == 0


def test_a_line_is_written_without_a_display(capsys: pytest.CaptureFixture[str]) -> None:
    progress.write("one")
    progress.write("two\n")
    assert capsys.readouterr().err == "one\ntwo\n"
