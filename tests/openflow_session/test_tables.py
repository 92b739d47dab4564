# SPDX-License-Identifier: Apache-2.0
"""Table features, table mods and descriptions, multipart requests in parts."""

import struct

import pytest

from tests.openflow_session.conftest import Peer, error_of, message
from turnout import _engine
from turnout.openflow.session import multipart
from turnout.openflow.session.bridge import Bridge

NX, ONF = 0x2320, 0x4F4E4600
FEATURES = struct.pack("!HH4x", 12, 0)
MORE = struct.pack("!HH4x", 12, 1)
both = pytest.mark.parametrize("version", [4, 5])


def entries(replies: list[bytes]) -> list[bytes]:
    found = []
    for reply in replies:
        at = 16
        while at < len(reply):
            length = int.from_bytes(reply[at : at + 2])
            found.append(reply[at : at + length])
            at += length
    return found


def properties(entry: bytes) -> dict[int, bytes]:
    found, at = {}, 64
    while at < len(entry):
        kind, length = struct.unpack_from("!HH", entry, at)
        assert kind not in found
        found[kind] = entry[at + 4 : at + length]
        at += -(-length // 8) * 8
    assert at == len(entry)
    return found


@both
def test_features(bridge: Bridge, version: int) -> None:
    replies = Peer(bridge, version).say(message(version, 18, body=FEATURES))
    assert all(len(r) < 65536 for r in replies)
    assert [r[11] for r in replies] == [1] * (len(replies) - 1) + [0]
    tables = entries(replies)
    assert [t[2] for t in tables] == list(range(254))
    fields = {f.oxm >> 9 for f in _engine.oxm_fields() if f.oxm}
    for number in (0, 100, 253):
        _, _, name, match, write, capabilities, most = struct.unpack_from("!HB5x32sQQII", tables[number])
        assert (name.rstrip(b"\0"), match, write) == (b"", 0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF)
        assert (capabilities, most) == (0xC if version == 5 else 0, 1_000_000)
        found = properties(tables[number])
        assert set(found) == {0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 13, 14, 15}
        assert found[2] == bytes(range(number + 1, 254))
        instructions = [kind for kind, _ in struct.iter_unpack("!HH", found[0])]
        assert instructions == ([1, 2, 3, 4, 5, 6] if number < 253 else [2, 3, 4, 5, 6])
        assert {header >> 9 for (header,) in struct.iter_unpack("!I", found[8])} == fields
        assert {header & 0x100 for (header,) in struct.iter_unpack("!I", found[10])} == {0}


@both
def test_set_features(bridge: Bridge, version: int) -> None:
    peer = Peer(bridge, version)
    tables = entries(peer.say(message(version, 18, body=FEATURES)))
    named = [t[:8] + b"acl".ljust(32, b"\0") + t[40:] if t[2] == 3 else t for t in tables]
    parts = [message(version, 18, body=MORE + b"".join(named[at : at + 10])) for at in range(0, 250, 10)]
    assert peer.say(*parts) == []
    replies = peer.say(message(version, 18, body=FEATURES + b"".join(named[250:])))
    assert entries(replies) == named
    assert bridge.table_settings[3].name == "acl"


def broken(entry: bytes, at: int, data: bytes) -> bytes:
    return entry[:at] + data + entry[at + len(data) :]


@both
def test_features_that_cannot_be(bridge: Bridge, version: int) -> None:
    peer = Peer(bridge, version)
    tables = entries(peer.say(message(version, 18, body=FEATURES)))
    entry = tables[253]
    bad_len = (13, 3) if version == 4 else (14, 1)
    bad_type = (13, 2) if version == 4 else (14, 0)
    unencodable = (NX, 10)
    for body, error in (
        (entry, (13, 5)),  # one table: the others would have to go
        (entry[:32] + bytes(8), bad_len),
        (broken(entry, 0, b"\0\x3f"), bad_len),
        (broken(entry, 0, b"\xff\xf8"), bad_len),
        (broken(entry, 2, b"\xff"), (13, 0)),
        (broken(entry, 64, b"\0\x09"), bad_type),
        (broken(entry, 66, b"\0\3"), bad_len),
        (broken(entry, 68, b"\0\x63"), (3, 0)),
        (broken(entry, 64, b"\0\2"), unencodable),  # next tables twice
        (struct.pack("!HB5x32sQQII", 64, 5, b"", 0, 0, 0, 0), unencodable),  # without its properties
        (entry + entry, (NX, 44)),
    ):
        replies = peer.say(message(version, 18, body=FEATURES + body))
        assert [error_of(r) for r in replies] == [error], body[:80].hex()
    most = [broken(t, 60, struct.pack("!I", 5)) for t in tables]
    parts = [message(version, 18, body=MORE + b"".join(most[at : at + 10])) for at in range(0, 250, 10)]
    last = message(version, 18, body=FEATURES + b"".join(most[250:]))
    assert [error_of(r) for r in peer.say(*parts, last)] == [(13, 5)], (
        "how many entries there are is ours to say"
    )


@both
def test_parts(bridge: Bridge, version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    peer = Peer(bridge, version)
    port = struct.pack("!HH4xI4x", 4, 0, 0xFFFFFFFF)
    assert peer.say(message(version, 18, body=struct.pack("!HH4x", 4, 1))) == [], "more is to come"
    assert peer.say(message(version, 18, body=port))[0][1] == 19, (
        "empty parts around the one with a body are fine"
    )
    assert peer.say(message(version, 18, body=MORE)) == []
    assert error_of(peer.say(message(version, 18, body=port))[0]) == (1, 2), "another kind in the middle"
    more = struct.pack("!HH4xI4x", 4, 1, 0xFFFFFFFF)
    assert peer.say(message(version, 18, body=more)) == []
    assert error_of(peer.say(message(version, 18, body=port))[0]) == (1, 2), "two bodies"
    monkeypatch.setattr(multipart, "LARGEST", 100)
    many = message(version, 18, body=MORE + bytes(64))
    assert peer.say(many) == []
    assert error_of(peer.say(many)[0]) == (1, 13)
    for xid in range(multipart.MOST):
        assert peer.say(message(version, 18, xid, MORE)) == []
    assert error_of(peer.say(message(version, 18, 99, MORE))[0]) == (1, 13)
    bridge.tick(0.5)
    assert peer.take() == []
    bridge.tick(1.5)
    late = peer.take()
    assert {error_of(r) for r in late} == {(ONF, 2640) if version == 4 else (1, 14)}
    assert len(late) == multipart.MOST


def test_one_zero_has_no_parts(bridge: Bridge) -> None:
    peer = Peer(bridge, 1)
    assert peer.ask(16, struct.pack("!HH", 0, 1))[1] == 17, "its flags mean nothing"


def table_mod(version: int, table: int, config: int, more: bytes = b"") -> bytes:
    return message(version, 17, body=struct.pack("!B3xI", table, config) + more)


def test_table_mod_of_13(bridge: Bridge) -> None:
    peer = Peer(bridge, 4)
    assert peer.say(table_mod(4, 3, 0), table_mod(4, 0xFF, 3)) == [], "deprecated: changes nothing"
    assert error_of(peer.say(table_mod(4, 254, 0))[0]) == (8, 0)


def test_table_mod_of_14(bridge: Bridge) -> None:
    peer = Peer(bridge, 5)
    desc = struct.pack("!HH4x", 14, 0)
    eviction = struct.pack("!HHI", 2, 8, 7)

    def described(table: int) -> bytes:
        return entries(peer.say(message(5, 18, body=desc)))[table]

    assert described(3) == struct.pack("!HBxI", 16, 3, 0) + eviction
    vacancy = struct.pack("!HHBBBx", 3, 8, 10, 20, 0)
    assert peer.say(table_mod(5, 3, 4 | 8, vacancy)) == []
    assert described(3) == struct.pack("!HBxI", 24, 3, 12) + eviction + struct.pack(
        "!HHBBBx", 3, 8, 10, 20, 100
    )
    assert described(4) == struct.pack("!HBxI", 16, 4, 0) + eviction
    for table, more, error in (
        (254, b"", (8, 0)),
        (3, struct.pack("!HHI", 2, 8, 1), (8, 1)),
        (3, struct.pack("!HHBBBx", 3, 8, 30, 20, 0), (14, 2)),
        (3, struct.pack("!HHBBBx", 3, 8, 10, 101, 0), (14, 2)),
        (3, struct.pack("!HHBBBx", 3, 8, 10, 20, 1), (14, 2)),
        (3, struct.pack("!HHI", 9, 8, 0), (1, 1)),
        (3, struct.pack("!HHI", 2, 4, 0), (14, 1)),
    ):
        assert error_of(peer.say(table_mod(5, table, 4, more))[0]) == error
    assert described(3)[4:8] == struct.pack("!I", 12), "what is refused changes nothing"
    assert peer.say(table_mod(5, 0xFF, 0)) == []
    assert described(3) == struct.pack("!HBxI", 16, 3, 0) + eviction


def test_vacancy_events(bridge: Bridge) -> None:
    peer, other = Peer(bridge, 5), Peer(bridge, 4)
    bridge.table_settings[0].limit = 10
    bridge.configure_tables([0])
    peer.say(message(5, 28, body=struct.pack("!HHI", 9, 8, 0x18)))
    peer.say(table_mod(5, 0, 8, struct.pack("!HHBBBx", 3, 8, 30, 50, 0)))
    bridge.tick(1.0)
    assert peer.take() == []

    def flows(command: int, count: int) -> None:
        for i in range(count):
            fixed = struct.pack("!QQBBHHHIIIH2x", 0, 0, 0, command, 0, 0, 5, *(0xFFFFFFFF,) * 3, 0)
            match = struct.pack("!HHII4x", 1, 12, 0x80000004, i + 1)
            assert other.say(message(4, 14, body=fixed + match)) == []

    flows(0, 8)
    bridge.tick(2.0)
    [status] = peer.take()
    assert (status[1], status[8], status[18], status[38]) == (31, 3, 0, 20), "vacancy is down to 20 %"
    bridge.tick(3.0)
    assert peer.take() == []
    flows(4, 4)
    bridge.tick(4.0)
    assert [(m[1], m[8]) for m in peer.take()] == [(31, 4)]
    assert other.take() == []
    bridge.table_settings[0].limit = 4_294_967_295
    bridge.table_settings[0].vacancy = None
    bridge.configure_tables([0])
