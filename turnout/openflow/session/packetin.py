# SPDX-License-Identifier: Apache-2.0
"""Packets for one controller: a token bucket for each of two kinds, and a bounded queue while its bucket is
empty.

As in Open vSwitch, packets that missed and packets sent on purpose have limits of their own, and within a
kind ports take turns, so that one port's flood leaves room for the others' packets.
"""

from collections import deque

QUEUE = 100  # messages unsent in the connection beyond which packets are dropped


class Limiter:
    """At most `rate` messages a second, `burst` at once and as many waiting. rate 0: no limit."""

    def __init__(self, rate: int, burst: int) -> None:
        self.rate, self.burst = rate, max(burst, rate // 4, 1)
        self.dropped = 0
        self._tokens = float(self.burst)
        self._filled = 0.0
        self._queues: dict[int, deque[bytes]] = {}
        self._waiting = 0

    def offer(self, port: int, message: bytes, now: float) -> bytes | None:
        """The message, if it may be sent at once; else it waits, in place of one of the longest queue if
        need be.
        """
        if not self.rate:
            return message
        if not self._waiting and self._take(now):
            return message
        if self._waiting >= self.burst:
            longest = max(self._queues, key=lambda p: len(self._queues[p]))
            self._pop(longest)
            self.dropped += 1
        self._queues.setdefault(port, deque()).append(message)
        self._waiting += 1
        return None

    def due(self, now: float) -> list[bytes]:
        """What waited and may be sent now, ports in turns."""
        found = []
        while self._waiting and self._take(now):
            port = next(iter(self._queues))
            found.append(self._pop(port))
            if port in self._queues:  # to the end of the line
                self._queues[port] = self._queues.pop(port)
        return found

    def wait(self, now: float) -> float | None:
        """Seconds until something that waits may be sent; None: nothing waits."""
        if not self._waiting:
            return None
        self._fill(now)
        return max(0.0, (1.0 - self._tokens) / self.rate)

    def _pop(self, port: int) -> bytes:
        queue = self._queues[port]
        message = queue.popleft()
        self._waiting -= 1
        if not queue:
            del self._queues[port]
        return message

    def _fill(self, now: float) -> None:
        if self._filled:
            self._tokens = min(float(self.burst), self._tokens + (now - self._filled) * self.rate)
        self._filled = now

    def _take(self, now: float) -> bool:
        self._fill(now)
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
