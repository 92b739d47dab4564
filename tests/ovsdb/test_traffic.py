# SPDX-License-Identifier: Apache-2.0
"""Packets through what ovs-vsctl alone has set up, and their counters in the database."""

from tests.control.conftest import Daemon, wait_for
from turnout.lab.netns import Namespace, VethPair
from turnout.lab.ovsdb import OvsdbServer


def counter(database: OvsdbServer, interface: str, name: str) -> int:
    return int(database.get("Interface", interface, f"statistics:{name}") or 0)


def test_between_a_veth_and_the_bridge_itself(database: OvsdbServer, switch: Daemon) -> None:
    """A system interface on one side, on the other a VLAN's internal port."""
    assert switch.process
    with Namespace("a") as a, Namespace("b") as b, VethPair() as pair:
        a.take(pair.inner, "10.0.0.1/24")
        database.line(f"add-br tdbr0 -- add-port tdbr0 {pair.outer} tag=10")
        database.line("add-port tdbr0 tdb tag=10 -- set interface tdb type=internal")
        b.take("tdb", "10.0.0.2/24")
        wait_for(lambda: a.reaches("10.0.0.2"), "the first echo")
        database.vsctl("set", "port", "tdb", "tag=20")
        assert not a.reaches("10.0.0.2", wait=0.3)
        database.vsctl("set", "port", "tdb", "tag=10")
        wait_for(lambda: a.reaches("10.0.0.2"), "the first echo again")
        a.ping("10.0.0.2", count=5)
        for name in (pair.outer, "tdb"):
            wait_for(lambda name=name: counter(database, name, "rx_packets") >= 5, "counters")
            assert counter(database, name, "tx_bytes") > 0
            assert counter(database, name, "rx_errors") == 0
        database.vsctl("del-br", "tdbr0")


def test_over_a_patch(database: OvsdbServer, switch: Daemon) -> None:
    assert switch.process
    with Namespace("a") as a, Namespace("b") as b:
        for number, (bridge, name, space) in enumerate((("tdbr0", "tda", a), ("tdbr1", "tdb", b)), 1):
            database.line(f"add-br {bridge} -- add-port {bridge} {name} -- set interface {name} type=tap")
            space.take(name, f"10.0.0.{number}/24")
        database.line("add-port tdbr0 pa -- set interface pa type=patch options:peer=pb")
        database.line("add-port tdbr1 pb -- set interface pb type=patch options:peer=pa")
        wait_for(lambda: a.reaches("10.0.0.2"), "the first echo")
        database.vsctl("del-port", "pa")
        assert not a.reaches("10.0.0.2", wait=0.3)
