# SPDX-License-Identifier: Apache-2.0
"""MTUs that nobody has asked for: a kernel interface keeps its own where that can be, internal ports follow
the least.
"""

from turnout.config.model import Bridge, Port
from turnout.ovsdb.mtu import Settled, settle


def port(name: str, type: str, mtu: int = 1500) -> Port:
    return Port(name=name, type=type, mtu=mtu)


BRIDGE = Bridge(
    name="br0",
    ports=(
        port("br0", "internal"),
        port("a", "af_packet"),
        port("b", "af_packet"),
        port("int1", "tap", 9000),
    ),
)


def mtus(settled: Settled) -> dict[str, int]:
    return {port.name: port.mtu for bridge in settled.bridges for port in bridge.ports}


def test_each_keeps_its_own() -> None:
    settled = settle((BRIDGE,), {"int1"}, {"a": 1450, "b": 9000}.get, 1964)
    assert mtus(settled) == {"br0": 1450, "a": 1450, "int1": 9000}, "b is left alone"
    assert settled.kernel == {"a": 1450, "b": 9000}
    assert list(settled.errors) == ["b"]
    assert "its interface has 9000, more than packet buffers hold" in settled.errors["b"]


def test_one_that_is_not_there_counts_for_nothing() -> None:
    settled = settle((BRIDGE,), {"int1"}, {"b": 1600}.get, 1964)
    assert mtus(settled) == {"br0": 1600, "a": 0, "b": 1600, "int1": 9000}
    assert settled.kernel == {"a": 0, "b": 1600}


def test_nothing_to_settle() -> None:
    assert settle((BRIDGE,), {"int1", "a", "b"}, {}.get, 1964).bridges[0] is BRIDGE
