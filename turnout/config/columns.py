# SPDX-License-Identifier: Apache-2.0
"""`key=value` columns as `ovs-vsctl` spells them, applied to the tree of a port or a bridge.

`tag=10`, `trunks=10,20-29`, `options:path=/run/vm1`, `mtu_request=9000`, `other_config:pmd-rxq-affinity=0:1`.
An empty value or `[]` takes the setting back to its default.
"""

import re
from collections.abc import Iterable, Mapping

from turnout.config.tree import Tree
from turnout.errors import ConfigError

# column → the setting's key in the tree; Open vSwitch's spellings beside ours
PORT_COLUMNS: Mapping[str, str] = {
    "type": "type",
    "tag": "tag",
    "trunks": "trunks",
    "vlan_mode": "vlan-mode",
    "mtu": "mtu",
    "mtu_request": "mtu",
    "n_rxq": "n-rxq",
    "options:n_rxq": "n-rxq",
    "options:n_rxq_desc": "n-rxq-desc",
    "options:n_txq_desc": "n-txq-desc",
    "rxq_affinity": "rxq-affinity",
    "other_config:pmd-rxq-affinity": "rxq-affinity",
    "ofport_request": "ofport-request",
    "ofport": "ofport-request",
}
BRIDGE_COLUMNS: Mapping[str, str] = {
    "mac_aging": "mac-aging",
    "mac_table_size": "mac-table-size",
    "other_config:mac-aging-time": "mac-aging",
    "other_config:mac-table-size": "mac-table-size",
    "controller": "controllers",
    "controllers": "controllers",
    "fail_mode": "fail-mode",
    "protocols": "protocols",
    "datapath_id": "datapath-id",
    "other_config:datapath-id": "datapath-id",
    "flow_limit": "flow-limit",
    "overflow_policy": "overflow-policy",
    "table_limits": "table-limits",
    "controller_rate_limit": "controller-rate-limit",
    "controller_burst_limit": "controller-burst-limit",
    "max_backoff": "controller-max-backoff",
    "controller_max_backoff": "controller-max-backoff",
    "inactivity_probe": "controller-inactivity-probe",
    "controller_inactivity_probe": "controller-inactivity-probe",
    "enable_async_messages": "controller-async",
    "controller_async": "controller-async",
    "restore_flows": "restore-flows",
}
# what Open vSwitch has and its users' scripts set, and what changes nothing here: control is never in-band,
# and there is one kind of datapath
BRIDGE_IGNORED = ("other_config:disable-in-band", "datapath_type")
TYPE_ALIASES: Mapping[str, str] = {
    "dpdkvhostuser": "vhost-user",
    "dpdkvhostuserclient": "vhost-user-client",
    "af-packet": "af_packet",
    "af-xdp": "af_xdp",
    "afxdp": "af_xdp",
}
OPTION_ALIASES: Mapping[str, str] = {"vhost-server-path": "path"}

_NUMERIC = {
    *("tag", "mtu", "n-rxq", "n-rxq-desc", "n-txq-desc", "ofport-request"),
    *("mac-aging", "mac-table-size", "flow-limit", "controller-rate-limit", "controller-burst-limit"),
    *("controller-max-backoff", "controller-inactivity-probe"),
}
_NUMBERS = re.compile(r"\d+(-\d+)?(,\d+(-\d+)?)*")


def port_tree(name: str, tree: Tree, columns: Iterable[str]) -> Tree:
    """The port's tree with the columns changed. ConfigError says which column is wrong."""
    return _with_columns(tree, f"port.{name}", columns, PORT_COLUMNS)


def bridge_tree(name: str, tree: Tree, columns: Iterable[str]) -> Tree:
    """The bridge's tree with the columns changed."""
    return _with_columns(tree, f"bridge.{name}", columns, BRIDGE_COLUMNS)


def _with_columns(tree: Tree, where: str, columns: Iterable[str], known: Mapping[str, str]) -> Tree:
    tree = {**tree, "options": dict(tree.get("options", {}))} if known is PORT_COLUMNS else dict(tree)
    for column in columns:
        key, equals, text = column.partition("=")
        if not equals:
            raise ConfigError(where, f"expected key=value, got {column!r}")
        group, colon, option = key.partition(":")
        table, setting = tree, known.get(key) or known.get(_underscored(key))
        if setting is None and group == "options" and colon and option and known is PORT_COLUMNS:
            table, setting = tree["options"], OPTION_ALIASES.get(option, option)
        if setting is None and known is BRIDGE_COLUMNS and _underscored(key) in BRIDGE_IGNORED:
            continue
        if setting is None:
            names = ", ".join([*known, "options:NAME"] if known is PORT_COLUMNS else known)
            raise ConfigError(where, f"no such column {key!r}; there are: {names}")
        if text in ("", "[]"):
            table.pop(setting, None)
        else:
            table[setting] = text if table is not tree else _value(setting, text)
    return tree


def _underscored(key: str) -> str:
    """ "mtu-request" → "mtu_request", "other-config:a-b" → "other_config:a-b": what follows a colon is as
    it is.
    """
    column, colon, rest = key.partition(":")
    return column.replace("-", "_") + colon + rest


def _value(setting: str, text: str) -> object:
    """The column's text as the setting's type; text that does not fit stays text for validation to name."""
    if setting == "type":
        return TYPE_ALIASES.get(text, text)
    if setting == "trunks":
        inner = text.strip("[]").replace(" ", "")
        return _numbers(inner) if _NUMBERS.fullmatch(inner) else text
    if setting in ("controllers", "protocols"):
        inner = text[1:-1] if text.startswith("[") and text.endswith("]") else text
        return [word.strip('"') for word in re.split(r"[,\s]+", inner) if word]
    if setting in ("restore-flows", "controller-async"):
        return {"true": True, "false": False}.get(text.lower(), text)
    if setting in _NUMERIC and re.fullmatch(r"\d{1,10}", text):
        return int(text)
    return text


def _numbers(text: str) -> list[int]:
    """ "10,20-22" → [10, 20, 21, 22]; ends are cut where every VLAN has an end."""
    ranges = [part.partition("-") for part in text.split(",")]
    return [
        vlan
        for low, _, high in ranges
        for vlan in range(min(int(low), 4096), min(int(high or low), 4096) + 1)
    ]
