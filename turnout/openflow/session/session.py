# SPDX-License-Identifier: Apache-2.0
"""One controller's session, without its socket: bytes and `now` in, bytes out.

Whatever arrives gets the standard's error or a clean end: nothing is raised, each call does a bounded amount
of work, and nothing is handled while the controller leaves its replies unread, so that memory stays bounded
too. Only a length field below 8 ends the session with an error of ours, since nobody can tell where the next
message begins.
"""

import logging
import struct
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from turnout import _engine
from turnout.openflow.session import errors, messages, wire
from turnout.openflow.session.bundle import Bundles
from turnout.openflow.session.constants import MISS_SEND_LEN, NAMES, OF10, OF13, OF14, Role
from turnout.openflow.session.errors import Error, OfError
from turnout.openflow.session.messages import HEADER, Kind, Message
from turnout.openflow.session.monitor import Monitors
from turnout.openflow.session.multipart import Assembler
from turnout.openflow.session.roles import Async, AsyncConfig

if TYPE_CHECKING:
    from turnout.openflow.session.bridge import Bridge

log = logging.getLogger(__name__)

Handler = Callable[["Session", Message], None]

MESSAGES_PER_TURN = 64
UNREAD = 64 * 1024  # [B] with this much unsent output nothing more is handled
UNREAD_MOST = 16 * 1024 * 1024  # [B] with this much of asynchronous messages unread the session ends

# what the engine's Tables.receive() takes: vendor, packet-out, flow-mod, group-mod, barrier, meter-mod
_NATIVE = {OF10: frozenset((4, 13, 14, 18)), OF13: frozenset((4, 13, 14, 15, 20, 29))}
_NATIVE[OF14] = _NATIVE[OF13]
_ANY_VERSION = frozenset((0, 1, 2, 3))  # hello, error, echo: may come in any version


class Session:
    """A session with a controller (`service` False) or an administrator's tool on the management socket."""

    def __init__(
        self,
        bridge: "Bridge",
        handlers: Mapping[Kind, Handler],
        *,
        number: int,
        versions: frozenset[int],
        service: bool,
        name: str,
        asynchronous: bool = True,
    ) -> None:
        self.bridge = bridge
        self._asynchronous = asynchronous
        self.name = name
        self.service = service
        self.version = 0  # none is agreed upon yet
        self.view = _engine.SessionView(
            id=number, version=OF10, format=_engine.FlowFormat.OF10, may_write=True
        )
        self.role = Role.EQUAL
        self.controller_id = 0
        self.miss_send_len = 0 if service else MISS_SEND_LEN
        self.packet_in_format = _engine.PacketInFormat.STANDARD
        self.async_config: AsyncConfig = AsyncConfig()
        self.bundles = Bundles()
        self.monitors = Monitors()
        self.parts = Assembler()
        self.closed = ""  # why, once it is
        self.output: deque[bytes] = deque()
        self.unsent = 0  # [B] in `output`
        self.held = False  # whether messages wait for the output to be read
        self._versions = versions
        self._handlers = handlers
        self._input = bytearray()
        self._table_id = False  # NXT_FLOW_MOD_TABLE_ID
        self._nxm = False  # NXT_SET_FLOW_FORMAT
        self.send(hello(versions))

    # --- what the connection calls

    @property
    def connected(self) -> bool:
        """Whether a version is agreed upon and the session goes on."""
        return bool(self.version) and not self.closed

    @property
    def may_read(self) -> bool:
        """Whether more bytes are wanted now."""
        return not self.closed and self.unsent <= UNREAD

    def receive(self, data: bytes, now: float) -> bool:
        """Takes what came, b"" to go on; True if more is left to do at once. now: s, monotonic."""
        if self.closed:
            return False
        self._input += data
        self.held = False
        for _ in range(MESSAGES_PER_TURN):
            if len(self._input) < 8:
                return False
            if not self.may_read:
                self.held = not self.closed
                return False
            version, number, length, xid = HEADER.unpack_from(self._input)
            if length < 8:
                about = bytes(self._input[:8])
                self.send(errors.encode(Error.OFPBRC_BAD_LEN, self.version or OF10, xid, about))
                self.close(f"a message's length is {length}")
                return False
            if version == self.version and number in _NATIVE.get(version, ()) and self._pass_on():
                continue
            if len(self._input) < length:
                return False
            message = bytes(self._input[:length])
            del self._input[:length]
            self.bridge.snooped(self, message)
            self._handle(message, now)
        return not self.closed and len(self._input) >= 8

    def sent(self, count: int) -> None:
        """`count` bytes of the output have left."""
        self.unsent -= count
        while count:
            first = self.output[0]
            if count < len(first):
                self.output[0] = first[count:]
                return
            count -= len(first)
            self.output.popleft()

    def tick(self, now: float) -> None:
        """Once a second: bundles and parts of requests that nobody finishes expire."""
        for about in self.bundles.expire(now):
            self.refuse(Error.OFPBFC_TIMEOUT, about)
        for about in self.parts.expire(now):
            self.refuse(Error.OFPBRC_MULTIPART_REQUEST_TIMEOUT, about)

    def close(self, why: str) -> None:
        """Ends it; what is in `output` may still be sent."""
        if not self.closed:
            self.closed = why
            self._input.clear()
            self.bundles.clear()

    # --- what handlers call

    def send(self, *data: bytes) -> None:
        """Queues whole messages."""
        for message in data:
            if message:
                self.output.append(message)
                self.unsent += len(message)
                self.bridge.snooped(self, message)

    def notify(self, message: bytes) -> None:
        """Queues an asynchronous message; a controller that has left far too much of them unread is
        dropped.
        """
        if self.unsent > UNREAD_MOST:
            self.close("does not read")
        else:
            self.send(message)

    def reply(self, replies: Iterable[bytes]) -> None:
        """Queues the parts of a reply."""
        self.send(*replies)

    def refuse(self, error: Error, about: bytes) -> None:
        """Queues an error about the message `about`."""
        log.debug("%s: %s", self.name, error.name)
        self.send(errors.encode(error, self.version or OF10, int.from_bytes(about[4:8]), about))

    def set_role(self, role: Role) -> None:
        """Makes the controller master, equal or slave."""
        self.role = role
        self.view.may_write = role is not Role.SLAVE

    def check_may_write(self) -> None:
        """OfError for a slave."""
        if self.role is Role.SLAVE:
            raise OfError(Error.OFPBRC_IS_SLAVE)

    def wants(self, kind: Async, reason: int) -> bool:
        """Whether it is to get an asynchronous message of that kind and reason."""
        if not self.connected or (self.service and not self.miss_send_len):
            return False
        return self.async_config.wants(kind, reason, slave=self.role is Role.SLAVE)

    def set_flow_format(self, *, nxm: bool | None = None, table_id: bool | None = None) -> None:
        """How 1.0 writes flows; later versions have one way."""
        self._nxm = self._nxm if nxm is None else nxm
        self._table_id = self._table_id if table_id is None else table_id
        if self.version == OF10:
            formats = _engine.FlowFormat
            pair = (formats.NXM, formats.NXM_TABLE_ID) if self._nxm else (formats.OF10, formats.OF10_TABLE_ID)
            self.view.format = pair[self._table_id]

    # --- inside

    def _pass_on(self) -> bool:
        """Gives the engine what it takes of the input; whether that was anything."""
        consumed, replies = self.bridge.tables.receive(self._input, self.view)
        if not consumed:
            return False
        self.bridge.carried_out(self, self._input, consumed)
        del self._input[:consumed]
        self.send(replies)
        return True

    def _handle(self, data: bytes, now: float) -> None:
        version, number = data[0], data[1]
        if not self.version:
            return self._negotiate(data)
        if version != self.version and number not in _ANY_VERSION:
            return self.refuse(Error.OFPBRC_BAD_VERSION, data)
        try:
            message = messages.decode(data, self.version)
            if messages.is_stats(self.version, number):
                whole = self.parts.add(message, now)
                if whole is None:
                    return None
                message = whole
            handler = self._handlers.get(message.kind)
            if handler is None:
                raise OfError(
                    Error.OFPBRC_BAD_STAT
                    if messages.is_stats(self.version, number)
                    else Error.OFPBRC_BAD_TYPE
                )
            handler(self, message)
        except OfError as error:
            self.refuse(error.error, data)
        return None

    def _negotiate(self, data: bytes) -> None:
        if data[1] != 0:
            return self.close(f"expected hello, got a message of type {data[1]}")
        theirs = offered(data)
        common = theirs & self._versions
        if not common:
            text = f"We support {_list(self._versions)}, you support {_list(theirs)}, no common versions."
            xid = int.from_bytes(data[4:8])
            version = max(theirs, default=OF10)
            body = struct.pack("!HH", 0, 0) + text.encode()
            self.send(wire.message(version, 1, xid, body))
            return self.close("no OpenFlow version in common")
        self.version = max(common)
        self.view.version = self.version
        self.async_config = AsyncConfig.default(self.version) if self._asynchronous else AsyncConfig()
        if self.version >= OF13:
            self.view.format = _engine.FlowFormat.OXM
        return self.bridge.connected(self)


def hello(versions: frozenset[int]) -> bytes:
    """OFPT_HELLO, with a bitmap where the highest version does not say all."""
    bitmap = sum(1 << version for version in versions)
    if (bitmap >> 1) & ((bitmap >> 1) + 1):
        return wire.message(max(versions), 0, 1, struct.pack("!HHI", 1, 8, bitmap))
    return wire.message(max(versions), 0, 1)


def offered(data: bytes) -> frozenset[int]:
    """The versions that a hello says its sender has; elements that are unknown or damaged are passed over."""
    versions = frozenset(range(1, data[0] + 1))
    at = 8
    while at + 4 <= len(data):
        kind, length = struct.unpack_from("!HH", data, at)
        if length < 4 or at + length > len(data):
            break
        if kind == 1 and length >= 8:
            (bitmap,) = struct.unpack_from("!I", data, at + 4)
            if found := frozenset(version for version in range(1, 32) if bitmap >> version & 1):
                versions = found
        at += -(-length // 8) * 8
    return versions


def _list(versions: Iterable[int]) -> str:
    names = {number: name for name, number in NAMES.items()}
    return ", ".join(names.get(version, f"version {version:#04x}") for version in sorted(versions)[:8])
