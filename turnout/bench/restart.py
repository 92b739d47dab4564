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

_SENDER_MAC: Final = "02:00:00:00:00:a0"
_RECEIVER_MAC: Final = "02:00:00:00:00:a1"
_MBUFS: Final = 65_536
_DEADLINE_S: Final = 30.0
_UNDER_WAY_S: Final = 0.5
_STILL_S: Final = 0.05  # a pause as long as this is the outage, not a guest waiting for its core
_POLITE: Final = 10  # nice


def outage(name: ContenderName, round: int) -> Outage:
    """A guest sends to another as fast as it can while the switch between them dies and comes back.

    LabError if traffic doesn't flow before, or not again within 30 s.
    """
    with tempfile.TemporaryDirectory(prefix="turnout-bench-") as folder, contextlib.ExitStack() as stack:
        sockets = [Path(folder) / "a.sock", Path(folder) / "b.sock"]
        ports = [Port("a", socket=sockets[0]), Port("b", socket=sockets[1])]
        contender = stack.enter_context(start(name, ports, _MBUFS))
        nics = [virtio_user(path, server=True, mac=mac)
                for path, mac in zip(sockets, (_SENDER_MAC, _RECEIVER_MAC), strict=True)]  # fmt: skip
        sender = stack.enter_context(
            Testpmd(nics[:1], mode="txonly", core=CONTROL_CORE, eth_peers=[_RECEIVER_MAC])
        )
        receiver = stack.enter_context(Testpmd(nics[1:], mode="macswap", core=CONTROL_CORE))
        for guest in (receiver, sender):
            # Its complaints about the lost switch would run into the prompt.
            guest.command("set log pmd.net.virtio.driver 1")
            guest.wait_link()
            guest.start()
            # Guests share their core with the switch's start, as no real guest would: let them give way.
            for thread in os.listdir(f"/proc/{guest.pid}/task"):
                os.setpriority(os.PRIO_PROCESS, int(thread), _POLITE)
        _wait_for_packets(sender, receiver, _received(receiver))
        time.sleep(_UNDER_WAY_S)
        contender.crash()
        last, count = time.monotonic(), _received(receiver)
        while time.monotonic() - last < _STILL_S:  # what lies in the guest's ring still arrives
            if (now := _received(receiver)) != count:
                last, count = time.monotonic(), now
        contender.restart()
        return Outage(name, round, (_wait_for_packets(sender, receiver, count) - last) * 1000)


def _wait_for_packets(sender: Testpmd, receiver: Testpmd, count: int) -> float:
    """When the receiver has got more than `count` packets. s, monotonic clock."""
    deadline = time.monotonic() + _DEADLINE_S
    while _received(receiver) <= count:
        if time.monotonic() > deadline:
            raise LabError(f"no guest traffic through the switch after {_DEADLINE_S:g} s")
        # virtio-user takes a new connection only when asked for its link.
        sender.link_up()
        receiver.link_up()
    return time.monotonic()


def _received(guest: Testpmd) -> int:
    return guest.port_stats().rx_packets
