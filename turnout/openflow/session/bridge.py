# SPDX-License-Identifier: Apache-2.0
"""A bridge as its controllers share it: sessions, the master's election, ports, tables' settings, what
happens.

No I/O: the owner feeds it what the datapath reports (`packet_ins`, `poll`) and moves sessions' bytes.
"""

import logging
import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from turnout import _engine
from turnout.openflow.session import flowmatch, monitor, ports, tables, wire
from turnout.openflow.session.constants import N_TABLES, OF13, OF14, PacketInReason, PortReason, Role
from turnout.openflow.session.errors import Error, OfError
from turnout.openflow.session.handlers import HANDLERS
from turnout.openflow.session.packetin import QUEUE, Limiter
from turnout.openflow.session.ports import Port, PortCounters, PortMod
from turnout.openflow.session.roles import Async
from turnout.openflow.session.session import Session
from turnout.openflow.session.tables import Table

log = logging.getLogger(__name__)

_SEND_REMOVED = 1  # OFPFF_SEND_FLOW_REM
_MISSES = (PacketInReason.NO_MATCH, PacketInReason.EXPLICIT_MISS, PacketInReason.IMPLICIT_MISS)
_MASTER_REQUEST = 0  # OFPCRR_MASTER_REQUEST
_WHOLE = 0xFFFF  # packets go up whole: nothing is buffered that could be fetched later


class Host(Protocol):
    """What a bridge needs of the switch around it."""

    @property
    def tables(self) -> "_engine.Tables":
        """The engine's flow tables of the bridge."""

    def ports(self) -> list[Port]:
        """The bridge's ports as they are."""

    def port_counters(self) -> Mapping[int, PortCounters]:
        """Their counters, by OpenFlow number."""

    def set_port_config(self, number: int, config: int) -> None:
        """Gives a port these OFPPC_* bits."""

    def set_frag(self, mode: int) -> None:
        """How fragments are matched: OFPC_FRAG_*."""

    def set_miss_to_controller(self, wanted: bool) -> None:
        """Whether a packet that no flow matches goes to controllers, as 1.0 has it."""


class Bridge:
    """One bridge. description: manufacturer, hardware, software, serial number, datapath, as OFPST_DESC
    says them.
    """

    def __init__(self, host: Host, *, datapath_id: int, description: tuple[str, str, str, str, str]) -> None:
        self.host = host
        self.datapath_id = datapath_id
        self.description = description
        self.sessions: list[Session] = []
        self.generation: int | None = None  # the master election's
        self.frag = 0
        self.now = 0.0  # s, monotonic; of the turn that is under way
        self.dirty = False  # whether tables may have changed since the owner looked
        self.table_settings = [Table() for _ in range(N_TABLES)]
        self.snoop: Callable[[Session, bytes], None] | None = None
        self._limiters: dict[int, tuple[Limiter, Limiter]] = {}  # by session number: for misses, for others
        self._known: dict[int, Port] = {}
        self._miss_wanted: bool | None = None

    # --- sessions

    def open(
        self,
        *,
        number: int,
        versions: frozenset[int],
        service: bool,
        name: str,
        rate: int = 0,
        burst: int = 0,
        asynchronous: bool = True,
    ) -> Session:
        """A new session. number: no other of the datapath's, ever. rate, burst: packet-ins a second and at
        once. asynchronous: whether it gets messages unasked before it says which.
        """
        session = Session(
            self,
            HANDLERS,
            number=number,
            versions=versions,
            service=service,
            name=name,
            asynchronous=asynchronous,
        )
        self.sessions.append(session)
        self._limiters[number] = (Limiter(rate, burst), Limiter(rate, burst))
        return session

    def remove(self, session: Session) -> None:
        """Forgets a session that has ended."""
        session.close(session.closed or "removed")
        if session in self.sessions:
            self.sessions.remove(session)
            del self._limiters[session.view.id]
            self.watch()
            self.wants_changed()

    def connected(self, session: Session) -> None:
        """The session has agreed on a version."""
        log.debug("%s: OpenFlow version %#04x", session.name, session.version)
        self.wants_changed()

    def wants_changed(self) -> None:
        """A session may want packets that miss, or want them no more."""
        wanted = any(s.connected and s.version < OF13 and s.controller_id == 0 for s in self.sessions)
        if wanted != self._miss_wanted:
            self._miss_wanted = wanted
            self.host.set_miss_to_controller(wanted)

    def snooped(self, session: Session, message: bytes) -> None:
        """A message that a session got or sent."""
        if self.snoop:
            self.snoop(session, message)

    # --- the engine's part

    @property
    def tables(self) -> "_engine.Tables":
        """The engine's flow tables."""
        return self.host.tables

    def carried_out(self, session: Session, data: bytearray, consumed: int) -> None:
        """The engine has carried out the first `consumed` bytes of `data`."""
        self.dirty = True
        if self.snoop:
            self.snoop(session, bytes(data[:consumed]))

    def commit(self, session: Session, bundle: list[bytes]) -> bytes:
        """All messages or none; the error reply, b"" if all were carried out."""
        self.dirty = True
        return self.tables.commit(bundle, session.view)

    def watch(self) -> None:
        """Tells the engine whether changes of all flows are wanted, or only removals of those that ask for
        it.
        """
        self.tables.monitor(any(s.monitors for s in self.sessions))

    # --- roles

    def check_generation(self, generation: int) -> None:
        """OfError if it is older than the newest seen, which it becomes."""
        if self.generation is not None and (generation - self.generation) & 1 << 63:
            raise OfError(Error.OFPRRFC_STALE)
        self.generation = generation

    def set_role(self, session: Session, role: Role) -> None:
        """A new master makes the old one a slave."""
        if role is Role.MASTER:
            for other in self.sessions:
                if other is not session and other.role is Role.MASTER:
                    other.set_role(Role.SLAVE)
                    self._send_role_status(other)
        session.set_role(role)

    def _send_role_status(self, session: Session) -> None:
        if session.version < OF13:
            return
        generation = 0xFFFFFFFFFFFFFFFF if self.generation is None else self.generation
        body = struct.pack("!IB3xQ", session.role, _MASTER_REQUEST, generation)
        if session.version == OF13:
            session.notify(wire.onf(OF13, 1911, 0, body))
        else:
            session.notify(wire.message(session.version, 30, 0, body))

    # --- ports

    def ports(self) -> list[Port]:
        """The ports as they are."""
        return self.host.ports()

    def port_counters(self) -> Mapping[int, PortCounters]:
        """Their counters, by number."""
        return self.host.port_counters()

    def check_port_mod(self, mod: PortMod) -> Port:
        """The port as the request would have it; OfError if it can't be."""
        port = next((port for port in self.ports() if port.number == mod.number), None)
        if port is None:
            raise OfError(Error.OFPPMFC_BAD_PORT)
        return mod.applied(port)

    def set_port_config(self, port: Port, by: Session) -> None:
        """Gives the port its config, and tells all controllers but the one that asked for it."""
        if port.config != self._known.get(port.number, port).config or port.number not in self._known:
            self.host.set_port_config(port.number, port.config)
            self.refresh_ports(by)

    def set_frag(self, mode: int) -> None:
        """OFPC_FRAG_*. Nothing reassembles, so that mode is refused silently, as by Open vSwitch."""
        if mode != self.frag and mode != 2:
            self.host.set_frag(mode)
            self.frag = mode

    def refresh_ports(self, by: Session | None = None) -> None:
        """Looks at the ports and tells controllers what has changed since the last look; `by` is not told."""
        current = {port.number: port for port in self.ports()}
        for number, port in self._known.items():
            if number not in current or current[number].name != port.name:
                self._send_port_status(port, PortReason.DELETE, None, by)
        for number, port in current.items():
            old = self._known.get(number)
            if old is None or old.name != port.name:
                self._send_port_status(port, PortReason.ADD, None, by)
            elif old != port:
                self._send_port_status(port, PortReason.MODIFY, old, by)
        self._known = current

    def _send_port_status(self, port: Port, reason: PortReason, old: Port | None, by: Session | None) -> None:
        for session in self.sessions:
            if session is by or not session.wants(Async.PORT_STATUS, reason):
                continue
            message = ports.status(port, reason, session.version)
            if old is None or message != ports.status(old, reason, session.version):
                session.notify(message)

    # --- tables

    def configure_tables(self, numbers: Iterable[int]) -> None:
        """Tells the engine these tables' settings."""
        for number in numbers:
            table = self.table_settings[number]
            down, up = table.vacancy or (0, 0)
            self.tables.configure(
                number,
                limit=table.limit,
                evict=table.evict or table.evict_by_config,
                name=table.name,
                vacancy_down=down,
                vacancy_up=up,
            )

    def flows_by_table(self) -> dict[int, int]:
        """How many flows each table holds."""
        view = _engine.SessionView(id=0, version=OF13, format=_engine.FlowFormat.OXM, may_write=False)
        counts = {}
        for reply in self.tables.statistics(wire.message(OF13, 18, 0, struct.pack("!HH4x", 3, 0)), view):
            for number, active, _, _ in struct.iter_unpack("!B3xIQQ", reply[16:]):
                counts[number] = active
        return counts

    # --- what happens

    def poll(self, now: float) -> None:
        """Reports what the engine has done since: flows removed, flows that monitors see. Cheap if
        nothing.
        """
        self.now = now
        events = self.tables.take_events()
        if events:
            self._report(events)
        for number, reason, vacancy in self.tables.take_vacancies():
            message = tables.status(number, self.table_settings[number], reason, vacancy)
            for session in self.sessions:
                if session.version >= OF14 and session.wants(Async.TABLE_STATUS, reason):
                    session.notify(message)
        for session in self.sessions:
            if session.monitors.paused and not session.unsent:
                self._resume(session)
            for limiter in self._limiters[session.view.id]:
                self._send_packet_ins(session, limiter.due(now))

    def tick(self, now: float) -> None:
        """Once a second: flows expire, links may have changed, half-done requests are dropped."""
        self.now = now
        self.tables.expire()
        self.poll(now)
        self.refresh_ports()
        for session in self.sessions:
            session.tick(now)

    def wait(self, now: float) -> float | None:
        """Seconds until `poll` has packets to send that wait for their turn; None: none do."""
        waits = [w for pair in self._limiters.values() for x in pair if (w := x.wait(now)) is not None]
        return min(waits, default=None)

    def packet_in(self, packet: "_engine.PacketIn", now: float) -> None:
        """A packet that the datapath has for controllers."""
        for session in self.sessions:
            if session.controller_id != packet.controller or not session.wants(
                Async.PACKET_IN, packet.reason
            ):
                continue
            if len(session.output) >= QUEUE:
                continue  # it does not read; packets are dropped, not kept
            message = packet.encode(session.version, session.packet_in_format, _WHOLE)
            limiter = self._limiters[session.view.id][packet.reason not in _MISSES]
            if (due := limiter.offer(packet.in_port, message, now)) is not None:
                session.send(due)

    def _send_packet_ins(self, session: Session, messages: list[bytes]) -> None:
        for message in messages:
            if len(session.output) < QUEUE:
                session.send(message)

    def _report(self, events: "list[_engine.FlowEvent]") -> None:
        for event in events:
            if event.kind == "removed" and event.flow.flags & _SEND_REMOVED:
                for session in self.sessions:
                    if session.wants(Async.FLOW_REMOVED, event.reason):
                        session.notify(event.flow_removed(session.version, session.view.format, 0))
        watching = [s for s in self.sessions if s.monitors and s.connected]
        if not watching:
            return
        matches = [flowmatch.parse(event.flow.match) for event in events]
        for session in watching:
            if session.monitors.paused:
                continue
            updates = list(session.monitors.updates(session, events, matches))
            if updates:
                header = monitor.reply_header(session.version)
                session.send(*wire.multipart(session.version, 0, header, updates))
            if session.unsent > monitor.PAUSE:
                session.monitors.paused = True
                session.send(monitor.pause_message(session.version, resumed=False))

    def _resume(self, session: Session) -> None:
        """The controller has read all: its monitors tell what there is now, since what happened meanwhile
        is not kept.
        """
        session.monitors.paused = False
        entries = (entry for m in session.monitors.by_id.values() for entry in monitor.current(session, m))
        header = monitor.reply_header(session.version)
        session.send(*wire.multipart(session.version, 0, header, entries))
        session.send(monitor.pause_message(session.version, resumed=True))
