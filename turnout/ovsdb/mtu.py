# SPDX-License-Identifier: Apache-2.0
"""The MTUs that the database leaves to the switch, as Open vSwitch settles them. Pure."""

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field, replace

from turnout.config import model
from turnout.control.netdev import interface_of

_TAPS = ("internal", "tap")


@dataclass(frozen=True)
class Settled:
    """bridges: with all MTUs, without the ports that cannot have theirs. kernel: interface → the MTU that it
    has there; 0: it is not there. errors: of those ports.
    """

    bridges: tuple[model.Bridge, ...] = ()
    kernel: Mapping[str, int] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)


def settle(
    bridges: Iterable[model.Bridge], requested: Set[str], mtu_of: Callable[[str], int | None], largest: int
) -> Settled:
    """A kernel interface keeps its own, one that is to come will; internal ports have the least of their
    bridge.

    requested: ports that are to have the MTU that they have. mtu_of: what a kernel interface has; None: it
    is not there. largest: that a port on one can have.
    """
    kernel: dict[str, int] = {}
    errors: dict[str, str] = {}

    def own(port: model.Port) -> int:
        """Of a port without a request that is no TAP."""
        name = interface_of(port)
        if port.type != "af_packet" or name is None:
            return port.mtu
        mtu = kernel[name] = mtu_of(name) or 0
        if mtu > largest:
            errors[port.name] = (
                f"port.{port.name}.mtu: its interface has {mtu}, more than packet buffers hold;"
                " see turnout serve --mtu"
            )
        return mtu

    def of_bridge(bridge: model.Bridge) -> model.Bridge:
        given = {
            port.name: port.mtu if port.name in requested else own(port)
            for port in bridge.ports
            if port.type not in ("patch", *_TAPS) or port.name in requested
        }
        least = min((mtu for mtu in given.values() if mtu), default=model.Port.mtu)
        mtus = [given.get(port.name, least if port.type in _TAPS else port.mtu) for port in bridge.ports]
        if mtus == [port.mtu for port in bridge.ports]:  # none has an error: those differ
            return bridge
        pairs = zip(bridge.ports, mtus, strict=True)
        return replace(
            bridge,
            ports=tuple(
                port if port.mtu == mtu else replace(port, mtu=mtu)
                for port, mtu in pairs
                if port.name not in errors
            ),
        )

    return Settled(tuple(of_bridge(bridge) for bridge in bridges), kernel, errors)
