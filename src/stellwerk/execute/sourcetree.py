"""Say where code stands: in which file, in which source tree, and under which name there.

What lives here: the source tree of a function (the folders beneath the nearest pyproject.toml, setup.py, setup.cfg or
.git, else beside its file), which code belongs to it, and what its files and definitions are called. What does not:
which of them count for a task (`code`).

Names are dotted paths in the tree, so they are the same for a script as for the module of its file, and on a machine
where the tree lies elsewhere.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import partial
from types import FunctionType, ModuleType
from typing import Any

from stellwerk.execute import syntax

__all__ = [
    "Tree",
    "filename_of",
    "find",
    "find_class",
    "innermost",
    "is_generated",
    "is_ours",
    "name_of",
    "namespace_of",
]

_ROOT_MARKS = ("pyproject.toml", "setup.py", "setup.cfg", ".git")
_INSTALLED = ("site-packages", "dist-packages")
_STDLIB = os.path.dirname(os.__file__) + os.sep


def namespace_of(value: Any) -> Mapping[str, Any]:
    """Return the globals of the module in which a function or class was made; empty if they can't be had."""
    if isinstance(value, FunctionType):
        return value.__globals__
    if isinstance(value, type):
        for method in vars(value).values():
            # Rather than sys.modules, where `__main__` may be another program's by now.
            if isinstance(method, FunctionType) and method.__module__ == value.__module__:
                return method.__globals__
    module = sys.modules.get(getattr(value, "__module__", None) or "")
    return vars(module) if module is not None else {}


def filename_of(value: Any) -> str:
    """Return the file of a function, class or module, or a notebook's name for the cell; empty for built-in ones."""
    if isinstance(value, ModuleType):
        return getattr(value, "__file__", None) or ""
    file = namespace_of(value).get("__file__") or ""
    if isinstance(value, FunctionType):
        name = value.__code__.co_filename
        if os.path.isabs(name) or (name.startswith("<") and not file):
            return name
        if name.startswith("<"):  # made by exec, such as a dataclass's methods
            return name if syntax.versions(name) else str(file)
        # A script started by a relative path, perhaps followed by chdir.
        return str(file) if os.path.basename(file) == os.path.basename(name) else os.path.abspath(name)
    if file or not isinstance(value, type):
        return str(file)
    return next((m.__code__.co_filename for m in vars(value).values() if isinstance(m, FunctionType)), "")


def find(function: FunctionType) -> tuple[syntax.SourceFile, Any] | None:
    """Find a function's node and the version of its file that holds it; None when there is no such source."""
    for file in syntax.versions(filename_of(function)):
        node = file.function(function.__code__)
        if node is not None:
            return file, node
    return None


def find_class(kind: type) -> tuple[syntax.SourceFile | None, list[Any]]:
    """Find a class's nodes: several when its name is written more than once and no method tells which it is."""
    lines = {m.__code__.co_firstlineno for m in vars(kind).values() if isinstance(m, FunctionType)}
    for file in syntax.versions(filename_of(kind)):
        nodes = [n for n in file.nodes.get(kind.__qualname__, ()) if type(n).__name__ == "ClassDef"]
        if len(nodes) > 1:
            nodes = [n for n in nodes if any(n.lineno <= line <= n.end_lineno for line in lines)] or nodes
        if nodes:
            return file, nodes
    return None, []


def innermost(function: Any) -> Any:
    """Return the function that decorators have wrapped, as far as they say so by `__wrapped__`."""
    for _ in range(32):
        inner = function.func if isinstance(function, partial) else getattr(function, "__wrapped__", None)
        if inner is None or isinstance(function, type):
            break
        function = inner
    return function


def is_ours(value: Any) -> bool:
    """Say whether something is Stellwerk's own, whose versions must not change a user's keys."""
    if isinstance(value, partial):
        return is_ours(value.func)
    name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    return isinstance(name, str) and (name == "stellwerk" or name.startswith("stellwerk."))


def is_generated(function: FunctionType) -> bool:
    """Say whether a function was made by `exec` from no source that is known, as a dataclass's methods are."""
    return function.__code__.co_filename.startswith("<") and not syntax.versions(function.__code__.co_filename)


def name_of(value: Any) -> str:
    """Name code that counts by its name alone."""
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", type(value).__qualname__)
    return f"{getattr(value, '__module__', None)}:{name}"


def _is_cell(filename: str) -> bool:
    """Say whether a name is that of a notebook's or console's input rather than of a file."""
    return (filename.startswith("<") and not filename.startswith("<frozen")) or "ipykernel_" in filename


def _is_installed(filename: str) -> bool:
    return filename.startswith(_STDLIB) or any(f"{os.sep}{folder}{os.sep}" in filename for folder in _INSTALLED)


_roots: dict[str, str] = {}


def _root_of(folder: str) -> str:
    if folder not in _roots:
        place, root = folder, folder
        while place != os.path.dirname(place):
            if any(os.path.exists(os.path.join(place, mark)) for mark in _ROOT_MARKS):
                root = place
                break
            place = os.path.dirname(place)
        _roots[folder] = root
    return _roots[folder]


class Tree:
    """Know one source tree.

    Args:
        value: the function or class whose tree it is.

    Attributes:
        root: the tree's folder; None for installed and built-in code, which is of no tree and has no parts.
    """

    def __init__(self, value: Any) -> None:
        self.root: str | None = None
        self._within: dict[str, bool] = {}
        self._places: dict[str, str] = {}
        value = innermost(value)
        value = value if isinstance(value, (FunctionType, type)) else type(value)
        filename = filename_of(value)
        if not filename and getattr(value, "__module__", "") == "__main__":
            filename = "<input>"  # a class without methods, from a notebook
        if filename and not is_ours(value) and not _is_installed(filename) and not filename.startswith("<frozen"):
            self.root = _root_of(os.getcwd() if _is_cell(filename) else os.path.dirname(os.path.abspath(filename)))

    def has_file(self, filename: str) -> bool:
        """Say whether a file, or a notebook's cell, is of this tree."""
        known = self._within.get(filename)
        if known is None:
            known = self._within[filename] = self._has_file(filename)
        return known

    def _has_file(self, filename: str) -> bool:
        if self.root is None or not filename or _is_installed(filename):
            return False
        return _is_cell(filename) or os.path.abspath(filename).startswith(self.root.rstrip(os.sep) + os.sep)

    def has(self, value: Any) -> bool:
        """Say whether a function or class is of this tree."""
        if self.root is None or is_ours(value):
            return False
        filename = filename_of(value)
        return self.has_file(filename) if filename else getattr(value, "__module__", "") == "__main__"

    def place(self, filename: str) -> str:
        """Name a file by its dotted path in the tree; a notebook's cell is `__main__`."""
        place = self._places.get(filename)
        if place is None:
            place = "__main__"
            if filename and self.root is not None and not _is_cell(filename):
                path = os.path.relpath(os.path.abspath(filename), self.root).removesuffix(".py")
                place = path.replace(os.sep, ".").removesuffix(".__init__")
            self._places[filename] = place
        return place

    def label(self, value: Any) -> str:
        """Name a function or class by its place in the tree; by its module if it is of another."""
        if not self.has(value):
            return name_of(value)
        # A decorated function's __qualname__ is that of the function it wraps; the code's own is not copied.
        name = value.__code__.co_qualname if isinstance(value, FunctionType) else value.__qualname__
        return f"{self.place(filename_of(value))}.{name}"

    def imported_files(self, filename: str, imported: syntax.Import) -> list[str]:
        """Find the files of this tree that an import statement names, without importing anything.

        Args:
            filename: where the statement stands.
            imported: the statement.

        Returns:
            The module's file, and that of the submodule that is taken from it; empty when it is of no file here.
        """
        level, module, name = imported
        folder = os.path.dirname(os.path.abspath(filename))
        places = []
        if level:
            for _ in range(level - 1):
                folder = os.path.dirname(folder)
            places.append(folder)
        else:
            # sys.path would say more, but differs between a script and an import of it.
            while self.root is not None and (folder + os.sep).startswith(self.root.rstrip(os.sep) + os.sep):
                places += [folder, os.path.join(folder, "src")]
                folder = os.path.dirname(folder)
        for place in places:
            path = os.path.join(place, *module.split(".")) if module else place
            stems = [path, os.path.join(path, name)] if name else [path]
            paths = [stem + end for stem in stems for end in (".py", f"{os.sep}__init__.py")]
            found = [p for p in paths if os.path.isfile(p) and self.has_file(p)]
            if found:
                return found
        return []
