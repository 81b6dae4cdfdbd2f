"""The packed timeline: what is in the golden file that the page's reader is tested with, too."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

import pytest

from stellwerk.api.page.timeline import MAGIC, pack
from stellwerk.model.states import RUN_STATES

GOLDEN = Path(__file__).parents[1] / "golden"
BASE, NOW = 1_767_225_600_000_000, 1_767_225_700_000_000
ROWS: list[tuple[Any, ...]] = [
    (2, BASE + 5, BASE + 10, BASE + 1_000_000, None, "task", "fetch", "completed", 1),
    (3, BASE + 6, None, None, 0, "task", "clean", "scheduled", 0),
    (4, BASE + 7, BASE + 9, None, 1, "task", "clean", "running", 2),
    (9, BASE + 8, BASE + 8, BASE + 3_600_000_000, None, "flow", "clean", "failed", 300),
    *(
        (100 + place, BASE + place, BASE + place, BASE + place + 1, place, "task", "every state", state, 1)
        for place, state in enumerate(RUN_STATES)
    ),
    (1 << 40, BASE - 1, None, BASE + 4, (1 << 31) - 1, "task", "lädt 🚂", "skipped", 0),
]
COLUMNS = [("seq", "d"), ("start", "d"), ("end", "d"), ("created", "d"), ("index", "i"), ("group", "H")]
COLUMNS += [("state", "B"), ("kind", "B"), ("attempts", "B")]


def unpack(data: bytes) -> dict[str, Any]:
    """Read a frame, slowly, by the description of its format."""
    assert data[:4] == b"TL01"
    (length,) = struct.unpack_from("<I", data, 4)
    at = 8 + length
    assert at % 8 == 0
    found: dict[str, Any] = dict(json.loads(data[8:at]))
    for name, kind in COLUMNS:
        values = struct.unpack_from(f"<{found['n']}{kind}", data, at)
        assert at % struct.calcsize(kind) == 0
        at += struct.calcsize(kind) * found["n"]
        found[name] = [None if math.isnan(value) else value for value in values]
    assert at == len(data)
    return found


def test_the_golden_file_is_what_is_packed() -> None:
    packed = pack(ROWS, BASE, NOW, 1 << 40)
    assert packed.startswith(MAGIC)
    assert (GOLDEN / "timeline.bin").read_bytes() == packed
    assert json.loads((GOLDEN / "timeline.json").read_text(encoding="utf-8")) == unpack(packed)


def test_the_golden_file_says_what_the_rows_say() -> None:
    told = unpack((GOLDEN / "timeline.bin").read_bytes())
    assert (told["n"], told["base"], told["now"], told["max_seq"]) == (len(ROWS), BASE, NOW, 1 << 40)
    groups = [(group["kind"], group["name"]) for group in told["groups"]]
    assert len(set(groups)) == len(groups) == 5
    for place, (seq, created, started, ended, index, kind, name, state, attempts) in enumerate(ROWS):
        assert told["seq"][place] == seq
        assert told["created"][place] == created - BASE
        assert told["start"][place] == (None if started is None else started - BASE)
        assert told["end"][place] == (None if ended is None else ended - BASE)
        assert told["index"][place] == (-1 if index is None else index)
        assert groups[told["group"][place]] == (kind, name)
        assert RUN_STATES[told["state"][place]] == state
        assert told["kind"][place] == (kind == "flow")
        assert told["attempts"][place] == min(attempts, 255)


@pytest.mark.parametrize("count", range(9))
def test_columns_are_aligned_however_long_the_header_is(count: int) -> None:
    rows = [(1, 0, None, None, None, "task", "n" * count, "pending", 0)]
    assert unpack(pack(rows, 0, 0, 1))["groups"] == [{"kind": "task", "name": "n" * count}]


def test_an_empty_run_is_a_frame_without_rows() -> None:
    told = unpack(pack([], BASE, NOW, 7))
    assert (told["n"], told["groups"], told["max_seq"], told["seq"]) == (0, [], 7, [])


def test_more_groups_than_fit_share_the_last() -> None:
    rows = [(seq, 0, None, None, 1 << 40, "task", f"task {seq}", "pending", 0) for seq in range(65_540)]
    told = unpack(pack(rows, 0, 0, 65_540))
    assert len(told["groups"]) == 65_536
    assert told["groups"][-1] == {"kind": "task", "name": "…"}
    assert told["group"][65_534:] == [65_534, *[65_535] * 5]
    assert set(told["index"]) == {-1}
