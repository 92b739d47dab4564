# SPDX-License-Identifier: Apache-2.0
"""One database under Open vSwitch, Turnout and Open vSwitch again."""

from tests.vswitchd.conftest import Vswitchd
from turnout.lab.netns import Namespace
from turnout.lab.ovsdb import OvsdbServer

THEIRS = "/usr/lib/openvswitch-switch/ovs-vswitchd"


def test_there_and_back(vswitchd: Vswitchd, database: OvsdbServer) -> None:
    """Internal interfaces keep their addresses, ports their OpenFlow numbers, whoever has made them."""
    with Namespace("succession") as home:
        vswitchd.prefix = ("ip", "netns", "exec", home.name)

        def address(interface: str) -> str:
            return home.ip("-4", "-o", "addr", "show", "dev", interface)

        def theirs() -> None:
            vswitchd.must(THEIRS, "--pidfile", "--detach", "--disable-system", "--log-file", "-vconsole:off")

        theirs()
        vswitchd.must("ovs-vsctl", "add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev")
        for port in ("tva", "tvb"):
            vswitchd.must(*f"ovs-vsctl add-port br0 {port} -- set interface {port} type=internal".split())
        vswitchd.must("ovs-vsctl", "del-port", "tva")
        home.up("br0", "10.99.3.1/24")
        vswitchd.stop()

        vswitchd.start()
        assert "10.99.3.1/24" in address("br0")
        assert database.get("Interface", "tvb", "ofport") == "2"
        vswitchd.must("ovs-vsctl", "add-br", "br1", "--", "set", "bridge", "br1", "datapath_type=netdev")
        vswitchd.must("ovs-vsctl", "add-port", "br0", "tva", "--", "set", "interface", "tva", "type=internal")
        home.up("br1", "10.99.4.1/24")
        numbers = [database.get("Interface", name, "ofport") for name in ("tva", "tvb")]
        vswitchd.stop()

        theirs()
        for bridge, expected in (("br0", "10.99.3.1/24"), ("br1", "10.99.4.1/24")):
            assert database.get("Interface", bridge, "error") == ""
            assert database.get("Interface", bridge, "ofport") == "65534"
            assert expected in address(bridge)
        assert numbers == [database.get("Interface", name, "ofport") for name in ("tva", "tvb")]
        vswitchd.stop()

        vswitchd.start()
        vswitchd.must("ovs-vsctl", "del-br", "br0")
        vswitchd.stop("--cleanup")
        left = {line.split(":")[1].strip() for line in home.ip("-o", "link").splitlines()}
        assert left == {"lo", "ovs-netdev"}  # Open vSwitch's
