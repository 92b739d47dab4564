# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: E501 a table's rows
"""Where Turnout rightly leaves other things in the database, or has ovs-vsctl print something else, than Open vSwitch.
docs/ovsdb.md has this as a table; a test looks that each entry is still needed.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Difference:
    """cells: "Table.column" or "Table[record].column", with `*` for any text. commands: those whose output
    differs, likewise.
    """

    what: str
    why: str
    cells: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()

    def covers(self, table: str, record: str, column: str) -> bool:
        names = (f"{table}.{column}", f"{table}[{record}].{column}")
        return any(fnmatchcase(name, _literal(cell)) for cell in self.cells for name in names)

    def prints(self, command: str) -> bool:
        return any(fnmatchcase(command, pattern) for pattern in self.commands)


def _literal(pattern: str) -> str:
    """Brackets name a record, they are no set of characters."""
    return pattern.replace("[", "[[]")


# not compared, since two Open vSwitches differ in it as well
VOLATILE = {
    "Bridge.datapath_id": "follows a random address, unless other_config:datapath-id or hwaddr sets it; Turnout's is always the same for a bridge of that name on that host",
    "Interface.mac_in_use": "random in Open vSwitch unless `mac` or `hwaddr` sets it; Turnout's is always the same for that name on that host. A bridge has its own address, not the least of its ports'",
    "Interface.ifindex": "the kernel's to give",
    "Interface.statistics": "values; the names are compared",
    "Mirror.statistics": "values; the names are compared",
    "Open_vSwitch.statistics": "values; the names are compared",
    "Controller.status": "seconds, and where a connection that nobody answers stands; the rest is compared",
    "Manager.status": "ovsdb-server's own column; as Controller's",
}

DIFFERENCES = [
    Difference(
        "What the switch is",
        "Open vSwitch's start script ovs-ctl sets the versions, Turnout does so itself. The other columns say which switch it is: DPDK is part of it, and it has other types. Bridges of type system are taken as netdev's",
        cells=(
            "Open_vSwitch.ovs_version", "Open_vSwitch.db_version", "Open_vSwitch.dpdk_initialized",
            "Open_vSwitch.dpdk_version", "Open_vSwitch.datapath_types", "Open_vSwitch.iface_types",
        ),
        commands=("get Open_vSwitch . ovs_version", "get Open_vSwitch . dpdk_initialized"),
    ),
    Difference(
        "TAPs (types internal, tap) are up at once",
        "traffic passes from the first moment; Open vSwitch leaves `ip link set … up` to its user",
        cells=("Interface.admin_state", "Interface.link_state"),
    ),
    Difference(
        "The MTU of one port does not change that of others",
        "Open vSwitch gives internal ports without mtu_request the least of their bridge",
        cells=("Interface[*].mtu",),
    ),
    Difference(
        "Errors in Turnout's words",
        "they say what to do",
        cells=("Interface[nosuch0].error", "Interface[wrong0].error", "Interface[pc].error"),
        commands=("add-port br0 nosuch0", "add-port br0 wrong0 *", "add-port br0 pc *"),
    ),
    Difference(
        "A column that cannot be honoured is said in `error`, and the port works without it",
        "Open vSwitch says it in its log only",
        cells=("Interface[int2].error",),
    ),
    Difference(
        "A port that could not be made keeps an OpenFlow number in reserve",
        "flows that name it are right when it comes",
        cells=("Interface[int2].ofport",),
    ),
    Difference(
        "Ports of DPDK's types are there",
        "the Open vSwitch beside it here is Debian's without DPDK",
        cells=("Interface[dpdk0].*", "Interface[vhu0].*", "Interface[vhuc0].*"),
        commands=("add-port br0 dpdk0 *", "add-port br0 vhu0 *", "add-port br0 vhuc0 *"),
    ),
    Difference(
        "Tunnels: `error` says not implemented yet, ofport is -1",
        "not implemented yet",
        cells=("Interface[vxlan0].*", "Interface[gre0].*", "Interface[geneve0].*"),
        commands=("add-port br0 vxlan0 *", "add-port br0 gre0 *", "add-port br0 geneve0 *"),
    ),
    Difference(
        "Bonds: `error` says not implemented yet, ofport is -1; the interface that a bond shows (`--fake-iface`) is none",
        "not implemented yet",
        cells=(
            "Interface[tap?].lacp_current", "Port[bond?].bond_active_slave", "Port[bond?].status", "Port[bond?].statistics",
            *(f"Interface[tap{number}].{column}" for number in range(5)
              for column in ("error", "ofport", "ifindex", "duplex", "link_resets", "link_speed", "mtu", "status", "statistics", "mac_in_use")),
        ),
        commands=("add-bond br0 bond0 *", "--fake-iface add-bond *"),
    ),
    Difference(
        "vlan_mode dot1q-tunnel: the port has an error and is not there",
        "not implemented yet; as another mode it would let through what it must not",
        cells=("Interface[int3].*",),
    ),
    Difference(
        "Port columns without effect (qos, cvlans, protected, other_config:priority-tags, …), and an interface's ingress policing, LLDP, BFD and CFM: said in `error`, the port works",
        "not implemented yet",
        cells=("Interface[int0].error", "Interface[int1].error", "Interface[int2].error", "Interface[tap0].error",
               "Interface[tap0].bfd_status", "Interface[tap0].cfm_*", "Interface[tap0].lldp"),
    ),
    Difference(
        "Mirrors, NetFlow, sFlow, IPFIX, spanning trees, multicast snooping, auto-attach, flood_vlans: said in the log",
        "not implemented yet; these tables have no column for errors",
        cells=("Mirror.statistics", "Bridge.status", "Bridge.rstp_status", "Port.status", "Port.rstp_status", "Port.rstp_statistics"),
    ),
]  # fmt: skip
