# SPDX-License-Identifier: Apache-2.0
"""The main job in a minute: two vhost-user guests and two namespaces through one switch, and what it says."""

import contextlib
import itertools
import os
import time

from turnout.lab.daemon import Daemon
from turnout.lab.netns import Namespace, iperf3
from turnout.lab.testpmd import Testpmd, virtio_user
from turnout.lab.wait import until

_MACS = ("02:00:00:00:00:01", "02:00:00:00:00:02")
_TRAFFIC = 3.0  # s of packets between the guests


def show() -> None:
    """Start, connect, pass traffic both ways, print a summary, clean up."""
    worker, *others = sorted(os.sched_getaffinity(0), reverse=True)
    with contextlib.ExitStack() as stack:
        switch = stack.enter_context(Daemon(cores=[worker]))
        print("# two guests' ports and two TAPs, the TAPs in network namespaces")
        _cli(switch, "add-br", "br0")
        for name in ("vm1", "vm2"):
            _cli(switch, "add-port", "br0", name, "type=vhost-user")
        hosts = [stack.enter_context(Namespace(name)) for name in ("h1", "h2")]
        for number, host in enumerate(hosts, start=1):
            where = ("options:iface=eth0", f"options:netns={host.name}")
            _cli(switch, "add-port", "br0", f"tap{number}", "type=tap", *where)
            host.up("eth0", f"10.0.0.{number}/24")

        guests = _guests(switch, stack, others or [worker])
        h1, h2 = hosts
        ping = h1.ping("10.0.0.2", count=20)
        print(f"\n# namespaces: ping {ping:.0f} µs, TCP {_tcp(h1, h2):.0f} and {_tcp(h2, h1):.0f} Mbit/s")
        guests[1].start()
        guests[0].start_with_burst(16)
        time.sleep(_TRAFFIC)
        print("\n# guests: 512 packets of 64 bytes bounce between them\n")
        for verb in ("show", "stats", "workers", "fdb", "drops"):
            _cli(switch, verb)
        received = [guest.port_stats().rx_packets for guest in guests]
        print(f"# guests received {received[0]:,} and {received[1]:,} packets")
    print("# all cleaned up")


def _guests(switch: Daemon, stack: contextlib.ExitStack, cores: list[int]) -> list[Testpmd]:
    guests = []
    for name, mac, peer, core in zip(
        ("vm1", "vm2"), _MACS, reversed(_MACS), itertools.cycle(cores), strict=False
    ):
        device = virtio_user(switch.rundir / name, mac=mac)
        guests.append(stack.enter_context(Testpmd([device], mode="macswap", core=core, eth_peers=[peer])))
    until(lambda: all(switch.port(name).link_up for name in ("vm1", "vm2")), "the guests are connected")
    return guests


def _tcp(client: Namespace, server: Namespace) -> float:
    address = "10.0.0.1" if server.name.endswith("h1") else "10.0.0.2"
    return sum(iperf3(server, client, address, seconds=1))


def _cli(switch: Daemon, *arguments: str) -> None:
    print("$ turnout", *arguments)
    if text := switch.cli(*arguments).strip():
        print(text, end="\n\n")
