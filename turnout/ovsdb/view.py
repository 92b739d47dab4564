# SPDX-License-Identifier: Apache-2.0
"""The switch as a user of the database knows it: with the rows that cannot be, and what is wrong with
others.
"""

from dataclasses import replace

from turnout.config import model
from turnout.ovsdb.compose import with_stand_ins
from turnout.ovsdb.rows import Database
from turnout.ovsdb.translate import Desired
from turnout.results import PortView, SwitchView


def view(actual: SwitchView, database: Database, desired: Desired) -> SwitchView:
    """`actual` with what the database says beside it."""
    wanted = {bridge.name: bridge.ports for bridge in with_stand_ins(database, desired.bridges)}
    members = {
        port.name: [interface.name for interface in port.interfaces]
        for bridge in database.bridges
        for port in bridge.ports
    }

    def error(port: str, own: str = "") -> str:
        texts = [own, *(desired.errors.get(name, "") for name in members.get(port, [port]))]
        return "; ".join(dict.fromkeys(filter(None, texts)))

    bridges = []
    for bridge in actual.bridges:
        there = {port.name for port in bridge.ports}
        absent = (port for port in wanted.get(bridge.name, ()) if port.name not in there)
        ports = (
            *(replace(port, error=error(port.name, port.error)) for port in bridge.ports),
            *(_absent(port, error(port.name)) for port in absent),
        )
        bridges.append(replace(bridge, ports=ports))
    return replace(actual, bridges=tuple(bridges))


def _absent(port: model.Port, error: str) -> PortView:
    """One that the switch has not, in the database's words."""
    return PortView(
        name=port.name,
        number=0,
        ofport=-1,
        type=port.type or "system",
        options={},
        tag=None,
        trunks=(),
        vlan_mode=port.effective_vlan_mode,
        driver="",
        mac="",
        link_up=False,
        speed_mbps=0,
        mtu=port.mtu,
        n_rxq=0,
        error=error or "not there",
    )
