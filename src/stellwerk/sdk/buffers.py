"""Show arrays and frames as plain values, for their fingerprint.

What lives here: what a numpy array, a pandas, pyarrow or polars object holds, as a tuple of names, shapes and hashes
of its buffers. What does not: the encoding of plain values (`fingerprint`). No library is imported for it: whoever
holds an array has imported its library already.

The tuples follow content alone: not memory order, not the offset of a slice, not how a column is chunked or how a
frame's columns share blocks, and not the bytes that lie under a missing value.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Literal

from xxhash import xxh3_128_digest as _digest

__all__ = ["find"]

_Content = Callable[[Any], tuple[Any, ...]]


def find(kind: type) -> _Content | None:
    """Find the function that shows instances of a type as plain values.

    Returns:
        A function from an instance to a tuple, whose items may be arrays again; None for a type that is not an array
        or frame (such as a `Timestamp`), or is a subclass whose pickle says more.
    """
    for base in kind.__mro__:
        family = _FAMILIES.get(base.__module__.partition(".")[0])
        if family is not None:
            return family(kind)
    return None


# ── numpy ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _find_numpy(kind: Any) -> _Content | None:
    np = sys.modules["numpy"]
    # A memory map is its content; other subclasses (masked arrays, user's own) hold more than a buffer.
    if issubclass(kind, np.generic) or kind in (np.ndarray, np.memmap):
        return _ndarray
    return None


def _ndarray(value: Any) -> tuple[Any, ...]:
    np = sys.modules["numpy"]
    dtype = value.dtype
    if dtype.names:  # field by field: between fields there may be padding, which holds anything
        array = np.asarray(value)
        return repr(dtype.descr), value.shape, [array[name] for name in dtype.names]
    if dtype.hasobject or dtype.char in "gG":  # long doubles have padding inside
        items = value.reshape(-1)
        return dtype.str, value.shape, items.astype(str) if dtype.char in "gG" else items.tolist()
    return dtype.str, value.shape, _digest(np.ascontiguousarray(value).reshape(-1).view("u1"))


# ── pandas ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _find_pandas(kind: Any) -> _Content | None:
    pandas = sys.modules["pandas"]
    for base, content in (
        (pandas.DataFrame, _frame),
        (pandas.Series, _series),
        (pandas.MultiIndex, _multi_index),
        (pandas.Index, _index),
        (pandas.api.extensions.ExtensionArray, _column),
    ):
        if issubclass(kind, base):
            return content
    return None


def _extras(value: Any) -> dict[str, Any]:
    """Collect what a subclass of a frame declares as its own, and the user's attrs."""
    return {"attrs": value.attrs, **{name: getattr(value, name, None) for name in value._metadata if name != "_name"}}


def _frame(value: Any) -> tuple[Any, ...]:
    columns = [_column(value.iloc[:, number].array) for number in range(value.shape[1])]
    return value.columns, value.index, columns, _extras(value)


def _series(value: Any) -> tuple[Any, ...]:
    return value.name, value.index, _column(value.array), _extras(value)


def _index(value: Any) -> tuple[Any, ...]:
    return value.name, _column(value.array)  # a RangeIndex counts as its numbers


def _multi_index(value: Any) -> tuple[Any, ...]:
    return tuple(value.names), [_column(value.get_level_values(level).array) for level in range(value.nlevels)]


def _column(array: Any) -> tuple[Any, ...]:
    """Show a pandas array, of numpy's, pandas' own or an extension's type."""
    dtype = str(array.dtype)
    if dtype == "category":
        return dtype, array.codes, array.categories, array.ordered
    if hasattr(array, "_pa_array"):
        return dtype, _chunked(array._pa_array)
    if hasattr(array, "_mask"):
        data, mask = array._data.copy(), array._mask
        data[mask] = 0
        return dtype, data, mask
    if hasattr(array, "_ndarray"):
        return dtype, array._ndarray
    return dtype, list(array)


# ── pyarrow ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def _find_pyarrow(kind: Any) -> _Content | None:
    pyarrow = sys.modules["pyarrow"]
    for base, content in (
        ((pyarrow.Table, pyarrow.RecordBatch), _table),
        (pyarrow.ChunkedArray, _chunked),
        (pyarrow.Array, _array),
    ):
        if issubclass(kind, base):
            return content
    return None


def _table(value: Any) -> tuple[Any, ...]:
    schema = value.schema
    fields = [(field.name, field.nullable, field.metadata) for field in schema]
    columns = [_chunked(column) if hasattr(column, "chunks") else _array(column) for column in value.columns]
    return fields, schema.metadata, value.num_rows, columns


def _chunked(value: Any) -> tuple[Any, ...]:
    if value.num_chunks == 1:
        return _array(value.chunk(0))
    whole = value.combine_chunks()
    # Beyond 2 GiB of text it stays in chunks; `cast` to 64-bit offsets would change the type that counts.
    return _array(whole) if not hasattr(whole, "chunks") else (str(value.type), [_array(c) for c in whole.chunks])


def _array(value: Any) -> tuple[Any, ...]:
    """Show an Arrow array by the buffers of its valid values."""
    kind, size, valid, present = str(value.type), len(value), None, value
    try:
        if value.null_count:
            valid = _fixed(value.is_valid().cast("uint8"))
            present = value.drop_null()  # under a null lies anything
        return kind, size, valid, _valid(present)
    except NotImplementedError:  # pyarrow has not written every verb for every type
        return kind, size, value.to_pylist()


def _valid(value: Any) -> Any:
    pyarrow = sys.modules["pyarrow"]
    types, kind = pyarrow.types, value.type
    if types.is_dictionary(kind):
        return _array(value.dictionary_decode())
    if types.is_boolean(kind):
        return _fixed(value.cast("uint8"))
    if types.is_primitive(kind) or types.is_decimal(kind) or types.is_fixed_size_binary(kind):
        return _fixed(value)
    if types.is_string(kind) or types.is_binary(kind):
        return _text(value, "i")
    if types.is_large_string(kind) or types.is_large_binary(kind):
        return _text(value, "q")
    if types.is_string_view(kind) or types.is_binary_view(kind):
        return _valid(value.cast("large_string" if types.is_string_view(kind) else "large_binary"))
    if types.is_list(kind) or types.is_large_list(kind):
        return _array(value.value_lengths()), _array(value.flatten())
    if types.is_struct(kind):
        return [_array(field) for field in value.flatten()]
    return value.to_pylist()  # maps, unions, extension types


def _fixed(value: Any) -> bytes:
    """Hash the values of an array of fixed width without nulls."""
    buffer, width = value.buffers()[1], value.type.bit_width // 8
    if not len(value):
        return b""
    return _digest(memoryview(buffer)[value.offset * width : (value.offset + len(value)) * width])


def _text(value: Any, offset_format: Literal["i", "q"]) -> tuple[bytes, bytes]:
    """Hash the lengths and the text of an array of strings or bytes without nulls."""
    if not len(value):
        return b"", b""
    offsets = memoryview(value.buffers()[1]).cast("B").cast(offset_format)
    first, last = offsets[value.offset], offsets[value.offset + len(value)]
    data = value.buffers()[2]
    lengths = sys.modules["pyarrow"].compute.binary_length(value)
    return _fixed(lengths), _digest(memoryview(data)[first:last] if data is not None else b"")


# ── polars ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _find_polars(kind: Any) -> _Content | None:
    polars = sys.modules["polars"]
    if issubclass(kind, polars.DataFrame):
        return _polars_frame
    return _polars_series if issubclass(kind, polars.Series) else None


def _polars_frame(value: Any) -> tuple[Any, ...]:
    return value.height, [_polars_series(column) for column in value.get_columns()]


def _polars_series(value: Any) -> tuple[Any, ...]:
    dtype = str(value.dtype)
    try:
        # An optional extra; with it, a column of numbers goes by its buffers, 50 times as fast.
        import pyarrow.compute  # type: ignore[import-untyped]  # noqa: F401  # it ships no types

        return value.name, dtype, _array(value.rechunk().to_arrow())
    except ImportError:
        return value.name, dtype, value.to_list()


_FAMILIES: dict[str, Callable[[Any], _Content | None]] = {
    "numpy": _find_numpy,
    "pandas": _find_pandas,
    "polars": _find_polars,
    "pyarrow": _find_pyarrow,
}
