# SPDX-License-Identifier: Apache-2.0
"""The part of ovs-vswitchd: what the database says becomes the switch, and what the switch is goes back into
the database.
"""

import ctypes
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from concurrent.futures import Future
from dataclasses import replace
from typing import Any
from uuid import UUID

import ovs.version  # type: ignore[import-untyped]

from turnout import _engine
from turnout.config.edit import Edit
from turnout.config.model import Bridge, Config
from turnout.control.loop import Loop
from turnout.control.netdev import NO_ODDITIES, Netdev, Netdevs, oddities
from turnout.control.ports import af_packet_mtu
from turnout.errors import TurnoutError
from turnout.ovsdb import machine, mtu, status
from turnout.ovsdb.rows import Database, Tls
from turnout.ovsdb.session import Session
from turnout.ovsdb.through import Known, Through
from turnout.ovsdb.translate import Desired, Translator
from turnout.ovsdb.view import view
from turnout.results import DropCount, PortView, SwitchView
from turnout.switch import Switch

log = logging.getLogger(__name__)

_INTERVAL = 5.0  # s between updates of counters, at least


class Vswitchd:
    """Lives on the daemon's loop."""

    own_ports = True  # each bridge has one, with or without a row

    def __init__(self, switch: Switch, loop: Loop, remote: str) -> None:
        """TurnoutError if there is no schema. The database need not be there yet."""
        self._switch = switch
        self.started = False  # whether the database has been obeyed once, be it empty
        self._database: Database | None = None
        self._desired = Desired()
        self._translate = Translator(switch.check_port)
        self._own_tls = _tls_of(switch.config)
        self._failure = ""  # of the last change as a whole
        self._said: set[str] = set()
        self._in_database: dict[tuple[str, UUID], dict[str, Any]] = {}  # as far as we know
        self._counters: dict[str, dict[str, Any]] = {}  # interface → column statistics
        self._host: dict[str, str] = {}  # Open_vSwitch's column statistics
        self._netdevs = Netdevs()
        self._kernel_mtus: Mapping[str, int] = {}  # that ports have taken over; 0: there is no interface yet
        self._links: dict[str, tuple[bool, int]] = {}  # interface → its link, and its turns
        self._next_counters = 0.0
        self._wishes: Mapping[str, object] = {}  # what is wanted of each bridge
        self._stale: set[str] = set()  # bridges whose rows are to be looked at
        self._late = False  # there is more to write than what is under way
        self._dpdk_version = dpdk_version()
        self._session = Session(remote, loop, self._changed, self._written)
        self._through = Through(
            self._session,
            remote,
            check=switch.check_port,
            admit=lambda port: switch.check_port(port, host=True),
            errors=self._errors,
        )

    def tick(self, now: float) -> None:
        """Once a second. now: s, monotonic."""
        self._through.tick(now)
        if not self._session.ready or self._database is None:
            return
        if now >= self._next_counters:
            self._next_counters = now + _interval(self._database)
            self._counters = self._count()
            self._host = self._look_at_host()
        if any(self._netdevs.mtu(name) not in (None, was) for name, was in self._kernel_mtus.items()):
            self._changed(self._database, fresh=False)
        self._report(self._wishes.keys())

    def change(self, edit: Edit) -> Future[str]:
        """Makes a change of the desired state through the database; the answer, "", comes when the switch has
        done it.
        """
        return self._through.change(edit)

    def show(self) -> SwitchView:
        """The switch, with the rows that cannot be, and with what is wrong with others."""
        actual = self._switch.show()
        return view(actual, self._database, self._desired) if self._database else actual

    def _errors(self) -> dict[str, str]:
        """Port → what is wrong with its device; "" → with the last change as a whole."""
        ports = (port for bridge in self._switch.show().bridges for port in bridge.ports)
        return {"": self._failure} | {port.name: port.error for port in ports}

    def close(self) -> None:
        """Leaves the database as it is, and the lock to others."""
        self._session.close()
        self._netdevs.close()

    def _changed(self, database: Database | None, fresh: bool) -> None:
        self.started = True
        if fresh:
            self._in_database.clear()
        if database is None:
            self._log(
                {"the database has no row Open_vSwitch; ovs-vsctl init makes one; forwarding as before"}
            )
            self._through.know(None, fresh=fresh)
            return
        self._database = database
        self._desired = self._translate(database)
        bridges = self._settle_mtus(database)
        self._set_tls(database.tls)
        self._log({*self._desired.notes, *self._desired.errors.values()})
        wanted = replace(self._switch.config, bridges=bridges)
        before, self._failure = self._failure, ""
        if wanted != self._switch.config:
            try:
                self._switch.apply(wanted, tolerant=True)
            except TurnoutError as error:
                self._failure = str(error)
                log.error("%s", error)
        wishes, old = self._wish(database), self._wishes
        self._wishes = wishes
        names = {i.name for row in database.bridges for port in row.ports for i in port.interfaces}
        self._counters = {name: count for name, count in self._counters.items() if name in names}
        self._links = {name: link for name, link in self._links.items() if name in names}
        if not self._host:
            self._host = self._look_at_host()
        self._through.know(
            Known(database=database, config=self._switch.config, desired=self._desired), fresh=fresh
        )
        all_differ = fresh or self._failure != before
        self._report(name for name, wish in wishes.items() if all_differ or wish != old.get(name))

    def _settle_mtus(self, database: Database) -> tuple[Bridge, ...]:
        """The desired bridges with all MTUs; what the database means stays as it is."""
        requested = {
            interface.name
            for row in database.bridges
            for port in row.ports
            for interface in port.interfaces
            if interface.mtu_request is not None
        }
        largest = af_packet_mtu(self._switch.config.mtu)
        settled = mtu.settle(self._desired.bridges, requested, self._netdevs.mtu, largest)
        errors = self._desired.errors
        for name, text in settled.errors.items():
            errors = {**errors, name: "; ".join(filter(None, (errors.get(name), text)))}
        self._desired = replace(self._desired, errors=errors)
        self._kernel_mtus = settled.kernel
        return settled.bridges

    def _wish(self, database: Database) -> dict[str, object]:
        """Bridge → all that is said of it."""
        wanted = {bridge.name: bridge for bridge in self._desired.bridges}
        errors = self._desired.errors
        return {
            row.name: (
                row,
                wanted.get(row.name),
                [errors.get(interface.name) for port in row.ports for interface in port.interfaces],
            )
            for row in database.bridges
        }

    def _set_tls(self, wanted: Tls | None) -> None:
        """Those of the database, else those that the switch was started with."""
        files = (wanted.private_key, wanted.certificate, wanted.ca_cert) if wanted else self._own_tls
        if files != _tls_of(self._switch.config):
            try:
                self._switch.set_tls(private_key=files[0], certificate=files[1], ca_cert=files[2])
            except TurnoutError as error:
                log.error("%s", error)

    def _log(self, lines: set[str]) -> None:
        """Each once, until it has been put right and is wrong again."""
        for line in sorted(lines - self._said):
            log.warning("%s", line)
        self._said = lines

    def _report(self, bridges: Iterable[str] = ()) -> None:
        """Writes what differs of the switch itself and of these bridges, and of those that had to wait."""
        self._stale.update(bridges)
        if self._session.writing:
            self._late = True
            return
        self._late = False
        changes: dict[str, dict[UUID, dict[str, Any]]] = defaultdict(dict)
        rows = self._rows(self._stale)
        for (table, uuid), values in rows.items():
            there = self._in_database.get((table, uuid), {})
            if differing := {k: v for k, v in values.items() if k not in there or there[k] != v}:
                changes[table][uuid] = differing
        every = self._stale >= self._wishes.keys()
        self._in_database = rows if every else self._in_database | rows
        self._stale.clear()
        if changes:
            self._session.write(changes)

    def _written(self, done: bool) -> None:
        if not done:
            self._in_database.clear()  # the next tick writes it again
            return
        if self._database and (of_switch := self._in_database.get(("Open_vSwitch", self._database.uuid))):
            self._through.reported(of_switch["cur_cfg"])
        if self._late:
            self._report()

    def _rows(self, names: Set[str]) -> dict[tuple[str, UUID], dict[str, Any]]:
        """(table, row) → its columns as they should be, of the switch and these bridges."""
        database = self._database
        assert database is not None
        rows = {
            ("Open_vSwitch", database.uuid): status.switch(
                ovs_version=ovs.version.VERSION,
                db_version=self._session.version,
                dpdk_version=self._dpdk_version,
                cur_cfg=database.next_cfg,
                statistics=self._host,
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
                error = self._desired.errors.get(interface.name, "" if port else self._failure)
                values = self._interface(port, error)
                if port and not port.error:
                    values |= self._counters.get(interface.name) or {"statistics": status.zeros(port.type)}
                rows["Interface", interface.uuid] = values
        return rows

    def _interface(self, port: PortView | None, error: str) -> dict[str, Any]:
        if port is None or port.error:
            return status.interface(port, None, resets=0, error=error)
        netdev = self._netdev(port)
        up = status.link_up(port, netdev)
        was_up, resets = self._links.get(port.name, (up, 0))
        self._links[port.name] = up, resets + (up != was_up)
        return status.interface(port, netdev, resets=self._links[port.name][1], error=error)

    def _netdev(self, port: PortView) -> Netdev | None:
        """What the kernel says of it; None of what has no interface, or has it in another namespace."""
        if port.type not in status.KERNEL or port.options.get("netns"):
            return None
        return self._netdevs.look(port.options.get("iface", port.name))

    def _look_at_host(self) -> dict[str, str]:
        """Where that is wanted."""
        assert self._database is not None
        wanted = self._database.other_config.get("enable-statistics") == "true"
        return machine.statistics() if wanted else {}

    def _count(self) -> dict[str, dict[str, Any]]:
        drops: dict[str, list[DropCount]] = defaultdict(list)
        for drop in self._switch.drops():
            drops[drop.port].append(drop)
        ports = {port.name: port for bridge in self._switch.config.bridges for port in bridge.ports}
        found: dict[str, dict[str, Any]] = {}
        for count in self._switch.stats():
            port = ports[count.port]
            # a TAP has none: what the kernel counts of it is what we do
            odd = oddities(port.options.get("iface", port.name)) if port.type.startswith("af_") else {}
            found[count.port] = status.statistics(count, drops[count.port], port.type, odd or NO_ODDITIES)
        return found


def _tls_of(config: Config) -> tuple[str, str, str]:
    return config.private_key, config.certificate, config.ca_cert


def _interval(database: Database) -> float:
    """Seconds between updates of counters: other_config:stats-update-interval, in ms, 5,000 at least."""
    text = database.other_config.get("stats-update-interval", "")
    return max(_INTERVAL, int(text) / 1000) if text.isascii() and text.isdigit() else _INTERVAL


def dpdk_version() -> str:
    """ "DPDK 22.11.9", asked of the library that the engine is linked with."""
    library = ctypes.CDLL(_engine.__file__)
    library.rte_version_prefix.restype = ctypes.c_char_p
    year, month, minor = library.rte_version_year(), library.rte_version_month(), library.rte_version_minor()
    return f"{library.rte_version_prefix().decode()} {year:02}.{month:02}.{minor}"
