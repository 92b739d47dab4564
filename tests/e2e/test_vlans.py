# SPDX-License-Identifier: Apache-2.0
"""VLANs: what enters a port with which tag leaves which other ports, and with which tag.

The frames are raw: the kernel here may lack 802.1Q, and nothing between us and the wire may change a tag.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from scapy.layers.l2 import Dot1Q, Ether

from tests.e2e.conftest import FramesFactory, HostFactory
from turnout.lab.daemon import Daemon
from turnout.lab.frames import FrameSocket
from turnout.lab.wait import until

PORTS = {
    "access10": ("tag=10",),
    "access20": ("tag=20",),
    "trunk": (),
    "trunk20": ("trunks=20",),
    "tagged10": ("vlan_mode=native-tagged", "tag=10"),
    "untagged10": ("vlan_mode=native-untagged", "tag=10"),
}


@dataclass(frozen=True)
class Case:
    """A broadcast with `tag` (None: untagged) enters `port` and leaves the ports in `out`, with which tag."""

    port: str
    tag: int | None
    out: dict[str, int | None]


VLAN10 = {"access10": None, "trunk": 10, "tagged10": 10, "untagged10": None}
VLAN20 = {"access20": None, "trunk": 20, "trunk20": 20, "tagged10": 20, "untagged10": 20}
CASES = {
    "an access port's frame is its VLAN's": Case("access10", None, VLAN10),
    "a tag on an access port is refused": Case("access10", 20, {}),
    "its own tag, too": Case("access10", 10, {}),
    "a trunk carries a tag": Case("trunk", 10, VLAN10),
    "a trunk's untagged frame is VLAN 0's": Case("trunk", None, {"tagged10": None, "untagged10": None}),
    "a trunk carries its list": Case("trunk20", 20, VLAN20),
    "and nothing else": Case("trunk20", 10, {}),
    "native-tagged takes untagged as native": Case("tagged10", None, VLAN10),
    "native-tagged carries others": Case("tagged10", 20, VLAN20),
    "native-untagged takes untagged as native": Case("untagged10", None, VLAN10),
    "native-untagged takes the native tag": Case("untagged10", 10, VLAN10),
    "native-untagged carries others": Case("untagged10", 20, VLAN20),
}


def frame(tag: int | None, serial: int) -> bytes:
    header = Ether(src="02:00:00:00:00:aa", dst="ff:ff:ff:ff:ff:ff")
    if tag is not None:
        header = header / Dot1Q(vlan=tag)
    header.lastlayer().type = 0x88B5
    return bytes(header / (b"case %05d" % serial).ljust(46, b"\0"))


def test_every_mode(switch: Daemon, host: HostFactory, frames: FramesFactory) -> None:
    sockets = {name: frames(host(name, *columns)) for name, columns in PORTS.items()}
    for serial, (what, case) in enumerate(CASES.items()):
        sockets[case.port].send(frame(case.tag, serial))
        expected = {port: tag for port, tag in case.out.items() if port != case.port}
        got = dict(_received(sockets, serial, expecting=set(expected)))
        assert got == {port: frame(tag, serial) for port, tag in expected.items()}, what
    refused = {port for (port, reason) in switch.drops() if "vlan" in reason}
    assert refused == {"access10", "trunk20"}


def _received(
    sockets: dict[str, FrameSocket], serial: int, expecting: set[str]
) -> Iterator[tuple[str, bytes]]:
    mark = b"case %05d" % serial
    # Expected first: when those have arrived, those that shall not arrive would have, too.
    for port in sorted(sockets, key=lambda port: port not in expecting):
        wait = 2 if port in expecting else 0.05
        if found := sockets[port].receive(lambda f: mark in f, timeout=wait):
            yield port, found


@pytest.mark.parametrize(
    ("columns_a", "columns_b", "reaches"),
    [
        (("tag=10",), ("tag=10",), True),
        (("tag=10",), ("tag=20",), False),
        (("tag=10",), ("vlan_mode=native-untagged", "tag=10"), True),
        (("tag=10",), (), False),
    ],
)  # fmt: skip
def test_hosts_reach_their_own_vlan_only(
    host: HostFactory, columns_a: tuple[str, ...], columns_b: tuple[str, ...], reaches: bool
) -> None:
    a, b = host("a", *columns_a), host("b", *columns_b)
    assert a.reaches(b) is reaches


def test_changing_a_tag(switch: Daemon, host: HostFactory) -> None:
    a, b = host("a", "tag=10"), host("b", "tag=20")
    assert not a.reaches(b)
    switch.request("turnout/set", "port", "b", "tag=10")
    until(lambda: a.reaches(b), "reached")  # not at once: the kernel repeats an ARP request after 1 s
