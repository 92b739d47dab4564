# SPDX-License-Identifier: Apache-2.0
"""Ports on the wire: descriptions, port status, port mod, statistics, and queues (of which there are none
yet).
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace

from turnout.openflow.session import wire
from turnout.openflow.session.constants import (
    CONFIG10,
    CONFIG11,
    OF10,
    OF13,
    OF14,
    PORT10_MAX,
    PORT_ANY,
    PORT_LOCAL,
    PORT_MAX,
    QUEUE_ALL,
    PortConfig,
    PortReason,
    PortState,
    port_from_wire10,
    port_to_wire10,
)
from turnout.openflow.session.errors import Error, OfError
from turnout.openflow.session.messages import Kind, Message

_FEATURES = {
    10: 1 << 1,
    100: 1 << 3,
    1000: 1 << 5,
    10_000: 1 << 6,
    40_000: 1 << 7,
    100_000: 1 << 8,
    1_000_000: 1 << 9,
}
_UNKNOWN_SPEED = 0xFFFFFFFF
_COPPER = 1 << 11


@dataclass(frozen=True, slots=True)
class Port:
    """A port as controllers see it. mac: 6 bytes. speed: Mbit/s, 0 if unknown. config: OFPPC_* bits. copper:
    whether it counts as such; Open vSwitch says so of the host's own interfaces.
    """

    number: int
    name: str
    mac: bytes
    up: bool
    speed: int
    config: int
    copper: bool = False

    @property
    def state(self) -> int:
        """OFPPS_* bits. A port that is taken down loses its link, as an interface does."""
        down = not self.up or self.config & PortConfig.PORT_DOWN
        return PortState.LINK_DOWN if down else PortState.LIVE

    @property
    def features(self) -> int:
        """OFPPF_* bits of the current speed, as 1.1 and later number them."""
        return _FEATURES.get(self.speed, 0) | (_COPPER if self.copper else 0)


@dataclass(frozen=True, slots=True)
class PortCounters:
    """A port's totals, and its age in ns."""

    rx_packets: int = 0
    tx_packets: int = 0
    rx_bytes: int = 0
    tx_bytes: int = 0
    rx_dropped: int = 0
    tx_dropped: int = 0
    age_ns: int = 0


@dataclass(frozen=True, slots=True)
class PortMod:
    """A request to change the `mask` bits of a port's config to those of `config`."""

    number: int
    mac: bytes
    config: int
    mask: int

    def applied(self, port: Port) -> Port:
        """The port after it; OfError if the address is not the port's."""
        if port.mac != self.mac:
            raise OfError(Error.OFPPMFC_BAD_HW_ADDR)
        return replace(port, config=(port.config & ~self.mask) | (self.config & self.mask))


def describe(port: Port, version: int) -> bytes:
    """ofp_phy_port of 1.0, ofp_port of 1.3 or 1.4."""
    name = port.name.encode()[:15]
    features = port.features
    if version == OF10:
        low = (features & 0x7F) | ((features & 0xF800) >> 4)
        fields = (port.config & CONFIG10, port.state & PortState.LINK_DOWN, low, 0, 0, 0)
        return struct.pack("!H6s16s6I", port_to_wire10(port.number), port.mac, name, *fields)
    config = port.config & CONFIG11
    speed = port.speed * 1000 if features else 0  # kbit/s
    ethernet = (features, 0, 0, 0, speed, 0)
    if version == OF13:
        return struct.pack("!I4x6s2x16s8I", port.number, port.mac, name, config, port.state, *ethernet)
    fixed = struct.pack("!IH2x6s2x16sII", port.number, 72, port.mac, name, config, port.state)
    return fixed + wire.prop(0, struct.pack("!4x6I", *ethernet))


def status(port: Port, reason: PortReason, version: int) -> bytes:
    """OFPT_PORT_STATUS."""
    return wire.message(version, 12, 0, struct.pack("!B7x", reason) + describe(port, version))


def decode_mod(message: Message) -> PortMod:
    """OFPT_PORT_MOD."""
    body = message.payload
    if message.version == OF10:
        number, mac, config, mask = struct.unpack_from("!H6sII", body)
        return PortMod(port_from_wire10(number), mac, config & CONFIG10, mask & CONFIG10)
    number, mac, config, mask = struct.unpack_from("!I4x6s2xII", body)
    port = check_number(number)
    if message.version == OF14:
        for kind, data in wire.properties(body[24:]):
            if kind != 0:
                raise wire.unknown_property(kind)
            if len(data) != 8:
                raise OfError(Error.OFPBPC_BAD_LEN)
    return PortMod(port, mac, config & CONFIG11, mask & CONFIG11)


def check_number(number: int) -> int:
    """The port number of 1.1 and later; OfError if no switch of 16-bit port numbers could have it."""
    if PORT10_MAX <= number < PORT_MAX:
        raise OfError(Error.OFPBAC_BAD_OUT_PORT)
    return number


def decode_stats_request(message: Message) -> int:
    """The port whose statistics are asked for, PORT_ANY for all."""
    if message.version == OF10:
        return port_from_wire10(int.from_bytes(message.payload[:2]))
    return check_number(int.from_bytes(message.payload[:4]))


def encode_stats(number: int, count: PortCounters, version: int) -> bytes:
    """An entry of a port statistics reply."""
    counters = (
        *(count.rx_packets, count.tx_packets, count.rx_bytes, count.tx_bytes),
        *(count.rx_dropped, count.tx_dropped, 0, 0),  # and errors
    )
    seconds, ns = divmod(count.age_ns, 1_000_000_000)
    if version == OF10:
        return struct.pack("!H6x12Q", port_to_wire10(number), *counters, 0, 0, 0, 0)
    if version == OF13:
        return struct.pack("!I4x12QII", number, *counters, 0, 0, 0, 0, seconds, ns)
    ethernet = wire.prop(0, struct.pack("!4x4Q", 0, 0, 0, 0))
    return struct.pack("!H2xIII8Q", 80 + len(ethernet), number, seconds, ns, *counters) + ethernet


def _exists(number: int, ports: Iterable[Port]) -> bool:
    return any(port.number == number for port in ports)


def decode_queue_request(message: Message) -> tuple[int, int]:
    """(port, queue) of a request for queues' statistics or configuration."""
    body = message.payload
    if message.kind is Kind.QUEUE_GET_CONFIG:
        if message.version == OF10:
            port, queue = port_from_wire10(int.from_bytes(body[:2])), QUEUE_ALL
        else:
            port, queue = check_number(int.from_bytes(body[:4])), QUEUE_ALL
            if port == PORT_ANY:
                return port, queue
        if port >= PORT_MAX:
            raise OfError(Error.OFPQOFC_BAD_PORT)
        return port, queue
    if message.version == OF10:
        port, queue = struct.unpack_from("!H2xI", body)
        # 1.0 says OFPP_ALL for all of them
        port = PORT_ANY if port in (0xFFFC, 0xFFFF) else port_from_wire10(port)
        return port, queue
    port, queue = struct.unpack_from("!II", body)
    return check_number(port), queue


def check_queues(port: int, queue: int, ports: Iterable[Port]) -> None:
    """OfError unless a request about these queues can be answered, with none."""
    if port != PORT_ANY and not _exists(port, ports):
        raise OfError(Error.OFPQOFC_BAD_PORT)
    if queue != QUEUE_ALL:
        raise OfError(Error.OFPQOFC_BAD_QUEUE)


def in_order(ports: Iterable[Port]) -> list[Port]:
    """By number, LOCAL last."""
    return sorted(ports, key=lambda port: (port.number == PORT_LOCAL, port.number))
