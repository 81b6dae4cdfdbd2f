"""What the README and the pages in docs/ show is run, and what they say it prints is compared.

Each section of a page (from one `##` to the next) has a working folder and a home of its own, and its blocks run from top
to bottom:

- a `python` block is a script; it runs in a process of its own and must exit 0;
- a `console` block's lines `$ stellwerk …` and `$ python FILE` are run and must exit 0; other commands are for people;
- a block of another kind is not run.

Marks are HTML comments above a block, which readers do not see:

- `<!-- continues -->`: this `python` block goes on in the process of the one before;
- `<!-- file: NAME -->`: this block is saved under that name and not run; commands below it do that;
- `<!-- prints -->`: this block is what the script before it prints on stdout; in a `console` block, what is shown under
  the commands is what they print on stdout and stderr;
- `<!-- prints alike -->`: as `prints`, but names of runs, ids, times, durations, folders and the width of columns may differ.
  The names and ids shown then stand for the real ones in the commands that follow in the section;
- `<!-- from: COMMAND -->`: this block is what that command prints;
- `<!-- exits N -->`: the script, or each command, must exit with N;
- `<!-- not run -->`.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from stellwerk.execute.identities import ADJECTIVES, NOUNS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BIN = Path(sys.executable).parent
SECONDS = 60

_FENCE = re.compile(r"^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_SECTION = re.compile(r"^## (.*)$", re.MULTILINE)
_MARK = re.compile(r"^<!-- (.*?) -->\n", re.MULTILINE)
_MARKS = re.compile(r"continues|prints|prints alike|not run|exits \d+|file: [\w.-]+|from: .+")
_ENDED = "<<<this block has ended>>>"

# What differs from run to run. Names come first: they are what a reader would type.
_NAME = rf"(?:{'|'.join(ADJECTIVES)})-(?:{'|'.join(NOUNS)})"
_VARIABLE = re.compile(
    rf"""(?P<name>\b{_NAME}\b)
    |(?P<id>\b[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}\b|\b0[0-9a-f]{{7}}[0-9a-f-]*)
    |(?P<time>\d{{4}}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?Z?|\b\d\d:\d\d(?::\d\d)?(?:\.\d+)?)
    |(?P<duration>\b\d+(?:\.\d+)?\s?(?:ms|s|min|h)\b(?:\s\d\d\s(?:s|min)\b)?(?:\sago)?)""",
    re.VERBOSE,
)


class Block(NamedTuple):
    """Hold a fenced block of a page."""

    place: str
    section: str
    kind: str
    text: str
    marks: dict[str, str]

    @property
    def exit_code(self) -> int:
        """Say what its commands must exit with."""
        return int(self.marks.get("exits", "0"))


def blocks_of(page: Path) -> list[Block]:
    """Read a page's fenced blocks with the marks that stand directly above them."""
    source = page.read_text(encoding="utf-8")
    found = []
    for fence in _FENCE.finditer(source):
        head = source[: fence.start()]
        marks: dict[str, str] = {}
        while (lines := head.splitlines(keepends=True)) and (mark := _MARK.fullmatch(lines[-1])):
            head = head[: -len(lines[-1])]
            name, _, value = mark[1].partition(" ")
            marks[name.rstrip(":")] = value
        sections = _SECTION.findall(source, 0, fence.start())
        place = f"{page.relative_to(ROOT)}:{source.count(chr(10), 0, fence.start()) + 1}"
        found.append(Block(place, sections[-1] if sections else "", fence["kind"], fence["text"], marks))
    return found


class Session:
    """Run the blocks of one section, one after another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {name: text for name, text in os.environ.items() if not name.startswith("STELLWERK_")}
        self.environment |= {
            "STELLWERK_HOME": str(folder / "home"),
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "PYTHONIOENCODING": "utf-8",
            "COLUMNS": "100",
            "NO_COLOR": "1",
            "TZ": "UTC",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        }
        self.stands_for: dict[str, str] = {}

    def run(self, command: list[str], place: str, exit_code: int, errors: int = subprocess.PIPE) -> str:
        """Run a command in the section's folder; what it printed on stdout, and on stderr if that goes there."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            encoding="utf-8",
            timeout=SECONDS,
            check=False,
        )
        if done.returncode != exit_code:
            pytest.fail(
                f"{place}: {shlex.join(command)[:200]} exited with {done.returncode}, not {exit_code}\n"
                f"{done.stdout[-3000:]}\n{(done.stderr or '')[-3000:]}",
                pytrace=False,
            )
        return done.stdout

    def run_scripts(self, blocks: list[Block]) -> list[str]:
        """Run `python` blocks that belong together in one process; what each printed."""
        files = [f"snippet{number or ''}.py" for number in range(len(blocks))]
        for file, block in zip(files, blocks, strict=True):
            (self.folder / file).write_text(block.text, encoding="utf-8")
        first = blocks[0]
        if len(blocks) == 1:
            return [self.run([sys.executable, files[0]], first.place, first.exit_code)]
        driver = (
            f"for file in {files!r}:\n"
            f"    exec(compile(open(file, encoding='utf-8').read(), file, 'exec'))\n"
            f"    print({_ENDED!r}, flush=True)\n"
        )
        printed = self.run([sys.executable, "-c", driver], first.place, blocks[-1].exit_code)
        return printed.split(f"{_ENDED}\n")[: len(blocks)]

    def run_commands(self, block: Block) -> None:
        """Run the commands of a `console` block and compare what is shown under them."""
        for command, shown in commands_of(block):
            words = shlex.split(self.real(command))
            if words[0] not in ("stellwerk", "python"):
                continue
            words[0] = str(BIN / words[0])
            self.compare(block, self.run(words, block.place, block.exit_code, subprocess.STDOUT), shown)

    def compare(self, block: Block, printed: str, shown: str) -> None:
        """Fail if a marked block shows something else than was printed."""
        if "prints" not in block.marks and "from" not in block.marks:
            return
        is_alike = block.marks.get("prints") == "alike"
        wanted, got = (plain(shown), plain(printed)) if is_alike else (shown.strip(), printed.strip())
        if wanted != got:
            pytest.fail(f"{block.place} shows\n\n{shown}\n\nbut this was printed:\n\n{printed}", pytrace=False)
        if is_alike:
            pairs = zip(_VARIABLE.finditer(shown), _VARIABLE.finditer(printed), strict=True)
            self.stands_for |= {a[0]: b[0] for a, b in pairs if a.lastgroup in ("name", "id")}

    def real(self, command: str) -> str:
        """Put the real names and ids in the place of those that the page shows."""
        return _VARIABLE.sub(lambda found: self.stands_for.get(found[0], found[0]), command)


def commands_of(block: Block) -> Iterator[tuple[str, str]]:
    """Split a `console` block into commands and what is shown under each."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


def plain(text: str) -> str:
    """Leave out what differs from run to run."""
    text = _VARIABLE.sub(lambda found: f"<{found.lastgroup}>", text)
    text = re.sub(r'File ".*/', 'File "', text)
    text = re.sub(r"^[ ~^]+\n", "", text, flags=re.MULTILINE)  # each Python version points its own way
    return "\n".join(" ".join(line.split()) for line in text.strip().splitlines())


def chain_from(blocks: list[Block], start: int) -> list[Block]:
    """List a script and those that go on in its process."""
    chain = [blocks[start]]
    for block in blocks[start + 1 :]:
        if block.kind == "python":
            if "continues" not in block.marks:
                break
            chain.append(block)
    return chain


def runnable_sections() -> dict[str, list[Block]]:
    """Gather the blocks that are run, or that others need, by page and section."""
    found: dict[str, list[Block]] = {}
    for page in PAGES:
        for block in blocks_of(page):
            is_run = block.kind in ("python", "console") or block.marks
            if is_run and "not" not in block.marks:
                found.setdefault(f"{page.stem}: {block.section}", []).append(block)
    return found


SECTIONS = runnable_sections()


@pytest.mark.parametrize("section", SECTIONS)
def test_section_does_what_it_shows(section: str, tmp_path: Path) -> None:
    session = Session(tmp_path)
    blocks = SECTIONS[section]
    printed: dict[str, str] = {}
    latest = ""
    for number, block in enumerate(blocks):
        if "file" in block.marks:
            (session.folder / block.marks["file"]).write_text(block.text, encoding="utf-8")
        elif block.kind == "python":
            if block.place not in printed:
                chain = chain_from(blocks, number)
                texts = session.run_scripts(chain)
                printed |= {each.place: text for each, text in zip(chain, texts, strict=True)}
            latest = block.place
        elif block.kind == "console":
            session.run_commands(block)
        elif "from" in block.marks:
            session.compare(block, session.run(shlex.split(block.marks["from"]), block.place, 0), block.text)
        elif "prints" in block.marks:
            session.compare(block, printed[latest], block.text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_marks_are_known(page: Path) -> None:
    for mark in _MARK.finditer(page.read_text(encoding="utf-8")):
        assert _MARKS.fullmatch(mark[1]), mark[0]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
