# SPDX-License-Identifier: Apache-2.0
"""Bundles: all or nothing, and each error that OpenFlow 1.4 (and the ONF's extension of 1.3) names."""

import struct

import pytest

from tests.openflow_session.conftest import FakeHost, Peer, error_of, message, vendor
from turnout.openflow.session import bundle as bundles
from turnout.openflow.session.bridge import Bridge
from turnout.openflow.session.ports import Port

ONF, NX = 0x4F4E4600, 0x2320
OPEN, CLOSE, COMMIT, DISCARD = 0, 2, 4, 6
ATOMIC, ORDERED = 1, 2
ONE = Port(1, "p1", b"\2\0\0\0\0\1", up=True, speed=0, config=0)


def control(version: int, kind: int, number: int = 1, flags: int = ATOMIC, xid: int = 7) -> bytes:
    body = struct.pack("!IHH", number, kind, flags)
    return vendor(4, ONF, 2300, body, xid) if version == 4 else message(5, 33, xid, body)


def add(version: int, inner: bytes, number: int = 1, flags: int = ATOMIC, xid: int | None = None) -> bytes:
    body = struct.pack("!I2xH", number, flags) + inner
    xid = int.from_bytes(inner[4:8]) if xid is None else xid
    return vendor(4, ONF, 2301, body, xid) if version == 4 else message(5, 34, xid, body)


def flow_mod(version: int, *, xid: int, in_port: int = 1, flags: int = 0) -> bytes:
    """in_port=PORT → drop; port 0: any."""
    match = struct.pack("!HHII4x", 1, 12, 0x80000004, in_port) if in_port else struct.pack("!HH4x", 1, 4)
    fixed = struct.pack("!QQBBHHHIIIH2x", 0, 0, 0, 0, 0, 0, 5, *(0xFFFFFFFF,) * 3, flags)
    return message(version, 14, xid, fixed + match)


def port_mod(version: int, config: int, mac: bytes = ONE.mac) -> bytes:
    body = struct.pack("!I4x6s2xII", 1, mac, config, 0xFFFFFFFF)
    return message(version, 16, body=body + (bytes(8) if version == 4 else b""))


def code(version: int, number: int) -> tuple[int, ...]:
    """OFPBFC_*."""
    return (ONF, 2300 + number) if version == 4 else (17, number)


def count(peer: Peer) -> int:
    """Flows, by an aggregate request."""
    body = struct.pack("!HH4xB3xII4xQQHH4x", 2, 0, 0xFF, 0xFFFFFFFF, 0xFFFFFFFF, 0, 0, 1, 4)
    return int.from_bytes(peer.ask(18, body)[32:36])


both = pytest.mark.parametrize("version", [4, 5])


@both
def test_commit(bridge: Bridge, version: int) -> None:
    peer = Peer(bridge, version)
    assert peer.say(control(version, OPEN)) == [control(version, OPEN + 1, flags=0)]
    for i in range(3):
        assert peer.say(add(version, flow_mod(version, xid=10 + i, in_port=i + 1))) == []
    assert count(peer) == 0, "not before the commit"
    assert peer.say(control(version, CLOSE)) == [control(version, CLOSE + 1, flags=0)]
    assert peer.say(control(version, COMMIT)) == [control(version, COMMIT + 1, flags=0)]
    assert count(peer) == 3
    assert error_of(peer.say(control(version, COMMIT))[0]) == code(version, 2), "gone"


@both
def test_all_or_nothing(bridge: Bridge, version: int) -> None:
    peer = Peer(bridge, version)
    peer.say(control(version, OPEN, flags=ATOMIC | ORDERED))
    bad = add(version, flow_mod(version, xid=11, in_port=0, flags=2), flags=3)
    peer.say(add(version, flow_mod(version, xid=10, in_port=2), flags=3), bad)
    overlap, failed = peer.say(control(version, COMMIT, flags=3))
    assert (error_of(overlap), overlap[4:8], overlap[12:]) == ((5, 3), b"\0\0\0\x0b", bad[:64])
    assert error_of(failed) == code(version, 13)
    assert count(peer) == 0


@both
def test_discard(bridge: Bridge, version: int) -> None:
    peer = Peer(bridge, version)
    peer.say(add(version, flow_mod(version, xid=1)))
    assert peer.say(control(version, DISCARD)) == [control(version, DISCARD + 1, flags=0)]
    assert error_of(peer.say(control(version, DISCARD))[0]) == code(version, 2)
    assert count(peer) == 0


@both
def test_errors_of_control(bridge: Bridge, version: int) -> None:
    peer = Peer(bridge, version)
    for kind in (CLOSE, COMMIT, DISCARD):
        assert error_of(peer.say(control(version, kind, number=99))[0]) == code(version, 2)
    assert error_of(peer.say(control(version, 1))[0]) == code(version, 6)
    peer.say(control(version, OPEN))
    assert error_of(peer.say(control(version, OPEN))[0]) == code(version, 2)
    peer.say(control(version, OPEN))
    assert error_of(peer.say(control(version, CLOSE, flags=ORDERED))[0]) == code(version, 7)
    peer.say(control(version, OPEN), control(version, CLOSE))
    assert error_of(peer.say(add(version, flow_mod(version, xid=1)))[0]) == code(version, 4)
    peer.say(control(version, OPEN), control(version, CLOSE))
    assert error_of(peer.say(control(version, CLOSE))[0]) == code(version, 4)
    peer.say(control(version, OPEN))
    assert error_of(peer.say(control(version, COMMIT, flags=ORDERED))[0]) == code(version, 7)


@both
def test_errors_of_add(bridge: Bridge, version: int) -> None:
    peer = Peer(bridge, version)
    good = flow_mod(version, xid=3)
    for inner, error in (
        (b"", 8),
        (good[:-1], 8),
        (good[:2] + b"\0\7" + good[4:], 8),
        (message(version, 2, 3), 10),
        (message(version, 99, 3), 10),
        (message(version, 18, 3, bytes(8)), 10),
        (control(version, OPEN, xid=3), 10),
    ):
        assert error_of(peer.say(add(version, inner, xid=3))[0]) == code(version, error), inner.hex()
    assert error_of(peer.say(add(version, good, xid=4))[0]) == code(version, 9)
    other = bytes([9 - version]) + good[1:]
    assert error_of(peer.say(add(version, other))[0]) == ((NX, 10) if version == 4 else (NX, 22))
    peer.say(control(version, OPEN))
    assert error_of(peer.say(add(version, good, flags=ORDERED))[0]) == code(version, 7)


@both
def test_a_slave(bridge: Bridge, version: int) -> None:
    peer = Peer(bridge, version)
    peer.say(message(version, 24, body=struct.pack("!I4xQ", 3, 1)))
    assert error_of(peer.say(control(version, OPEN))[0]) == (1, 10)
    assert error_of(peer.say(add(version, flow_mod(version, xid=1)))[0]) == (1, 10)


@both
def test_port_mods(bridge: Bridge, host: FakeHost, version: int) -> None:
    host.port_list = [ONE]
    peer = Peer(bridge, version)
    peer.say(add(version, port_mod(version, 0x20), flags=ORDERED))
    peer.say(add(version, flow_mod(version, xid=3), flags=ORDERED))
    assert host.port_list[0].config == 0
    assert len(peer.say(control(version, COMMIT, flags=ORDERED))) == 1
    assert host.port_list[0].config == 0x20
    assert count(peer) == 1
    peer.say(add(version, port_mod(version, 0)))
    errors = [error_of(e) for e in peer.say(control(version, COMMIT))]
    assert errors == [code(version, 13), code(version, 13)], "not in an atomic bundle"
    peer.say(add(version, flow_mod(version, xid=3, in_port=9), flags=0))
    peer.say(add(version, port_mod(version, 0, mac=bytes(6)), flags=0))
    errors = [error_of(e) for e in peer.say(control(version, COMMIT, flags=0))]
    assert errors == [(7, 1), code(version, 13)]
    assert count(peer) == 1, "nor anything else of a bundle whose port-mod is wrong"


@both
def test_memory_is_bounded(bridge: Bridge, version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    peer = Peer(bridge, version)
    for number in range(bundles.MOST):
        assert peer.say(control(version, OPEN, number=number))[0][1] != 1
    assert error_of(peer.say(control(version, OPEN, number=999))[0]) == code(version, 5)
    monkeypatch.setattr(bundles, "LARGEST", 1000)
    replies = [r for i in range(20) for r in peer.say(add(version, flow_mod(version, xid=i)))]
    assert error_of(replies[0]) == code(version, 12)


@both
def test_idle_bundles_expire(bridge: Bridge, version: int) -> None:
    peer = Peer(bridge, version)
    peer.say(control(version, OPEN, number=1, xid=5))
    bridge.now = 6.0
    peer.say(control(version, OPEN, number=2, xid=6))
    bridge.tick(9.0)
    assert peer.take() == []
    bridge.tick(11.0)
    [late] = peer.take()
    assert (error_of(late), late[4:8]) == (code(version, 14), b"\0\0\0\5")
    assert error_of(peer.say(control(version, CLOSE, number=1))[0]) == code(version, 2)
    assert peer.say(control(version, CLOSE, number=2))[0][1] != 1
