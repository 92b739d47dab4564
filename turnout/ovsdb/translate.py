# SPDX-License-Identifier: Apache-2.0
"""From rows to the desired state, without I/O. What is wrong with one row is said of that row, and leaves
all others as they are.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from uuid import UUID

from turnout.config import columns, model
from turnout.config.tree import bridge_from_tree
from turnout.control import ports
from turnout.errors import ConfigError
from turnout.ovsdb.rows import Bridge, Controller, Database, FlowTable, Interface, Port

# Open vSwitch's types, and what they are here; a type that only Turnout has keeps its name
TYPES: Mapping[str, str] = {
    "system": "af_packet",
    "internal": "internal",
    "tap": "tap",
    "afxdp": "af_xdp",
    "dpdk": "dpdk",
    "dpdkvhostuser": "vhost-user",
    "dpdkvhostuserclient": "vhost-user-client",
    "patch": "patch",
}
_TUNNELS = (
    *("vxlan", "geneve", "gre", "ip6gre", "erspan", "ip6erspan", "gtpu", "lisp", "stt", "bareudp", "srv6"),
    *("ipsec_gre", "ipsec_vxlan", "ipsec_geneve"),
)
_PROTOCOLS = ("OpenFlow10", "OpenFlow13", "OpenFlow14")
NUMBERS = {"n_rxq": "n_rxq", "n_rxq_desc": "n_rxq_desc", "n_txq_desc": "n_txq_desc"}  # options → settings
# a bridge's settings that only Turnout has: keys of other_config → settings
OWN_KEYS = {
    "turnout-flow-limit": "flow_limit",
    "turnout-overflow-policy": "overflow_policy",
    "turnout-restore-flows": "restore_flows",
}
# keys of other_config that would change how packets go, and do not yet
_BRIDGE_KEYS = ("forward-bpdu", "in-band-queue", "controller-queue-size", "dp-desc", "dp-sn")
_PORT_KEYS = ("priority-tags", "qinq-ethtype")
_START_KEYS = ("dpdk-", "pmd-", "vhost-")
# keys of the switch's other_config about what is otherwise here, or not yet
_OTHER_KEYS = (
    *("flow-restore-wait", "vlan-limit", "bundle-idle-timeout", "userspace-tso-enable", "hw-offload"),
    *("tc-policy", "offload-rebalance", "n-offload-threads", "flow-limit", "max-idle", "max-revalidator"),
    *("min-revalidate-pps", "n-handler-threads", "n-revalidator-threads", "emc-insert-inv-prob"),
    *("smc-enable", "tx-flush-interval", "per-port-memory", "shared-mempool-config"),
)

T = TypeVar("T", model.Bridge, model.Port)
Check = Callable[[model.Port], str]


@dataclass(frozen=True)
class Desired:
    """errors: interface → what is wrong with it, or not implemented. notes: the same of rows that have no
    such column.
    """

    bridges: tuple[model.Bridge, ...] = ()
    errors: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def translate(database: Database, check: Check) -> Desired:
    """`check` raises ConfigError for a port that cannot be made, and returns what only one port can own, or
    "".
    """
    return Translator(check)(database)


@dataclass(frozen=True, kw_only=True)
class _PortDraft:
    """What one port's row says by itself. hwaddr: its bridge's, if it is the bridge's own port. problems: of
    its interfaces; without any, of the port.
    """

    row: Port
    hwaddr: str
    port: model.Port | None
    claim: str = ""
    problems: tuple[str, ...] = ()

    @property
    def interfaces(self) -> tuple[str, ...]:
        return tuple(interface.name for interface in self.row.interfaces)


@dataclass(frozen=True, kw_only=True)
class _Draft:
    """What one bridge's row says by itself; bridge: with all its ports."""

    row: Bridge
    bridge: model.Bridge | None
    ports: tuple[_PortDraft, ...] = ()
    notes: tuple[str, ...] = ()


class Translator:
    """Translates again and again: what it made of a row serves for as long as that is as it was."""

    def __init__(self, check: Check) -> None:
        """check: as `translate` takes it; its answers are kept."""
        self._check = check
        self._drafts: dict[UUID, _Draft] = {}

    def __call__(self, database: Database) -> Desired:
        drafts: dict[UUID, _Draft] = {}
        for row in database.bridges:
            draft = self._drafts.get(row.uuid)
            if draft is None or draft.row != row:
                draft = _Reading(self._check, draft).run(row)
            drafts[row.uuid] = draft
        self._drafts = drafts
        return _Meeting(database).run(drafts.values())


class _Meeting:
    """Where the rows of one database meet: names, and what only one port can own."""

    def __init__(self, database: Database) -> None:
        self._errors: dict[str, list[str]] = {}
        self._notes: list[str] = _of_the_switch(database)
        self._owners: dict[str, str] = {}
        self._names = {row.name for row in database.bridges}
        self._ports = 0

    def run(self, drafts: Iterable[_Draft]) -> Desired:
        bridges: list[model.Bridge] = []
        for draft in drafts:
            self._notes += draft.notes
            if draft.bridge is None:
                problem = draft.notes[-1]
            elif len(bridges) == model.MAX_BRIDGES:
                problem = f"bridge.{draft.row.name}: there are {model.MAX_BRIDGES} bridges already"
                self._notes.append(problem)
            else:
                bridges.append(self._bridge(draft, draft.bridge))
                continue
            self._say([i.name for port in draft.row.ports for i in port.interfaces], problem)
        self._find_peers(bridges)
        errors = {name: "; ".join(texts) for name, texts in self._errors.items()}
        return Desired(tuple(bridges), errors, tuple(self._notes))

    def _bridge(self, draft: _Draft, bridge: model.Bridge) -> model.Bridge:
        """Without the ports that cannot be beside others."""
        kept: list[model.Port] = []
        for it in draft.ports:
            problems = it.problems
            if it.port is not None and (clash := self._clash(it, it.port, bridge.name)):
                problems = (clash,)
            elif it.port is not None:
                kept.append(it.port)
            if it.interfaces:
                for problem in problems:
                    self._say(it.interfaces, problem)
            else:
                self._notes += problems
        return bridge if len(kept) == len(bridge.ports) else replace(bridge, ports=tuple(kept))

    def _clash(self, draft: _PortDraft, port: model.Port, bridge: str) -> str:
        """Why it cannot be; "": it can, and is."""
        if self._ports == model.MAX_PORTS:
            return f"port.{port.name}: there are {model.MAX_PORTS} ports already"
        if port.name in self._names and port.name != bridge:
            return f"port.{port.name}: a bridge or port of that name is there already"
        if draft.claim and draft.claim in self._owners:
            return f"port.{port.name}: {draft.claim} already belongs to port {self._owners[draft.claim]}"
        self._owners[draft.claim] = port.name
        self._names.add(port.name)
        self._ports += 1
        return ""

    def _find_peers(self, bridges: Iterable[model.Bridge]) -> None:
        """Of each patch port without another end it is said, in Open vSwitch's words."""
        peers = {
            port.name: port.options.get("peer", "")
            for bridge in bridges
            for port in bridge.ports
            if port.type == "patch"
        }
        for name, peer in peers.items():
            if peers.get(peer) != name:
                self._say([name], f"No usable peer '{peer}' exists in 'netdev' datapath.")

    def _say(self, interfaces: Iterable[str], text: str) -> None:
        for name in interfaces:
            self._errors.setdefault(name, []).append(text)


class _Reading:
    """One bridge's row. before: what it said last."""

    def __init__(self, check: Check, before: _Draft | None) -> None:
        self._check = check
        self._before = {draft.row.name: draft for draft in before.ports} if before else {}
        self._notes: list[str] = []

    def run(self, row: Bridge) -> _Draft:
        try:
            bridge = self._bridge(row)
        except ConfigError as error:
            return _Draft(row=row, bridge=None, notes=(*self._notes, str(error)))
        wanted = row.ports
        if all(port.name != row.name for port in wanted):  # a bridge has its own port even without a row
            wanted = (Port(name=row.name), *wanted)
        drafts = tuple(self._port(port, row) for port in wanted)
        ports = {
            draft.port.name: draft.port for draft in drafts if draft.port
        }  # a name twice is refused later
        return _Draft(
            row=row,
            bridge=replace(bridge, ports=tuple(ports.values())),
            ports=drafts,
            notes=tuple(self._notes),
        )

    def _bridge(self, row: Bridge) -> model.Bridge:
        bridge = model.Bridge(name=row.name)
        where = f"bridge.{row.name}"
        self._note_not_yet(where, row.not_yet)
        for controller in row.controllers:
            self._note_not_yet(f"{where}.controller {controller.target}", controller.not_yet)
        for key in row.other_config:
            if key in _BRIDGE_KEYS or key.startswith(("stp-", "rstp-", "mcast-snooping-")):
                self._notes.append(f"{where}.other_config:{key}: not implemented yet")
        numbers = {"mac-aging-time": "mac_aging", "mac-table-size": "mac_table_size"}
        settings: dict[str, Any] = {
            setting: number
            for key, setting in numbers.items()
            if (number := self._number(where, f"other_config:{key}", row.other_config.get(key))) is not None
        }
        if identity := row.other_config.get("datapath-id"):
            settings["datapath_id"] = identity.removeprefix("0x")
        if row.fail_mode:
            settings["fail_mode"] = row.fail_mode
        settings |= self._own(row)
        settings["protocols"] = self._protocols(where, row.protocols)
        settings["table_limits"] = self._table_limits(where, row.flow_tables)
        settings |= self._controllers(where, row.controllers)
        return self._settle(bridge, settings, self._notes.append)

    def _own(self, row: Bridge) -> dict[str, Any]:
        """The settings that only Turnout has; their values are read as the CLI reads them."""
        settings: dict[str, Any] = {}
        for key, setting in OWN_KEYS.items():
            if (text := row.other_config.get(key)) is not None:
                try:
                    tree = columns.bridge_tree(row.name, {}, [f"{setting}={text}"])
                    settings[setting] = getattr(bridge_from_tree(row.name, tree), setting)
                except ConfigError as error:
                    self._notes.append(f"bridge.{row.name}.other_config:{key}: {error.problem}")
        return settings

    def _protocols(self, where: str, protocols: Iterable[str]) -> tuple[str, ...]:
        known = tuple(name for name in protocols if name in _PROTOCOLS)
        for name in protocols:
            if name not in known:
                self._notes.append(f"{where}.protocols: {name} is not implemented yet")
        return known

    def _table_limits(self, where: str, tables: Iterable[FlowTable]) -> str:
        """As `model.Bridge.table_limits`."""
        texts: list[str] = []
        for table in tables:
            self._note_not_yet(f"{where}.flow_tables:{table.number}", table.not_yet)
            if table.flow_limit is not None or table.overflow_policy:
                limit = model.Bridge.flow_limit if table.flow_limit is None else table.flow_limit
                evict = ":evict" if table.overflow_policy == "evict" else ""
                texts.append(f"{table.number}:{limit}{evict}")
        return ",".join(texts)

    def _controllers(self, where: str, rows: tuple[Controller, ...]) -> dict[str, Any]:
        """Those that can be, and the limits and times of the first: a bridge has one for all."""
        good: list[str] = []
        for row in rows:
            try:
                model.Bridge(name="br0", controllers=(row.target,))
            except ConfigError as error:
                self._notes.append(f"{where}.controllers: {error.problem}")
            else:
                good.append(row.target)
        settings: dict[str, Any] = {"controllers": tuple(dict.fromkeys(good))}
        if rows:
            first = _of_controller(rows[0])
            settings["controller_rate_limit"] = 0
            settings |= {key: value for key, value in first.items() if value is not None}
            if any(_of_controller(row) != first for row in rows):
                self._notes.append(
                    f"{where}: limits and times of {rows[0].target} are those of all its controllers"
                )
        return settings

    def _port(self, row: Port, bridge: Bridge) -> _PortDraft:
        hwaddr = bridge.other_config.get("hwaddr", "") if row.name == bridge.name else ""
        before = self._before.get(row.name)
        if before and (before.row, before.hwaddr) == (row, hwaddr):
            return before
        where = f"port.{row.name}"
        problems: list[str] = []
        port, claim = None, ""
        if len(row.interfaces) > 1:
            problems.append(f"{where}: bonds are not implemented yet")
        elif not row.interfaces and row.name != bridge.name:
            problems.append(f"{where}: has no interface")
        else:
            try:
                port, claim = self._single(row, bridge, hwaddr, problems)
            except ConfigError as error:
                problems = [str(error)]
        return _PortDraft(row=row, hwaddr=hwaddr, port=port, claim=claim, problems=tuple(problems))

    def _single(self, row: Port, bridge: Bridge, hwaddr: str, problems: list[str]) -> tuple[model.Port, str]:
        """The port of one interface, or of none, and its claim."""
        interface = row.interfaces[0] if row.interfaces else Interface(uuid=bridge.uuid, name=row.name)
        name = interface.name
        local = name == bridge.name
        kind = "internal" if local else _kind(name, interface.type)
        options, settings = self._interface(interface, kind, problems)
        if local and hwaddr and "mac" not in options:
            options["mac"] = hwaddr
        port = model.Port(name=name, type=kind, options=options, **self._vlans(row, problems))
        port = self._settle(port, settings, problems.append)
        claim = self._check(port)
        problems += [f"port.{row.name}.{column}: not implemented yet" for column in row.not_yet]
        problems += [
            f"port.{row.name}.other_config:{key}: not implemented yet"
            for key in row.other_config
            if key in _PORT_KEYS
        ]
        return port, claim

    def _interface(
        self, row: Interface, kind: str, problems: list[str]
    ) -> tuple[dict[str, str], dict[str, Any]]:
        """Its options and settings."""
        where = f"port.{row.name}"
        known = ports.TYPES[kind].options
        options: dict[str, str] = {}
        settings: dict[str, Any] = {}
        for key, text in row.options.items():
            option = columns.OPTION_ALIASES.get(key, key)
            if setting := NUMBERS.get(key):
                settings[setting] = self._number(where, f"options:{key}", text, problems)
            elif option in known:
                options[option] = text
            else:
                problems.append(f"{where}.options:{key}: not implemented yet")
        if kind == "vhost-user-client" and "path" not in options:
            raise ConfigError(f"{where}.options:vhost-server-path", f"missing; type {row.type} needs it")
        if row.mac and "mac" in known:
            options["mac"] = row.mac
        elif row.mac:
            problems.append(f"{where}.mac: not implemented yet for type {row.type or 'system'}")
        settings["mtu"] = row.mtu_request
        settings["ofport_request"] = row.ofport_request
        settings["rxq_affinity"] = row.other_config.get("pmd-rxq-affinity")
        problems += [f"{where}.{column}: not implemented yet" for column in row.not_yet]
        return options, {key: value for key, value in settings.items() if value is not None}

    def _vlans(self, row: Port, problems: list[str]) -> dict[str, Any]:
        """As ovs-vswitchd reads them: what an explicit mode or a tag rules out is left aside, and said."""
        where = f"port.{row.name}"
        if row.vlan_mode == "dot1q-tunnel":
            raise ConfigError(f"{where}.vlan_mode", "dot1q-tunnel is not implemented yet")
        mode = row.vlan_mode or ("trunk" if row.tag is None else "access")
        tag, trunks = row.tag, row.trunks
        if mode == "access" and trunks:
            problems.append(f"{where}.trunks: left aside, an access port carries its tag only")
            trunks = ()
        if mode == "trunk" and tag is not None:
            problems.append(f"{where}.tag: left aside, a trunk has no VLAN of its own")
            tag = None
        return {"tag": tag, "trunks": trunks, "vlan_mode": row.vlan_mode or None}

    def _settle(self, value: T, settings: Mapping[str, Any], say: Callable[[str], object]) -> T:
        """`value` with all settings that can be; of the others it says why not."""
        for key, setting in settings.items():
            try:
                value = replace(value, **{key: setting})
            except ConfigError as error:
                say(str(error))
        return value

    def _number(
        self, where: str, column: str, text: str | None, problems: list[str] | None = None
    ) -> int | None:
        if text is None:
            return None
        if text.isascii() and text.isdigit() and len(text) <= 10:
            return int(text)
        (self._notes if problems is None else problems).append(
            f"{where}.{column}: expected a number, got {text!r}"
        )
        return None

    def _note_not_yet(self, where: str, names: Iterable[str]) -> None:
        self._notes += _not_yet(where, names)


def _of_the_switch(database: Database) -> list[str]:
    """What is to be said of the rows that are not a bridge's."""
    notes = _not_yet("SSL", database.tls.not_yet) if database.tls else []
    notes += [f"{name}: not implemented yet" for name in database.not_yet]
    for key in database.other_config:
        if key == "pmd-cpu-mask":
            notes.append(f"Open_vSwitch other_config:{key}: is taken when the switch starts")
        elif key.startswith(_START_KEYS) and key != "dpdk-init":
            notes.append(f"Open_vSwitch other_config:{key}: without effect; see turnout serve --help")
        elif key in _OTHER_KEYS:
            notes.append(f"Open_vSwitch other_config:{key}: without effect")
    return notes


def _not_yet(where: str, names: Iterable[str]) -> list[str]:
    return [f"{where}.{name}: not implemented yet" for name in names]


def _of_controller(row: Controller) -> dict[str, Any]:
    """What a bridge has once for all its controllers; None: not set."""
    return {
        "controller_rate_limit": row.rate_limit,
        "controller_burst_limit": row.burst_limit or None,
        "controller_max_backoff": row.max_backoff,
        "controller_inactivity_probe": row.inactivity_probe,
        "controller_async": row.enable_async,
    }


def _kind(name: str, type: str) -> str:
    kind = TYPES.get(type or "system", type)
    if kind in _TUNNELS:
        raise ConfigError(f"port.{name}.type", f"{type} is not implemented yet")
    if kind not in ports.TYPES:
        raise ConfigError(f"port.{name}.type", f"unknown type {type}")
    return kind
