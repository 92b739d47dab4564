# SPDX-License-Identifier: Apache-2.0
"""memory/show: what there is many of, under Open vSwitch's names where it has one."""

from turnout.control.unixctl import Command
from turnout.switch import Switch


def commands(switch: Switch) -> dict[str, Command]:
    """Name → command."""

    def show(_: list[str]) -> str:
        view = switch.show()
        counts = {
            "macs": len(switch.fdb()),
            "mbufs": view.mbufs_in_use,
            "ports": sum(len(bridge.ports) for bridge in view.bridges),
            "rules": sum(len(switch.bridge(bridge.name).flows) for bridge in view.bridges),
        }
        return " ".join(f"{name}:{count}" for name, count in counts.items() if count)

    return {"memory/show": Command(show)}
