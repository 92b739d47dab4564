# SPDX-License-Identifier: Apache-2.0
"""A client as fast as clients get: OpenFlow 1.3 messages packed ahead, streamed over a management socket.

No part of Turnout's own codec: what is measured must not measure itself.
"""

import contextlib
import select
import socket
import struct
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal, Self

from turnout.bench.rules import Match, Rule
from turnout.lab.console import LabError, run

_VERSION: Final = 4
_HELLO, _ERROR, _ECHO_REQUEST, _ECHO_REPLY, _FLOW_MOD, _BARRIER_REQUEST, _BARRIER_REPLY = (
    0,
    1,
    2,
    3,
    14,
    20,
    21,
)
_COMMANDS: Final = {"add": 0, "modify_strict": 2, "delete": 3, "delete_strict": 4}
_HEADER: Final = struct.Struct(">BBHI")
_FLOW_MOD_BODY: Final = struct.Struct(">QQBBHHHIIIHxx")
_NONE: Final = 0xFFFFFFFF  # no buffer; any port; any group
_BASIC: Final = 0x8000  # OXM class
_ETH_TYPE, _IP_PROTO, _IPV4_SRC, _IPV4_DST, _UDP_SRC, _UDP_DST = 5, 10, 11, 12, 15, 16
_TO_SINK: Final = struct.pack(">HH4x HHIH6x", 4, 24, 0, 16, 2, 0)  # apply actions: output to port 2
_READ_BYTES: Final = 1 << 18
_BUNDLED_BYTES: Final = 1 << 21  # files above go in a bundle: `ovs-ofctl` is several times as fast then

Command = Literal["add", "modify_strict", "delete", "delete_strict"]


def message(kind: int, body: bytes = b"", xid: int = 0) -> bytes:
    return _HEADER.pack(_VERSION, kind, _HEADER.size + len(body), xid) + body


def flow_mod(command: Command, rule: Rule) -> bytes:
    """`rule` added to table 0, or deleted from it."""
    body = _FLOW_MOD_BODY.pack(0, 0, 0, _COMMANDS[command], 0, 0, rule.priority, _NONE, _NONE, _NONE, 0)
    return message(_FLOW_MOD, body + _match(rule.match) + (b"" if "delete" in command else _TO_SINK))


def flow_mods(command: Command, rules: Iterable[Rule]) -> bytes:
    return b"".join(flow_mod(command, rule) for rule in rules)


def delete_all() -> bytes:
    """Deletes every flow of table 0."""
    body = _FLOW_MOD_BODY.pack(0, 0, 0, _COMMANDS["delete"], 0, 0, 0, _NONE, _NONE, _NONE, 0)
    return message(_FLOW_MOD, body + struct.pack(">HH4x", 1, 4))


def _match(match: Match) -> bytes:
    fields = _oxm(_ETH_TYPE, 2, 0x0800) + _oxm(_IP_PROTO, 1, 17)
    fields += _oxm(_IPV4_SRC, 4, match.source, match.source_mask)
    fields += _oxm(_IPV4_DST, 4, match.destination, match.destination_mask)
    fields += _oxm(_UDP_SRC, 2, match.sport, match.sport_mask)
    fields += _oxm(_UDP_DST, 2, match.dport, match.dport_mask)
    length = 4 + len(fields)
    return struct.pack(">HH", 1, length) + fields + bytes(-length % 8)


def _oxm(field: int, size: int, value: int, mask: int = -1) -> bytes:
    """One match field; nothing if it is open. A mask of all ones is none."""
    if mask == 0:
        return b""
    masked = mask not in (-1, (1 << 8 * size) - 1)
    head = struct.pack(">HBB", _BASIC, field << 1 | masked, size << masked)
    return head + value.to_bytes(size, "big") + (mask.to_bytes(size, "big") if masked else b"")


class Connection:
    """An OpenFlow 1.3 connection to a switch's management socket; a context manager.

    Errors that the switch sends are raised by the next `barrier` or `receive`, as LabError.
    """

    def __init__(self, management: Path, timeout: float = 120) -> None:
        """Connects and greets. `timeout`, in seconds, is of every wait."""
        self._timeout = timeout
        self._pending = b""  # received, not a whole message yet
        self._xid = 0
        self._replies: set[int] = set()  # xids of barriers done
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.connect(str(management))
        except OSError as error:
            self._socket.close()
            raise LabError(f"no OpenFlow at {management}: {error}") from None
        self._socket.setblocking(False)
        self.send(message(_HELLO))

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, data: bytes) -> None:
        """Writes all of `data`, reading meanwhile, so that neither side waits for the other for ever."""
        view = memoryview(data)
        while view:
            readable, writable, _ = select.select([self], [self], [], self._timeout)
            if not readable and not writable:
                raise LabError(f"the switch has read nothing for {self._timeout:g} s")
            if readable:
                self.receive()
            if writable:
                with contextlib.suppress(BlockingIOError, ConnectionError):  # the next read says which
                    view = view[self._socket.send(view) :]

    def request_barrier(self) -> int:
        """Sends a barrier; returns its xid, for `done`."""
        self._xid += 1
        self.send(message(_BARRIER_REQUEST, xid=self._xid))
        return self._xid

    def done(self, xid: int) -> bool:
        """Whether the barrier's reply is in."""
        return xid in self._replies

    def barrier(self) -> None:
        """Returns when all sent before is done."""
        xid = self.request_barrier()
        deadline = time.monotonic() + self._timeout
        while not self.done(xid):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self], [], [], left)[0]:
                raise LabError(f"no barrier reply within {self._timeout:g} s")
            self.receive()
        self._replies.discard(xid)

    def receive(self) -> None:
        """Takes in what has arrived. LabError if that is an error message, or the end."""
        try:
            data = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            raise LabError("the switch has closed the connection")
        self._pending += data
        at = 0
        while len(self._pending) - at >= _HEADER.size:
            _, kind, length, xid = _HEADER.unpack_from(self._pending, at)
            if len(self._pending) - at < length:
                break
            body = self._pending[at + _HEADER.size : at + length]
            at += max(length, _HEADER.size)
            if kind == _ERROR:
                raise LabError(
                    "the switch answers with error type {} code {}".format(*struct.unpack_from(">HH", body))
                )
            if kind == _ECHO_REQUEST:
                self._socket.send(message(_ECHO_REPLY, body, xid))
            elif kind == _BARRIER_REPLY:
                self._replies.add(xid)
        self._pending = self._pending[at:]

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def ofctl(
    management: Path, command: str, *arguments: str, options: Iterable[str] = (), timeout: float = 300
) -> str:
    """The output of `ovs-ofctl OPTIONS COMMAND SWITCH ARGUMENTS`, in OpenFlow 1.3 without `options`."""
    return run(
        "ovs-ofctl",
        *(options or ("-O", "OpenFlow13")),
        command,
        f"unix:{management}",
        *arguments,
        timeout=timeout,
    )


def load(management: Path, flows: Path) -> None:
    """Replaces the switch's flows by those of a file. LabError unless it has just as many afterwards."""
    bundle = ("-O", "OpenFlow14", "--bundle") if flows.stat().st_size > _BUNDLED_BYTES else ()
    ofctl(management, "del-flows")
    ofctl(management, "add-flows", str(flows), options=bundle)
    with flows.open() as file:
        expect(management, sum(1 for _ in file))


def expect(management: Path, wanted: int) -> None:
    """LabError unless the switch has `wanted` flows."""
    found = ofctl(management, "dump-aggregate")
    if f"flow_count={wanted}" not in found.split():
        raise LabError(f"{wanted} flows loaded, the switch says: {found.strip()}")
