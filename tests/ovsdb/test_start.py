# SPDX-License-Identifier: Apache-2.0
"""What of the database only a start can make so."""

import logging
import os
import signal

import pytest

from turnout.config.model import Config
from turnout.lab.ovsdb import OvsdbServer
from turnout.ovsdb import start


def test_look(database: OvsdbServer) -> None:
    cpu = min(os.sched_getaffinity(0))
    database.vsctl("--no-wait", "set", "Open_vSwitch", ".", f"other_config:pmd-cpu-mask={1 << cpu:x}")
    for remote in (database.remote, f"unix:/none,{database.remote}"):
        assert start.look(remote) == start.Start(settings={"cores": [cpu]})


@pytest.mark.timeout(20)
def test_a_server_that_never_answers(database: OvsdbServer, caplog: pytest.LogCaptureFixture) -> None:
    """As one that is stopped: it does not keep the switch from starting."""
    database.signal(signal.SIGSTOP)
    assert start.look(database.remote) == start.Start()
    assert [record.getMessage() for record in caplog.records] == [
        f"{database.remote}: starting without its CPUs and OpenFlow port numbers: Connection timed out"
    ]


def test_more_cores_than_a_switch_can_have(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert start.cores("f0", range(16)) == [4, 5, 6, 7]
        assert not caplog.records
        many = start.cores("f" * 25, range(100))
        high = start.cores("f" + "0" * 256 + "1", range(2000))
    assert Config(cores=tuple(many)).cores == tuple(range(64))
    assert Config(cores=tuple(high)).cores == (0,)
    assert [record.getMessage().partition(" a switch can ")[2] for record in caplog.records] == [
        f"have 64 up to CPU 1023: taking {many}",
        "have 64 up to CPU 1023: taking [0]",
    ]
