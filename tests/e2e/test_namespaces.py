# SPDX-License-Identifier: Apache-2.0
"""Hosts with a kernel's network stack behind TAP ports: learning, flooding, moving, aging, jumbo, TCP."""

from scapy.layers.l2 import Ether

from tests.e2e.conftest import FramesFactory, HostFactory
from turnout.lab.daemon import Daemon
from turnout.lab.netns import Namespace, iperf3
from turnout.lab.wait import until

STATION = "02:00:00:00:0a:01"


def frame(src: str, dst: str, payload: bytes = b"turnout") -> bytes:
    return bytes(Ether(src=src, dst=dst, type=0x88B5) / payload.ljust(46, b"\0"))


def test_ping_learns_both_sides(switch: Daemon, host: HostFactory) -> None:
    a, b = host("a"), host("b")
    a.namespace.ping(b.address)
    learned = {(entry.port, entry.mac) for entry in switch.fdb()}
    assert {("a", a.mac), ("b", b.mac)} <= learned
    assert switch.stats("a").rx_packets == switch.stats("b").tx_packets > 0


def test_unknown_and_broadcast_flood_known_does_not(host: HostFactory, frames: FramesFactory) -> None:
    a, b, c = (frames(host(name)) for name in "abc")
    for destination in ("ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:fb", "02:00:00:00:0a:02"):
        sent = frame(STATION, destination)
        a.send(sent)
        assert b.receive(sent.__eq__) == sent
        assert c.receive(sent.__eq__) == sent
        assert a.receive(sent.__eq__, timeout=0.1) is None, "sent back to where it came from"
    reply = frame("02:00:00:00:0a:02", STATION)
    b.send(reply)
    assert a.receive(reply.__eq__) == reply
    assert c.receive(reply.__eq__, timeout=0.2) is None


def test_mac_moves_to_the_port_it_was_heard_on_last(
    switch: Daemon, host: HostFactory, frames: FramesFactory
) -> None:
    a, b = frames(host("a")), frames(host("b"))
    for port, socket in (("a", a), ("b", b), ("a", a)):
        socket.send(frame(STATION, "ff:ff:ff:ff:ff:ff"))
        until(lambda port=port: (STATION, port) in {(e.mac, e.port) for e in switch.fdb()}, f"on port {port}")
    assert sum(entry.mac == STATION for entry in switch.fdb()) == 1


def test_mac_ages(switch: Daemon, host: HostFactory, frames: FramesFactory) -> None:
    switch.request("turnout/set", "bridge", "br0", "mac_aging=1")
    frames(host("a")).send(frame(STATION, "ff:ff:ff:ff:ff:ff"))
    until(lambda: STATION in {entry.mac for entry in switch.fdb()}, "learned")
    until(lambda: STATION not in {entry.mac for entry in switch.fdb()}, "forgotten", timeout=6)


def test_fdb_flush(switch: Daemon, host: HostFactory) -> None:
    a, b = host("a"), host("b")
    a.namespace.ping(b.address)
    assert switch.request("turnout/flush", "br0").strip() == '{"entries":2}'
    assert switch.fdb() == []
    a.namespace.ping(b.address)


def test_jumbo(host: HostFactory) -> None:
    a, b = host("a", mtu=9000), host("b", mtu=9000)
    a.namespace.ping(b.address, size=8900, options=["-M", "do"])


def test_tcp(switch: Daemon, host: HostFactory) -> None:
    a, b = host("a"), host("b")
    assert all(iperf3(b.namespace, a.namespace, b.address, seconds=1))
    assert switch.drops() == {}


def test_multiqueue_tap(switch: Daemon, host: HostFactory) -> None:
    """The kernel spreads streams over the TAP's queues: were one not polled, streams would starve."""
    a, b = host("a", "n_rxq=2"), host("b", "n_rxq=2")
    assert [switch.port(name).n_rxq for name in "ab"] == [2, 2]
    assert set(switch.workers()[0].rxqs) == {"a:0", "a:1", "b:0", "b:1"}
    assert min(iperf3(b.namespace, a.namespace, b.address, seconds=1, streams=8)) > 0


def test_tap_moved_into_a_namespace_by_hand(switch: Daemon) -> None:
    with Namespace("a") as a, Namespace("b") as b:
        for number, namespace in enumerate((a, b), start=1):
            switch.add_port("br0", f"moved{number}", "type=tap")
            namespace.take(f"moved{number}", f"10.0.0.{number}/24")
        a.ping("10.0.0.2")
        for number in (1, 2):
            switch.del_port(f"moved{number}")
        assert "moved1" not in a.ip("link")


def test_two_bridges_do_not_mix(switch: Daemon, host: HostFactory) -> None:
    switch.add_bridge("br1")
    a, b, c = host("a"), host("b"), host("c", bridge="br1")
    assert a.reaches(b)
    assert not a.reaches(c)
