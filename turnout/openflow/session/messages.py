# SPDX-License-Identifier: Apache-2.0
"""Which messages there are, in which version, and how long each must be: a table, and a lookup in it.

In: a whole message. Out: a Message, or OfError with the type and code for what is unknown or of a wrong
length, as Open vSwitch's ofp-msgs.c decides. Messages that the engine handles are in the table too, for what
it leaves to us.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from turnout.openflow.session.constants import NX_VENDOR, OF10, OF13, OF14, ONF_VENDOR
from turnout.openflow.session.errors import Error, OfError

HEADER = struct.Struct("!BBHI")

_VENDOR = 4  # OFPT_VENDOR, later OFPT_EXPERIMENTER
_STATS_VENDOR = 0xFFFF
STATS_REQUEST = {OF10: 16, OF13: 18, OF14: 18}

FLAG_MORE = 1  # OFPSF_REPLY_MORE, OFPMPF_REQ_MORE


class Kind(Enum):
    """What a message means, whatever its version."""

    HELLO = auto()
    ERROR = auto()
    ECHO_REQUEST = auto()
    ECHO_REPLY = auto()
    FEATURES = auto()
    GET_CONFIG = auto()
    SET_CONFIG = auto()
    PACKET_OUT = auto()
    FLOW_MOD = auto()
    GROUP_MOD = auto()
    PORT_MOD = auto()
    TABLE_MOD = auto()
    METER_MOD = auto()
    BARRIER = auto()
    QUEUE_GET_CONFIG = auto()
    ROLE = auto()
    NX_ROLE = auto()
    GET_ASYNC = auto()
    SET_ASYNC = auto()
    SET_ASYNC_PROPERTIES = auto()
    BUNDLE_CONTROL = auto()
    BUNDLE_ADD = auto()
    SET_FLOW_FORMAT = auto()
    FLOW_MOD_TABLE_ID = auto()
    SET_PACKET_IN_FORMAT = auto()
    FLOW_AGE = auto()
    SET_CONTROLLER_ID = auto()
    FLOW_MONITOR_CANCEL = auto()
    RESUME = auto()
    DESC_STATS = auto()
    FLOW_STATS = auto()
    AGGREGATE_STATS = auto()
    TABLE_STATS = auto()
    PORT_STATS = auto()
    PORT_DESC_STATS = auto()
    QUEUE_STATS = auto()
    QUEUE_DESC_STATS = auto()
    GROUP_STATS = auto()
    GROUP_DESC_STATS = auto()
    GROUP_FEATURES_STATS = auto()
    METER_STATS = auto()
    METER_CONFIG_STATS = auto()
    METER_FEATURES_STATS = auto()
    TABLE_FEATURES_STATS = auto()
    TABLE_DESC_STATS = auto()
    FLOW_MONITOR_STATS = auto()


@dataclass(frozen=True, slots=True)
class Message:
    """A message whose header and length are right. body: where what follows its headers begins in `data`."""

    kind: Kind
    version: int
    xid: int
    body: int
    data: bytes

    @property
    def payload(self) -> bytes:
        """What follows the headers."""
        return self.data[self.body :]

    @property
    def more(self) -> bool:
        """Whether further parts of this multipart request follow; 1.0's requests have one part."""
        return self.version >= OF13 and bool(self.data[11] & FLAG_MORE)


@dataclass(frozen=True, slots=True)
class _Row:
    kind: Kind
    header: int  # length of the headers
    least: int  # bytes of the body, at least
    step: int  # what more there may be is a multiple of this; 0: nothing more


_Key = tuple[int, int, int, int, int]  # version, type, statistics type, vendor, subtype
_ALL = (OF10, OF13, OF14)
_NEW = (OF13, OF14)

# OFPT_: kind, its type in each version, least body, step
_TYPES: tuple[tuple[Kind, dict[int, int], int, int], ...] = (
    (Kind.HELLO, dict.fromkeys(_ALL, 0), 0, 1),
    (Kind.ERROR, dict.fromkeys(_ALL, 1), 4, 1),
    (Kind.ECHO_REQUEST, dict.fromkeys(_ALL, 2), 0, 1),
    (Kind.ECHO_REPLY, dict.fromkeys(_ALL, 3), 0, 1),
    (Kind.FEATURES, dict.fromkeys(_ALL, 5), 0, 0),
    (Kind.GET_CONFIG, dict.fromkeys(_ALL, 7), 0, 0),
    (Kind.SET_CONFIG, dict.fromkeys(_ALL, 9), 4, 0),
    (Kind.PACKET_OUT, {OF10: 13}, 8, 1),
    (Kind.PACKET_OUT, dict.fromkeys(_NEW, 13), 16, 1),
    (Kind.FLOW_MOD, {OF10: 14}, 64, 8),
    (Kind.FLOW_MOD, dict.fromkeys(_NEW, 14), 40, 8),
    (Kind.GROUP_MOD, dict.fromkeys(_NEW, 15), 8, 8),
    (Kind.PORT_MOD, {OF10: 15}, 24, 0),
    (Kind.PORT_MOD, {OF13: 16}, 32, 0),
    (Kind.PORT_MOD, {OF14: 16}, 24, 8),
    (Kind.TABLE_MOD, {OF13: 17}, 8, 0),
    (Kind.TABLE_MOD, {OF14: 17}, 8, 8),
    (Kind.BARRIER, {OF10: 18, OF13: 20, OF14: 20}, 0, 0),
    (Kind.QUEUE_GET_CONFIG, {OF10: 20}, 4, 0),
    (Kind.QUEUE_GET_CONFIG, {OF13: 22}, 8, 0),
    (Kind.ROLE, dict.fromkeys(_NEW, 24), 16, 0),
    (Kind.GET_ASYNC, dict.fromkeys(_NEW, 26), 0, 0),
    (Kind.SET_ASYNC, {OF13: 28}, 24, 0),
    (Kind.SET_ASYNC_PROPERTIES, {OF14: 28}, 0, 8),
    (Kind.METER_MOD, dict.fromkeys(_NEW, 29), 8, 8),
    (Kind.BUNDLE_CONTROL, {OF14: 33}, 8, 8),
    (Kind.BUNDLE_ADD, {OF14: 34}, 8, 1),
)
# Extension messages: kind, vendor, subtype, versions, least body, step
_VENDORS: tuple[tuple[Kind, int, int, tuple[int, ...], int, int], ...] = (
    (Kind.NX_ROLE, NX_VENDOR, 10, _ALL, 4, 0),
    (Kind.SET_FLOW_FORMAT, NX_VENDOR, 12, (OF10,), 4, 0),
    (Kind.FLOW_MOD, NX_VENDOR, 13, _ALL, 32, 8),
    (Kind.FLOW_MOD_TABLE_ID, NX_VENDOR, 15, _ALL, 8, 0),
    (Kind.SET_PACKET_IN_FORMAT, NX_VENDOR, 16, _ALL, 4, 0),
    (Kind.FLOW_AGE, NX_VENDOR, 18, _ALL, 0, 0),
    (Kind.SET_ASYNC, NX_VENDOR, 19, _ALL, 24, 0),
    (Kind.SET_CONTROLLER_ID, NX_VENDOR, 20, _ALL, 8, 0),
    (Kind.FLOW_MONITOR_CANCEL, NX_VENDOR, 21, (OF10,), 4, 0),
    (Kind.FLOW_MONITOR_CANCEL, ONF_VENDOR, 1870, (OF13,), 4, 0),
    (Kind.SET_ASYNC_PROPERTIES, NX_VENDOR, 27, (OF10, OF13), 0, 8),
    (Kind.RESUME, NX_VENDOR, 28, _ALL, 0, 8),
    (Kind.GROUP_MOD, NX_VENDOR, 31, (OF10,), 16, 8),
    (Kind.BUNDLE_CONTROL, ONF_VENDOR, 2300, (OF13,), 8, 8),
    (Kind.BUNDLE_ADD, ONF_VENDOR, 2301, (OF13,), 8, 1),
)
# Statistics or multipart requests: kind, type, versions, least body, step
_STATS: tuple[tuple[Kind, int, tuple[int, ...], int, int], ...] = (
    (Kind.DESC_STATS, 0, _ALL, 0, 0),
    (Kind.FLOW_STATS, 1, (OF10,), 44, 0),
    (Kind.FLOW_STATS, 1, _NEW, 32, 8),
    (Kind.AGGREGATE_STATS, 2, (OF10,), 44, 0),
    (Kind.AGGREGATE_STATS, 2, _NEW, 32, 8),
    (Kind.TABLE_STATS, 3, _ALL, 0, 0),
    (Kind.PORT_STATS, 4, _ALL, 8, 0),
    (Kind.QUEUE_STATS, 5, _ALL, 8, 0),
    (Kind.GROUP_STATS, 6, _NEW, 8, 0),
    (Kind.GROUP_DESC_STATS, 7, _NEW, 0, 0),
    (Kind.GROUP_FEATURES_STATS, 8, _NEW, 0, 0),
    (Kind.METER_STATS, 9, _NEW, 8, 0),
    (Kind.METER_CONFIG_STATS, 10, _NEW, 8, 0),
    (Kind.METER_FEATURES_STATS, 11, _NEW, 0, 0),
    (Kind.TABLE_FEATURES_STATS, 12, _NEW, 0, 8),
    (Kind.PORT_DESC_STATS, 13, _ALL, 0, 0),
    (Kind.TABLE_DESC_STATS, 14, (OF14,), 0, 0),
    (Kind.QUEUE_DESC_STATS, 15, (OF14,), 8, 0),
    (Kind.FLOW_MONITOR_STATS, 16, (OF14,), 0, 8),
)
# Extension statistics: kind, vendor, subtype, versions, least body, step
_VENDOR_STATS: tuple[tuple[Kind, int, int, tuple[int, ...], int, int], ...] = (
    (Kind.FLOW_STATS, NX_VENDOR, 0, (OF10,), 8, 8),
    (Kind.AGGREGATE_STATS, NX_VENDOR, 1, (OF10,), 8, 8),
    (Kind.FLOW_MONITOR_STATS, NX_VENDOR, 2, (OF10,), 0, 8),
    (Kind.FLOW_MONITOR_STATS, ONF_VENDOR, 1870, (OF13,), 0, 8),
    (Kind.GROUP_STATS, NX_VENDOR, 7, (OF10,), 8, 0),
    (Kind.GROUP_DESC_STATS, NX_VENDOR, 8, (OF10,), 8, 0),
    (Kind.GROUP_FEATURES_STATS, NX_VENDOR, 9, (OF10,), 0, 0),
)


def _rows() -> Iterator[tuple[_Key, _Row]]:
    for kind, types, least, step in _TYPES:
        for version, number in types.items():
            yield (version, number, 0, 0, 0), _Row(kind, 8, least, step)
    for kind, vendor, subtype, versions, least, step in _VENDORS:
        for version in versions:
            yield (version, _VENDOR, 0, vendor, subtype), _Row(kind, 16, least, step)
    for kind, stat, versions, least, step in _STATS:
        for version in versions:
            key = (version, STATS_REQUEST[version], stat, 0, 0)
            yield key, _Row(kind, 12 if version == OF10 else 16, least, step)
    for kind, vendor, subtype, versions, least, step in _VENDOR_STATS:
        for version in versions:
            yield (
                (version, STATS_REQUEST[version], _STATS_VENDOR, vendor, subtype),
                _Row(kind, 24, least, step),
            )


_TABLE: dict[_Key, _Row] = dict(_rows())


def _key(data: bytes, version: int, number: int) -> _Key:
    """The message's key; OfError where it is too short to have one, or its vendor is unknown."""
    if number == _VENDOR:
        if len(data) < 16:
            raise OfError(Error.OFPBRC_BAD_LEN)
        vendor, subtype = struct.unpack_from("!II", data, 8)
        if vendor not in (NX_VENDOR, ONF_VENDOR):
            raise OfError(Error.OFPBRC_BAD_VENDOR)
        return version, number, 0, vendor, subtype
    request = STATS_REQUEST[version]
    if number not in (request, request + 1):
        return version, number, 0, 0, 0
    header = 12 if version == OF10 else 16
    if len(data) < header:
        raise OfError(Error.OFPBRC_BAD_LEN)
    (stat,) = struct.unpack_from("!H", data, 8)
    if stat != _STATS_VENDOR:
        return version, number, stat, 0, 0
    if len(data) < header + 4:
        raise OfError(Error.OFPBRC_BAD_LEN)
    (vendor,) = struct.unpack_from("!I", data, header)
    if vendor not in ((NX_VENDOR,) if version == OF10 else (NX_VENDOR, ONF_VENDOR)):
        raise OfError(Error.OFPBRC_BAD_VENDOR)
    if len(data) < 24:
        raise OfError(Error.OFPBRC_BAD_LEN)
    (subtype,) = struct.unpack_from("!I", data, header + 4)
    return version, number, stat, vendor, subtype


def is_stats(version: int, number: int) -> bool:
    """Whether it is a statistics or multipart request or reply."""
    return number in (STATS_REQUEST[version], STATS_REQUEST[version] + 1)


def decode(data: bytes, version: int) -> Message:
    """What the whole message `data`, whose header is that of `version`, is. OfError if it cannot be.

    A part of a multipart request may be without its body.
    """
    _, number, _, xid = HEADER.unpack_from(data)
    key = _key(data, version, number)
    row = _TABLE.get(key)
    if row is None:
        if key[3]:
            raise OfError(Error.OFPBRC_BAD_SUBTYPE)
        raise OfError(Error.OFPBRC_BAD_STAT if is_stats(version, number) else Error.OFPBRC_BAD_TYPE)
    extra = len(data) - row.header - row.least
    bodiless = is_stats(version, number) and version >= OF13 and len(data) == row.header
    if not bodiless and (extra < 0 or (extra % row.step if row.step else extra)):
        raise OfError(Error.OFPBRC_BAD_LEN)
    message = Message(row.kind, version, xid, row.header, data)
    if bodiless and row.least and not message.more:
        raise OfError(Error.OFPBRC_BAD_LEN)
    return message
