# SPDX-License-Identifier: Apache-2.0
"""Which asynchronous messages a controller wants, in each role: OFPT_SET_ASYNC of 1.3 and 1.4, and
Nicira's two.
"""

import struct
from dataclasses import dataclass, field
from enum import IntEnum

from turnout.openflow.session import wire
from turnout.openflow.session.constants import OF10, OF13, OF14, PacketInReason
from turnout.openflow.session.errors import Error, OfError
from turnout.openflow.session.messages import Kind, Message


class Async(IntEnum):
    """Kinds of asynchronous messages, as 1.4 orders them."""

    PACKET_IN, PORT_STATUS, FLOW_REMOVED, ROLE_STATUS, TABLE_STATUS, REQUESTFORWARD = range(6)


_ALLOWED10 = {
    Async.PACKET_IN: 0x07,
    Async.PORT_STATUS: 0x07,
    Async.FLOW_REMOVED: 0x3F,
    Async.ROLE_STATUS: 0x07,
    Async.TABLE_STATUS: 0x18,
    Async.REQUESTFORWARD: 0x03,
}
_ALLOWED14 = {**_ALLOWED10, Async.PACKET_IN: 0x3F}
_LEGACY = (Async.PACKET_IN, Async.PORT_STATUS, Async.FLOW_REMOVED)  # what 1.3's fixed message knows
_ACTIONS = 0b111000  # what 1.4 split OFPR_ACTION into


def _allowed(version: int) -> dict[Async, int]:
    return _ALLOWED14 if version >= OF14 else _ALLOWED10


@dataclass(slots=True)
class AsyncConfig:
    """Bits of reasons by kind, [0] as master or equal and [1] as slave."""

    masks: tuple[list[int], list[int]] = field(default_factory=lambda: ([0] * 6, [0] * 6))

    @classmethod
    def default(cls, version: int) -> "AsyncConfig":
        """What a controller gets that has not said."""
        config = cls()
        master, slave = config.masks
        master[Async.PACKET_IN] = (
            0x3F & ~(1 << PacketInReason.INVALID_TTL) | 1 << PacketInReason.EXPLICIT_MISS
        )
        if version < OF13:
            master[Async.PACKET_IN] |= 1 << PacketInReason.IMPLICIT_MISS
        master[Async.PORT_STATUS] = slave[Async.PORT_STATUS] = 0x07
        master[Async.FLOW_REMOVED] = {OF10: 0x07, OF13: 0x0F, OF14: 0x3F}[version]
        return config

    def wants(self, kind: Async, reason: int, *, slave: bool) -> bool:
        """Whether a message of that kind and reason is to be sent."""
        return bool(self.masks[slave][kind] >> reason & 1)

    def set(self, kind: Async, slave: bool, mask: int, version: int) -> None:
        """Sets one mask, with what it implies."""
        if kind is Async.PACKET_IN:
            if mask & 1 << PacketInReason.NO_MATCH:
                mask |= 1 << PacketInReason.EXPLICIT_MISS
                if version < OF13:
                    mask |= 1 << PacketInReason.IMPLICIT_MISS
            if version < OF14 and mask & 1 << PacketInReason.ACTION:
                mask |= _ACTIONS
        self.masks[slave][kind] = mask


def decode(message: Message, basis: AsyncConfig) -> AsyncConfig:
    """What a request to set it makes of `basis`. OfError leaves `basis` as it was."""
    version = message.version
    if message.kind is Kind.SET_ASYNC:
        config = AsyncConfig()
        masks = struct.unpack_from("!6I", message.payload)
        for index, kind in enumerate(_LEGACY):
            for slave in (False, True):
                config.set(kind, slave, masks[index * 2 + slave] & _ALLOWED10[kind], version)
        return config
    config = AsyncConfig((list(basis.masks[0]), list(basis.masks[1])))
    for number, data in wire.properties(message.payload, least_experimenter=0xFFFE):
        if not 0 <= number < 12:
            raise OfError(Error.OFPBPC_BAD_EXP_TYPE if number < 0 else Error.OFPACFC_UNSUPPORTED)
        if len(data) != 8:
            raise OfError(Error.OFPBPC_BAD_LEN)
        kind, mask = Async(number // 2), int.from_bytes(data[4:])
        if mask & ~_allowed(version)[kind]:
            raise OfError(Error.OFPACFC_INVALID)
        config.set(kind, number % 2 == 0, mask, version)  # even types are a slave's
    return config


def encode_reply(config: AsyncConfig, version: int, xid: int) -> bytes:
    """OFPT_GET_ASYNC_REPLY."""
    allowed = _allowed(version)
    if version < OF14:
        masks = (config.masks[slave][kind] & allowed[kind] for kind in _LEGACY for slave in (False, True))
        return wire.message(version, 27, xid, struct.pack("!6I", *masks))
    properties = (
        wire.prop(kind * 2 + (not slave), struct.pack("!I", config.masks[slave][kind] & allowed[kind]))
        for kind in Async
        for slave in (True, False)
    )
    return wire.message(version, 27, xid, b"".join(properties))
