"""Hash the code of a function with all of its own source tree that it reaches, and name the parts.

What lives here: which functions, classes and values count for a task, and their joint hash, the *code* half of a call
key. What does not: how a node reads (`syntax`), where code stands (`sourcetree`), how a value is hashed
(`sdk.fingerprint`).

Theory of operation. From the function, every name that its syntax reads is looked up where Python would look it up:
in its cells, then in its module's globals, through attributes of modules. What is found and belongs to the same
source tree becomes a part with a hash of its own and is read in turn; each part is visited once, so cycles end. A
part's hash holds what each of its names stands for, so swapping two helpers shows. Code of other trees counts by its
name. A constant counts by its value; an object that is no plain value (a client, a logger) by the statement that makes
it and by its class.

Comments, layout and docstrings do not count. Annotations do: they name the classes whose methods a task calls.
Stellwerk's own decorators do not: a task's options are not its code.

Not seen, and so to be named by `version=`: getattr by a computed name, methods of arguments without annotation and
operators on them, subclasses' overrides, modules loaded by name. A module imported *inside* a function counts as a
whole with all that it imports, since importing it here may be what the user put off.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from functools import partial
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import msgspec
from xxhash import xxh3_128_digest as _digest

from stellwerk.execute import sourcetree, syntax
from stellwerk.execute.sourcetree import filename_of, is_ours, name_of
from stellwerk.sdk.fingerprint import fingerprint, module_name
from stellwerk.sdk.task import Task

__all__ = ["Code", "code_hash", "code_of"]

# They differ between a script and its module, and say nothing about what the code does.
_MODULE_FIELDS = frozenset({"__name__", "__file__", "__doc__", "__spec__", "__package__", "__loader__", "__builtins__"})

# Instances of these modules' classes are plain values; so are dataclasses, models, enums and tuples.
_VALUE_MODULES = frozenset({"builtins", "collections", "datetime", "decimal", "enum", "fractions", "pathlib", "re"})
_VALUE_MODULES |= {"types", "uuid", "zoneinfo", "numpy", "pandas", "polars", "pyarrow"}

# How deep containers are searched for functions, classes and objects; deeper ones count by value all the same.
_SEARCH_DEPTH = 4
_SEARCH_ITEMS = 1000


class Code(msgspec.Struct, frozen=True):
    """Hold what a function's code counts as.

    Attributes:
        hash: 16 bytes over all parts; equal in every process, and between a script and its module.
        source: the function's own source, without shared indentation; empty when it can't be had.
        parts: name of each function, class, constant, cell `f[x]` and default `f(x=)` that counted to its 16 bytes,
            in order of name; only `version` when that was given; empty for installed and built-in code.
    """

    hash: bytes
    source: str
    parts: dict[str, bytes]


def code_of(function: Any, *, version: str | None = None, owner: type | None = None) -> Code:
    """Hash a function's code with everything of its source tree that it reaches.

    Args:
        function: a function, method, class, partial, callable object or task (which counts by its `fn`).
        version: stands for the whole code: the hash is of it and the function's name alone.
        owner: the class whose attributes `self.name` means; by default the class of a bound method, else the one in
            which the function is written.

    Returns:
        The hash, the source and the parts. Constants are read now: call this once per process and function, before
        the flow changes what they hold.

    Cost: parsing each file once (5 µs a line), then some 20 µs a part.
    """
    function, owner = _plain(function, owner)
    if version is not None:
        name = getattr(function, "__qualname__", type(function).__qualname__)
        digest = _digest(f"version\0{version}\0{name}".encode("utf-8", "surrogatepass"))
        return Code(digest, _source(function), {"version": digest})
    walk = _Walk(sourcetree.Tree(function))
    root = walk.reach("value", function, owner)
    walk.run()
    parts = sorted(walk.parts)
    named: dict[str, bytes] = {}
    for label, digest in parts:
        name, count = label, 2
        while name in named:  # closures of one factory
            name, count = f"{label}#{count}", count + 1
        named[name] = digest
    whole = b"".join(label.encode("utf-8", "surrogatepass") + b"\0" + digest for label, digest in parts)
    return Code(_digest(root.encode("utf-8", "surrogatepass") + b"\0" + whole), _source(function), named)


def code_hash(value: Any) -> bytes | None:
    """Hash a function or class that occurs as a value; the hook for `sdk.fingerprint.set_code_hook`.

    Returns:
        16 bytes, or None for code of the standard library or a package, which counts by its name.
    """
    return code_of(value).hash if sourcetree.Tree(value).root is not None else None


def _source(function: Any) -> str:
    function = sourcetree.innermost(function)
    if isinstance(function, FunctionType):
        found = sourcetree.find(function)
        return found[0].text(found[1]) if found is not None else ""
    file, nodes = sourcetree.find_class(function) if isinstance(function, type) else (None, [])
    return file.text(nodes[0]) if file is not None and nodes else ""


# ── what stands for a function ───────────────────────────────────────────────────────────────────────────────────────
def _plain(value: Any, owner: type | None) -> tuple[Any, type | None]:
    """Unwrap what stands for a function: tasks, methods, properties; the owner is the class of a bound method."""
    inner: Any
    for _ in range(8):
        if isinstance(value, MethodType):
            instance = value.__self__
            owner = owner or (instance if isinstance(instance, type) else type(instance))
        if isinstance(value, (MethodType, staticmethod, classmethod)):
            inner = value.__func__
        elif isinstance(value, property):
            inner = value.fget
        elif type(value).__module__ == "functools" and not isinstance(value, partial):
            inner = getattr(value, "func", None)  # cached properties, partial methods
        else:
            inner = _task_function(value)
        if inner is None:
            break
        value = inner
    return value, owner


def _task_function(value: Any) -> Any:
    """Return the `fn` of a task or flow; None for anything else."""
    if isinstance(value, (FunctionType, type, ModuleType)) or not callable(value):
        return None
    try:
        found = object.__getattribute__(value, "fn")  # not getattr: mocks and proxies answer to every name
    except AttributeError:
        return None
    return found if callable(found) else None


def _is_plain(value: Any) -> bool:
    """Say whether a value is one by nature, so that its content is what a function means by it."""
    kind = type(value)
    if kind.__module__.partition(".")[0] in _VALUE_MODULES or hasattr(kind, "__call_key__"):
        return True
    if isinstance(value, tuple) or hasattr(kind, "__dataclass_fields__") or hasattr(kind, "__pydantic_fields__"):
        return True
    enum = sys.modules.get("enum")
    return hasattr(kind, "__struct_fields__") or (enum is not None and isinstance(value, enum.Enum))


def _cells(function: FunctionType) -> dict[str, Any]:
    """Return a closure's captured values by name; `super`'s own cell is no value of the user's."""
    values = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            values[name] = cell.cell_contents
        except ValueError:  # not bound yet
            continue
    values.pop("__class__", None)
    return values


def _defaults(function: FunctionType) -> list[tuple[str, Any]]:
    code, positional = function.__code__, function.__defaults__ or ()
    names = code.co_varnames[code.co_argcount - len(positional) : code.co_argcount]
    return [*zip(names, positional, strict=True), *sorted((function.__kwdefaults__ or {}).items())]


def _home(function: FunctionType) -> type | None:
    """Find the class that a function is written in, by its qualified name."""
    names = function.__code__.co_qualname.split(".")[:-1]
    found: Any = function.__globals__.get(names[0]) if names else None
    for name in names[1:]:
        found = vars(found).get(name) if isinstance(found, type) else None
    return found if isinstance(found, type) else None


def _bytecode(code: CodeType) -> bytes:
    """Hash compiled code, for a function without source; the hash then holds for one version of Python."""
    constants = [_bytecode(c) if isinstance(c, CodeType) else fingerprint(c) or b"" for c in code.co_consts]
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_argcount, code.co_kwonlyargcount)
    return fingerprint((code.co_code, constants, names, sys.version_info[:2])) or b""


def _all_names(code: CodeType) -> list[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names.update(_all_names(constant))
    return sorted(names)


# ── the walk ─────────────────────────────────────────────────────────────────────────────────────────────────────────
_MISSING: Any = object()


class _Walk:
    """Collect the parts that a function reaches within its source tree."""

    def __init__(self, tree: sourcetree.Tree) -> None:
        self.tree = tree
        self.parts: set[tuple[str, bytes]] = set()
        self._queue: list[tuple[Any, type | None]] = []
        # Values are kept, so that no id is given twice.
        self._seen: dict[Any, Any] = {}

    def run(self) -> None:
        """Read what was reached, until nothing new is."""
        while self._queue:
            value, owner = self._queue.pop()
            if isinstance(value, type):
                self._class(value)
            else:
                self._function(value, owner)

    def reach(self, label: str, value: Any, owner: type | None = None, binding: tuple[str, str] | None = None) -> str:
        """Note what a name stands for.

        Args:
            label: how to call the part, if the value becomes one.
            value: what was found under the name.
            owner: the class whose attributes `self.name` means there.
            binding: file and global name under which to look for the statement that made an object.

        Returns:
            A text that identifies the value within the reader's own hash; empty where the part's hash says it all.
        """
        if isinstance(value, Task) and value.options.version is not None:
            self.parts.add((label, _digest(value.options.version.encode("utf-8", "surrogatepass"))))
            return "version"
        value, owner = _plain(value, owner)
        if isinstance(value, (FunctionType, type)) and self.tree.has(value):
            if (id(value), owner) not in self._seen:
                self._seen[id(value), owner] = value
                self._queue.append((value, owner))
            return self.tree.label(value)
        if isinstance(value, partial):
            values = {"args": value.args, "keywords": value.keywords}
            return "partial " + self.reach(label, value.func) + self._value(label, values, binding)
        if isinstance(value, ModuleType):
            file = filename_of(value)
            return self.tree.place(file) if self.tree.has_file(file) else module_name(vars(value))
        if isinstance(value, (FunctionType, type, BuiltinFunctionType)) or hasattr(type(value), "__wrapped__"):
            return self._foreign(label, value, owner)
        if callable(value) and "__wrapped__" in getattr(value, "__dict__", ()):  # such as lru_cache's
            return self._foreign(label, value, owner)
        return "" if is_ours(type(value)) else self._value(label, value, binding)

    def _foreign(self, label: str, value: Any, owner: type | None) -> str:
        """Count installed code by its name, and what it has wrapped of this tree by its code."""
        if is_ours(value):
            return ""
        if isinstance(value, FunctionType) and value.__closure__:
            self._search(list(_cells(value).values()), _SEARCH_DEPTH)
        inner = None if isinstance(value, type) else getattr(value, "__wrapped__", None)
        return name_of(value) + ("" if inner is None else " of " + self.reach(label, inner, owner))

    def _value(self, label: str, value: Any, binding: tuple[str, str] | None) -> str:
        """Count a value: by content if it is plain, else by the statement and the class that make it."""
        self._search(value, _SEARCH_DEPTH)
        is_plain = _is_plain(value)
        digest = fingerprint(value, code=self._inside) if is_plain else None
        if digest is None and binding is not None:
            digest = self._statement(*binding)
        if digest is not None:
            self.parts.add((label, digest))
        return "" if is_plain else "instance of " + self.tree.label(type(value))

    def _inside(self, value: Any) -> bytes:
        """Let a function or class inside a value count as a part of its own, beside its name in the value."""
        self.reach("value", value)
        return b""

    def _search(self, value: Any, depth: int) -> None:
        """Reach the classes of the objects in a value, since their methods may be called."""
        items: Iterable[Any] = ()
        if isinstance(value, dict):
            items = value.values()
        elif isinstance(value, (list, tuple, set, frozenset)):
            items = value
        if self.tree.has(type(value)):
            self.reach("value", type(value))
            items = [*items, *getattr(value, "__dict__", {}).values()]
        if not items or depth == 0:
            return
        for item in list(items)[:_SEARCH_ITEMS]:
            if isinstance(item, (FunctionType, type, partial, MethodType)) or _task_function(item) is not None:
                self.reach("value", item)
            elif not isinstance(item, (str, int, float, bytes)):
                self._search(item, depth - 1)

    def _statement(self, filename: str, name: str) -> bytes | None:
        """Hash the statements that bind a global name, following `from module import name` through a few files."""
        for _ in range(5):
            file = next(iter(syntax.versions(filename)), None)
            if file is None:
                return None
            nodes = file.assignments.get(name)
            if nodes is not None:
                found = [file.syntax(node) for node in nodes]
                return _digest(b"".join(said.digest for said in found if said is not None))
            if name not in file.imported:
                return None
            level, module, name = file.imported[name]
            filename = next(iter(self.tree.imported_files(filename, (level, module, ""))), "")
        return None

    # ── functions ────────────────────────────────────────────────────────────────────────────────────────────────────
    def _function(self, function: FunctionType, owner: type | None) -> None:
        label, filename, namespace = self.tree.label(function), filename_of(function), function.__globals__
        cells, found = _cells(function), sourcetree.find(function)
        said = found[0].syntax(found[1]) if found is not None else None
        if found is None or said is None:
            digest = _bytecode(function.__code__)
            links = self._names([(name,) for name in _all_names(function.__code__)], namespace, cells, filename)
        else:
            digest = said.digest
            links = self._names(said.names, namespace, cells, filename)
            for decorator in getattr(found[1], "decorator_list", ()):
                links += self._decorator(found[0], decorator, namespace, cells)
            links += self._attributes(said, function, owner)
            for imported in said.imports:
                self._files(self.tree.imported_files(filename, imported))
        for name, value in sorted(cells.items()):
            links.append(f"[{name}]" + self.reach(f"{label}[{name}]", value))
        for name, value in _defaults(function):
            links.append(f"({name}=)" + self.reach(f"{label}({name}=)", value))
        wrapped = vars(function).get("__wrapped__")
        if wrapped is not None:
            links.append("of " + self.reach(label, wrapped, owner))
        self.parts.add((label, _digest(digest + "\0".join(links).encode("utf-8", "surrogatepass"))))

    def _decorator(
        self, file: syntax.SourceFile, node: Any, namespace: Mapping[str, Any], cells: Mapping[str, Any]
    ) -> list[str]:
        """Count a decorator with its arguments, unless it is one of Stellwerk's."""
        name = syntax.root_name(node) or ""
        value = cells.get(name, namespace.get(name))
        said = file.syntax(node)
        if said is None or is_ours(value) or is_ours(type(value)):
            return []
        return ["@" + said.digest.hex(), *self._names(said.names, namespace, cells, file.filename)]

    def _names(
        self,
        chains: Iterable[tuple[str, ...]],
        namespace: Mapping[str, Any],
        cells: Mapping[str, Any],
        filename: str,
    ) -> list[str]:
        """Follow the global names that a node reads, and say what each stands for."""
        links = []
        for chain in chains:
            name, attributes = chain[0], chain[1:]
            if name in cells or name not in namespace or name in _MODULE_FIELDS:
                continue  # cells are followed whole; a name that is nowhere is a builtin or an error to come
            value, place = namespace[name], filename
            while isinstance(value, ModuleType) and attributes and self.tree.has_file(filename_of(value)):
                place, name, attributes = filename_of(value), attributes[0], attributes[1:]
                value = vars(value).get(name, _MISSING)
            if value is not _MISSING:
                label = f"{self.tree.place(place)}.{name}"
                links.append(".".join(chain) + "=" + self.reach(label, value, binding=(place, name)))
        return links

    def _attributes(self, said: syntax.Syntax, function: FunctionType, owner: type | None) -> list[str]:
        """Follow what a method reads of its own object: methods, properties and constants of the class."""
        if not said.own and not said.inherited:
            return []
        home = _home(function)
        owner = owner or home
        if owner is None:
            return []
        home = home if home in owner.__mro__ else owner
        above = owner.__mro__[owner.__mro__.index(home) + 1 :]
        links = []
        for names, kinds in ((said.own, owner.__mro__), (said.inherited, above)):
            for name in names:
                spelled = f"_{home.__name__.lstrip('_')}{name}" if name.startswith("__") and name[-2:] != "__" else name
                kind = next((kind for kind in kinds if spelled in vars(kind)), None)
                if kind is not None and self.tree.has(kind):
                    label = f"{self.tree.label(kind)}.{name}"
                    links.append(f"self.{name}=" + self.reach(label, vars(kind)[spelled], owner))
        return links

    # ── classes and files ────────────────────────────────────────────────────────────────────────────────────────────
    def _class(self, kind: type) -> None:
        """Count a class: its body, bases and decorators, and each of its methods as a part of its own."""
        label, namespace = self.tree.label(kind), sourcetree.namespace_of(kind)
        file, nodes = sourcetree.find_class(kind)
        links = [self.reach(label, base) for base in kind.__bases__]
        if type(kind) is not type:
            links.append("metaclass " + self.reach(label, type(kind)))
        for node in nodes:
            said = file.syntax(node) if file is not None else None
            if file is None or said is None:
                continue
            links += [said.digest.hex(), *self._names(said.names, namespace, {}, file.filename)]
            for decorator in node.decorator_list:
                links += self._decorator(file, decorator, namespace, {})
        for name, member in sorted(vars(kind).items()):
            value = _plain(member, kind)[0]
            if isinstance(value, FunctionType) and sourcetree.is_generated(value):
                continue  # a dataclass's __init__ and its like follow from what was counted
            if isinstance(value, (FunctionType, type)):
                links.append(f"{name}=" + self.reach(label, member, kind))
            elif not nodes and not name.startswith("__"):
                links.append(f"{name}=" + self._value(f"{label}.{name}", member, None))
            if isinstance(member, property):
                links += [self.reach(label, f, kind) for f in (member.fset, member.fdel) if f is not None]
        self.parts.add((label, _digest("\0".join(links).encode("utf-8", "surrogatepass"))))

    def _files(self, pending: list[str]) -> None:
        """Count files that are imported inside a function, and the files of this tree that they import."""
        while pending:
            path = pending.pop()
            file = None if path in self._seen else next(iter(syntax.versions(path)), None)
            self._seen[path] = True
            said = file.syntax(file.tree) if file is not None else None
            if said is not None:
                self.parts.add((self.tree.place(path), said.digest))
                pending += [p for imported in said.imports for p in self.tree.imported_files(path, imported)]
