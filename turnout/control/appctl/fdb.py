# SPDX-License-Identifier: Apache-2.0
"""fdb/*: a bridge's MAC addresses, learned and static."""

import re
from collections.abc import Collection, Mapping

from turnout.control.appctl.datapath import bridge_of, ofport_text
from turnout.control.unixctl import Command
from turnout.errors import TurnoutError
from turnout.results import BridgeView, FdbEntry, FdbTotals
from turnout.switch import Switch

_MAC = re.compile(r"[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}")


def commands(switch: Switch) -> dict[str, Command]:
    """Name → command."""

    def show(arguments: list[str]) -> str:
        bridge = bridge_of(switch.show(), arguments[0])
        return format_entries(switch.fdb(bridge.name), {p.number: p.ofport for p in bridge.ports})

    def stats_show(arguments: list[str]) -> str:
        bridge = bridge_of(switch.show(), arguments[0])
        return format_stats(bridge, switch.fdb(bridge.name), switch.fdb_totals(bridge.name))

    def stats_clear(arguments: list[str]) -> str:
        for name in arguments:
            bridge_of(switch.show(), name)
        switch.fdb_stats_clear(*arguments)
        return "statistics successfully cleared"

    def add(arguments: list[str]) -> str:
        name, port, vlan, mac = arguments
        bridge = bridge_of(switch.show(), name)
        if all(p.name != port for p in bridge.ports):
            raise TurnoutError(f"{port}: no such port on bridge {name}")
        place = _vlan(vlan), _mac(mac)
        before = next((e for e in switch.fdb(name) if e.static and (e.vlan, e.mac) == place), None)
        switch.fdb_add(name, port, *place)
        ofports = {p.number: p.ofport for p in bridge.ports}
        return (
            f"Overriding already existing static entry on {ofport_text(ofports[before.number])}"
            if before
            else ""
        )

    def delete(arguments: list[str]) -> str:
        name, vlan, mac = arguments
        bridge_of(switch.show(), name)
        if not switch.fdb_del(name, _vlan(vlan), _mac(mac)):
            raise TurnoutError("could not find static mac entry")
        return ""

    def flush(arguments: list[str]) -> str:
        for name in arguments:
            bridge_of(switch.show(), name)
        switch.fdb_flush(*arguments)
        return "table successfully flushed"

    return {
        "fdb/show": Command(show, "bridge", 1, 1),
        "fdb/stats-show": Command(stats_show, "bridge", 1, 1),
        "fdb/stats-clear": Command(stats_clear, "[bridge]", 0, 1),
        "fdb/add": Command(add, "bridge port vlan mac", 4, 4),
        "fdb/del": Command(delete, "bridge vlan mac", 3, 3),
        "fdb/flush": Command(flush, "[bridge]", 0, 1),
    }


def _vlan(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) < 4096):
        raise TurnoutError(f"bad VLAN {text}; expected 0 to 4095")
    return int(text)


def _mac(text: str) -> str:
    if not _MAC.fullmatch(text):
        raise TurnoutError("bad MAC address")
    return ":".join(f"{int(byte, 16):02x}" for byte in text.split(":"))


def format_entries(entries: Collection[FdbEntry], ofports: Mapping[int, int]) -> str:
    """A line per address. ofports: the datapath's port number → OpenFlow's."""
    rows = (
        f"{ofport_text(ofports[e.number]):>5}  {e.vlan:>4}  {e.mac}  {'static' if e.static else e.age:>3}"
        for e in entries
        if e.number in ofports  # else the port has just gone
    )
    return "\n".join([" port  VLAN  MAC                Age", *rows])


def format_stats(bridge: BridgeView, entries: Collection[FdbEntry], totals: FdbTotals) -> str:
    """How full the table is, and what became of its addresses."""
    return (
        f'Statistics for bridge "{bridge.name}":\n'
        f"  Current/maximum MAC entries in the table: {len(entries)}/{bridge.mac_table_size}\n"
        f"  Current static MAC entries in the table : {sum(e.static for e in entries)}\n"
        f"  Total number of learned MAC entries     : {totals.learned}\n"
        f"  Total number of expired MAC entries     : {totals.expired}\n"
        f"  Total number of evicted MAC entries     : {totals.evicted}\n"
        f"  Total number of port moved MAC entries  : {totals.moved}\n"
    )
