# SPDX-License-Identifier: Apache-2.0
"""OpenFlow written from the standard's structures (1.3.5, section 7; 1.0 where it says so); a plain client.

Independent of Turnout's own codec on purpose: what checks it must not be it.
"""

import socket
import struct
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

OF10, OF13, OF14 = 1, 4, 5

# Message types of 1.3; 1.0's where they differ.
HELLO, ERROR, ECHO_REQUEST, ECHO_REPLY, EXPERIMENTER = 0, 1, 2, 3, 4
FEATURES_REQUEST, FEATURES_REPLY, GET_CONFIG_REQUEST, GET_CONFIG_REPLY, SET_CONFIG = 5, 6, 7, 8, 9
PACKET_IN, FLOW_REMOVED, PORT_STATUS, PACKET_OUT, FLOW_MOD = 10, 11, 12, 13, 14
GROUP_MOD, PORT_MOD, TABLE_MOD, MULTIPART_REQUEST, MULTIPART_REPLY = 15, 16, 17, 18, 19
BARRIER_REQUEST, BARRIER_REPLY, QUEUE_CONFIG_REQUEST, QUEUE_CONFIG_REPLY = 20, 21, 22, 23
ROLE_REQUEST, ROLE_REPLY, ASYNC_REQUEST, ASYNC_REPLY, SET_ASYNC, METER_MOD = 24, 25, 26, 27, 28, 29
BUNDLE_CONTROL, BUNDLE_ADD = 33, 34
PORT_MOD_10, STATS_REQUEST_10, STATS_REPLY_10, BARRIER_REQUEST_10, BARRIER_REPLY_10 = 15, 16, 17, 18, 19
QUEUE_CONFIG_REQUEST_10 = 20

PORT_MAX, IN_PORT, TABLE, NORMAL, FLOOD, ALL, CONTROLLER, LOCAL, ANY = (
    *(0xFFFFFF00, 0xFFFFFFF8, 0xFFFFFFF9, 0xFFFFFFFA, 0xFFFFFFFB, 0xFFFFFFFC, 0xFFFFFFFD, 0xFFFFFFFE),
    0xFFFFFFFF,
)
NO_BUFFER = 0xFFFFFFFF
ADD, MODIFY, MODIFY_STRICT, DELETE, DELETE_STRICT = range(5)

_HEADER = struct.Struct("!BBHI")


def message(version: int, type: int, body: bytes = b"", xid: int = 0x1234) -> bytes:
    return _HEADER.pack(version, type, 8 + len(body), xid) + body


def hello(*versions: int) -> bytes:
    """7.5.1: with a version bitmap."""
    bitmap = sum(1 << version for version in versions)
    return message(max(versions), HELLO, struct.pack("!HHI", 1, 8, bitmap))


def oxm(field: int, value: bytes, mask: bytes = b"", *, oxm_class: int = 0x8000) -> bytes:
    """7.2.3.2: one match field of class OFPXMC_OPENFLOW_BASIC."""
    header = struct.pack("!HBB", oxm_class, field << 1 | bool(mask), len(value) + len(mask))
    return header + value + mask


def match(*fields: bytes) -> bytes:
    """7.2.3: struct ofp_match of type OFPMT_OXM, padded to 8 bytes."""
    body = b"".join(fields)
    length = 4 + len(body)
    return struct.pack("!HH", 1, length) + body + bytes(-length % 8)


def output(port: int, max_len: int = 0xFFFF) -> bytes:
    return struct.pack("!HHIH6x", 0, 16, port, max_len)


def action(type: int, argument: bytes = bytes(4)) -> bytes:
    """7.2.5: an action of any other type; `argument` follows the 4-byte header."""
    return struct.pack("!HH", type, 4 + len(argument)) + argument


def set_field(field: bytes) -> bytes:
    length = 4 + len(field)
    padding = -length % 8
    return struct.pack("!HH", 25, length + padding) + field + bytes(padding)


def instruction(type: int, body: bytes) -> bytes:
    return struct.pack("!HH", type, 4 + len(body)) + body


def goto(table: int) -> bytes:
    return instruction(1, struct.pack("!B3x", table))


def write_metadata(value: int, mask: int) -> bytes:
    return instruction(2, struct.pack("!4xQQ", value, mask))


def write(*actions: bytes) -> bytes:
    return instruction(3, bytes(4) + b"".join(actions))


def apply(*actions: bytes) -> bytes:
    return instruction(4, bytes(4) + b"".join(actions))


def clear() -> bytes:
    return instruction(5, bytes(4))


def meter(id: int) -> bytes:
    return instruction(6, struct.pack("!I", id))


def flow_mod(
    match_: bytes = b"",
    *instructions: bytes,
    command: int = ADD,
    table: int = 0,
    priority: int = 0x8000,
    cookie: int = 0,
    cookie_mask: int = 0,
    idle: int = 0,
    hard: int = 0,
    buffer: int = NO_BUFFER,
    out_port: int = ANY,
    out_group: int = ANY,
    flags: int = 0,
    version: int = OF13,
    xid: int = 0x1234,
) -> bytes:
    """7.3.4.1; 1.4 has the same layout with an importance where 1.3 has padding."""
    fixed = struct.pack(
        "!QQBBHHHIIIH2x",
        *(cookie, cookie_mask, table, command, idle, hard, priority, buffer, out_port, out_group, flags),
    )
    return message(version, FLOW_MOD, fixed + (match_ or match()) + b"".join(instructions), xid)


def packet_out(
    frame: bytes, *actions: bytes, in_port: int = CONTROLLER, buffer: int = NO_BUFFER, version: int = OF13
) -> bytes:
    acts = b"".join(actions)
    return message(version, PACKET_OUT, struct.pack("!IIH6x", buffer, in_port, len(acts)) + acts + frame)


def bucket(*actions: bytes, weight: int = 0, watch_port: int = ANY, watch_group: int = ANY) -> bytes:
    body = b"".join(actions)
    return struct.pack("!HHII4x", 16 + len(body), weight, watch_port, watch_group) + body


def group_mod(command: int, type: int, group: int, *buckets: bytes) -> bytes:
    """Commands: add, modify, delete; types: all, select, indirect, fast failover."""
    return message(OF13, GROUP_MOD, struct.pack("!HBxI", command, type, group) + b"".join(buckets))


def meter_mod(command: int, flags: int, id: int, *bands: bytes) -> bytes:
    return message(OF13, METER_MOD, struct.pack("!HHI", command, flags, id) + b"".join(bands))


def drop_band(rate: int, burst: int = 0) -> bytes:
    return struct.pack("!HHII4x", 1, 16, rate, burst)


def remark_band(rate: int, burst: int, levels: int) -> bytes:
    return struct.pack("!HHIIB3x", 2, 16, rate, burst, levels)


def port_mod(port: int, mac: bytes, config: int, mask: int, advertise: int = 0) -> bytes:
    return message(OF13, PORT_MOD, struct.pack("!I4x6s2xIII4x", port, mac, config, mask, advertise))


def multipart(type: int, body: bytes = b"", flags: int = 0) -> bytes:
    return message(OF13, MULTIPART_REQUEST, struct.pack("!HH4x", type, flags) + body)


@dataclass(frozen=True)
class Message:
    """One whole message as it came; `body` is what follows the header."""

    data: bytes

    @property
    def version(self) -> int:
        return self.data[0]

    @property
    def type(self) -> int:
        return self.data[1]

    @property
    def xid(self) -> int:
        return int.from_bytes(self.data[4:8], "big")

    @property
    def body(self) -> bytes:
        return self.data[8:]

    @property
    def error(self) -> tuple[int, int]:
        """Type and code of an OFPT_ERROR."""
        assert self.type == ERROR, self.data.hex()
        kind, code = struct.unpack("!HH", self.body[:4])
        return kind, code


class Closed(Exception):
    """The switch has closed the connection."""


class Session:
    """A controller's connection to a switch's Unix socket, past its hello; a context manager."""

    def __init__(self, path: Path, version: int = OF13, *, greet: bool = True, timeout: float = 5) -> None:
        """`greet=False` leaves the hello to the caller."""
        self.version, self.timeout = version, timeout
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(str(path))
        self._pending = b""
        if greet:
            self.send(hello(version))
            got = self.receive()
            assert got.type == HELLO, got

    def send(self, *messages: bytes) -> None:
        self.socket.sendall(b"".join(messages))

    def receive(self, timeout: float | None = None) -> Message:
        """The next message; Closed at the end of the stream, TimeoutError if none comes."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            if len(self._pending) >= 8:
                length = int.from_bytes(self._pending[2:4], "big")
                assert length >= 8, self._pending[:8].hex()
                if len(self._pending) >= length:
                    data, self._pending = self._pending[:length], self._pending[length:]
                    return Message(data)
            self.socket.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                data = self.socket.recv(1 << 16)
            except ConnectionError:
                data = b""
            if not data:
                raise Closed
            self._pending += data

    def to_the_end(self) -> list[Message]:
        """All that comes until the switch closes; TimeoutError if it doesn't."""
        came: list[Message] = []
        while True:
            try:
                came.append(self.receive())
            except Closed:
                return came

    def ask(self, *messages: bytes) -> list[Message]:
        """Send, then a barrier: all that comes until the barrier's reply, echo requests aside."""
        self.send(*messages, self._barrier())
        return list(self._until_barrier())

    def _barrier(self) -> bytes:
        kind = BARRIER_REQUEST_10 if self.version == OF10 else BARRIER_REQUEST
        return message(self.version, kind, xid=0xBA221E2)

    def _until_barrier(self) -> Iterator[Message]:
        while True:
            got = self.receive()
            if got.xid == 0xBA221E2 and got.type != ERROR:
                return
            if got.type == ECHO_REQUEST:
                self.send(message(self.version, ECHO_REPLY, got.body, got.xid))
            else:
                yield got

    def errors(self, *messages: bytes) -> list[tuple[int, int]]:
        """The errors that the messages provoke."""
        return [got.error for got in self.ask(*messages) if got.type == ERROR]

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def messages(data: bytes) -> Iterable[Message]:
    """Cut a stream of whole messages."""
    while data:
        length = int.from_bytes(data[2:4], "big")
        yield Message(data[:length])
        data = data[length:]
