# SPDX-License-Identifier: Apache-2.0
"""What the switch is, written back into the database: of each bridge when something of it has changed, and of
all of them once a second.
"""

import ctypes
from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from typing import Any
from uuid import UUID

import ovs.version  # type: ignore[import-untyped]

from turnout import _engine
from turnout.control.netdev import NO_ODDITIES, Netdevs, interface_of, oddities
from turnout.ovsdb import status
from turnout.ovsdb.machine import Machine
from turnout.ovsdb.rows import Database
from turnout.ovsdb.session import Session
from turnout.ovsdb.translate import Desired
from turnout.results import DropCount, PortView
from turnout.switch import Switch

_INTERVAL = 5.0  # s between updates of counters, at least
_Rows = dict[tuple[str, UUID], dict[str, Any]]  # (table, row) → its columns


class Report:
    """Writes what differs from what the database has, as far as we know.

    netdevs: a look at the kernel's interfaces.
    """

    def __init__(self, switch: Switch, session: Session, netdevs: Netdevs) -> None:
        self._switch = switch
        self._session = session
        self._netdevs = netdevs
        self._database: Database | None = None
        self._errors: Mapping[str, str] = {}  # interface → what is wrong with it
        self._failure = ""  # of the last change as a whole
        self._written: _Rows = {}  # as far as we know
        self._wishes: Mapping[str, object] = {}  # what is wanted of each bridge
        self._stale: set[str] = set()  # bridges whose rows are to be looked at
        self._late = False  # there is more to write than what is under way
        self._counters: dict[tuple[UUID, str], dict[str, Any]] = {}  # row, type → column statistics
        self._links: dict[str, tuple[bool, int]] = {}  # interface → its link, and its turns
        self._machine = Machine()
        self._next_counters = 0.0
        self._dpdk_version = dpdk_version()

    def changed(self, database: Database, desired: Desired, failure: str) -> None:
        """The switch is as the database says, or has tried. failure: why the change as a whole failed."""
        wishes = _wishes(database, desired)
        differ = {name for name, wish in wishes.items() if wish != self._wishes.get(name)}
        if failure != self._failure:
            differ = set(wishes)
        self._database, self._errors, self._failure = database, desired.errors, failure
        self._wishes = wishes
        names = {i.name for row in database.bridges for port in row.ports for i in port.interfaces}
        self._links = {name: link for name, link in self._links.items() if name in names}
        if _wants_machine(database) and not self._machine.statistics:
            self._machine.look()
        self._write(differ)

    def forget(self) -> None:
        """It may be another database: all is to be written."""
        self._written.clear()
        self._wishes = {}

    def tick(self, now: float) -> None:
        """Once a second, while the database is ours to write. now: s, monotonic."""
        if self._database is None:
            return
        if now >= self._next_counters:
            self._next_counters = now + _interval(self._database)
            self._counters = self._count(self._database)
            if _wants_machine(self._database):
                self._machine.look()
        self._write(self._wishes.keys())

    def written(self, done: bool) -> int:
        """What was under way is in the database, or not; the cur_cfg that it has, as far as we know."""
        if not done:
            self._written.clear()  # the next tick writes it again
            return 0
        of_switch = self._written.get(("Open_vSwitch", self._database.uuid)) if self._database else None
        cur_cfg: int = of_switch["cur_cfg"] if of_switch else 0
        if self._late:
            self._write()
        return cur_cfg

    def _write(self, bridges: Iterable[str] = ()) -> None:
        """Of the switch itself and of these bridges, and of those that had to wait."""
        self._stale.update(bridges)
        self._late = self._session.writing
        if self._late:
            return
        changes: dict[str, dict[UUID, dict[str, Any]]] = defaultdict(dict)
        rows = self._rows(self._stale)
        for (table, uuid), values in rows.items():
            there = self._written.get((table, uuid), {})
            if differing := {k: v for k, v in values.items() if k not in there or there[k] != v}:
                changes[table][uuid] = differing
        every = self._stale >= self._wishes.keys()
        self._written = rows if every else self._written | rows
        self._stale.clear()
        if changes:
            self._session.write(changes)

    def _rows(self, names: Set[str]) -> _Rows:
        """Of the switch and these bridges, as they should be."""
        database = self._database
        assert database is not None
        rows: _Rows = {
            ("Open_vSwitch", database.uuid): status.switch(
                ovs_version=ovs.version.VERSION,
                db_version=self._session.version,
                dpdk_version=self._dpdk_version,
                cur_cfg=database.next_cfg,
                statistics=self._machine.statistics if _wants_machine(database) else {},
            )
        }
        views = {view.name: view for view in self._switch.bridge_views(names)}
        for bridge in (row for row in database.bridges if row.name in names):
            view = views.get(bridge.name)
            if view:
                rows["Bridge", bridge.uuid] = status.bridge(view)
            controllers = self._switch.controllers(bridge.name) if view else {}
            for controller in bridge.controllers:
                answer = controllers.get(controller.target)
                rows["Controller", controller.uuid] = status.controller(answer)
            ports = {port.name: port for port in view.ports} if view else {}
            for interface in (i for port in bridge.ports for i in port.interfaces):
                port = ports.get(interface.name)
                error = self._errors.get(interface.name, "" if port else self._failure)
                rows["Interface", interface.uuid] = self._interface(interface.uuid, port, error)
        return rows

    def _interface(self, row: UUID, port: PortView | None, error: str) -> dict[str, Any]:
        if port is None or port.error:
            return status.interface(port, None, resets=0, error=error)
        name = interface_of(port)
        netdev = self._netdevs.look(name) if name else None
        up = status.link_up(port, netdev)
        was_up, resets = self._links.get(port.name, (up, 0))
        self._links[port.name] = up, resets + (up != was_up)
        values = status.interface(port, netdev, resets=self._links[port.name][1], error=error)
        return values | (self._counters.get((row, port.type)) or {"statistics": status.zeros(port.type)})

    def _count(self, database: Database) -> dict[tuple[UUID, str], dict[str, Any]]:
        drops: dict[str, list[DropCount]] = defaultdict(list)
        for drop in self._switch.drops():
            drops[drop.port].append(drop)
        ports = {port.name: port for bridge in self._switch.config.bridges for port in bridge.ports}
        rows = {i.name: i.uuid for row in database.bridges for port in row.ports for i in port.interfaces}
        found: dict[tuple[UUID, str], dict[str, Any]] = {}
        for count in self._switch.stats():
            port = ports[count.port]
            if port.name in rows:
                # a TAP has none: what the kernel counts of it is what we do
                name = interface_of(port) if port.type.startswith("af_") else None
                odd = oddities(name) if name else {}
                values = status.statistics(count, drops[port.name], port.type, odd or NO_ODDITIES)
                found[rows[port.name], port.type] = values
        return found


def _wishes(database: Database, desired: Desired) -> dict[str, object]:
    """Bridge → all that is said of it."""
    wanted = {bridge.name: bridge for bridge in desired.bridges}
    errors = desired.errors
    return {
        row.name: (
            row,
            wanted.get(row.name),
            [errors.get(interface.name) for port in row.ports for interface in port.interfaces],
        )
        for row in database.bridges
    }


def _wants_machine(database: Database) -> bool:
    """Whether it asks for column `statistics` of table Open_vSwitch."""
    return database.other_config.get("enable-statistics") == "true"


def _interval(database: Database) -> float:
    """Seconds between updates of counters: other_config:stats-update-interval, in ms, 5,000 at least."""
    text = database.other_config.get("stats-update-interval", "")
    good = text.isascii() and text.isdigit() and len(text) <= 10
    return max(_INTERVAL, int(text) / 1000) if good else _INTERVAL


def dpdk_version() -> str:
    """ "DPDK 22.11.9", asked of the library that the engine is linked with."""
    library = ctypes.CDLL(_engine.__file__)
    library.rte_version_prefix.restype = ctypes.c_char_p
    year, month, minor = library.rte_version_year(), library.rte_version_month(), library.rte_version_minor()
    return f"{library.rte_version_prefix().decode()} {year:02}.{month:02}.{minor}"
