"""The timeline of a run as packed columns: 100,000 rows in a few milliseconds of a browser's time.

Format `TL01`, little endian: 4 bytes `TL01`; u32 length of the header; the header, JSON in UTF-8 padded with spaces so
that the columns begin at a multiple of 8: `{"n": rows, "groups": [{"kind", "name"}], "base": µs since the epoch, "now":
µs since the epoch by the server's clock, "max_seq": seq of the last row known}`; then the columns one after another:

    seq f64 · start f64 · end f64 · created f64 (µs since base; NaN where there is none)
    index i32 (−1: in no map) · group u16 (into groups) · state u8 (into the states in their order)
    kind u8 (0 task, 1 flow) · attempts u8 (at most 255)

The page's reader (`ui/src/viz/timeline/frame.ts`) and the test here share the file `tests/golden/timeline.bin`.
"""

from __future__ import annotations

import json
import struct
import sys
import time
from array import array
from collections.abc import Iterable, Sequence
from math import nan

from stellwerk.errors import NotFound
from stellwerk.model.identity import to_text
from stellwerk.model.states import RUN_STATES
from stellwerk.store.port import Row, Store
from stellwerk.store.statements import SELECTED

__all__ = ["MOST_ROWS", "frame", "pack"]

MOST_ROWS = 100_000
NEAR = 20_000  # rows of whatever run that are read rather than walking the whole run
MAGIC = b"TL01"
_STATES = {state: place for place, state in enumerate(RUN_STATES)}
_MOST_GROUPS = 65_535
_MOST_INDEX = 2**31 - 1
_ROOT, _CREATED = SELECTED.index("root_id"), SELECTED.index("created_at")


def frame(store: Store, run_id: bytes, after: int = 0, opened: Sequence[int] = ()) -> bytes:
    """Pack the task runs and child flow runs of a run, with those that its tasks called, in order of `seq`.

    Args:
        after: only rows beyond this `seq`; 0 for all.
        opened: besides these, rows that may have changed since they were asked for. At most 500; those that are not of
            this run are left out.

    Returns: at most 100,000 rows; if there are as many, the next ones follow after `max_seq`.

    Raises:
        NotFound: there is no such run.

    Cost: two to four statements, 0.3 s for 100,000 rows; what is new in a run is found without reading it whole.
    """
    found = store.select("run_by_id", (run_id,))
    if not found:
        raise NotFound(f"There is no run {to_text(run_id)}.", hint="It may have been deleted meanwhile.")
    root_id, created_at = bytes(found[0][_ROOT]), found[0][_CREATED]
    head: int = store.select("timeline_head")[0][0] if after > 0 else 0
    if after > 0 and head - after <= NEAR:
        rows = store.select("timeline_new", (after, root_id, run_id, run_id, MOST_ROWS))
    else:
        rows = store.select("timeline_all", (run_id, after, MOST_ROWS))
    known = sorted(seq for seq in set(opened) if 0 < seq <= after)
    if known:
        rows = sorted(store.select("timeline_open", (root_id, run_id, run_id), known)) + rows
    last = max(after, rows[-1][0]) if rows else after
    return pack(rows, created_at, time.time_ns() // 1_000, last)


def pack(rows: Sequence[Row], base: int, now: int, max_seq: int) -> bytes:
    """Pack rows of `seq, created_at, started_at, ended_at, item_index, kind, name, state, attempts`."""
    seqs, created, started, ended, places, kinds, names, states, attempts = (
        zip(*rows, strict=True) if rows else [()] * 9
    )
    groups = _numbered(zip(kinds, names, strict=True))
    columns = [
        array("d", seqs),
        array("d", [nan if at is None else at - base for at in started]),
        array("d", [nan if at is None else at - base for at in ended]),
        array("d", [at - base for at in created]),
        array("i", [-1 if place is None or not 0 <= place <= _MOST_INDEX else place for place in places]),
        array("H", map(groups.__getitem__, zip(kinds, names, strict=True))),
        array("B", map(_STATES.__getitem__, states)),
        array("B", [kind == "flow" for kind in kinds]),
        array("B", [number if number < 256 else 255 for number in attempts]),
    ]
    told_groups = [{"kind": kind, "name": name} for kind, name in groups]
    if len(told_groups) > _MOST_GROUPS + 1:
        told_groups[_MOST_GROUPS:] = [{"kind": "task", "name": "…"}]
    header = {
        "n": len(rows),
        "groups": told_groups,
        "base": base,
        "now": now,
        "max_seq": max_seq,
    }
    told = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    told += b" " * (-(len(told) + len(MAGIC) + 4) % 8)
    if sys.byteorder == "big":
        for column in columns:
            column.byteswap()
    return b"".join([MAGIC, struct.pack("<I", len(told)), told, *(column.tobytes() for column in columns)])


def _numbered(keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Number groups in order of appearance; those beyond what 16 bits can number share the last one."""
    return {key: min(place, _MOST_GROUPS) for place, key in enumerate(dict.fromkeys(keys))}
