# SPDX-License-Identifier: Apache-2.0
"""Stock ovs-ofctl prints the same of Turnout as of Open vSwitch and ends with the same code."""

from pathlib import Path

import pytest

from tests.ofctl.cases import SCRIPTS
from tests.ofctl.script import Script, run
from tests.peers.switch import Peer

_CASES = [
    pytest.param(script, version, id=f"{script.name} ({version or 'default'})")
    for script in SCRIPTS
    for version in script.versions
]


@pytest.mark.parametrize(("script", "version"), _CASES)
def test_ofctl(ours: Peer, theirs: Peer, script: Script, version: str, tmp_path: Path) -> None:
    ours.reset()
    printed = run(ours, script, version, tmp_path / "ours")
    if script.differs:
        assert "= 0\n" in printed, printed
        return
    theirs.reset()
    assert printed == run(theirs, script, version, tmp_path / "theirs")
