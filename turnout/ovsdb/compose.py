# SPDX-License-Identifier: Apache-2.0
"""From the desired state to rows, the way back of `translate`. Pure. Only what a change is about is written:
columns and keys that others have set, and that mean nothing to us, stay.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

from turnout.config import columns, model
from turnout.errors import ConfigError
from turnout.ovsdb.rows import Bridge, Controller, Database, FlowTable, Interface, Port
from turnout.ovsdb.translate import NUMBERS, OWN_KEYS, TYPES

Bridges = tuple[model.Bridge, ...]

_NAMES = {ours: theirs for theirs, ours in TYPES.items()}
_SPELLING = {"vhost-user-client": {"path": "vhost-server-path"}}  # type → our option → the database's
_VLANS = ("tag", "trunks", "vlan_mode")
_BRIDGE_KEYS = {
    "mac_aging": "mac-aging-time",
    "mac_table_size": "mac-table-size",
    "datapath_id": "datapath-id",
    **{setting: key for key, setting in OWN_KEYS.items()},
}
# what a bridge has once for all its controllers → where each controller's row has it
_OF_CONTROLLERS = {
    "controller_rate_limit": "rate_limit",
    "controller_burst_limit": "burst_limit",
    "controller_max_backoff": "max_backoff",
    "controller_inactivity_probe": "inactivity_probe",
    "controller_async": "enable_async",
}


def compose(database: Database, before: Bridges, after: Bridges) -> Database:
    """`database`, which says `before`, changed so that it says `after`. ConfigError where it cannot.

    Rows that are not in `before` stay as they are.
    """
    rows = {row.name: row for row in database.bridges}
    ports: dict[str, Port] = {}
    for port_row in sorted((port for row in database.bridges for port in row.ports), key=_is_bond):
        ports.setdefault(name_of(port_row), port_row)
    old_ports = {port.name: port for bridge in before for port in bridge.ports}
    old = {bridge.name: bridge for bridge in before}
    ours = old.keys() | {bridge.name for bridge in after}
    kept = [row for row in database.bridges if row.name not in ours]
    made = []
    for bridge in after:
        row = rows.get(bridge.name) or Bridge(uuid=uuid4(), name=bridge.name)
        was = old.get(bridge.name, model.Bridge(name=bridge.name))
        others = [
            port for port in row.ports if name_of(port) not in old_ports or ports[name_of(port)] is not port
        ]
        own = [
            found
            for port in _ports(bridge)
            if (found := _port(ports.get(port.name), old_ports.get(port.name), port)) is not None
        ]
        made.append(replace(_bridge(row, was, bridge), ports=_by_name([*others, *own])))
    return replace(database, bridges=_by_name([*kept, *made]))


def name_of(port: Port) -> str:
    """What the switch calls it: the name of its one interface."""
    return port.name if _is_bond(port) else port.interfaces[0].name


def _is_bond(port: Port) -> bool:
    """Or has no interface at all."""
    return len(port.interfaces) != 1


def with_stand_ins(database: Database, desired: Bridges) -> Bridges:
    """`desired` with ports for the rows that cannot be, of a name and a type only, so that a change can take
    them out or mend them.
    """
    taken = {name for bridge in desired for name in (bridge.name, *(port.name for port in bridge.ports))}
    rows = {row.name: row for row in database.bridges}

    def stand_in(row: Port) -> model.Port | None:
        if name_of(row) in taken:
            return None
        taken.add(name_of(row))
        kind = "bond" if _is_bond(row) else row.interfaces[0].type
        try:
            return model.Port(name=name_of(row), type=kind)
        except ConfigError:
            return None

    return tuple(
        replace(
            bridge,
            ports=(*bridge.ports, *(port for row in rows[bridge.name].ports if (port := stand_in(row)))),
        )
        for bridge in desired
    )


def canonical(bridges: Iterable[model.Bridge]) -> Bridges:
    """As the database would say it, for comparisons: what it keeps as sets is sorted, each bridge has its own
    port, and what is of controllers is nothing without them.
    """
    return _by_name([_canonical(bridge) for bridge in bridges])


def _canonical(bridge: model.Bridge) -> model.Bridge:
    ports = [
        replace(port, trunks=tuple(sorted(set(port.trunks)))) if port.trunks else port
        for port in _ports(bridge)
    ]
    if not bridge.controllers:
        bridge = replace(bridge, **_of_controllers(model.Bridge(name=bridge.name)))
    return replace(
        bridge,
        ports=_by_name(ports),
        controllers=tuple(sorted(bridge.controllers)),
        protocols=tuple(sorted(set(bridge.protocols))),
        table_limits=",".join(
            f"{table}:{flows}{':evict' if evict else ''}"
            for table, (flows, evict) in sorted(bridge.limits.items())
        ),
    )


def _by_name(named: list[Any]) -> tuple[Any, ...]:
    return tuple(sorted(named, key=lambda it: str(it.name)))


def _ports(bridge: model.Bridge) -> tuple[model.Port, ...]:
    """The bridge's ports, its own among them."""
    own = model.Port(name=bridge.name, type="internal")
    return bridge.ports if any(port.name == bridge.name for port in bridge.ports) else (own, *bridge.ports)


def _of_controllers(bridge: model.Bridge) -> dict[str, Any]:
    return {setting: getattr(bridge, setting) for setting in _OF_CONTROLLERS}


def _bridge(row: Bridge, was: model.Bridge, now: model.Bridge) -> Bridge:
    default = model.Bridge(name=now.name)
    keys: dict[str, str | None] = {}
    for setting, key in _BRIDGE_KEYS.items():
        if (value := getattr(now, setting)) != getattr(was, setting):
            keys[key] = None if value == getattr(default, setting) else _text(value)
    row = replace(row, other_config=_changed(row.other_config, keys))
    if now.fail_mode != was.fail_mode:
        row = replace(row, fail_mode="" if now.fail_mode == default.fail_mode else now.fail_mode)
    if now.protocols != was.protocols:
        row = replace(row, protocols=now.protocols)
    if now.limits != was.limits:
        row = replace(row, flow_tables=_flow_tables(row.flow_tables, was, now))
    return replace(row, controllers=_controllers(row.controllers, was, now))


def _flow_tables(rows: tuple[FlowTable, ...], was: model.Bridge, now: model.Bridge) -> tuple[FlowTable, ...]:
    kept = {row.number: row for row in rows if row.number in now.limits or row.number not in was.limits}
    for number, (flows, evict) in now.limits.items():
        if now.limits[number] != was.limits.get(number):
            row = kept.get(number, FlowTable(number=number))
            policy = "evict" if evict else "refuse"
            kept[number] = replace(row, flow_limit=flows, overflow_policy=policy)
    return tuple(kept[number] for number in sorted(kept))


def _controllers(
    rows: tuple[Controller, ...], was: model.Bridge, now: model.Bridge
) -> tuple[Controller, ...]:
    default = model.Bridge(name=now.name, controller_rate_limit=0)  # what is so without being set
    settings: dict[str, Any] = {}
    differ = False
    for setting, field in _OF_CONTROLLERS.items():
        value = getattr(now, setting)
        settings[field] = None if value == getattr(default, setting) else value
        if value != getattr(was, setting):
            differ = True
            if not now.controllers and value != getattr(model.Bridge, setting):
                raise ConfigError(
                    f"bridge.{now.name}.{setting.replace('_', '-')}",
                    "the database keeps it with controllers, and the bridge has none",
                )
    kept = [row for row in rows if row.target in now.controllers or row.target not in was.controllers]
    if differ:
        kept = [replace(row, **settings) for row in kept]
    there = {row.target for row in kept}
    new = [
        Controller(uuid=uuid4(), target=target, **settings)
        for target in now.controllers
        if target not in there
    ]
    return tuple(sorted([*kept, *new], key=lambda row: row.target))


def _port(row: Port | None, was: model.Port | None, now: model.Port) -> Port | None:
    """None: the bridge's own port, which needs no row."""
    if was == now:
        return row
    if row is None:
        row = Port(name=now.name)
    if was is None:
        was = model.Port(name=now.name, type="")
    (interface,) = row.interfaces or (Interface(uuid=uuid4(), name=now.name),)
    if any(getattr(was, key) != getattr(now, key) for key in _VLANS):
        row = replace(row, tag=now.tag, trunks=now.trunks, vlan_mode=now.vlan_mode or "")
    return replace(row, interfaces=(_interface(interface, was, now),))


def _interface(row: Interface, was: model.Port, now: model.Port) -> Interface:
    default = model.Port(name=now.name, type="")
    changes: dict[str, Any] = {}
    if now.type != was.type:
        changes["type"] = _NAMES.get(now.type, now.type)
    if now.options.get("mac") != was.options.get("mac"):
        changes["mac"] = now.options.get("mac", "")
    if now.mtu != was.mtu:
        changes["mtu_request"] = None if now.mtu == default.mtu else now.mtu
    if now.ofport_request != was.ofport_request:
        changes["ofport_request"] = now.ofport_request or None
    if now.rxq_affinity != was.rxq_affinity:
        changes["other_config"] = _changed(row.other_config, {"pmd-rxq-affinity": now.rxq_affinity or None})
    options: dict[str, str | None] = {}
    for key, setting in NUMBERS.items():
        if (number := getattr(now, setting)) != getattr(was, setting):
            options[key] = None if number == getattr(default, setting) else str(number)
    spelling = _SPELLING.get(now.type, {})
    for option in {**was.options, **now.options}:
        if now.options.get(option) != was.options.get(option):
            options |= {key: None for key in row.options if columns.OPTION_ALIASES.get(key, key) == option}
            if option != "mac":
                options[spelling.get(option, option)] = now.options.get(option)
    return replace(row, options=_changed(row.options, options), **changes)


def _changed(old: Mapping[str, str], changes: Mapping[str, str | None]) -> Mapping[str, str]:
    """`old` with these keys, and without those that are None now."""
    merged = {**old, **changes}
    return {key: value for key, value in merged.items() if value is not None}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
