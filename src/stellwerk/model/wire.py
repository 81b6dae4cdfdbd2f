"""The run channel: what a client and a server say to each other.

A client greets first; the server welcomes or refuses it. After that the client sends requests, each with a number of
its own choice, and the server answers each with that number, in whatever order. Commands come down unasked. A frame is
one msgpack-encoded message. `PROTOCOL` grows when an old reader would misunderstand a new writer; fields with defaults
may be added without that.
"""

from __future__ import annotations

import msgspec

from stellwerk.model.messages import Ack, Batch, Holder
from stellwerk.model.states import Cause

PROTOCOL = 1
MEDIA_TYPE = "application/vnd.stellwerk.channel+msgpack"
MOST_FRAME_BYTES = 64 << 20  # a frame beyond it is nonsense: an owner keeps its batches far below
GREETING_SECONDS = 10.0  # within which a client greets


class Hello(msgspec.Struct, tag="hello", omit_defaults=True):
    """Greet: who speaks which version, and by which token it may. `holder` names the process whose runs follow."""

    protocol: int
    version: str
    token: str
    holder: Holder | None = None


class Send(msgspec.Struct, tag="send"):
    """Ask for a batch to be applied."""

    n: int
    batch: Batch


class Renew(msgspec.Struct, tag="renew"):
    """Ask for the leases of a process to be renewed."""

    n: int
    holder: Holder


class Abandon(msgspec.Struct, tag="abandon"):
    """Ask for a root run to be ended as crashed, since its owner can't report any more."""

    n: int
    root_id: bytes
    fence: int
    cause: Cause


class Welcome(msgspec.Struct, tag="welcome", omit_defaults=True):
    """Let a client in. `server_id` is new at each start of a server, `database_id` is the record's for good."""

    protocol: int
    version: str
    database_id: str
    server_id: str


class Acked(msgspec.Struct, tag="acked"):
    """Answer `Send`: committed, or refused whole."""

    n: int
    ack: Ack


class Renewed(msgspec.Struct, tag="renewed"):
    """Answer `Renew`: how many leases the process holds."""

    n: int
    held: int


class Done(msgspec.Struct, tag="done"):
    """Answer `Abandon`."""

    n: int


class Failed(msgspec.Struct, tag="failed", omit_defaults=True):
    """Answer any request: nothing was applied. `is_passing` says that sending it again soon makes sense."""

    n: int
    code: str
    message: str
    hint: str = ""
    is_passing: bool = False


class Refused(msgspec.Struct, tag="refused", omit_defaults=True):
    """Turn a client away (`unauthenticated`, `version_mismatch`, `bad_frame`); the connection ends."""

    code: str
    message: str
    hint: str = ""


class Stop(msgspec.Struct, tag="stop", omit_defaults=True):
    """Command: this root run is no longer yours under this fence; stop it."""

    root_id: bytes
    fence: int
    reason: str = ""


class Going(msgspec.Struct, tag="going"):
    """Tell that the server is going away in order; what was sent and not answered is to be sent again later."""


Up = Hello | Send | Renew | Abandon
Down = Welcome | Acked | Renewed | Done | Failed | Refused | Stop | Going
