# SPDX-License-Identifier: Apache-2.0
"""Many bridges and ports come and go by ovs-vsctl, one by one, beside two ports with traffic."""

import os
from pathlib import Path

import pytest

from tests.control.conftest import Daemon
from tests.ovsdb.test_disturbed import ends, goes_on, stream
from turnout.lab.ovsdb import OvsdbServer
from turnout.lab.stream import Stream

__all__ = ["ends", "stream"]

_SLACK_KB = 4096  # the allocator's own


def descriptors(daemon: Daemon) -> int:
    assert daemon.process
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


def resident_kb(daemon: Daemon) -> int:
    assert daemon.process
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0])


@pytest.mark.parametrize(
    ("bridges", "ports"),
    [(10, 40), pytest.param(200, 1000, marks=[pytest.mark.lab, pytest.mark.timeout(1800)])],
)
def test_come_and_go(database: OvsdbServer, switch: Daemon, stream: Stream, bridges: int, ports: int) -> None:
    """Three times: all are there without an error, all go, nothing stays, no frame of others is lost."""
    sizes = []
    for _ in range(3):
        for number in range(bridges):
            database.line(f"add-br tds{number} -- set bridge tds{number} datapath_type=netdev")
        for number in range(ports):
            name = f"tdq{number}"
            database.line(f"add-port tds{number % bridges} {name} -- set interface {name} type=internal")
        assert database.line("--bare --columns=name find interface error!=[]") == ""
        assert (
            len(database.line("--bare --columns=name find interface ofport>0").split()) == bridges + ports + 3
        )
        goes_on(stream)
        for number in range(ports):
            database.vsctl("del-port", f"tdq{number}")
        for number in range(bridges):
            database.vsctl("del-br", f"tds{number}")
        sizes.append((descriptors(switch), resident_kb(switch)))
    assert sizes[2][0] == sizes[0][0]
    assert sizes[2][1] <= sizes[1][1] + _SLACK_KB
