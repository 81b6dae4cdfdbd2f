"""What tasks and flows have in common: a function, its kind, its parameters and its options."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from types import CodeType
from typing import Any

from stellwerk.errors import DefinitionError
from stellwerk.sdk.parameters import Parameters

_GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x200  # inspect.CO_…, without importing inspect


class Definition:
    """Hold a decorated function. Never copied by hand: `with_options` and method binding make new ones."""

    fn: Callable[..., Any]
    name: str
    tags: tuple[str, ...]
    _bound: tuple[Any, ...] = ()
    _access: str = ""  # `staticmethod` or `classmethod`, where it stands above one

    def _define(self, fn: Callable[..., Any], what: str, name: str | None, tags: Iterable[str]) -> None:
        if isinstance(fn, Definition):
            raise DefinitionError(
                f"{fn.name!r} is decorated already.", hint=f"Keep one of the decorators; for options, use {what}(…)."
            )
        access = ""
        if isinstance(fn, (staticmethod, classmethod)):
            access, fn = type(fn).__name__, fn.__func__
        if not callable(fn):
            raise DefinitionError(f"@{what} needs a function, not {type(fn).__name__} {fn!r}.")
        # First of all, since it copies the function's own attributes; a wrapper of a task brings along those of that.
        functools.update_wrapper(self, fn)  # type: ignore[arg-type]
        self.__dict__.pop("parameters", None)
        self._bound = ()
        self._access = access
        self.fn = fn
        if name is not None and not isinstance(name, str):
            raise DefinitionError(f"name={name!r} of {what} must be text.")
        self.name = name or str(getattr(fn, "__name__", type(fn).__name__))
        if isinstance(tags, str):
            raise DefinitionError(
                f"tags={tags!r} of {what} {self.name!r} must be a list of texts.", hint="Write [...]."
            )
        self.tags = tuple(sorted({str(tag) for tag in tags}))
        for text in (self.name, *self.tags):
            if "\0" in text or (not text.isprintable() and _has_surrogate(text)):
                raise DefinitionError(f"{text!r} of {what} {self.name!r} holds what can't be stored as text.")
        flags = _flags(fn)
        self.is_async = bool(flags & _COROUTINE)
        self.is_generator = bool(flags & _GENERATOR)
        self.is_async_generator = bool(flags & _ASYNC_GENERATOR)

    @functools.cached_property
    def parameters(self) -> Parameters:
        """Return the function's parameters, read at the first call."""
        return Parameters(self.fn, self.name)

    @property
    def is_bound(self) -> bool:
        """Say whether this is a method of an instance."""
        return bool(self._bound)

    @property
    def bound(self) -> Any:
        """Return the instance that this is a method of, or None."""
        return self._bound[0] if self._bound else None

    def found_on(self, instance: object, owner: type | None) -> Any:
        """Return what an attribute of a class or instance gives, as `__get__` asks."""
        if self._access == "staticmethod":
            return self
        if self._access == "classmethod":
            return self.bound_to(owner if owner is not None else type(instance))
        return self if instance is None else self.bound_to(instance)

    def replaces(self, other: Definition) -> None:
        """Stand where another definition stood: as the same method of the same instance."""
        self._bound, self._access = other._bound, other._access

    def bound_to(self, instance: object) -> Any:
        """Return this definition as a method of an instance; the instance is then the first argument."""
        bound = object.__new__(type(self))
        # Read before copying, so that it is shared by all instances.
        _ = self.parameters
        bound.__dict__.update(self.__dict__)
        bound._bound = (instance,)
        return bound

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of a call by parameter, defaults filled in.

        Raises:
            ParameterError: they do not fit.
        """
        return self.parameters.bind(self._bound + args if self._bound else args, kwargs)


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def checked_text(what: str, name: str, value: object) -> str:
    """Check that an option is text.

    Raises:
        DefinitionError: it is not.
    """
    if not isinstance(value, str):
        raise DefinitionError(f"{name}={value!r} of {what} must be text.")
    return value


def checked_seconds(what: str, name: str, value: object) -> float | None:
    """Check that an option is a positive number of seconds, or None.

    Raises:
        DefinitionError: it is neither.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        raise DefinitionError(f"{name}={value!r} of {what} must be a number of seconds above 0.")
    return float(value)


def _flags(fn: Any) -> int:
    while not isinstance(getattr(fn, "__code__", None), CodeType):
        inner = getattr(fn, "func", None) or getattr(fn, "__func__", None)
        if inner is None:
            inner = type(fn).__call__ if callable(fn) else None
            if not isinstance(getattr(inner, "__code__", None), CodeType):
                return 0
        fn = inner
    flags: int = fn.__code__.co_flags
    return flags
