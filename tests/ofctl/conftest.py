# SPDX-License-Identifier: Apache-2.0
"""Turnout and Open vSwitch side by side, for the whole run."""

from collections.abc import Iterator

import pytest

from tests.peers.switch import Peer, ovs, turnout


@pytest.fixture(scope="session")
def ours() -> Iterator[Peer]:
    with turnout() as peer:
        yield peer


@pytest.fixture(scope="session")
def theirs() -> Iterator[Peer]:
    with ovs() as peer:
        yield peer
