# SPDX-License-Identifier: Apache-2.0
"""The daemon crashes and is started again: bridges, ports, guests and traffic come back."""

from tests.e2e.conftest import GuestFactory, HostFactory
from tests.e2e.test_guests import B
from turnout.lab.daemon import Daemon
from turnout.lab.netns import Namespace
from turnout.lab.testpmd import Testpmd
from turnout.lab.wait import until
from turnout.results import BridgeView


def flows(receiver: Testpmd) -> None:
    """Wait until the receiver has got 100 more packets."""
    start = receiver.port_stats().rx_packets
    until(lambda: receiver.port_stats().rx_packets > start + 100, "traffic", timeout=15)


def configured(bridge: BridgeView) -> tuple[object, ...]:
    ports = [(port.name, port.type, port.options, port.tag) for port in bridge.ports]
    return bridge.name, bridge.mac_aging, ports


def test_daemon_killed_and_started_again(switch: Daemon, guest: GuestFactory) -> None:
    a = guest("a", mode="txonly", peer=B, server=True)
    b = guest("b", mode="rxonly", server=True)
    switch.add_bridge("br1", "mac_aging=7")
    switch.add_port("br1", "sink", "type=null", "tag=7")
    b.start()
    a.start()
    flows(b)
    before = switch.show().bridges
    switch.kill()
    switch.start()
    flows(b)

    def configured(bridges: object) -> object:
        return [
            (br.name, br.mac_aging, [(p.name, p.type, p.options, p.tag) for p in br.ports]) for br in bridges
        ]  # type: ignore[attr-defined]

    assert configured(switch.show().bridges) == configured(before)


def test_taps_outlive_a_crash_with_their_addresses(switch: Daemon, host: HostFactory) -> None:
    a, b = host("a"), host("b")
    a.namespace.ping(b.address)
    macs = a.mac, b.mac
    switch.kill()
    switch.start()
    assert (a.mac, b.mac) == macs
    a.namespace.ping(b.address)


def test_either_side_of_a_vhost_user_client_link_restarts(switch: Daemon, guest: GuestFactory) -> None:
    a = guest("a", mode="txonly", peer=B, server=True)
    b = guest("b", mode="rxonly")
    b.start()
    a.start()
    flows(b)
    switch.del_port("a")
    switch.add_port("br0", "a", "type=vhost-user-client", f"options:path={switch.rundir}/a.sock")
    flows(b)
    a.kill()
    until(lambda: not switch.port("a").link_up, "the switch notices")
    again = guest("a", mode="txonly", peer=B, server=True, new_port=False)
    again.start()
    flows(b)


def test_a_port_that_cannot_come_back_does_not_keep_others_from_it(switch: Daemon, host: HostFactory) -> None:
    a, b = host("a"), host("b")
    with Namespace("gone") as gone:
        switch.add_port("br0", "far", "type=tap", "options:iface=eth0", f"options:netns={gone.name}")
        switch.kill()
    switch.start()
    assert gone.name in switch.port("far").error
    a.namespace.ping(b.address)
