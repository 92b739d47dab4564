# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: E501 lists of choices
"""Random tables of rules, groups, and packets that meet them."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from scapy.contrib.mpls import MPLS
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
)
from scapy.layers.l2 import ARP, LLC, SNAP, Dot1AD, Dot1Q, Ether
from scapy.layers.sctp import SCTP
from scapy.packet import Packet as ScapyPacket
from scapy.packet import Raw

from turnout.openflow import text
from turnout.openflow.fields import FIELDS
from turnout.openflow.flow import Flow, FlowError, Match
from turnout.openflow.interpreter import Bucket, Group
from turnout.openflow.packet import METADATA, PLACES, Packet
from turnout.openflow.text_actions import parse_actions
from turnout.openflow.values import NO_PORTS, format_value

TABLES = 4
PORTS = (1, 2, 3, 4)
TAIL = 8  # bytes at the end of a packet that say which it is; no action touches them

MACS = (*(0x020000000000 | i for i in (1, 2, 3, 0xFF00)), 0xFFFFFFFFFFFF, 0x01005E000001)
VALUES = {
    "mac": MACS,
    "ipv4": (*(0x0A000000 | i for i in (1, 2, 3, 17, 0x101, 0x10001)), 0xC0A80101, 0xE0000001),
    "ipv6": (*(0xFD00 << 112 | i for i in (1, 2, 3, 0xFF01, 1 << 64)), 0xFE80 << 112 | 1),
    "port": PORTS,
}


def _l3() -> dict[str, list[ScapyPacket]]:
    """What a match can name → payloads of an Ethernet header that fit."""
    data = Raw(bytes(range(30, 70)))
    ip, ip6 = IP(src="10.0.0.1", dst="10.0.0.2", ttl=64), IPv6(src="fd00::1", dst="fd00::2", hlim=64)
    tcp, udp, sctp = TCP(sport=80, dport=443, flags="SA"), UDP(sport=53, dport=53), SCTP(sport=5, dport=6)
    tcp4, udp4 = (
        [ip / tcp / data, ip / TCP(sport=1, dport=2, options=[("MSS", 1460)]) / data],
        [ip / udp / data],
    )
    return {
        "none": [Raw(b"\x88\xb5" + bytes(50)), LLC(dsap=0x42, ssap=0x42, ctrl=3) / Raw(bytes(50))],
        "arp": [ARP(op=1, psrc="10.0.0.1", pdst="10.0.0.2") / Raw(bytes(18))],
        "rarp": [ARP(op=3, psrc="10.0.0.1", pdst="10.0.0.2") / Raw(bytes(18))],
        "ip": [
            *tcp4, *udp4, ip / Raw(bytes(40)), IP(src="10.0.0.3", dst="10.0.0.17", proto=47, tos=0xB9) / data,
            IP(src="10.0.0.3", dst="10.0.0.17", flags="MF") / udp / data,
            IP(src="10.0.0.3", dst="10.0.0.17", frag=10, proto=17) / data,
            SNAP(code=0x0800) / ip / udp / data,
        ],
        "tcp": [*tcp4, IP(src="10.0.0.3", dst="10.0.0.1", options=[IPOption_NOP()] * 4) / tcp / data],
        "udp": [*udp4, ip / UDP(sport=1, dport=80, chksum=0) / data],
        "sctp": [ip / sctp / data],
        "icmp": [ip / ICMP(type=8, code=0) / data, ip / ICMP(type=3, code=1) / data],
        "ipv6": [ip6 / tcp / data, ip6 / IPv6ExtHdrHopByHop() / udp / data, ip6 / IPv6ExtHdrFragment(m=1) / udp / data,
                 ip6 / IPv6ExtHdrFragment(offset=4, nh=6) / data, ip6 / Raw(bytes(40))],
        "tcp6": [ip6 / tcp / data, ip6 / IPv6ExtHdrDestOpt() / tcp / data],
        "udp6": [ip6 / udp / data],
        "sctp6": [ip6 / sctp / data],
        "icmp6": [ip6 / ICMPv6EchoRequest(id=1, seq=2, data=bytes(40))],
        "nd": [ip6 / ICMPv6ND_NS(tgt="fd00::2") / ICMPv6NDOptSrcLLAddr(lladdr="02:00:00:00:00:01"),
               ip6 / ICMPv6ND_NA(tgt="fd00::2") / ICMPv6NDOptDstLLAddr(lladdr="02:00:00:00:00:02")],
        "mpls": [MPLS(label=5, s=1, ttl=64) / ip / udp / data,
                 MPLS(label=5, s=0, ttl=64) / MPLS(label=6, s=1, ttl=9) / ip6 / tcp / data],
    }  # fmt: skip


_TYPES = {"arp": 0x0806, "rarp": 0x8035, "mpls": 0x8847}
_FIELDS = {
    "none": "", "arp": "arp_op arp_spa arp_tpa arp_sha arp_tha", "rarp": "arp_op arp_spa",
    "ip": "ip_src ip_dst ip_dscp nw_ecn nw_ttl ip_frag nw_tos", "tcp": "tcp_src tcp_dst tcp_flags ip_src ip_dst",
    "udp": "udp_src udp_dst ip_dst", "sctp": "sctp_src sctp_dst", "icmp": "icmp_type icmp_code ip_src",
    "ipv6": "ipv6_src ipv6_dst ipv6_label nw_ttl ip_dscp", "tcp6": "tcp_src tcp_dst ipv6_dst",
    "udp6": "udp_src udp_dst", "sctp6": "sctp_dst", "icmp6": "icmpv6_type icmpv6_code ipv6_src",
    "nd": "nd_target", "mpls": "mpls_label mpls_tc mpls_bos mpls_ttl",
}  # fmt: skip
_META = ("metadata", "reg0", "reg1", "reg7", "xreg1", "xxreg1", "tun_id")
_NUMBERS = (0, 1, 2, 3, 5, 8, 53, 64, 80, 128, 443)


def _frame(kind: str, l3: ScapyPacket, tags: tuple[int, ...]) -> bytes:
    head = Ether(dst="02:00:00:00:00:02", src="02:00:00:00:00:01")
    for tag in tags:
        head = head / (Dot1Q if tag & 1 else Dot1AD)(vlan=tag & 0xFFF, prio=tag >> 13)
    body = bytes(l3)
    top = bytes(head)[: 12 + 4 * len(tags)]
    if kind == "none":
        top += (len(body).to_bytes(2, "big") if body[:2] != b"\x88\xb5" else b"") + body
    elif isinstance(l3, SNAP):
        top += (len(body) + 3).to_bytes(2, "big") + b"\xaa\xaa\x03" + body
    else:
        default = 0x86DD if isinstance(l3, IPv6) else 0x0800
        top += _TYPES.get(kind, default).to_bytes(2, "big") + body
    tags_fixed = bytearray(top)
    for index, tag in enumerate(tags):
        tags_fixed[12 + 4 * index : 14 + 4 * index] = (0x8100 if tag & 1 else 0x88A8).to_bytes(2, "big")
    return bytes(tags_fixed)


BASES = {
    kind: [_frame(kind, l3, tags) for l3 in payloads for tags in ((), (0x6005,), (0x4006, 0x0007), (0x0003,))]
    for kind, payloads in _l3().items()
}


@dataclass
class World:
    """A pipeline: flows, groups, in what a failing case prints."""

    flows: list[Flow] = field(default_factory=list)
    groups: dict[int, Group] = field(default_factory=dict)

    def __str__(self) -> str:
        groups = [f"group {number}: {group}" for number, group in self.groups.items()]
        return "\n".join([*groups, *map(text.format_flow, self.flows)])


class Generator:
    """All of it from one seed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.kinds: dict[tuple[int | None, int], str] = {}  # (table, priority) of a flow → its packets' kind

    # ---------------------------------------------------------------------------------------------- rules

    def world(self) -> World:
        """Four tables of up to 12 rules, up to three groups."""
        made = World()
        for number in range(1, self.rng.randrange(1, 5)):
            made.groups[number] = self._group(number)
        for table in range(TABLES):
            priorities = self.rng.sample(range(1, 65000), 14)
            for index in range(self.rng.randrange(2, 13)):
                flow = self._flow(table, priorities[index], made)
                if flow is not None and not any(_same(flow, other) for other in made.flows):
                    made.flows.append(flow)
            if self.rng.random() < 0.8:
                miss = self._flow(table, 0, made, wild=True)
                made.flows += [miss] if miss else []
            if self.rng.random() < 0.25:
                made.flows += self._conjunction(table, priorities[12:])
        return made

    def _flow(self, table: int, priority: int, world: World, *, wild: bool = False) -> Flow | None:
        kind = "none" if wild else self.rng.choice(list(BASES))
        self.kinds[table, priority] = kind
        head = f"table={table},priority={priority}"
        for part in [] if wild else self._match(kind):
            try:
                text.parse_match(f"{head_match(head)}{part}".strip(","))
            except FlowError:
                continue
            head += f",{part}"
        match = text.parse_match(head_match(head))
        others = [f for f in world.flows if f.table == table and f.priority == priority]
        if any(_overlap(match, other.match) for other in others):
            return None
        actions = self._actions(table, match, kind, world)
        try:
            return text.parse(f"{head} actions={','.join(actions) or 'drop'}")
        except FlowError:
            return None

    def _match(self, kind: str) -> Iterator[str]:
        """Pieces of a match on this kind of packet."""
        rng = self.rng
        if rng.random() < 0.3:
            yield f"in_port={rng.choice(PORTS)}"
        if rng.random() < 0.3:
            tag = rng.choice((5, 6, 3))
            yield rng.choice(
                (f"dl_vlan={tag}", "vlan_tci=0x1000/0x1000", "vlan_tci=0/0x1fff", f"vlan_tci=0x100{tag}/0x1007",
                 f"dl_vlan={tag},dl_vlan_pcp=3")
            )  # fmt: skip
        if kind == "nd":
            yield f"icmp6,icmp_type={rng.choice((135, 136))},icmp_code=0"
        elif kind != "none":
            yield kind
        names = [n for n in _FIELDS[kind].split() if rng.random() < 0.45]
        names += [n for n in ("eth_src", "eth_dst", *_META) if rng.random() < 0.12]
        for name in names:
            yield f"{name}={self._value(name, masked=True)}"

    def _value(self, name: str, *, masked: bool = False) -> str:
        known, rng = FIELDS[name], self.rng
        full = known.all_ones
        if name == "ip_frag":
            return rng.choice(("no", "yes", "first", "later", "not_later"))
        value = rng.choice(VALUES.get(known.style, _NUMBERS)) & full
        if known.style == "flags":
            value = rng.choice((2, 16, 18))
        if name == "nw_tos":
            value &= 0xFC
        if name == "arp_op":  # Open vSwitch and Turnout know opcodes up to 255
            value &= 0xFF
        mask = None
        if masked and known.maskable and rng.random() < 0.5:
            mask = rng.choice((full << rng.randrange(known.bits) & full, rng.getrandbits(known.bits)))
            if not mask:
                mask = full
            value &= mask
        return format_value(known, value, mask)

    def _conjunction(self, table: int, priorities: list[int]) -> list[Flow]:
        priority, of_id = max(priorities), min(priorities)
        ident = self.rng.randrange(1, 100)
        lines = [
            f"ip,nw_src=10.0.0.{self.rng.choice((1, 3))},actions=conjunction({ident},1/2)",
            f"ip,nw_dst=10.0.0.{self.rng.choice((2, 17))},actions=conjunction({ident},2/2)",
            f"ip,nw_ttl=64,actions=conjunction({ident},2/2)",
        ]
        flows = [text.parse(f"table={table},priority={priority},{line}") for line in lines]
        return [*flows, text.parse(f"table={table},priority={of_id},conj_id={ident},actions=output:4")]

    # -------------------------------------------------------------------------------------------- actions

    def _actions(self, table: int, match: Match, kind: str, world: World) -> list[str]:
        """Actions that fit the match, in an order that is allowed."""
        rng = self.rng
        out: list[str] = []
        for _ in range(rng.randrange(5)):
            self._try(out, self._action(table, kind, world), match)
        if rng.random() < 0.5:
            self._try(out, f"output:{rng.choice(PORTS)}", match)
        if rng.random() < 0.15:
            self._try(out, "clear_actions", match)
        if rng.random() < 0.3:
            inner: list[str] = []
            for _ in range(rng.randrange(1, 4)):
                self._try(inner, self._set_action(kind, world), match, within="write_actions({})")
            if inner:
                self._try(out, f"write_actions({','.join(inner)})", match)
        if rng.random() < 0.2:
            self._try(out, f"write_metadata:{rng.choice(_NUMBERS)}/{rng.choice((255, 15, 65535))}", match)
        if table < TABLES - 1 and rng.random() < 0.35:
            self._try(out, f"goto_table:{rng.randrange(table + 1, TABLES)}", match)
        return out

    @staticmethod
    def _try(actions: list[str], more: str, match: Match, within: str = "{}") -> None:
        try:
            parse_actions(within.format(",".join([*actions, more])), match, NO_PORTS)
        except FlowError:
            return
        actions.append(more)

    def _action(self, table: int, kind: str, world: World, depth: int = 0) -> str:
        rng = self.rng
        name = rng.choice([n for n in _FIELDS[kind].split() if FIELDS[n].writable] or ["eth_dst"])
        name = rng.choice((name, name, "eth_src", "eth_dst", *_META))
        register = f"reg{rng.choice((0, 1, 7))}"
        choices = [
            f"output:{rng.choice((*PORTS, *PORTS, 9))}", f"output:{rng.choice(PORTS)}", "IN_PORT",
            rng.choice(("ALL", "FLOOD", "set_queue:1", "pop_queue", "note:aa.bb")),
            f"set_field:{self._value(name, masked=True)}->{name}", f"set_field:{self._value(name)}->{name}",
            self._load(name), self._move(name, register), self._move(register, name),
            "push_vlan:0x8100,set_field:4101->vlan_vid", "push_vlan:0x88a8", "pop_vlan", f"mod_vlan_vid:{rng.choice((3, 9))}",
            "mod_vlan_pcp:2", "set_field:4102->vlan_vid", "push_mpls:0x8847", "pop_mpls:0x0800", "dec_mpls_ttl",
            f"set_mpls_ttl({rng.choice((1, 5))})", "dec_ttl", "dec_ttl", f"mod_nw_ttl:{rng.choice((1, 5))}",
            f"push:{name}[],pop:{register}[0..15]", f"load:{rng.choice(PORTS)}->{register},output:{register}",
            "bundle(nw_src,0,active_backup,ofport,members:9,2,3)", f"multipath(eth_src,0,hrw,1,0,{register})",
        ]  # fmt: skip
        if world.groups:
            choices += [f"group:{rng.choice(list(world.groups))}"] * 2
        if table < TABLES - 1:
            to = rng.randrange(table + 1, TABLES)
            choices += [f"resubmit(,{to})", f"resubmit(,{to})", f"resubmit({rng.choice(PORTS)},{to})"]
        if not depth:
            inner = ",".join(self._action(table, kind, world, 1) for _ in range(2))
            choices += [f"clone({inner})", "exit"]
        return rng.choice(choices)

    def _load(self, name: str) -> str:
        bits = FIELDS[name].bits
        start = self.rng.randrange(bits)
        count = min(self.rng.randrange(1, bits - start + 1), 64)
        value = self.rng.getrandbits(count)
        return (
            f"load:{value}->{name}[{start}..{start + count - 1}]"
            if count > 1
            else f"load:{value}->{name}[{start}]"
        )

    def _move(self, source: str, to: str) -> str:
        count = self.rng.randrange(1, min(FIELDS[source].bits, FIELDS[to].bits) + 1)
        first = self.rng.randrange(FIELDS[source].bits - count + 1)
        second = self.rng.randrange(FIELDS[to].bits - count + 1)
        return f"move:{source}[{first}..{first + count - 1}]->{to}[{second}..{second + count - 1}]"

    def _set_action(self, kind: str, world: World) -> str:
        rng = self.rng
        name = rng.choice([n for n in _FIELDS[kind].split() if FIELDS[n].writable] or ["eth_dst"])
        choices = [
            f"output:{rng.choice(PORTS)}", f"output:{rng.choice(PORTS)}", f"set_field:{self._value(name)}->{name}",
            f"set_field:{self._value('eth_src')}->eth_src", "push_vlan:0x8100", "dec_ttl", "pop_vlan",
        ]  # fmt: skip
        choices += [f"group:{number}" for number in world.groups]
        return rng.choice(choices)

    def _group(self, number: int) -> Group:
        """A group; a select group's buckets are all alike, for which one is taken is the switch's to choose."""
        kind = self.rng.choice(("all", "select", "indirect", "ff"))
        buckets = [self._bucket(number) for _ in range(1 if kind == "indirect" else self.rng.randrange(1, 4))]
        if kind == "select":
            buckets = [replace(buckets[0], weight=self.rng.randrange(1, 5)) for _ in buckets]
        if kind == "ff":
            buckets = [replace(bucket, watch_port=self.rng.choice((*PORTS, 9))) for bucket in buckets]
        return Group(kind, tuple(buckets))

    def _bucket(self, number: int) -> Bucket:
        actions = [
            self.rng.choice((f"set_field:{self._value('eth_dst')}->eth_dst", "push_vlan:0x8100", "dec_ttl")),
            f"output:{self.rng.choice(PORTS)}",
        ]
        if number > 1 and self.rng.random() < 0.2:
            actions.append(f"group:{self.rng.randrange(1, number)}")
        if self.rng.random() < 0.4:
            actions.pop(0)
        ip = text.parse_match("ip")
        return Bucket(parse_actions(",".join(actions), ip, NO_PORTS, inner=True))

    # -------------------------------------------------------------------------------------------- packets

    def packet(self, world: World) -> tuple[int, bytes]:
        """in_port and a frame that some rule, likely of table 0, may want; its tail is zero."""
        rng = self.rng
        flows = rng.choices(world.flows, k=2) if world.flows else []
        if flows and rng.random() < 0.6:
            flows[0] = rng.choice([f for f in world.flows if f.table == 0] or world.flows)
        kind = self.kinds.get((flows[0].table, flows[0].priority)) if flows else None
        if kind is None or kind == "none" or rng.random() < 0.15:
            kind = rng.choice(list(BASES))
        frame, in_port = rng.choice(BASES[kind]), rng.choice(PORTS)
        packet = Packet(frame, {"in_port_oxm": in_port})
        for flow in flows:
            for entry in flow.match:
                if entry.field in PLACES and rng.random() < 0.85:
                    noise = rng.getrandbits(FIELDS[entry.field].bits) if rng.random() < 0.3 else 0
                    packet.set(entry.field, entry.value | noise & ~entry.mask, FIELDS[entry.field].all_ones)
                elif entry.field == "in_port_oxm":
                    in_port = entry.value
        for name in rng.choices([n for n in PLACES if n not in ("tcp_flags",)], k=rng.randrange(3)):
            if name not in METADATA and packet.has(name):
                packet.set(name, rng.choice(VALUES.get(FIELDS[name].style, _NUMBERS)), FIELDS[name].all_ones)
        return in_port, bytes(packet.data)


def head_match(head: str) -> str:
    """The match within "table=…,priority=…,match"."""
    return ",".join(head.split(",")[2:]) + ("," if head.count(",") > 1 else "")


def _overlap(one: Match, other: Match) -> bool:
    for entry in one:
        peer = other[entry.field]
        if peer and (entry.value ^ peer.value) & entry.mask & peer.mask:
            return False
    return True


def _same(one: Flow, other: Flow) -> bool:
    return one.table == other.table and one.priority == other.priority and one.match == other.match


def tagged(frame: bytes, ident: int) -> bytes:
    """The frame with its number in its last bytes, checksums right again."""
    packet = Packet(frame, {})
    start, new = len(frame) - TAIL, ident.to_bytes(TAIL, "big")
    for header in ("tcp", "udp", "sctp", "icmp", "icmpv6"):
        if header in packet.at and start >= packet.l4 + 8 and start + TAIL <= packet._end():
            packet.replace(header, start, new)
            return bytes(packet.data)
    packet.data[start:] = new
    return bytes(packet.data)
