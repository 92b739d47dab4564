# SPDX-License-Identifier: Apache-2.0
"""Rule sets and the packets that hit them, the same on every machine: each a small seeded generator.

A rule set gives its flows as `ovs-ofctl` text (table 0 unless a line says otherwise, forwarded to port 2) and
packets that its rules match. All traffic is UDP over IPv4.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final, NamedTuple, Protocol

_WORD: Final = 0xFFFFFFFF
_PORT: Final = 0xFFFF
_EXACT_PRIORITY: Final = 32768  # OpenFlow's default


class Packet(NamedTuple):
    """The 5-tuple of one UDP packet, in numbers."""

    source: int
    destination: int
    sport: int
    dport: int


class Match(NamedTuple):
    """UDP over IPv4; a mask of 0 leaves its field open, values have no bits beyond their masks."""

    source: int
    source_mask: int
    destination: int
    destination_mask: int
    sport: int
    sport_mask: int
    dport: int
    dport_mask: int

    def __str__(self) -> str:
        text = "udp"
        if self.source_mask:
            text += f",nw_src={_address(self.source)}/{self.source_mask.bit_count()}"
        if self.destination_mask:
            text += f",nw_dst={_address(self.destination)}/{self.destination_mask.bit_count()}"
        for name, value, mask in (
            ("tp_src", self.sport, self.sport_mask),
            ("tp_dst", self.dport, self.dport_mask),
        ):
            if mask:
                text += f",{name}={value}" if mask == _PORT else f",{name}={value:#x}/{mask:#x}"
        return text

    def matches(self, packet: Packet) -> bool:
        return (
            packet.source & self.source_mask == self.source
            and packet.destination & self.destination_mask == self.destination
            and packet.sport & self.sport_mask == self.sport
            and packet.dport & self.dport_mask == self.dport
        )


class Rule(NamedTuple):
    """Forwards what it matches to port 2."""

    priority: int
    match: Match

    def __str__(self) -> str:
        return f"priority={self.priority},{self.match},actions=output:2"


class RuleSet(Protocol):
    """What a scenario loads into the switches, and what it sends through them."""

    @property
    def name(self) -> str:
        """Its own among all rule sets: of the files it is written to."""

    def lines(self) -> Iterator[str]:
        """The flows, one a line."""

    def packets(self, count: int) -> Iterator[Packet]:
        """`count` packets, each of which some rule matches."""


class Extensible(RuleSet, Protocol):
    """A rule set that has more rules of its kind than it loads."""

    def spare(self, count: int) -> list[Rule]:
        """`count` distinct rules that are not among those loaded."""


def numbered(flow: int) -> Packet:
    """The packet of flow number `flow` < 2^24: both its addresses are its own.

    Multiplying by an odd number permutes the 24-bit numbers: distinct flows stay distinct, yet no field
    counts upwards, which would be kinder to hash tables than real traffic is.
    """
    return Packet(
        0x0A000000 | flow * 0x85EBCB & 0xFFFFFF,
        0x0B000000 | flow * 0xC2B2AF & 0xFFFFFF,
        1024 + flow * 40503 % 60000,
        1024 + flow * 30011 % 60000,
    )


@dataclass(frozen=True)
class OneRule:
    """One rule, by port: what a switch costs before it has anything to look up."""

    name: str = "one-rule"

    def lines(self) -> Iterator[str]:
        yield "in_port=1,actions=output:2"

    def packets(self, count: int) -> Iterator[Packet]:
        return map(numbered, range(count))


@dataclass(frozen=True)
class Exact:
    """`count` rules, each for one 5-tuple; flow number i hits rule number i."""

    count: int

    @property
    def name(self) -> str:
        return f"exact-{self.count}"

    def rules(self) -> Iterator[Rule]:
        return map(_exact, range(self.count))

    def lines(self) -> Iterator[str]:
        return map(str, self.rules())

    def packets(self, count: int) -> Iterator[Packet]:
        return (numbered(flow % self.count) for flow in range(count))

    def spare(self, count: int) -> list[Rule]:
        return [_exact(flow) for flow in range(self.count, self.count + count)]


def _exact(flow: int) -> Rule:
    source, destination, sport, dport = numbered(flow)
    return Rule(_EXACT_PRIORITY, Match(source, _WORD, destination, _WORD, sport, _PORT, dport, _PORT))


PREFIX_PAIRS: Final = (
    (32, 32), (32, 24), (24, 32), (24, 24), (28, 28), (16, 32), (32, 16), (16, 24),
    (24, 16), (20, 26), (0, 32), (32, 0), (0, 24), (27, 30), (8, 16),
)  # fmt: skip
"""Prefix lengths of source and destination in an access list."""

PORT_MASKS: Final = ((0, 0), (0, 0xFFFF), (0xFFFF, 0), (0xFFFF, 0xFFFF), (0, 0xFC00), (0, 0xFFF0))
"""Masks of source and destination port: any, one, and the power-of-two pieces that ranges are split into."""

_SITES: Final = 256  # /16 networks that an access list knows on either side


@dataclass(frozen=True)
class Acl:
    """An access list of ClassBench's kind: 90 mask shapes over a few hundred networks, so that rules overlap.

    Specific rules tend to come before general ones, as in lists written by people, but not strictly so. A
    packet is drawn from a random rule; a rule of higher priority may match it as well.
    """

    count: int
    seed: int = 1

    @property
    def name(self) -> str:
        return f"acl-{self.count}-{self.seed}"

    def rules(self) -> list[Rule]:
        """By falling priority, `count` to 1."""
        dice = random.Random(self.seed)
        matches = list(islice(_acl_matches(dice), self.count))
        matches.sort(key=lambda match: _specific(match) + dice.uniform(0, 16), reverse=True)
        return [
            Rule(priority, match) for priority, match in zip(range(self.count, 0, -1), matches, strict=True)
        ]

    def lines(self) -> Iterator[str]:
        return map(str, self.rules())

    def packets(self, count: int) -> Iterator[Packet]:
        dice = random.Random(self.seed + 1)
        matches = [rule.match for rule in self.rules()]
        return (_hit(dice.choice(matches), dice) for _ in range(count))

    def spare(self, count: int) -> list[Rule]:
        matches = islice(_acl_matches(random.Random(self.seed)), self.count, self.count + count)
        return [Rule(1 + number % self.count, match) for number, match in enumerate(matches)]


def _acl_matches(dice: random.Random) -> Iterator[Match]:
    """Distinct matches without end, the shapes in turn."""
    sites = [(dice.randrange(1, 224) << 24 | dice.getrandbits(8) << 16) for _ in range(2 * _SITES)]
    shapes = [(pair, ports) for pair in PREFIX_PAIRS for ports in PORT_MASKS]
    seen: set[Match] = set()
    while True:
        dice.shuffle(shapes)
        for (source_bits, destination_bits), (sport_mask, dport_mask) in shapes:
            source_mask, destination_mask = _mask(source_bits), _mask(destination_bits)
            while True:
                match = Match(
                    (dice.choice(sites[:_SITES]) | dice.getrandbits(16)) & source_mask, source_mask,
                    (dice.choice(sites[_SITES:]) | dice.getrandbits(16)) & destination_mask, destination_mask,
                    dice.getrandbits(16) & sport_mask, sport_mask,
                    dice.getrandbits(16) & dport_mask, dport_mask,
                )  # fmt: skip
                if match not in seen:
                    break
            seen.add(match)
            yield match


def _specific(match: Match) -> int:
    """How many bits it asks for."""
    return sum(mask.bit_count() for mask in match[1::2])


def _hit(match: Match, dice: random.Random) -> Packet:
    """A packet that `match` matches, random where it leaves room."""
    return Packet(
        match.source | dice.getrandbits(32) & ~match.source_mask & _WORD,
        match.destination | dice.getrandbits(32) & ~match.destination_mask & _WORD,
        match.sport | dice.getrandbits(16) & ~match.sport_mask & _PORT,
        match.dport | dice.getrandbits(16) & ~match.dport_mask & _PORT,
    )


PREFIX_SHARES: Final = {
    8: 0.02, 9: 0.01, 10: 0.03, 11: 0.1, 12: 0.3, 13: 0.6, 14: 1.2, 15: 2.0, 16: 13.0, 17: 8.0, 18: 13.5,
    19: 24.0, 20: 42.0, 21: 48.0, 22: 105.0, 23: 95.0, 24: 620.0, 25: 4.0, 26: 4.0, 27: 3.0, 28: 3.0, 29: 4.0,
    30: 3.0, 32: 6.0,
}  # fmt: skip
"""How many of 1,000 IPv4 prefixes have each length, about: Internet routes and a provider's own."""


@dataclass(frozen=True)
class Lpm:
    """`count` distinct IPv4 prefixes, the longest of which wins: priority is length."""

    count: int
    seed: int = 1

    @property
    def name(self) -> str:
        return f"lpm-{self.count}-{self.seed}"

    def prefixes(self) -> list[tuple[int, int]]:
        """Address and length of each."""
        dice = random.Random(self.seed)
        lengths = dice.choices(list(PREFIX_SHARES), list(PREFIX_SHARES.values()), k=self.count)
        found: dict[tuple[int, int], None] = {}  # a set in order
        for length in lengths:
            # A length may be used up: there are few short prefixes.
            for longer in range(64):
                bits = min(32, length + longer // 8)
                prefix = (dice.randrange(1 << 24, 224 << 24) & _mask(bits), bits)
                if prefix not in found:
                    found[prefix] = None
                    break
        return list(found)

    def lines(self) -> Iterator[str]:
        for address, length in self.prefixes():
            yield f"priority={length},ip,nw_dst={_address(address)}/{length},actions=output:2"

    def packets(self, count: int) -> Iterator[Packet]:
        dice = random.Random(self.seed + 1)
        prefixes = self.prefixes()
        for flow in range(count):
            address, length = dice.choice(prefixes)
            destination = address | dice.getrandbits(32) & ~_mask(length) & _WORD
            yield numbered(flow)._replace(destination=destination)


_SOURCES, _DESTINATIONS, _PORTS = 256, 1024, 1024  # rules of the goto chain's larger tables


@dataclass(frozen=True)
class GotoChain:
    """Eight tables that every packet crosses, each of which matches another field."""

    seed: int = 1

    @property
    def name(self) -> str:
        return f"goto-{self.seed}"

    def lines(self) -> Iterator[str]:
        sources, destinations, sports, dports = self._values()
        for port in (1, 2):
            yield f"table=0,in_port={port},actions=goto_table:1"
        for ethertype in ("arp", "ip", "ipv6"):
            yield f"table=1,{ethertype},actions=goto_table:2"
        for protocol in ("icmp", "tcp", "udp"):
            yield f"table=2,{protocol},actions=goto_table:3"
        for source in sources:
            yield f"table=3,ip,nw_src={_address(source)}/16,actions=goto_table:4"
        for destination in destinations:
            yield f"table=4,ip,nw_dst={_address(destination)}/24,actions=goto_table:5"
        for sport in sports:
            yield f"table=5,udp,tp_src={sport},actions=goto_table:6"
        yield "table=6,dl_dst=02:00:00:00:00:fe,actions=goto_table:7"
        yield "table=6,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00,actions=goto_table:7"
        for dport in dports:
            yield f"table=7,udp,tp_dst={dport},actions=output:2"

    def packets(self, count: int) -> Iterator[Packet]:
        sources, destinations, sports, dports = self._values()
        dice = random.Random(self.seed + 1)
        for _ in range(count):
            yield Packet(
                dice.choice(sources) | dice.getrandbits(16),
                dice.choice(destinations) | dice.getrandbits(8),
                dice.choice(sports),
                dice.choice(dports),
            )

    def _values(self) -> tuple[list[int], list[int], list[int], list[int]]:
        dice = random.Random(self.seed)
        return (
            [number << 16 for number in dice.sample(range(1 << 8, 224 << 8), _SOURCES)],
            [number << 8 for number in dice.sample(range(1 << 16, 224 << 16), _DESTINATIONS)],
            dice.sample(range(1, 1 << 16), _PORTS),
            dice.sample(range(1, 1 << 16), _PORTS),
        )


_VICTIM_PORT: Final = 443
_VICTIM_FLOWS: Final = 10_000
_TRUSTED_SOURCE: Final = 0x0A070707
_TRUSTED_PORT: Final = 4789
_ATTACK_EVERY: Final = 10  # packets


@dataclass(frozen=True)
class Explosion:
    """Tuple-space explosion: three rules let traffic in, each by another field, and the rest is dropped.

    A switch that caches what it has proved caches, for a dropped packet, how many leading bits of each field
    it had to read: up to 8,192 masks. Nine packets in ten are the victim's. The tenth is dropped: with
    `attack`, its headers are random from a random bit on; without, always the same, for an equal load.
    """

    attack: bool
    seed: int = 1

    @property
    def name(self) -> str:
        return f"tse-{'attack' if self.attack else 'calm'}-{self.seed}"

    def lines(self) -> Iterator[str]:
        yield f"priority=30,udp,tp_dst={_VICTIM_PORT},actions=output:2"
        yield f"priority=20,udp,nw_src={_address(_TRUSTED_SOURCE)},actions=output:2"
        yield f"priority=10,udp,tp_src={_TRUSTED_PORT},actions=output:2"
        yield "priority=0,actions=drop"

    def packets(self, count: int) -> Iterator[Packet]:
        dice = random.Random(self.seed)
        stranger = _stranger(dice)
        for number in range(count):
            if number % _ATTACK_EVERY:
                yield numbered(number % _VICTIM_FLOWS)._replace(dport=_VICTIM_PORT)
            else:
                yield _stranger(dice) if self.attack else stranger


def _stranger(dice: random.Random) -> Packet:
    """A packet that each of the three rules lets down at a random bit."""
    return Packet(
        _other(_TRUSTED_SOURCE, 32, dice),
        dice.getrandbits(32),
        _other(_TRUSTED_PORT, 16, dice),
        _other(_VICTIM_PORT, 16, dice),
    )


def _other(value: int, width: int, dice: random.Random) -> int:
    """A number of `width` bits: some leading ones as in `value`, the next one not, the rest random."""
    rest = dice.randrange(width)
    return (value >> rest ^ 1) << rest | dice.getrandbits(rest)


def _mask(bits: int) -> int:
    return _WORD << 32 - bits & _WORD


def _address(value: int) -> str:
    return f"{value >> 24}.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}"
