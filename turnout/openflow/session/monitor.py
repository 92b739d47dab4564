# SPDX-License-Identifier: Apache-2.0
"""Flow monitors: Nicira's in 1.0, the ONF's in 1.3, the standard's in 1.4 (section 7.3.5.17).

A request names flows by table, output and match. Its first reply is the engine's answer to a flow statistics
request for the same flows, rewritten; from then on each change that the engine reports and that a monitor
covers is sent on. While a controller leaves too much unread its monitors pause; when it has caught up they
resume with what changed meanwhile.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from turnout import _engine
from turnout.openflow.session import flowmatch, wire
from turnout.openflow.session.constants import (
    ALL_TABLES,
    GROUP_ANY,
    N_TABLES,
    NX_VENDOR,
    OF10,
    OF13,
    OF14,
    ONF_VENDOR,
    PORT_ANY,
    port_from_wire10,
    port_to_wire10,
)
from turnout.openflow.session.errors import Error, OfError
from turnout.openflow.session.flowmatch import Fields
from turnout.openflow.session.messages import STATS_REQUEST, Message
from turnout.openflow.session.ports import check_number

if TYPE_CHECKING:
    from turnout.openflow.session.session import Session

MOST = 256  # monitors of a session
PAUSE = 128 * 1024  # [B] unread: monitors pause

# The standard's flags. Open vSwitch takes ONLY_OWN for what the standard calls NO_ABBREV, and its ovs-ofctl
# means that: here both say that a controller's own changes are told in full, and nothing hides the others'.
INITIAL, ADD, REMOVED, MODIFY, INSTRUCTIONS, NO_ABBREV, ONLY_OWN = (1 << bit for bit in range(7))
_EVENTS = ADD | REMOVED | MODIFY
_KNOWN = INITIAL | _EVENTS | INSTRUCTIONS | NO_ABBREV | ONLY_OWN
_FLAG_OF = {"added": ADD, "removed": REMOVED, "modified": MODIFY}
_ADD, _MODIFY, _DELETE = range(3)  # commands
# length, event, reason, priority, idle, hard, length of the match, table, cookie
_NICIRA = struct.Struct("!HHHHHHHBxQ")


@dataclass(frozen=True, slots=True)
class Monitor:
    """Which flows' changes a controller wants to see. match: as on the wire, with what pads it."""

    number: int
    flags: int
    table: int
    out_port: int
    out_group: int
    match: bytes
    match_len: int
    fields: Fields

    def covers(self, event: "_engine.FlowEvent", fields: Fields) -> bool:
        """Whether it is to be told; fields: the flow's match."""
        flow = event.flow
        return (
            bool(self.flags & _FLAG_OF[event.kind])
            and self.table in (ALL_TABLES, flow.table)
            and (self.out_port == PORT_ANY or flowmatch.outputs(flow.instructions, port=self.out_port))
            and (self.out_group == GROUP_ANY or flowmatch.outputs(flow.instructions, group=self.out_group))
            and self.fields.covers(fields)
        )


class Monitors:
    """The monitors of one session, by id."""

    def __init__(self) -> None:
        self.by_id: dict[int, Monitor] = {}
        self.paused = False
        self._abbreviated: int | None = None  # xid that the last abbreviation was for

    def __bool__(self) -> bool:
        return bool(self.by_id)

    def add(self, monitor: Monitor) -> None:
        """OfError if there is one of that id."""
        if monitor.number in self.by_id:
            raise OfError(Error.OFPMOFC_MONITOR_EXISTS)
        if len(self.by_id) >= MOST:
            raise OfError(Error.OFPBRC_EPERM)
        self.by_id[monitor.number] = monitor

    def delete(self, number: int) -> None:
        """OfError if there is none."""
        if number not in self.by_id:
            raise OfError(Error.OFPMOFC_UNKNOWN_MONITOR)
        del self.by_id[number]

    def updates(
        self, session: "Session", events: "list[_engine.FlowEvent]", matches: list[Fields]
    ) -> Iterator[bytes]:
        """What this session is to be told of the events: entries of a reply."""
        self._abbreviated = None
        for event, fields in zip(events, matches, strict=True):
            flags = 0
            for monitor in self.by_id.values():
                if monitor.covers(event, fields):
                    flags |= monitor.flags
            if not flags:
                continue
            own = event.session == session.view.id
            if own and not flags & (NO_ABBREV | ONLY_OWN):
                if self._abbreviated != event.xid:
                    self._abbreviated = event.xid
                    yield _entry(event, session.version, actions=False, abbreviated=True)
            else:
                actions = bool(flags & INSTRUCTIONS)
                yield _entry(event, session.version, actions=actions, abbreviated=False)


def request(session: "Session", message: Message) -> None:
    """A request to add, and in 1.4 to change or delete, monitors."""
    made: list[Monitor] = []
    try:
        for command, monitor in _decode(message):
            if command != _ADD:
                session.monitors.delete(monitor.number)
            if command != _DELETE:
                session.monitors.add(monitor)
                made.append(monitor)
    except OfError:
        for monitor in made:
            session.monitors.by_id.pop(monitor.number, None)
        raise
    finally:
        session.bridge.watch()
    entries = (entry for monitor in made if monitor.flags & INITIAL for entry in current(session, monitor))
    session.reply(wire.stats_reply(message, entries))


def cancel(session: "Session", message: Message) -> None:
    """NXT_FLOW_MONITOR_CANCEL and the ONF's."""
    session.monitors.delete(int.from_bytes(message.payload))
    session.bridge.watch()


def _entry(event: "_engine.FlowEvent", version: int, *, actions: bool, abbreviated: bool) -> bytes:
    """What happened, as the version says it."""
    entry = event.monitor_update(version, actions=actions, abbreviated=abbreviated)
    if version != OF13:
        return entry
    # the ONF's of 1.3: 1.4's match and instructions behind Nicira's fields, whose events count from 0
    length, kind = struct.unpack_from("!HH", entry)
    if abbreviated:
        return struct.pack("!HH", length, kind - 1) + entry[4:]
    table, reason, idle, hard, priority, cookie = struct.unpack_from("!BBHHH4xQ", entry, 4)
    match_len = int.from_bytes(entry[26:28])
    fields = (length, kind - 1, reason, priority, idle, hard, match_len, table, cookie)
    return _NICIRA.pack(*fields) + entry[24:]


def reply_header(version: int) -> bytes:
    """What follows the message's header in replies with updates."""
    if version == OF10:
        return struct.pack("!HHII4x", 0xFFFF, 0, NX_VENDOR, 2)
    if version == OF13:
        return struct.pack("!HH4xII", 0xFFFF, 0, ONF_VENDOR, 1870)
    return struct.pack("!HH4x", 16, 0)


def pause_message(version: int, *, resumed: bool) -> bytes:
    """Says that updates are missing from here on, or that they go on."""
    if version == OF10:
        return wire.nicira(version, 22 + resumed, 0)
    if version == OF13:
        return wire.onf(version, 1871 + resumed, 0)
    body = reply_header(version) + struct.pack("!HH4x", 8, 5 + resumed)
    return wire.message(version, STATS_REQUEST[version] + 1, 0, body)


def _decode(message: Message) -> Iterator[tuple[int, Monitor]]:
    """(command, monitor) of each in the request."""
    body, at, version = message.payload, 0, message.version
    while at < len(body):
        if len(body) - at < 16:
            raise OfError(Error.OFPBRC_BAD_LEN)
        command, group = _ADD, GROUP_ANY
        if version == OF10:
            number, flags, port, match_len, table, zeros = struct.unpack_from("!IHHHB5s", body, at)
            out_port = port_from_wire10(port)
        elif version == OF13:
            number, flags, match_len, out_port, table, zeros = struct.unpack_from("!IHHIB3s", body, at)
        else:
            number, out_port, group, flags, table, command = struct.unpack_from("!IIIHBB", body, at)
            zeros = b""
        at += 16
        if version == OF10:
            end = at + -(-match_len // 8) * 8
            if end > len(body):
                raise OfError(Error.OFPBMC_BAD_LEN)
            oxm = body[at : at + match_len]
        else:
            match_len, oxm, end = _oxm_match(body, at)
        if command not in (_ADD, _MODIFY, _DELETE):
            raise OfError(Error.OFPMOFC_BAD_COMMAND)
        if command != _DELETE:
            flags = _flags(flags, version)
            if any(zeros):
                raise OfError(Error.NXBRC_MUST_BE_ZERO)
            check_number(out_port)
            if table != ALL_TABLES and table >= N_TABLES:
                raise OfError(Error.OFPBRC_BAD_TABLE_ID)
        fields = flowmatch.parse(oxm)
        yield command, Monitor(number, flags, table, out_port, group, body[at:end], match_len, fields)
        at = end


def _oxm_match(body: bytes, at: int) -> tuple[int, bytes, int]:
    """(length, entries, end with padding) of the ofp_match at `at`."""
    if len(body) - at < 8:
        raise OfError(Error.OFPBMC_BAD_LEN)
    kind, length = struct.unpack_from("!HH", body, at)
    if kind != 1:
        raise OfError(Error.OFPBMC_BAD_TYPE)
    end = at + -(-length // 8) * 8
    if length < 4 or end > len(body):
        raise OfError(Error.OFPBMC_BAD_LEN)
    return length, body[at + 4 : at + length], end


def _flags(flags: int, version: int) -> int:
    """The flags, checked. Nicira's and the ONF's have the standard's bits, but no ONLY_OWN."""
    known = _KNOWN if version >= OF14 else _KNOWN & ~ONLY_OWN
    if not flags & _EVENTS or flags & ~known:
        raise OfError(Error.OFPMOFC_BAD_FLAGS)
    return flags


def current(session: "Session", monitor: Monitor) -> Iterator[bytes]:
    """The flows that the monitor covers, as entries of a reply."""
    version, actions = session.version, bool(monitor.flags & INSTRUCTIONS)
    for reply in session.bridge.tables.statistics(_stats_request(version, monitor), session.view):
        at = 24 if version == OF10 else 16
        if reply[1] != STATS_REQUEST[version] + 1:
            raise OfError(
                Error.OFPBRC_BAD_LEN
            )  # the engine refused the match; it says why to a statistics request
        while at < len(reply):
            length = int.from_bytes(reply[at : at + 2])
            yield _update(version, reply[at : at + length], actions)
            at += length


def _stats_request(version: int, monitor: Monitor) -> bytes:
    """A request for the statistics of the monitor's flows."""
    if version == OF10:
        head = struct.pack("!HHII4x", 0xFFFF, 0, NX_VENDOR, 0)
        fixed = struct.pack("!HHB3x", port_to_wire10(monitor.out_port), monitor.match_len, monitor.table)
    else:
        head = struct.pack("!HH4x", 1, 0)
        fixed = struct.pack("!B3xII4xQQ", monitor.table, monitor.out_port, monitor.out_group, 0, 0)
    return wire.message(version, STATS_REQUEST[version], 0, head + fixed + monitor.match)


def _update(version: int, entry: bytes, actions: bool) -> bytes:
    """A flow statistics entry as a monitor's update that tells of a flow that is there."""
    if version == OF10:
        _, table, priority, idle, hard, match_len, cookie = struct.unpack_from("!HBx8xHHHH4xQ", entry)
        start = 48
        end = start + -(-match_len // 8) * 8
    else:
        _, table, priority, idle, hard, cookie = struct.unpack_from("!HBx8xHHH6xQ", entry)
        start = 48
        match_len = int.from_bytes(entry[start + 2 : start + 4])
        end = start + -(-match_len // 8) * 8
    rest = entry[start:] if actions else entry[start:end]
    if version == OF14:  # length, event, table, reason, idle, hard, priority, cookie
        return struct.pack("!HHBBHHH4xQ", 24 + len(rest), 0, table, 0, idle, hard, priority, cookie) + rest
    return _NICIRA.pack(24 + len(rest), 0, 0, priority, idle, hard, match_len, table, cookie) + rest
