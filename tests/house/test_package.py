"""The package: small, light, bounded, and without traces of the machine that it was written on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.version import Version

import stellwerk

ROOT: Final = Path(__file__).parents[2]
PROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

PACKAGES: Final = 35
HEAVY: Final = ("asyncio", "click", "cloudpickle", "numpy", "pandas", "psycopg", "pydantic", "rich", "sqlite3", "ssl")
SKIPPED: Final = {".git", ".venv", ".cache", "__pycache__", "build", "dist", "node_modules"}


def own_requirements(name: str) -> list[Requirement]:
    """List what an installed package needs here, without its extras."""
    wanted = [Requirement(text) for text in metadata.requires(name) or []]
    return [each for each in wanted if each.marker is None or each.marker.evaluate({"extra": ""})]


def test_base_install_is_small() -> None:
    found: set[str] = set()
    queue = ["stellwerk"]
    while queue:
        name = re.sub(r"[-_.]+", "-", queue.pop()).lower()
        if name not in found:
            found.add(name)
            queue += [each.name for each in own_requirements(name)]
    assert len(found) <= PACKAGES, f"{len(found)} packages: {', '.join(sorted(found))}"


def test_dependencies_are_bounded() -> None:
    texts = list(PROJECT["dependencies"])
    for extra, wanted in PROJECT["optional-dependencies"].items():
        if extra != "dev":  # tools and ourselves
            texts += wanted
    for requirement in map(Requirement, texts):
        uppers = [Version(each.version) for each in requirement.specifier if each.operator == "<"]
        assert len(uppers) == 1, f"{requirement} has no upper bound"
        lowers = [Version(each.version) for each in requirement.specifier if each.operator == ">="]
        assert len(lowers) == 1, f"{requirement} has no lower bound"
        if uppers[0].major == 0:
            assert len(uppers[0].release) == 2, f"{requirement}: of a 0.x, the next minor version is the bound"


def test_version_is_one() -> None:
    assert metadata.version("stellwerk") == PROJECT["version"]
    assert getattr(stellwerk, "__version__", PROJECT["version"]) == PROJECT["version"]


def test_types_are_shipped() -> None:
    assert (Path(stellwerk.__file__).parent / "py.typed").is_file()


def test_import_is_light() -> None:
    program = f"import sys, stellwerk; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [], "`import stellwerk` imports what only some programs need"


def test_import_assembles_nothing() -> None:
    program = "import sys, stellwerk; print(*sorted(m for m in sys.modules if m.startswith('stellwerk')))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    rooms = {name.split(".")[1] for name in done.stdout.split() if "." in name}
    assert not rooms & {"assemble", "engine", "store", "execute", "api", "cli", "testing"}, (
        "names assemble at the first call"
    )


def kept_files() -> list[Path]:
    """List what is, or would be, under version control; all files where there is no git."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
        paths = [ROOT / os.fsdecode(name) for name in done.stdout.split(b"\0") if name]
    except (OSError, subprocess.CalledProcessError):
        paths = [path for path in ROOT.rglob("*") if not SKIPPED & set(path.relative_to(ROOT).parts)]
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def test_no_machine_paths() -> None:
    places = [re.escape(str(place)) for place in (ROOT, Path.home()) if place != Path(place.anchor)]
    # Where this very checkout and its owner live, and homes of anybody; not as the tail of a longer path.
    pattern = re.compile(r"(?<![\w.\-~*{}$/])(" + "|".join([*places, r"/home/\w+", r"/Users/\w+"]) + r")(?![\w\-])")
    culprits = []
    for path in kept_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if path == Path(__file__):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if match := pattern.search(line):
                culprits.append(f"{path.relative_to(ROOT)}:{number} {match[0]}")
    assert not culprits, "paths of a machine: " + ", ".join(culprits)
