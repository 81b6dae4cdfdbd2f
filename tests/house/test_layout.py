"""The house: what may lie where, how long it may be, and who may know whom.

Each test collects all culprits and names them, with the place to mend.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import grimp

ROOT: Final = Path(__file__).parents[2]
SOURCE: Final = ROOT / "src" / "stellwerk"
FILES: Final = sorted(SOURCE.rglob("*.py"))

FILE_LINES: Final = 700
FUNCTION_LINES: Final = 60
VAGUE: Final = {
    "base",
    "common",
    "helper",
    "helpers",
    "manager",
    "managers",
    "misc",
    "service",
    "services",
    "util",
    "utils",
}

LIGHTNESS: Final = "keeps `import stellwerk` light"
LAZY: Final = {
    # What may be imported inside functions of any room without a word, and why. All else needs a comment there.
    "asyncio": LIGHTNESS,
    "click": LIGHTNESS,
    "cloudpickle": LIGHTNESS,
    "difflib": "only errors need it",
    "inspect": LIGHTNESS,
    "pydantic": "imported only when a flow has annotated parameters",
    "rich": LIGHTNESS,
    "tomllib": "only where there is a settings file",
    "traceback": "only errors need it",
    # Optional extras, which need not be installed.
    "dask": "extra",
    "distributed": "extra",
    "numpy": "extra",
    "pandas": "extra",
    "psycopg": "extra",
    "psycopg_pool": "extra",
    "pyarrow": "extra",
}
LAZY_ROOMS: Final = ("cli/",)  # a command imports what it needs when it is called: no start-up cost for the others
LAZY_IN: Final = {
    # What a file may import inside functions because its own docstring gives the reason.
    "config.py": {"difflib", "stellwerk.errors", "tomllib"},
}

SQL_ROOMS: Final = ("store/", "api/graphql/", "execute/effect.py", "execute/effect/")
SQL: Final = re.compile(
    r"^\s*(SELECT\s.+\sFROM\s|INSERT\s+(OR\s+\w+\s+)?INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s|CREATE\s+(TABLE|INDEX|UNIQUE)\s"
    r"|DROP\s+(TABLE|INDEX)\s|ALTER\s+TABLE\s|PRAGMA\s+\w+|WITH\s+\w+\s+AS\s*\()",
    re.DOTALL,
)
IMPURE_CALLS: Final = {"now", "utcnow", "today", "monotonic", "perf_counter", "time_ns"}
IMPURE_NAMES: Final = {"__import__", "eval", "exec", "input", "open", "print"}
SUPPRESSION: Final = re.compile(
    r"#\s*(noqa(:\s*[A-Z0-9, ]+)?|type:\s*ignore(\[[\w, -]+\])?|pragma:\s*no cover|fmt:\s*(off|on|skip)|mypy:[^#]*)"
)


def short(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def functions(module: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def report(rule: str, culprits: Iterable[str]) -> None:
    found = list(culprits)
    assert not found, rule + "\n  " + "\n  ".join(found)


def test_there_is_a_house() -> None:
    assert len(FILES) > 10


def test_no_vague_names() -> None:
    places = {each for path in FILES for each in (path, *path.parents) if SOURCE in each.parents}
    report(
        "A name that says nothing invites everything; name the file or folder after what it does.",
        (short(each) for each in sorted(places) if each.stem in VAGUE),
    )


def test_files_are_short() -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    report(
        f"A file has at most {FILE_LINES} lines.",
        (f"{short(path)}: {count}" for path, count in lines.items() if count > FILE_LINES),
    )


def test_functions_are_short() -> None:
    culprits = []
    for path in FILES:
        for node in functions(tree(path)):
            count = (node.end_lineno or node.lineno) - node.lineno + 1
            if count >= FUNCTION_LINES:
                culprits.append(f"{short(path)}:{node.lineno} {node.name}: {count}")
    report(f"A function has fewer than {FUNCTION_LINES} lines.", culprits)


def test_imports_stand_at_the_top() -> None:
    culprits = []
    for path in FILES:
        if short(path).startswith(LAZY_ROOMS):
            continue
        lines = path.read_text(encoding="utf-8").splitlines()
        allowed = LAZY_IN.get(short(path), set())
        inner = {
            node.lineno: node
            for function in functions(tree(path))
            for node in ast.walk(function)
            if isinstance(node, ast.Import | ast.ImportFrom)
        }
        for line, node in sorted(inner.items()):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            if all(name in allowed or name.partition(".")[0] in LAZY for name in names):
                continue
            if not has_reason(lines, line, set(inner)):
                culprits.append(f"{short(path)}:{line} {ast.unparse(node)}")
    report("An import inside a function has its reason beside or above it as a comment.", culprits)


def has_reason(lines: list[str], line: int, imports: set[int]) -> bool:
    """Whether an import, or one of those that stand next to it, has a comment beside or above it."""
    first = line
    while first - 1 in imports:
        first -= 1
    last = line
    while last + 1 in imports:
        last += 1
    block = lines[first - 1 : last]
    above = lines[first - 2].strip() if first > 1 else ""
    return above.startswith("#") or any("#" in SUPPRESSION.sub("", each) for each in block)


def test_suppressions_have_reasons() -> None:
    culprits = []
    for path in FILES:
        lines = path.read_text(encoding="utf-8").splitlines()
        with path.open("rb") as file:
            comments = [token for token in tokenize.tokenize(file.readline) if token.type == tokenize.COMMENT]
        for token in comments:
            if not SUPPRESSION.search(token.string):
                continue
            beside = SUPPRESSION.sub("", token.string).strip(" #-–—:")
            above = lines[token.start[0] - 2].strip() if token.start[0] > 1 else ""
            if not beside and not above.startswith("#"):
                culprits.append(f"{short(path)}:{token.start[0]} {token.string}")
    report("A suppression (noqa, type: ignore) has its reason beside or above it.", culprits)


def test_sql_lives_in_the_store() -> None:
    culprits = []
    for path in FILES:
        if short(path).startswith(SQL_ROOMS):
            continue
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.match(node.value):
                culprits.append(f"{short(path)}:{node.lineno} {node.value.strip()[:60]!r}")
    report("SQL text lives in store/.", culprits)


def test_the_floor_is_pure() -> None:
    culprits = []
    for path in FILES:
        if not short(path).startswith(("core/", "model/")):
            continue
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.Call):
                continue
            name = node.func
            if isinstance(name, ast.Attribute) and name.attr in IMPURE_CALLS:
                culprits.append(f"{short(path)}:{node.lineno} .{name.attr}()")
            if isinstance(name, ast.Name) and name.id in IMPURE_NAMES:
                culprits.append(f"{short(path)}:{node.lineno} {name.id}()")
    report("core and model read no clock and do no I/O; times come in as arguments.", culprits)


def test_rooms_do_not_import_the_front_door() -> None:
    culprits = []
    for path in FILES:
        if short(path).startswith(("cli/", "testing/")) or path == SOURCE / "__init__.py":
            continue
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ImportFrom) and node.module == "stellwerk":
                loose = [alias.name for alias in node.names if not is_module(alias.name)]
                if loose:
                    culprits.append(f"{short(path)}:{node.lineno} from stellwerk import {', '.join(loose)}")
            if isinstance(node, ast.Import) and any(alias.name == "stellwerk" for alias in node.names):
                culprits.append(f"{short(path)}:{node.lineno} import stellwerk")
    report("Rooms import each other by their own names, not through the package's public surface.", culprits)


def is_module(name: str) -> bool:
    return (SOURCE / name).is_dir() or (SOURCE / f"{name}.py").is_file()


def test_no_import_cycles() -> None:
    graph = grimp.build_graph("stellwerk", exclude_type_checking_imports=True, cache_dir=None)
    edges = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    cycles = [" -> ".join(sorted(group)) for group in strongly_connected(edges) if len(group) > 1]
    report("Modules that import each other in a ring are one module in disguise.", sorted(cycles))


def strongly_connected(edges: dict[str, set[str]]) -> list[set[str]]:
    """Group what is in a ring with each other. Source: Kosaraju; two depth-first walks without recursion."""

    def walk(start: str, graph: dict[str, set[str]], seen: set[str]) -> list[str]:
        finished, stack = [], [(start, iter(sorted(graph[start])))]
        seen.add(start)
        while stack:
            node, children = stack[-1]
            child = next((each for each in children if each not in seen), None)
            if child is None:
                finished.append(node)
                stack.pop()
            else:
                seen.add(child)
                stack.append((child, iter(sorted(graph[child]))))
        return finished

    reverse: dict[str, set[str]] = {node: set() for node in edges}
    for node, targets in edges.items():
        for target in targets:
            reverse[target].add(node)
    seen: set[str] = set()
    order = [node for start in sorted(edges) if start not in seen for node in walk(start, edges, seen)]
    seen = set()
    return [set(walk(node, reverse, seen)) for node in reversed(order) if node not in seen]


def test_import_contracts() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
