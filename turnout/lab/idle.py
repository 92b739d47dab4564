# SPDX-License-Identifier: Apache-2.0
"""An idle daemon's cost, default settings, and how fast it answers a lone packet."""

import sys
import time

from turnout.lab.daemon import Daemon
from turnout.lab.netns import Namespace
from turnout.lab.threads import cpu_seconds

CPU_BOUND = 3.0  # % of one core, all threads
PING_BOUND = 300.0  # µs, median
_WINDOW = 5.0  # s


def show() -> None:
    """Print both figures; exit status 1 if one is beyond its bound."""
    with Daemon() as switch, Namespace("a") as a, Namespace("b") as b:
        switch.add_bridge("br0")
        for number, namespace in enumerate((a, b), start=1):
            where = ("options:iface=eth0", f"options:netns={namespace.name}")
            switch.add_port("br0", f"tap{number}", "type=tap", *where)
            namespace.up("eth0", f"10.0.0.{number}/24")
        a.ping("10.0.0.2")
        time.sleep(1)
        before, start = cpu_seconds(switch.pid), time.monotonic()
        time.sleep(_WINDOW)
        cpu = 100 * (cpu_seconds(switch.pid) - before) / (time.monotonic() - start)
        ping = a.ping("10.0.0.2", count=100, interval=0.05)
    print(f"idle daemon    {cpu:6.2f} % of one core   (bound {CPU_BOUND:g})")
    print(f"lone ping      {ping:6.0f} µs median       (bound {PING_BOUND:g})")
    if cpu > CPU_BOUND or ping > PING_BOUND:
        sys.exit(1)
