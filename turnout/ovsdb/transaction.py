# SPDX-License-Identifier: Apache-2.0
"""What differs between two databases, as one transaction of the `ovs` package's IDL.

A column that is changed has to be as it was when we read it, or the transaction is void. Keys of maps and
members of bridges come and go one by one, so that those that others add meanwhile stay.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import ovs.db.error  # type: ignore[import-untyped]
from ovs.db.data import Datum  # type: ignore[import-untyped]

from turnout.errors import TurnoutError
from turnout.ovsdb.rows import Bridge, Controller, Database, FlowTable, Interface, Port

_Row = Bridge | Port | Interface | Controller | FlowTable

# table → a row's value → its column
_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "Bridge": {name: name for name in ("name", "fail_mode", "protocols", "other_config")},
    "Port": {name: name for name in ("name", "tag", "trunks", "vlan_mode", "other_config")},
    "Interface": {
        name: name
        for name in ("name", "type", "options", "other_config", "mac", "mtu_request", "ofport_request")
    },
    "Controller": {
        "target": "target",
        "rate_limit": "controller_rate_limit",
        "burst_limit": "controller_burst_limit",
        "max_backoff": "max_backoff",
        "inactivity_probe": "inactivity_probe",
        "enable_async": "enable_async_messages",
    },
    "Flow_Table": {name: name for name in ("flow_limit", "overflow_policy")},
}


def fill(transaction: Any, tables: Any, old: Database, new: Database) -> None:
    """Puts into `transaction` what makes `old`, which the IDL's tables say, `new`; and counts next_cfg up."""
    root = tables["Open_vSwitch"].rows[new.uuid]
    writer = _Writer(transaction, tables, old)
    was = {bridge.uuid: bridge for bridge in old.bridges}
    now = {bridge.uuid: bridge for bridge in new.bridges}
    for uuid in was.keys() - now.keys():
        root.delvalue("bridges", uuid)
    for uuid, bridge in now.items():
        if bridge != was.get(uuid):
            row = writer.bridge(was.get(uuid), bridge)
            if uuid not in was:
                root.addvalue("bridges", row)
    root.increment("next_cfg")


class _Writer:
    """One transaction. Rows of the IDL have columns as attributes."""

    def __init__(self, transaction: Any, tables: Any, old: Database) -> None:
        self._transaction = transaction
        self._tables = tables
        self._ports = {port.name: port for bridge in old.bridges for port in bridge.ports}

    def bridge(self, was: Bridge | None, now: Bridge) -> Any:
        row = self._row("Bridge", was, now, self._there("Bridge", now.uuid))
        old = {port.name: port for port in was.ports} if was else {}
        new = {port.name: port for port in now.ports}
        for name in old.keys() - new.keys():
            row.delvalue("ports", old[name].uuid)
        for name, port in new.items():
            if port != old.get(name):
                made = self._port(self._ports.get(name), port)
                if name not in old:
                    row.addvalue("ports", made)
        controllers = {controller.uuid: controller for controller in was.controllers} if was else {}
        for uuid in controllers.keys() - {controller.uuid for controller in now.controllers}:
            row.delvalue("controller", uuid)
        for controller in now.controllers:
            before = controllers.get(controller.uuid)
            if controller != before:
                there = self._there("Controller", controller.uuid)
                made = self._row("Controller", before, controller, there)
                if before is None:
                    row.addvalue("controller", made)
        if now.flow_tables != (was.flow_tables if was else ()):
            self._flow_tables(row, was.flow_tables if was else (), now.flow_tables)
        return row

    def _flow_tables(self, row: Any, was: tuple[FlowTable, ...], now: tuple[FlowTable, ...]) -> None:
        old = {table.number: table for table in was}
        rows = dict(row.flow_tables) if was else {}
        for number in old.keys() - {table.number for table in now}:
            row.delkey("flow_tables", number)
        for table in now:
            if table != old.get(table.number):
                made = self._row("Flow_Table", old.get(table.number), table, rows.get(table.number))
                if table.number not in old:
                    row.setkey("flow_tables", table.number, made)

    def _port(self, was: Port | None, now: Port) -> Any:
        row = self._row("Port", was, now, self._there("Port", now.uuid))
        old = {interface.uuid: interface for interface in was.interfaces} if was else {}
        for interface in now.interfaces:
            there = self._there("Interface", interface.uuid)
            made = self._row("Interface", old.get(interface.uuid), interface, there)
            if there is None:
                row.interfaces = [made]
        return row

    def _there(self, table: str, uuid: UUID | None) -> Any:
        return self._tables[table].rows.get(uuid)

    def _row(self, table: str, was: _Row | None, now: _Row, row: Any) -> Any:
        """The row, made if it is None, with the columns that differ."""
        new = row is None
        if new:
            row = self._transaction.insert(self._tables[table])
        else:
            row.verify(next(iter(_COLUMNS[table].values())))  # or nobody says that it has gone
        for field, column in _COLUMNS[table].items():
            before, value = getattr(was, field, None), getattr(now, field)
            if value == before or (new and value in (None, "", (), {})):
                continue
            if isinstance(value, Mapping) and not new:
                _change_map(row, column, before or {}, value)
                continue
            row.verify(column)
            kind = self._tables[table].columns[column].type
            empty = value is None or (value == "" and kind.is_optional())
            wanted = [] if empty else list(value) if isinstance(value, tuple) else value
            try:  # the library would only log it, and leave it out
                Datum.from_python(kind, wanted, lambda it: it)
            except ovs.db.error.Error as error:
                raise TurnoutError(f"the database's {table} {column}: {error.msg}") from None
            setattr(row, column, wanted)
        return row


def _change_map(row: Any, column: str, was: Mapping[str, str], now: Mapping[str, str]) -> None:
    for key in was.keys() - now.keys():
        row.delkey(column, key)
    for key, value in now.items():
        if was.get(key) != value:
            row.setkey(column, key, value)
