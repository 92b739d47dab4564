# SPDX-License-Identifier: Apache-2.0
"""Packets that cases are made of."""

from typing import Any

from scapy.contrib.mpls import MPLS
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
    IPv6ExtHdrHopByHop,
)
from scapy.layers.l2 import ARP, Dot1AD, Dot1AH, Dot1Q, Ether
from scapy.layers.sctp import SCTP
from scapy.packet import Packet, Raw

A, B, C = "02:00:00:00:00:0a", "02:00:00:00:00:0b", "02:00:00:00:00:0c"
BROADCAST = "ff:ff:ff:ff:ff:ff"
PAYLOAD = Raw(b"Turnout" * 5)


def ether(dst: str = B, src: str = A, **more: Any) -> Packet:
    return Ether(dst=dst, src=src, **more)


def ip(src: str = "10.0.0.1", dst: str = "10.0.0.2", **more: Any) -> Packet:
    return ether() / IP(src=src, dst=dst, **more)


def ip6(src: str = "fd00::1", dst: str = "fd00::2", **more: Any) -> Packet:
    return ether() / IPv6(src=src, dst=dst, **more)


def udp(sport: int = 1000, dport: int = 2000, **more: Any) -> Packet:
    return ip(**more) / UDP(sport=sport, dport=dport) / PAYLOAD


def tcp(sport: int = 1000, dport: int = 2000, flags: str = "S", **more: Any) -> Packet:
    return ip(**more) / TCP(sport=sport, dport=dport, flags=flags) / PAYLOAD


def vlan(vid: int = 7, pcp: int = 0, tpid: int = 0x8100, **more: Any) -> Packet:
    """`udp()` behind one tag."""
    return ether(type=tpid) / Dot1Q(vlan=vid, prio=pcp) / udp(**more).payload


def mpls(label: int = 100, tc: int = 0, ttl: int = 64, multicast: bool = False, **more: Any) -> Packet:
    """`udp()` behind one label."""
    shim = MPLS(label=label, cos=tc, s=1, ttl=ttl)
    return ether(type=0x8848 if multicast else 0x8847) / shim / udp(**more).payload


def arp(op: int = 1, **more: Any) -> Packet:
    fields = {"hwsrc": A, "hwdst": "00:00:00:00:00:00", "psrc": "10.0.0.1", "pdst": "10.0.0.2"} | more
    return ether(BROADCAST) / ARP(op=op, **fields)


def echo6(kind: int = 128, code: int = 0) -> Packet:
    return ip6() / ICMPv6EchoRequest(type=kind, code=code, id=1, seq=2, data=b"turnout")


def solicitation(target: str = "fd00::9", source: str = A) -> Packet:
    return ip6(hlim=255) / ICMPv6ND_NS(tgt=target) / ICMPv6NDOptSrcLLAddr(lladdr=source)


def advertisement(target: str = "fd00::9", address: str = B) -> Packet:
    return ip6(hlim=255) / ICMPv6ND_NA(tgt=target) / ICMPv6NDOptDstLLAddr(lladdr=address)


__all__ = [
    "ARP", "BROADCAST", "ICMP", "IP", "MPLS", "PAYLOAD", "SCTP", "TCP", "UDP", "A", "B", "C", "Dot1AD",
    "Dot1AH", "Dot1Q", "Ether", "IPv6", "IPv6ExtHdrHopByHop", "Packet", "Raw", "advertisement", "arp",
    "echo6", "ether", "ip", "ip6", "mpls", "solicitation", "tcp", "udp", "vlan",
]  # fmt: skip
