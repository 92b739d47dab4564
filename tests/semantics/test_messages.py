# SPDX-License-Identifier: Apache-2.0
"""Messages from the switch, and the state that sessions have; OpenFlow 1.3.5, sections 6 and 7."""

import struct
import time
from collections.abc import Callable, Iterator

import pytest

from tests.peers import wire
from tests.peers.frames import Wires
from tests.peers.switch import PORTS, Peer
from tests.peers.wire import Message, Session, apply, flow_mod, match, message, multipart, output, oxm
from tests.semantics.case import packet_in_frame
from tests.semantics.packets import udp

_UDP = (oxm(5, b"\x08\0"), oxm(10, b"\x11"))
_TO_CONTROLLER = apply(output(wire.CONTROLLER))
_NO_MATCH, _ACTION, _INVALID_TTL = range(3)


@pytest.fixture
def session(peer: Peer) -> Iterator[Session]:
    """A 1.3 session that wants packet-ins; the switch is empty."""
    peer.reset()
    with peer.session() as controller:
        controller.send(message(wire.OF13, wire.SET_CONFIG, b"\0\0\xff\xff"))
        controller.ask()
        yield controller


def _wait(session: Session, kind: int, timeout: float = 5) -> Message:
    deadline = time.monotonic() + timeout
    while (left := deadline - time.monotonic()) > 0:
        got = session.receive(left)
        if got.type == kind:
            return got
    raise TimeoutError


def test_features(session: Session) -> None:
    """7.3.1: no buffers, 254 tables, the main connection."""
    (reply,) = session.ask(message(wire.OF13, wire.FEATURES_REQUEST))
    _, buffers, tables, auxiliary, capabilities = struct.unpack("!QIBB2xI", reply.body[:20])
    assert (buffers, tables, auxiliary) == (0, 254, 0)
    assert capabilities & 0x4F == 0x4F  # flow, table, port, group and queue statistics


def test_switch_config(session: Session) -> None:
    """7.3.2."""
    for config in (b"\0\0\0\x80", b"\0\1\1\0", b"\0\0\xff\xff"):
        session.send(message(wire.OF13, wire.SET_CONFIG, config))
        (reply,) = session.ask(message(wire.OF13, wire.GET_CONFIG_REQUEST))
        assert (reply.type, reply.body) == (wire.GET_CONFIG_REPLY, config)
    session.ask(message(wire.OF13, wire.SET_CONFIG, b"\0\0\xff\xff"))


def test_echo(session: Session) -> None:
    (reply,) = session.ask(message(wire.OF13, wire.ECHO_REQUEST, b"any bytes", xid=77))
    assert (reply.type, reply.xid, reply.body) == (wire.ECHO_REPLY, 77, b"any bytes")


def _packet_in(session: Session, wires: Wires, peer: Peer, packet: bytes) -> Message:
    peer.settle()
    wires_port = 3
    wires.send(wires_port, packet)
    return _wait(session, wire.PACKET_IN)


@pytest.mark.parametrize(
    ("flow", "reason", "packet"),
    [
        (flow_mod(match(*_UDP), _TO_CONTROLLER, priority=9, cookie=0x77, table=0), _ACTION, udp()),
        (flow_mod(match(), _TO_CONTROLLER, priority=0, cookie=0x77), _NO_MATCH, udp()),
        (
            flow_mod(match(*_UDP), apply(wire.action(24), output(2)), priority=9, cookie=0x77),
            _INVALID_TTL,
            udp(ttl=1),
        ),
    ],
    ids=["an action", "the table-miss entry", "an invalid TTL"],
)
def test_packet_in(
    peer: Peer, wires: Wires, session: Session, flow: bytes, reason: int, packet: object
) -> None:
    """7.4.1: the whole packet, unbuffered, with its port, reason, table and cookie."""
    async_all = struct.pack("!6I", 7, 7, 7, 7, 15, 15)
    assert session.errors(message(wire.OF13, wire.SET_ASYNC, async_all), flow) == []
    got = _packet_in(session, wires, peer, bytes(packet))  # type: ignore[call-overload]
    buffer, total, why, table, cookie = struct.unpack("!IHBBQ", got.body[:16])
    frame = bytes(packet)  # type: ignore[call-overload]
    assert (buffer, total, why, table, cookie) == (wire.NO_BUFFER, len(frame), reason, 0, 0x77)
    assert oxm(0, (3).to_bytes(4, "big")) in got.body
    assert packet_in_frame(got) == frame


def test_packet_in_tells_metadata_and_table(peer: Peer, wires: Wires, session: Session) -> None:
    """7.4.1: the match has what belongs to the packet."""
    flows = [
        flow_mod(match(), wire.write_metadata(0x1234, 0xFFFF), wire.goto(5)),
        flow_mod(match(), _TO_CONTROLLER, table=5, priority=1),
    ]
    assert session.errors(*flows) == []
    got = _packet_in(session, wires, peer, bytes(udp()))
    assert got.body[7] == 5
    assert oxm(2, (0x1234).to_bytes(8, "big")) in got.body


def test_async_configuration_keeps_packet_ins_away(peer: Peer, wires: Wires, session: Session) -> None:
    """7.3.10: by reason; asked back as it was set."""
    masks = struct.pack("!6I", 1, 0, 7, 0, 15, 0)  # no packet-in by an action
    session.send(message(wire.OF13, wire.SET_ASYNC, masks))
    (reply,) = session.ask(message(wire.OF13, wire.ASYNC_REQUEST))
    assert (reply.type, reply.body) == (wire.ASYNC_REPLY, masks)
    flows = [
        flow_mod(match(*_UDP), _TO_CONTROLLER, priority=9, cookie=1),
        flow_mod(match(), _TO_CONTROLLER, priority=0, cookie=2),
    ]
    assert session.errors(*flows) == []
    peer.settle()
    wires.send(1, bytes(udp()))
    got = _packet_in(session, wires, peer, bytes(udp())[:12] + b"\x88\xb5" + bytes(46))
    assert struct.unpack("!Q", got.body[8:16]) == (2,)


@pytest.mark.parametrize("removal", ["delete", "idle", "hard"])
def test_flow_removed(peer: Peer, wires: Wires, session: Session, removal: str) -> None:
    """7.4.2: with cookie, priority, reason, table, timeouts, counters and match."""
    idle, hard = int(removal == "idle"), int(removal == "hard")
    flow = flow_mod(
        match(*_UDP), apply(output(2)), priority=9, cookie=0x99, table=0, flags=1, idle=idle, hard=hard
    )
    assert session.errors(flow) == []
    peer.settle()
    wires.send(1, bytes(udp()))
    if removal == "delete":
        _until(lambda: _flow_counters(session, 0x99)[0] == 1)
        session.send(flow_mod(match(*_UDP), command=wire.DELETE))
    got = _wait(session, wire.FLOW_REMOVED, timeout=10)
    cookie, priority, reason, table, _, _, idle_was, hard_was, packets, octets = struct.unpack(
        "!QHBBIIHHQQ", got.body[:40]
    )
    assert (cookie, priority, table, idle_was, hard_was) == (0x99, 9, 0, idle, hard)
    assert reason == {"idle": 0, "hard": 1, "delete": 2}[removal]
    assert (packets, octets) == (1, len(udp()))
    assert got.body[40:] == match(*_UDP)


def test_flow_removed_is_not_sent_for_a_replacement(session: Session) -> None:
    """6.4: an add that replaces a flow is no removal."""
    flow = flow_mod(match(), apply(output(2)), flags=1)
    assert session.ask(flow, flow) == []
    session.send(flow_mod(command=wire.DELETE))
    assert _wait(session, wire.FLOW_REMOVED).body[10] == 2
    assert all(got.type != wire.FLOW_REMOVED for got in session.ask())


def test_port_status(peer: Peer, session: Session) -> None:
    """7.4.3: a change is told with the port as it is then."""
    with peer.session() as other:
        assert other.errors(wire.port_mod(2, peer.macs[2], 1 << 5, 1 << 5)) == []
    got = _wait(session, wire.PORT_STATUS)
    reason, number, mac = struct.unpack("!B7xI4x6s", got.body[:22])
    assert (reason, number, mac) == (2, 2, peer.macs[2])
    assert int.from_bytes(got.body[40:44], "big") == 1 << 5


def _flow_counters(session: Session, cookie: int) -> tuple[int, int]:
    body = struct.pack("!B3xII4xQQ", 255, wire.ANY, wire.ANY, cookie, 2**64 - 1) + match()
    replies = [got for got in session.ask(multipart(1, body)) if got.type == wire.MULTIPART_REPLY]
    packets, octets = struct.unpack("!QQ", replies[0].body[8 + 32 : 8 + 48])
    return packets, octets


def _until(condition: Callable[[], bool], timeout: float = 5) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _role(session: Session, role: int, generation: int) -> list[Message]:
    return session.ask(message(wire.OF13, wire.ROLE_REQUEST, struct.pack("!I4xQ", role, generation)))


def test_roles(peer: Peer, wires: Wires, session: Session) -> None:
    """6.3.5: a new master makes the old one a slave, which hears no packet-ins and may not change flows."""
    equal, master, slave, any_generation = 1, 2, 3, 2**63
    with peer.session() as other:
        other.send(message(wire.OF13, wire.SET_CONFIG, b"\0\0\xff\xff"))
        (reply,) = _role(other, 0, 0)
        assert struct.unpack("!I", reply.body[:4]) == (equal,)
        (reply,) = _role(session, master, any_generation)
        assert struct.unpack("!I4xQ", reply.body) == (master, any_generation)
        _role(other, master, any_generation + 1)
        (reply,) = [got for got in _role(session, 0, 0) if got.type == wire.ROLE_REPLY]
        assert struct.unpack("!I", reply.body[:4]) == (slave,)
        assert session.errors(flow_mod()) == [(1, 10)]
        assert session.errors(wire.packet_out(bytes(60), output(1))) == [(1, 10)]
        assert other.errors(flow_mod(match(), _TO_CONTROLLER, priority=5)) == []
        peer.settle()
        wires.send(1, bytes(udp()))
        _wait(other, wire.PACKET_IN)
        assert all(got.type != wire.PACKET_IN for got in session.ask())
        _role(other, equal, 0)
        (reply,) = [got for got in _role(session, equal, 0) if got.type == wire.ROLE_REPLY]
        assert session.errors(flow_mod()) == []


def _multipart(session: Session, kind: int, body: bytes = b"") -> list[Message]:
    return [got for got in session.ask(multipart(kind, body)) if got.type == wire.MULTIPART_REPLY]


def test_statistics_in_segments(session: Session) -> None:
    """7.3.5: a reply beyond 64 KiB comes in parts of whole entries, each but the last with REPLY_MORE."""
    count = 3000
    flows = [
        flow_mod(match(oxm(3, number.to_bytes(6, "big"))), apply(output(2)), cookie=number)
        for number in range(count)
    ]
    assert session.errors(*flows) == []
    replies = _multipart(session, 1, struct.pack("!B3xII4xQQ", 255, wire.ANY, wire.ANY, 0, 0) + match())
    assert len(replies) > 1
    flags = [int.from_bytes(reply.body[2:4], "big") for reply in replies]
    assert flags == [1] * (len(replies) - 1) + [0]
    cookies = []
    for reply in replies:
        body = reply.body[8:]
        while body:
            length = int.from_bytes(body[:2], "big")
            cookies.append(int.from_bytes(body[24:32], "big"))
            body = body[length:]
    assert sorted(cookies) == list(range(count))
    (reply,) = _multipart(session, 2, struct.pack("!B3xII4xQQ", 255, wire.ANY, wire.ANY, 0, 0) + match())
    assert struct.unpack("!QQI", reply.body[8:28]) == (0, 0, count)


def test_counters(peer: Peer, wires: Wires, session: Session) -> None:
    """5.8: per flow, table, group and bucket; packets and bytes as received."""
    group = wire.group_mod(0, 0, 5, wire.bucket(output(2)), wire.bucket(output(3)))
    flows = [
        flow_mod(match(), wire.goto(1), priority=1, cookie=0x10),
        flow_mod(
            match(*_UDP), apply(wire.action(22, (5).to_bytes(4, "big"))), table=1, priority=1, cookie=0x11
        ),
    ]
    assert session.errors(group, *flows) == []
    before = _tables(session)
    peer.settle()
    for _ in range(3):
        wires.send(1, bytes(udp()))
    size = len(udp())
    _until(lambda: _flow_counters(session, 0x11) == (3, 3 * size))
    assert _flow_counters(session, 0x10) == (3, 3 * size)
    after = _tables(session)
    assert [after[table][0] for table in (0, 1, 2)] == [1, 1, 0]
    if peer.name != "ovs":  # whose table counters come and go with its caches
        assert [after[table][1] - before[table][1] for table in (0, 1, 2)] == [3, 3, 0]
        assert [after[table][2] - before[table][2] for table in (0, 1, 2)] == [3, 3, 0]
    (reply,) = _multipart(session, 6, struct.pack("!I4x", 5))
    ref, packets, octets = struct.unpack("!I4xQQ", reply.body[8 + 8 : 8 + 32])
    assert (ref, packets, octets) == (1, 3, 3 * size)
    assert struct.unpack("!QQQQ", reply.body[8 + 40 : 8 + 72]) == (3, 3 * size, 3, 3 * size)


def _tables(session: Session) -> dict[int, tuple[int, int, int]]:
    """Active, looked up and matched of each table (OFPMP_TABLE)."""
    found = {}
    for reply in _multipart(session, 3):
        for number, *counts in struct.iter_unpack("!B3xIQQ", reply.body[8:]):
            found[number] = (counts[0], counts[1], counts[2])
    return found


def test_port_statistics(peer: Peer, wires: Wires, session: Session) -> None:
    """7.3.5.6."""

    def ports() -> dict[int, tuple[int, int, int, int]]:
        (reply,) = _multipart(session, 4, struct.pack("!I4x", wire.ANY))
        rows = struct.iter_unpack("!I4x12QII", reply.body[8:])
        return {row[0]: (row[1], row[2], row[3], row[4]) for row in rows}

    assert session.errors(flow_mod(match(), apply(output(2)))) == []
    peer.settle()
    before = ports()
    assert {*PORTS, wire.LOCAL} <= set(before)
    wires.send(1, bytes(udp()))
    size = len(udp())

    def moved() -> bool:
        after = ports()
        received = [new - old for new, old in zip(after[1], before[1], strict=True)]
        sent = [new - old for new, old in zip(after[2], before[2], strict=True)]
        return received == [1, 0, size, 0] and sent == [0, 1, 0, size]

    _until(moved)


def test_group_and_meter_descriptions(session: Session) -> None:
    """7.3.5.10 and 7.3.5.13: as they were given."""
    buckets = (wire.bucket(output(2), weight=3), wire.bucket(output(3), weight=1))
    assert session.errors(wire.group_mod(0, 1, 5, *buckets)) == []
    (reply,) = _multipart(session, 7)
    body = b"".join(buckets)
    assert reply.body[8:] == struct.pack("!HBxI", 8 + len(body), 1, 5) + body
    band = wire.drop_band(1000, 100)
    assert session.errors(wire.meter_mod(0, 1 | 4, 9, band)) == []
    (reply,) = _multipart(session, 10, struct.pack("!I4x", 9))
    assert reply.body[8:] == struct.pack("!HHI", 8 + len(band), 1 | 4, 9) + band


def test_a_flow_is_told_as_it_was_given(session: Session) -> None:
    """7.3.5.2: match, instructions, timeouts, flags, cookie and priority."""
    instructions = (
        apply(wire.set_field(oxm(12, b"\1\2\3\4")), output(2)),
        wire.write(output(3)),
        wire.write_metadata(5, 0xFF),
        wire.goto(9),
    )
    fields = match(oxm(5, b"\x08\0"), oxm(11, b"\x0a\0\0\0", b"\xff\0\0\0"))
    flow = flow_mod(fields, *instructions, table=3, priority=77, cookie=0xABC, idle=30, hard=300, flags=1)
    assert session.errors(flow) == []
    (reply,) = _multipart(session, 1, struct.pack("!B3xII4xQQ", 255, wire.ANY, wire.ANY, 0, 0) + match())
    entry = reply.body[8:]
    table, priority, idle, hard, flags, cookie = struct.unpack("!2xBx8xHHHH4xQ", entry[:32])
    assert (table, priority, idle, hard, flags, cookie) == (3, 77, 30, 300, 1, 0xABC)
    assert entry[48:] == fields + b"".join(instructions)


@pytest.mark.parametrize(
    ("what", "kind", "body"),
    [
        ("desc", 0, b""),
        ("table features", 12, b""),
        ("group features", 8, b""),
        ("meter features", 11, b""),
        ("port desc", 13, b""),
        ("queue", 5, struct.pack("!II", wire.ANY, 0xFFFFFFFF)),
        ("meter", 9, b"\xff\xff\xff\xff\0\0\0\0"),
    ],
)
def test_every_multipart_is_answered(session: Session, what: str, kind: int, body: bytes) -> None:
    replies = _multipart(session, kind, body)
    assert replies, what
    assert all(reply.body[:2] == kind.to_bytes(2, "big") for reply in replies)
    assert replies[-1].body[2:4] == b"\0\0"


def test_ports_down_and_their_flags(peer: Peer, wires: Wires, session: Session) -> None:
    """7.2.1: no-receive drops what comes in, no-forward what would go out, no-packet-in what would go up."""
    assert session.errors(flow_mod(match(), apply(output(2), output(wire.CONTROLLER)))) == []
    no_recv, no_fwd, no_packet_in = 1 << 2, 1 << 5, 1 << 6

    def config(port: int, bits: int) -> None:
        assert session.errors(wire.port_mod(port, peer.macs[port], bits, 0xFFFFFFFF)) == []
        peer.settle()

    wires.drain(2)
    config(2, no_fwd)
    _packet_in(session, wires, peer, bytes(udp()))
    config(2, 0)
    assert wires.drain(2) == []
    config(1, no_recv)
    wires.send(1, bytes(udp(sport=1)))
    got = _packet_in(session, wires, peer, bytes(udp(sport=3)))
    assert packet_in_frame(got) == bytes(udp(sport=3))
    if peer.name == "ovs":  # which holds no-packet-in against an OpenFlow 1.0 miss only
        return
    # Only table misses are meant (7.2.1), which 1.3 sends up by an entry of priority 0.
    assert session.errors(flow_mod(command=wire.DELETE), flow_mod(match(), _TO_CONTROLLER, priority=0)) == []
    config(1, no_packet_in)
    wires.send(1, bytes(udp(sport=5)))
    got = _packet_in(session, wires, peer, bytes(udp(sport=7)))
    assert packet_in_frame(got) == bytes(udp(sport=7))
    config(1, 0)


def test_packet_out(wires: Wires, session: Session) -> None:
    """7.3.7: through actions, from a port or the controller; OFPP_TABLE goes through the tables."""
    assert session.errors(flow_mod(match(oxm(0, b"\0\0\0\1")), apply(output(4)), priority=9)) == []
    wires.drain(2), wires.drain(4)
    assert (
        session.errors(
            wire.packet_out(bytes(udp(sport=1)), output(2)),
            wire.packet_out(bytes(udp(sport=2)), output(wire.TABLE), in_port=1),
            wire.packet_out(bytes(udp(sport=3)), output(wire.TABLE), in_port=3),
            wire.packet_out(bytes(udp(sport=4)), wire.action(24), output(2)),
            wire.packet_out(bytes(udp(sport=9)), output(2)),
            wire.packet_out(bytes(udp(sport=9)), output(4)),
        )
        == []
    )
    last = bytes(udp(sport=9))
    assert wires.drain(2, last) == [bytes(udp(sport=1)), bytes(udp(sport=4, ttl=63)), last]
    assert wires.drain(4, last) == [bytes(udp(sport=2)), last]
