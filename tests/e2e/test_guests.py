# SPDX-License-Identifier: Apache-2.0
"""Guests on vhost-user: packets both ways, both roles of the socket, several queues, crashes and restarts."""

import pytest

from tests.e2e.conftest import GuestFactory
from turnout.lab.daemon import Daemon
from turnout.lab.testpmd import Testpmd
from turnout.lab.wait import settled, until

A, B = "02:00:00:00:00:01", "02:00:00:00:00:02"


def exchange(a: Testpmd, b: Testpmd) -> None:
    """Bounce 256 packets a queue, few enough for every ring, between macswap guests until told to stop."""
    b.start()
    a.start_with_burst(8)


def drain(a: Testpmd, b: Testpmd) -> None:
    """Let the loop run dry: b stops sending, then both only receive what is still on its way."""
    for guest in (b, a):
        guest.stop()
        guest.set_mode("rxonly")
        guest.start()
    settled(lambda: (a.port_stats().rx_packets, b.port_stats().rx_packets))


@pytest.mark.parametrize("server", [False, True], ids=["vhost-user", "vhost-user-client"])
def test_packets_both_ways_and_counters_agree(switch: Daemon, guest: GuestFactory, server: bool) -> None:
    a = guest("a", mode="macswap", peer=B, server=server)
    b = guest("b", mode="macswap", peer=A, server=server)
    exchange(a, b)
    until(lambda: a.port_stats().rx_packets > 10_000, "10,000 packets came back", timeout=20)
    drain(a, b)
    of_a, of_b, switch_a, switch_b = a.port_stats(), b.port_stats(), switch.stats("a"), switch.stats("b")
    assert of_a.tx_packets == switch_a.rx_packets == switch_b.tx_packets == of_b.rx_packets
    assert of_b.tx_packets == switch_b.rx_packets == switch_a.tx_packets == of_a.rx_packets
    assert of_a.tx_bytes == switch_a.rx_bytes == switch_b.tx_bytes == of_b.rx_bytes
    assert switch.drops() == {}
    assert {(entry.port, entry.mac) for entry in switch.fdb()} == {("a", A), ("b", B)}


def test_every_queue_of_a_guest_carries(switch: Daemon, guest: GuestFactory) -> None:
    a = guest("a", mode="macswap", peer=B, queues=2)
    b = guest("b", mode="macswap", peer=A, queues=2)
    exchange(a, b)
    until(lambda: b.port_stats().rx_packets > 10_000, "10,000 packets", timeout=20)
    drain(a, b)
    sent = a.queue_packets("tx")
    assert len(sent) == 2
    assert min(sent) > 0
    assert sum(sent) == switch.stats("a").rx_packets == switch.stats("b").tx_packets


@pytest.mark.parametrize("server", [False, True], ids=["vhost-user", "vhost-user-client"])
def test_guest_killed_and_started_again(switch: Daemon, guest: GuestFactory, server: bool) -> None:
    a = guest("a", mode="txonly", peer=B, server=server)
    b = guest("b", mode="rxonly", server=server)
    b.start()
    a.start()
    until(lambda: b.port_stats().rx_packets > 1000, "traffic")
    a.kill()
    until(lambda: not switch.port("a").link_up, "the switch notices")
    b.clear_stats()
    again = guest("a", mode="txonly", peer=B, server=server, new_port=False)
    again.start()
    until(lambda: b.port_stats().rx_packets > 1000, "traffic again")


def test_port_removed_and_added_again_finds_the_guest_that_owns_the_socket(
    switch: Daemon, guest: GuestFactory
) -> None:
    a = guest("a", mode="txonly", peer=B, server=True)
    b = guest("b", mode="rxonly")
    a.start()
    b.start()
    until(lambda: b.port_stats().rx_packets > 1000, "traffic")
    switch.del_port("a")
    b.clear_stats()
    switch.add_port("br0", "a", "type=vhost-user-client", f"options:path={switch.rundir}/a.sock")
    until(lambda: b.port_stats().rx_packets > 1000, "traffic again")
