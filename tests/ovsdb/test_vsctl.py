# SPDX-License-Identifier: Apache-2.0
"""Debian's ovs-vsctl against the switch. It returns when the switch has done what it says."""

import socket
import subprocess
from collections.abc import Callable

import msgspec
import pytest

from tests.control.conftest import Daemon, wait_for
from turnout.lab.console import LabError
from turnout.lab.netns import Namespace
from turnout.lab.ovsdb import OvsdbServer
from turnout.results import BridgeView, PortView, SwitchView

pytestmark = pytest.mark.usefixtures("switch")


def bridge(switch: Daemon, name: str) -> BridgeView:
    view = msgspec.json.decode(switch("turnout/show"), type=SwitchView)
    return next(b for b in view.bridges if b.name == name)


def port(switch: Daemon, name: str, on: str = "tdbr0") -> PortView:
    return next(p for p in bridge(switch, on).ports if p.name == name)


def test_bridges_and_ports_come_and_go(database: OvsdbServer, switch: Daemon) -> None:
    vsctl = database.vsctl
    vsctl("add-br", "tdbr0")
    vsctl("add-port", "tdbr0", "tdp0", "--", "set", "interface", "tdp0", "type=internal", "ofport_request=7")
    assert vsctl("list-ports", "tdbr0") == "tdp0"
    assert database.get("Interface", "tdp0", "ofport") == "7"
    assert database.get("Interface", "tdbr0", "ofport") == "65534"
    assert [(p.name, p.type) for p in bridge(switch, "tdbr0").ports] == [
        ("tdbr0", "internal"),
        ("tdp0", "internal"),
    ]
    vsctl("--may-exist", "add-br", "tdbr0", "--", "--if-exists", "del-port", "tdbr0", "tdp0")
    assert [p.name for p in bridge(switch, "tdbr0").ports] == ["tdbr0"]
    vsctl("del-br", "tdbr0")
    assert msgspec.json.decode(switch("turnout/show"), type=SwitchView).bridges == ()


def test_what_the_switch_says_of_itself(database: OvsdbServer) -> None:
    database.vsctl(
        "add-br", "tdbr0", "--", "set", "bridge", "tdbr0", "other_config:datapath-id=00000000000000ab"
    )
    assert database.get("Open_vSwitch", ".", "dpdk_initialized") == "true"
    assert database.get("Open_vSwitch", ".", "dpdk_version").startswith("DPDK 2")
    assert "dpdkvhostuserclient" in database.get("Open_vSwitch", ".", "iface_types")
    assert "netdev" in database.get("Open_vSwitch", ".", "datapath_types")
    assert database.get("Open_vSwitch", ".", "cur_cfg") == database.get("Open_vSwitch", ".", "next_cfg")
    assert database.get("Open_vSwitch", ".", "db_version")[0].isdigit()
    assert database.get("Bridge", "tdbr0", "datapath_id") == "00000000000000ab"
    database.vsctl("remove", "bridge", "tdbr0", "other_config", "datapath-id")
    assert database.get("Bridge", "tdbr0", "datapath_id").startswith("000002")


def test_vlans(database: OvsdbServer, switch: Daemon) -> None:
    vsctl = database.vsctl
    vsctl("add-br", "tdbr0")
    vsctl("add-port", "tdbr0", "n0", "tag=10", "--", "set", "interface", "n0", "type=null")
    assert (port(switch, "n0").tag, port(switch, "n0").vlan_mode) == (10, "access")
    vsctl("set", "port", "n0", "tag=11", "trunks=20,21", "vlan_mode=native-tagged")
    found = port(switch, "n0")
    assert (found.tag, found.trunks, found.vlan_mode) == (11, (20, 21), "native-tagged")
    vsctl("clear", "port", "n0", "tag", "vlan_mode", "--", "clear", "port", "n0", "vlan_mode")
    found = port(switch, "n0")
    assert (found.tag, found.trunks, found.vlan_mode) == (None, (20, 21), "trunk")
    vsctl("set", "port", "n0", "tag=12")
    assert (port(switch, "n0").tag, port(switch, "n0").trunks) == (12, ()), "as ovs-vswitchd reads it"
    assert "trunks" in database.get("Interface", "n0", "error")
    vsctl("clear", "port", "n0", "trunks")
    assert database.get("Interface", "n0", "error") == ""
    vsctl("set", "port", "n0", "tag=4095")
    assert port(switch, "n0").tag == 4095, "OpenStack's VLAN of ports that are to hear nothing"
    vsctl("set", "port", "n0", "tag=0")
    assert (port(switch, "n0").tag, port(switch, "n0").vlan_mode) == (0, "access")


def test_each_type(database: OvsdbServer, switch: Daemon) -> None:
    vsctl, folder = database.vsctl, switch.folder
    vsctl("add-br", "tdbr0", "--", "add-br", "tdbr1")
    for name, *settings in (
        ("tdint", "type=internal", "mtu_request=1400"),
        ("tdtap", "type=tap"),
        ("tddpdk", "type=dpdk", "options:dpdk-devargs=net_null7,no-rx=1", "options:n_rxq=2"),
        ("tdsrv", "type=dpdkvhostuser"),
        ("tdcli", "type=dpdkvhostuserclient", f"options:vhost-server-path={folder}/cli.sock"),
        ("tdpa", "type=patch", "options:peer=tdpb"),
    ):
        vsctl("add-port", "tdbr0", name, "--", "set", "interface", name, *settings)
        lonely = name == "tdpa"
        assert database.get("Interface", name, "error").startswith("No usable peer" if lonely else "")
        assert int(database.get("Interface", name, "ofport")) > 0
        assert database.get("Interface", name, "admin_state") == "up"
    vsctl("add-port", "tdbr1", "tdpb", "--", "set", "interface", "tdpb", "type=patch", "options:peer=tdpa")
    assert database.get("Interface", "tdpa", "error") == ""
    assert database.get("Interface", "tdsrv", "status:mode") == "server"
    assert (folder / "tdsrv").is_socket(), "the switch makes it, in its run directory"
    assert port(switch, "tddpdk").n_rxq == 2
    assert database.get("Interface", "tdint", "mtu") == "1400"
    assert database.get("Interface", "tdint", "mac_in_use") == port(switch, "tdint").mac
    assert database.get("Interface", "tdcli", "link_state") == "down"
    assert database.get("Interface", "tdpa", "link_state") == "up"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (("type=vxlan", "options:remote_ip=192.0.2.1"), "vxlan is not implemented yet"),
        (("type=nonsense",), "unknown type nonsense"),
        (("type=dpdkvhostuserclient",), "vhost-server-path: missing"),
        (("type=system",), "no interface tdbad on this host"),
        (("type=dpdk",), "dpdk-devargs: missing"),
        (("type=null", "options:size=3"), "expected 60..9000"),
    ],
)
def test_what_cannot_be_is_said_in_its_row(
    database: OvsdbServer, switch: Daemon, settings: tuple[str, ...], said: str
) -> None:
    database.vsctl("add-br", "tdbr0")
    database.vsctl("add-port", "tdbr0", "tdbad", "--", "set", "interface", "tdbad", *settings)
    assert said in database.get("Interface", "tdbad", "error")
    assert database.get("Interface", "tdbad", "ofport") == "-1"
    database.vsctl("add-port", "tdbr0", "tdgood", "--", "set", "interface", "tdgood", "type=null")
    assert not port(switch, "tdgood").error
    database.vsctl("set", "interface", "tdbad", "type=null", "options={}")
    assert database.get("Interface", "tdbad", "error") == ""
    assert not port(switch, "tdbad").error


def test_what_has_no_effect_yet_is_said_and_the_rest_works(database: OvsdbServer, switch: Daemon) -> None:
    database.line("add-br tdbr0 -- set bridge tdbr0 stp_enable=true mcast_snooping_enable=true")
    database.line("add-port tdbr0 n0 -- set interface n0 type=null ingress_policing_rate=1000")
    assert "ingress_policing_rate: not implemented yet" in database.get("Interface", "n0", "error")
    assert port(switch, "n0").link_up
    database.line("add-bond tdbr0 bond0 b0 b1 -- set interface b0 type=null -- set interface b1 type=null")
    for name in ("b0", "b1"):
        assert "bonds are not implemented yet" in database.get("Interface", name, "error")
        assert database.get("Interface", name, "ofport") == "-1"
    database.line("-- --id=@m create mirror name=m select_all=true -- add bridge tdbr0 mirrors @m")
    _, log = switch.stop()
    for what in ("stp_enable", "mcast_snooping_enable", "mirrors"):
        assert log.count(f"bridge.tdbr0.{what}: not implemented yet") == 1, log


def test_settings_of_bridges(database: OvsdbServer, switch: Daemon) -> None:
    database.vsctl(
        *("add-br", "tdbr0", "--", "set", "bridge", "tdbr0", "other_config:mac-aging-time=60"),
        *("other_config:mac-table-size=100", "fail_mode=secure", "other_config:hwaddr=02:00:00:00:00:aa"),
    )
    found = bridge(switch, "tdbr0")
    assert (found.mac_aging, found.mac_table_size, found.fail_mode) == (60, 100, "secure")
    assert database.get("Interface", "tdbr0", "mac_in_use") == "02:00:00:00:00:aa"
    database.vsctl("set", "bridge", "tdbr0", "other_config:mac-aging-time=soon")
    assert bridge(switch, "tdbr0").mac_aging == 300


def test_limits_of_flow_tables(database: OvsdbServer, switch: Daemon) -> None:
    def add(table: int, number: int) -> bool:
        flow = f"table={table},priority={number},idle_timeout=60,actions=drop"
        where = f"unix:{switch.folder}/tdbr0.mgmt"
        return subprocess.run(["ovs-ofctl", "add-flow", where, flow], capture_output=True).returncode == 0

    database.line("add-br tdbr0 -- set-fail-mode tdbr0 secure")
    database.line(
        "-- --id=@a create flow_table flow_limit=1"
        " -- --id=@b create flow_table flow_limit=1 overflow_policy=evict"
        " -- set bridge tdbr0 flow_tables:1=@a flow_tables:2=@b"
    )
    assert [add(1, 1), add(1, 2), add(2, 1), add(2, 2), add(3, 1), add(3, 2)] == [True, False, *[True] * 4]
    database.line("clear bridge tdbr0 flow_tables")
    assert add(1, 2)


def test_a_changed_tap_keeps_its_addresses(database: OvsdbServer, switch: Daemon) -> None:
    """Whatever of it changes, but an internal one's queues: `ip` has set it up, and is not asked again."""

    def addresses(name: str) -> str:
        return subprocess.run(["ip", "addr", "show", name], capture_output=True, text=True, check=True).stdout

    assert switch.process
    database.line("add-br tdbr0 -- add-port tdbr0 tdp0 -- set interface tdp0 type=internal")
    database.line("add-port tdbr0 tdp1 -- set interface tdp1 type=tap")
    index = database.get("Interface", "tdbr0", "ifindex")
    for number, name in enumerate(("tdbr0", "tdp0", "tdp1")):
        subprocess.run(["ip", "addr", "add", f"192.0.2.{number}/30", "dev", name], check=True)
    database.line(
        "set bridge tdbr0 other_config:hwaddr=02:00:00:00:00:aa -- set interface tdbr0 mtu_request=1400"
    )
    database.line("set interface tdp0 mtu_request=1300")
    database.line("set interface tdp1 mtu_request=1300 options:n_rxq=2")
    assert "192.0.2.0" in addresses("tdbr0")
    assert "mtu 1400" in addresses("tdbr0")
    assert "02:00:00:00:00:aa" in addresses("tdbr0")
    for name, address in (("tdp0", "192.0.2.1"), ("tdp1", "192.0.2.2")):
        assert address in addresses(name)
        assert "mtu 1300" in addresses(name)
    assert database.get("Interface", "tdbr0", "ifindex") == index
    database.vsctl("del-br", "tdbr0")
    wait_for(lambda: "tdp0" not in dict(socket.if_nameindex()).values(), "the interface gone with its port")


def test_emer_reset(database: OvsdbServer, switch: Daemon) -> None:
    database.vsctl("add-br", "tdbr0", "--", "set", "bridge", "tdbr0", "fail_mode=secure")
    database.vsctl("set-controller", "tdbr0", "ptcp:0:127.0.0.1")
    assert bridge(switch, "tdbr0").controllers
    database.vsctl("emer-reset")
    assert bridge(switch, "tdbr0").controllers == {}
    assert bridge(switch, "tdbr0").fail_mode == "standalone"


def test_wait_until(database: OvsdbServer) -> None:
    waiting = subprocess.Popen(
        ["ovs-vsctl", f"--db={database.remote}", "--timeout=10", "wait-until", "interface", "n0", "ofport>0"]
    )
    database.line("add-br tdbr0 -- add-port tdbr0 n0 -- set interface n0 type=null")
    assert waiting.wait(10) == 0


def mtu(namespace: Namespace, interface: str) -> int:
    return int(namespace.run("cat", f"/sys/class/net/{interface}/mtu"))


def test_an_interface_that_comes_late_is_taken(
    database: OvsdbServer, switch: Daemon, namespace: Namespace
) -> None:
    """A kernel interface that comes later is taken when it is there, and the row says so."""
    database.vsctl("add-br", "tdbr0", "--", "add-port", "tdbr0", "tdlate0")
    assert "no interface tdlate0" in database.get("Interface", "tdlate0", "error")
    subprocess.run(
        ["ip", "link", "add", "tdlate0", "mtu", "1450", "type", "veth", "peer", "name", "tdlate1"], check=True
    )
    try:
        wait_for(lambda: database.get("Interface", "tdlate0", "error") == "", "the interface")
        assert int(database.get("Interface", "tdlate0", "ofport")) > 0
        assert not port(switch, "tdlate0").error
        wait_for(
            lambda: database.get("Interface", "tdbr0", "mtu") == "1450", "its MTU on the bridge's own port"
        )
        assert database.get("Interface", "tdlate0", "mtu") == "1450"
        assert mtu(namespace, "tdlate0") == 1450, "left as it was"
    finally:
        switch.stop()
        subprocess.run(["ip", "link", "del", "tdlate0"], check=True)


def test_an_interface_that_is_made_anew_is_taken_again(database: OvsdbServer, switch: Daemon) -> None:
    make = ("ip", "link", "add", "tdveth0", "type", "veth", "peer", "name", "tdveth1")
    subprocess.run(make, check=True)
    try:
        database.line("add-br tdbr0 -- add-port tdbr0 tdveth0")
        index, number = (database.get("Interface", "tdveth0", name) for name in ("ifindex", "ofport"))
        subprocess.run(["ip", "link", "del", "tdveth0"], check=True)
        wait_for(lambda: "interface" in database.get("Interface", "tdveth0", "error"), "its going")
        assert database.get("Interface", "tdveth0", "ofport") == "-1"
        subprocess.run(make, check=True)
        wait_for(lambda: database.get("Interface", "tdveth0", "error") == "", "the new one")
        assert database.get("Interface", "tdveth0", "ifindex") != index
        assert database.get("Interface", "tdveth0", "ofport") == number
        assert not port(switch, "tdveth0").error
    finally:
        switch.stop()
        subprocess.run(["ip", "link", "del", "tdveth0"], check=False)


def test_the_mtu_of_an_interface(database: OvsdbServer, switch: Daemon, namespace: Namespace) -> None:
    """It is as the database wants it, else as `ip` does."""
    subprocess.run(["ip", "link", "add", "tdveth0", "type", "veth", "peer", "name", "tdveth1"], check=True)
    try:
        database.line("add-br tdbr0 -- add-port tdbr0 tdveth0 -- set interface tdveth0 mtu_request=1800")
        assert mtu(namespace, "tdveth0") == 1800
        assert database.get("Interface", "tdveth0", "mtu") == "1800"
        database.line("clear interface tdveth0 mtu_request")
        assert database.get("Interface", "tdveth0", "mtu") == "1800"
        subprocess.run(["ip", "link", "set", "tdveth0", "mtu", "1400"], check=True)
        wait_for(lambda: database.get("Interface", "tdveth0", "mtu") == "1400", "the new MTU")
        assert database.get("Interface", "tdbr0", "mtu") == "1400"
    finally:
        switch.stop()
        subprocess.run(["ip", "link", "del", "tdveth0"], check=True)


def test_the_link_is_the_kernel_s(database: OvsdbServer, switch: Daemon) -> None:
    """Up when both ends of the cable are, and each turn counted."""
    subprocess.run(["ip", "link", "add", "tdveth0", "type", "veth", "peer", "name", "tdveth1"], check=True)
    try:
        database.line("add-br tdbr0 -- add-port tdbr0 tdveth0")
        assert database.get("Interface", "tdveth0", "link_state") == "down"
        for name in ("tdveth0", "tdveth1"):
            subprocess.run(["ip", "link", "set", name, "up"], check=True)
        wait_for(lambda: database.get("Interface", "tdveth0", "link_state") == "up", "the link")
        assert int(database.get("Interface", "tdveth0", "link_resets")) > 0
        assert database.get("Interface", "tdveth0", "duplex") == "full"
        assert database.get("Interface", "tdveth0", "status:driver_name") == "veth"
    finally:
        switch.stop()
        subprocess.run(["ip", "link", "del", "tdveth0"], check=True)


def test_ovs_vsctl_says_what_is_wrong(database: OvsdbServer) -> None:
    with pytest.raises(LabError, match="no bridge named nobr"):
        database.vsctl("add-port", "nobr", "n0")


def test_a_remote_that_cannot_be(turnout_cli: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    run = turnout_cli("serve", "--ovsdb", "pssl:6640")
    assert run.returncode != 0
    assert "expected unix:PATH or tcp:IP:PORT" in run.stderr
