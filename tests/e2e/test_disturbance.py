# SPDX-License-Identifier: Apache-2.0
"""Changing one port does not touch another, and nothing leaks: packets, buffers, descriptors, memory."""

import itertools

import pytest

from tests.e2e.conftest import GUEST_CORE, GuestFactory
from tests.e2e.test_guests import A, B, drain, exchange
from turnout.lab.daemon import Daemon
from turnout.lab.testpmd import Testpmd, virtio_user
from turnout.lab.wait import settled, until


def test_a_thousand_port_changes_lose_no_packet_of_a_pair(switch: Daemon, guest: GuestFactory) -> None:
    before = switch.show().mbufs_in_use
    a = guest("a", mode="macswap", peer=B)
    b = guest("b", mode="macswap", peer=A)
    exchange(a, b)
    kinds = ("type=null", "type=vhost-user", "type=null", "type=dpdk options:dpdk-devargs=net_ring7")
    for _, kind in zip(range(1000), itertools.cycle(kinds), strict=False):
        switch.add_port("br0", "other", *kind.split())
        switch.del_port("other")
    moved = a.port_stats().rx_packets
    until(lambda: a.port_stats().rx_packets > moved, "still exchanging")
    drain(a, b)
    of_a, of_b, switch_a, switch_b = a.port_stats(), b.port_stats(), switch.stats("a"), switch.stats("b")
    assert of_a.tx_packets == switch_a.rx_packets == switch_b.tx_packets == of_b.rx_packets > 10_000
    assert of_b.tx_packets == switch_b.rx_packets == switch_a.tx_packets == of_a.rx_packets > 10_000
    assert switch.drops() == {}
    a.close()
    b.close()
    until(lambda: switch.show().mbufs_in_use == before, f"mbufs in use back to {before}")


@pytest.mark.parametrize(
    "cycles", [20, pytest.param(200, marks=[pytest.mark.lab, pytest.mark.timeout(900)])]
)  # fmt: skip
def test_guests_that_crash_and_return_leave_nothing_behind(switch: Daemon, cycles: int) -> None:
    """Neither file descriptors nor memory nor mbufs grow, whichever side owns the socket."""
    ours, theirs = switch.rundir / "ours.sock", switch.rundir / "theirs.sock"
    switch.add_port("br0", "ours", "type=vhost-user", f"options:path={ours}")
    switch.add_port("br0", "theirs", "type=vhost-user-client", f"options:path={theirs}")

    def both(up: bool) -> bool:
        return all(switch.port(name).link_up == up for name in ("ours", "theirs"))

    def cycle() -> None:
        theirs.unlink(missing_ok=True)
        vdevs = [virtio_user(ours, index=0), virtio_user(theirs, server=True, index=1)]
        with Testpmd(vdevs, mode="txonly", core=GUEST_CORE) as guest:
            until(lambda: both(up=True), "links up")
            start = switch.stats("ours").rx_packets
            guest.start()
            until(lambda: switch.stats("ours").rx_packets > start + 1000, "traffic")
            guest.kill()
        until(lambda: both(up=False), "links down")

    for _ in range(5):  # caches and pools fill
        cycle()
    settled(switch.descriptors)
    descriptors, memory, mbufs = switch.descriptors(), switch.resident_kb(), switch.show().mbufs_in_use
    for _ in range(cycles):
        cycle()
    settled(switch.descriptors)
    assert switch.descriptors() <= descriptors
    assert switch.show().mbufs_in_use <= mbufs
    assert switch.resident_kb() < memory + 1024
