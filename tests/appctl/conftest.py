# SPDX-License-Identifier: Apache-2.0
"""Stock ovs-appctl on a Turnout daemon, and on an Open vSwitch beside it."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.peers.switch import Answer, Peer, ovs, turnout
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
