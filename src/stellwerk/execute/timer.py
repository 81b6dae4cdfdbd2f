"""One thread that calls functions at their time: retries, leases."""

from __future__ import annotations

import heapq
import itertools
import os
import sys
import threading
import time
from collections.abc import Callable


class Timer:
    """Call functions later, on one daemon thread; they must be short and must not raise."""

    def __init__(self) -> None:
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        # Also in a forked child, which has neither the thread nor the business of its parent.
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._number = itertools.count()
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None

    def after(self, seconds: float, function: Callable[[], None]) -> None:
        """Call `function` in `seconds`."""
        with self._change:
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._number), function))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="stellwerk-timer", daemon=True)
                self._thread.start()
            self._change.notify()

    def _work(self) -> None:
        while True:
            with self._change:
                while not self._due:
                    self._change.wait()
                wait_seconds = self._due[0][0] - time.monotonic()
                if wait_seconds > 0:
                    self._change.wait(wait_seconds)
                    continue
                function = heapq.heappop(self._due)[2]
            try:
                function()
            except Exception as problem:  # one mistake must not end all retries of the process
                sys.excepthook(type(problem), problem, problem.__traceback__)
