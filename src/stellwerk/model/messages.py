"""The wire: what an owner reports, and what it is answered.

An owner is the process that runs a root run (a flow run without a parent, or a task called outside any flow) and
everything below it that lives in the same process. It sends *batches* of messages under its fence, numbered by `seq`;
applying a batch twice is applying it once. Times are microseconds since the Unix epoch, UTC. Identities are 16 bytes.
"""

from __future__ import annotations

import msgspec

from stellwerk.model.states import Cause, Error


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """Refer to a recorded value.

    `hash` is the BLAKE2b-256 digest of the encoded bytes. `data` holds them when they are small enough to sit with
    the row; otherwise they lie in the blob store under the hash. `size_bytes` is the encoded size. A result that was
    not recorded (it could not be pickled, or was opted out) has an empty hash.
    """

    hash: bytes
    size_bytes: int
    preview: str = ""
    data: bytes | None = None


class Holder(msgspec.Struct, frozen=True):
    """Name a process for good: no other process, before or after a reboot, has the same four values."""

    host: str
    boot_id: str
    pid: int
    started: int  # in clock ticks since boot where the system tells, else microseconds since the epoch


class Plan(msgspec.Struct, frozen=True, omit_defaults=True):
    """Say how to start a root run again."""

    interpreter: str
    folder: str
    file: str = ""  # script or module file that defines the entry; empty when it was captured
    entry: str = ""  # qualified name of the flow or task in that file
    arguments: bytes | None = None  # pickled {parameter: value}, when small
    code: bytes | None = None  # cloudpickled function, where no file can be imported
    arguments_hash: bytes = b""  # of larger ones, under which the blob store has them


class Submitted(msgspec.Struct, tag="submitted", omit_defaults=True):
    """A run came into being; `ready` means that nothing is outstanding, so it is granted to its owner at once."""

    run_id: bytes
    at: int
    kind: str
    name: str
    flow: str = ""
    task: str = ""
    parent_id: bytes = b""
    call_key: bytes = b""
    n: int = 0
    item_index: int = -1  # of a map's item; -1 for other runs
    code_hash: bytes = b""
    tags: tuple[str, ...] = ()
    parameters: bytes = b""
    upstream: tuple[bytes, ...] = ()
    ready: bool = True


class Granted(msgspec.Struct, tag="granted"):
    """What a scheduled run waited for is there."""

    run_id: bytes
    at: int


class Began(msgspec.Struct, tag="began"):
    """An attempt entered user code."""

    run_id: bytes
    at: int
    attempt: int


class Ended(msgspec.Struct, tag="ended", omit_defaults=True):
    """An attempt ended (`event`), or a run ended without one (`attempt` 0, empty `event`); `then` moves the run."""

    run_id: bytes
    at: int
    then: str
    attempt: int = 0
    event: str = ""
    label: str = ""
    cause: Cause | None = None
    error: Error | None = None
    result: Result | None = None
    until: int = 0  # when the next attempt is due, for `then="retried"`


class Yielded(msgspec.Struct, tag="yielded"):
    """A generator yielded its item number `index`."""

    run_id: bytes
    at: int
    index: int
    result: Result


class Logged(msgspec.Struct, tag="logged"):
    """Lines were logged: (number within the root run, run, attempt, at, level number, logger, message)."""

    lines: list[tuple[int, bytes, int, int, int, str, str]]


class Sourced(msgspec.Struct, tag="sourced", omit_defaults=True):
    """Source text stands behind a code hash."""

    hash: bytes
    name: str
    text: str
    file: str = ""


Message = Submitted | Granted | Began | Ended | Yielded | Logged | Sourced


class Opening(msgspec.Struct, frozen=True):
    """Open a root run: who owns it and how to start it again. Rides on the batch with `seq` 1."""

    holder: Holder
    plan: Plan
    lease_seconds: float


class Batch(msgspec.Struct, omit_defaults=True):
    """Carry an owner's messages, in order."""

    root_id: bytes
    fence: int
    seq: int
    messages: list[Message]
    opening: Opening | None = None


class Ack(msgspec.Struct, omit_defaults=True):
    """Answer a batch: committed, or refused whole with a reason; `code` is the error's code."""

    seq: int
    code: str = ""
    reason: str = ""
