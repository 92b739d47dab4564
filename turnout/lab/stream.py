# SPDX-License-Identifier: Apache-2.0
"""A steady stream of numbered frames between two interfaces, both ways: what is lost is known exactly."""

import contextlib
import itertools
import select
import struct
import threading
import time
from collections.abc import Callable
from typing import Self

from turnout.lab.frames import FrameSocket
from turnout.lab.netns import Namespace

WINDOW = 64  # frames under way at most: fewer than any queue holds, so that a busy machine only delays them
_PATIENCE = 2.0  # s without a frame until those under way are given up
_ETHERTYPE = 0x88B5  # for experiments
_NUMBER = struct.Struct("!Q")


class Stream:
    """Runs in a thread while its block does; a context manager.

    >>> with Stream((a, "eth0"), (b, "eth0")) as stream:
    ...     do_something_else()
    >>> assert stream.lost == 0
    """

    def __init__(self, *ends: tuple[Namespace, str], rate: int = 2000) -> None:
        """Two ends, each a namespace and an interface in it. rate: frames a second, of both together."""
        (one, other) = ends
        macs = [bytes.fromhex(space.mac(name).replace(":", "")) for space, name in ends]
        kind = _ETHERTYPE.to_bytes(2, "big")
        self._headers = (macs[1] + macs[0] + kind, macs[0] + macs[1] + kind)
        self._stack = contextlib.ExitStack()
        self._sockets = [self._stack.enter_context(FrameSocket(*end)) for end in (one, other)]
        self._pause = 1 / rate
        self._missing: set[int] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.sent = 0

    @property
    def received(self) -> int:
        return self.sent - len(self._missing)

    @property
    def lost(self) -> int:
        """Frames that were sent and have not come, when the block has ended."""
        return len(self._missing)

    def _run(self) -> None:
        numbers = itertools.count()
        given_up = 0  # of the missing
        progress = next_frame = time.monotonic()
        while (sending := not self._stop.is_set()) or len(self._missing) > given_up:
            now = time.monotonic()
            if sending and now >= next_frame and len(self._missing) - given_up < WINDOW:
                self._send(next(numbers))
                next_frame = max(next_frame + self._pause, now - 10 * self._pause)
            if self._receive(max(0.0, min(next_frame - now, self._pause))):
                progress = now
            elif now - progress > _PATIENCE and len(self._missing) - given_up >= (WINDOW if sending else 1):
                given_up, progress = len(self._missing), now

    def _send(self, number: int) -> None:
        way = number % 2
        self._missing.add(number)
        self.sent += 1
        with contextlib.suppress(OSError):  # an interface that is gone or down loses it
            self._sockets[way].send((self._headers[way] + _NUMBER.pack(number)).ljust(60, b"\0"))

    def _receive(self, seconds: float) -> bool:
        """Takes what comes within that time; whether something did."""
        readable, _, _ = select.select(self._sockets, [], [], seconds)
        for ready in readable:
            way = self._sockets.index(ready)
            header = self._headers[1 - way]
            if frame := ready.receive(_begins(header), timeout=0.001):
                self._missing.discard(*_NUMBER.unpack_from(frame, 14))
        return bool(readable)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._stack.close()


def _begins(header: bytes) -> Callable[[bytes], bool]:
    return lambda frame: frame.startswith(header)
