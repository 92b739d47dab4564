# SPDX-License-Identifier: Apache-2.0
"""`turnout trace`: a packet's way through a bridge, said by the interpreter with the engine's lookups."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from turnout import _engine
from turnout.errors import TurnoutError
from turnout.openflow.compose import compose
from turnout.openflow.flow import FlowError, Match
from turnout.openflow.flows import flow_of
from turnout.openflow.interpreter import Bridge, Group, Port, Run
from turnout.openflow.normal import Normal
from turnout.openflow.outcome import Outcome, Step
from turnout.openflow.packet import METADATA, Packet
from turnout.openflow.rules import Lookup, Rule
from turnout.openflow.text import parse_match
from turnout.openflow.values import format_port
from turnout.openflow.wire_groups import decode_descriptions, description_request


@dataclass(frozen=True, slots=True)
class Traced:
    """A packet that was traced. in_port: OpenFlow's number; names: of ports, by bridge and number;
    before, after: the packet as it came, and as the first bridge's pipeline left it.
    """

    bridge: str
    in_port: int
    frame: bytes
    outcome: Outcome
    names: Mapping[str, Mapping[int, str]]
    before: Packet
    after: Packet

    def tree(self) -> dict[str, Any]:
        """For JSON: the packet, its steps, what came out."""
        return {
            "in_port": self._port(self.bridge, self.in_port),
            "frame": self.frame.hex(),
            "steps": [_step(step) for step in self.outcome.steps],
            "outputs": [
                {
                    "bridge": sent.bridge,
                    "port": self._port(sent.bridge, sent.port),
                    "frame": sent.frame.hex(),
                }
                for sent in self.outcome.sent
            ],
            "to_controller": [
                {
                    "bridge": up.bridge,
                    "reason": up.reason,
                    "table": up.table,
                    "controller": up.controller,
                    "frame": up.frame.hex(),
                }
                for up in self.outcome.to_controller
            ],
            "dropped": self.outcome.dropped,
        }

    def _port(self, bridge: str, number: int) -> str:
        return self.names[bridge].get(number) or format_port(number)


def _step(step: Step) -> dict[str, Any]:
    tree: dict[str, Any] = {"kind": step.kind, "text": step.text}
    if step.kind == "table":
        tree |= {"table": step.table, "rule": step.rule, "why": list(step.why)}
    if step.steps:
        tree["steps"] = [_step(inner) for inner in step.steps]
    return tree


def native_lookup(tables: "_engine.Tables") -> Lookup:
    """The engine's own lookup: as quick with a million rules as with one."""
    places = {field.name: field for field in _engine.oxm_fields()}
    rules: dict[tuple[int, int, bytes], Rule] = {}

    def lookup(table: int, packet: Packet) -> Rule | None:
        key = bytearray(_engine.key_of(bytes(packet.data), packet.get("in_port_oxm")))
        for name in METADATA & places.keys():
            if value := packet.get(name):
                place = places[name]
                at = slice(place.offset, place.offset + place.bytes)
                number = int.from_bytes(key[at], "big") | value << place.shift
                key[at] = number.to_bytes(place.bytes, "big")
        record = tables.lookup(table, bytes(key))
        if record is None:
            return None
        known = (record.table, record.priority, record.match)
        if known not in rules:
            rules[known] = Rule.of(flow_of(record))
        return rules[known]

    return lookup


def groups_of(tables: "_engine.Tables") -> dict[int, Group]:
    """The bridge's groups."""
    session = _engine.SessionView(id=0, version=4, format=_engine.FlowFormat.OXM, may_write=False)
    groups: dict[int, Group] = {}
    for reply in tables.statistics(description_request(), session):
        groups |= decode_descriptions(reply)
    return groups


def packet_of(what: str, ports: Mapping[str, int]) -> tuple[int, bytes, dict[str, int]]:
    """in_port, frame and metadata from a flow's match, or "in_port=1,HEX" with a frame in hex.

    Raises FlowError.
    """
    head, _, tail = what.rpartition(",")
    digits = re.sub(r"[\s:.]", "", tail)
    if len(digits) >= 28 and re.fullmatch(r"[0-9a-fA-F]+", digits):
        if len(digits) % 2:
            raise FlowError("frame: an odd number of hex digits")
        match = parse_match(head, ports) if head else Match()
        in_port, _, meta = compose(match)
        if others := [entry.field for entry in match if entry.field not in METADATA]:
            raise FlowError(f"{others[0]}: the frame itself says it; leave it out")
        return in_port, bytes.fromhex(digits), meta
    return compose(parse_match(what, ports))


@dataclass(frozen=True, slots=True)
class Now:
    """A bridge as it is. ports: by OpenFlow number, with names. patches: of its patch ports, by number: the
    peer's bridge and number there; None: no peer.
    """

    tables: "_engine.Tables"
    ports: Mapping[int, Port]
    normal: Normal
    patches: Mapping[int, tuple[str, int] | None]

    @property
    def numbers(self) -> dict[str, int]:
        """Port names to OpenFlow numbers."""
        return {port.name: number for number, port in self.ports.items()}


class _Seen(dict[str, Bridge]):
    """The bridges that a packet meets, each looked at once, when it comes there."""

    def __init__(self, look: Callable[[str], Now], named: bool) -> None:
        self._look = look
        self._named = named

    def __missing__(self, name: str) -> Bridge:
        now = self._look(name)
        self[name] = bridge = Bridge(
            native_lookup(now.tables),
            groups_of(now.tables),
            now.ports,
            now.normal,
            now.normal.why,
            names={number: port.name for number, port in now.ports.items()} if self._named else {},
            name=name,
            patches={number: partial(self._peer, peer) for number, peer in now.patches.items()},
        )
        return bridge

    def _peer(self, peer: tuple[str, int] | None) -> tuple[Bridge, int] | None:
        return peer and (self[peer[0]], peer[1])


def trace(
    look: Callable[[str], Now], bridge: str, what: str, *, frame: bytes | None = None, named: bool = True
) -> Traced:
    """Sends a packet (see packet_of) through the bridge, and those behind its patch ports, on paper.

    look: at a bridge. frame: the packet, of which `what` says only what travels beside it. named: ports are
    told by name. Raises TurnoutError, one line.
    """
    seen = _Seen(look, named)
    first = seen[bridge]
    in_port, composed, meta = packet_of(what, {port.name: number for number, port in first.ports.items()})
    frame = composed if frame is None else frame
    if len(frame) < 14:
        raise TurnoutError("frame: shorter than an Ethernet header")
    before = Packet(frame, {"in_port_oxm": in_port, **meta})
    way = Run(first, before.copy(), trace=True)
    outcome = way.start()
    names = {name: met.names for name, met in seen.items()}
    return Traced(bridge, in_port, frame, outcome, names, before, way.packet)
