# SPDX-License-Identifier: Apache-2.0
"""A flow as a typed value: what the text syntax says and the wire carries."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from turnout.errors import TurnoutError
from turnout.openflow.actions import Action
from turnout.openflow.fields import FIELDS, IPV4, IPV6, PREREQS


class FlowError(TurnoutError, ValueError):
    """A flow's text, or a flow, that cannot be: one line that says what, where and what to do."""


DEFAULT_PRIORITY = 0x8000
FLAGS = {
    "send_flow_rem": 1,
    "check_overlap": 2,
    "reset_counts": 4,
    "no_packet_counts": 8,
    "no_byte_counts": 16,
}


@dataclass(frozen=True, slots=True)
class FieldMatch:
    """One field of a match; bits outside of `mask` are 0 in `value` and not looked at.

    VLANs are in `vlan_tci`, as Open vSwitch keeps them: bit 12 says that there is a tag.
    """

    field: str
    value: int
    mask: int


@dataclass(frozen=True, slots=True)
class Match:
    """What packets a flow wants: all of these fields. `match["ip_dst"]` finds one, or None."""

    fields: tuple[FieldMatch, ...] = ()

    def __iter__(self) -> Iterator[FieldMatch]:
        return iter(self.fields)

    def __getitem__(self, name: str) -> FieldMatch | None:
        return next((field for field in self.fields if field.field == name), None)

    def value(self, name: str) -> int | None:
        """The value of a field that is matched exactly."""
        found = self[name]
        return found.value if found and found.mask == FIELDS[name].all_ones else None

    @classmethod
    def of(cls, fields: Iterable[FieldMatch]) -> "Match":
        """In the canonical order, so that equal matches are equal values."""
        return cls(tuple(sorted((f for f in fields if f.mask), key=lambda f: _ORDER[f.field])))


_ORDER = {name: index for index, name in enumerate(FIELDS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A flow. Timeouts in seconds, 0: none. table None: the switch's choice, which is 0.

    flags: of FLAGS' names. actions: empty means drop.
    """

    match: Match = Match()
    priority: int = DEFAULT_PRIORITY
    table: int | None = None
    cookie: int = 0
    idle_timeout: int = 0
    hard_timeout: int = 0
    importance: int = 0
    flags: frozenset[str] = frozenset()
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowStats(Flow):
    """A flow that is in a table, with what it counted. Times in seconds."""

    packets: int
    bytes: int
    duration: float
    idle_age: int
    hard_age: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which flows to delete or to list. None: any; strict: exactly this match and priority."""

    match: Match = Match()
    table: int | None = None
    cookie: int = 0
    cookie_mask: int = 0
    out_port: int | None = None
    out_group: int | None = None
    priority: int = DEFAULT_PRIORITY
    strict: bool = False


def check_prerequisites(match: Match) -> None:
    """Raises FlowError for a field whose prerequisite the match lacks (OpenFlow 1.3.5, 7.2.3.6)."""
    for entry in match:
        if problem := missing(match, entry.field):
            raise FlowError(f"{entry.field}: needs {problem}; put it before {entry.field}")


def missing(match: Match, name: str) -> str:
    """What the match must say so that its packets have the field; "" if they do."""
    prereq = FIELDS[name].prereq
    types, protocols, wanted = PREREQS[prereq]
    if prereq == "vlan":
        tci = match["vlan_tci"]
        return "" if tci and tci.mask & tci.value & 0x1000 else wanted
    if types and match.value("eth_type") not in types:
        return wanted
    if protocols and match.value("nw_proto") not in protocols:
        return wanted
    if prereq.startswith("nd"):
        kinds = {"nd": (135, 136), "nd_solicit": (135,), "nd_advert": (136,)}[prereq]
        if match.value("icmpv6_type") not in kinds or match.value("icmpv6_code") not in (0, None):
            return wanted
    return ""


def l4_prefix(match: Match) -> str:
    """Whose ports tp_src and tp_dst are in this match: "tcp", …, "icmpv6"; "" if it has none."""
    eth_type, protocol = match.value("eth_type"), match.value("nw_proto")
    if eth_type == IPV4 and protocol == 1:
        return "icmp"
    if eth_type == IPV6 and protocol == 58:
        return "icmpv6"
    return {6: "tcp", 17: "udp", 132: "sctp"}.get(protocol or 0, "") if eth_type in (IPV4, IPV6) else ""
