"""Numbers for Prometheus, in its text format.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format, version 0.0.4.
"""

from __future__ import annotations

import os
import platform
import resource
import sys
from collections.abc import Iterable

from stellwerk.api.parts import Parts
from stellwerk.engine.intake import COMMIT_SECONDS
from stellwerk.model import __version__
from stellwerk.model.states import RUN_STATES, TERMINAL

Sample = tuple[str, float]  # labels in braces or nothing, value


def write(parts: Parts, channels: int, live_sockets: int) -> bytes:
    """Write all metrics of a server.

    Args:
        channels: lines of owners that are open.
        live_sockets: pages that listen over a WebSocket.

    Cost: one statement on the partial index of unfinished runs.
    """
    intake = parts.intake
    counted: dict[str, int] = dict(parts.store.select("runs_unfinished_states"))
    unfinished: list[Sample] = [
        (f'{{state="{name}"}}', counted.get(name, 0)) for name in RUN_STATES if name not in TERMINAL
    ]
    build = f'{{version="{__version__}",python="{platform.python_version()}",database="{parts.store.dialect}"}}'
    families: list[tuple[str, str, str, list[Sample]]] = [
        ("build_info", "gauge", "Which version this is.", [(build, 1)]),
        ("batches_total", "counter", "Batches of events that were answered.", [("", intake.batches)]),
        ("batches_refused_total", "counter", "Batches of events that were refused.", [("", intake.refused)]),
        ("messages_total", "counter", "Events that were committed.", [("", intake.messages)]),
        ("commits_total", "counter", "Transactions that were committed.", [("", intake.commits)]),
        ("intake_waiting", "gauge", "Requests that wait to be written.", [("", intake.waiting)]),
        (
            "intake_waiting_bytes",
            "gauge",
            "Bytes of the requests that wait to be written.",
            [("", intake.waiting_bytes)],
        ),
        ("channels", "gauge", "Owners that are connected.", [("", channels)]),
        ("live_sockets", "gauge", "Pages that are connected.", [("", live_sockets)]),
        ("runs", "gauge", "Runs that have not ended, by state.", unfinished),
    ]
    text = "".join(_family(f"stellwerk_{name}", kind, about, samples) for name, kind, about, samples in families)
    text += _histogram(
        "stellwerk_commit_seconds", "How long transactions took.", intake.commit_buckets, intake.commit_seconds
    )
    text += _family("process_resident_memory_bytes", "gauge", "Memory of the process.", [("", _resident_bytes())])
    text += _family("process_start_time_seconds", "gauge", "When it started.", [("", parts.started_at / 1_000_000)])
    return text.encode()


def _family(name: str, kind: str, about: str, samples: Iterable[Sample]) -> str:
    lines = [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
    lines += [f"{name}{labels} {value:.15g}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _histogram(name: str, about: str, buckets: list[int], total: float) -> str:
    lines = [f"# HELP {name} {about}", f"# TYPE {name} histogram"]
    below = 0
    for bound, count in zip((*COMMIT_SECONDS, None), list(buckets), strict=True):
        below += count
        lines.append(f'{name}_bucket{{le="{"+Inf" if bound is None else format(bound, "g")}"}} {below}')
    lines += [f"{name}_sum {total:.15g}", f"{name}_count {below}"]
    return "\n".join(lines) + "\n"


def _resident_bytes() -> int:
    """Tell the memory that the process has just now; where the system does not say, the most that it ever had."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
