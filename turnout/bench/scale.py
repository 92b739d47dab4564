# SPDX-License-Identifier: Apache-2.0
"""How long `ovs-vsctl` takes to fill a switch with bridges and ports, one by one, and to empty it."""

import time
from collections.abc import Callable, Iterable
from typing import Final

from turnout.bench.scenarios import ContenderName
from turnout.lab.console import LabError
from turnout.lab.ovs_netdev import TURNOUT, OvsNetdev

_BRIDGES: Final = 200
_PORTS: Final = 1000


def scale(name: ContenderName, progress: Callable[[str], None]) -> dict[str, float]:
    """Seconds for each part; Open vSwitch's daemon without DPDK, which has no part in this. LabError if the
    switch cannot have them all.
    """
    bridges = [f"b{number}" for number in range(_BRIDGES)]
    ports = [f"p{number}" for number in range(_PORTS)]
    with OvsNetdev(TURNOUT) if name == "turnout" else OvsNetdev() as switch:

        def each(what: str, commands: Iterable[tuple[str, ...]]) -> float:
            began = time.monotonic()
            for number, command in enumerate(commands):
                switch.vsctl(*command)
                if number % 100 == 0:
                    progress(f"{what} {number}")
            return time.monotonic() - began

        found = {
            "scale-add": each("add-br", (("add-br", bridge, *_netdev(bridge)) for bridge in bridges))
            + each("add-port", (_port(bridges[number % _BRIDGES], it) for number, it in enumerate(ports)))
        }
        if wrong := switch.vsctl("--columns=name,error", "find", "Interface", "error!=[]").strip():
            raise LabError(f"interfaces with errors: {wrong[:200]}")
        found["scale-del"] = each("del-port", (("del-port", port) for port in ports)) + each(
            "del-br", (("del-br", bridge) for bridge in bridges)
        )
    return found


def _netdev(bridge: str) -> tuple[str, ...]:
    return "--", "set", "Bridge", bridge, "datapath_type=netdev"


def _port(bridge: str, port: str) -> tuple[str, ...]:
    return "add-port", bridge, port, "--", "set", "Interface", port, "type=internal"
