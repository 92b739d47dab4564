# SPDX-License-Identifier: Apache-2.0
"""Turnout and Open vSwitch side by side, for the whole run."""

import os
from collections.abc import Iterator

import pytest

from tests.peers.switch import Peer, ovs, turnout


@pytest.fixture(scope="session")
def ours() -> Iterator[Peer]:
    """With SWITCH=ovs another Open vSwitch, to check the cases themselves."""
    with (ovs if os.environ.get("SWITCH") == "ovs" else turnout)() as peer:
        yield peer


@pytest.fixture(scope="session")
def theirs() -> Iterator[Peer]:
    with ovs() as peer:
        yield peer
