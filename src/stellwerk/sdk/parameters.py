"""Parameters: from the arguments of a call to named values, checked and shown.

One `Parameters` is made for each flow or task, at its first call. Binding reads the code object, because
`inspect.Signature.bind` takes six times as long; inspect serves decorated functions and other callables, and error
messages. pydantic is imported only when a value has to be checked against an annotation and its class does not settle
it.
"""

from __future__ import annotations

import functools
import inspect
import math
import os
import typing
import warnings
from collections.abc import Callable, Mapping, Sequence
from types import CodeType, FunctionType, MethodType, SimpleNamespace, UnionType
from typing import TYPE_CHECKING, Any, Final, Union, Unpack

import msgspec

from stellwerk.errors import DefinitionError, ParameterError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

NAME_LIMIT: Final = 200
"""Characters of a run's name; longer ones are cut."""

SHOWN_LIMIT: Final = 16 * 1024
"""Bytes of parameters kept for show. Source: the design's bound of what sits with a run's row."""

_PLAIN: Final = frozenset({int, float, str, bool, bytes, type(None)})
_STREAMS: Final = frozenset({"Iterable", "Iterator", "Generator", "AsyncIterable", "AsyncIterator", "AsyncGenerator"})
_REPR_LIMIT: Final = 200
_SIGNATURE_LIMIT: Final = 500
_DEPTH_LIMIT: Final = 8
_REASONS_LIMIT: Final = 5
_CUT: Final = "…"


def is_never_future(_value: object) -> bool:
    """Say that nothing is a future; the default where no futures are about."""
    return False


class Parameters:
    """Know a function's parameters: bind arguments to them, check them, and call with them.

    Args:
        function: any callable; decorated functions count with the signature that they show to the world.
        name: what error messages call it; the function's own name by default.
        namespace: names that annotations written as text may need besides the function's globals and closure, such as
            the locals of the place of its definition. Only those that an annotation mentions are kept.

    Raises:
        DefinitionError: the callable has no signature that Python can tell.

    Idempotent and safe to share between threads: what is computed late is computed alike by each.
    """

    __slots__ = (
        "_annotations",
        "_checks",
        "_defaults",
        "_function",
        "_is_simple",
        "_keyword_only",
        "_namespace",
        "_positional",
        "_positional_only",
        "_tail",
        "_var_keyword",
        "_var_positional",
        "name",
        "names",
    )

    def __init__(
        self, function: Callable[..., Any], name: str = "", namespace: Mapping[str, Any] | None = None
    ) -> None:
        self._function = function
        self.name = name or getattr(function, "__name__", type(function).__name__)
        self._checks: dict[str, _Check] | None = None
        if type(function) is FunctionType and not {"__wrapped__", "__signature__"} & function.__dict__.keys():
            self._read_code(function, function.__code__)
        else:
            self._read_signature(function)
        self.names: tuple[str, ...] = tuple(
            name
            for name in (*self._positional, self._var_positional, *self._keyword_only, self._var_keyword)
            if name is not None
        )
        self._is_simple = len(self.names) == len(self._positional)
        # Defaults at the end of the positional ones, by the number of arguments that were given.
        self._tail: dict[int, dict[str, Any]] = {}
        if self._is_simple:
            for count in range(len(self._positional), -1, -1):
                rest = self._positional[count:]
                if any(name not in self._defaults for name in rest):
                    break
                self._tail[count] = {name: self._defaults[name] for name in rest}
        texts = [text for text in self._annotations.values() if isinstance(text, str)]
        self._namespace = {
            key: value for key, value in (namespace or {}).items() if texts and any(key in text for text in texts)
        }

    def _read_code(self, function: FunctionType, code: CodeType) -> None:
        names = code.co_varnames
        count, keyword_count = code.co_argcount, code.co_kwonlyargcount
        self._positional: tuple[str, ...] = names[:count]
        self._positional_only = code.co_posonlyargcount
        self._keyword_only: tuple[str, ...] = names[count : count + keyword_count]
        after = count + keyword_count
        self._var_positional: str | None = names[after] if code.co_flags & inspect.CO_VARARGS else None
        after += bool(code.co_flags & inspect.CO_VARARGS)
        self._var_keyword: str | None = names[after] if code.co_flags & inspect.CO_VARKEYWORDS else None
        given = function.__defaults__ or ()
        self._defaults: dict[str, Any] = dict(zip(self._positional[count - len(given) :], given, strict=True))
        self._defaults.update(function.__kwdefaults__ or {})
        self._annotations: dict[str, Any] = {
            name: hint for name, hint in function.__annotations__.items() if name != "return"
        }

    def _read_signature(self, function: Callable[..., Any]) -> None:
        try:
            parameters = inspect.signature(function).parameters.values()
        except (TypeError, ValueError) as exc:
            raise DefinitionError(
                f"{self.name} ({function!r}) has no signature that Python can tell.", hint="Wrap it in a def."
            ) from exc
        kinds = inspect.Parameter
        self._positional = tuple(p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD))
        self._positional_only = sum(p.kind is kinds.POSITIONAL_ONLY for p in parameters)
        self._keyword_only = tuple(p.name for p in parameters if p.kind is kinds.KEYWORD_ONLY)
        self._var_positional = next((p.name for p in parameters if p.kind is kinds.VAR_POSITIONAL), None)
        self._var_keyword = next((p.name for p in parameters if p.kind is kinds.VAR_KEYWORD), None)
        self._defaults = {p.name: p.default for p in parameters if p.default is not kinds.empty}
        self._annotations = {p.name: p.annotation for p in parameters if p.annotation is not kinds.empty}

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Bind the arguments of a call, as Python would.

        Returns:
            Every parameter in order of the signature, defaults applied; `*args` as a tuple, `**kwargs` as a dict,
            each present even when empty.

        Raises:
            ParameterError: names all that is missing, unexpected or given twice. Nothing was called or recorded.

        Cost: under 1 µs for a function with positional parameters only.
        """
        if self._is_simple and not kwargs:
            tail = self._tail.get(len(args))
            if tail is not None:
                bound = dict(zip(self._positional, args, strict=False))
                if tail:
                    bound.update(tail)
                return bound
        return self._bind_slowly(args, kwargs)

    def _bind_slowly(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        bound: dict[str, Any] = {}
        rest = dict(kwargs)
        wrong: list[str] = []
        given = len(args)
        for position, name in enumerate(self._positional):
            is_keyword = name in rest and position >= self._positional_only
            if position < given:
                bound[name] = args[position]
                if is_keyword:
                    del rest[name]
                    wrong.append(f"{name!r} is given twice")
            elif is_keyword:
                bound[name] = rest.pop(name)
            elif name in self._defaults:
                bound[name] = self._defaults[name]
            else:
                wrong.append(f"{name!r} is missing")
        if self._var_positional is not None:
            bound[self._var_positional] = args[len(self._positional) :]
        elif given > len(self._positional):
            wrong.append(f"takes {len(self._positional)} positional arguments, not {given}")
        for name in self._keyword_only:
            if name in rest:
                bound[name] = rest.pop(name)
            elif name in self._defaults:
                bound[name] = self._defaults[name]
            else:
                wrong.append(f"{name!r} is missing")
        if self._var_keyword is not None:
            bound[self._var_keyword] = rest
        else:
            wrong += [self._unexpected(name) for name in rest]
        if wrong:
            raise self._misfit(wrong, args, kwargs)
        return bound

    def _unexpected(self, name: str) -> str:
        import difflib

        if name in self._positional[: self._positional_only]:
            return f"{name!r} can only be given by position"
        nearest = difflib.get_close_matches(name, self.names, n=1)
        return f"{name!r} is not a parameter" + (f" (did you mean {nearest[0]!r}?)" if nearest else "")

    def _misfit(self, wrong: list[str], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> ParameterError:
        given = [shown(value) for value in args] + [f"{name}={shown(value)}" for name, value in kwargs.items()]
        return ParameterError(
            f"{self.name} cannot be called as {self.name}({', '.join(given)}): {'; '.join(wrong)}.",
            hint=f"Its signature is {self.name}{self.signature()}.",
            function=self.name,
            wrong=tuple(wrong),
        )

    def signature(self) -> str:
        """Return the signature as text, for messages."""
        text = str(inspect.signature(self._function))
        return text if len(text) <= _SIGNATURE_LIMIT else text[: _SIGNATURE_LIMIT - 1] + _CUT

    def unpack(self, arguments: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Turn bound arguments back into positional and keyword ones; the inverse of `bind`."""
        args = [arguments[name] for name in self._positional]
        if self._is_simple:
            return args, {}
        if self._var_positional is not None:
            args += arguments[self._var_positional]
        kwargs = {name: arguments[name] for name in self._keyword_only}
        if self._var_keyword is not None:
            kwargs.update(arguments[self._var_keyword])
        return args, kwargs

    def call(self, function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
        """Call a function of this signature with bound arguments."""
        args, kwargs = self.unpack(arguments)
        return function(*args, **kwargs)

    def validate(
        self, arguments: Mapping[str, Any], is_future: Callable[[object], bool] = is_never_future
    ) -> dict[str, Any]:
        """Check bound arguments against the annotations and coerce what can be coerced, by pydantic's rules.

        Left as they are: futures (and collections with one in them that do not fit), defaults, parameters without an
        annotation or with one that cannot be resolved or checked, and one-way streams (`Iterable`, `Generator` …),
        which checking would use up.

        Args:
            arguments: as `bind` returned them.
            is_future: tells which values are futures.

        Returns:
            A new dict in the same order.

        Raises:
            ParameterError: names each parameter that does not fit, its value and why. Nothing was called or recorded.
        """
        checked = dict(arguments)
        checks = self._checks
        if checks is None:
            checks = self._checks = self._build_checks()
        wrong: dict[str, list[str]] = {}
        for name, check in checks.items():
            value = arguments[name]
            if name == self._var_positional:
                labels = [f"{name}[{index}]" for index in range(len(value))]
                checked[name] = tuple(
                    check.apply(item, label, is_future, wrong) for item, label in zip(value, labels, strict=True)
                )
            elif name == self._var_keyword:
                checked[name] = {key: check.apply(item, key, is_future, wrong) for key, item in value.items()}
            elif name not in self._defaults or value is not self._defaults[name]:
                checked[name] = check.apply(value, name, is_future, wrong)
        if wrong:
            reasons = [f"\n  {reason}" for lines in wrong.values() for reason in lines]
            raise ParameterError(
                f"{self.name} was called with parameters that do not fit:{''.join(reasons)}",
                hint=f"Its signature is {self.name}{self.signature()}.",
                function=self.name,
                parameters=tuple(wrong),
            )
        return checked

    def _build_checks(self) -> dict[str, _Check]:
        checks: dict[str, _Check] = {}
        for name in self.names:
            if name in self._annotations:
                check = _Check(self._resolve(name))
                if check.is_needed():
                    checks[name] = check
        return checks

    def _resolve(self, name: str) -> Any:
        """Resolve one annotation; what cannot be resolved becomes Any. One by one, so that each stands for itself."""
        hint = self._annotations[name]
        if isinstance(hint, type) and not getattr(hint, "__args__", None):
            return hint
        owner = _owner(self._function)
        code = getattr(owner, "__code__", None)
        local = dict(self._namespace)
        for variable, cell in zip(
            code.co_freevars if code else (), getattr(owner, "__closure__", None) or (), strict=False
        ):
            try:
                local[variable] = cell.cell_contents
            except ValueError:  # not assigned yet
                continue
        holder = SimpleNamespace(__annotations__={name: hint})
        try:
            return typing.get_type_hints(holder, getattr(owner, "__globals__", {}), local, include_extras=True)[name]
        except Exception:  # an annotation may be any expression, and fail in any way
            return Any


def _owner(function: Any) -> Any:
    """Find the function whose globals and closure the annotations were written in."""
    for _ in range(100):  # a bound, because who wraps may wrap in a circle
        if isinstance(function, functools.partial):
            function = function.func
        elif isinstance(function, MethodType):
            function = function.__func__
        elif "__wrapped__" in getattr(function, "__dict__", {}):
            function = function.__wrapped__
        else:
            break
    if isinstance(function, type):
        return function.__init__  # type: ignore[misc]  # read for its globals, never called
    return function if hasattr(function, "__globals__") else type(function).__call__


class _Check:
    """Check values against one annotation; pydantic is asked only when the value's class does not settle it."""

    __slots__ = ("_adapter", "_hint", "_is_built", "_plain")

    def __init__(self, hint: Any) -> None:
        self._hint = hint
        # A value whose class is one of these stays as it is, also where several are allowed: pydantic prefers an
        # exact match. So `int | None` costs no import of pydantic.
        choices = hint.__args__ if getattr(hint, "__origin__", type(hint)) in (Union, UnionType) else (hint,)
        self._plain = frozenset(choice for choice in choices if isinstance(choice, type)) & _PLAIN
        self._adapter: TypeAdapter[Any] | None = None
        self._is_built = False

    def is_needed(self) -> bool:
        """Say whether the annotation restricts anything that can be checked without using the value up."""
        hint = self._hint
        if hint is Any or hint is object or _has_stream(hint) or getattr(hint, "__origin__", None) is Unpack:
            return False
        # Written by mistake (`x: 5`, `x: any`): no types, so pydantic would warn and let everything pass.
        return not isinstance(hint, int | float | str | bytes | list | tuple | dict | FunctionType)

    def apply(self, value: Any, label: str, is_future: Callable[[object], bool], wrong: dict[str, list[str]]) -> Any:
        """Return the value as the annotation wants it, or note under its label why it does not fit."""
        if value.__class__ in self._plain or is_future(value):
            return value
        if not self._is_built:
            self._adapter = _adapter(self._hint)
            self._is_built = True
        if self._adapter is None:
            return value
        try:
            return self._adapter.validate_python(value)
        except Exception as exc:  # validators are user code and may raise anything
            reasons = _reasons(exc, label, value)
        if _has_future(value, is_future):
            return value
        scalar = _as_python_scalar(value)
        if scalar is not value:
            try:
                return self._adapter.validate_python(scalar)
            except Exception:  # the first reason is about what the user passed
                pass
        wrong[label] = reasons
        return value


def _has_stream(hint: Any) -> bool:
    """Say whether an annotation speaks, at any depth, of something that is used up by looking at it."""
    origin = getattr(hint, "__origin__", hint)
    if getattr(origin, "__name__", "") in _STREAMS and origin.__module__ in ("collections.abc", "typing"):
        return True
    return any(_has_stream(part) for part in getattr(hint, "__args__", None) or ())


def _adapter(hint: Any) -> TypeAdapter[Any] | None:
    """Build pydantic's checker; None for a type that pydantic cannot check."""
    from pydantic import ConfigDict, PydanticUserError, TypeAdapter

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about annotations that check nothing: the user's choice
        try:
            return TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True))
        except PydanticUserError as exc:
            if exc.code != "type-adapter-config-unused":
                return None
        except Exception:  # building runs the hooks of user classes
            return None
        try:
            return TypeAdapter(hint)  # models, dataclasses and typed dicts bring their own configuration
        except Exception:
            return None


def _reasons(exc: Exception, label: str, value: Any) -> list[str]:
    from pydantic import ValidationError

    if not isinstance(exc, ValidationError):
        return [f"{label} = {shown(value)}: {type(exc).__name__}: {exc}"]
    errors = exc.errors(include_url=False, include_context=False)
    lines = [
        f"{'.'.join([label, *map(str, error['loc'])])} = {shown(error['input'])}: {error['msg']}"
        for error in errors[:_REASONS_LIMIT]
    ]
    if len(errors) > _REASONS_LIMIT:
        lines.append(f"{label}: and {len(errors) - _REASONS_LIMIT} more of this kind")
    return lines


def _as_python_scalar(value: Any) -> Any:
    """Unwrap numpy's scalars, which pydantic and msgspec take for strangers."""
    is_numpy = type(value).__module__ == "numpy"  # other libraries' `item()` may compute or move data
    return value.item() if is_numpy and getattr(value, "shape", None) == () else value


def _has_future(value: Any, is_future: Callable[[object], bool]) -> bool:
    if isinstance(value, dict):
        return any(_has_future(item, is_future) for item in value.values())
    if isinstance(value, list | tuple | set | frozenset):
        return any(_has_future(item, is_future) for item in value)
    return is_future(value)


def run_name(template: str | Callable[..., str], arguments: Mapping[str, Any]) -> str:
    """Make a run's name from a template such as `train-{model}`.

    Args:
        template: a format string over the parameters, or a callable that returns a name; it gets the arguments as
            `parameters` when it has a parameter of that name, else nothing.
        arguments: as bound.

    Returns:
        At most 200 characters, on one line.

    Raises:
        DefinitionError: names the key that the arguments do not have, or says what else is wrong. Nothing was recorded.
    """
    if callable(template):
        code = getattr(template, "__code__", None)
        wants = code is not None and "parameters" in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        name = template(parameters=dict(arguments)) if wants else template()
        if not isinstance(name, str):
            raise DefinitionError(f"The run name's callable {template!r} returned {shown(name)}, which is not a text.")
    else:
        try:
            name = template.format_map(arguments)
        except KeyError as exc:
            raise DefinitionError(
                f"The run name {template!r} needs {exc}, which is not a parameter.",
                hint=f"There are: {', '.join(arguments) or 'none'}.",
            ) from exc
        except Exception as exc:  # an attribute, an index, a format specification, a user's __format__
            raise DefinitionError(
                f"The run name {template!r} cannot be formatted: {type(exc).__name__}: {exc}.",
                hint=f"Use {{name}} for each of: {', '.join(arguments) or 'none'}.",
            ) from exc
    name = " ".join(name.split())
    return name if len(name) <= NAME_LIMIT else name[: NAME_LIMIT - 1] + _CUT


def shown(value: object, limit: int = 80) -> str:
    """Show a value in a message: its repr, bounded, and never raising."""
    summary = _summary(value)
    if summary is not None:
        return summary
    if isinstance(value, str | bytes) and len(value) > limit:
        value = value[:limit]  # the repr of all of it would cost its length
    elif isinstance(value, list | tuple | set | frozenset | dict) and len(value) > limit:
        return f"<{type(value).__name__} of {len(value):,} items>"
    try:
        text = repr(value)
    except Exception:  # user code
        text = f"<{type(value).__name__}>"
    return text if len(text) <= limit else text[: limit - 1] + _CUT


def _summary(value: object) -> str | None:
    """Describe arrays and frames by class, shape and kind: their repr is long, slow or moves data off a device."""
    try:
        shape = getattr(value, "shape", None)
        if not isinstance(shape, tuple) or shape == () or isinstance(value, type):
            return None
        kind = getattr(value, "dtype", "")
        return f"<{type(value).__name__} {' x '.join(f'{n:,}' for n in shape)} {kind}".rstrip() + ">"
    except Exception:  # user code behind attributes
        return None


def jsonable(arguments: Mapping[str, Any]) -> bytes:
    """Write bound arguments as JSON for people to read: never raises, never more than 16 KiB.

    Models, dataclasses and structs become objects (without the fields they keep out of their repr), dates, paths,
    numbers of numpy and the like text or numbers, arrays and frames a description, all else its repr of at most 200
    characters. Too much is cut, in texts with `…`, in collections with a last entry that counts what is left out.

    Cost: under a microsecond for a few plain values; bounded for whatever else, however big.
    """
    for value in arguments.values():
        kind = value.__class__
        if kind is float:
            if not math.isfinite(value):
                break
        elif kind is str:
            if len(value) > _REPR_LIMIT:
                break
        elif kind is not int and kind is not bool and value is not None:
            break
    else:
        try:
            encoded = msgspec.json.encode(arguments)
            if len(encoded) <= SHOWN_LIMIT:
                return encoded
        except Exception:  # an int beyond 64 bits, a lone surrogate
            return _encode_bounded(arguments)
    return _encode_bounded(arguments)


def _encode_bounded(arguments: Mapping[str, Any]) -> bytes:
    share = SHOWN_LIMIT
    while share > 16:
        # First all may use all; when that was too much, each gets an equal share, so that the first starves none.
        try:
            shrunk = {str(name): _Shrinker(share).shrink(value, 0) for name, value in arguments.items()}
            encoded = msgspec.json.encode(shrunk)
        except Exception:  # user code; what it does wrong must not cost the run
            break
        if len(encoded) <= SHOWN_LIMIT:
            return encoded
        share = min(share // 2, SHOWN_LIMIT // max(1, len(arguments)))
    return msgspec.json.encode({_CUT: f"{len(arguments):,} parameters"})


class _Shrinker:
    """Turn a value into plain JSON values within a budget of bytes, roughly counted."""

    __slots__ = ("left",)

    def __init__(self, budget: int) -> None:
        self.left = budget

    def shrink(self, value: Any, depth: int) -> Any:
        """Return a plain value of no more than what is left."""
        self.left -= 8
        if value is None or value is True or value is False:
            return value
        try:
            if isinstance(value, str):
                return self._text(str.__str__(value))
            # Only dicts: other mappings may be files or remote tables, whose values are read when asked for.
            if isinstance(value, dict | list | tuple | set | frozenset):
                if depth >= _DEPTH_LIMIT:
                    return f"<{type(value).__name__} of {len(value):,} items>"
                if isinstance(value, dict):
                    return self._object(value.items(), len(value), depth)
                return self._array(value, depth)
            return self._leaf_or_record(_as_python_scalar(value), depth)
        except Exception:  # attributes of user classes
            return self._text(shown(value, _REPR_LIMIT))

    def _leaf_or_record(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if hasattr(kind, "_member_map_"):  # an enum
            return self.shrink(value.value, depth + 1) if depth < _DEPTH_LIMIT else self._text(str(value))
        if isinstance(value, int):
            return int(value) if -(1 << 63) <= value < 1 << 64 else self._text(shown(value, _REPR_LIMIT))
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else str(float(value))
        if isinstance(value, os.PathLike):
            return self._text(str(value))
        if hasattr(kind, "isoformat"):
            return self._text(value.isoformat())
        if kind.__module__ in ("datetime", "decimal", "fractions", "ipaddress", "uuid", "zoneinfo"):
            return self._text(str(value))
        fields = _fields(kind)
        if fields is not None and depth < _DEPTH_LIMIT:
            return self._object(((name, getattr(value, name)) for name in fields), len(fields), depth)
        return self._text(shown(value, _REPR_LIMIT))

    def _text(self, text: str) -> str:
        room = max(16, self.left)
        if len(text) > room:
            text = text[: room - 1] + _CUT
        self.left -= len(text)
        return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()

    def _object(self, pairs: Any, count: int, depth: int) -> dict[str, Any]:
        shrunk: dict[str, Any] = {}
        for taken, (key, value) in enumerate(pairs):
            if self.left <= 0:
                shrunk[_CUT] = f"{count - taken:,} more"
                break
            shrunk[self._text(key if isinstance(key, str) else shown(key))] = self.shrink(value, depth + 1)
        return shrunk

    def _array(self, items: Any, depth: int) -> list[Any]:
        shrunk: list[Any] = []
        for item in items:
            if self.left <= 0:
                shrunk.append(f"{_CUT} {len(items) - len(shrunk):,} more")
                break
            shrunk.append(self.shrink(item, depth + 1))
        return shrunk


def _fields(kind: type) -> Sequence[str] | None:
    """Name the fields of a model, dataclass, struct or attrs class, but those that it keeps out of its repr."""
    if hasattr(kind, "__pydantic_fields__"):
        return [name for name, field in kind.__pydantic_fields__.items() if field.repr and not field.exclude]
    if hasattr(kind, "__dataclass_fields__"):
        return [name for name, field in kind.__dataclass_fields__.items() if field.repr]
    if hasattr(kind, "__struct_fields__"):
        return list(kind.__struct_fields__)
    if hasattr(kind, "__attrs_attrs__"):
        return [field.name for field in kind.__attrs_attrs__ if field.repr]
    return None
