# SPDX-License-Identifier: Apache-2.0
"""The part of ovs-vswitchd: what the database says becomes the switch, and what the switch is goes back into
the database.
"""

import ctypes
import fcntl
import logging
import socket
import struct
from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from dataclasses import replace
from typing import Any
from uuid import UUID

import ovs.version  # type: ignore[import-untyped]

from turnout import _engine
from turnout.config.model import Config
from turnout.control.loop import Loop
from turnout.errors import TurnoutError
from turnout.ovsdb import status
from turnout.ovsdb.rows import Database, Tls
from turnout.ovsdb.session import Session
from turnout.ovsdb.translate import Desired, translate
from turnout.results import DropCount, PortView
from turnout.switch import Switch

log = logging.getLogger(__name__)

_INTERVAL = 5.0  # s between updates of counters, at least
_KERNEL = ("tap", "internal", "af_packet", "af_xdp")
_IFF_UP = 1
_SIOCGIFFLAGS = 0x8913
_IFREQ = "16sH22x"


class Vswitchd:
    """Lives on the daemon's loop."""

    def __init__(self, switch: Switch, loop: Loop, remote: str) -> None:
        """TurnoutError if there is no schema. The database need not be there yet."""
        self._switch = switch
        self.started = False  # whether the database has been obeyed once, be it empty
        self._database: Database | None = None
        self._desired = Desired()
        self._own_tls = _tls_of(switch.config)
        self._failure = ""  # of the last change as a whole
        self._said: set[str] = set()
        self._in_database: dict[tuple[str, UUID], dict[str, Any]] = {}  # as far as we know
        self._counters: dict[str, dict[str, Any]] = {}  # interface → column statistics
        self._next_counters = 0.0
        self._wishes: Mapping[str, object] = {}  # what is wanted of each bridge
        self._stale: set[str] = set()  # bridges whose rows are to be looked at
        self._late = False  # there is more to write than what is under way
        self._dpdk_version = dpdk_version()
        self._session = Session(remote, loop, self._changed, self._written)

    def tick(self, now: float) -> None:
        """Once a second. now: s, monotonic."""
        if not self._session.ready or self._database is None:
            return
        if now >= self._next_counters:
            self._next_counters = now + _interval(self._database)
            self._counters = self._count()
        self._report(self._wishes.keys())

    def close(self) -> None:
        """Leaves the database as it is, and the lock to others."""
        self._session.close()

    def _changed(self, database: Database | None, fresh: bool) -> None:
        self.started = True
        if fresh:
            self._in_database.clear()
        if database is None:
            self._log(
                {"the database has no row Open_vSwitch; ovs-vsctl init makes one; forwarding as before"}
            )
            return
        self._database = database
        self._desired = translate(database, self._switch.check_port)
        self._set_tls(database.tls)
        self._log({*self._desired.notes, *self._desired.errors.values()})
        wanted = replace(self._switch.config, bridges=self._desired.bridges)
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
        all_differ = fresh or self._failure != before
        self._report(name for name, wish in wishes.items() if all_differ or wish != old.get(name))

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
        elif self._late:
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
                values = status.interface(port, admin_up=port is not None and _admin_up(port), error=error)
                count = self._counters.get(interface.name, status.NO_COUNT if port else {})
                rows["Interface", interface.uuid] = values | count
        return rows

    def _count(self) -> dict[str, dict[str, Any]]:
        drops: dict[str, list[DropCount]] = defaultdict(list)
        for drop in self._switch.drops():
            drops[drop.port].append(drop)
        return {count.port: status.statistics(count, drops[count.port]) for count in self._switch.stats()}


def _tls_of(config: Config) -> tuple[str, str, str]:
    return config.private_key, config.certificate, config.ca_cert


def _interval(database: Database) -> float:
    """Seconds between updates of counters: other_config:stats-update-interval, in ms, 5,000 at least."""
    text = database.other_config.get("stats-update-interval", "")
    return max(_INTERVAL, int(text) / 1000) if text.isascii() and text.isdigit() else _INTERVAL


def _admin_up(port: PortView) -> bool:
    """Whether the kernel interface is set up; what has none, or has it in another namespace, is."""
    if port.type not in _KERNEL:
        return True
    name = port.options.get("iface", port.name).encode()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            answer = fcntl.ioctl(any_socket, _SIOCGIFFLAGS, struct.pack(_IFREQ, name, 0))
        except OSError:
            return True
    return bool(struct.unpack(_IFREQ, answer)[1] & _IFF_UP)


def dpdk_version() -> str:
    """ "DPDK 22.11.9", asked of the library that the engine is linked with."""
    library = ctypes.CDLL(_engine.__file__)
    library.rte_version_prefix.restype = ctypes.c_char_p
    year, month, minor = library.rte_version_year(), library.rte_version_month(), library.rte_version_minor()
    return f"{library.rte_version_prefix().decode()} {year:02}.{month:02}.{minor}"
