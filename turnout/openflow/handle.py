# SPDX-License-Identifier: Apache-2.0
"""`switch.bridge("br0")`: a bridge of a running switch, its flows, and traces through it."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from turnout import _engine
from turnout.control.reconcile import Reconciler, peer_of
from turnout.openflow.flows import Flows
from turnout.openflow.interpreter import Port
from turnout.openflow.normal import Normal, NormalPort
from turnout.openflow.session.constants import PortConfig
from turnout.openflow.trace import Now, Traced, trace


def look(datapath: _engine.Datapath, reconciler: Reconciler, name: str) -> Now:
    """The bridge now: its tables, its ports, what it has learned."""
    actual = reconciler.actual
    number, _ = actual.bridges[name]
    here = {p.number: p for p in actual.by_bridge[name]}
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
    patches = {
        p.ofport: (peer.bridge, peer.ofport) if (peer := peer_of(p, actual)) else None
        for p in here.values()
        if p.port.type == "patch"
    }
    return Now(datapath.tables(number), ports, Normal(vlans, fdb, no_flood), patches)


class BridgeHandle:
    """A bridge of a running switch; good as long as the bridge is there. flows: its OpenFlow flows."""

    def __init__(
        self, name: str, look: Callable[[str], Now], lock: Callable[[], AbstractContextManager[object]]
    ) -> None:
        self.name = name
        self._look = look
        self._lock = lock
        self.flows = Flows(lambda: look(name).tables, lambda: look(name).numbers, lock)

    def trace(self, packet: str, *, frame: bytes | None = None, named: bool = True) -> Traced:
        """Sends a packet through the bridge and on behind its patch ports, on paper.

        packet: "in_port=1,ip,nw_dst=10.0.0.1", or "in_port=1,HEX". frame: the packet, of which `packet` then
        says no more than its port and metadata. named: ports are told by name, else by number. Nothing is
        sent, counted or learned. Raises TurnoutError, one line.
        """
        with self._lock():
            return trace(self._look, self.name, packet, frame=frame, named=named)

    def port_names(self) -> dict[int, str]:
        """OpenFlow numbers to port names."""
        with self._lock():
            return {number: port.name for number, port in self._look(self.name).ports.items()}

    def __repr__(self) -> str:
        return f"<bridge {self.name}>"
