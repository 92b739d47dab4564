# SPDX-License-Identifier: Apache-2.0
"""What others build on Open vSwitch: Mininet's networks, QEMU as libvirt starts it."""

from pathlib import Path

import pytest

from tests.vswitchd.conftest import Vswitchd
from turnout.lab.netns import Namespace
from turnout.lab.ovsdb import OvsdbServer
from turnout.lab.qemu import Guest, VhostUser
from turnout.lab.wait import until


def test_mininet(vswitchd: Vswitchd, database: OvsdbServer) -> None:
    """In a namespace, since its interfaces have common names such as s1-eth1."""
    with Namespace("mininet") as home:
        vswitchd.prefix = ("ip", "netns", "exec", home.name)
        vswitchd.start()
        script = str(Path(__file__).with_name("mininet_pings.py"))
        vswitchd.env.pop("PYTHONPATH")
        done = vswitchd.run("/usr/bin/python3", script)
        assert "lost: 0.0\n" in done.stdout, done.stdout + done.stderr
        assert "(56/56 received)" in done.stdout + done.stderr
        assert database.vsctl("list-br") == ""
        vswitchd.stop("--cleanup")


@pytest.mark.timeout(400)  # the first run downloads a kernel of 70 MB
def test_qemu_on_a_port_of_ovs_vsctl(vswitchd: Vswitchd, database: OvsdbServer) -> None:
    """Its vhost-user NIC, whose socket QEMU owns, and the bridge's own interface reach each other."""
    vswitchd.start()
    path = vswitchd.folder / "vhu0.sock"
    vswitchd.must(
        *("ovs-vsctl", "add-br", "tvbr0", "--", "add-port", "tvbr0", "vhu0", "--"),
        *("set", "interface", "vhu0", "type=dpdkvhostuserclient", f"options:vhost-server-path={path}"),
    )
    assert database.get("Interface", "vhu0", "link_state") == "down"
    with Namespace("near") as near, Guest([VhostUser(path, server=True)]) as guest:
        near.take("tvbr0", "10.0.0.1/24")
        guest.address("eth0", "10.0.0.2/24")
        until(lambda: database.get("Interface", "vhu0", "link_state") == "up", "the link in the database", 10)
        guest.ping("10.0.0.1")
        near.ping("10.0.0.2", wait=5)
        until(
            lambda: int(database.get("Interface", "vhu0", "statistics:rx_packets") or 0) >= 6, "counters", 10
        )
        vswitchd.must("ovs-vsctl", "del-br", "tvbr0")
