# SPDX-License-Identifier: Apache-2.0
"""One thread's loop over sockets: who waits for what, who has more to do at once, and who must be called
when.

Each callback does a bounded amount of work and returns; what is left it asks for again (`soon`), behind all
others. So that no connection, however busy, keeps another waiting for more than a turn.
"""

import contextlib
import heapq
import itertools
import logging
import selectors
import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

log = logging.getLogger(__name__)

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class HasFileno(Protocol):
    """A socket, or anything else with a descriptor."""

    def fileno(self) -> int:
        """The descriptor."""


Watched = int | HasFileno


class Timer:
    """A call that is to come; `cancel` takes it back."""

    def __init__(self, when: float, run: Callable[[], object]) -> None:
        self.when = when
        self.run: Callable[[], object] | None = run

    def cancel(self) -> None:
        """Does nothing if it has run."""
        self.run = None


class Loop:
    """The owner calls `poll` again and again. Other threads may call `wake` only, or hold `guard` meanwhile,
    which is entered around all calls of a turn.
    """

    def __init__(self) -> None:
        self.guard: AbstractContextManager[object] = contextlib.nullcontext()
        self._selector = selectors.DefaultSelector()
        self._soon: list[Callable[[], object]] = []
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._reader, self._writer = socket.socketpair()
        for end in (self._reader, self._writer):
            end.setblocking(False)
        self.watch(self._reader, READ, lambda _: self._drain())

    def watch(self, what: Watched, events: int, run: Callable[[int], object]) -> None:
        """Calls `run` with the events that are there of READ and WRITE. Again for the same: changes it."""
        if what in self._selector.get_map():
            self._selector.modify(what, events, run)
        else:
            self._selector.register(what, events, run)

    def unwatch(self, what: Watched) -> None:
        """No more calls for it; it must still be open."""
        with contextlib.suppress(KeyError):
            self._selector.unregister(what)

    def soon(self, run: Callable[[], object]) -> None:
        """Calls `run` once, after all that are ready in this turn or the next, which does not wait then."""
        self._soon.append(run)

    def at(self, when: float, run: Callable[[], object]) -> Timer:
        """Calls `run` at `when` (s, monotonic) or a little later."""
        timer = Timer(when, run)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    def wake(self) -> None:
        """Ends a wait that another thread is in."""
        with contextlib.suppress(OSError):
            self._writer.send(b"\0")

    def poll(self, seconds: float) -> None:
        """One turn: waits up to `seconds` for something to do, and does it."""
        while self._timers and self._timers[0][2].run is None:
            heapq.heappop(self._timers)
        if self._timers:
            seconds = min(seconds, self._timers[0][0] - time.monotonic())
        if self._soon:
            seconds = 0.0
        ready = self._selector.select(max(0.0, seconds))
        with self.guard:
            self._run(ready)

    def _run(self, ready: list[tuple[selectors.SelectorKey, int]]) -> None:
        for key, events in ready:
            # a callback of this turn may have closed it, and given its number to another
            current = self._selector.get_map().get(key.fd)
            if current is not None and current.data is key.data:
                key.data(events)
        soon, self._soon = self._soon, []
        for run in soon:
            run()
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            timer = heapq.heappop(self._timers)[2]
            if timer.run is not None:
                run, timer.run = timer.run, None
                run()

    def close(self) -> None:
        """Forgets all; closes nothing that is not its own."""
        self._selector.close()
        self._reader.close()
        self._writer.close()

    def _drain(self) -> None:
        with contextlib.suppress(OSError):
            self._reader.recv(4096)
