# SPDX-License-Identifier: Apache-2.0
"""How long guests are without traffic when their switch is killed and started again."""

import contextlib
import os
import tempfile
import time
from pathlib import Path
from typing import Final

from turnout.bench.contenders import CONTROL_CORE, Port, start
from turnout.bench.results import Outage
from turnout.bench.scenarios import ContenderName
from turnout.lab.console import LabError
from turnout.lab.testpmd import Testpmd, virtio_user

_MACS: Final = ("02:00:00:00:00:a0", "02:00:00:00:00:a1")
_MBUFS: Final = 65_536
_DEADLINE_S: Final = 30.0
_STILL_S: Final = 0.05  # a pause as long as this is the outage, not the guest waiting for its core
_POLITE: Final = 19


def outage(name: ContenderName, round: int) -> Outage:
    """Two ports of one guest send to each other as fast as they can while the switch dies and comes back.

    LabError if traffic doesn't flow before, or not again within 30 s.
    """
    with tempfile.TemporaryDirectory(prefix="turnout-bench-") as folder, contextlib.ExitStack() as stack:
        sockets = [Path(folder) / "a.sock", Path(folder) / "b.sock"]
        ports = [Port("a", socket=sockets[0]), Port("b", socket=sockets[1])]
        contender = stack.enter_context(start(name, ports, _MBUFS))
        guest = stack.enter_context(
            Testpmd(
                [virtio_user(path, server=True, mac=mac, index=index)
                 for index, (path, mac) in enumerate(zip(sockets, _MACS, strict=True))],
                mode="flowgen",
                core=CONTROL_CORE,
                eth_peers=tuple(reversed(_MACS)),
            )
        )  # fmt: skip
        for port in range(len(ports)):
            guest.wait_link(port)
        guest.start()
        # The guest shares its core with the switch's start, as no real guest would: let it give way.
        for thread in os.listdir(f"/proc/{guest.pid}/task"):
            os.setpriority(os.PRIO_PROCESS, int(thread), _POLITE)
        _wait_for_packets(guest, _received(guest))
        contender.crash()
        last, count = time.monotonic(), _received(guest)
        while time.monotonic() - last < _STILL_S:  # what lies in the guest's ring still arrives
            if (now := _received(guest)) != count:
                last, count = time.monotonic(), now
        contender.restart()
        return Outage(name, round, (_wait_for_packets(guest, count) - last) * 1000)


def _wait_for_packets(guest: Testpmd, count: int) -> float:
    """When the guest's second port has received more than `count` packets. s, monotonic clock."""
    deadline = time.monotonic() + _DEADLINE_S
    while _received(guest) <= count:
        if time.monotonic() > deadline:
            raise LabError(f"no guest traffic through the switch after {_DEADLINE_S:g} s")
        # virtio-user takes a new connection only when asked for its link.
        for port in range(2):
            guest.link_up(port)
    return time.monotonic()


def _received(guest: Testpmd) -> int:
    return guest.port_stats(1).rx_packets
