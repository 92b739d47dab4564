# SPDX-License-Identifier: Apache-2.0
"""Which columns of the Open_vSwitch database we read, which we write, and which we only report when set."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from turnout.errors import TurnoutError

Columns = Mapping[str, tuple[str, ...]]

READ: Columns = {
    "Open_vSwitch": ("bridges", "next_cfg", "other_config", "ssl"),
    "Bridge": ("name", "ports", "controller", "fail_mode", "protocols", "flow_tables", "other_config"),
    "Port": ("name", "interfaces", "tag", "trunks", "vlan_mode", "other_config"),
    "Interface": ("name", "type", "options", "other_config", "mac", "mtu_request", "ofport_request"),
    "Controller": (
        *("target", "controller_rate_limit", "controller_burst_limit", "max_backoff", "inactivity_probe"),
        "enable_async_messages",
    ),
    "Flow_Table": ("flow_limit", "overflow_policy"),
    "SSL": ("private_key", "certificate", "ca_cert", "bootstrap_ca_cert"),
}
# what is there to be set and has no effect yet
NOT_YET: Columns = {
    "Open_vSwitch": ("datapaths",),
    "Bridge": (
        "datapath_type",
        *("mirrors", "netflow", "sflow", "ipfix", "stp_enable", "rstp_enable", "mcast_snooping_enable"),
        *("flood_vlans", "auto_attach"),
    ),
    "Port": ("qos", "cvlans", "protected", "lacp"),
    "Interface": ("ingress_policing_rate", "ingress_policing_kpkts_rate", "lldp", "bfd", "cfm_mpid"),
    "Controller": (
        *("type", "connection_mode", "controller_queue_size", "other_config"),
        *("local_ip", "local_netmask", "local_gateway"),
    ),
    "Flow_Table": ("name", "groups"),
    "Flow_Sample_Collector_Set": ("id",),
    "SSL": ("bootstrap_ca_cert",),
}
WRITTEN: Columns = {
    "Open_vSwitch": (
        *("cur_cfg", "ovs_version", "db_version", "dpdk_initialized", "dpdk_version"),
        *("iface_types", "datapath_types", "statistics"),
    ),
    "Bridge": ("datapath_id", "datapath_version"),
    "Interface": (
        *("ofport", "ifindex", "mac_in_use", "admin_state", "link_state", "link_speed", "link_resets"),
        *("duplex", "mtu", "statistics", "status", "error"),
    ),
    "Controller": ("is_connected", "role", "status"),
}
# tables that those columns refer to; the library wants to know them
REFERRED: Columns = {
    "Mirror": ("name",),
    "NetFlow": ("targets",),
    "sFlow": ("targets",),
    "IPFIX": ("targets",),
    "AutoAttach": ("system_name",),
    "Datapath": ("datapath_version",),
    "QoS": ("type",),
}


def load() -> dict[str, Any]:
    """The schema that Open vSwitch's packages install. TurnoutError if there is none."""
    folders = (os.environ.get("OVS_PKGDATADIR"), "/usr/share/openvswitch", "/usr/local/share/openvswitch")
    for path in (Path(folder, "vswitch.ovsschema") for folder in folders if folder):
        try:
            schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise TurnoutError(f"{path}: cannot read: {error}") from None
        return schema
    raise TurnoutError("no vswitch.ovsschema; install openvswitch-common, or set OVS_PKGDATADIR")


def columns(schema: Mapping[str, Any]) -> dict[str, list[str]]:
    """All columns that we have to do with and `schema` has, by table."""
    found: dict[str, list[str]] = {}
    for group in (READ, NOT_YET, WRITTEN, REFERRED):
        for table, names in group.items():
            known = schema["tables"].get(table, {"columns": {}})["columns"]
            found.setdefault(table, []).extend(name for name in names if name in known)
    return {table: names for table, names in found.items() if names}
