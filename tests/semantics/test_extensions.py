# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: E501 flows are as long as they are
"""What takes more than one packet to see: learnt flows, FIN timeouts, fragments, how select groups spread."""

import struct
from collections import Counter

import pytest

from tests.peers import wire
from tests.peers.frames import Wires
from tests.peers.switch import BRIDGE, Peer
from tests.peers.wire import message
from tests.semantics.case import Case, load
from tests.semantics.packets import PAYLOAD, UDP, Ether, Packet, ether, ip, tcp, udp
from turnout.lab.wait import until


def _dump(peer: Peer, *what: str) -> str:
    return peer.must("-O", "OpenFlow13", "--no-names", "dump-flows", BRIDGE, *what)


def test_learn_makes_a_flow_of_a_packet(peer: Peer, wires: Wires) -> None:
    """ovs-actions(7): a learning switch of two flows."""
    flows = """
        table=0 actions=learn(table=1,hard_timeout=60,priority=5,cookie=0x7,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[]),resubmit(,1)
        table=1,priority=0 actions=flood"""
    load(peer, Case("learn", flows, ()))
    there, back = (
        ether("02:00:00:00:00:0b", "02:00:00:00:00:0a"),
        ether("02:00:00:00:00:0a", "02:00:00:00:00:0b"),
    )
    packet = bytes(there / PAYLOAD)
    assert wires.exchange(1, [packet]) == {port: [packet] for port in (2, 3, 4, 5)}
    until(lambda: "dl_dst=02:00:00:00:00:0a actions=output:1" in _dump(peer, "table=1"), "the learnt flow")
    text = _dump(peer, "table=1,dl_dst=02:00:00:00:00:0a")
    assert "cookie=0x7" in text
    assert "hard_timeout=60" in text
    assert "priority=5" in text
    peer.settle()
    answer = bytes(back / PAYLOAD)
    assert wires.exchange(3, [answer]) == {1: [answer]}
    until(lambda: "output:3" in _dump(peer, "table=1"), "the other direction")
    peer.settle()
    assert wires.exchange(1, [packet]) == {3: [packet]}


def test_learn_with_constants_and_loads(peer: Peer, wires: Wires) -> None:
    """A learnt flow that matches part of a field, sets another and forwards."""
    flows = """
        table=0,udp actions=learn(table=1,priority=9,eth_type=0x800,nw_proto=17,NXM_OF_UDP_DST[]=NXM_OF_UDP_SRC[],load:NXM_OF_IP_SRC[]->NXM_NX_REG1[],load:0x2->NXM_NX_REG0[0..15],output:NXM_NX_REG0[0..15]),2
        table=0,priority=100,udp,tp_dst=77 actions=load:4->NXM_NX_REG0[],resubmit(,1)"""
    load(peer, Case("learn", flows, ()))
    wires.exchange(1, [bytes(udp(sport=77))])
    until(lambda: "tp_dst=77" in _dump(peer, "table=1"), "the learnt flow")
    assert "set_field:0x2/0xffff->reg0" in _dump(peer, "table=1") or "load:0x2->NXM_NX_REG0[0..15]" in _dump(
        peer, "table=1"
    )


def test_fin_timeout_shortens_the_flow(peer: Peer, wires: Wires) -> None:
    load(peer, Case("fin", "tcp,idle_timeout=600,actions=fin_timeout(idle_timeout=7),2", ()))
    wires.exchange(1, [bytes(tcp(flags="A"))])
    assert "idle_timeout=600" in _dump(peer, "tcp")
    peer.settle()
    wires.exchange(1, [bytes(tcp(flags="FA"))])
    until(lambda: "idle_timeout=7," in _dump(peer, "tcp"), "a shorter timeout")


_FIRST = ip(flags="MF") / UDP(sport=1000, dport=2000) / bytes(16)
_LATER = ip(proto=17, frag=3) / PAYLOAD


@pytest.mark.parametrize(
    ("mode", "passing"),
    [(0, {"first": 2, "later": 4}), (1, {}), (3, {"first": 3, "later": 5})],
    ids=["normal", "drop", "nx-match"],
)
def test_fragments(peer: Peer, wires: Wires, mode: int, passing: dict[str, int]) -> None:
    """7.3.2 and ovs-fields(7), ip_frag: ports are 0 in all fragments (normal), no fragment passes (drop), the
    first keeps its ports and ip_frag can be matched (nx-match)."""
    flows = """
        priority=9,ip,ip_frag=later actions=5
        priority=8,udp,tp_dst=2000,ip_frag=first actions=3
        priority=7,udp,tp_dst=2000 actions=1
        priority=6,udp actions=2"""
    if mode == 0:
        flows = "priority=7,udp,tp_dst=2000 actions=3\n priority=6,udp actions=2"
        passing = {"first": 2, "later": 2}
    load(peer, Case("frag", flows, ()))
    with peer.session() as session:
        config = struct.pack("!HH", mode, 0)
        if mode == 3:  # Open vSwitch's own value
            peer.must("-O", "OpenFlow13", "set-frags", BRIDGE, "nx-match")
        else:
            assert session.errors(message(wire.OF13, wire.SET_CONFIG, config)) == []
        peer.settle()
        for name, packet in (("first", _FIRST), ("later", _LATER)):
            data = bytes(packet)
            wanted = {passing[name]: [data]} if name in passing else {}
            assert wires.exchange(4, [data]) == wanted, name
        whole = bytes(udp())
        came = wires.exchange(4, [whole])
        assert came == {3 if mode == 0 else 1: [whole]}


def test_select_spreads_flows_by_weight(peer: Peer, wires: Wires) -> None:
    """5.6.1: each flow stays with its bucket; buckets get flows in proportion to their weights."""
    groups = "group_id=1,type=select,bucket=weight:10,output:2,bucket=weight:30,output:3"
    load(peer, Case("select", "actions=group:1", (), groups=groups))
    packets = [bytes(udp(sport=number, src=f"10.0.{number % 7}.{number % 250}")) for number in range(1, 401)]
    first = _by_port(wires, packets)
    ports = Counter(first.values())
    assert set(ports) == {2, 3}
    assert 50 <= ports[2] <= 160  # 100 of 400 is a quarter
    assert _by_port(wires, packets) == first


def _by_port(wires: Wires, packets: list[bytes]) -> dict[bytes, int]:
    found: dict[bytes, int] = {}
    for start in range(0, len(packets), 32):
        came = wires.exchange(1, packets[start : start + 32])
        found.update({frame: port for port, frames in came.items() for frame in frames})
    assert len(found) == len(packets)
    return found


def test_multipath_spreads_flows(peer: Peer, wires: Wires) -> None:
    flows = """
        table=0 actions=multipath(symmetric_l4,0,modulo_n,2,0,NXM_NX_REG0[]),resubmit(,1)
        table=1,reg0=0 actions=2
        table=1,reg0=1 actions=3"""
    load(peer, Case("multipath", flows, ()))
    packets = [bytes(tcp(sport=number)) for number in range(1, 201)]
    ports = Counter(_by_port(wires, packets).values())
    assert set(ports) == {2, 3}
    assert min(ports.values()) >= 50


def test_bundle_hrw_spreads_flows(peer: Peer, wires: Wires) -> None:
    load(peer, Case("bundle", "actions=bundle(symmetric_l4,0,hrw,ofport,members:2,3)", ()))
    packets = [bytes(tcp(sport=number)) for number in range(1, 201)]
    ports = Counter(_by_port(wires, packets).values())
    assert set(ports) == {2, 3}
    assert min(ports.values()) >= 50


def test_note_on_counters_of_resubmits(peer: Peer, wires: Wires) -> None:
    """Every flow that a packet meets counts it, however it came there."""
    flows = "cookie=1,table=0 actions=resubmit(,1),resubmit(,1)\n cookie=2,table=1 actions=2"
    load(peer, Case("resubmit", flows, ()))
    wires.exchange(1, [bytes(udp())] * 3)
    until(lambda: "n_packets=3," in _dump(peer, "cookie=1/-1"), "three packets")
    until(lambda: "n_packets=6," in _dump(peer, "cookie=2/-1"), "six packets: each twice")


def _learn_limit_packet(number: int) -> Packet:
    return Ether(dst="02:00:00:00:00:0b", src=f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}") / PAYLOAD


def test_learn_of_many_packets_makes_many_flows(peer: Peer, wires: Wires) -> None:
    flows = "table=0 actions=learn(table=1,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[]),2"
    load(peer, Case("learn", flows, ()))
    packets = [bytes(_learn_limit_packet(number)) for number in range(256)]
    for start in range(0, len(packets), 32):
        wires.exchange(1, packets[start : start + 32])
    until(lambda: _dump(peer, "table=1").count("actions=output:1") >= 256, "a flow of each")
