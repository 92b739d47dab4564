# SPDX-License-Identifier: Apache-2.0
"""Negotiation, echo, features, configuration, roles and what each controller is told: standard in, bytes
out.
"""

import itertools
import struct

import pytest

from tests.openflow_session.conftest import (
    ALL_VERSIONS,
    FakeHost,
    Peer,
    error_of,
    message,
    nicira,
    real_messages,
    vendor,
)
from turnout.openflow.session import session as sessions
from turnout.openflow.session.bridge import Bridge
from turnout.openflow.session.constants import Role
from turnout.openflow.session.ports import Port

NX, ONF = 0x2320, 0x4F4E4600
VERSIONS = sorted(ALL_VERSIONS)


def port(number: int, name: str = "", *, config: int = 0) -> Port:
    mac = bytes((2, 0, 0, 0, 0, number & 0xFF))
    return Port(number, name or f"p{number}", mac, up=True, speed=0, config=config)


# --- negotiation (OpenFlow 1.3.5, 6.3.1)


@pytest.mark.parametrize(
    ("hello", "version"),
    [
        (message(1, 0), 1),
        (message(2, 0), 1),
        (message(3, 0), 1),
        (message(4, 0), 4),
        (message(5, 0), 5),
        (message(6, 0), 5),
        (message(9, 0, body=b"\xff" * 5), 5),  # damaged elements are passed over
        (message(4, 0, body=struct.pack("!HHI", 1, 8, 1 << 4)), 4),
        (message(6, 0, body=struct.pack("!HHI", 1, 8, 1 << 1 | 1 << 6)), 1),
        (message(6, 0, body=struct.pack("!HH4xHHI", 9, 8, 1, 8, 1 << 4)), 4),  # an unknown element first
        (message(6, 0, body=struct.pack("!HHI", 1, 8, 0)), 5),  # an empty bitmap says nothing
    ],
)
def test_negotiation(bridge: Bridge, hello: bytes, version: int) -> None:
    peer = Peer(bridge, 0, hello=False)
    assert peer.say(hello) == []
    assert peer.session.version == version


def test_no_version_in_common(bridge: Bridge) -> None:
    peer = Peer(bridge, 0, hello=False)
    [reply] = peer.say(message(6, 0, 9, struct.pack("!HHI", 1, 8, 1 << 6)))
    assert (reply[0], error_of(reply), reply[4:8]) == (6, (0, 0), b"\0\0\0\t")
    assert (
        reply[12:]
        == b"We support OpenFlow10, OpenFlow13, OpenFlow14, you support version 0x06, no common versions."
    )
    assert peer.session.closed
    assert peer.say(message(4, 2)) == []


def test_our_hello() -> None:
    assert sessions.hello(ALL_VERSIONS) == bytes.fromhex("05000010000000010001000800000032")
    assert sessions.hello(frozenset((1,))) == bytes.fromhex("0100000800000001")


def test_something_before_hello(bridge: Bridge) -> None:
    peer = Peer(bridge, 0, hello=False)
    assert peer.say(message(4, 5)) == []
    assert peer.session.closed


def test_configured_versions(bridge: Bridge) -> None:
    session = bridge.open(number=1, versions=frozenset((1, 4)), service=False, name="x")
    session.receive(message(5, 0), 0.0)
    assert session.version == 4


@pytest.mark.parametrize("version", VERSIONS)
def test_another_version_later(bridge: Bridge, version: int) -> None:
    peer = Peer(bridge, version)
    other = 4 if version == 1 else 1
    [reply] = peer.say(message(other, 5, 3))
    assert (reply[0], error_of(reply), reply[4:8], reply[12:]) == (
        version,
        (1, 0),
        b"\0\0\0\3",
        message(other, 5, 3),
    )
    [reply] = peer.say(message(other, 2, 4, b"hi"))
    assert reply == message(other, 3, 4, b"hi"), "echo may come in any version"
    assert peer.session.connected


@pytest.mark.parametrize("version", VERSIONS)
def test_a_length_that_cannot_be(bridge: Bridge, version: int) -> None:
    peer = Peer(bridge, version)
    [reply] = peer.say(struct.pack("!BBHI", version, 5, 7, 3))
    assert error_of(reply) == (1, 6)
    assert peer.session.closed


@pytest.mark.parametrize("version", VERSIONS)
def test_byte_by_byte_and_all_at_once(bridge: Bridge, version: int) -> None:
    peer = Peer(bridge, version)
    requests = message(version, 2, 1, b"abc") + message(version, 7, 2) + message(version, 5, 3)
    at_once = peer.say(requests)
    one_by_one = [reply for byte in requests for reply in peer.say(bytes([byte]))]
    assert at_once == one_by_one
    assert len(at_once) == 3


@pytest.mark.parametrize("version", VERSIONS)
def test_errors_quote_64_bytes(bridge: Bridge, version: int) -> None:
    peer = Peer(bridge, version)
    request = message(version, 99, 5, bytes(range(200)))
    [reply] = peer.say(request)
    assert error_of(reply) == (1, 1)
    assert reply[12:] == request[:64]


@pytest.mark.parametrize("version", VERSIONS)
def test_errors_and_echo_replies_get_no_answer(bridge: Bridge, version: int) -> None:
    peer = Peer(bridge, version)
    assert peer.say(message(version, 1, 1, bytes(4)), message(version, 3, 1, b"x")) == []


# --- replies, byte by byte what Open vSwitch says


def test_real_replies(bridge: Bridge) -> None:
    rows = real_messages()
    same = 0
    for version in (1, 4):
        peer = Peer(bridge, version, service=True)
        for request, reply in itertools.pairwise(rows):
            if request.version != version or not request.to_switch or reply.to_switch:
                continue
            kind, body = request.type, request.data[8:]
            known = (
                kind in (2, 7)
                or (kind == 5 and version == 4)
                or (kind in (16, 18) and len(body) >= 4 and body[:2] == b"\0\0")
            )
            if known and request.data[4:8] == reply.data[4:8]:
                assert peer.say(request.data) == [reply.data], request.data.hex()
                same += 1
    assert same >= 6


def test_features(bridge: Bridge, host: FakeHost) -> None:
    host.port_list = [port(0xFFFFFFFE, "br0"), port(2), port(1)]
    for version, capabilities in ((1, 0xC7), (4, 0x4F), (5, 0x24F)):
        reply = Peer(bridge, version).ask(5)
        assert reply[1] == 6
        fields = struct.unpack_from("!QIBBxxII", reply, 8)
        assert fields == (0xE2A859633843, 0, 254, 0, capabilities, 0xFFF if version == 1 else 0)
        numbers = [int.from_bytes(reply[at : at + 2]) for at in range(32, len(reply), 48)]
        assert numbers == ([1, 2, 0xFFFE] if version == 1 else [])


@pytest.mark.parametrize("version", VERSIONS)
def test_config(bridge: Bridge, host: FakeHost, version: int) -> None:
    peer = Peer(bridge, version)
    assert peer.ask(7)[8:] == struct.pack("!HH", 0, 128)
    assert peer.say(message(version, 9, body=struct.pack("!HH", 1, 0xFFFF))) == []
    assert peer.ask(7)[8:] == struct.pack("!HH", 1, 0xFFFF)
    assert host.frag == 1
    assert peer.refused(9, struct.pack("!HH", 8, 0)) == ((NX, 1, 521) if version == 1 else (10, 0))
    ttl = peer.say(message(version, 9, body=struct.pack("!HH", 4, 128)))
    if version == 1:  # OFPC_INVALID_TTL_TO_CONTROLLER went away with 1.3
        assert ttl == []
        assert peer.ask(7)[8:] == struct.pack("!HH", 4, 128)
    else:
        assert error_of(ttl[0]) == (10, 0)


@pytest.mark.parametrize("version", VERSIONS)
def test_barrier(bridge: Bridge, version: int) -> None:
    peer = Peer(bridge, version)
    kind = 18 if version == 1 else 20
    assert peer.ask(kind) == message(version, kind + 1)
    assert peer.refused(kind, b"x") == (1, 6)


# --- roles (1.3.5, 6.3.5 and 7.3.9)


def role(version: int, number: int, generation: int) -> bytes:
    return message(version, 24, body=struct.pack("!I4xQ", number, generation))


@pytest.mark.parametrize("version", [4, 5])
def test_roles(bridge: Bridge, version: int) -> None:
    one, two = Peer(bridge, version), Peer(bridge, version)
    nobody = 0xFFFFFFFFFFFFFFFF
    assert one.say(role(version, 0, 0)) == [message(version, 25, body=struct.pack("!I4xQ", 1, nobody))]
    assert one.say(role(version, 2, 5)) == [message(version, 25, body=struct.pack("!I4xQ", 2, 5))]
    assert two.say(role(version, 2, 6)) == [message(version, 25, body=struct.pack("!I4xQ", 2, 6))]
    assert one.session.role is Role.SLAVE
    status = struct.pack("!IB3xQ", 3, 0, 6)
    expected = vendor(4, ONF, 1911, status, 0) if version == 4 else message(5, 30, 0, status)
    assert one.take() == [expected], "the old master is told that it is a slave now"
    [reply] = one.say(role(version, 2, 5))
    assert error_of(reply) == (11, 0), "stale"
    assert one.say(role(version, 3, 6))[0][1] == 25
    [reply] = one.say(role(version, 4, 9))
    assert error_of(reply) == (11, 2), "bad role"
    assert one.say(role(version, 0, 0)) == [message(version, 25, body=struct.pack("!I4xQ", 3, 6))]


def test_generations_wrap(bridge: Bridge) -> None:
    peer = Peer(bridge, 4)
    assert peer.say(role(4, 2, 0xFFFFFFFFFFFFFFFF))[0][1] == 25
    assert peer.say(role(4, 2, 3))[0][1] == 25
    assert error_of(peer.say(role(4, 2, 0xFFFFFFFFFFFFFFFF))[0]) == (11, 0)


@pytest.mark.parametrize("version", VERSIONS)
def test_niciras_roles(bridge: Bridge, version: int) -> None:
    one, two = Peer(bridge, version), Peer(bridge, version)
    assert one.say(nicira(version, 10, struct.pack("!I", 1))) == [nicira(version, 11, struct.pack("!I", 1))]
    assert two.say(nicira(version, 10, struct.pack("!I", 1))) == [nicira(version, 11, struct.pack("!I", 1))]
    assert one.session.role is Role.SLAVE
    reply = one.say(nicira(version, 10, struct.pack("!I", 3)))[-1]  # after what it is told of its new role
    assert error_of(reply) == ((NX, 1, 513) if version == 1 else (11, 2))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_slave_may_not_write(bridge: Bridge, host: FakeHost, version: int) -> None:
    host.port_list = [port(1)]
    peer = Peer(bridge, version)
    peer.say(nicira(version, 10, struct.pack("!I", 2)))
    assert peer.session.view.may_write is False
    slave = (1, 5) if version == 1 else (1, 10)
    mod = {1: (15, 24), 4: (16, 32), 5: (16, 24)}[version]
    assert peer.refused(mod[0], bytes(mod[1])) == slave
    if version != 1:
        assert peer.refused(17, bytes(8)) == slave
    peer.say(message(version, 9, body=struct.pack("!HH", 1, 50)))
    assert (host.frag, peer.session.miss_send_len) == (0, 50), (
        "its own settings it may change, the switch's not"
    )


# --- asynchronous configuration


def test_async_of_13(bridge: Bridge) -> None:
    peer = Peer(bridge, 4)
    assert peer.ask(26)[8:] == struct.pack("!6I", 3, 0, 7, 7, 15, 0)
    masks = struct.pack("!6I", 7, 1, 3, 2, 1, 4)
    assert peer.say(message(4, 28, body=masks)) == []
    assert peer.ask(26)[8:] == masks
    assert peer.say(nicira(4, 19, struct.pack("!6I", 1, 0, 0, 0, 0, 0))) == []
    assert peer.ask(26)[8:] == struct.pack("!6I", 1, 0, 0, 0, 0, 0)


def async_properties(reply: bytes) -> dict[int, int]:
    return {kind: mask for kind, length, mask in struct.iter_unpack("!HHI", reply[8:]) if length == 8}


def test_async_of_14(bridge: Bridge) -> None:
    peer = Peer(bridge, 5)
    before = async_properties(peer.ask(26))
    assert before == {0: 0, 1: 0x3B, 2: 7, 3: 7, 4: 0, 5: 63, **dict.fromkeys(range(6, 12), 0)}
    assert peer.say(message(5, 28, body=struct.pack("!HHIHHI", 1, 8, 1, 8, 8, 0x18))) == []
    assert async_properties(peer.ask(26)) == {**before, 1: 1, 8: 0x18}, "only what was named"
    for body, error in (
        (struct.pack("!HHI", 1, 8, 0x100), (15, 0)),  # an unknown reason
        (struct.pack("!HHI", 99, 8, 0), (15, 1)),  # an unknown property
        (struct.pack("!HHI", 1, 4, 0), (14, 1)),
        (struct.pack("!HHI", 1, 16, 0), (14, 1)),
        (struct.pack("!HHIII", 0xFFFF, 16, 0, 0, 0), (14, 5)),
        (struct.pack("!HHIII", 0xFFFF, 16, 5, 0, 0), (14, 6)),
    ):
        assert peer.refused(28, body) == error
    assert async_properties(peer.ask(26)) == {**before, 1: 1, 8: 0x18}, (
        "a request that is refused changes nothing"
    )


def test_ovs_of_the_management_socket(bridge: Bridge) -> None:
    """A service session gets nothing unasked until it says how much of a packet it wants."""
    quiet, loud = Peer(bridge, 1, service=True), Peer(bridge, 1, service=True)
    loud.say(message(1, 9, body=struct.pack("!HH", 0, 128)))
    bridge.host.port_list = [port(3)]  # type: ignore[attr-defined]
    bridge.refresh_ports()
    assert quiet.take() == []
    assert [m[1] for m in loud.take()] == [12]


# --- Nicira's settings


def test_flow_formats(bridge: Bridge) -> None:
    peer = Peer(bridge, 1)

    def current() -> str:
        return str(peer.session.view.format).rpartition(".")[2]

    assert current() == "OF10"
    assert peer.say(nicira(1, 12, struct.pack("!I", 2)), nicira(1, 15, b"\1" + bytes(7))) == []
    assert current() == "NXM_TABLE_ID"
    assert peer.say(nicira(1, 12, struct.pack("!I", 0))) == []
    assert current() == "OF10_TABLE_ID"
    assert error_of(peer.say(nicira(1, 12, struct.pack("!I", 1)))[0]) == (1, 5)
    later = Peer(bridge, 4)
    assert later.say(nicira(4, 15, b"\1" + bytes(7))) == []
    assert str(later.session.view.format).endswith("OXM")


@pytest.mark.parametrize("version", VERSIONS)
def test_packet_in_format_and_controller_id(bridge: Bridge, version: int) -> None:
    peer = Peer(bridge, version)
    assert peer.say(nicira(version, 16, struct.pack("!I", 2)), nicira(version, 20, bytes(7) + b"\5")) == []
    assert str(peer.session.packet_in_format).endswith("NXT2")
    assert peer.session.controller_id == 5
    assert error_of(peer.say(nicira(version, 16, struct.pack("!I", 3)))[0]) == (1, 5)
    wrong = error_of(peer.say(nicira(version, 20, b"\1" + bytes(7)))[0])
    assert wrong == ((NX, 1, 515) if version == 1 else (NX, 4))


def test_who_wants_what_misses(bridge: Bridge, host: FakeHost) -> None:
    new = Peer(bridge, 4)
    assert host.miss is False, "since 1.3 a miss is dropped"
    old = Peer(bridge, 1)
    assert host.miss is True
    old.say(nicira(1, 20, bytes(7) + b"\5"))
    assert host.miss is False
    old.say(nicira(1, 20, bytes(8)))
    assert host.miss is True
    bridge.remove(old.session)
    assert host.miss is False
    assert new.session.connected


# --- a controller that does not read


def test_unread_replies_stop_the_session(bridge: Bridge) -> None:
    peer = Peer(bridge, 4)
    echo = message(4, 2, body=bytes(60_000))
    for _ in range(50):
        peer.session.receive(echo, 0.0)
    assert peer.session.unsent <= sessions.UNREAD + len(echo)
    assert not peer.session.may_read
    assert peer.session.held
    replies = peer.take()
    while peer.session.held or peer.session.receive(b"", 0.0):
        peer.session.receive(b"", 0.0)
        replies += peer.take()
    assert len(replies) == 50


def test_unread_events_end_it(bridge: Bridge, host: FakeHost) -> None:
    peer = Peer(bridge, 4)
    for i in range(250_000):
        host.port_list = [port(1, config=i & 1)]
        bridge.refresh_ports()
        if peer.session.closed:
            break
    assert peer.session.closed == "does not read"
    assert peer.session.unsent < sessions.UNREAD_MOST + 100
