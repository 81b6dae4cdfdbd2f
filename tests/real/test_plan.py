"""What is kept to start a run again: small arguments with the row, larger ones as a blob."""

from __future__ import annotations

import pickle

import pytest

from stellwerk import flow
from stellwerk.assemble import open_engine
from stellwerk.execute.plan import INLINE_BYTES


@flow
def load(data: bytes) -> int:
    return len(data)


@pytest.mark.parametrize("size", [10, INLINE_BYTES + 1, 3 << 20])
def test_arguments_are_kept(size: int) -> None:
    data = b"x" * size
    load(data)
    engine = open_engine()
    try:
        (run,) = engine.store.select("runs_recent", ("default", 10))
        (found,) = engine.store.select("plan_of", (run[0],))
        arguments, digest = found[4:6]
        if size <= INLINE_BYTES:
            assert digest is None
        else:
            assert arguments is None
            arguments = engine.transport.get_blob(run[0], digest)
        assert pickle.loads(arguments) == {"data": data}
    finally:
        engine.close()
