# SPDX-License-Identifier: Apache-2.0
"""Debian's own `ovs-ctl`, which its init script and units call, starts and stops it."""

from tests.vswitchd.conftest import Vswitchd
from turnout.lab.console import run

OVS_CTL = "/usr/share/openvswitch/scripts/ovs-ctl"
START = ("--system-id=test", "--no-record-hostname", "--ovs-vswitchd-options=-vsyslog:off")


def test_start_restart_stop(vswitchd: Vswitchd) -> None:
    """A restart keeps flows, and the addresses of the bridge."""
    try:
        vswitchd.must(OVS_CTL, "start", *START)
        assert f"ovs-vswitchd is running with pid {vswitchd.pid}\n" in vswitchd.must(OVS_CTL, "status")
        first = vswitchd.pid
        vswitchd.must("ovs-vsctl", "add-br", "tvbr0")
        vswitchd.must("ovs-ofctl", "add-flow", "tvbr0", "priority=7,ip,actions=drop")
        run("ip", "addr", "add", "10.99.2.1/24", "dev", "tvbr0")
        vswitchd.must(OVS_CTL, "restart", *START)
        assert vswitchd.pid not in (0, first)
        assert "priority=7,ip actions=drop" in vswitchd.must("ovs-ofctl", "dump-flows", "tvbr0")
        assert "10.99.2.1/24" in run("ip", "addr", "show", "dev", "tvbr0")
        vswitchd.must("ovs-vsctl", "del-br", "tvbr0")
    finally:
        stopped = vswitchd.run(OVS_CTL, "stop")
    assert stopped.returncode == 0
    assert "Exiting ovs-vswitchd" in stopped.stdout, "asked, not killed"
    status = vswitchd.run(OVS_CTL, "status")
    assert (status.returncode, status.stdout) == (
        1,
        "ovsdb-server is not running\novs-vswitchd is not running\n",
    )
