# SPDX-License-Identifier: Apache-2.0
"""Turnout and Open vSwitch side by side, each with its database, for the whole run."""

import os
from collections.abc import Iterator

import pytest

from tests.vsctl import peers
from tests.vsctl.peers import Peer


@pytest.fixture(scope="session")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    if os.geteuid() != 0:
        pytest.skip("not available here: needs root")
    with peers.turnout(tmp_path_factory.mktemp("r")) as peer:
        yield peer


@pytest.fixture(scope="session")
def theirs() -> Iterator[Peer]:
    with peers.ovs() as peer:
        peer.vsctl("clear", "Open_vSwitch", ".", "external_ids")
        yield peer
