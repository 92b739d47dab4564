# SPDX-License-Identifier: Apache-2.0
"""Frames into one port of a switch and out of the others, without waiting for silence.

Behind each frame goes a marker, which a rule of the highest priority sends out of every port: a port whose
marker has come has sent all that it was going to, because a switch keeps the order of one port's packets.
"""

import contextlib
import itertools
import select
import struct
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Self

from tests.peers import wire
from tests.peers.switch import PORTS, Peer
from turnout.lab.frames import FrameSocket

_MARK_TYPE = 0x88B6  # IEEE local experimental EtherType 2
_ADDRESSES = bytes.fromhex("0200000000fe0200000000ff")


def marker_flow(*, up: bool = False, priority: int = 0xFFFF) -> bytes:
    """The flow_mod that sends markers everywhere; `up`: to the controller, too."""
    actions = [wire.output(port) for port in (wire.IN_PORT, *PORTS)]
    if up:
        actions.append(wire.output(wire.CONTROLLER))
    by_type = wire.match(wire.oxm(5, struct.pack("!H", _MARK_TYPE)))
    return wire.flow_mod(by_type, wire.apply(*actions), priority=priority)


def is_marker(frame: bytes) -> bool:
    return frame[12:14] == _MARK_TYPE.to_bytes(2, "big")


class Wires:
    """The far ends of a switch's ports; a context manager."""

    def __init__(self, peer: Peer) -> None:
        self._stack = contextlib.ExitStack()
        self._sockets = {
            number: self._stack.enter_context(FrameSocket(peer.namespace, f"p{number}")) for number in PORTS
        }
        self._serial = itertools.count()

    def exchange(
        self, port: int, frames: Sequence[bytes], silent: Sequence[int] = ()
    ) -> dict[int, list[bytes]]:
        """Send frames into a port: what came out of each, empty ports left out.

        No marker comes from ports in `silent`, because they are down; nothing is read of them.
        """
        for frame in frames:
            self._sockets[port].send(frame)
        came: dict[int, list[bytes]] = {}
        for _ in range(2):  # a switch may reorder flows within a burst: the second mark is in a later one
            mark = _ADDRESSES + struct.pack("!HQ", _MARK_TYPE, next(self._serial)) + bytes(38)
            self._sockets[port].send(mark)
            for number, more in self._collect(mark, silent).items():
                came.setdefault(number, []).extend(more)
        return came

    def send(self, port: int, frame: bytes) -> None:
        """A frame in, without waiting for anything."""
        self._sockets[port].send(frame)

    def until_all(self, ports: Iterable[int], count: int, timeout: float = 5) -> Iterator[tuple[int, bytes]]:
        """`count` frames from whichever of the ports they come; fewer if no more come in time."""
        deadline = time.monotonic() + timeout
        sockets = [(port, self._sockets[port]) for port in ports]
        while count and (left := deadline - time.monotonic()) > 0:
            ready = select.select([socket for _, socket in sockets], [], [], left)[0]
            for port, socket in sockets:
                if socket in ready and (frame := socket.receive(lambda _: True, timeout=0.5)):
                    yield port, frame
                    count -= 1

    def drain(self, port: int, last: bytes = b"") -> list[bytes]:
        """What has come out of a port; or what comes until `last` has."""
        frames: list[bytes] = []

        def wanted(frame: bytes) -> bool:
            frames.append(frame)
            return bool(last) and frame == last

        found = self._sockets[port].receive(wanted, timeout=5 if last else 0.05)
        assert not last or found is not None, f"{last.hex()} did not come out of port {port}: {frames}"
        return frames

    def _collect(self, mark: bytes, silent: Sequence[int]) -> dict[int, list[bytes]]:
        came: dict[int, list[bytes]] = {}
        for number, socket in self._sockets.items():
            if number in silent:
                continue
            frames: list[bytes] = []

            def wanted(frame: bytes, frames: list[bytes] = frames) -> bool:
                if not is_marker(frame):
                    frames.append(frame)
                return frame == mark

            if socket.receive(wanted, timeout=5) is None:
                raise AssertionError(f"no marker came out of port {number}; before: {frames}")
            if frames:
                came[number] = frames
        return came

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
