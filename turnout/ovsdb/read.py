# SPDX-License-Identifier: Apache-2.0
"""Rows of the `ovs` package's IDL as values. The library makes each value anew each time that it is asked, so
bridges and ports are kept until they change.
"""

from collections import defaultdict
from collections.abc import Iterable, Set
from typing import Any
from uuid import UUID

from turnout.ovsdb import schema
from turnout.ovsdb.rows import Bridge, Controller, Database, FlowTable, Interface, Port, Tls

# what is so without being set; there is one datapath, which bridges of either type have
_AS_EVER = ([False], ["off"], ["out-of-band"], ["primary"], "netdev", "system")
_TABLES_NOT_YET = ("Flow_Sample_Collector_Set",)  # of those that nothing we read refers to


class Reader:
    """Reads one database again and again."""

    def __init__(self) -> None:
        self._bridges: dict[UUID, Bridge] = {}
        self._ports: dict[UUID, Port] = {}
        # interface → port; port, controller, flow table → bridges
        self._owners: defaultdict[UUID, set[UUID]] = defaultdict(set)

    def read(self, tables: Any, changed: Set[UUID] | None) -> Database | None:
        """What the IDL's tables say; None while the database has no row Open_vSwitch (`ovs-vsctl init`).

        changed: the rows that have since the last time; None: all.
        """
        if changed is None:
            self._bridges.clear()
            self._ports.clear()
            self._owners.clear()
        for uuid in changed or ():
            self._forget(uuid)
        for row in tables["Open_vSwitch"].rows.values():
            return Database(
                uuid=row.uuid,
                bridges=tuple(self._bridge(bridge) for bridge in _by_name(row.bridges)),
                next_cfg=row.next_cfg,
                tls=_tls(row.ssl[0]) if row.ssl else None,
                other_config=dict(row.other_config),
                not_yet=(
                    *(f"Open_vSwitch.{name}" for name in _not_yet("Open_vSwitch", row)),
                    *(table for table in _TABLES_NOT_YET if tables[table].rows),
                ),
            )
        return None

    def _forget(self, uuid: UUID) -> None:
        """This row has changed, or one that it refers to."""
        self._ports.pop(uuid, None)
        self._bridges.pop(uuid, None)
        for owner in self._owners.pop(uuid, ()):
            self._forget(owner)

    def _bridge(self, row: Any) -> Bridge:
        if row.uuid not in self._bridges:
            self._bridges[row.uuid] = self._new_bridge(row)
            parts = *row.ports, *row.controller, *row.flow_tables.values()
            for part in parts:
                self._owners[part.uuid].add(row.uuid)
        return self._bridges[row.uuid]

    def _new_bridge(self, row: Any) -> Bridge:
        return Bridge(
            uuid=row.uuid,
            name=row.name,
            ports=_sorted(self._port(port) for port in row.ports),
            controllers=tuple(
                Controller(
                    uuid=controller.uuid,
                    target=controller.target,
                    rate_limit=_first(controller.controller_rate_limit),
                    burst_limit=_first(controller.controller_burst_limit),
                    max_backoff=_first(controller.max_backoff),
                    inactivity_probe=_first(controller.inactivity_probe),
                    enable_async=_first(controller.enable_async_messages),
                    not_yet=_not_yet("Controller", controller),
                )
                for controller in sorted(row.controller, key=lambda it: str(it.target))
            ),
            fail_mode=_first(row.fail_mode) or "",
            protocols=tuple(row.protocols),
            flow_tables=tuple(
                FlowTable(
                    number=number,
                    flow_limit=_first(table.flow_limit),
                    overflow_policy=_first(table.overflow_policy) or "",
                    not_yet=_not_yet("Flow_Table", table),
                )
                for number, table in sorted(row.flow_tables.items())
            ),
            other_config=dict(row.other_config),
            not_yet=_not_yet("Bridge", row),
        )

    def _port(self, row: Any) -> Port:
        if row.uuid not in self._ports:
            self._ports[row.uuid] = port = _port(row)
            for interface in port.interfaces:
                self._owners[interface.uuid].add(row.uuid)
        return self._ports[row.uuid]


def _tls(row: Any) -> Tls:
    return Tls(
        private_key=row.private_key,
        certificate=row.certificate,
        ca_cert=row.ca_cert,
        not_yet=_not_yet("SSL", row),
    )


def _by_name(rows: list[Any]) -> list[Any]:
    return sorted(rows, key=lambda row: str(row.name))


def _sorted(ports: Iterable[Port]) -> tuple[Port, ...]:
    return tuple(sorted(ports, key=lambda port: port.name))


def _first(values: list[Any]) -> Any:
    """The value of a column that may be empty; None."""
    return values[0] if values else None


def _not_yet(table: str, row: Any) -> tuple[str, ...]:
    return tuple(
        name
        for name in schema.NOT_YET[table]
        if (value := getattr(row, name, None)) and not _disabled(value) and value not in _AS_EVER
    )


def _disabled(value: Any) -> bool:
    return isinstance(value, dict) and value.get("enable") == "false"


def _port(row: Any) -> Port:
    return Port(
        uuid=row.uuid,
        name=row.name,
        interfaces=tuple(_interface(interface) for interface in _by_name(row.interfaces)),
        tag=_first(row.tag),
        trunks=tuple(row.trunks),
        vlan_mode=_first(row.vlan_mode) or "",
        fake_bridge=row.fake_bridge,
        other_config=dict(row.other_config),
        not_yet=_not_yet("Port", row),
    )


def _interface(row: Any) -> Interface:
    return Interface(
        uuid=row.uuid,
        name=row.name,
        type=row.type,
        options=dict(row.options),
        other_config=dict(row.other_config),
        mac=_first(row.mac) or "",
        mtu_request=_first(row.mtu_request),
        ofport_request=_first(row.ofport_request),
        not_yet=_not_yet("Interface", row),
    )
