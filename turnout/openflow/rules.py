# SPDX-License-Identifier: Apache-2.0
"""Rules of flow tables, searched one after another by priority."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from turnout.openflow.actions import Conjunction
from turnout.openflow.flow import Flow
from turnout.openflow.packet import Packet


@dataclass(frozen=True, slots=True)
class Rule:
    """A flow and what a lookup needs of it. tests: (field, mask, value) each."""

    flow: Flow
    tests: tuple[tuple[str, int, int], ...]
    conjunctions: tuple[Conjunction, ...]

    @classmethod
    def of(cls, flow: Flow) -> "Rule":
        """From a flow."""
        tests = tuple((entry.field, entry.mask, entry.value) for entry in flow.match)
        return cls(flow, tests, tuple(x for x in flow.actions if isinstance(x, Conjunction)))

    def wants(self, packet: Packet) -> bool:
        """Whether the packet has all that the match asks for."""
        return all(packet.get(name) & mask == value for name, mask, value in self.tests)


Lookup: TypeAlias = Callable[[int, Packet], Rule | None]
"""(table, packet) → the rule of the highest priority that wants it."""


class Rules:
    """The naive lookup."""

    def __init__(self, flows: Iterable[Flow]) -> None:
        self.tables: dict[int, list[Rule]] = {}
        for flow in flows:
            self.tables.setdefault(flow.table or 0, []).append(Rule.of(flow))
        for rules in self.tables.values():
            rules.sort(key=lambda rule: -rule.flow.priority)

    def __call__(self, table: int, packet: Packet) -> Rule | None:
        """The first rule by priority; conjunctions count once all clauses have matched (ovs-fields(7))."""
        frag = packet.frag
        if frag:  # fragments have no ports unless the switch is told to look (ovs-ofctl(8), set-frags)
            packet = _without_ports(packet)
        return self._search(self.tables.get(table, []), packet, conjunctive=True)

    def _search(self, rules: list[Rule], packet: Packet, *, conjunctive: bool) -> Rule | None:
        clauses: dict[tuple[int, int], set[int]] = {}
        complete: list[tuple[int, int]] = []
        hard: Rule | None = None
        for rule in rules:
            if hard and rule.flow.priority < hard.flow.priority:
                break
            if not rule.wants(packet):
                continue
            if not rule.conjunctions:
                hard = hard or rule
                continue
            for part in rule.conjunctions:
                seen = clauses.setdefault((rule.flow.priority, part.id), set())
                seen.add(part.clause)
                if len(seen) == part.clauses:
                    complete.append((rule.flow.priority, part.id))
        if conjunctive:
            for priority, ident in complete:
                if hard and priority <= hard.flow.priority:
                    break
                probe = packet.copy()
                probe.set("conj_id", ident, 0xFFFFFFFF)
                if probe.frag:
                    probe = _without_ports(probe)
                if found := self._search(rules, probe, conjunctive=False):
                    return found
        return hard


def _without_ports(packet: Packet) -> Packet:
    copy = packet.copy()
    for header in ("tcp", "udp", "sctp"):
        for side in ("src", "dst"):
            copy.hide(f"{header}_{side}")
    for name in ("icmp_type", "icmp_code", "icmpv6_type", "icmpv6_code"):
        copy.hide(name)
    return copy
