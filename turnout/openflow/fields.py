# SPDX-License-Identifier: Apache-2.0
"""The fields of ovs-fields(7): their names, OXM and NXM headers, widths, spellings and prerequisites.

Data that the text syntax and the reference interpreter share. It is written from the standard's tables and
the manual, not from the engine's table; a test holds the two against each other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

EXPERIMENTER_ONF: Final = 0x4F4E4600


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `bits` is its width, `size` its bytes on the wire.

    name: as in `set_field:…->name`; `code`: as in `move:code[]->…`.
    oxm: class and field number for matches and set_field (OpenFlow 1.3); nxm: for Nicira's actions.
    style: how its value is spelled; prereq: what a packet must be to have it, a key of PREREQS.
    """

    name: str
    bits: int
    size: int
    oxm: tuple[int, int]
    nxm: tuple[int, int]
    code: str
    style: str
    prereq: str
    maskable: bool
    writable: bool
    aliases: tuple[str, ...]

    @property
    def all_ones(self) -> int:
        """The mask of an exact match."""
        return (1 << self.bits) - 1


def _codes(spec: str) -> tuple[tuple[int, int], str]:
    """ "NXM_OF_ETH_DST:0:1" → ((class, number), name)."""
    code, cls, number = spec.split(":")
    return (int(cls, 16), int(number)), code


def _rows() -> list[str]:
    # name[,alias…] bits size OXM NXM style prereq flags; "-" where there is none
    # flags: m maskable, w writable
    rows = """
    in_port_oxm 32 4 OXM_OF_IN_PORT:8000:0 - port none w
    in_port 16 2 - NXM_OF_IN_PORT:0:0 port none w
    in_phy_port 32 4 OXM_OF_IN_PHY_PORT:8000:1 - port none -
    metadata 64 8 OXM_OF_METADATA:8000:2 - hex none mw
    tun_id,tunnel_id 64 8 OXM_OF_TUNNEL_ID:8000:38 NXM_NX_TUN_ID:1:16 hex none mw
    tun_src 32 4 - NXM_NX_TUN_IPV4_SRC:1:31 ipv4 none mw
    tun_dst 32 4 - NXM_NX_TUN_IPV4_DST:1:32 ipv4 none mw
    tun_ipv6_src 128 16 - NXM_NX_TUN_IPV6_SRC:1:109 ipv6 none mw
    tun_ipv6_dst 128 16 - NXM_NX_TUN_IPV6_DST:1:110 ipv6 none mw
    tun_flags 1 2 - NXM_NX_TUN_FLAGS:1:104 tunnel none mw
    pkt_mark 32 4 - NXM_NX_PKT_MARK:1:33 hex none mw
    conj_id 32 4 - NXM_NX_CONJ_ID:1:37 decimal none -
    actset_output 32 4 ONFOXM_ET_ACTSET_OUTPUT:ffff:43 - port none -
    eth_dst,dl_dst 48 6 OXM_OF_ETH_DST:8000:3 NXM_OF_ETH_DST:0:1 mac none mw
    eth_src,dl_src 48 6 OXM_OF_ETH_SRC:8000:4 NXM_OF_ETH_SRC:0:2 mac none mw
    eth_type,dl_type 16 2 OXM_OF_ETH_TYPE:8000:5 NXM_OF_ETH_TYPE:0:3 hex4 none -
    vlan_tci 16 2 - NXM_OF_VLAN_TCI:0:4 hex4 none mw
    vlan_vid 12 2 OXM_OF_VLAN_VID:8000:6 - decimal none mw
    vlan_pcp,dl_vlan_pcp 3 1 OXM_OF_VLAN_PCP:8000:7 - decimal vlan w
    mpls_label 20 4 OXM_OF_MPLS_LABEL:8000:34 - decimal mpls w
    mpls_tc 3 1 OXM_OF_MPLS_TC:8000:35 - decimal mpls w
    mpls_bos 1 1 OXM_OF_MPLS_BOS:8000:36 - decimal mpls -
    mpls_ttl 8 1 - NXM_NX_MPLS_TTL:1:30 decimal mpls w
    pbb_isid 24 3 OXM_OF_PBB_ISID:8000:37 - decimal pbb mw
    ip_src,nw_src 32 4 OXM_OF_IPV4_SRC:8000:11 NXM_OF_IP_SRC:0:7 ipv4 ipv4 mw
    ip_dst,nw_dst 32 4 OXM_OF_IPV4_DST:8000:12 NXM_OF_IP_DST:0:8 ipv4 ipv4 mw
    ipv6_src 128 16 OXM_OF_IPV6_SRC:8000:26 NXM_NX_IPV6_SRC:1:19 ipv6 ipv6 mw
    ipv6_dst 128 16 OXM_OF_IPV6_DST:8000:27 NXM_NX_IPV6_DST:1:20 ipv6 ipv6 mw
    ipv6_label 20 4 OXM_OF_IPV6_FLABEL:8000:28 NXM_NX_IPV6_LABEL:1:27 hex ipv6 mw
    ipv6_exthdr 9 2 OXM_OF_IPV6_EXTHDR:8000:39 - hex ipv6 m
    nw_proto,ip_proto 8 1 OXM_OF_IP_PROTO:8000:10 NXM_OF_IP_PROTO:0:6 decimal ip -
    nw_tos 8 1 - NXM_OF_IP_TOS:0:5 decimal ip w
    ip_dscp 6 1 OXM_OF_IP_DSCP:8000:8 - decimal ip w
    nw_ecn,ip_ecn 2 1 OXM_OF_IP_ECN:8000:9 NXM_NX_IP_ECN:1:28 decimal ip w
    nw_ttl 8 1 - NXM_NX_IP_TTL:1:29 decimal ip w
    ip_frag,nw_frag 2 1 - NXM_NX_IP_FRAG:1:26 frag ip m
    arp_op 16 2 OXM_OF_ARP_OP:8000:21 NXM_OF_ARP_OP:0:15 decimal arp w
    arp_spa 32 4 OXM_OF_ARP_SPA:8000:22 NXM_OF_ARP_SPA:0:16 ipv4 arp mw
    arp_tpa 32 4 OXM_OF_ARP_TPA:8000:23 NXM_OF_ARP_TPA:0:17 ipv4 arp mw
    arp_sha 48 6 OXM_OF_ARP_SHA:8000:24 NXM_NX_ARP_SHA:1:17 mac arp mw
    arp_tha 48 6 OXM_OF_ARP_THA:8000:25 NXM_NX_ARP_THA:1:18 mac arp mw
    tcp_src,tp_src 16 2 OXM_OF_TCP_SRC:8000:13 NXM_OF_TCP_SRC:0:9 decimal tcp mw
    tcp_dst,tp_dst 16 2 OXM_OF_TCP_DST:8000:14 NXM_OF_TCP_DST:0:10 decimal tcp mw
    tcp_flags 12 2 ONFOXM_ET_TCP_FLAGS:ffff:42 NXM_NX_TCP_FLAGS:1:34 flags tcp m
    udp_src 16 2 OXM_OF_UDP_SRC:8000:15 NXM_OF_UDP_SRC:0:11 decimal udp mw
    udp_dst 16 2 OXM_OF_UDP_DST:8000:16 NXM_OF_UDP_DST:0:12 decimal udp mw
    sctp_src 16 2 OXM_OF_SCTP_SRC:8000:17 - decimal sctp mw
    sctp_dst 16 2 OXM_OF_SCTP_DST:8000:18 - decimal sctp mw
    icmp_type 8 1 OXM_OF_ICMPV4_TYPE:8000:19 NXM_OF_ICMP_TYPE:0:13 decimal icmp w
    icmp_code 8 1 OXM_OF_ICMPV4_CODE:8000:20 NXM_OF_ICMP_CODE:0:14 decimal icmp w
    icmpv6_type 8 1 OXM_OF_ICMPV6_TYPE:8000:29 NXM_NX_ICMPV6_TYPE:1:21 decimal icmpv6 w
    icmpv6_code 8 1 OXM_OF_ICMPV6_CODE:8000:30 NXM_NX_ICMPV6_CODE:1:22 decimal icmpv6 w
    nd_target 128 16 OXM_OF_IPV6_ND_TARGET:8000:31 NXM_NX_ND_TARGET:1:23 ipv6 nd mw
    nd_sll 48 6 OXM_OF_IPV6_ND_SLL:8000:32 NXM_NX_ND_SLL:1:24 mac nd_solicit mw
    nd_tll 48 6 OXM_OF_IPV6_ND_TLL:8000:33 NXM_NX_ND_TLL:1:25 mac nd_advert mw
    """
    registers = [f"reg{i} 32 4 - NXM_NX_REG{i}:1:{i} hex none mw" for i in range(16)]
    registers += [f"xreg{i} 64 8 OXM_OF_PKT_REG{i}:8001:{i} - hex none mw" for i in range(8)]
    registers += [f"xxreg{i} 128 16 - NXM_NX_XXREG{i}:1:{111 + i} hex none mw" for i in range(4)]
    return [row.strip() for row in rows.strip().splitlines()] + registers


def _field(row: str) -> Field:
    names, bits, size, oxm, nxm, style, prereq, flags = row.split()
    name, *aliases = names.split(",")
    oxm_code, nxm_code = (_codes(spec) if spec != "-" else None for spec in (oxm, nxm))
    some = oxm_code or nxm_code
    assert some is not None
    codes = {code for _, code in filter(None, (oxm_code, nxm_code))}
    return Field(
        name=name,
        bits=int(bits),
        size=int(size),
        oxm=(oxm_code or some)[0],
        nxm=(nxm_code or some)[0],
        code=(nxm_code or some)[1],
        style=style,
        prereq=prereq,
        maskable="m" in flags,
        writable="w" in flags,
        aliases=(*aliases, *sorted(codes)),
    )


FIELDS: Final[Mapping[str, Field]] = MappingProxyType({f.name: f for f in map(_field, _rows())})
"""All fields by name."""

BY_NAME: Final[Mapping[str, Field]] = MappingProxyType(
    {name: field for field in FIELDS.values() for name in (field.name, *field.aliases)}
)
"""By name, alias, NXM or OXM name."""

BY_CODE: Final[Mapping[tuple[int, int], Field]] = MappingProxyType(
    {code: field for field in FIELDS.values() for code in (field.oxm, field.nxm)}
)
"""By OXM or NXM class and number."""

IPV4, IPV6, ARP, RARP, MPLS, MPLS_MULTICAST, PBB = 0x0800, 0x86DD, 0x0806, 0x8035, 0x8847, 0x8848, 0x88E7

PREREQS: Final[Mapping[str, tuple[tuple[int, ...], tuple[int, ...], str]]] = MappingProxyType(
    {
        "none": ((), (), ""),
        "vlan": ((), (), "a VLAN, such as dl_vlan=5"),
        "mpls": ((MPLS, MPLS_MULTICAST), (), "mpls or mplsm"),
        "pbb": ((PBB,), (), "dl_type=0x88e7"),
        "arp": ((ARP, RARP), (), "arp or rarp"),
        "ipv4": ((IPV4,), (), "ip"),
        "ipv6": ((IPV6,), (), "ipv6"),
        "ip": ((IPV4, IPV6), (), "ip or ipv6"),
        "tcp": ((IPV4, IPV6), (6,), "tcp or tcp6"),
        "udp": ((IPV4, IPV6), (17,), "udp or udp6"),
        "sctp": ((IPV4, IPV6), (132,), "sctp or sctp6"),
        "icmp": ((IPV4,), (1,), "icmp"),
        "icmpv6": ((IPV6,), (58,), "icmp6"),
        "nd": ((IPV6,), (58,), "icmp6,icmp_type=135 or 136,icmp_code=0"),
        "nd_solicit": ((IPV6,), (58,), "icmp6,icmp_type=135,icmp_code=0"),
        "nd_advert": ((IPV6,), (58,), "icmp6,icmp_type=136,icmp_code=0"),
    }
)
"""Prerequisite → EtherTypes, IP protocols, how a match says it (OpenFlow 1.3.5, 7.2.3.8)."""

PROTOCOLS: Final[Mapping[str, tuple[int, int | None]]] = MappingProxyType(
    {
        "ip": (IPV4, None),
        "ipv4": (IPV4, None),
        "ip4": (IPV4, None),
        "icmp": (IPV4, 1),
        "igmp": (IPV4, 2),
        "tcp": (IPV4, 6),
        "udp": (IPV4, 17),
        "sctp": (IPV4, 132),
        "ipv6": (IPV6, None),
        "ip6": (IPV6, None),
        "tcp6": (IPV6, 6),
        "udp6": (IPV6, 17),
        "sctp6": (IPV6, 132),
        "icmp6": (IPV6, 58),
        "arp": (ARP, None),
        "rarp": (RARP, None),
        "mpls": (MPLS, None),
        "mplsm": (MPLS_MULTICAST, None),
    }
)
"""Shorthand of the text syntax → EtherType, IP protocol."""

PORTS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "IN_PORT": 0xFFFFFFF8,
        "TABLE": 0xFFFFFFF9,
        "NORMAL": 0xFFFFFFFA,
        "FLOOD": 0xFFFFFFFB,
        "ALL": 0xFFFFFFFC,
        "CONTROLLER": 0xFFFFFFFD,
        "LOCAL": 0xFFFFFFFE,
        "ANY": 0xFFFFFFFF,
    }
)
"""OpenFlow's reserved ports (OFPP_*), 32-bit."""
IN_PORT, TABLE, NORMAL, FLOOD, ALL, CONTROLLER, LOCAL, ANY = PORTS.values()
PORT_NAMES: Final[Mapping[int, str]] = MappingProxyType({number: name for name, number in PORTS.items()})
