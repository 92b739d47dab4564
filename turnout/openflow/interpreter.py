# SPDX-License-Identifier: Apache-2.0
"""The OpenFlow pipeline, said plainly: a packet and rules in, outputs and their reasons out.

Written from OpenFlow 1.3.5 (sections 5 and 7.2) and ovs-actions(7), apart from the engine's code: `turnout
trace` explains with it, and a property test holds the engine against it. It looks at one rule after another
unless it is given a faster lookup.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Final

from turnout.openflow import actions as a
from turnout.openflow.action_set import ActionSet
from turnout.openflow.actions import Action, Subfield
from turnout.openflow.edit import EDITS
from turnout.openflow.fields import ALL, CONTROLLER, FIELDS, FLOOD, IN_PORT, LOCAL, NORMAL, TABLE
from turnout.openflow.flow import Flow
from turnout.openflow.outcome import Outcome, Sent, Step, ToController
from turnout.openflow.packet import Packet
from turnout.openflow.rules import Lookup, Rule, Rules
from turnout.openflow.text_format import format_action, format_actions, format_flow, format_match
from turnout.openflow.values import format_port, format_value

MAX_DEPTH: Final = 64
MAX_RESUBMITS: Final = 4096
MAX_HOPS: Final = 8  # patch ports one behind the other
MAX_CROSSINGS: Final = 4096  # patch ports altogether


@dataclass(frozen=True, slots=True)
class Bucket:
    """watch_port, watch_group: the bucket is live while they are; None: always."""

    actions: tuple[Action, ...]
    weight: int = 1
    watch_port: int | None = None
    watch_group: int | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """kind: all, select, indirect or ff."""

    kind: str
    buckets: tuple[Bucket, ...]


@dataclass(frozen=True, slots=True)
class Port:
    """What OpenFlow knows of a port. config: OFPPC_*'s meanings."""

    number: int
    name: str = ""
    down: bool = False
    no_recv: bool = False
    no_fwd: bool = False
    no_flood: bool = False


@dataclass(frozen=True, slots=True)
class Bridge:
    """Everything that a packet can meet.

    normal: which ports NORMAL sends a packet to, and as what: (in_port, frame) → (port, frame) each.
    normal_why: the reason of that, for traces.
    choose: which of n a select group, bundle or multipath takes for a packet.
    miss_to_controller: as OpenFlow 1.0 treats packets that no rule wants.
    patches: where each patch port leads: the peer's bridge and its number there; None: to no peer.
    """

    lookup: Lookup
    groups: Mapping[int, Group] = field(default_factory=dict)
    ports: Mapping[int, Port] = field(default_factory=dict)
    normal: Callable[[int, bytes], Sequence[tuple[int, bytes]]] | None = None
    normal_why: Callable[[int, bytes], str] | None = None
    choose: Callable[[Packet, int], int] = lambda packet, n: hash(bytes(packet.data)) % n
    miss_to_controller: bool = False
    names: Mapping[int, str] = field(default_factory=dict)
    name: str = ""
    patches: Mapping[int, "Callable[[], tuple[Bridge, int] | None]"] = field(default_factory=dict)


class _Stop(Exception):
    """Too deep, or too many resubmits: what has been sent stays sent."""


class Run:
    """One packet's way through a bridge, and the bridges behind its patch ports.

    hops: patch ports on the way to this bridge; crossings: counts those that all copies of the packet went
    through.
    """

    def __init__(
        self,
        bridge: Bridge,
        packet: Packet,
        *,
        trace: bool = False,
        hops: int = 0,
        crossings: Iterator[int] | None = None,
    ) -> None:
        self.bridge = bridge
        self.packet = packet
        self.sent: list[Sent] = []
        self.to_controller: list[ToController] = []
        self.set = ActionSet()
        self.stack: list[tuple[int, int]] = []
        self.steps: list[Step] | None = [] if trace else None
        self.why_not: list[str] = []
        self.beyond: list[str] = []  # as why_not, of bridges behind patch ports
        self.depth = self.resubmits = self.table = 0
        self.resubmitted = 0  # levels of resubmit around: a miss there ends the resubmit alone
        self.exited = False
        self.hops = hops
        self.crossings = crossings or count(1)

    # ------------------------------------------------------------------------------------------------ tables

    def start(self) -> Outcome:
        """Sends the packet through the pipeline from table 0."""
        arrived = self.bridge.ports.get(self.packet.get("in_port_oxm"))
        try:
            if arrived and (arrived.down or arrived.no_recv):
                self.why_not.append(f"port {self._port(arrived.number)} does not receive")
            else:
                self.go(0, miss=True)
                self._action_set()
        except _Stop as stop:
            self._note("limit", str(stop))
            self.why_not.append(str(stop))
        return self.outcome()

    def outcome(self) -> Outcome:
        """What came of it so far."""
        silent = not self.sent and not self.to_controller
        where = f"bridge {self.bridge.name}: " if self.hops else ""
        own = self.why_not or ([] if self.beyond else ["no action sends it anywhere"])
        why = "; ".join(dict.fromkeys([*(where + reason for reason in own), *self.beyond]))
        return Outcome(
            tuple(self.sent), tuple(self.to_controller), why if silent else "", tuple(self.steps or ())
        )

    def go(self, table: int, *, miss: bool = False) -> None:
        """Does what the rule that wants the packet says. miss: a packet that no rule wants may go up."""
        old, self.table = self.table, table
        rule = self.bridge.lookup(table, self.packet)
        outer = self._enter_table(table, rule)
        if rule is not None:
            self.do(rule.flow.actions)
        else:
            self.why_not.append(f"table {table}: no rule matches")
            if miss:
                self.set.clear()  # a miss drops the packet, what was written with it (1.3.5, 5.4)
            if miss and self.bridge.miss_to_controller:
                self._packet_in("no_match", 128)
        self.steps, self.table = outer, old

    def do(self, actions: Iterable[Action]) -> bool:
        """Carries out a list; False: it was cut short."""
        for action in actions:
            if self.exited:
                return False
            outer = self._enter(action)
            going_on = self._one(action)
            self.steps = outer
            if not going_on:
                return False
        return True

    # ----------------------------------------------------------------------------------------------- actions

    def _one(self, action: Action) -> bool:
        """One action; False: the rest of this list is not done."""
        packet = self.packet
        edit = EDITS.get(type(action))
        if edit is not None:
            return self._edit(action, edit)
        match action:
            case a.Output(port, max_len):
                self._output(port, max_len=max_len)
            case a.OutputReg(part, max_len):
                self._output(self._read(part), max_len=max_len)
            case a.OutputTrunc(port, max_len):
                self._output(port, cut=max_len)
            case a.Controller(max_len, ident, reason, _, userdata, _):
                self._packet_in(a.REASONS[reason], max_len, ident, userdata)
            case a.Group(number):
                self._group(number)
            case a.Push(part):
                self.stack.append((self._read(part), part.bits))
            case a.Pop(to):
                if self.stack:
                    self._write(to, self.stack.pop()[0] & (1 << to.bits) - 1)
            case a.DecTtl(ids):
                return self._dec_ttl("nw_ttl", ids or (0,))
            case a.DecMplsTtl():
                return self._dec_ttl("mpls_ttl", (0,))
            case a.Resubmit(in_port, table):
                self._resubmit(self.table if table is None else table, in_port)
            case a.GotoTable(table):
                self._count()
                self.go(table, miss=not self.resubmitted)
            case a.Exit():
                self.exited = True
                return False
            case a.Clone(inner):
                self._clone(inner)
            case a.ClearActions():
                self.set.clear()
            case a.WriteActions(inner):
                self.set.write(inner)
                self._note("set", f"action set is: {format_actions(self.set.ordered())}")
            case a.WriteMetadata(value, mask):
                packet.set("metadata", value, mask)
            case a.Multipath(links=links, to=to):
                self._write(to, self.bridge.choose(packet, links))
            case a.Bundle():
                self._bundle(action)
            case _:  # note, learn, conjunction, sample, fin_timeout, meter, queues: the packet stays as it is
                pass
        return True

    def _edit(self, action: Action, edit: Callable[[Packet, Action], None]) -> bool:
        if self.steps is None:
            edit(self.packet, action)
            return True
        before = self.packet.copy()
        edit(self.packet, action)
        self._note_changes(before)
        return True

    def _read(self, part: Subfield) -> int:
        value = self.packet.get(part.field)
        if part.field == "nw_tos":  # the DSCP in its place; the ECN beside it is another field
            value &= 0xFC
        return value >> part.start & (1 << part.bits) - 1

    def _write(self, to: Subfield, value: int) -> None:
        mask = (1 << to.bits) - 1 << to.start
        self.packet.set(to.field, value << to.start, mask)

    def _dec_ttl(self, name: str, controllers: tuple[int, ...]) -> bool:
        if not self.packet.has(name) or self.packet.broken(name):
            return True
        ttl = self.packet.get(name)
        if ttl > 1:
            self.packet.set(name, ttl - 1, 0xFF)
            return True
        for ident in controllers:
            self._packet_in("invalid_ttl", 0xFFFF, ident)
        self.why_not.append("its TTL ended")
        self._note("ttl", "its TTL ended")
        return False

    def _count(self) -> None:
        self.resubmits += 1
        if self.resubmits > MAX_RESUBMITS:
            raise _Stop(f"more than {MAX_RESUBMITS} resubmits")

    def _resubmit(self, table: int, in_port: int | None) -> None:
        self._count()
        deeper = table <= self.table
        self.depth += deeper
        if self.depth > MAX_DEPTH:
            raise _Stop(f"resubmits nest deeper than {MAX_DEPTH}")
        old = self.packet.get("in_port_oxm")
        self.resubmitted += 1
        if in_port is None:
            self.go(table)
        else:  # another in_port is for the search alone
            self._go_as(table, in_port, old)
        self.resubmitted -= 1
        self.depth -= deeper

    def _go_as(self, table: int, in_port: int, old: int) -> None:
        before, self.table = self.table, table
        self.packet.set("in_port_oxm", in_port, 0xFFFFFFFF)
        rule = self.bridge.lookup(table, self.packet)
        self.packet.set("in_port_oxm", old, 0xFFFFFFFF)
        outer = self._enter_table(table, rule)
        if rule is not None:
            self.do(rule.flow.actions)
        self.steps, self.table = outer, before

    def _clone(self, actions: tuple[Action, ...]) -> None:
        saved = (self.packet.copy(), list(self.stack), self.set.copy())
        self.do(actions)
        self.packet, self.stack, self.set = saved
        self.exited = False

    def _bundle(self, bundle: a.Bundle) -> None:
        live = [port for port in bundle.members if self._live(port)]
        if bundle.to is None:
            if live:
                self._output(live[self._choice(bundle.algorithm, len(live))])
        else:
            chosen = live[self._choice(bundle.algorithm, len(live))] if live else 0xFFFF
            self._write(bundle.to, chosen & (1 << bundle.to.bits) - 1)

    def _choice(self, algorithm: int, count: int) -> int:
        return (
            0 if a.BUNDLE_ALGORITHMS[algorithm] == "active_backup" else self.bridge.choose(self.packet, count)
        )

    def _live(self, port: int) -> bool:
        found = self.bridge.ports.get(port)
        return found is not None and not found.down

    # ------------------------------------------------------------------------------------------------ groups

    def _group(self, number: int) -> None:
        group = self.bridge.groups.get(number)
        if group is None:
            self.why_not.append(f"group {number} does not exist")
            return
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _Stop(f"groups nest deeper than {MAX_DEPTH}")
        for index, bucket in self._buckets(group):
            packet, stack = self.packet, self.stack
            self.packet = packet.copy()
            outer = self._open("bucket", f"bucket {index}")
            actions = ActionSet()
            actions.write(bucket.actions)
            self.do(actions.ordered())
            self.steps = outer
            self.packet, self.stack, self.exited = packet, stack, False
        self.depth -= 1

    def _buckets(self, group: Group) -> list[tuple[int, Bucket]]:
        numbered = list(enumerate(group.buckets))
        if group.kind == "all" or group.kind == "indirect":
            return numbered
        live = [(index, bucket) for index, bucket in numbered if self._bucket_lives(bucket, 0)]
        if group.kind == "select":
            live = [(index, bucket) for index, bucket in live if bucket.weight]
        if not live:
            self.why_not.append("no bucket of the group is live")
            return []
        return [live[0 if group.kind == "ff" else self.bridge.choose(self.packet, len(live))]]

    def _bucket_lives(self, bucket: Bucket, depth: int) -> bool:
        """It watches nothing, or its watch port is up, or a bucket of its watch group lives (1.3.5, 6.5)."""
        if bucket.watch_port is None and bucket.watch_group is None:
            return True
        if bucket.watch_port is not None and self._live(bucket.watch_port):
            return True
        watched = self.bridge.groups.get(bucket.watch_group or 0) if depth <= MAX_DEPTH else None
        return watched is not None and any(self._bucket_lives(b, depth + 1) for b in watched.buckets)

    def _action_set(self) -> None:
        """What was written, in the standard's order (1.3.5, 5.10)."""
        if actions := self.set.ordered():
            outer = self._open("set", "action set")
            self.exited = False
            self.do(actions)
            self.steps = outer

    # ----------------------------------------------------------------------------------------------- outputs

    def _output(self, port: int, *, max_len: int = 0, cut: int | None = None) -> None:
        in_port = self.packet.get("in_port_oxm")
        frame = bytes(self.packet.data if cut is None else self.packet.data[:cut])
        match port:
            case _ if port == IN_PORT:
                self._send(in_port, frame)
            case _ if port in (ALL, FLOOD):
                for number, to in sorted(self.bridge.ports.items()):
                    if number != in_port and not (port == FLOOD and to.no_flood):
                        self._send(number, frame)
            case _ if port == CONTROLLER:
                self._packet_in("action", max_len)
            case _ if port == NORMAL:
                self._normal(in_port, frame)
            case _ if port == TABLE:
                self._resubmit(0, None)
            case _ if port == in_port:
                self.why_not.append(
                    f"port {self._port(port)} is where it came from; IN_PORT would send it there"
                )
                self._note("in-port", "the packet came from this port: not sent")
            case _:
                self._send(port, frame)

    def _normal(self, in_port: int, frame: bytes) -> None:
        if self.bridge.normal is None:
            return
        if self.steps is not None and self.bridge.normal_why is not None:
            self._note("normal", self.bridge.normal_why(in_port, frame))
        chosen = self.bridge.normal(in_port, frame)
        if not chosen:
            self.why_not.append("NORMAL has nowhere to send it")
        for port, changed in chosen:
            self._send(port, changed)

    def _send(self, port: int, frame: bytes) -> None:
        to = self.bridge.ports.get(port)
        if to is None or to.down or to.no_fwd:
            why = "does not exist" if to is None else "is down" if to.down else "does not forward"
            self.why_not.append(f"port {self._port(port)} {why}")
            self._note("no-port" if to is None else "port", f"port {self._port(port)} {why}")
            return
        if port in self.bridge.patches:
            self._cross(port, frame)
            return
        self.sent.append(Sent(port, frame, self.bridge.name))
        self._note("sent", f"→ {self._port(port)}")

    def _cross(self, port: int, frame: bytes) -> None:
        """Through a patch port: the frame comes in at the peer, with nothing beside it."""
        peer = self.bridge.patches[port]()
        if peer is None:
            self.why_not.append(f"patch port {self._port(port)} has no peer")
            self._note("no-peer", self.why_not[-1])
            return
        if self.hops == MAX_HOPS or next(self.crossings) > MAX_CROSSINGS:
            self.why_not.append(f"patch port {self._port(port)}: it went through too many before, in a loop")
            self._note("limit", self.why_not[-1])
            return
        bridge, in_port = peer
        way = Run(
            bridge,
            Packet(frame, {"in_port_oxm": in_port}),
            trace=self.steps is not None,
            hops=self.hops + 1,
            crossings=self.crossings,
        )
        came = way.start()
        self.sent += came.sent
        self.to_controller += came.to_controller
        if came.dropped:
            self.beyond.append(came.dropped)
        if self.steps is not None:
            self.steps.append(Step("bridge", bridge.name, steps=list(came.steps)))

    def _packet_in(self, reason: str, max_len: int, ident: int = 0, userdata: bytes = b"") -> None:
        frame = bytes(self.packet.data[:max_len])
        self.to_controller.append(ToController(reason, self.table, frame, ident, userdata, self.bridge.name))
        self._note("sent", f"→ controller {ident} ({reason}), {len(frame)} bytes")

    # ------------------------------------------------------------------------------------------------- trace

    def _port(self, number: int) -> str:
        return "LOCAL" if number == LOCAL else format_port(number, self.bridge.names)

    def _note(self, topic: str, text: str) -> None:
        if self.steps is not None:
            self.steps.append(Step("note", text, topic=topic))

    def _open(self, kind: str, text: str) -> list[Step] | None:
        """A step that others go under; returns where to go back to."""
        outer = self.steps
        if outer is not None:
            outer.append(Step(kind, text))
            self.steps = outer[-1].steps
        return outer

    def _enter(self, action: Action) -> list[Step] | None:
        if self.steps is None:
            return None
        kind = "group" if isinstance(action, a.Group) else "action"
        return self._open(kind, format_action(action, self.bridge.names))

    def _enter_table(self, table: int, rule: Rule | None) -> list[Step] | None:
        outer = self.steps
        if outer is None:
            return None
        if rule is None:
            outer.append(Step("table", f"table {table}: no rule matches", table))
        else:
            flow = replace(rule.flow, table=None, flags=frozenset())
            why = tuple(self._why(rule.flow))
            text = (
                f"table {table}: {format_match(flow.match, -1 if flow.priority == 0x8000 else flow.priority)}"
            )
            text = text.replace("priority=-1", "priority=32768")
            outer.append(
                Step("table", text, table, format_flow(flow, self.bridge.names), why, flow=rule.flow)
            )
        self.steps = outer[-1].steps
        return outer

    def _why(self, flow: Flow) -> list[str]:
        out = []
        for entry in flow.match:
            known = FIELDS[entry.field]
            is_ = format_value(known, self.packet.get(entry.field))
            wanted = format_value(known, entry.value, entry.mask)
            out.append(f"{entry.field} is {is_}" + (f", within {wanted}" if is_ != wanted else ""))
        return out or ["matches every packet"]

    def _note_changes(self, before: Packet) -> None:
        assert self.steps is not None
        names = [n for n in FIELDS if not n.startswith("x") and before.has(n) | self.packet.has(n)]
        for name in names:
            old, new = before.get(name), self.packet.get(name)
            if old != new:
                known = FIELDS[name]
                self._note("changed", f"{name}: {format_value(known, old)} → {format_value(known, new)}")


def run(bridge: Bridge, frame: bytes, in_port: int, *, trace: bool = False, **meta: int) -> Outcome:
    """The outcome for a frame that arrives by a port; `meta` are fields such as tun_id."""
    return Run(bridge, Packet(frame, {"in_port_oxm": in_port, **meta}), trace=trace).start()


__all__ = ["Bridge", "Bucket", "Group", "Outcome", "Port", "Rules", "run"]
