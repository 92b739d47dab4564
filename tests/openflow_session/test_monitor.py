# SPDX-License-Identifier: Apache-2.0
"""Flow monitors of the three versions: what is there, what changes, whose change it was, pauses."""

import struct
from dataclasses import dataclass

import pytest

from tests.openflow_session.conftest import STATS_REPLY, Peer, error_of, message, nicira, vendor
from turnout.openflow.session import flowmatch, monitor
from turnout.openflow.session.bridge import Bridge
from turnout.openflow.session.errors import OfError

NX, ONF, NOBODY, ANY = 0x2320, 0x4F4E4600, 0xFFFFFFFF, 0xFFFFFFFF
INITIAL, ADD, DELETE, MODIFY, ACTIONS, OWN = 1, 2, 4, 8, 16, 32
ALL = INITIAL | ADD | DELETE | MODIFY | ACTIONS | OWN
every = pytest.mark.parametrize("version", [1, 4, 5])


def oxm(*fields: tuple[int, bytes]) -> bytes:
    return b"".join(struct.pack("!I", header) + value for header, value in fields)


def in_port(number: int) -> bytes:
    return oxm((0x80000004, struct.pack("!I", number)))


def nxm_in_port(number: int) -> bytes:
    return oxm((0x00000002, struct.pack("!H", number)))


def ofp_match(entries: bytes) -> bytes:
    data = struct.pack("!HH", 1, 4 + len(entries)) + entries
    return data + bytes(-len(data) % 8)


def flow_mod(port: int, out: int, *, command: int = 0, xid: int = 9, table: int = 0) -> bytes:
    """in_port=PORT → output OUT, as 1.3 has it."""
    fixed = struct.pack("!QQBBHHHIIIH2x", 77, 0, table, command, 0, 0, 5, *(NOBODY,) * 3, 0)
    instruction = struct.pack("!HH4xHHIH6x", 4, 24, 0, 16, out, 0)
    return message(4, 14, xid, fixed + ofp_match(in_port(port)) + instruction)


def request(
    version: int,
    number: int,
    flags: int,
    *,
    table: int = 0xFF,
    port: int = ANY,
    match: bytes = b"",
    command: int = 0,
) -> bytes:
    """`match`: entries, NXM in 1.0 and OXM later."""
    if version == 1:
        body = struct.pack("!IHHHB5x", number, flags, port & 0xFFFF, len(match), table)
        body += match + bytes(-len(match) % 8)
        return message(1, 16, 7, struct.pack("!HHII4x", 0xFFFF, 0, NX, 2) + body)
    padded = ofp_match(match)
    if version == 4:
        body = struct.pack("!IHHIB3x", number, flags, 4 + len(match), port, table) + padded
        return message(4, 18, 7, struct.pack("!HH4xII", 0xFFFF, 0, ONF, 1870) + body)
    flags = flags & 31 | (64 if flags & OWN else 0)
    body = struct.pack("!IIIHBB", number, port, NOBODY, flags, table, command) + padded
    return message(5, 18, 7, struct.pack("!HH4x", 16, 0) + body)


def cancel(version: int, number: int) -> bytes:
    if version == 1:
        return nicira(1, 21, struct.pack("!I", number))
    if version == 4:
        return vendor(4, ONF, 1870, struct.pack("!I", number))
    return request(5, number, 0, command=2)


@dataclass(frozen=True)
class Update:
    """One entry: event is 0 to 3 for initial, added, removed, modified and 4 for an abbreviation, as 1.4
    counts.
    """

    event: int
    table: int = 0
    priority: int = 0
    cookie: int = 0
    reason: int = 0
    rest: bytes = b""


def updates(version: int, replies: list[bytes]) -> list[Update]:
    found = []
    for reply in replies:
        assert (reply[0], reply[1]) == (version, STATS_REPLY[version]), reply.hex()
        at = 16 if version == 5 else 24
        while at < len(reply):
            length, event = struct.unpack_from("!HH", reply, at)
            entry = reply[at : at + length]
            if length == 8:
                assert event == (4 if version == 5 else 3)
                found.append(Update(4, cookie=int.from_bytes(entry[4:])))
            elif version == 5:
                table, reason, _, _, priority, cookie = struct.unpack_from("!BBHHH4xQ", entry, 4)
                found.append(Update(event, table, priority, cookie, reason, entry[24:]))
            else:
                reason, priority, _, _, _, table, cookie = struct.unpack_from("!HHHHHBxQ", entry, 4)
                found.append(Update(event + 1, table, priority, cookie, reason, entry[24:]))
            at += length
    return found


def actions(version: int, rest: bytes, match: int) -> bytes:
    """What follows the match."""
    size = match if version == 1 else int.from_bytes(rest[2:4])
    return rest[-(-size // 8) * 8 :]


OUTPUT = {
    1: struct.pack("!HHHH", 0, 8, 2, 0),
    4: struct.pack("!HH4xHHIH6x", 4, 24, 0, 16, 2, 0),
    5: struct.pack("!HH4xHHIH6x", 4, 24, 0, 16, 2, 0),
}


@every
def test_what_is_there_and_what_changes(bridge: Bridge, version: int) -> None:
    other, peer = Peer(bridge, 4), Peer(bridge, version)
    other.say(flow_mod(1, 2))
    [initial] = updates(version, peer.say(request(version, 3, ALL)))
    assert (initial.event, initial.priority, initial.cookie) == (0 if version == 5 else 1, 5, 77)
    assert actions(version, initial.rest, 6) == OUTPUT[version]
    other.say(flow_mod(2, 2), flow_mod(1, 3, command=1), flow_mod(1, 3, command=4))
    bridge.poll(0.0)
    seen = updates(version, peer.take())
    assert [u.event for u in seen] == [1, 3, 2]
    assert seen[2].reason == 2, "OFPRR_DELETE"
    assert all((u.priority, u.cookie, u.table) == (5, 77, 0) for u in seen)


@every
def test_own_changes(bridge: Bridge, version: int) -> None:
    peer, other = Peer(bridge, version), Peer(bridge, 4)
    full = Peer(bridge, 4)
    assert peer.say(request(version, 1, ADD | DELETE | ACTIONS))[0][1] == STATS_REPLY[version]
    assert full.say(request(4, 1, ADD | DELETE | OWN))[0][1] == 19
    if version == 1:
        peer.say(nicira(1, 12, struct.pack("!I", 2)))
        fixed = struct.pack("!QHHHHIHHH6x", 0, 0, 0, 0, 5, NOBODY, 0xFFFF, 0, 6)
        peer.say(nicira(1, 13, fixed + nxm_in_port(1) + bytes(2), xid=0x55))
    else:
        add = flow_mod(1, 2, xid=0x55)
        peer.say(bytes([version]) + add[1:])
    other.say(flow_mod(2, 2))
    bridge.poll(0.0)
    mine, theirs = updates(version, peer.take())
    assert (mine.event, mine.cookie) == (4, 0x55), "abbreviated to the request's xid"
    assert theirs.event == 1
    assert [u.event for u in updates(4, full.take())] == [1, 1]


@every
def test_which_flows(bridge: Bridge, version: int) -> None:
    other, peer = Peer(bridge, 4), Peer(bridge, version)
    match = nxm_in_port(1) if version == 1 else in_port(1)
    peer.say(request(version, 1, ADD, match=match))
    peer.say(request(version, 2, ADD, table=3))
    peer.say(request(version, 3, ADD, port=9))
    other.say(flow_mod(2, 5), flow_mod(1, 5), flow_mod(2, 5, table=3), flow_mod(4, 9), flow_mod(5, 5))
    bridge.poll(0.0)
    assert len(updates(version, peer.take())) == 3
    [first] = updates(version, peer.say(request(version, 4, INITIAL | ADD, match=match)))
    assert first.table == 0
    assert len(updates(version, peer.say(request(version, 5, INITIAL | ADD, table=3)))) == 1
    assert len(updates(version, peer.say(request(version, 6, INITIAL | ADD, port=9)))) == 1
    assert actions(version, first.rest, 6) == b"", "actions only if asked for"


@every
def test_cancel(bridge: Bridge, version: int) -> None:
    other, peer = Peer(bridge, 4), Peer(bridge, version)
    peer.say(request(version, 1, ADD))
    assert [m for m in peer.say(cancel(version, 1)) if m[1] != STATS_REPLY[version]] == []
    other.say(flow_mod(1, 2))
    bridge.poll(0.0)
    assert peer.take() == []
    unknown = {1: (NX, 1, 519), 4: (NX, 8), 5: (16, 3)}[version]
    assert error_of(peer.say(cancel(version, 1))[0]) == unknown


@every
def test_requests_that_cannot_be(bridge: Bridge, version: int) -> None:
    peer = Peer(bridge, version)
    exists = {1: (NX, 1, 517), 4: (NX, 6), 5: (16, 1)}[version]
    flags = {1: (NX, 1, 518), 4: (NX, 7), 5: (16, 5)}[version]
    table = (NX, 1, 512) if version == 1 else (1, 9)
    peer.say(request(version, 1, ADD))
    assert error_of(peer.say(request(version, 1, ADD))[0]) == exists
    assert error_of(peer.say(request(version, 2, INITIAL))[0]) == flags
    assert error_of(peer.say(request(version, 2, ADD | 0x100))[0]) == flags if version != 5 else True
    assert error_of(peer.say(request(version, 2, ADD, table=254))[0]) == table
    whole = request(version, 2, ADD)
    cut = whole[:2] + struct.pack("!H", len(whole) - 8) + whole[4:-8]
    assert error_of(peer.say(cut)[0]) in {(1, 6), (4, 1)}
    unknown_field = oxm((0x8000FE04, bytes(4)))
    assert error_of(peer.say(request(version, 2, ADD, match=unknown_field))[0])[-1] in {6, 263}
    if version == 5:
        assert error_of(peer.say(request(5, 2, ADD, command=9))[0]) == (16, 4)
        assert len(peer.say(request(5, 1, ADD, command=1))) == 1, "modify"
        assert error_of(peer.say(request(5, 9, ADD, command=1))[0]) == (16, 3)
    assert list(peer.session.monitors.by_id) == [1], "those refused left nothing"


@every
def test_several_in_one_request(bridge: Bridge, version: int) -> None:
    peer = Peer(bridge, version)
    one, two = request(version, 1, ADD), request(version, 2, ADD)
    head = 16 if version == 5 else 24
    both = one + two[head:]
    both = both[:2] + struct.pack("!H", len(both)) + both[4:]
    assert len(peer.say(both)) == 1
    assert list(peer.session.monitors.by_id) == [1, 2]
    again = two + one[head:]
    again = again[:2] + struct.pack("!H", len(again)) + again[4:]
    peer.say(cancel(version, 2))
    assert peer.say(again)[0][1] == 1
    assert list(peer.session.monitors.by_id) == [1], (
        "the first of a request whose second is refused goes, too"
    )


@every
def test_a_monitor_that_is_not_read_pauses(
    bridge: Bridge, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "PAUSE", 2000)
    other, peer = Peer(bridge, 4), Peer(bridge, version)
    peer.say(request(version, 1, INITIAL | ADD | DELETE | ACTIONS))
    for port in range(1, 200):
        other.say(flow_mod(port, 2))
        bridge.poll(0.0)
    assert peer.session.unsent < 4000, "what is not read does not grow"
    assert peer.session.monitors.paused
    assert peer.take()[-1] == monitor.pause_message(version, resumed=False)
    bridge.poll(0.0)
    resumed = peer.take()
    assert resumed[-1] == monitor.pause_message(version, resumed=True)
    assert len(updates(version, resumed[:-1])) == 199, "all that is there now"
    other.say(flow_mod(300, 2))
    bridge.poll(0.0)
    assert [u.event for u in updates(version, peer.take())] == [1]


def test_covers() -> None:
    everything = flowmatch.parse(b"")
    one, other = flowmatch.parse(in_port(1)), flowmatch.parse(in_port(2))
    assert everything.covers(one)
    assert one.covers(one)
    assert not one.covers(other)
    assert not one.covers(everything)
    assert flowmatch.parse(nxm_in_port(1)) == one
    assert flowmatch.parse(nxm_in_port(0xFFFE)) == flowmatch.parse(in_port(0xFFFFFFFE))
    multicast = flowmatch.parse(oxm((0x80000606 + 0x100 + 6, b"\1\0\0\0\0\0" * 2)))
    address = flowmatch.parse(oxm((0x80000606, b"\1\2\3\4\5\6")))
    assert multicast.covers(address)
    assert not address.covers(multicast)
    flags = struct.pack("!IIHH", 0xFFFF0000 | 42 << 9 | 0x108, ONF, 2, 2)
    assert flowmatch.parse(flags).covers(flowmatch.parse(oxm((0x80005402, b"\0\x12"))))


@pytest.mark.parametrize("data", [b"\x80", in_port(1)[:-1], oxm((0x8000FE04, bytes(4)))])
def test_entries_that_cannot_be(data: bytes) -> None:
    with pytest.raises(OfError):
        flowmatch.parse(data)
