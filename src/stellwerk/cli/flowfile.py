"""From `FILE[:FLOW]` and `-p name=value` to a flow and its arguments.

A file is loaded under its own name with its folder in front of `sys.path`, as `python FILE` would have it importable:
so what it pickles can be loaded elsewhere, and its code counts as the same.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.machinery
import importlib.util
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any

import msgspec

from stellwerk.errors import ParameterError, UsageError
from stellwerk.sdk.flow import Flow
from stellwerk.sdk.task import Task

__all__ = ["find_flow", "read_parameters"]

_IMPORTLIB = os.path.dirname(importlib.__file__)
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def find_flow(target: str) -> Flow[..., Any]:
    """Load a file (or a module by its dotted name) and find the flow in it.

    Args:
        target: `FILE`, `FILE:FLOW` or `package.module:FLOW`; FLOW is a flow's name or the name of a variable that
            holds it, and may be left out where there is only one.

    Raises:
        UsageError: no such file, it does not import, or has no such flow. Nothing was recorded, unless the file
            itself ran a flow while it was imported.
    """
    place, name = (target, "") if os.path.exists(target) else _split(target)
    module = _load(place)
    flows = _flows(module)
    if name:
        return _named(name, flows, module, place)
    if len(flows) == 1:
        return next(iter(flows.values()))
    if not flows:
        raise UsageError(f"{place} defines no flow.", hint="Put @flow above the function that is to be run.")
    raise UsageError(
        f"{place} defines several flows: {', '.join(flows)}.", hint=f"Say which: {place}:{next(iter(flows))}"
    )


def _split(target: str) -> tuple[str, str]:
    place, colon, name = target.rpartition(":")
    return (place, name) if colon and place else (target, "")


def _named(name: str, flows: Mapping[str, Flow[..., Any]], module: ModuleType, place: str) -> Flow[..., Any]:
    if name in flows:
        return flows[name]
    value: Any = module
    for part in name.split("."):
        value = getattr(value, part, None)
    if isinstance(value, Flow):
        return value
    if value is not None:
        what = "a task" if isinstance(value, Task) else f"no flow but {type(value).__name__}"
        raise UsageError(f"{name!r} in {place} is {what}.", hint=_choices(name, flows))
    raise UsageError(f"{place} has no flow {name!r}.", hint=_choices(name, flows))


def _choices(name: str, flows: Mapping[str, Flow[..., Any]]) -> str:
    near = difflib.get_close_matches(name, flows, n=1)
    if near:
        return f"Did you mean {near[0]}?"
    return f"There are: {', '.join(flows)}." if flows else "Put @flow above the function that is to be run."


def _flows(module: ModuleType) -> dict[str, Flow[..., Any]]:
    """Find the flows of a module by name: those that it defines itself, or else those that it imports."""
    own: dict[str, Flow[..., Any]] = {}
    imported: dict[str, Flow[..., Any]] = {}
    seen: set[int] = set()
    for value in list(vars(module).values()):
        if isinstance(value, Flow) and id(value) not in seen:
            seen.add(id(value))
            group = own if getattr(value.fn, "__module__", None) == module.__name__ else imported
            group.setdefault(value.name, value)
    return own or imported


def _load(place: str) -> ModuleType:
    if os.path.isdir(place):
        raise UsageError(f"{place} is a folder.", hint="Name the Python file in it: FOLDER/FILE.py:FLOW")
    if os.path.isfile(place):
        return _load_file(os.path.abspath(place))
    if not _DOTTED.fullmatch(place) or place.endswith(".py"):
        raise UsageError(f"There is no file {place}.", hint=_near_files(place))
    sys.path.insert(0, os.getcwd())
    return _import(place, lambda: importlib.import_module(place))


def _near_files(place: str) -> str:
    folder, name = os.path.split(place)
    try:
        names = [entry for entry in os.listdir(folder or ".") if entry.endswith(".py")]
    except OSError:
        return f"There is no folder {folder} either."
    near = difflib.get_close_matches(name, names, n=1) or difflib.get_close_matches(f"{name}.py", names, n=1)
    return f"Did you mean {os.path.join(folder, near[0])}?" if near else "Name a Python file that defines a flow."


def _load_file(path: str) -> ModuleType:
    folder, name = os.path.split(path)
    stem = os.path.splitext(name)[0]
    sys.path.insert(0, folder)
    sys.argv = [path]
    # A file may be called like a module that is loaded already (`queue.py`); that one must stay what it is.
    if stem in sys.modules and os.path.realpath(getattr(sys.modules[stem], "__file__", "") or "") != path:
        stem = f"{stem}__flow"
    return _import(path, lambda: _execute(path, stem))


def _execute(path: str, name: str) -> ModuleType:
    loader = importlib.machinery.SourceFileLoader(name, path)
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    assert spec is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _import(place: str, load: Callable[[], ModuleType]) -> ModuleType:
    try:
        return load()
    except (Exception, SystemExit) as problem:
        missing = problem.name if isinstance(problem, ModuleNotFoundError) else None
        if missing and (place == missing or place.startswith(f"{missing}.")):
            raise UsageError(f"There is no file and no module {place}.", hint=_near_files(place)) from problem
        raise UsageError(
            f"{place} can't be imported: {_said(problem)}", hint=_cure(problem), traceback=_trimmed(problem)
        ) from problem


def _said(problem: BaseException) -> str:
    if isinstance(problem, SystemExit):
        return f"it calls sys.exit({problem.code!r}) while it is loaded."
    text = str(getattr(problem, "message", "") or problem).rstrip(".")
    return f"{type(problem).__name__}: {text}." if text else f"{type(problem).__name__}."


def _cure(problem: BaseException) -> str:
    if isinstance(problem, ModuleNotFoundError):
        return f"Install what provides it for this Python: {sys.executable}"
    if isinstance(problem, SystemExit):
        return 'Put what is to run only as a script below `if __name__ == "__main__":`.'
    return str(getattr(problem, "hint", "") or "Correct it there; `python FILE` should import it without an error.")


def _trimmed(problem: BaseException) -> str:
    """Write a traceback from the user's own file on."""
    told = traceback.TracebackException.from_exception(problem, compact=True)
    frames = list(told.stack)
    while frames and (frames[0].filename == __file__ or frames[0].filename.startswith(("<frozen", _IMPORTLIB))):
        del frames[0]
    told.stack = traceback.StackSummary.from_list(frames)
    told.__cause__ = told.__context__ = None
    return "".join(told.format())


def read_parameters(flow: Flow[..., Any], pairs: Iterable[str]) -> dict[str, Any]:
    """Read `name=value` pairs into arguments that fit the flow.

    A value is read as JSON if it is JSON and fits like that, else it is a text.

    Raises:
        UsageError: a pair is malformed, or they do not fit the flow; nothing was recorded.
    """
    texts: dict[str, str] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"-p {pair} is not of the form name=value.", hint="For example: -p n=10")
        if name in texts:
            raise UsageError(f"The parameter {name!r} is given twice.", hint="Leave one of them out.")
        texts[name] = text
    values = {name: _value(text) for name, text in texts.items()}
    try:
        _check(flow, values)
    except ParameterError as problem:
        # `-p code=007` or `-p year=2024` for a parameter that is a text.
        misfits = set(problem.facts.get("parameters", ())) & texts.keys()
        as_text = {**values, **{name: texts[name] for name in misfits}}
        if as_text == values:
            raise
        try:
            _check(flow, as_text)
        except ParameterError:
            raise problem from None
        return as_text
    return values


def _check(flow: Flow[..., Any], values: dict[str, Any]) -> None:
    arguments = flow.bind((), values)
    if flow.options.validate_parameters:
        flow.parameters.validate(arguments)


def _value(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return text
