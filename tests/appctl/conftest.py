# SPDX-License-Identifier: Apache-2.0
"""Stock ovs-appctl on a Turnout daemon, and on an Open vSwitch beside it."""

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.peers.switch import BRIDGE, Answer, Peer, ovs, turnout
from turnout.lab.ovs_netdev import OvsNetdev


@dataclass(frozen=True)
class Appctl:
    """`ovs-appctl -t SOCKET` of a peer."""

    peer: Peer

    def __call__(self, *arguments: str) -> Answer:
        """Whatever it answers."""
        of = self.peer.of
        socket = of.rundir / "ovs-vswitchd.ctl" if isinstance(of, OvsNetdev) else of.socket
        done = subprocess.run(
            ["ovs-appctl", "--timeout=20", "-t", socket, *arguments], capture_output=True, text=True
        )
        return Answer(done.stdout, done.stderr.replace(str(socket), "SOCKET"), done.returncode)

    def must(self, *arguments: str) -> str:
        """What it prints; it has to succeed."""
        answer = self(*arguments)
        assert not answer.code, f"{self.peer.name}: ovs-appctl {arguments}: {answer.error}"
        return answer.out


@pytest.fixture(scope="session")
def ours() -> Iterator[Appctl]:
    with turnout() as peer:
        yield Appctl(peer)


@pytest.fixture(scope="session")
def theirs() -> Iterator[Appctl]:
    with ovs() as peer:
        yield Appctl(peer)


@contextlib.contextmanager
def patched(appctl: Appctl) -> Iterator[None]:
    """A second bridge br-b with TAP q1, and a pair of patch ports between the two."""
    peer, of = appctl.peer, appctl.peer.of
    ends = ((BRIDGE, "to-b", "to-a", 11), ("br-b", "to-a", "to-b", 12))
    of.add_bridge("br-b")
    if isinstance(of, OvsNetdev):
        of.add_tap("br-b", "q1", 1)
    else:
        inside = f"options:netns={peer.namespace.name}"
        of.add_port("br-b", "br-b", "type=internal", inside, "options:iface=br-b")
        of.add_port("br-b", "q1", "type=tap", inside, "options:iface=q1", "ofport=1")
        peer.namespace.up("q1")
    for bridge, name, other, number in ends:
        add_patch(appctl, bridge, name, other, number)
    yield
    peer.del_port("to-b")
    if isinstance(of, OvsNetdev):
        of.vsctl("del-br", "br-b")
    else:
        of.request("turnout/del-br", "br-b")


def add_patch(appctl: Appctl, bridge: str, name: str, peer: str, number: int) -> None:
    """One end of a pair of patch ports; number: OpenFlow's."""
    of = appctl.peer.of
    columns = "type=patch", f"options:peer={peer}", f"ofport_request={number}"
    if isinstance(of, OvsNetdev):
        of.vsctl("add-port", bridge, name, "--", "set", "interface", name, *columns)
    else:
        of.add_port(bridge, name, *columns)
