# SPDX-License-Identifier: Apache-2.0
"""dpif/*: bridges and their ports. Workers look rules up themselves: there are no datapath flows to dump."""

from turnout.control.appctl.datapath import DATAPATH, port_kind
from turnout.control.unixctl import Command
from turnout.openflow.fields import LOCAL
from turnout.results import PortView, SwitchView
from turnout.switch import Switch


def commands(switch: Switch) -> dict[str, Command]:
    """Name → command."""

    def show(_: list[str]) -> str:
        return format_bridges(switch.show(), sum(worker.packets for worker in switch.workers()))

    def dump_dps(_: list[str]) -> str:
        return "\n".join(f"netdev@{bridge.name}" for bridge in switch.config.bridges)

    return {"dpif/show": Command(show), "dpif/dump-dps": Command(dump_dps)}


def format_bridges(view: SwitchView, packets: int) -> str:
    """Bridges and ports by name. packets: looked up by workers, none of which ever goes to another thread."""
    lines = [f"{DATAPATH}: hit:{packets} missed:0"]
    for bridge in sorted(view.bridges, key=lambda b: b.name):
        lines.append(f"  {bridge.name}:")
        lines += [_port(port) for port in sorted(bridge.ports, key=lambda p: p.name)]
    return "\n".join(lines)


def _port(port: PortView) -> str:
    number = 65534 if port.ofport == LOCAL else port.ofport
    inside = "none" if port.type == "patch" or port.error else port.number
    return f"    {port.name} {number}/{inside}: {port_kind(port)}"
