# SPDX-License-Identifier: Apache-2.0
"""Packets in, packets out, as the standard's text says; the cases are in the files beside this one."""

import pytest

from tests.peers.frames import Wires
from tests.peers.switch import Peer
from tests.semantics.action_cases import ACTIONS
from tests.semantics.case import Case, play
from tests.semantics.instruction_cases import PIPELINES
from tests.semantics.match_cases import MATCHES, PRECEDENCE

_CASES = [one for case in (*MATCHES, *PRECEDENCE, *ACTIONS, *PIPELINES) for one in case.each_version()]


@pytest.mark.parametrize("case", _CASES, ids=lambda case: f"{case.name} ({case.versions[0][8:]})")
def test_packets(peer: Peer, wires: Wires, case: Case) -> None:
    if peer.name == "ovs" and case.not_ovs:
        pytest.skip(case.not_ovs)
    play(peer, wires, case)
