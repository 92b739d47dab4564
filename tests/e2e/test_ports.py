# SPDX-License-Identifier: Apache-2.0
"""Each port type that has no test of its own elsewhere, with real traffic through it."""

from pathlib import Path

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.utils import rdpcap, wrpcap

from tests.e2e.conftest import GUEST_CORE, HostFactory
from turnout.errors import TurnoutError
from turnout.lab.daemon import Daemon
from turnout.lab.netns import Namespace, VethPair
from turnout.lab.testpmd import Testpmd
from turnout.lab.wait import settled, until


@pytest.mark.parametrize("kind", ["af_packet", "af_xdp"])
def test_veth(switch: Daemon, host: HostFactory, kind: str) -> None:
    near = host("near")
    with Namespace("far") as far, VethPair() as cable:
        far.take(cable.inner, "10.0.0.99/24")
        switch.add_port("br0", "cable", f"type={kind}", f"options:iface={cable.outer}")
        near.namespace.ping("10.0.0.99")
        far.ping(near.address, size=1400)
        assert far.mac(cable.inner) in {entry.mac for entry in switch.fdb() if entry.port == "cable"}
        switch.del_port("cable")


def test_af_packet_inside_a_namespace(switch: Daemon, host: HostFactory) -> None:
    near = host("near")
    with Namespace("middle") as middle, Namespace("far") as far, VethPair() as cable:
        far.take(cable.inner, "10.0.0.99/24")
        middle.take(cable.outer)
        switch.add_port(
            "br0", "cable", "type=af_packet", f"options:iface={cable.outer}", f"options:netns={middle.name}"
        )
        near.namespace.ping("10.0.0.99")
        switch.del_port("cable")


def test_memif_to_another_process(switch: Daemon, host: HostFactory) -> None:
    """Between a host and a testpmd that answers pings."""
    near = host("near")
    path = switch.rundir / "memif.sock"
    switch.add_port("br0", "memif", "type=memif", f"options:socket={path}", "options:role=server")
    vdev = f"net_memif0,socket={path},socket-abstract=no,role=client"
    with Testpmd([vdev], mode="icmpecho", core=GUEST_CORE) as peer:
        peer.wait_link()
        peer.start()
        until(lambda: switch.port("memif").link_up, "memif connected")
        near.namespace.ping("10.0.0.99")  # icmpecho owns every address
        assert peer.port_stats().rx_packets == switch.stats("memif").tx_packets
        assert peer.port_stats().tx_packets == switch.stats("memif").rx_packets


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """100 UDP packets of 100 senders."""
    path = tmp_path / "in.pcap"
    packets = [
        Ether(src=f"02:00:00:00:01:{n:02x}", dst="02:00:00:00:02:00")
        / IP(src=f"10.1.0.{n}", dst="10.2.0.1")
        / UDP(sport=1000 + n, dport=2000)
        / (b"%04d" % n * 20)
        for n in range(100)
    ]
    wrpcap(str(path), packets)
    return path


def test_pcap_replay_and_record(switch: Daemon, capture: Path, tmp_path: Path) -> None:
    record = tmp_path / "out.pcap"
    switch.add_port("br0", "sink", "type=null")
    switch.add_port("br0", "record", "type=pcap", f"options:tx_pcap={record}")
    switch.add_port("br0", "replay", "type=pcap", f"options:rx_pcap={capture}")
    until(lambda: switch.stats("record").tx_packets >= 100, "100 packets recorded")
    assert len(switch.fdb()) == 100
    assert switch.stats("sink").tx_packets == 100
    switch.del_port("record")  # flushes the file
    assert [bytes(p) for p in rdpcap(str(record))] == [bytes(p) for p in rdpcap(str(capture))]


def test_pcap_for_ever_into_null(switch: Daemon, capture: Path) -> None:
    switch.add_port("br0", "sink", "type=null")
    switch.add_port("br0", "replay", "type=pcap", f"options:rx_pcap={capture}", "options:infinite_rx=1")
    until(lambda: switch.stats("sink").tx_packets > 100_000, "100,000 packets")
    switch.del_port("replay")
    settled(lambda: switch.stats("sink").tx_packets)


def test_dpdk_takes_any_devargs(switch: Daemon, host: HostFactory) -> None:
    near = host("near")
    switch.add_port("br0", "ring", "type=dpdk", "options:dpdk-devargs=net_ring0")
    assert switch.port("ring").driver == "net_ring"
    assert not near.namespace.reaches("10.0.0.200", wait=0.2)  # ARP requests flood into the ring
    assert switch.stats("ring").tx_packets > 0


def test_patch_joins_two_bridges(switch: Daemon, host: HostFactory) -> None:
    switch.add_bridge("br1")
    switch.add_port("br0", "to-br1", "type=patch", "options:peer=to-br0")
    switch.add_port("br1", "to-br0", "type=patch", "options:peer=to-br1")
    a, b = host("a"), host("b", bridge="br1")
    a.namespace.ping(b.address)
    assert {(e.bridge, e.port) for e in switch.fdb() if e.mac == a.mac} == {("br0", "a"), ("br1", "to-br0")}


def test_patch_loop_is_harmless(switch: Daemon, host: HostFactory) -> None:
    """Two patch pairs between the same bridges: a broadcast would circle for ever, had it no bound."""
    switch.add_bridge("br1")
    for n in (1, 2):
        switch.add_port("br0", f"down{n}", "type=patch", f"options:peer=up{n}")
        switch.add_port("br1", f"up{n}", "type=patch", f"options:peer=down{n}")
    a, b = host("a"), host("b")
    a.namespace.reaches(b.address)
    settled(lambda: switch.stats("a").tx_packets)
    for name in ("down1", "down2"):
        switch.del_port(name)
    until(lambda: a.reaches(b), "reached without the loop")


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (["type=vhost"], "no such port type"),
        (["type=dpdk", "options:dpdk-devargs=net_nonsense0"], "net_nonsense0"),
        (["type=af_packet", "options:iface=nowhere0"], "nowhere0"),
        (["type=vhost-user", "options:path=/nowhere/a.sock"], "/nowhere"),
        (["type=pcap", "options:rx_pcap=/nowhere/a.pcap"], "/nowhere/a.pcap"),
    ],
)  # fmt: skip
def test_a_bad_port_is_one_clear_line_and_leaves_nothing(
    switch: Daemon, columns: list[str], says: str
) -> None:
    with pytest.raises(TurnoutError, match=says) as refusal:
        switch.add_port("br0", "bad", *columns)
    assert "\n" not in str(refusal.value)
    assert switch.show().bridges[0].ports == ()
