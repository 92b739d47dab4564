# SPDX-License-Identifier: Apache-2.0
"""Ports on the wire: what Open vSwitch's own bytes say of a port, ours say; port mods, status, counters,
queues.
"""

import struct

import pytest

from tests.openflow_session.conftest import FakeHost, Peer, error_of, message, real_messages
from turnout.openflow.session import ports
from turnout.openflow.session.bridge import Bridge
from turnout.openflow.session.ports import Port, PortCounters

NX = 0x2320
ANY, LOCAL = 0xFFFFFFFF, 0xFFFFFFFE
ONE = Port(1, "p1", b"\2\0\0\0\0\1", up=True, speed=0, config=0)
OWN = Port(LOCAL, "br0", b"\2\0\0\0\0\0", up=False, speed=0, config=0)
FAST = Port(7, "dpdk-with-a-long-name", b"\2\0\0\0\0\7", up=True, speed=10_000, config=1)


def described(version: int, kind: int, start: int, size: int) -> list[bytes]:
    """Open vSwitch's descriptions of ports."""
    found = []
    for real in real_messages():
        data = real.data
        if not real.to_switch and real.version == version and real.type == kind and len(data) > start:
            if kind != 6 and data[8:10] != b"\0\x0d":
                continue
            found += [data[at : at + size] for at in range(start, len(data), size)]
    return found


def test_open_vswitchs_bytes() -> None:
    old = described(1, 6, 32, 48) + described(1, 17, 12, 48)
    assert len(old) >= 10
    for data in old:
        number, mac, name, config, state, current = struct.unpack_from("!H6s16sIII", data)
        assert current in (0, 0xC0)  # nothing, or 10GB_FD and COPPER
        name = name.rstrip(b"\0").decode()
        speed, copper = (10_000, True) if current else (0, False)
        port = Port(ports.port_from_wire10(number), name, mac, not state & 1, speed, config, copper)
        assert ports.describe(port, 1) == data
    new = described(4, 19, 16, 64)
    assert len(new) >= 5
    for data in new:
        number, mac, name, config, state, current = struct.unpack_from("!I4x6s2x16sIII", data)
        name = name.rstrip(b"\0").decode()
        speed, copper = (10_000, True) if current else (0, False)
        port = Port(number, name, mac, not state & 1, speed, config, copper)
        assert ports.describe(port, 4) == data


def test_speed() -> None:
    assert struct.unpack_from("!H6s16s6I", ports.describe(FAST, 1))[2] == b"dpdk-with-a-lon\0"
    assert struct.unpack_from("!III", ports.describe(FAST, 1), 24) == (1, 1, 0x40)
    assert struct.unpack_from("!8I", ports.describe(FAST, 4), 32) == (1, 1, 0x40, 0, 0, 0, 10_000_000, 0)
    number, length = struct.unpack_from("!IH", ports.describe(FAST, 5))
    assert (number, length) == (7, len(ports.describe(FAST, 5)))
    assert struct.unpack_from("!HH4x6I", ports.describe(FAST, 5), 40) == (0, 32, 0x40, 0, 0, 0, 10_000_000, 0)


@pytest.mark.parametrize(("version", "size"), [(1, 48), (4, 64), (5, 72)])
def test_description_reply(bridge: Bridge, host: FakeHost, version: int, size: int) -> None:
    host.port_list = [OWN, FAST, ONE]
    head = struct.pack("!HH", 13, 0) + (b"" if version == 1 else bytes(4))
    reply = Peer(bridge, version).ask(16 if version == 1 else 18, head)
    assert reply[8 : 8 + len(head)] == head
    assert reply[8 + len(head) :] == b"".join(ports.describe(p, version) for p in (ONE, FAST, OWN))
    assert len(reply) == 8 + len(head) + 3 * size


def test_many_ports_take_several_messages(bridge: Bridge, host: FakeHost) -> None:
    host.port_list = [Port(n, f"p{n}", b"\2\0\0\0\0\1", up=True, speed=0, config=0) for n in range(1, 1501)]
    replies = Peer(bridge, 4).say(message(4, 18, body=struct.pack("!HH4x", 13, 0)))
    assert [r[11] for r in replies] == [1, 0], "all but the last say that more comes"
    assert sum(len(r) - 16 for r in replies) == 1500 * 64
    assert all(len(r) < 65536 for r in replies)
    [reply] = Peer(bridge, 1).say(message(1, 5))
    assert (len(reply) - 32) // 48 == (65535 - 32) // 48, "as many as fit: the rest is asked for"


@pytest.mark.parametrize("version", [1, 4, 5])
def test_statistics(bridge: Bridge, host: FakeHost, version: int) -> None:
    host.counters = {1: PortCounters(1, 2, 3, 4, 5, 6, 7_000_000_008), LOCAL: PortCounters()}
    peer = Peer(bridge, version)

    def ask(port: int) -> bytes:
        if version == 1:
            return peer.ask(16, struct.pack("!HHH6x", 4, 0, port & 0xFFFF))[12:]
        return peer.ask(18, struct.pack("!HH4xI4x", 4, 0, port))[16:]

    one = ask(1)
    if version == 1:
        assert struct.unpack("!H6x12Q", one) == (1, 1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0, 0)
    elif version == 4:
        assert struct.unpack("!I4x12QII", one) == (1, 1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0, 0, 7, 8)
    else:
        assert struct.unpack("!H2xIII8QHH4x4Q", one) == (
            120,
            1,
            7,
            8,
            1,
            2,
            3,
            4,
            5,
            6,
            0,
            0,
            0,
            40,
            0,
            0,
            0,
            0,
        )
    assert len(ask(ANY)) == 2 * len(one)
    assert ask(99) == b"", "of a port that is not there, as Open vSwitch: nothing"
    if version != 1:
        assert peer.refused(18, struct.pack("!HH4xI4x", 4, 0, 0x10000)) == (2, 4)


def port_mod(version: int, number: int, mac: bytes, config: int, mask: int, more: bytes = b"") -> bytes:
    if version == 1:
        return message(1, 15, body=struct.pack("!H6sIII4x", number & 0xFFFF, mac, config, mask, 0))
    body = struct.pack("!I4x6s2xII", number, mac, config, mask)
    return message(version, 16, body=body + (bytes(8) if version == 4 else more))


@pytest.mark.parametrize("version", [1, 4, 5])
def test_port_mod(bridge: Bridge, host: FakeHost, version: int) -> None:
    host.port_list = [ONE, OWN]
    bridge.refresh_ports()
    peer, other = Peer(bridge, version), Peer(bridge, 4)
    assert peer.say(port_mod(version, 1, ONE.mac, 0x25, 0x21)) == []
    assert host.port_list[0].config == 0x21, "only bits of the mask"
    [status] = other.take()
    assert (status[1], status[8]) == (12, 2)
    assert status[16:] == ports.describe(host.port_list[0], 4)
    assert struct.unpack_from("!II", status, 48) == (0x21, 1), "down by command: no link"
    assert peer.take() == [], "before 1.5 who asked is not told"
    wrong = (4,) if version == 1 else (7,)
    assert error_of(peer.say(port_mod(version, 9, ONE.mac, 1, 1))[0]) == (*wrong, 0)
    assert error_of(peer.say(port_mod(version, 1, OWN.mac, 1, 1))[0]) == (*wrong, 1)
    if version != 1:
        assert error_of(peer.say(port_mod(version, 0xFF00, ONE.mac, 1, 1))[0]) == (2, 4)
    if version == 5:
        ethernet, unknown = struct.pack("!HHI", 0, 8, 0), struct.pack("!HHI", 9, 8, 0)
        assert peer.say(port_mod(5, 1, ONE.mac, 0, 0, ethernet)) == []
        assert error_of(peer.say(port_mod(5, 1, ONE.mac, 0, 0, unknown))[0]) == (14, 0)
    assert peer.say(port_mod(version, LOCAL, OWN.mac, 0x40, 0x40)) == []
    assert host.port_list[1].config == 0x40


@pytest.mark.parametrize("version", [1, 4, 5])
def test_port_status(bridge: Bridge, host: FakeHost, version: int) -> None:
    host.port_list = [ONE]
    bridge.refresh_ports()
    peer = Peer(bridge, version)
    bridge.refresh_ports()
    assert peer.take() == []
    host.port_list = [ONE, FAST]
    bridge.refresh_ports()
    assert [(m[1], m[8]) for m in peer.take()] == [(12, 0)]
    down = Port(1, "p1", ONE.mac, up=False, speed=0, config=0)
    host.port_list = [down, FAST]
    bridge.refresh_ports()
    [modified] = peer.take()
    assert modified == message(version, 12, 0, struct.pack("!B7x", 2) + ports.describe(down, version))
    host.port_list = [Port(1, "other", ONE.mac, up=True, speed=0, config=0)]
    bridge.refresh_ports()
    assert [(m[1], m[8]) for m in peer.take()] == [(12, 1), (12, 1), (12, 0)]


def test_what_a_version_cannot_see_is_not_told(bridge: Bridge, host: FakeHost) -> None:
    host.port_list = [ONE]
    bridge.refresh_ports()
    new = Peer(bridge, 4)
    host.port_list = [Port(1, "p1", ONE.mac, up=True, speed=0, config=0x10)]  # NO_FLOOD is 1.0's
    bridge.refresh_ports()
    assert new.take() == []


@pytest.mark.parametrize("version", [1, 4, 5])
def test_queues(bridge: Bridge, host: FakeHost, version: int) -> None:
    host.port_list = [ONE]
    peer = Peer(bridge, version)
    bad_port, bad_queue = ((5, 0), (5, 1)) if version == 1 else ((9, 0), (9, 1))
    every = 0xFFFFFFFF

    def stats(port: int, queue: int) -> bytes:
        if version == 1:
            return peer.ask(16, struct.pack("!HHH2xI", 5, 0, port & 0xFFFF, queue))
        return peer.ask(18, struct.pack("!HH4xII", 5, 0, port, queue))

    assert stats(1, every)[1] == (17 if version == 1 else 19)
    assert stats(ANY, every)[1] == (17 if version == 1 else 19)
    assert error_of(stats(9, every)) == bad_port
    assert error_of(stats(1, 3)) == bad_queue
    if version == 5:  # queue descriptions are a multipart message there
        assert peer.ask(18, struct.pack("!HH4xII", 15, 0, 1, every))[1] == 19
        assert peer.refused(18, struct.pack("!HH4xII", 15, 0, 9, every)) == bad_port
    else:
        kind, form = (20, "!H2x") if version == 1 else (22, "!I4x")
        reply = peer.ask(kind, struct.pack(form, 1))
        assert reply[8:] == (struct.pack("!H6x", 1) if version == 1 else struct.pack("!I4x", 1))
        assert reply[1] == kind + 1
        assert peer.refused(kind, struct.pack(form, 9)) == bad_port
