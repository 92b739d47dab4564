# SPDX-License-Identifier: Apache-2.0
"""`turnout flows` and `turnout trace` against a running daemon, which stock ovs-ofctl has given flows."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.control.conftest import Daemon, daemon, run_dir, turnout_cli
from tests.control.test_cli import Cli, cli
from tests.control.test_switch import FRAME, pcap

__all__ = ["Daemon", "cli", "daemon", "run_dir", "turnout_cli"]

FLOWS = "priority=9,dl_dst=ff:ff:ff:ff:ff:ff,actions=resubmit(,1)\ntable=1,priority=1,actions=output:2\n"


@pytest.fixture
def bridge(cli: Cli, daemon: Daemon) -> Cli:
    for arguments in (["add-br", "br0"], ["add-port", "br0", "p1", "type=null", "ofport_request=1"]):
        assert cli(*arguments).returncode == 0
    assert cli("add-port", "br0", "p2", "type=null", "ofport_request=2").returncode == 0
    socket = daemon.folder / "br0.mgmt"
    for arguments in (["del-flows", f"unix:{socket}"], ["add-flows", f"unix:{socket}", "-"]):
        subprocess.run(["ovs-ofctl", *arguments], input=FLOWS, text=True, check=True, timeout=30)
    return cli


def test_flows(bridge: Cli) -> None:
    shown = bridge("flows", "br0").stdout
    assert "dl_dst=ff:ff:ff:ff:ff:ff" in shown
    assert "output:p2" in shown
    found = json.loads(bridge("flows", "br0", "1", "--json").stdout)
    assert [(flow["table"], flow["match"], flow["actions"], flow["pps"]) for flow in found] == [
        (1, "", "output:p2", 0)
    ]
    assert "no such bridge" in bridge("flows", "br9").stderr


def test_trace(bridge: Cli, run_dir: Path) -> None:
    shown = bridge("trace", "br0", "in_port=p1,dl_dst=ff:ff:ff:ff:ff:ff").stdout
    assert "table 0: priority=9,dl_dst=ff:ff:ff:ff:ff:ff actions=resubmit(,1)" in shown
    assert "because eth_dst is ff:ff:ff:ff:ff:ff" in shown
    assert "sent to p2" in shown
    capture = pcap(run_dir / "one.pcap", [FRAME])
    for packet in (["--hex", FRAME.hex()], ["--pcap", capture]):
        told = json.loads(bridge("trace", "br0", "in_port=p1", *packet, "--json").stdout)
        assert [(sent["port"], sent["frame"]) for sent in told["outputs"]] == [("p2", FRAME.hex())]
    dropped = bridge("trace", "br0", "in_port=p1,ip").stdout
    assert "dropped: table 0: no rule matches" in dropped
    refused = bridge("trace", "br0", "in_port=p1,nonsense=1")
    says = "turnout: nonsense=1: no field 'nonsense'; ovs-fields(7) lists them\n"
    assert (refused.returncode, refused.stderr) == (1, says)


def test_trace_behind_a_patch_port(bridge: Cli, daemon: Daemon) -> None:
    commands = (
        "add-br br1",
        "add-port br0 to-1 type=patch options:peer=to-0 ofport_request=8",
        "add-port br1 to-0 type=patch options:peer=to-1",
        "add-port br1 p9 type=null",
    )
    for command in commands:
        assert bridge(*command.split()).returncode == 0
    flow = "add-flow", f"unix:{daemon.folder / 'br0.mgmt'}", "ip,actions=output:8"
    subprocess.run(["ovs-ofctl", *flow], check=True, timeout=30)
    shown = bridge("trace", "br0", "in_port=p1,ip").stdout
    assert "bridge br1" in shown
    assert "no learned MAC for destination, flooding" in shown
    assert "sent to p9" in shown
    told = json.loads(bridge("trace", "br0", "in_port=p1,ip", "--json").stdout)
    assert [(sent["bridge"], sent["port"]) for sent in told["outputs"]] == [("br1", "p9")]
    assert bridge("del-port", "to-0").returncode == 0
    assert 'dropped: patch port "to-1" has no peer' in bridge("trace", "br0", "in_port=p1,ip").stdout
