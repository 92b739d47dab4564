# SPDX-License-Identifier: Apache-2.0
"""Numbers of the OpenFlow wire that several files share, by the standard's names."""

from enum import IntEnum, IntFlag

OF10, OF13, OF14 = 1, 4, 5
NAMES = {"OpenFlow10": OF10, "OpenFlow13": OF13, "OpenFlow14": OF14}

NX_VENDOR = 0x00002320
ONF_VENDOR = 0x4F4E4600

N_TABLES = 254
ALL_TABLES = 255

PORT_MAX = 0xFFFFFF00  # first port number that is not a port's
PORT_LOCAL = 0xFFFFFFFE
PORT_ANY = 0xFFFFFFFF
PORT10_MAX = 0xFF00
PORT10_OFFSET = 0xFFFF0000  # between 1.0's reserved port numbers and later ones
GROUP_ANY = 0xFFFFFFFF
QUEUE_ALL = 0xFFFFFFFF

MISS_SEND_LEN = 128  # [B] the default


class Role(IntEnum):
    """A controller's role, as 1.3 numbers it; Nicira's is one less."""

    NOCHANGE, EQUAL, MASTER, SLAVE = range(4)


class PortConfig(IntFlag):
    """OFPPC_*, 1.0's and later ones' together."""

    PORT_DOWN, NO_STP, NO_RECV, NO_RECV_STP, NO_FLOOD, NO_FWD, NO_PACKET_IN = (1 << i for i in range(7))


CONFIG10 = 0x7F  # all
CONFIG11 = 0x65  # PORT_DOWN, NO_RECV, NO_FWD, NO_PACKET_IN


class PortState(IntFlag):
    """OFPPS_*; 1.0 knows only LINK_DOWN."""

    LINK_DOWN, BLOCKED, LIVE = 1, 2, 4


class PortReason(IntEnum):
    """OFPPR_*."""

    ADD, DELETE, MODIFY = range(3)


class PacketInReason(IntEnum):
    """OFPR_*; the last two are misses before the reader's version is known."""

    NO_MATCH, ACTION, INVALID_TTL, ACTION_SET, GROUP, PACKET_OUT, EXPLICIT_MISS, IMPLICIT_MISS = range(8)


def port_to_wire10(port: int) -> int:
    """A port number as 1.0 writes it, in 16 bits."""
    return port & 0xFFFF if port >= PORT_MAX else port


def port_from_wire10(port: int) -> int:
    """1.0's 16-bit port number, widened."""
    return port | PORT10_OFFSET if port >= PORT10_MAX else port
