"""Maps: from the arguments of a map to the arguments of each of its items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stellwerk.errors import ParameterError
from stellwerk.sdk.futures import Future, allow_failure, unmapped
from stellwerk.sdk.task import Task

_SCALARS = (str, bytes, bytearray)


def spread(
    task: Task[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Turn the arguments of a map into the arguments of each item.

    Raises:
        ParameterError: the iterables differ in length, or none can be iterated over.
    """
    columns: dict[str, list[Any]] = {}
    named: dict[str, Any] = {**{f"argument {i + 1}": value for i, value in enumerate(args)}, **kwargs}
    for name, value in named.items():
        column = _column(value)
        if column is not None:
            columns[name] = column
    if not columns:
        raise ParameterError(
            f"{task.name}.map() got nothing to iterate over.",
            hint="Give at least one list or other iterable; texts, bytes and unmapped(…) go to every item whole.",
        )
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {count}" for name, count in lengths.items())
        raise ParameterError(
            f"{task.name}.map() got iterables of different lengths: {told}.",
            hint="Make them equally long, or put unmapped(…) around what every item should get whole.",
        )
    constants = {name: _whole(value) for name, value in named.items() if name not in columns}
    positions = [f"argument {i + 1}" for i in range(len(args))]
    items = []
    for index in range(next(iter(lengths.values()))):
        values = {name: columns[name][index] if name in columns else constants[name] for name in named}
        items.append((tuple(values[name] for name in positions), {name: values[name] for name in kwargs}))
    return items


def _column(value: Any) -> list[Any] | None:
    if isinstance(value, (unmapped, *_SCALARS)):
        return None
    if isinstance(value, allow_failure):
        inner = _column(value.value)
        return None if inner is None else [allow_failure(item) for item in inner]
    if isinstance(value, Future):
        value = value.result()
        if isinstance(value, _SCALARS):
            return None
    if not hasattr(value, "__iter__") and not hasattr(value, "__getitem__"):
        return None
    try:
        return list(value)
    except TypeError:
        return None


def _whole(value: Any) -> Any:
    return value.value if isinstance(value, unmapped) else value
