# SPDX-License-Identifier: Apache-2.0
"""One switch for all cases: Turnout, or with SWITCH=ovs Open vSwitch, to check the cases themselves."""

import os
from collections.abc import Iterator

import pytest

from tests.peers.frames import Wires
from tests.peers.switch import Peer, ovs, turnout


@pytest.fixture(scope="session")
def peer() -> Iterator[Peer]:
    with (ovs if os.environ.get("SWITCH") == "ovs" else turnout)() as switch:
        yield switch


@pytest.fixture(scope="session")
def wires(peer: Peer) -> Iterator[Wires]:
    with Wires(peer) as ends:
        yield ends
