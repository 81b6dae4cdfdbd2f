"""Read source files as syntax: where a function stands, its canonical hash, and the names it reads.

What lives here: parsed files, the node of a code object, and what one node says. What does not: what the names stand
for (`code`). `compile` gives the tree as `ast` does, without the 12 ms that importing `ast` costs.

A file is parsed once per version. A function is looked for in the newest version first and then in older ones, since
the file may have been edited after it was imported: the text that counts is that of the code which runs.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from types import CodeType
from typing import Any

from xxhash import xxh3_128_digest as _digest

__all__ = ["Import", "SourceFile", "Syntax", "root_name", "versions"]

# A file written later than this may be newer than the code that was imported from it (2 s: coarse file times).
_LOADED_AT = time.time() - 2

_ONLY_AST = 0x400  # ast.PyCF_ONLY_AST

# Versions of one file that are kept: enough for a notebook whose module is edited and reloaded.
_MAX_VERSIONS = 4

_FUNCTIONS = ("FunctionDef", "AsyncFunctionDef")
_COMPREHENSIONS = frozenset({"ListComp", "SetComp", "DictComp", "GeneratorExp"})
_STATEMENT_LISTS = ("body", "orelse", "handlers", "finalbody", "cases")

# Fields that say nothing about meaning: load or store follows from the place, `kind` is a string's u prefix.
_SILENT = frozenset({"ctx", "kind", "type_comment"})

Import = tuple[int, str, str]
"""An import inside a function: how many dots, the module, and the name taken from it (empty for `import module`)."""


class Syntax:
    """Hold what one node says: its canonical hash and what it reads.

    Attributes:
        digest: 16 bytes; comments, layout and docstrings do not count.
        names: dotted chains that begin with a name not bound inside, such as ("helpers", "clean"); sorted.
        own: attributes read from a function's first parameter, such as "scale" for `self.scale`; sorted.
        inherited: attributes read from `super()`; sorted.
        imports: imports made inside; sorted.
    """

    __slots__ = ("digest", "imports", "inherited", "names", "own")

    def __init__(self, scanner: _Scanner, names: set[tuple[str, ...]], own: set[str]) -> None:
        self.digest = _digest("\0".join(scanner.out).encode("utf-8", "surrogatepass"))
        self.names = sorted(names)
        self.own = sorted(own)
        self.inherited = sorted(scanner.inherited)
        self.imports = sorted(scanner.imports)


class SourceFile:
    """Hold one version of a parsed file.

    Args:
        text: the source.
        filename: as code objects name it.
        may_differ: whether the file may have been edited since it was imported; then each function is compared with
            the compiled text before it is believed.

    Raises:
        SyntaxError: the text is not Python (a template, a later edit).
    """

    def __init__(self, text: str, filename: str, *, may_differ: bool = False) -> None:
        self.filename = filename
        self.lines = text.split("\n")
        self.tree: Any = compile(text, filename, "exec", _ONLY_AST, dont_inherit=True)
        self.nodes: dict[str, list[Any]] = {}
        self.assignments: dict[str, list[Any]] = {}
        self.imported: dict[str, Import] = {}
        self._compiled = set(_all_code(compile(text, filename, "exec", dont_inherit=True))) if may_differ else None
        self._syntax: dict[int, Syntax | None] = {}
        self._index(self.tree, "", at_module=True)

    def _index(self, node: Any, prefix: str, *, at_module: bool) -> None:
        for statement in (s for field in _STATEMENT_LISTS for s in getattr(node, field, ())):
            kind = type(statement).__name__
            if kind in _FUNCTIONS or kind == "ClassDef":
                name = prefix + statement.name
                self.nodes.setdefault(name, []).append(statement)
                self._index(statement, name + ("." if kind == "ClassDef" else ".<locals>."), at_module=False)
                continue
            if at_module:
                self._index_binding(statement, kind)
            self._index(statement, prefix, at_module=at_module)

    def _index_binding(self, statement: Any, kind: str) -> None:
        if kind == "ImportFrom":
            for alias in statement.names:
                self.imported[alias.asname or alias.name] = (statement.level, statement.module or "", alias.name)
        elif kind in ("Assign", "AnnAssign", "AugAssign"):
            for target in statement.targets if kind == "Assign" else [statement.target]:
                for item in getattr(target, "elts", [target]):
                    if type(item).__name__ == "Name":
                        self.assignments.setdefault(item.id, []).append(statement)

    def function(self, code: CodeType) -> Any:
        """Find the node of a function or lambda by its code; None when this version of the file has none like it."""
        if self._compiled is not None and code not in self._compiled:
            return None
        if code.co_name == "<lambda>":
            return self._lambda(code)
        for node in self.nodes.get(code.co_qualname, ()):
            if _first_line(node) == code.co_firstlineno and _takes(node, code):
                return node
        return None

    def _lambda(self, code: CodeType) -> Any:
        lambdas = (node for node in _walk(self.tree) if type(node).__name__ == "Lambda")
        found = [node for node in lambdas if node.lineno == code.co_firstlineno and _takes(node, code)]
        if len(found) > 1:  # several in one line: the body's place tells them apart
            places = {(line, column) for line, _, column, _ in code.co_positions() if line is not None}
            found = [n for n in found if (n.body.lineno, n.body.col_offset) in places]
        return found[0] if len(found) == 1 else None

    def syntax(self, node: Any) -> Syntax | None:
        """Say what a node says; None when it is nested too deeply to be read.

        Decorators of a function or class are not part of it: which of them count depends on what they are.
        """
        key = id(node)
        if key not in self._syntax:
            try:
                self._syntax[key] = _Scanner().read(node)
            except RecursionError:
                self._syntax[key] = None
        return self._syntax[key]

    def text(self, node: Any) -> str:
        """Return a node's lines, decorators included, without the indentation they share."""
        lines = self.lines[_first_line(node) - 1 : node.end_lineno]
        indent = len(lines[0]) - len(lines[0].lstrip()) if lines else 0
        return "\n".join(line[indent:] if not line[:indent].strip() else line for line in lines) + "\n"


_versions: dict[str, list[tuple[tuple[int, int], SourceFile | None]]] = {}


def versions(filename: str) -> list[SourceFile]:
    """Return the known versions of a file, the newest first; none when its source can't be had or parsed.

    Args:
        filename: a path, or the name under which `linecache` knows a notebook's cell.

    Cost: one `stat` when nothing has changed; else reading and parsing, 1 ms for 200 lines.
    """
    try:
        status = os.stat(filename)
        stamp, may_differ = (status.st_mtime_ns, status.st_size), status.st_mtime > _LOADED_AT
    except (OSError, ValueError):
        stamp, may_differ = (0, 0), False
    known = _versions.setdefault(filename, [])
    if not known or known[0][0] != stamp:
        text = _read(filename) if any(stamp) else _cell(filename)
        if any(stamp) or text:
            try:
                known.insert(0, (stamp, SourceFile(text, filename, may_differ=may_differ) if text else None))
            except (SyntaxError, ValueError, RecursionError):
                known.insert(0, (stamp, None))
            del known[_MAX_VERSIONS:]
    return [file for _, file in known if file is not None]


def _read(filename: str) -> str:
    if not filename.endswith((".py", ".pyw")) and "." in os.path.basename(filename):
        return ""  # an extension module, a zip archive
    try:
        with open(filename, "rb") as file:
            data = file.read()
        # Not "utf-8-sig": that codec is a module to import.
        return data.removeprefix(b"\xef\xbb\xbf").decode().replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError):  # another encoding: its functions go by their bytecode
        return ""


def _cell(filename: str) -> str:
    """Return the source of a notebook's cell, which only `linecache` knows."""
    linecache: Any = sys.modules.get("linecache")  # whoever registered a cell has imported it
    entry = linecache.cache.get(filename) if linecache is not None else None
    return "".join(entry[2]) if entry is not None and len(entry) > 2 else ""


def root_name(node: Any) -> str | None:
    """Return the name that an expression such as `a.b(c).d` begins with; None when it begins with none."""
    while True:
        kind = type(node).__name__
        if kind == "Name":
            return str(node.id)
        if kind not in ("Attribute", "Call", "Subscript"):
            return None
        node = node.func if kind == "Call" else node.value


def _first_line(node: Any) -> int:
    first: int = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", ()))])
    return first


def _takes(node: Any, code: CodeType) -> bool:
    """Say whether a node has as many parameters as a code object."""
    arguments = getattr(node, "args", None)
    return (
        arguments is not None
        and code.co_argcount == len(arguments.posonlyargs) + len(arguments.args)
        and code.co_kwonlyargcount == len(arguments.kwonlyargs)
    )


def _walk(node: Any) -> Iterator[Any]:
    stack = [node]
    while stack:
        node = stack.pop()
        yield node
        for field in node._fields:
            value = getattr(node, field, None)
            stack.extend(v for v in (value if isinstance(value, list) else [value]) if hasattr(v, "_fields"))


def _all_code(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _all_code(constant)


class _Scope:
    """Hold the names that one scope binds, those it reads, and those that the scopes inside it leave free."""

    __slots__ = ("bound", "declared", "free", "is_class", "loads")

    def __init__(self, bound: set[str], *, is_class: bool = False) -> None:
        self.bound = bound
        self.declared: set[str] = set()
        self.loads: set[tuple[str, ...]] = set()
        self.free: set[tuple[str, ...]] = set()
        self.is_class = is_class

    def unbound(self) -> set[tuple[str, ...]]:
        bound = self.bound - self.declared
        # What a class body binds is not seen by the functions inside it.
        inside = self.free if self.is_class else {chain for chain in self.free if chain[0] not in bound}
        return inside | {chain for chain in self.loads if chain[0] not in bound}


class _Scanner:
    """Write a node in canonical form and collect its names, in one pass."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self.inherited: set[str] = set()
        self.imports: set[Import] = set()
        self.scope = _Scope(set())

    def read(self, node: Any) -> Syntax:
        kind = type(node).__name__
        own: set[str] = set()
        if kind in _FUNCTIONS or kind == "Lambda":
            inner = self._function(node, kind, with_decorators=False)
            parameters = [*node.args.posonlyargs, *node.args.args]
            if parameters:
                first = parameters[0].arg
                own = {c[1] for c in inner.loads | inner.free if c[0] == first and len(c) > 1}
        elif kind == "ClassDef":
            self._class_header(node)
        elif kind == "Module":
            self._list(_without_docstring(node.body))
        else:
            self._visit(node)
        return Syntax(self, self.scope.unbound(), own)

    # ── scopes ───────────────────────────────────────────────────────────────────────────────────────────────────────
    def _enter(self, bound: set[str], *, is_class: bool = False) -> _Scope:
        outer, self.scope = self.scope, _Scope(bound, is_class=is_class)
        return outer

    def _leave(self, outer: _Scope) -> _Scope:
        inner, self.scope = self.scope, outer
        outer.free |= inner.unbound()
        return inner

    def _function(self, node: Any, kind: str, *, with_decorators: bool = True) -> _Scope:
        arguments = node.args
        self.out.append(kind)
        if kind != "Lambda":
            self.out.append(node.name)
            self.scope.bound.add(node.name)
            if with_decorators:
                self._list(node.decorator_list)
            self._optional(node.returns)
        self._visit(arguments)  # defaults and annotations are read outside
        parameters = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        types = getattr(node, "type_params", [])
        outer = self._enter({p.arg for p in parameters if p is not None} | {t.name for t in types})
        self._list(types)
        self._list([node.body] if kind == "Lambda" else _without_docstring(node.body))
        if not with_decorators or kind == "Lambda":
            outer.bound.discard(getattr(node, "name", ""))  # a function that calls itself by its global name
        return self._leave(outer)

    def _class(self, node: Any) -> None:
        self.out += ("ClassDef", node.name)
        self.scope.bound.add(node.name)
        for part in (node.decorator_list, node.bases, node.keywords):
            self._list(part)
        outer = self._enter({t.name for t in getattr(node, "type_params", [])}, is_class=True)
        self._list(_without_docstring(node.body))
        self._leave(outer)

    def _class_header(self, node: Any) -> None:
        """Write a class without its methods and inner classes, which are parts of their own."""
        self.out += ("ClassDef", node.name)
        self._list(node.bases)
        self._list(node.keywords)
        outer = self._enter(set(), is_class=True)
        members = (*_FUNCTIONS, "ClassDef")
        self._list([s for s in _without_docstring(node.body) if type(s).__name__ not in members])
        self._leave(outer)

    # ── nodes ────────────────────────────────────────────────────────────────────────────────────────────────────────
    def _visit(self, node: Any) -> None:
        kind = type(node).__name__
        if kind == "Name":
            self.out += ("Name", node.id)
            self._name(node)
        elif kind == "Attribute":
            self._attribute(node)
        elif kind in _FUNCTIONS or kind == "Lambda":
            self._function(node, kind)
        elif kind == "ClassDef":
            self._class(node)
        elif kind in _COMPREHENSIONS:
            outer = self._enter(set())
            self._fields(node, kind)
            self._leave(outer)
        else:
            self._bind(node, kind)
            self._fields(node, kind)

    def _fields(self, node: Any, kind: str) -> None:
        out = self.out
        out.append(kind)
        for field in node._fields:
            value = getattr(node, field, None)
            if (value is None and kind != "Constant") or field in _SILENT:
                continue
            if isinstance(value, list):
                if value:  # what a later Python adds to the grammar is empty in older code
                    out.append(field)
                    self._list(value)
            elif hasattr(value, "_fields"):
                out.append(field)
                self._visit(value)
            else:
                out += (field, repr(value))

    def _list(self, nodes: list[Any]) -> None:
        self.out.append("[")
        for node in nodes:
            # None: a dict's ** item; a string: a name in `global`.
            self._visit(node) if hasattr(node, "_fields") else self.out.append(repr(node))
        self.out.append("]")

    def _optional(self, node: Any) -> None:
        self._list([] if node is None else [node])

    def _name(self, node: Any) -> None:
        if type(node.ctx).__name__ == "Store":
            self.scope.bound.add(node.id)
        else:
            self.scope.loads.add((node.id,))

    def _attribute(self, node: Any) -> None:
        """Write a chain such as `a.b.c` and note it as one."""
        attributes, place = [], node
        while type(place).__name__ == "Attribute":
            attributes.append(place.attr)
            place = place.value
        attributes.reverse()
        self.out += ("Attribute", str(len(attributes)), *attributes)
        if type(place).__name__ != "Name":
            if type(place).__name__ == "Call" and root_name(place.func) == "super":
                self.inherited.add(attributes[0])
            self._visit(place)
            return
        self.out += ("Name", place.id)
        # An attribute that is assigned to is not read; what it is an attribute of, is.
        read = attributes if type(node.ctx).__name__ == "Load" else attributes[:-1]
        self.scope.loads.add((place.id, *read))

    def _bind(self, node: Any, kind: str) -> None:
        """Note the names that a statement or pattern binds other than by a Name."""
        bound = self.scope.bound
        if kind == "Import":
            for alias in node.names:
                bound.add(alias.asname or alias.name.partition(".")[0])
                self.imports.add((0, alias.name, ""))
        elif kind == "ImportFrom":
            for alias in node.names:
                bound.add(alias.asname or alias.name)
                self.imports.add((node.level, node.module or "", alias.name))
        elif kind in ("Global", "Nonlocal"):
            self.scope.declared.update(node.names)
        elif kind in ("ExceptHandler", "MatchAs", "MatchStar", "MatchMapping"):
            name = getattr(node, "rest" if kind == "MatchMapping" else "name", None)
            if name is not None:
                bound.add(name)


def _without_docstring(body: list[Any]) -> list[Any]:
    if body and type(body[0]).__name__ == "Expr" and isinstance(getattr(body[0].value, "value", None), str):
        return body[1:]
    return body
