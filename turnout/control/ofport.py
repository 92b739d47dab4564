# SPDX-License-Identifier: Apache-2.0
"""OpenFlow port numbers of a bridge. Pure: ports wanted, ports there and ports remembered in, numbers out."""

from collections.abc import Mapping

from turnout.config.model import Bridge, Port
from turnout.config.state import PortMemory

LOCAL = 0xFFFFFFFE


def assign(
    bridge: Bridge, there: Mapping[str, tuple[Port, int]], memory: Mapping[str, PortMemory]
) -> dict[str, int]:
    """Each port's number, by name: LOCAL for the bridge's own; else the one that it has, unless another is
    newly requested for it; else what it requests or had before the restart, if that is free; else the lowest
    free.
    """
    numbers: dict[str, int] = {}
    taken: set[int] = set()

    def give(name: str, number: int) -> None:
        if number and name not in numbers and number not in taken:
            numbers[name] = number
            taken.add(number)

    for port in bridge.ports:
        if port.type == "internal" and port.name == bridge.name:
            give(port.name, LOCAL)
        elif port.name in there:
            old, number = there[port.name]
            if number != LOCAL and port.ofport_request in (0, number, old.ofport_request):
                give(port.name, number)
    for port in bridge.ports:
        give(port.name, port.ofport_request)
    for port in bridge.ports:
        if port.name in memory and memory[port.name].ofport != LOCAL:
            give(port.name, memory[port.name].ofport)
    free = (number for number in range(1, 65280) if number not in taken)
    for port in bridge.ports:
        if port.name not in numbers:
            numbers[port.name] = next(free)
    return numbers
