# SPDX-License-Identifier: Apache-2.0
"""What a switch costs when nothing happens, and how fast it then answers."""

import contextlib
import os
import tempfile
import time
from pathlib import Path
from typing import Final

from turnout.bench.contenders import Port, start
from turnout.bench.results import Idle
from turnout.bench.scenarios import ContenderName
from turnout.lab.netns import Namespace
from turnout.lab.threads import cpu_seconds

_MBUFS: Final = 65_536
_PINGS: Final = 50
_PING_INTERVAL_S: Final = 0.1  # long enough for a worker to fall asleep in between
_QUIET_S: Final = 0.5


def idle(name: ContenderName, round: int, window: float) -> Idle:
    """Two namespaces behind TAP ports: CPU of the whole daemon over `window` seconds, then lone pings.

    A third port waits for a guest that never comes: without any DPDK port Open vSwitch has no polling thread.
    """
    with tempfile.TemporaryDirectory(prefix="turnout-bench-") as folder, contextlib.ExitStack() as stack:
        taps = [Port(f"tb{os.getpid()}{side}", tap=True) for side in "ab"]
        ports = [*taps, Port("vm", socket=Path(folder) / "vm.sock")]
        contender = stack.enter_context(start(name, ports, _MBUFS))
        hosts = [stack.enter_context(Namespace("idle")) for _ in taps]
        for number, (host, port) in enumerate(zip(hosts, taps, strict=True), start=1):
            host.take(port.name, f"10.99.0.{number}/24")
        hosts[0].ping("10.99.0.2")
        time.sleep(_QUIET_S)
        before, started = cpu_seconds(contender.pid), time.monotonic()
        time.sleep(window)
        share = (cpu_seconds(contender.pid) - before) / (time.monotonic() - started)
        ping = hosts[0].ping("10.99.0.2", count=_PINGS, interval=_PING_INTERVAL_S)
        return Idle(name, round, cpu_percent=100 * share, ping_us=ping)
