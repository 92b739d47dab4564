# SPDX-License-Identifier: Apache-2.0
"""Bundles (OpenFlow 1.4 section 6.8, and the ONF's extension of 1.3): messages that take effect together or
not at all.

The engine carries out the flow-mods, group-mods and packet-outs of a bundle under one version. Port-mods are
ours, and not atomic, as in Open vSwitch: an atomic bundle with one is refused.
"""

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from turnout.openflow.session import errors, messages, ports, wire
from turnout.openflow.session.constants import OF13
from turnout.openflow.session.errors import Error, OfError
from turnout.openflow.session.messages import Kind, Message

if TYPE_CHECKING:
    from turnout.openflow.session.session import Session

IDLE = 10.0  # s after which an unused bundle expires
MOST = 64  # bundles of a session
LARGEST = 256 << 20  # [B] the messages of a session's bundles

_OPEN, _CLOSE, _COMMIT, _DISCARD = 0, 2, 4, 6  # OFPBCT_*_REQUEST; its reply is one more
_ATOMIC = 1  # OFPBF_ATOMIC
_CONTROL = struct.Struct("!IHH")
_BUNDLABLE = frozenset((Kind.FLOW_MOD, Kind.GROUP_MOD, Kind.PACKET_OUT, Kind.PORT_MOD))


@dataclass(slots=True)
class Bundle:
    """An open or closed bundle. opened: the request that made it. adds: the messages, as added (header and
    all).
    """

    flags: int
    opened: bytes
    used: float
    closed: bool = False
    adds: list[bytes] = field(default_factory=list)
    size: int = 0
    port_mods: bool = False


class Bundles:
    """The bundles of one session, by id."""

    def __init__(self) -> None:
        self._bundles: dict[int, Bundle] = {}
        self._size = 0

    def get(self, number: int) -> Bundle:
        """OfError if there is none."""
        if number not in self._bundles:
            raise OfError(Error.OFPBFC_BAD_ID)
        return self._bundles[number]

    def open(self, number: int, flags: int, request: bytes, now: float) -> Bundle:
        """A new bundle. One of that id that exists is dropped, and OfError raised."""
        if number in self._bundles:
            self.drop(number)
            raise OfError(Error.OFPBFC_BAD_ID)
        if len(self._bundles) >= MOST:
            raise OfError(Error.OFPBFC_OUT_OF_BUNDLES)
        self._bundles[number] = bundle = Bundle(flags, request[:64], now)
        return bundle

    def check_open(self, number: int, flags: int) -> Bundle:
        """The bundle, if it takes messages and has these flags; else it is dropped, and OfError raised."""
        bundle = self.get(number)
        if bundle.closed:
            self.drop(number)
            raise OfError(Error.OFPBFC_BUNDLE_CLOSED)
        if bundle.flags != flags:
            self.drop(number)
            raise OfError(Error.OFPBFC_BAD_FLAGS)
        return bundle

    def add(self, number: int, flags: int, message: bytes, now: float) -> Bundle:
        """Adds to the bundle, which is made if there is none."""
        bundle = self._bundles.get(number)
        if bundle is None:
            bundle = self.open(number, flags, message, now)
        else:
            self.check_open(number, flags)
        if self._size + len(message) > LARGEST:
            self.drop(number)
            raise OfError(Error.OFPBFC_MSG_TOO_MANY)
        bundle.adds.append(message)
        bundle.size += len(message)
        self._size += len(message)
        bundle.used = now
        return bundle

    def drop(self, number: int) -> None:
        """Forgets the bundle."""
        self._size -= self._bundles.pop(number).size

    def clear(self) -> None:
        """Forgets all."""
        self._bundles.clear()
        self._size = 0

    def expire(self, now: float) -> list[bytes]:
        """Drops bundles that were not used for a while; the request that opened each."""
        late = [number for number, bundle in self._bundles.items() if now - bundle.used >= IDLE]
        opened = [self._bundles[number].opened for number in late]
        for number in late:
            self.drop(number)
        return opened


def control(session: "Session", message: Message) -> None:
    """OFPT_BUNDLE_CONTROL."""
    session.check_may_write()
    number, kind, flags = _CONTROL.unpack_from(message.data, message.body)
    now = session.bridge.now
    if kind == _OPEN:
        session.bundles.open(number, flags, message.data, now)
    elif kind == _CLOSE:
        bundle = session.bundles.check_open(number, flags)
        bundle.closed, bundle.used = True, now
    elif kind == _COMMIT:
        _commit(session, number, flags)
    elif kind == _DISCARD:
        session.bundles.get(number)
        session.bundles.drop(number)
    else:
        raise OfError(Error.OFPBFC_BAD_TYPE)
    body = _CONTROL.pack(number, kind + 1, 0)
    if message.version == OF13:
        session.send(wire.onf(OF13, 2300, message.xid, body))
    else:
        session.send(wire.message(message.version, 33, message.xid, body))


def add(session: "Session", message: Message) -> None:
    """OFPT_BUNDLE_ADD_MESSAGE."""
    session.check_may_write()
    data, at = message.data, message.body + 8
    number, flags = struct.unpack_from("!I2xH", data, message.body)
    if len(data) < at + 8:
        raise OfError(Error.OFPBFC_MSG_BAD_LEN)
    version, _, length, xid = messages.HEADER.unpack_from(data, at)
    if version != message.version:
        raise OfError(Error.OFPBFC_BAD_VERSION)
    if not 8 <= length <= len(data) - at:
        raise OfError(Error.OFPBFC_MSG_BAD_LEN)
    if xid != message.xid:
        raise OfError(Error.OFPBFC_MSG_BAD_XID)
    try:
        inner = messages.decode(data[at : at + length], version)
    except OfError:
        raise OfError(Error.OFPBFC_MSG_UNSUP) from None
    if inner.kind not in _BUNDLABLE:
        raise OfError(Error.OFPBFC_MSG_UNSUP)
    if inner.kind is Kind.PORT_MOD:
        ports.decode_mod(inner)
    bundle = session.bundles.add(number, flags, data, session.bridge.now)
    bundle.port_mods |= inner.kind is Kind.PORT_MOD


def _commit(session: "Session", number: int, flags: int) -> None:
    bundle = session.bundles.get(number)
    session.bundles.drop(number)
    if bundle.flags != flags:
        raise OfError(Error.OFPBFC_BAD_FLAGS)
    inner = [_inner(data) for data in bundle.adds]
    changes: list[ports.Port] = []
    native = inner
    if bundle.port_mods:
        native = []
        for outer, data in zip(bundle.adds, inner, strict=True):
            message = messages.decode(data, session.version)
            if message.kind is not Kind.PORT_MOD:
                native.append(data)
                continue
            try:
                if flags & _ATOMIC:
                    raise OfError(Error.OFPBFC_MSG_FAILED)
                changes.append(session.bridge.check_port_mod(ports.decode_mod(message)))
            except OfError as error:
                session.refuse(error.error, outer)
                raise OfError(Error.OFPBFC_MSG_FAILED) from None
    if native and (failure := session.bridge.commit(session, native)):
        session.send(_about(failure, bundle.adds))
        raise OfError(Error.OFPBFC_MSG_FAILED)
    for port in changes:
        session.bridge.set_port_config(port, session)


def _inner(data: bytes) -> bytes:
    """The message in an add, without what may follow it (properties)."""
    at = 24 if data[1] == 4 else 16
    return data[at : at + int.from_bytes(data[at + 2 : at + 4])]


def _about(failure: bytes, adds: list[bytes]) -> bytes:
    """The engine's error, quoting the message as it was added instead of the one in it."""
    xid = failure[4:8]
    outer = next((data for data in adds if data[4:8] == xid), b"")
    kind = int.from_bytes(failure[8:10])
    head = 20 if kind == errors.NX_ERROR10 else 16 if kind == errors.EXPERIMENTER else 12
    body = failure[8:head] + outer[: errors.QUOTED]
    return wire.message(failure[0], 1, int.from_bytes(xid), body)
