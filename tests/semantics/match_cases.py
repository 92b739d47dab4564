# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: E501 a table's rows
"""One case for each match field, exact and (where 7.2.3.7, table 12, lets it) masked; OpenFlow 1.3.5, section 7.2.3."""

from tests.peers import wire
from tests.semantics.case import Case, Step
from tests.semantics.packets import (
    ICMP,
    IP,
    PAYLOAD,
    SCTP,
    TCP,
    UDP,
    A,
    B,
    C,
    Dot1AH,
    Dot1Q,
    Ether,
    IPv6,
    IPv6ExtHdrHopByHop,
    Packet,
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


def _field(name: str, flow: str, *packets: tuple[Packet, bool], versions: tuple[str, ...] = _BOTH) -> Case:
    steps = [Step(1, packet, {2: packet} if hit else {}) for packet, hit in packets]
    return Case(f"7.2.3.7 {name}", f"priority=10,{flow} actions=output:2", steps, versions=versions)


def _raw(name: str, fields: list[bytes], *packets: tuple[Packet, bool], why: str) -> Case:
    steps = [Step(1, packet, {2: packet} if hit else {}) for packet, hit in packets]
    flow = wire.flow_mod(wire.match(*fields), wire.apply(wire.output(2)))
    return Case(f"7.2.3.7 {name}", "", steps, raw=[flow], not_ovs=why)


def _pbb(isid: int) -> Packet:
    inner = Ether(dst=B, src=A) / IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=1, dport=2) / PAYLOAD
    return ether(type=0x88E7) / Dot1AH(isid=isid) / inner


def _be(value: int, size: int) -> bytes:
    return value.to_bytes(size, "big")


MATCHES = [
    Case(
        "7.2.3.7 IN_PORT",
        "priority=10,in_port=3 actions=output:2",
        [Step(3, udp(), {2: udp()}), Step(1, udp(), {})],
        versions=_BOTH,
    ),
    Case(
        "7.2.3.7 IN_PORT is not looked at where it is left out",
        "priority=10 actions=output:2",
        [Step(3, udp(), {2: udp()}), Step(1, udp(), {2: udp()})],
        versions=_BOTH,
    ),
    _raw(
        "IN_PHY_PORT: of a port that is not a tunnel or bond, the port itself",
        [wire.oxm(0, _be(1, 4)), wire.oxm(1, _be(1, 4))],
        (udp(), True),
        why="Open vSwitch lacks the field",
    ),
    _raw(
        "IN_PHY_PORT of another port",
        [wire.oxm(0, _be(1, 4)), wire.oxm(1, _be(3, 4))],
        (udp(), False),
        why="Open vSwitch lacks the field",
    ),
    Case(
        "7.2.3.7 METADATA exact and masked, written by the table before",
        """table=0,in_port=1 actions=write_metadata:0x1234,goto_table:1
           table=0,in_port=3 actions=write_metadata:0x99ff,goto_table:1
           table=1,priority=20,metadata=0x1234 actions=output:2
           table=1,priority=10,metadata=0xff/0xff actions=output:4""",
        [Step(1, udp(), {2: udp()}), Step(3, udp(), {4: udp()})],
    ),
    _field("ETH_DST", f"dl_dst={B}", (ether(B) / PAYLOAD, True), (ether(C) / PAYLOAD, False)),
    _field(
        "ETH_DST masked: the multicast bit",
        "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00",
        (ether("01:00:5e:00:00:01") / PAYLOAD, True),
        (ether(B) / PAYLOAD, False),
    ),
    _field(
        "ETH_DST masked in arbitrary bits",
        "dl_dst=02:00:00:00:00:08/0f:00:00:00:00:0c",
        (ether("32:99:99:99:99:fb") / PAYLOAD, True),
        (ether("32:99:99:99:99:f7") / PAYLOAD, False),
    ),
    _field("ETH_SRC", f"dl_src={A}", (ether(B, A) / PAYLOAD, True), (ether(B, C) / PAYLOAD, False)),
    _field(
        "ETH_SRC masked",
        "dl_src=02:11:00:00:00:00/ff:ff:00:00:00:00",
        (ether(B, "02:11:22:33:44:55") / PAYLOAD, True),
        (ether(B, "02:12:22:33:44:55") / PAYLOAD, False),
    ),
    _field("ETH_TYPE", "dl_type=0x88b5", (ether(type=0x88B5) / PAYLOAD, True), (udp(), False)),
    _field("ETH_TYPE is the one behind a VLAN tag", "dl_type=0x0800", (udp(), True), (vlan(), True)),
    _field(
        "ETH_TYPE of a frame with a length is 0x05ff",
        "dl_type=0x05ff",
        (Ether(bytes.fromhex("02000000000b02000000000a0010") + bytes(46)), True),
        (udp(), False),
    ),
    _field("VLAN_VID", "dl_vlan=7", (vlan(7), True), (vlan(8), False), (udp(), False)),
    _field("VLAN_VID: a priority tag has VID 0", "dl_vlan=0", (vlan(0), True), (udp(), False)),
    _field(
        "VLAN_VID, OFPVID_NONE: untagged only",
        "vlan_tci=0",
        (udp(), True),
        (vlan(0), False),
        (vlan(7), False),
    ),
    _field(
        "VLAN_VID, OFPVID_PRESENT masked: tagged, whatever the VID",
        "vlan_vid=0x1000/0x1000",
        *((vlan(7), True), (vlan(0), True), (udp(), False)),
        versions=("OpenFlow13",),
    ),
    _field(
        "VLAN_VID masked: odd VIDs",
        "vlan_vid=0x1001/0x1001",
        *((vlan(7), True), (vlan(8), False), (udp(), False)),
        versions=("OpenFlow13",),
    ),
    _field(
        "VLAN_VID of 802.1ad's tag", "dl_vlan=7", (vlan(7, tpid=0x88A8), True), (vlan(8, tpid=0x88A8), False)
    ),
    _field(
        "VLAN_VID is the outer tag's",
        "dl_vlan=7",
        (ether() / Dot1Q(vlan=7) / Dot1Q(vlan=9) / udp().payload, True),
        (ether() / Dot1Q(vlan=9) / Dot1Q(vlan=7) / udp().payload, False),
    ),
    _field("VLAN_PCP", "dl_vlan=7,dl_vlan_pcp=5", (vlan(7, 5), True), (vlan(7, 4), False)),
    _field("VLAN_PCP of any VLAN", "dl_vlan_pcp=5", (vlan(9, 5), True), (vlan(9, 4), False), (udp(), False)),
    _field(
        "IP_DSCP of IPv4; ECN does not count", "ip,ip_dscp=46", (udp(tos=0xB9), True), (udp(tos=0xB4), False)
    ),
    _field(
        "IP_DSCP of IPv6", "ipv6,ip_dscp=46", (ip6(tc=0xB8) / PAYLOAD, True), (ip6(tc=0x2E) / PAYLOAD, False)
    ),
    _field("IP_ECN of IPv4", "ip,nw_ecn=2", (udp(tos=0xB2), True), (udp(tos=0xB3), False)),
    _field(
        "IP_ECN of IPv6", "ipv6,nw_ecn=3", (ip6(tc=0x03) / PAYLOAD, True), (ip6(tc=0x30) / PAYLOAD, False)
    ),
    _field("IP_PROTO of IPv4", "ip,nw_proto=99", (ip(proto=99) / PAYLOAD, True), (udp(), False)),
    _field(
        "IP_PROTO of IPv6", "ipv6,nw_proto=99", (ip6(nh=99) / PAYLOAD, True), (ip6(nh=98) / PAYLOAD, False)
    ),
    _field(
        "IP_PROTO of IPv6 is the last header's",
        "ipv6,nw_proto=17",
        (ip6() / IPv6ExtHdrHopByHop() / UDP(sport=1, dport=2) / PAYLOAD, True),
        (ip6() / IPv6ExtHdrHopByHop() / TCP(sport=1, dport=2) / PAYLOAD, False),
    ),
    _field("IPV4_SRC", "ip,nw_src=10.0.0.1", (udp(), True), (udp(src="10.0.0.9"), False), (arp(), False)),
    _field(
        "IPV4_SRC masked: a prefix",
        "ip,nw_src=10.1.0.0/16",
        (udp(src="10.1.9.9"), True),
        (udp(src="10.2.9.9"), False),
    ),
    _field(
        "IPV4_SRC masked in arbitrary bits",
        "ip,nw_src=10.0.0.1/255.0.0.255",
        *((udp(src="10.77.88.1"), True), (udp(src="10.77.88.2"), False)),
    ),
    _field("IPV4_DST", "ip,nw_dst=10.0.0.2", (udp(), True), (udp(dst="10.0.0.9"), False)),
    _field(
        "IPV4_DST masked: a prefix",
        "ip,nw_dst=192.0.2.0/25",
        (udp(dst="192.0.2.1"), True),
        (udp(dst="192.0.2.200"), False),
    ),
    _field("TCP_SRC", "tcp,tp_src=1000", (tcp(1000), True), (tcp(1001), False), (udp(1000), False)),
    _field("TCP_DST", "tcp,tp_dst=2000", (tcp(), True), (tcp(dport=2001), False), (udp(), False)),
    _field(
        "TCP_DST of IPv6", "tcp6,tp_dst=2000", (ip6() / TCP(dport=2000), True), (ip6() / TCP(dport=1), False)
    ),
    _field("UDP_SRC", "udp,tp_src=1000", (udp(), True), (udp(1001), False), (tcp(), False)),
    _field("UDP_DST", "udp,tp_dst=2000", (udp(), True), (udp(dport=2001), False), (tcp(), False)),
    _field(
        "UDP_SRC of IPv6", "udp6,tp_src=53", (ip6() / UDP(sport=53), True), (ip6() / UDP(sport=54), False)
    ),
    _field(
        "UDP ports of a later fragment: it has none (5.3, fragments are 0 there)",
        "udp,tp_dst=2000",
        (udp(), True),
        (ip(proto=17, frag=10) / PAYLOAD, False),
    ),
    _field(
        "SCTP_SRC",
        "sctp,tp_src=5",
        (ip() / SCTP(sport=5, dport=6), True),
        (ip() / SCTP(sport=6, dport=6), False),
    ),
    _field(
        "SCTP_DST",
        "sctp,tp_dst=6",
        (ip() / SCTP(sport=5, dport=6), True),
        (ip() / SCTP(sport=5, dport=5), False),
    ),
    _field("ICMPV4_TYPE", "icmp,icmp_type=8", (ip() / ICMP(type=8), True), (ip() / ICMP(type=0), False)),
    _field(
        "ICMPV4_CODE",
        "icmp,icmp_type=3,icmp_code=1",
        (ip() / ICMP(type=3, code=1), True),
        (ip() / ICMP(type=3), False),
    ),
    _field("ARP_OP", "arp,arp_op=2", (arp(2), True), (arp(1), False)),
    _field("ARP_SPA", "arp,arp_spa=10.0.0.1", (arp(), True), (arp(psrc="10.0.0.3"), False)),
    _field("ARP_SPA masked", "arp,arp_spa=10.0.0.0/24", (arp(), True), (arp(psrc="10.0.1.3"), False)),
    _field("ARP_TPA", "arp,arp_tpa=10.0.0.2", (arp(), True), (arp(pdst="10.0.0.3"), False)),
    _field("ARP_TPA masked", "arp,arp_tpa=10.0.0.0/30", (arp(), True), (arp(pdst="10.0.0.7"), False)),
    _field("ARP_SHA", f"arp,arp_sha={A}", (arp(), True), (arp(hwsrc=C), False)),
    _field(
        "ARP_SHA masked",
        "arp,arp_sha=02:00:00:00:00:00/ff:00:00:00:00:00",
        (arp(), True),
        (arp(hwsrc="06" + A[2:]), False),
    ),
    _field("ARP_THA", f"arp,arp_tha={C}", (arp(2, hwdst=C), True), (arp(2, hwdst=B), False)),
    _field("IPV6_SRC", "ipv6,ipv6_src=fd00::1", (echo6(), True), (ip6(src="fd00::3") / PAYLOAD, False)),
    _field(
        "IPV6_SRC masked: a prefix",
        "ipv6,ipv6_src=fd00:1::/32",
        (ip6(src="fd00:1:2::3") / PAYLOAD, True),
        (ip6(src="fd00:2::3") / PAYLOAD, False),
    ),
    _field("IPV6_DST", "ipv6,ipv6_dst=fd00::2", (echo6(), True), (ip6(dst="fd00::3") / PAYLOAD, False)),
    _field(
        "IPV6_DST masked in arbitrary bits: the interface",
        "ipv6,ipv6_dst=::2/::ffff",
        (ip6(dst="fd77::2") / PAYLOAD, True),
        (ip6(dst="fd77::3") / PAYLOAD, False),
    ),
    _field(
        "IPV6_FLABEL",
        "ipv6,ipv6_label=0x12345",
        (ip6(fl=0x12345) / PAYLOAD, True),
        (ip6(fl=0x12346) / PAYLOAD, False),
    ),
    _field(
        "IPV6_FLABEL masked",
        "ipv6,ipv6_label=0x00005/0x0000f",
        (ip6(fl=0x12345) / PAYLOAD, True),
        (ip6(fl=0x12346) / PAYLOAD, False),
    ),
    _field("ICMPV6_TYPE", "icmp6,icmpv6_type=128", (echo6(), True), (echo6(129), False)),
    _field("ICMPV6_CODE", "icmp6,icmpv6_type=128,icmpv6_code=1", (echo6(code=1), True), (echo6(), False)),
    _field(
        "IPV6_ND_TARGET of a solicitation",
        "icmp6,icmpv6_type=135,nd_target=fd00::9",
        *((solicitation(), True), (solicitation("fd00::8"), False)),
    ),
    _field(
        "IPV6_ND_TARGET of an advertisement",
        "icmp6,icmpv6_type=136,nd_target=fd00::9",
        *((advertisement(), True), (advertisement("fd00::8"), False)),
    ),
    _field(
        "IPV6_ND_SLL",
        f"icmp6,icmpv6_type=135,nd_sll={A}",
        *((solicitation(), True), (solicitation(source=C), False)),
    ),
    _field(
        "IPV6_ND_TLL",
        f"icmp6,icmpv6_type=136,nd_tll={B}",
        *((advertisement(), True), (advertisement(address=C), False)),
    ),
    _field("MPLS_LABEL", "mpls,mpls_label=100", (mpls(100), True), (mpls(101), False), (udp(), False)),
    _field("MPLS_LABEL of multicast", "mplsm,mpls_label=100", (mpls(multicast=True), True), (mpls(), False)),
    _field("MPLS_TC", "mpls,mpls_tc=5", (mpls(tc=5), True), (mpls(tc=4), False)),
    _field(
        "MPLS_BOS",
        "mpls,mpls_bos=0",
        (ether(type=0x8847) / bytes.fromhex("0006404000065140") / udp().payload, True),
        (mpls(), False),
    ),
    _raw(
        "PBB_ISID",
        [wire.oxm(5, _be(0x88E7, 2)), wire.oxm(37, _be(0x1234, 3))],
        *((_pbb(0x1234), True), (_pbb(0x1235), False)),
        why="Open vSwitch lacks PBB",
    ),
    _raw(
        "PBB_ISID masked",
        [wire.oxm(5, _be(0x88E7, 2)), wire.oxm(37, _be(0x1200, 3), _be(0xFF00, 3))],
        *((_pbb(0x1234), True), (_pbb(0x1334), False)),
        why="Open vSwitch lacks PBB",
    ),
    _field("TUNNEL_ID: 0 outside of tunnels", "tun_id=0", (udp(), True)),
    _field("TUNNEL_ID of another tunnel", "tun_id=5", (udp(), False)),
    Case(
        "7.2.3.7 TUNNEL_ID masked, as set_field has set it",
        """table=0,in_port=1 actions=set_field:0x1234->tun_id,goto_table:1
           table=0,in_port=3 actions=set_field:0x1334->tun_id,goto_table:1
           table=1,tun_id=0x1200/0xff00 actions=output:2""",
        [Step(1, udp(), {2: udp()}), Step(3, udp(), {})],
    ),
    _raw(
        "IPV6_EXTHDR: hop-by-hop present",
        [wire.oxm(5, _be(0x86DD, 2)), wire.oxm(39, _be(0x40, 2), _be(0x40, 2))],
        (ip6() / IPv6ExtHdrHopByHop() / UDP(sport=1, dport=2) / PAYLOAD, True),
        (ip6() / UDP(sport=1, dport=2) / PAYLOAD, False),
        why="Open vSwitch lacks the field",
    ),
    _raw(
        "IPV6_EXTHDR: no next header",
        [wire.oxm(5, _be(0x86DD, 2)), wire.oxm(39, _be(1, 2), _be(1, 2))],
        (ether() / IPv6(src="fd00::1", dst="fd00::2", nh=59), True),
        (ip6() / UDP(sport=1, dport=2) / PAYLOAD, False),
        why="Open vSwitch lacks the field",
    ),
]

# 5.3 and 7.2.3: which of several rules a packet meets.
PRECEDENCE = [
    Case(
        "5.3 the highest priority that matches wins, whichever came first",
        """priority=10,ip actions=output:2
           priority=30,ip,nw_dst=10.0.0.0/8 actions=output:3
           priority=20,ip,nw_dst=10.0.0.2 actions=output:4
           priority=40,tcp actions=output:5""",
        [
            Step(1, udp(), {3: udp()}),
            Step(1, tcp(), {5: tcp()}),
            Step(1, udp(dst="9.9.9.9"), {2: udp(dst="9.9.9.9")}),
        ],
        versions=_BOTH,
    ),
    Case(
        "5.4 table miss: what no rule matches is dropped",
        "priority=10,tcp actions=output:2",
        [Step(1, udp(), {}), Step(1, tcp(), {2: tcp()})],
        versions=_BOTH,
    ),
    Case(
        "5.4 a table-miss flow entry matches all with priority 0",
        "priority=10,tcp actions=output:2\n priority=0 actions=output:3",
        [Step(1, udp(), {3: udp()}), Step(1, tcp(), {2: tcp()})],
        versions=_BOTH,
    ),
    Case(
        "5.3 two masks of the same priority, apart in other fields",
        """priority=10,ip,nw_src=10.1.0.0/16 actions=output:2
           priority=10,ip,nw_dst=10.2.0.0/16 actions=output:3""",
        [
            Step(1, udp(src="10.1.0.1"), {2: udp(src="10.1.0.1")}),
            Step(1, udp(dst="10.2.0.1"), {3: udp(dst="10.2.0.1")}),
        ],
        versions=_BOTH,
    ),
    Case(
        "7.2.3.7 fields of several layers at once",
        f"priority=10,in_port=1,dl_src={A},dl_dst={B},dl_vlan=7,dl_vlan_pcp=3,udp,nw_src=10.0.0.1,nw_dst=10.0.0.0/24,"
        "nw_tos=184,tp_src=1000,tp_dst=2000 actions=output:2",
        [
            Step(1, vlan(7, 3, tos=0xB8), {2: vlan(7, 3, tos=0xB8)}),
            Step(3, vlan(7, 3, tos=0xB8), {}),
            Step(1, vlan(7, 3, tos=0xB4), {}),
            Step(1, vlan(7, 3, tos=0xB8, sport=999), {}),
        ],
        versions=_BOTH,
    ),
]
