# SPDX-License-Identifier: Apache-2.0
"""`switch.bridge("br0")`: a bridge of a running switch, its flows, and traces through it."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from turnout import _engine
from turnout.control.reconcile import Reconciler
from turnout.openflow.flows import Flows
from turnout.openflow.interpreter import Port
from turnout.openflow.normal import Normal, NormalPort
from turnout.openflow.session.constants import PortConfig
from turnout.openflow.trace import Traced, trace


@dataclass(frozen=True, slots=True)
class Now:
    """A bridge as it is. ports: by OpenFlow number, with names."""

    tables: "_engine.Tables"
    ports: Mapping[int, Port]
    normal: Normal

    @property
    def numbers(self) -> dict[str, int]:
        """Port names to OpenFlow numbers."""
        return {port.name: number for number, port in self.ports.items()}


def look(datapath: _engine.Datapath, reconciler: Reconciler, name: str) -> Now:
    """The bridge now: its tables, its ports, what it has learned."""
    number, _ = reconciler.actual.bridges[name]
    here = {p.number: p for p in reconciler.actual.ports.values() if p.bridge == name}
    ports = {
        p.ofport: Port(
            p.ofport,
            p.port.name,
            down=bool(p.config & PortConfig.PORT_DOWN) or bool(p.error),
            no_recv=bool(p.config & PortConfig.NO_RECV),
            no_fwd=bool(p.config & PortConfig.NO_FWD),
            no_flood=bool(p.config & PortConfig.NO_FLOOD),
        )
        for p in here.values()
    }
    vlans = {
        p.ofport: NormalPort(p.port.effective_vlan_mode, p.port.tag or 0, tuple(p.port.trunks))
        for p in here.values()
    }
    fdb = {
        (entry.vlan, int(entry.mac.replace(":", ""), 16)): here[entry.port].ofport
        for entry in datapath.fdb(number)
        if entry.port in here
    }
    no_flood = frozenset(port.number for port in ports.values() if port.no_flood)
    return Now(datapath.tables(number), ports, Normal(vlans, fdb, no_flood))


class BridgeHandle:
    """A bridge of a running switch; good as long as the bridge is there. flows: its OpenFlow flows."""

    def __init__(
        self, name: str, now: Callable[[], Now], lock: Callable[[], AbstractContextManager[object]]
    ) -> None:
        self.name = name
        self._now = now
        self._lock = lock
        self.flows = Flows(lambda: now().tables, lambda: now().numbers, lock)

    def trace(self, packet: str, *, frame: bytes | None = None, named: bool = True) -> Traced:
        """Sends a packet through the bridge on paper: "in_port=1,ip,nw_dst=10.0.0.1", or "in_port=1,HEX".

        frame: the packet, of which `packet` then says no more than its port and metadata. named: ports are
        told by name, else by number. Nothing is sent, counted or learned. Raises TurnoutError, one line.
        """
        with self._lock():
            now = self._now()
            return trace(
                now.tables,
                packet,
                ports=now.ports,
                names=now.numbers,
                normal=now.normal,
                frame=frame,
                named=named,
            )

    def port_names(self) -> dict[int, str]:
        """OpenFlow numbers to port names."""
        with self._lock():
            return {number: port.name for number, port in self._now().ports.items()}

    def __repr__(self) -> str:
        return f"<bridge {self.name}>"
