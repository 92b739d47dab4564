# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: E501 a table's rows
"""One case for each action; OpenFlow 1.3.5, sections 5.12 and 7.2.5, 1.0 section 5.2.4, and ovs-actions(7)."""

import struct

from tests.peers import wire
from tests.semantics.case import UP, Case, Step, case
from tests.semantics.packets import (
    ICMP,
    PAYLOAD,
    SCTP,
    TCP,
    UDP,
    A,
    B,
    C,
    Dot1AD,
    Dot1AH,
    Dot1Q,
    Ether,
    advertisement,
    arp,
    echo6,
    ether,
    ip,
    ip6,
    mpls,
    solicitation,
    tcp,
    udp,
    vlan,
)  # fmt: skip

_BOTH = ("OpenFlow10", "OpenFlow13")
_10 = ("OpenFlow10",)
_D = "02:00:00:00:00:0d"


def _labels(*shims: tuple[int, int, int]) -> bytes:
    """Label stack entries of (label, tc, ttl), the last with the bottom bit."""
    last = len(shims) - 1
    return b"".join(
        struct.pack("!I", label << 12 | tc << 9 | (at == last) << 8 | ttl)
        for at, (label, tc, ttl) in enumerate(shims)
    )


def _stack(*shims: tuple[int, int, int], multicast: bool = False, **more: int) -> Ether:
    return ether(type=0x8848 if multicast else 0x8847) / _labels(*shims) / udp(**more).payload


def _raw(
    name: str, fields: list[bytes], actions: list[bytes], packet: Ether, out: dict[int, object], why: str
) -> Case:
    flow = wire.flow_mod(wire.match(*fields), wire.apply(*actions, wire.output(2)))
    return Case(name, "", [Step(1, packet, out)], raw=[flow], not_ovs=why)  # type: ignore[arg-type]


def _type(value: int) -> bytes:
    return wire.oxm(5, struct.pack("!H", value))


OUTPUTS = [
    case("7.2.5 OUTPUT to a port", "in_port=1 actions=output:2", 1, udp(), {2: udp()}, versions=_BOTH),
    case("7.2.5 OUTPUT to several ports", "actions=2,4,5", 1, udp(), dict.fromkeys((2, 4, 5), udp()), versions=_BOTH),
    case("7.2.5 OUTPUT twice to one port", "actions=2,2", 1, udp(), {2: [udp(), udp()]}, versions=_BOTH),
    case("7.2.1.2 OUTPUT to the port of entry by number sends nothing", "actions=1,2", 1, udp(), {2: udp()},
         versions=_BOTH),
    case("7.2.1.2 IN_PORT sends back", "actions=in_port", 1, udp(), {1: udp()}, versions=_BOTH),
    case("7.2.1.2 ALL: all but the port of entry", "actions=all", 3, udp(), dict.fromkeys((1, 2, 4, 5), udp()),
         versions=_BOTH),
    case("7.2.1.2 FLOOD: all but the port of entry", "actions=flood", 3, udp(), dict.fromkeys((1, 2, 4, 5), udp()),
         versions=_BOTH),
    case("7.2.1.2 NORMAL floods what it does not know", "actions=normal", 3, udp(dst="10.0.0.77"),
         dict.fromkeys((1, 2, 4, 5), udp(dst="10.0.0.77")), versions=_BOTH),
    Case("7.2.1.2 NORMAL learns and forwards",
         "actions=normal",
         [Step(4, Ether(dst="02:00:00:00:01:01", src="02:00:00:00:01:02") / PAYLOAD,
               dict.fromkeys((1, 2, 3, 5), Ether(dst="02:00:00:00:01:01", src="02:00:00:00:01:02") / PAYLOAD)),
          Step(5, Ether(dst="02:00:00:00:01:02", src="02:00:00:00:01:01") / PAYLOAD,
               {4: Ether(dst="02:00:00:00:01:02", src="02:00:00:00:01:01") / PAYLOAD})]),
    case("7.2.1.2 CONTROLLER, and a port", "actions=controller:65535,output:2", 1, udp(), {2: udp(), UP: udp()},
         versions=_BOTH),
    case("7.2.5 drop: no action", "actions=drop", 1, udp(), {}, versions=_BOTH),
    case("7.2.5 OUTPUT in the middle: later changes do not reach it",
         f"actions=2,set_field:{C}->eth_dst,3", 1, udp(), {2: udp(), 3: ether(C) / udp().payload}),
    case("1.0 5.2.4 ENQUEUE to a queue outputs", "actions=enqueue:2:0", 1, udp(), {2: udp()}, versions=_10),
    case("7.2.5 SET_QUEUE, then output", "actions=set_queue:0,output:2", 1, udp(), {2: udp()}),
    case("ovs-actions(7) pop_queue", "actions=set_queue:0,pop_queue,output:2", 1, udp(), {2: udp()}),
]  # fmt: skip

VLANS = [
    case("7.2.5 PUSH_VLAN 0x8100: VID and PCP 0 of an untagged packet",
         "actions=push_vlan:0x8100,output:2", 1, udp(), {2: vlan(0)}),
    case("7.2.5 PUSH_VLAN with set_field vlan_vid and vlan_pcp",
         "actions=push_vlan:0x8100,set_field:4103->vlan_vid,set_field:5->vlan_pcp,output:2", 1, udp(), {2: vlan(7, 5)}),
    case("7.2.5 PUSH_VLAN 0x88a8", "actions=push_vlan:0x88a8,set_field:4103->vlan_vid,output:2",
         1, udp(), {2: ether() / Dot1AD(vlan=7) / udp().payload}),
    case("7.2.5 PUSH_VLAN onto a tag copies its VID and PCP (5.12.1)",
         "actions=push_vlan:0x88a8,output:2", 1, vlan(9, 3),
         {2: ether(type=0x88A8) / Dot1Q(vlan=9, prio=3) / vlan(9, 3).payload},
         not_ovs="Open vSwitch pushes VID and PCP 0; section 5.12.1 says to copy them"),
    case("7.2.5 PUSH_VLAN onto a tag, VID set", "actions=push_vlan:0x88a8,set_field:4105->vlan_vid,"
         "set_field:3->vlan_pcp,output:2", 1, vlan(9, 3),
         {2: ether(type=0x88A8) / Dot1Q(vlan=9, prio=3) / vlan(9, 3).payload}),
    case("7.2.5 POP_VLAN", "vlan_vid=0x1000/0x1000 actions=pop_vlan,output:2", 1, vlan(7, 3), {2: udp()}),
    case("7.2.5 POP_VLAN of two tags takes the outer", "dl_vlan=7 actions=pop_vlan,output:2", 1,
         ether() / Dot1Q(vlan=7) / Dot1Q(vlan=9) / udp().payload, {2: vlan(9)}),
    case("7.2.5 POP_VLAN of 802.1ad", "dl_vlan=7 actions=pop_vlan,output:2", 1, vlan(7, tpid=0x88A8), {2: udp()}),
    case("1.0 5.2.4 SET_VLAN_VID adds a tag where there is none", "actions=mod_vlan_vid:7,output:2", 1, udp(),
         {2: vlan(7)}, versions=_10),
    case("1.0 5.2.4 SET_VLAN_VID keeps the PCP", "actions=mod_vlan_vid:7,output:2", 1, vlan(9, 3), {2: vlan(7, 3)},
         versions=_10),
    case("1.0 5.2.4 SET_VLAN_PCP adds a tag with VID 0", "actions=mod_vlan_pcp:5,output:2", 1, udp(), {2: vlan(0, 5)},
         versions=_10),
    case("1.0 5.2.4 SET_VLAN_PCP keeps the VID", "actions=mod_vlan_pcp:5,output:2", 1, vlan(9, 3), {2: vlan(9, 5)},
         versions=_10),
    case("1.0 5.2.4 STRIP_VLAN", "actions=strip_vlan,output:2", 1, vlan(9, 3), {2: udp()}, versions=_10),
    case("1.0 5.2.4 STRIP_VLAN of an untagged packet changes nothing", "actions=strip_vlan,output:2", 1, udp(),
         {2: udp()}, versions=_10),
]  # fmt: skip

MPLS_ACTIONS = [
    case("7.2.5 PUSH_MPLS: TTL of IPv4, label 0, bottom of stack", "ip actions=push_mpls:0x8847,output:2",
         1, udp(ttl=33), {2: _stack((0, 0, 33), ttl=33)}),
    case("7.2.5 PUSH_MPLS 0x8848 with label and TC set",
         "ip actions=push_mpls:0x8848,set_field:100->mpls_label,set_field:5->mpls_tc,output:2",
         1, udp(), {2: _stack((100, 5, 64), multicast=True)}),
    case("7.2.5 PUSH_MPLS onto a label copies label, TC and TTL, not the bottom bit",
         "mpls actions=push_mpls:0x8847,output:2", 1, _stack((100, 5, 33)), {2: _stack((100, 5, 33), (100, 5, 33))}),
    case("7.2.5 PUSH_MPLS goes behind VLAN tags (5.12.1: the tag stays outermost)",
         "dl_vlan=7,ip actions=push_mpls:0x8847,output:2", 1, vlan(7),
         {2: ether() / Dot1Q(vlan=7, type=0x8847) / _labels((0, 0, 64)) / udp().payload}),
    case("7.2.5 PUSH_MPLS where IPv6 should be and is not: label 2 all the same, and the hop limit that was set",
         "mpls actions=pop_mpls:0x86dd,mod_nw_ttl:5,push_mpls:0x8847,output:2",
         1, ether(type=0x8847) / _labels((5, 0, 64)) / bytes(30),
         {2: ether(type=0x8847) / _labels((2, 0, 5)) / bytes(30)}),
    case("7.2.5 POP_MPLS to IPv4", "mpls actions=pop_mpls:0x0800,output:2", 1, mpls(), {2: udp()}),
    case("7.2.5 POP_MPLS of two labels", "mpls,mpls_bos=0 actions=pop_mpls:0x8847,output:2",
         1, _stack((100, 0, 64), (101, 0, 64)), {2: _stack((101, 0, 64))}),
    case("7.2.5 POP_MPLS, then the packet's fields in the next table",
         "mpls actions=pop_mpls:0x0800,goto_table:1\n table=1,ip,nw_dst=10.0.0.2 actions=output:2",
         1, mpls(), {2: udp()}),
    case("7.2.5 SET_MPLS_TTL", "mpls actions=set_mpls_ttl(17),output:2", 1, mpls(), {2: mpls(ttl=17)}, versions=_BOTH),
    case("7.2.5 DEC_MPLS_TTL", "mpls actions=dec_mpls_ttl,output:2", 1, mpls(), {2: mpls(ttl=63)}, versions=_BOTH),
    case("5.12 DEC_MPLS_TTL of TTL 1: an invalid TTL, dropped", "mpls actions=dec_mpls_ttl,output:2", 1, mpls(ttl=1),
         {}, versions=_BOTH),
    case("7.2.5 set_field MPLS_LABEL", "mpls actions=set_field:77->mpls_label,output:2", 1, mpls(), {2: mpls(77)}),
    case("7.2.5 set_field MPLS_TC", "mpls actions=set_field:6->mpls_tc,output:2", 1, mpls(), {2: mpls(tc=6)}),
    _raw("7.2.5 COPY_TTL_OUT from IPv4 to MPLS", [_type(0x8847)], [wire.action(11)], mpls(ttl=9), {2: mpls(ttl=64)},
         "Open vSwitch lacks it"),
    _raw("7.2.5 COPY_TTL_OUT from MPLS to MPLS", [_type(0x8847)], [wire.action(11)],
         _stack((100, 0, 9), (101, 0, 50)), {2: _stack((100, 0, 50), (101, 0, 50))}, "Open vSwitch lacks it"),
    _raw("7.2.5 COPY_TTL_IN from MPLS to IPv4", [_type(0x8847)], [wire.action(12)], mpls(ttl=9),
         {2: _stack((100, 0, 9), ttl=9)}, "Open vSwitch lacks it"),
    _raw("7.2.5 COPY_TTL_IN from MPLS to MPLS", [_type(0x8847)], [wire.action(12)],
         _stack((100, 0, 9), (101, 0, 50)), {2: _stack((100, 0, 9), (101, 0, 9))}, "Open vSwitch lacks it"),
]  # fmt: skip

_PBB_INNER = Ether(dst=B, src=A) / udp().payload
PBB = [
    _raw("7.2.5 PUSH_PBB: I-SID 0 of a new header, addresses copied (5.12.1)", [],
         [wire.action(26, struct.pack("!H2x", 0x88E7))], udp(),
         {2: ether(type=0x88E7) / Dot1AH(isid=0) / _PBB_INNER}, "Open vSwitch lacks PBB"),
    _raw("7.2.5 PUSH_PBB with set_field PBB_ISID", [],
         [wire.action(26, struct.pack("!H2x", 0x88E7)), wire.set_field(wire.oxm(37, b"\x00\x12\x34"))], udp(),
         {2: ether(type=0x88E7) / Dot1AH(isid=0x1234) / _PBB_INNER}, "Open vSwitch lacks PBB"),
    _raw("7.2.5 POP_PBB", [_type(0x88E7)], [wire.action(27)],
         Ether(dst=C, src=_D, type=0x88E7) / Dot1AH(isid=5) / _PBB_INNER, {2: udp()}, "Open vSwitch lacks PBB"),
]  # fmt: skip

TTLS = [
    case("7.2.5 SET_NW_TTL of IPv4", "ip actions=mod_nw_ttl:9,output:2", 1, udp(), {2: udp(ttl=9)}),
    case("7.2.5 SET_NW_TTL of IPv6", "ipv6 actions=mod_nw_ttl:9,output:2", 1, echo6(), {2: ip6(hlim=9) / echo6()[2]}),
    case("7.2.5 DEC_NW_TTL of IPv4", "ip actions=dec_ttl,output:2", 1, udp(), {2: udp(ttl=63)}, versions=_BOTH),
    case("7.2.5 DEC_NW_TTL of IPv6", "ipv6 actions=dec_ttl,output:2", 1, echo6(), {2: ip6(hlim=63) / echo6()[2]},
         versions=_BOTH),
    case("5.12 DEC_NW_TTL of TTL 1: an invalid TTL, dropped", "ip actions=dec_ttl,output:2", 1, udp(ttl=1), {},
         versions=_BOTH),
    case("5.12 DEC_NW_TTL of TTL 1: what went out before stays out", "ip actions=3,dec_ttl,output:2", 1, udp(ttl=1),
         {3: udp(ttl=1)}, versions=_BOTH),
    case("ovs-actions(7) dec_ttl(ids)", "ip actions=dec_ttl(0,1),output:2", 1, udp(), {2: udp(ttl=63)}, versions=_BOTH),
]  # fmt: skip


def _set(field: str, value: str, before: Ether, after: Ether, prereq: str = "") -> Case:
    return case(f"7.2.5 SET_FIELD {field}", f"{prereq} actions=set_field:{value}->{field},output:2",
                1, before, {2: after}, versions=_BOTH)  # fmt: skip


_SCTP = ip() / SCTP(sport=5, dport=6)

SET_FIELDS = [
    _set("eth_dst", C, udp(), ether(C) / udp().payload),
    _set("eth_src", C, udp(), ether(B, C) / udp().payload),
    case("7.2.5 SET_FIELD eth_type is refused nowhere but by OXM's table 12; vlan_vid keeps the PCP",
         "vlan_vid=0x1000/0x1000 actions=set_field:4105->vlan_vid,output:2", 1, vlan(7, 3), {2: vlan(9, 3)}),
    case("7.2.5 SET_FIELD vlan_pcp", "dl_vlan=7 actions=set_field:2->vlan_pcp,output:2", 1, vlan(7, 3), {2: vlan(7, 2)}),
    _set("ip_dscp", "46", udp(tos=3), udp(tos=0xBB), "ip"),
    _set("ip_ecn", "2", udp(tos=0xB8), udp(tos=0xBA), "ip"),
    _set("ip_dscp", "46", ip6(tc=3) / PAYLOAD, ip6(tc=0xBB) / PAYLOAD, "ipv6"),
    _set("ip_src", "10.9.9.9", udp(), udp(src="10.9.9.9"), "ip"),
    _set("ip_dst", "10.9.9.9", udp(), udp(dst="10.9.9.9"), "ip"),
    _set("ip_dst", "10.9.9.9", tcp(), tcp(dst="10.9.9.9"), "ip"),
    _set("ip_dst", "10.9.9.9", ip() / ICMP(), ip(dst="10.9.9.9") / ICMP(), "ip"),
    _set("tcp_src", "77", tcp(), tcp(77), "tcp"),
    _set("tcp_dst", "77", tcp(), tcp(dport=77), "tcp"),
    _set("udp_src", "77", udp(), udp(77), "udp"),
    _set("udp_dst", "77", udp(), udp(dport=77), "udp"),
    _set("udp_dst", "77", ip() / UDP(sport=1, dport=2, chksum=0) / PAYLOAD,
         ip() / UDP(sport=1, dport=77, chksum=0) / PAYLOAD, "udp"),
    _set("tcp_dst", "77", ip6() / TCP(sport=1, dport=2), ip6() / TCP(sport=1, dport=77), "tcp6"),
    _set("sctp_src", "77", _SCTP, ip() / SCTP(sport=77, dport=6), "sctp"),
    _set("sctp_dst", "77", _SCTP, ip() / SCTP(sport=5, dport=77), "sctp"),
    _set("icmp_type", "0", ip() / ICMP(type=8, id=9), ip() / ICMP(type=0, id=9), "icmp"),
    _set("icmp_code", "3", ip() / ICMP(type=3, code=1), ip() / ICMP(type=3, code=3), "icmp"),
    _set("arp_op", "2", arp(1), arp(2), "arp"),
    _set("arp_spa", "10.0.0.77", arp(), arp(psrc="10.0.0.77"), "arp"),
    _set("arp_tpa", "10.0.0.77", arp(), arp(pdst="10.0.0.77"), "arp"),
    _set("arp_sha", C, arp(), arp(hwsrc=C), "arp"),
    _set("arp_tha", C, arp(), arp(hwdst=C), "arp"),
    _set("ipv6_src", "fd00::77", ip6() / UDP(sport=1, dport=2) / PAYLOAD,
         ip6(src="fd00::77") / UDP(sport=1, dport=2) / PAYLOAD, "ipv6"),
    _set("ipv6_dst", "fd00::77", ip6() / TCP(sport=1, dport=2) / PAYLOAD,
         ip6(dst="fd00::77") / TCP(sport=1, dport=2) / PAYLOAD, "ipv6"),
    _set("ipv6_dst", "fd00::77", echo6(), ip6(dst="fd00::77") / echo6()[2], "ipv6"),
    _set("ipv6_label", "0x12345", echo6(), ip6(fl=0x12345) / echo6()[2], "ipv6"),
    _set("icmpv6_type", "129", echo6(), echo6(129), "icmp6"),
    _set("icmpv6_code", "1", echo6(), echo6(code=1), "icmp6"),
    _set("nd_target", "fd00::77", solicitation(), solicitation("fd00::77"), "icmp6,icmpv6_type=135"),
    _set("nd_sll", C, solicitation(), solicitation(source=C), "icmp6,icmpv6_type=135"),
    _set("nd_tll", C, advertisement(), advertisement(address=C), "icmp6,icmpv6_type=136"),
    case("7.2.5 SET_FIELD tun_id, seen by the next table",
         "actions=set_field:5->tun_id,resubmit(,1)\n table=1,tun_id=5 actions=output:2", 1, udp(), {2: udp()},
         versions=_BOTH),
    case("ovs-actions(7) set_field masked", "ip actions=set_field:0.0.9.0/0.0.255.0->ip_dst,output:2",
         1, udp(), {2: udp(dst="10.0.9.2")}),
    case("7.2.5 SET_FIELD of both a field and its header's other field",
         f"udp actions=set_field:{C}->eth_dst,set_field:1.2.3.4->ip_src,set_field:5->udp_dst,output:2",
         1, udp(), {2: ether(C) / udp(src="1.2.3.4", dport=5).payload}, versions=_BOTH),
]  # fmt: skip

LEGACY = [
    case("1.0 5.2.4 SET_DL_SRC", f"actions=mod_dl_src:{C},2", 1, udp(), {2: ether(B, C) / udp().payload}, versions=_10),
    case("1.0 5.2.4 SET_DL_DST", f"actions=mod_dl_dst:{C},2", 1, udp(), {2: ether(C) / udp().payload}, versions=_10),
    case("1.0 5.2.4 SET_NW_SRC", "ip actions=mod_nw_src:9.9.9.9,2", 1, udp(), {2: udp(src="9.9.9.9")}, versions=_10),
    case("1.0 5.2.4 SET_NW_DST", "ip actions=mod_nw_dst:9.9.9.9,2", 1, udp(), {2: udp(dst="9.9.9.9")}, versions=_10),
    case("1.0 5.2.4 SET_NW_DST of a packet that is not IP changes nothing", "actions=mod_nw_dst:9.9.9.9,2", 1,
         echo6(), {2: echo6()}, versions=_10),
    case("1.0 5.2.4 SET_NW_TOS keeps the ECN", "ip actions=mod_nw_tos:184,2", 1, udp(tos=1), {2: udp(tos=0xB9)},
         versions=_10),
    case("1.0 5.2.4 SET_TP_SRC", "tcp actions=mod_tp_src:9,2", 1, tcp(), {2: tcp(9)}, versions=_10),
    case("1.0 5.2.4 SET_TP_DST", "udp actions=mod_tp_dst:9,2", 1, udp(), {2: udp(dport=9)}, versions=_10),
]  # fmt: skip

NICIRA = [
    case("ovs-actions(7) resubmit to a table and back",
         "actions=resubmit(,1),2\n table=1 actions=3", 1, udp(), {2: udp(), 3: udp()}, versions=_BOTH),
    case("ovs-actions(7) resubmit: what it changed stays changed",
         f"actions=resubmit(,1),2\n table=1 actions=set_field:{C}->eth_dst", 1, udp(),
         {2: ether(C) / udp().payload}, versions=_BOTH),
    case("ovs-actions(7) resubmit with another in_port",
         "in_port=1 actions=resubmit(3,1)\n table=1,in_port=3 actions=2\n table=1,in_port=1 actions=4",
         1, udp(), {2: udp()}, versions=_BOTH),
    case("ovs-actions(7) resubmit:port in the same table", "in_port=1 actions=resubmit:9,3\n in_port=9 actions=2",
         1, udp(), {2: udp(), 3: udp()}, versions=_BOTH),
    case("ovs-actions(7) resubmit without end: stopped, and the packet dropped whole",
         "actions=2,resubmit(,0)", 1, tcp(), {}, versions=_BOTH),
    case("ovs-actions(7) load and move through registers",
         "ip actions=move:NXM_OF_IP_DST[]->NXM_NX_REG0[],load:0xff->NXM_NX_REG0[0..7],"
         "move:NXM_NX_REG0[]->NXM_OF_IP_SRC[],output:2",
         1, udp(), {2: udp(src="10.0.0.255")}, versions=_BOTH),
    case("ovs-actions(7) move swaps addresses",
         "ip actions=move:NXM_OF_IP_DST[]->NXM_NX_REG0[],move:NXM_OF_IP_SRC[]->NXM_OF_IP_DST[],"
         "move:NXM_NX_REG0[]->NXM_OF_IP_SRC[],output:2",
         1, udp(), {2: udp(src="10.0.0.2", dst="10.0.0.1")}, versions=_BOTH),
    case("ovs-actions(7) reg_load of part of a field, seen by the next table",
         "actions=load:5->NXM_NX_REG3[4..7],resubmit(,1)\n table=1,reg3=0x50 actions=2", 1, udp(), {2: udp()},
         versions=_BOTH),
    case("ovs-actions(7) xxreg0 is reg0 … reg3",
         "actions=set_field:0x0000000a0000000b0000000c0000000d->xxreg0,resubmit(,1)\n"
         "table=1,reg0=0xa,reg1=0xb,reg2=0xc,reg3=0xd actions=2", 1, udp(), {2: udp()}, versions=_BOTH),
    case("ovs-actions(7) reg15", "actions=load:9->NXM_NX_REG15[],resubmit(,1)\n table=1,reg15=9 actions=2", 1, udp(),
         {2: udp()}, versions=_BOTH),
    case("ovs-actions(7) output:reg", "actions=load:2->NXM_NX_REG0[],output:NXM_NX_REG0[]", 1, udp(), {2: udp()},
         versions=_BOTH),
    case("ovs-actions(7) output of some bits", "actions=load:0x300->NXM_NX_REG0[],output:NXM_NX_REG0[8..15]", 1, udp(),
         {3: udp()}, versions=_BOTH),
    case("ovs-actions(7) output(port,max_len) truncates", "actions=output(port=2,max_len=40),3", 1, udp(),
         {2: Ether(bytes(udp())[:40]), 3: udp()}, versions=_BOTH),
    case("ovs-actions(7) note does nothing", "actions=note:01.02.03,2", 1, udp(), {2: udp()}, versions=_BOTH),
    case("ovs-actions(7) exit ends it, in resubmits too", "actions=2,resubmit(,1),3\n table=1 actions=4,exit,5", 1,
         udp(), {2: udp(), 4: udp()}, versions=_BOTH),
    case("ovs-actions(7) clone: changes inside stay inside",
         f"actions=clone(set_field:{C}->eth_dst,2),3", 1, udp(), {2: ether(C) / udp().payload, 3: udp()},
         versions=_BOTH),
    case("ovs-actions(7) push and pop",
         "ip actions=push:NXM_OF_IP_SRC[],set_field:9.9.9.9->ip_src,2,pop:NXM_OF_IP_SRC[],3",
         1, udp(), {2: udp(src="9.9.9.9"), 3: udp()}, versions=_BOTH),
    case("ovs-actions(7) multipath: the only link", "actions=multipath(symmetric_l4,0,modulo_n,1,0,NXM_NX_REG0[]),"
         "resubmit(,1)\n table=1,reg0=0 actions=2", 1, udp(), {2: udp()}, versions=_BOTH),
    case("ovs-actions(7) bundle, active_backup: the first live member",
         "actions=bundle(eth_src,0,active_backup,ofport,members:9,2,3)", 1, udp(), {2: udp()}, versions=_BOTH),
    case("ovs-actions(7) bundle_load", "actions=bundle_load(eth_src,0,active_backup,ofport,NXM_NX_REG0[],members:3),"
         "output:NXM_NX_REG0[]", 1, udp(), {3: udp()}, versions=_BOTH),
    Case("ovs-actions(7) conjunction: (a or b) and (c or d)",
         """priority=10,ip,nw_src=10.0.0.1 actions=conjunction(1,1/2)
            priority=10,ip,nw_src=10.0.0.3 actions=conjunction(1,1/2)
            priority=10,ip,nw_dst=10.0.0.2 actions=conjunction(1,2/2)
            priority=10,ip,nw_dst=10.0.0.4 actions=conjunction(1,2/2)
            priority=10,conj_id=1,ip actions=2
            priority=1 actions=3""",
         [Step(1, udp(), {2: udp()}), Step(1, udp(src="10.0.0.3", dst="10.0.0.4"),
                                            {2: udp(src="10.0.0.3", dst="10.0.0.4")}),
          Step(1, udp(src="10.0.0.5"), {3: udp(src="10.0.0.5")}),
          Step(1, udp(dst="10.0.0.5"), {3: udp(dst="10.0.0.5")})],
         versions=_BOTH),
    case("ovs-actions(7) sample does not disturb", "actions=sample(probability=65535,collector_set_id=1),2", 1, udp(),
         {2: udp()}, versions=_BOTH),
    case("6.1.2 a switch that does not buffer sends the whole packet, whatever max_len", "actions=controller(max_len=20),2",
         1, udp(), {2: udp(), UP: udp()}, versions=_BOTH),
    case("ovs-actions(7) fin_timeout of a packet without FIN forwards", "tcp actions=fin_timeout(idle_timeout=1),2", 1,
         tcp(), {2: tcp()}, versions=_BOTH),
    case("ovs-actions(7) move of a MAC address", "arp actions=move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],"
         f"set_field:{C}->eth_src,set_field:2->arp_op,move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[],"
         f"set_field:{C}->arp_sha,move:NXM_OF_ARP_TPA[]->NXM_NX_REG0[],move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[],"
         "move:NXM_NX_REG0[]->NXM_OF_ARP_SPA[],in_port", 1, arp(),
         {1: ether(A, C) / arp(2, hwsrc=C, hwdst=A, psrc="10.0.0.2", pdst="10.0.0.1").payload}, versions=_BOTH),
]  # fmt: skip

ACTIONS = [*OUTPUTS, *VLANS, *MPLS_ACTIONS, *PBB, *TTLS, *SET_FIELDS, *LEGACY, *NICIRA]
