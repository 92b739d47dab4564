# SPDX-License-Identifier: Apache-2.0
"""What a message is, and the error for one that is nothing: unknown types, wrong lengths."""

import struct

import pytest

from tests.openflow_session.conftest import message, nicira, real_messages, vendor
from turnout.openflow.session import messages
from turnout.openflow.session.errors import Error, OfError
from turnout.openflow.session.messages import Kind

REQUESTS = [m for m in real_messages() if m.to_switch]


def failure(data: bytes) -> Error:
    with pytest.raises(OfError) as error:
        messages.decode(data, data[0])
    return error.value.error


@pytest.mark.parametrize("real", REQUESTS, ids=lambda m: m.data.hex()[:24])
def test_real_requests_are_known(real: "object") -> None:
    data = real.data  # type: ignore[attr-defined]
    found = messages.decode(data, data[0])
    assert found.version == data[0]
    assert found.xid == int.from_bytes(data[4:8])


def test_real_kinds() -> None:
    found = {messages.decode(m.data, m.version).kind for m in REQUESTS}
    assert found >= {
        *(Kind.HELLO, Kind.FLOW_MOD, Kind.PORT_MOD, Kind.GROUP_MOD, Kind.METER_MOD, Kind.BARRIER),
        *(Kind.FLOW_STATS, Kind.QUEUE_STATS, Kind.TABLE_FEATURES_STATS, Kind.SET_PACKET_IN_FORMAT),
    }


@pytest.mark.parametrize("real", REQUESTS, ids=lambda m: m.data.hex()[:24])
def test_a_byte_less(real: "object") -> None:
    """What has a fixed length, or comes in steps, is refused a byte short; so is all that is shorter than
    its header.
    """
    data = real.data  # type: ignore[attr-defined]
    kind = messages.decode(data, data[0]).kind
    if kind in (Kind.HELLO, Kind.ECHO_REQUEST, Kind.PACKET_OUT):
        return  # end in bytes of any number
    short = data[:2] + struct.pack("!H", len(data) - 1) + data[4:-1]
    if len(short) >= 8:
        assert failure(short) is Error.OFPBRC_BAD_LEN


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (message(1, 99), Error.OFPBRC_BAD_TYPE),
        (message(1, 22), Error.OFPBRC_BAD_TYPE),  # 1.3's queue config
        (message(4, 33), Error.OFPBRC_BAD_TYPE),  # 1.4's bundles
        (message(4, 6), Error.OFPBRC_BAD_TYPE),  # a reply
        (message(1, 16), Error.OFPBRC_BAD_LEN),
        (message(1, 16, body=struct.pack("!HH", 99, 0)), Error.OFPBRC_BAD_STAT),
        (message(4, 18, body=struct.pack("!HH4x", 14, 0)), Error.OFPBRC_BAD_STAT),  # 1.4's table desc
        (message(4, 18, body=struct.pack("!HH", 1, 0)), Error.OFPBRC_BAD_LEN),
        (message(1, 4, body=bytes(4)), Error.OFPBRC_BAD_LEN),
        (vendor(1, 0x1234, 0), Error.OFPBRC_BAD_VENDOR),
        (nicira(1, 999), Error.OFPBRC_BAD_SUBTYPE),
        (nicira(4, 12, bytes(4)), Error.OFPBRC_BAD_SUBTYPE),  # set-flow-format is 1.0's
        (message(1, 16, body=struct.pack("!HHI", 0xFFFF, 0, 0x1234)), Error.OFPBRC_BAD_VENDOR),
        (message(1, 16, body=struct.pack("!HHII4x", 0xFFFF, 0, 0x2320, 99)), Error.OFPBRC_BAD_SUBTYPE),
        (message(4, 18, body=struct.pack("!HH4xI", 0xFFFF, 0, 0x2320)), Error.OFPBRC_BAD_LEN),
        (message(1, 5, body=b"x"), Error.OFPBRC_BAD_LEN),
        (message(1, 9, body=b"xx"), Error.OFPBRC_BAD_LEN),
        (message(4, 24, body=bytes(15)), Error.OFPBRC_BAD_LEN),
        (
            message(4, 18, body=struct.pack("!HH4x", 4, 0)),
            Error.OFPBRC_BAD_LEN,
        ),  # no body, and no more to come
    ],
)
def test_errors(data: bytes, error: Error) -> None:
    assert failure(data) is error


def test_a_part_may_lack_its_body() -> None:
    part = messages.decode(message(4, 18, body=struct.pack("!HH4x", 4, 1)), 4)
    assert (part.kind, part.more, part.payload) == (Kind.PORT_STATS, True, b"")
