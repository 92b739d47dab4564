# SPDX-License-Identifier: Apache-2.0
"""dpctl/*: the datapath, its ports and their counters."""

from collections.abc import Mapping

from turnout.control.appctl.datapath import DATAPATH, check_datapath, port_kind
from turnout.control.unixctl import Command
from turnout.errors import TurnoutError
from turnout.results import PortStats, SwitchView
from turnout.switch import Switch


def commands(switch: Switch) -> dict[str, Command]:
    """Name → command."""

    def show(arguments: list[str]) -> str:
        with_counters = False
        for word in arguments:
            if word in ("-s", "--statistics"):
                with_counters = True
            elif word.startswith("-"):
                raise TurnoutError(f"invalid option -- '{word.lstrip('-')}'")
            else:
                check_datapath(word, f"opening datapath {word} failed (No such device)")
        packets = sum(worker.packets for worker in switch.workers())
        counters = {row.port: row for row in switch.stats()} if with_counters else {}
        return format_datapath(switch.show(), packets, counters)

    return {
        "dpctl/show": Command(show, "[-s] [dp...]", 0, 9),
        "dpctl/dump-dps": Command(lambda _: DATAPATH),
    }


def format_datapath(view: SwitchView, packets: int, counters: Mapping[str, PortStats]) -> str:
    """Ports by number, each with its counters if there are any. packets: looked up by workers."""
    lines = [f"{DATAPATH}:", f"  lookups: hit:{packets} missed:0 lost:0", "  flows: 0"]
    ports = (p for bridge in view.bridges for p in bridge.ports if p.type != "patch" and not p.error)
    for port in sorted(ports, key=lambda p: p.number):
        lines.append(f"  port {port.number}: {port.name} {port_kind(port)}")
        if port.name in counters:
            lines += _counters(counters[port.name])
    return "\n".join(lines)


def _counters(count: PortStats) -> list[str]:
    """A "?" is what Open vSwitch prints for a counter that a device doesn't have."""
    return [
        f"    RX packets:{count.rx_packets} errors:? dropped:{count.drops} overruns:? frame:?",
        f"    TX packets:{count.tx_packets} errors:? dropped:? aborted:? carrier:?",
        "    collisions:?",
        f"    RX bytes:{count.rx_bytes}{_scaled(count.rx_bytes)}"
        f"  TX bytes:{count.tx_bytes}{_scaled(count.tx_bytes)}",
    ]


def _scaled(count: int) -> str:
    """ " (1.5 KiB)" and the like; "" below 1 KiB."""
    for power, unit in ((40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")):
        if count >= 1 << power:
            return f" ({count / (1 << power):.1f} {unit})"
    return ""
