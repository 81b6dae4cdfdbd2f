"""The public surface: everything that a user may import is sorted, documented and in its place."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import stellwerk
from stellwerk import config, errors

ROOT: Final = Path(__file__).parents[2]
SOURCE: Final = ROOT / "src" / "stellwerk"
REFERENCE: Final = ROOT / "docs" / "reference"

INDENT: Final = 4  # columns a level in the error tree
BRANCH: Final = re.compile(r"^ *(?P<lines>[│├└─ ]*)(?P<name>[A-Z]\w+)(\((?P<parent>\w+)\))?(\s|$)")


def public_errors() -> dict[str, type[BaseException]]:
    return {
        name: value
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, BaseException) and not name.startswith("_")
    }


def undocumented(name: str, value: Any) -> Iterator[str]:
    """Yield what has no docstring of its own: the value, and if it is a class of ours, its public methods."""
    if not (inspect.isroutine(value) or inspect.isclass(value)):
        return
    if not (value.__doc__ or "").strip():
        yield name
    if not inspect.isclass(value) or not value.__module__.startswith("stellwerk"):
        return
    for attribute, member in vars(value).items():
        if attribute.startswith("_"):
            continue
        function = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        is_method = inspect.isfunction(function) or isinstance(function, property)
        if is_method and not (function.__doc__ or "").strip() and not is_inherited(value, attribute):
            yield f"{name}.{attribute}"


def is_inherited(kind: type, attribute: str) -> bool:
    """Whether a base class documents the method already."""
    return any((getattr(vars(base).get(attribute), "__doc__", "") or "").strip() for base in kind.__mro__[1:])


def test_all_is_sorted_and_complete() -> None:
    assert list(stellwerk.__all__) == sorted(stellwerk.__all__)
    assert len(set(stellwerk.__all__)) == len(stellwerk.__all__)
    missing = [name for name in stellwerk.__all__ if not hasattr(stellwerk, name)]
    assert not missing


def test_dir_shows_the_surface() -> None:
    assert set(stellwerk.__all__) <= set(dir(stellwerk))


def test_the_surface_is_documented() -> None:
    culprits = [each for name in stellwerk.__all__ for each in undocumented(name, getattr(stellwerk, name))]
    assert not culprits, "without a docstring: " + ", ".join(culprits)


def test_errors_are_documented() -> None:
    culprits = [each for name, value in public_errors().items() for each in undocumented(name, value)]
    # A subclass that inherits its docstring says nothing of its own.
    culprits += [name for name, value in public_errors().items() if not vars(value).get("__doc__")]
    assert not culprits, "without a docstring: " + ", ".join(culprits)
    assert sorted(errors.__all__) == list(errors.__all__)
    assert set(errors.__all__) == set(public_errors())


def test_error_tree_is_drawn_as_it_is() -> None:
    drawn: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = BRANCH.match(line)
        if not match or not line.startswith(" " * INDENT):
            continue
        depth = (match.start("name") - INDENT) // INDENT
        path[depth:] = [match["name"]]
        assert match["name"] not in drawn, f"{match['name']} is drawn twice"
        drawn[match["name"]] = match["parent"] or (path[depth - 1] if depth else "Exception")
    real = {name: value.__bases__[0].__name__ for name, value in public_errors().items()}
    assert drawn == real


def test_error_codes_are_unique() -> None:
    codes = [value.code for value in public_errors().values() if issubclass(value, errors.StellwerkError)]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes)


def test_errors_live_in_errors() -> None:
    """A room may have an inner signal (an `Exception` that never leaves it), but an error that people see lives here."""
    known = set(public_errors())
    culprits = []
    for file in sorted(SOURCE.rglob("*.py")):
        if file.name == "errors.py":
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                bases = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
                if bases & known or re.fullmatch(r"[A-Z]\w+(Error|Warning)", node.name):
                    culprits.append(f"{file.relative_to(SOURCE)}:{node.lineno} {node.name}")
    assert not culprits, "errors live in errors.py, in the tree at its top: " + ", ".join(culprits)


def test_settings_are_documented() -> None:
    page = (REFERENCE / "settings.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip(): line for line in page.splitlines() if line.startswith("| `")}
    assert set(rows) == {f"`{setting.name}`" for setting in config.SETTINGS}
    for setting in config.SETTINGS:
        row = rows[f"`{setting.name}`"]
        for part in (setting.variable, setting.type, setting.default_text, setting.unit, setting.description):
            assert part in row, f"{setting.name}: the page does not say {part!r}"
