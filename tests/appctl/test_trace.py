# SPDX-License-Identifier: Apache-2.0
"""ofproto/trace tells the same way as Open vSwitch's, of the same flows and packets."""

import re

import pytest

from tests.appctl.conftest import Appctl
from tests.peers.switch import BRIDGE

_FLOWS = """
priority=0,actions=NORMAL
priority=100,ip,nw_dst=10.0.0.0/24,actions=mod_dl_dst:00:00:00:00:00:09,resubmit(,5),output:3
table=5,priority=7,tcp,actions=dec_ttl,output:2
table=5,priority=1,cookie=0x77,actions=set_field:5->reg0,goto_table:6
table=6,priority=1,actions=push_vlan:0x8100,set_field:4099->vlan_vid,output:2
priority=50,udp,actions=drop
priority=40,icmp,actions=group:5
priority=200,ip,nw_dst=10.2.0.1,actions=output:2
priority=200,ip,nw_dst=10.2.0.2,actions=write_actions(output:4),goto_table:7
table=7,priority=3,actions=write_metadata:0x5
priority=200,ip,nw_dst=10.2.0.3,actions=in_port,2,LOCAL
priority=200,ip,nw_dst=10.2.0.4,actions=resubmit(3,9),1
priority=200,ip,nw_dst=10.2.0.5,actions=mod_nw_src:1.2.3.4,mod_nw_tos:32,output:1,output:77
priority=200,ip,nw_dst=10.2.0.6,actions=flood
priority=200,tcp,nw_dst=10.2.0.7,actions=mod_tp_dst:81,mod_dl_src:02:00:00:00:00:55,1
priority=200,dl_vlan=12,actions=strip_vlan,1,mod_vlan_vid:13,3
priority=200,dl_vlan=14,actions=mod_vlan_pcp:3,3
priority=200,ipv6,ipv6_dst=fd00::/16,actions=2
priority=300,in_port=5,arp,actions=set_field:2->arp_op,1
"""
_BASE = "dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02"
_IP = f"{_BASE},nw_src=10.1.1.1,nw_ttl=64"

_SAME = [
    f"in_port=1,ip,{_IP},nw_dst=10.0.0.7",
    f"in_port=1,tcp,{_IP},nw_dst=10.0.0.7,tp_src=1,tp_dst=80",
    f"in_port=1,udp,{_IP},nw_dst=10.9.0.1,udp_src=5,udp_dst=6",
    f"in_port=3,icmp,{_IP},nw_dst=10.9.0.1,icmp_type=8,icmp_code=0",
    f"in_port=2,ip,{_IP},nw_dst=10.2.0.1",
    f"in_port=p2,ip,{_IP},nw_dst=10.2.0.1,nw_tos=0x20,nw_ecn=1",
    f"in_port=2,ip,{_IP},nw_dst=10.2.0.2",
    f"in_port=3,ip,{_IP},nw_dst=10.2.0.3",
    f"in_port=LOCAL,ip,{_IP},nw_dst=10.2.0.4",
    f"in_port=4,tcp,{_IP},nw_dst=10.2.0.5,tp_src=9,tp_dst=80",
    f"in_port=4,ip,{_IP},nw_dst=10.2.0.6",
    f"in_port=4,tcp,{_IP},nw_dst=10.2.0.7,tp_src=9,tp_dst=80,tcp_flags=syn|ack",
    f"in_port=4,tcp,{_IP},nw_dst=10.2.0.7,tp_src=9,tp_dst=80,tcp_flags=0",
    f"in_port=2,ip,{_IP},nw_dst=10.4.0.7,dl_vlan=12",
    f"in_port=2,ip,{_IP},nw_dst=10.4.0.7,dl_vlan=14,dl_vlan_pcp=1",
    f"in_port=2,arp,{_BASE},arp_op=1,arp_spa=1.1.1.1,arp_tpa=2.2.2.2",
    f"in_port=5,arp,{_BASE},arp_op=1,arp_spa=1.1.1.1,arp_tpa=2.2.2.2",
    f"in_port=2,{_BASE},dl_type=0x1234",
    f"in_port=1,tcp6,{_BASE},ipv6_src=fd00::1,ipv6_dst=fd00::2,nw_ttl=64,tp_src=1,tp_dst=2",
    f"in_port=1,icmp6,{_BASE},ipv6_src=fe80::1,ipv6_dst=ff02::2,nw_ttl=64,icmpv6_type=128,icmpv6_code=0",
    f"in_port=2,ip,{_IP},nw_dst=10.2.0.1,metadata=0x5,reg3=7",
    "in_port=1, sctp, nw_ttl=64, sctp_dst=5, nw_frag=first, tun_id=5",
    "in_port=1,icmp6,icmpv6_type=135,nd_target=fe80::1,nw_ttl=255",
    "in_port=1,dl_dst=01:80:c2:00:00:00,dl_type=0x1234",
    "in_port=1,tcp,vlan_tci=0x1005,nw_ttl=64,pkt_mark=3",
]


@pytest.fixture(scope="module", autouse=True)
def _flows(ours: Appctl, theirs: Appctl) -> None:
    for appctl in (ours, theirs):
        peer = appctl.peer
        peer.reset()
        group = "group_id=5,type=all,bucket=actions=mod_nw_ttl:3,output:2,bucket=output:3"
        peer.must("-O", "OpenFlow14", "add-group", BRIDGE, group)
        peer.must("-O", "OpenFlow14", "add-flows", BRIDGE, "-", stdin=_FLOWS.lstrip())


def comparable(text: str) -> str:
    """A trace without the megaflow and the slow path, which only Open vSwitch has; a flood's ports sorted."""
    text = re.sub(r"^Megaflow: .*\n", "", text, flags=re.M).partition("This flow is handled")[0]
    head, _, actions = text.rpartition("Datapath actions: ")
    if "FLOOD" in head or "flooding" in head:
        actions = ",".join(sorted(actions.strip().split(",")))
    return f"{head}Datapath actions: {actions.strip()}"


@pytest.mark.parametrize("flow", _SAME)
def test_tells_the_same(ours: Appctl, theirs: Appctl, flow: str) -> None:
    mine, other = (a.must("ofproto/trace", BRIDGE, flow, "--names") for a in (ours, theirs))
    assert comparable(mine) == comparable(other)


def _without_actions(text: str) -> str:
    return comparable(text).rpartition("Datapath actions:")[0]


@pytest.mark.parametrize("flow", _SAME[:3])
def test_tells_ports_by_number(ours: Appctl, theirs: Appctl, flow: str) -> None:
    """But for those of the datapath, which are its own affair."""
    mine, other = (a.must("ofproto/trace", BRIDGE, flow) for a in (ours, theirs))
    assert _without_actions(mine) == _without_actions(other)


def test_to_controllers(ours: Appctl, theirs: Appctl) -> None:
    """Open vSwitch says more of what its datapath does for it, which we don't have."""
    expired = f"in_port=1,tcp,{_IP.replace('64', '1')},nw_dst=10.0.0.7,tp_src=1,tp_dst=80"
    mine, other = (a.must("ofproto/trace", BRIDGE, expired, "--names") for a in (ours, theirs))
    assert _without_actions(mine) == _without_actions(other)
    assert ">> IPv4 decrement TTL exception" in mine
    actions = re.search(r"^Datapath actions: (.*)$", mine, re.M)
    assert actions
    assert "userspace(controller(reason=invalid_ttl,controller_id=0))" in actions[1]


def test_of_a_packet(ours: Appctl, theirs: Appctl) -> None:
    """Open vSwitch learns from it."""
    frame = "0200000000020200000000018100002108004500001400000000" + "40fd000001020304" + "0a020001"
    for flow, *option in (("in_port=1",), ("in_port=1,pkt_mark=5", "--names"), ("in_port=1,udp",)):
        mine, other = (a.must("ofproto/trace", BRIDGE, flow, frame, *option) for a in (ours, theirs))
        assert _without_actions(mine) == _without_actions(other)


def test_to_a_learned_port(ours: Appctl, theirs: Appctl) -> None:
    frame = "ffffffffffff020000000077" + "1234" + "00" * 46
    for appctl in (ours, theirs):
        appctl.peer.must("packet-out", BRIDGE, f"in_port=3,packet={frame},actions=table")
    for in_port in (1, 3):
        flow = f"in_port={in_port},dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:77,dl_type=0x1234"
        mine, other = (a.must("ofproto/trace", BRIDGE, flow, "--names") for a in (ours, theirs))
        assert comparable(mine) == comparable(other)


@pytest.mark.parametrize(
    "arguments",
    [
        ("nosuch", "in_port=1"),
        (BRIDGE,),
        (),
        (BRIDGE, "in_port=1", "--nosuch"),
        (BRIDGE, "in_port=1", "00" * 20, "x"),
        (BRIDGE, "in_port=1", "02"),
        (BRIDGE, "in_port=1", "no hex"),
    ],
)
def test_refuses_the_same(ours: Appctl, theirs: Appctl, arguments: tuple[str, ...]) -> None:
    assert ours("ofproto/trace", *arguments) == theirs("ofproto/trace", *arguments)


@pytest.mark.parametrize("flow", ["in_port=nosuch", "nosuch=1", "nw_dst=1.2.3.4.5"])
def test_refuses_a_bad_flow(ours: Appctl, theirs: Appctl, flow: str) -> None:
    for appctl in (ours, theirs):
        answer = appctl("ofproto/trace", BRIDGE, flow)
        assert answer.code == 2
        assert answer.error.startswith("Bad openflow flow syntax: ")
