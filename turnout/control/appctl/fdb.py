# SPDX-License-Identifier: Apache-2.0
"""fdb/*: a bridge's learned MAC addresses. There are no static ones, and so no fdb/add and fdb/del."""

from collections.abc import Iterable, Mapping

from turnout.control.appctl.datapath import bridge_of, ofport_text
from turnout.control.unixctl import Command
from turnout.results import BridgeView, FdbEntry
from turnout.switch import Switch


def commands(switch: Switch) -> dict[str, Command]:
    """Name → command."""

    def show(arguments: list[str]) -> str:
        bridge = bridge_of(switch.show(), arguments[0])
        return format_entries(switch.fdb(bridge.name), {p.number: p.ofport for p in bridge.ports})

    def stats_show(arguments: list[str]) -> str:
        bridge = bridge_of(switch.show(), arguments[0])
        return format_stats(bridge, len(switch.fdb(bridge.name)))

    def flush(arguments: list[str]) -> str:
        for name in arguments:
            bridge_of(switch.show(), name)
        switch.fdb_flush(*arguments)
        return "table successfully flushed"

    return {
        "fdb/show": Command(show, "bridge", 1, 1),
        "fdb/stats-show": Command(stats_show, "bridge", 1, 1),
        "fdb/flush": Command(flush, "[bridge]", 0, 1),
    }


def format_entries(entries: Iterable[FdbEntry], ofports: Mapping[int, int]) -> str:
    """A line per address. ofports: the datapath's port number → OpenFlow's."""
    rows = (
        f"{ofport_text(ofports[e.number]):>5}  {e.vlan:>4}  {e.mac}  {e.age:>3}"
        for e in entries
        if e.number in ofports  # else the port has just gone
    )
    return "\n".join([" port  VLAN  MAC                Age", *rows])


def format_stats(bridge: BridgeView, entries: int) -> str:
    """How full the table is. Workers don't count what they learn, move and evict: no lines for these."""
    return (
        f'Statistics for bridge "{bridge.name}":\n'
        f"  Current/maximum MAC entries in the table: {entries}/{bridge.mac_table_size}\n"
        "  Current static MAC entries in the table : 0\n"
    )
