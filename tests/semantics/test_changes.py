# SPDX-License-Identifier: Apache-2.0
"""Changes while packets flow: none is lost, none sees half a change, unrelated flows do not notice."""

import struct
from collections import Counter
from collections.abc import Callable, Iterable

import pytest

from tests.peers import wire
from tests.peers.frames import Wires, marker_flow
from tests.peers.switch import BRIDGE, PORTS, Peer
from tests.peers.wire import (
    ADD,
    DELETE,
    DELETE_STRICT,
    MODIFY,
    MODIFY_STRICT,
    OF14,
    apply,
    bucket,
    drop_band,
    flow_mod,
    goto,
    group_mod,
    match,
    message,
    meter,
    meter_mod,
    output,
    oxm,
    port_mod,
    set_field,
)  # fmt: skip
from tests.semantics.packets import udp
from turnout.lab.daemon import Daemon
from turnout.lab.wait import until

_WINDOW = 32  # frames under way: fewer than any queue on the way holds
_IP, _UDP = oxm(5, b"\x08\0"), oxm(10, b"\x11")


class _Stream:
    """Numbered frames into port 1, a window at a time."""

    def __init__(self, wires: Wires) -> None:
        self._wires = wires
        self._sent = 0
        wires.exchange(1, [])  # what is still under way from before is not ours
        for port in PORTS:
            wires.drain(port)

    def run(self, ports: Iterable[int], change: Callable[[], None]) -> dict[int, int]:
        """Send a window, call `change` while it is under way, then see each frame come out of one of `ports`
        once. How many came out of which.
        """
        wanted = set(range(self._sent, self._sent + _WINDOW))
        for number in sorted(wanted):
            self._wires.send(1, _frame(number))
            if number == self._sent + _WINDOW // 2:
                change()
        self._sent += _WINDOW
        came: Counter[int] = Counter()
        numbers: Counter[int] = Counter()
        for port, frame in self._wires.until_all(ports, _WINDOW):
            came[port] += 1
            numbers[_number(frame)] += 1
        assert numbers == Counter(wanted), f"lost {wanted - set(numbers)}, twice {numbers - Counter(wanted)}"
        return dict(came)


def _frame(number: int) -> bytes:
    packet = udp()
    packet.lastlayer().load = struct.pack("!I", number) + bytes(30)
    return bytes(packet)


def _number(frame: bytes) -> int:
    return int.from_bytes(frame[-34:-30], "big")


def _bundle(number: int, *messages: bytes) -> bytes:
    """1.4, 7.3.9: open, add, commit, atomic and ordered."""
    flags = 3

    def control(kind: int) -> bytes:
        return message(OF14, wire.BUNDLE_CONTROL, struct.pack("!IHH", number, kind, flags), xid=number)

    added = [
        message(OF14, wire.BUNDLE_ADD, struct.pack("!IxxH", number, flags) + one, xid=number)
        for one in messages
    ]
    return b"".join([control(0), *added, control(4)])


def _rules(dscp: int, version: int = OF14, xid: int = 0) -> list[bytes]:
    """Table 0 marks, table 1 sends on what has the mark; anything else is wrong and goes out of port 3."""
    marked = [_IP, oxm(8, bytes([dscp]))]
    return [
        flow_mod(command=DELETE, table=255, version=version, xid=xid),
        flow_mod(match(_IP), apply(set_field(oxm(8, bytes([dscp])))), goto(1), version=version, xid=xid),
        flow_mod(match(*marked), apply(output(2)), table=1, priority=9, version=version, xid=xid),
        flow_mod(match(), apply(output(3)), table=1, priority=1, version=version, xid=xid),
    ]


def test_a_bundle_changes_two_tables_at_once(peer: Peer, wires: Wires) -> None:
    """Each packet meets either all of the old rules or all of the new."""
    peer.reset(*_rules(10, wire.OF13), marker_flow())
    peer.settle()
    stream = _Stream(wires)
    with peer.session(OF14) as session:
        for number in range(1, 50):
            rules = _rules(20 if number % 2 else 10, xid=number)
            came = stream.run([2, 3], lambda: session.send(_bundle(number, *rules)))  # noqa: B023
            assert came == {2: _WINDOW}
            assert [session.receive().type for _ in range(2)] == [
                wire.BUNDLE_CONTROL
            ] * 2  # opened, committed


def test_a_modified_flow_sends_each_packet_once(peer: Peer, wires: Wires) -> None:
    """A modify, or an add in its place: a packet goes the old way or the new one, never both or none."""
    peer.reset(marker_flow(), flow_mod(match(_IP), apply(output(2))))
    peer.settle()
    stream = _Stream(wires)
    ways: Counter[int] = Counter()
    with peer.session() as session:
        for number in range(50):
            command = (MODIFY, MODIFY_STRICT, ADD)[number % 3]
            change = flow_mod(match(_IP), apply(output(3 if number % 2 == 0 else 2)), command=command)
            ways += Counter(stream.run([2, 3], lambda: session.send(change)))  # noqa: B023
        assert session.ask() == []
    assert ways[2]
    assert ways[3]


def test_flows_that_come_and_go_around_a_flow_lose_it_nothing(peer: Peer, wires: Wires) -> None:
    """Other priorities, masks and tables: of the same packets, but never the ones that win."""
    peer.reset(marker_flow(), flow_mod(match(_IP), apply(output(2)), priority=1000))
    peer.settle()
    stream = _Stream(wires)

    def others(number: int) -> list[bytes]:
        narrow = match(_IP, oxm(12, bytes([10, 0, number % 256, 0]), bytes([255, 255, 255, 0])))
        ports = match(_IP, _UDP, oxm(16, (number + 3000).to_bytes(2, "big")))
        return [
            flow_mod(narrow, apply(output(3)), priority=number % 999),
            flow_mod(ports, apply(output(3)), priority=2000),
            flow_mod(match(), apply(output(3)), priority=number % 500),
            flow_mod(narrow, apply(output(4)), command=MODIFY),
            flow_mod(ports, command=DELETE_STRICT, priority=2000),
            flow_mod(match(), command=DELETE_STRICT, priority=(number - 1) % 500),
            flow_mod(match(_IP), apply(output(5)), table=number % 253 + 1),
        ]

    with peer.session() as session:
        for number in range(40):
            # The modify would change the stream's own flow if it were meant by "narrow"; it is not.
            stream.run([2], lambda: session.send(*others(number)))  # noqa: B023
        assert session.ask() == []


def _group(number: int) -> bytes:
    return group_mod(0 if number == 0 else 1, 0, 7, bucket(output(4 if number % 2 else 5)))


def _meter(number: int) -> bytes:
    return meter_mod(0 if number == 0 else 1, 1, 7, drop_band(1000 + number))


@pytest.mark.parametrize("what", ["group", "meter", "port", "table", "config"])
def test_a_change_of_something_else_loses_nothing(peer: Peer, wires: Wires, what: str) -> None:
    """A group, a meter, a port's flags, the fragment mode: unrelated flows do not notice."""
    peer.reset(marker_flow(), flow_mod(match(_IP), apply(output(2)), priority=1000), _group(0), _meter(0))
    with peer.session() as session:
        by_group = apply(wire.action(22, (7).to_bytes(4, "big")))
        assert session.errors(flow_mod(match(), by_group, priority=1)) == []
        assert session.errors(flow_mod(match(), meter(7), apply(output(5)), priority=2)) == []
        peer.settle()
        stream = _Stream(wires)
        for number in range(1, 25):
            change = {
                "group": _group(number),
                "meter": _meter(number),
                "port": port_mod(4, peer.macs[4], 4 * (number % 2), 4),
                "table": flow_mod(match(), apply(output(3)), table=number % 250 + 1),
                "config": message(wire.OF13, wire.SET_CONFIG, struct.pack("!HH", number % 2, 128)),
            }[what]
            stream.run([2], lambda: session.send(change))  # noqa: B023
        assert session.ask() == []


def test_ports_that_come_and_go_lose_others_nothing(peer: Peer, wires: Wires) -> None:
    peer.reset(marker_flow(), flow_mod(match(_IP), apply(output(2)), priority=1000))
    peer.settle()
    stream = _Stream(wires)
    for _ in range(6):
        stream.run([2], lambda: peer.add_tap("extra", 40))
        stream.run([2], lambda: peer.del_port("extra"))


def test_fast_failover_follows_its_ports(peer: Peer, wires: Wires) -> None:
    """5.6.1: at once when a watched port goes down, and back when it is up."""
    buckets = bucket(output(2), watch_port=2), bucket(output(3), watch_port=3)
    by_group = flow_mod(match(_IP), apply(wire.action(22, (1).to_bytes(4, "big"))))
    peer.reset(marker_flow(), group_mod(0, 3, 1, *buckets), by_group)
    peer.settle()
    stream = _Stream(wires)
    assert stream.run([2, 3], lambda: None) == {2: _WINDOW}
    with peer.session() as session:
        assert session.errors(port_mod(2, peer.macs[2], 1, 1)) == []
        peer.settle()
        assert stream.run([2, 3], lambda: None) == {3: _WINDOW}
        assert session.errors(port_mod(2, peer.macs[2], 0, 1)) == []
    peer.namespace.ip("link", "set", "p2", "up")

    def back() -> bool:
        peer.settle()
        return stream.run([2, 3], lambda: None) == {2: _WINDOW}

    until(back, "the first bucket again")


def test_a_controller_that_does_not_read(peer: Peer, wires: Wires) -> None:
    """Packet-ins for it are bounded; forwarding and other controllers go on."""
    up = flow_mod(match(oxm(5, b"\x88\xb5")), apply(output(wire.CONTROLLER)), priority=5)
    peer.reset(marker_flow(), up, flow_mod(match(_IP), apply(output(2)), priority=1000))
    peer.settle()
    stream = _Stream(wires)
    frame = bytes(udp())[:12] + b"\x88\xb5" + bytes(1400)
    with peer.session() as stuck, peer.session() as other:
        stuck.send(message(wire.OF13, wire.SET_CONFIG, b"\0\0\xff\xff"))
        stuck.ask()
        before = _resident_kb(peer)
        for _ in range(60):
            for _ in range(96):
                wires.send(3, frame)
            stream.run([2], lambda: None)
        assert _resident_kb(peer) - before < 8_000, "9 MB of frames went up"
        assert other.ask() == []
        # What it now reads is whole messages, then the answer to its echo.
        stuck.send(message(wire.OF13, wire.ECHO_REQUEST, b"", xid=99))
        while (got := stuck.receive()).xid != 99:
            assert got.type == wire.PACKET_IN


def test_a_controller_that_asks_and_does_not_read(peer: Peer, wires: Wires) -> None:
    """Replies nobody reads stop its requests from being read; nothing grows, others are served."""
    flows = [flow_mod(match(oxm(3, number.to_bytes(6, "big"))), apply(output(2))) for number in range(2000)]
    peer.reset(marker_flow(), *flows, flow_mod(match(_IP), apply(output(2)), priority=1000))
    peer.settle()
    stream = _Stream(wires)
    body = struct.pack("!B3xII4xQQ", 255, wire.ANY, wire.ANY, 0, 0) + match()
    with peer.session() as stuck, peer.session() as other:
        before = _resident_kb(peer)
        stuck.socket.setblocking(False)
        request = wire.multipart(1, body)
        try:
            for _ in range(20_000):  # 4 GB of replies
                stuck.socket.send(request)
        except BlockingIOError:
            pass
        for _ in range(20):
            stream.run([2], lambda: None)
            assert other.ask() == []
        assert _resident_kb(peer) - before < 64_000


def _resident_kb(peer: Peer) -> int:
    return peer.of.resident_kb() if isinstance(peer.of, Daemon) else 0


@pytest.fixture
def limited(peer: Peer) -> Iterable[Peer]:
    """A switch whose tables hold five flows."""
    if peer.name == "ovs":
        pytest.skip("a setting of Turnout's")
    peer.reset()
    peer.set_bridge("flow_limit", "5")
    yield peer
    peer.set_bridge("flow_limit", "")
    peer.set_bridge("overflow_policy", "")


def _numbered(number: int, **more: int) -> bytes:
    return flow_mod(match(oxm(0, number.to_bytes(4, "big"))), apply(output(2)), **more)


def test_a_full_table_refuses(limited: Peer) -> None:
    """7.4.4.5: TABLE_FULL; changes and replacements go on."""
    with limited.session() as session:
        assert session.errors(*(_numbered(number) for number in range(1, 6))) == []
        assert session.errors(_numbered(6)) == [(5, 1)]
        assert session.errors(_numbered(5)) == []
        assert session.errors(flow_mod(match(), apply(output(3)), command=MODIFY)) == []
        assert session.errors(_numbered(5, command=DELETE), _numbered(6)) == []
        assert session.errors(_numbered(6, table=1)) == []


def test_a_full_table_evicts(limited: Peer) -> None:
    """5.5: the flow that would have gone first by its timeouts makes room."""
    limited.set_bridge("overflow_policy", "evict")
    with limited.session() as session:
        flows = [_numbered(number, hard=1000 if number != 3 else 100) for number in range(1, 6)]
        assert session.errors(*flows) == []
        assert session.errors(_numbered(6)) == []
    left = limited.must("-O", "OpenFlow13", "--no-names", "dump-flows", BRIDGE)
    assert [f"in_port={number} " in left for number in range(1, 7)] == [True, True, False, True, True, True]
