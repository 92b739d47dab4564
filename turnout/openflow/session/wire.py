# SPDX-License-Identifier: Apache-2.0
"""Writing replies, and reading properties with every length checked."""

import struct
from collections.abc import Iterable, Iterator

from turnout.openflow.session.constants import NX_VENDOR, OF10, ONF_VENDOR
from turnout.openflow.session.errors import Error, OfError
from turnout.openflow.session.messages import FLAG_MORE, HEADER, STATS_REQUEST, Message

_LARGEST = 65535  # [B] a message


def message(version: int, number: int, xid: int, body: bytes = b"") -> bytes:
    """A whole message."""
    return HEADER.pack(version, number, 8 + len(body), xid) + body


def vendor(version: int, vendor_id: int, subtype: int, xid: int, body: bytes = b"") -> bytes:
    """A whole vendor or experimenter message."""
    return message(version, 4, xid, struct.pack("!II", vendor_id, subtype) + body)


def nicira(version: int, subtype: int, xid: int, body: bytes = b"") -> bytes:
    """A whole message of Nicira's."""
    return vendor(version, NX_VENDOR, subtype, xid, body)


def onf(version: int, subtype: int, xid: int, body: bytes = b"") -> bytes:
    """A whole message of the ONF's."""
    return vendor(version, ONF_VENDOR, subtype, xid, body)


def multipart(version: int, xid: int, stats_header: bytes, entries: Iterable[bytes]) -> Iterator[bytes]:
    """Replies that carry `entries`, each message as full as it can be. stats_header: what follows the
    message's header, flags zero.
    """
    room = _LARGEST - 8 - len(stats_header)
    number = STATS_REQUEST[version] + 1
    more = stats_header[:2] + struct.pack("!H", FLAG_MORE) + stats_header[4:]
    body: list[bytes] = []
    size = 0
    for entry in entries:
        if size + len(entry) > room:
            yield message(version, number, xid, more + b"".join(body))
            body, size = [], 0
        body.append(entry)
        size += len(entry)
    yield message(version, number, xid, stats_header + b"".join(body))


def stats_reply(request: Message, entries: Iterable[bytes]) -> Iterator[bytes]:
    """Replies to a statistics request, segmented where they must be."""
    header = bytearray(request.data[8 : request.body])
    header[2:4] = b"\0\0"
    if request.version != OF10:
        header[4:8] = bytes(4)
    return multipart(request.version, request.xid, bytes(header), entries)


def pad8(data: bytes) -> bytes:
    """Zeros up to a multiple of 8."""
    return data + bytes(-len(data) % 8)


def prop(number: int, data: bytes) -> bytes:
    """A property: its type, its length without padding, and padded."""
    return pad8(struct.pack("!HH", number, 4 + len(data)) + data)


def properties(
    data: bytes, *, least_experimenter: int = 0xFFFF, align: int = 8
) -> Iterator[tuple[int, bytes]]:
    """Each property's type and its bytes, header included and padding not; an experimenter's type is -1.

    OfError OFPBPC_* if a length is wrong.
    """
    at = 0
    while at < len(data):
        if len(data) - at < 4:
            raise OfError(Error.OFPBPC_BAD_LEN)
        number, length = struct.unpack_from("!HH", data, at)
        padded = -(-length // align) * align
        if length < 4 or padded > len(data) - at:
            raise OfError(Error.OFPBPC_BAD_LEN)
        if number >= least_experimenter:
            if length < 12:
                raise OfError(Error.OFPBPC_BAD_LEN)
            if not any(data[at + 4 : at + 8]):
                raise OfError(Error.OFPBPC_BAD_EXPERIMENTER)
            number = -1
        yield number, data[at : at + length]
        at += padded


def unknown_property(number: int) -> OfError:
    """For a property that a request may not have."""
    return OfError(Error.OFPBPC_BAD_EXP_TYPE if number < 0 else Error.OFPBPC_BAD_TYPE)
