"""The hash of a function's code: what changes it, what does not, and that every process agrees."""

from __future__ import annotations

import importlib
import linecache
import os
import subprocess
import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stellwerk.execute import syntax
from stellwerk.execute.code import Code, code_hash, code_of
from stellwerk.sdk.fingerprint import fingerprint

Load = Callable[[dict[str, str]], Any]

FLOW = '''
"""A module."""
import functools
import helpers
from helpers import far
from dataclasses import dataclass

LIMIT = 10
UNUSED = 1
TABLE = {"a": [1, 2], "b": {3, 4, 5}}


def timed(function):
    @functools.wraps(function)
    def wrapper(*args):
        mark = 1
        return function(*args)
    return wrapper


def factory(factor):
    def scale(x):
        return x * factor
    return scale


by_two = factory(2)


class Base:
    rate = 3

    def inherited(self):
        return self.rate

    def unrelated(self):
        return 0


class Model(Base):
    size = 5

    def __init__(self, x):
        self.x = x

    def score(self):
        return self.inherited() + self.size

    @property
    def double(self):
        return self.x * 2


@timed
def near(x):
    return far(x) + LIMIT

def unrelated(x):
    return x

def task(x, step=4, *, more=(1, 2)):
    """Do it."""
    total = near(x)  # a comment
    model = Model(total)
    handlers = [lambda y: helpers.other(y)]
    return by_two(model.score()) + step + len(TABLE["a"]) + handlers[0](total)
'''

HELPERS = """
OFFSET = 7

def far(x):
    return deep(x)

def deep(x):
    return x + OFFSET

def other(x):
    return x - 1

def untouched(x):
    return x
"""

FILES = {"flow.py": FLOW, "helpers.py": HELPERS}


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    """Write files to a new folder and import one of them from there, `flow.py` by default."""
    count = 0
    path, modules = list(sys.path), set(sys.modules)

    def forget() -> None:
        for name in set(sys.modules) - modules:
            if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "") or ""):
                del sys.modules[name]
        sys.path[:] = path
        importlib.invalidate_caches()

    def load(files: dict[str, str]) -> Any:
        nonlocal count
        count += 1
        folder = tmp_path / f"tree{count}"
        for name, text in files.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(text))
        forget()
        sys.path.insert(0, str(folder))
        return importlib.import_module("flow")

    yield load
    forget()


def edited(name: str, old: str, new: str) -> dict[str, str]:
    assert FILES[name].count(old) == 1, old
    return {**FILES, name: FILES[name].replace(old, new)}


def changed_parts(one: Code, other: Code) -> set[str]:
    return {name for name in one.parts.keys() | other.parts.keys() if one.parts.get(name) != other.parts.get(name)}


# ── one edit at a time ───────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("name", "old", "new", "parts"),
    [
        ("flow.py", "total = near(x)", "total = near(x) + 1", {"flow.task"}),
        ("flow.py", "far(x) + LIMIT", "far(x) - LIMIT", {"flow.near"}),
        ("helpers.py", "x + OFFSET", "x * OFFSET", {"helpers.deep"}),
        ("helpers.py", "return deep(x)", "return deep(x + 0)", {"helpers.far"}),
        ("helpers.py", "x - 1", "x - 2", {"helpers.other"}),
        ("flow.py", "LIMIT = 10", "LIMIT = 11", {"flow.LIMIT"}),
        ("flow.py", "LIMIT = 10", "LIMIT = 10.0", {"flow.LIMIT"}),
        ("helpers.py", "OFFSET = 7", "OFFSET = 8", {"helpers.OFFSET"}),
        ("flow.py", '"b": {3, 4, 5}', '"b": {3, 4}', {"flow.TABLE"}),
        ("flow.py", "factory(2)", "factory(3)", {"flow.factory.<locals>.scale[factor]"}),
        ("flow.py", "x * factor", "x // factor", {"flow.factory.<locals>.scale"}),
        ("flow.py", "step=4", "step=5", {"flow.task", "flow.task(step=)"}),
        ("flow.py", "more=(1, 2)", "more=(1, 3)", {"flow.task", "flow.task(more=)"}),
        ("flow.py", "self.inherited() + self.size", "self.inherited() - self.size", {"flow.Model.score"}),
        ("flow.py", "size = 5", "size = 6", {"flow.Model", "flow.Model.size"}),
        ("flow.py", "self.x * 2", "self.x * 3", {"flow.Model.double"}),
        ("flow.py", "return self.rate", "return self.rate + 1", {"flow.Base.inherited"}),
        ("flow.py", "rate = 3", "rate = 4", {"flow.Base", "flow.Base.rate"}),
        ("flow.py", "class Model(Base)", "class Model(Base, dict)", {"flow.Model"}),
        ("flow.py", "mark = 1", "mark = 2", {"flow.timed", "flow.timed.<locals>.wrapper"}),
        ("flow.py", "@timed\n", "", None),
    ],
)
def test_an_edit_of_what_is_reached_changes_the_hash(
    load: Load, name: str, old: str, new: str, parts: set[str] | None
) -> None:
    before, after = code_of(load(FILES).task), code_of(load(edited(name, old, new)).task)
    assert before.hash != after.hash
    if parts is not None:
        assert changed_parts(before, after) == parts


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("flow.py", "  # a comment", "  # another"),
        ("flow.py", '"""Do it."""', '"""Do it well.\n\n    Very well.\n    """'),
        ("flow.py", '    """Do it."""\n', ""),
        ("flow.py", "total = near(x)", "\n\n    total = (\n        near(\n            x,\n        )\n    )"),
        ("flow.py", 'TABLE["a"]', "TABLE['a']"),
        ("flow.py", '{"a": [1, 2], "b": {3, 4, 5}}', '{"b": {5, 4, 3}, "a": [1, 2]}'),
        ("flow.py", "LIMIT = 10", "LIMIT = 5 + 5"),
        ("flow.py", "def unrelated(x):\n    return x\n", "def unrelated(x):\n    return x + 1\n"),
        ("flow.py", "UNUSED = 1", "UNUSED = 2"),
        ("flow.py", '"""A module."""', '"""A module."""\nimport os'),
        ("helpers.py", "def untouched(x):\n    return x", "def untouched(x):\n    return 1"),
        ("helpers.py", "def deep(x):\n", "def deep(x):\n    # a line more\n"),
    ],
)
def test_an_edit_of_anything_else_does_not(load: Load, name: str, old: str, new: str) -> None:
    assert code_of(load(FILES).task).parts == code_of(load(edited(name, old, new)).task).parts


def test_only_what_a_method_reads_of_its_object_counts(load: Load) -> None:
    before = code_of(load(FILES).Model.score)
    assert set(before.parts) == {"flow.Model.score", "flow.Model.size", "flow.Base.inherited", "flow.Base.rate"}
    assert code_of(load(edited("flow.py", "return 0", "return 1")).Model.score).hash == before.hash
    assert code_of(load(edited("flow.py", "return self.rate", "return -self.rate")).Model.score).hash != before.hash


def test_the_owner_says_what_self_means(load: Load) -> None:
    text = "class A:\n    def run(self): return self.step()\n    def step(self): return 1\n\n\nclass B(A):\n"
    module = load({"flow.py": text + "    def step(self): return 2\n"})
    assert set(code_of(module.A.run).parts) == {"flow.A.run", "flow.A.step"}
    assert set(code_of(module.A.run, owner=module.B).parts) == {"flow.A.run", "flow.B.step"}
    assert code_of(module.B().run) == code_of(module.A.run, owner=module.B)


def test_super_private_names_and_kinds_of_methods(load: Load) -> None:
    text = """
    class A:
        def run(self): return {0}
    class B(A):
        def run(self): return super().run() + self.__own() + self.fixed() + self.made()
        def __own(self): return {1}
        @staticmethod
        def fixed(): return {2}
        @classmethod
        def made(cls): return cls.built
        built = {3}
    """
    plain = [1, 2, 3, 4]
    before = code_of(load({"flow.py": text.format(*plain)}).B.run)
    for number in range(4):
        module = load({"flow.py": text.format(*[v + 10 * (i == number) for i, v in enumerate(plain)])})
        assert code_of(module.B.run).hash != before.hash, number


# ── each kind of reach ───────────────────────────────────────────────────────────────────────────────────────────────
# What each name reaches, with {} where an edit is made; the task is `a`.
REACHES = {
    "mutual recursion": "def a(x): return b(x)\ndef b(x): return a(x) if x else {}\n",
    "nested function": "def b(): return {}\ndef a():\n    def c():\n        return b()\n    return c\n",
    "comprehension": "def b(x): return {}\ndef a(xs): return [b(x) for x in xs]\n",
    "alias": "def b(): return {}\nc = b\ndef a(): return c()\n",
    "list of functions": "def b(): return {}\nALL = [b]\ndef a(): return [f() for f in ALL]\n",
    "dict of lists of functions": "def b(): return {}\nALL = dict(x=[b])\ndef a(): return ALL['x'][0]()\n",
    "list of objects": "class B:\n    def go(self): return {}\nALL = [B()]\ndef a(): return ALL[0].go()\n",
    "object's arguments": "class B:\n    def __init__(s, x): s.x = x\nb = B({})\ndef a(): return b.x\n",
    "callable in a closure": (
        "def b(): return {}\ndef wrap(f):\n    def inner(): return f()\n    return inner\na = wrap(b)\n"
    ),
    "partial": "from functools import partial\ndef b(x): return {}\nc = partial(b, 1)\ndef a(): return c()\n",
    "partial's argument": (
        "from functools import partial\ndef b(x): return x\nc = partial(b, {})\ndef a(): return c()\n"
    ),
    "a task that is a partial": "from functools import partial\ndef b(x): return {}\na = partial(b, 1)\n",
    "lru_cache": "import functools\n@functools.lru_cache\ndef b(): return {}\ndef a(): return b()\n",
    "context manager": (
        "import contextlib\n@contextlib.contextmanager\ndef b():\n    yield {}\ndef a():\n    with b(): pass\n"
    ),
    "dispatch": (
        "import functools\n@functools.singledispatch\ndef b(x): return 0\n"
        "@b.register\ndef _(x: int): return {}\ndef a(): return b(1)\n"
    ),
    "decorator beneath the task's": "def d(f):\n    def w(): return f() + {}\n    return w\n@d\ndef a(): return 1\n",
    "decorator's argument": (
        "def d(n):\n    def e(f): return f\n    return e\n@d({})\ndef b(): return 1\ndef a(): return b()\n"
    ),
    "class decorator": "def d(c): return c if {} else c\n@d\nclass B: pass\ndef a(): return B()\n",
    "metaclass": "class M(type):\n    x = {}\nclass B(metaclass=M): pass\ndef a(): return B\n",
    "annotation": "class B:\n    def go(self): return {}\ndef a(b: B): return b.go()\n",
    "class attribute's function": "def b(): return {}\nclass C:\n    f = b\ndef a(): return C.f()\n",
    "dataclass field": (
        "from dataclasses import dataclass\n@dataclass\nclass C:\n    x: int = {}\ndef a(): return C()\n"
    ),
    "enum": "import enum\nclass E(enum.Enum):\n    A = {}\ndef a(): return E.A\n",
    "constant in a default": "def a(x=[{}]): return x\n",
    "lambda": "b = lambda: {}\ndef a(): return b()\n",
    "two lambdas in a line": "b, c = lambda: {}, lambda: 5\ndef a(): return b()\n",
    "setter": (
        "class B:\n    @property\n    def x(self): return 1\n    @x.setter\n"
        "    def x(self, v): self.y = {}\ndef a(): return B()\n"
    ),
    "another task": "from stellwerk.sdk.task import task\n@task\ndef b(): return {}\n@task\ndef a(): return b()\n",
    "another task's version": (
        "from stellwerk.sdk.task import task\n@task(version='{}')\ndef b(): return 0\n@task\ndef a(): return b()\n"
    ),
}


@pytest.mark.parametrize("text", REACHES.values(), ids=REACHES)
def test_reaches(load: Load, text: str) -> None:
    one, same, other = (code_of(load({"flow.py": text.format(n)}).a) for n in (1, 1, 2))
    assert one == same
    assert one.hash != other.hash


UNREACHED = {
    "a task's options": "from stellwerk.sdk.task import task\n@task(retries={}, tags=['a'])\ndef a(): return 1\n",
    "a helper task's options": (
        "from stellwerk.sdk import task as t\n@t.task(retries={})\ndef b(): return 1\ndef a(): return b()\n"
    ),
    "a versioned task's body": (
        "from stellwerk.sdk.task import task\n@task(version='1')\ndef b(): return {}\n@task\ndef a(): return b()\n"
    ),
    "a local name like a global": "b = {}\ndef a():\n    b = 1\n    return b\n",
    "a parameter like a global": "b = {}\ndef a(b): return b\n",
    "a comprehension's name like a global": "b = {}\ndef a(xs): return [b for b in xs]\n",
    "an attribute like a global": "b = {}\ndef a(x): return x.b\n",
    "a method's sibling": "class C:\n    def b(self): return {}\n    def m(self): return 1\na = C().m\n",
    "assignment to an attribute": "class C:\n    b = 1\nX = {}\ndef a(x): x.X = 2\n",
}


@pytest.mark.parametrize("text", UNREACHED.values(), ids=UNREACHED)
def test_does_not_reach(load: Load, text: str) -> None:
    one, other = (code_of(load({"flow.py": text.format(n)}).a) for n in (1, 2))
    assert one.hash == other.hash


def test_swapping_two_helpers_shows(load: Load) -> None:
    text = "def f(): return 1\ndef g(): return 2\n{} = f, g\ndef task(): return x(), y()\n"
    one, other = (code_of(load({"flow.py": text.format(order)}).task) for order in ("x, y", "y, x"))
    assert one.hash != other.hash


def test_closures_of_one_factory_are_parts_of_their_own(load: Load) -> None:
    text = "def make(n):\n    def inner(): return n\n    return inner\none, two = make(1), make(2)\n"
    found = code_of(load({"flow.py": text + "def task(): return one() + two()\n"}).task)
    names = {name for name in found.parts if "inner" in name}
    cells = {"flow.make.<locals>.inner[n]", "flow.make.<locals>.inner[n]#2"}
    assert names == {"flow.make.<locals>.inner", *cells}


def test_an_object_that_is_no_value_counts_by_its_statement(load: Load) -> None:
    text = "import threading\nimport logging\nlog = logging.getLogger('{}')\nlock = threading.Lock()\n"
    body = "def task():\n    with lock: log.info('x')\n"
    one, other = (code_of(load({"flow.py": text.format(name) + body}).task) for name in "ab")
    assert changed_parts(one, other) == {"flow.log"}


def test_packages_relative_imports_and_submodules(load: Load) -> None:
    files = {
        "pyproject.toml": "",
        "flow.py": "import pkg.sub.leaf\nfrom pkg import tools\ndef task(): return pkg.sub.leaf.f() + tools.g()\n",
        "pkg/__init__.py": "",
        "pkg/sub/__init__.py": "",
        "pkg/sub/leaf.py": "from ..base import h\ndef f(): return h()\n",
        "pkg/base.py": "def h(): return 1\ndef unrelated(): return 1\n",
        "pkg/tools.py": "from . import base\ndef g(): return base.h()\n",
    }
    before = code_of(load(files).task)
    assert set(before.parts) == {"flow.task", "pkg.sub.leaf.f", "pkg.base.h", "pkg.tools.g"}
    after = code_of(load({**files, "pkg/base.py": "def h(): return 2\ndef unrelated(): return 1\n"}).task)
    assert changed_parts(before, after) == {"pkg.base.h"}
    assert before.hash == code_of(load({**files, "pkg/base.py": "def h(): return 1\n"}).task).hash


def test_a_module_imported_inside_counts_as_a_whole_without_being_imported(load: Load) -> None:
    files = {
        "flow.py": "def task():\n    from late import f\n    import json\n    return f()\n",
        "late.py": "import later\nraise RuntimeError('imported')\ndef f(): return 1\n",
        "later.py": "X = 1\n",
    }
    before = code_of(load(files).task)
    assert set(before.parts) == {"flow.task", "late", "later"}
    assert changed_parts(before, code_of(load({**files, "later.py": "X = 2\n"}).task)) == {"later"}


def test_installed_code_counts_by_name(load: Load) -> None:
    one = code_of(load({"flow.py": "import textwrap\ndef task(): return textwrap.dedent('')\n"}).task)
    assert set(one.parts) == {"flow.task"}
    assert code_of(textwrap.dedent).parts == {} == code_of(len).parts
    assert code_of(textwrap.dedent).hash != code_of(textwrap.fill).hash
    other = load({"flow.py": "from json import dumps as f\ndef task(): return f('')\n"})
    third = load({"flow.py": "from textwrap import dedent as f\ndef task(): return f('')\n"})
    assert code_of(other.task).hash != code_of(third.task).hash


# ── version, source, hook ────────────────────────────────────────────────────────────────────────────────────────────
def test_a_version_stands_for_the_code(load: Load) -> None:
    one = code_of(load(FILES).task, version="1")
    other = load(edited("flow.py", "LIMIT = 10", "LIMIT = 11"))
    assert code_of(other.task, version="1").hash == one.hash != code_of(other.task, version="2").hash
    assert code_of(other.near, version="1").hash != one.hash
    assert set(one.parts) == {"version"}
    assert "def task" in one.source


def test_the_source_is_the_functions_own_text(load: Load) -> None:
    module = load(FILES)
    assert code_of(module.Model.score).source == "def score(self):\n    return self.inherited() + self.size\n"
    assert code_of(module.near).source.startswith("@timed\ndef near(x):")
    assert code_of(module.by_two).source == "def scale(x):\n    return x * factor\n"
    assert code_of(len).source == ""


def test_the_hook_hashes_code_of_this_tree_only(load: Load) -> None:
    module = load(FILES)
    assert code_hash(module.task) == code_of(module.task).hash
    assert code_hash(module.Model) is not None
    assert [code_hash(value) for value in (len, dict, textwrap.dedent)] == [None, None, None]
    one = fingerprint([module.by_two], code=code_hash)
    other = fingerprint([load(edited("flow.py", "factory(2)", "factory(3)")).by_two], code=code_hash)
    assert None is not one != other


# ── without files ────────────────────────────────────────────────────────────────────────────────────────────────────
def _executed(text: str, name: str = "f") -> Any:
    namespace: dict[str, Any] = {"__name__": "made"}
    exec(compile(text, "<string>", "exec"), namespace)
    return namespace[name]


def test_code_without_source_counts_by_its_bytecode() -> None:
    text = "N = {}\ndef f(x, y={}):\n    return g(x) + N\ndef g(x): return [i + {} for i in x]\n"
    one = code_of(_executed(text.format(1, 2, 3)))
    assert one.source == ""
    assert one == code_of(_executed(text.format(1, 2, 3)))
    for numbers in ((9, 2, 3), (1, 9, 3), (1, 2, 9)):
        assert code_of(_executed(text.format(*numbers))).hash != one.hash


def test_cells_of_a_notebook_are_one_source_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*cells: str) -> Code:
        namespace: dict[str, Any] = {"__name__": "__main__"}
        monkeypatch.setitem(sys.modules, "__main__", _module(namespace))
        for number, text in enumerate(cells):
            name = f"/tmp/ipykernel_{os.getpid()}_{abs(hash(text))}/{number}.py"
            linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
            exec(compile(text, name, "exec"), namespace)
        return code_of(namespace["task"])

    def _module(namespace: dict[str, Any]) -> types.ModuleType:
        module = types.ModuleType("__main__")
        module.__dict__.update(namespace)
        return module

    task = "def task(): return helper(X)\n"
    before = run("X = 1\n", "def helper(x): return x\n", task)
    assert set(before.parts) == {"__main__.task", "__main__.helper", "__main__.X"}
    assert before == run("X = 1\n", "# a comment\n\ndef helper(x):\n    return x\n", task)
    assert before.hash != run("X = 2\n", "def helper(x): return x\n", task).hash
    assert before.hash != run("X = 1\n", "def helper(x): return -x\n", task).hash


def test_a_file_edited_after_its_import_counts_as_it_was_imported(load: Load) -> None:
    module = load({"flow.py": "def task(): return 1\n"})
    path = Path(module.__file__)
    first = code_of(module.task)
    path.write_text("def task(): return 2\n")
    assert code_of(module.task) == first
    fresh = load({"flow.py": "def task(): return 1\n"})
    Path(fresh.__file__).write_text("def task(): return 22\n")
    late = code_of(fresh.task)  # never read as it was: by bytecode, and surely not as the new text
    assert late.hash not in (first.hash, code_of(load({"flow.py": "def task(): return 22\n"}).task).hash)
    assert late.source == ""


def test_text_that_is_not_python_or_utf8_is_no_error(tmp_path: Path) -> None:
    for number, data in enumerate((b"def f(:\n", b"# \xff\nx = 1\n", b"\x00")):
        path = tmp_path / f"bad{number}.py"
        path.write_bytes(data)
        assert syntax.versions(str(path)) == []
    assert syntax.versions(str(tmp_path)) == [] == syntax.versions(str(tmp_path / "none.py"))


# ── processes ────────────────────────────────────────────────────────────────────────────────────────────────────────
REPORT = """
if __name__ == "__main__" or REPORTING:
    from stellwerk.execute.code import code_hash, code_of
    from stellwerk.sdk.fingerprint import fingerprint
    for function in (task, near, by_two, Model, Model.score, lambda: LIMIT):
        found = code_of(function)
        print(found.hash.hex(), [(name, digest.hex()) for name, digest in found.parts.items()])
    print(fingerprint([Model(1), task, Model, {"a", "b"}], code=code_hash).hex())
"""


def test_a_script_and_its_module_agree_in_every_process(tmp_path: Path) -> None:
    (tmp_path / "helpers.py").write_text(HELPERS)
    (tmp_path / "flow.py").write_text("import builtins\nREPORTING = hasattr(builtins, 'reporting')\n" + FLOW + REPORT)
    imported = "import builtins, sys; builtins.reporting = True; sys.path.insert(0, {!r}); import flow"
    commands = [
        ["flow.py"],
        [str(tmp_path / "flow.py")],
        ["-m", "flow"],
        ["-c", imported.format(str(tmp_path))],
        ["-c", "import runpy; runpy.run_path('flow.py', run_name='__main__')"],
    ]
    said = set()
    for seed, command in enumerate(commands):
        path = os.pathsep.join([p for p in sys.path if p] + [str(tmp_path)])
        environment = {**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": path}
        run = [sys.executable, *command]
        said.add(subprocess.run(run, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, check=True).stdout)
    assert len(said) == 1
