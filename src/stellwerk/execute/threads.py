"""A pool of daemon threads that cannot deadlock on itself.

At most `size` tasks run at once. A thread that waits for a future gives up its place meanwhile, so another may run;
when the wait is over it takes a place again before it goes on.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from stellwerk.sdk.futures import blocking

IDLE_SECONDS = 5.0  # an idle thread ends after this long: a flow run is often over by then


class Pool:
    """Run jobs in threads, first in, first out."""

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._jobs: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._change = threading.Condition(self._lock)
        self._place = threading.Condition(self._lock)
        self._running = 0
        self._idle = 0
        self._waiting = 0
        self._threads = 0
        self._returning = 0
        self._closed = False
        self._made = 0

    def put(self, job: Callable[[], None]) -> None:
        """Queue a job; it must not raise."""
        with self._lock:
            self._jobs.append(job)
            self._call()

    def _call(self) -> None:
        # Called under the lock: see that somebody takes the next job, if a place is free.
        if not self._jobs or self._running + self._returning >= self._size:
            return
        # A thread that was told, but is not awake yet, still counts as idle, so there may be too few of them.
        if len(self._jobs) > self._idle and self._threads - self._waiting < self._size:
            self._threads += 1
            self._made += 1
            threading.Thread(target=self._work, name=f"{self._name}-{self._made}", daemon=True).start()
        elif self._idle:
            self._change.notify()

    def is_empty(self) -> bool:
        """Say whether no job waits."""
        return not self._jobs

    def close(self) -> None:
        """Drop waiting jobs and let the threads end."""
        with self._lock:
            self._closed = True
            self._jobs.clear()
            self._change.notify_all()

    def _work(self) -> None:
        blocking.worker = self
        while True:
            with self._lock:
                while not self._jobs or self._running + self._returning >= self._size:
                    self._idle += 1
                    notified = self._change.wait(IDLE_SECONDS) if not self._closed else False
                    self._idle -= 1
                    if not notified and not self._jobs:
                        self._threads -= 1
                        return
                job = self._jobs.popleft()
                self._running += 1
            try:
                while True:
                    job()
                    # As long as nobody wants the place, it is kept, which costs no lock.
                    if self._returning:
                        break
                    try:
                        job = self._jobs.popleft()
                    except IndexError:
                        break
            finally:
                with self._lock:
                    self._running -= 1
                    self._place.notify()

    def give_up(self) -> None:
        """Give up this thread's place: it is going to wait."""
        with self._lock:
            self._running -= 1
            self._waiting += 1
            if self._returning:
                self._place.notify()
            else:
                self._call()

    def come_back(self) -> None:
        """Take a place again, before those that are queued."""
        with self._lock:
            self._returning += 1
            try:
                while self._running >= self._size:
                    self._place.wait()
            finally:  # a time limit may stop the thread here, too
                self._returning -= 1
                self._waiting -= 1
                self._running += 1
