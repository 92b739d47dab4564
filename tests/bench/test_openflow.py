# SPDX-License-Identifier: Apache-2.0
"""The benchmark's own OpenFlow client against a switch that is known to be right: Open vSwitch."""

import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from turnout.bench.churn import Churner
from turnout.bench.openflow import Connection, delete_all, flow_mods, load, message, ofctl
from turnout.bench.rules import Acl, Exact, GotoChain
from turnout.bench.scenarios import Churn
from turnout.bench.traffic import cached_flows
from turnout.lab.console import LabError
from turnout.lab.ovs_netdev import OvsNetdev
from turnout.lab.wait import until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a private Open vSwitch needs root here")


@pytest.fixture(scope="module")
def bridge() -> Iterator[Path]:
    """The management socket of a bridge."""
    with OvsNetdev() as ovs:
        ovs.add_bridge("br0")
        yield ovs.rundir / "br0.mgmt"


def count(bridge: Path) -> int:
    return len([line for line in ofctl(bridge, "dump-flows").splitlines() if "actions=" in line])


@pytest.mark.parametrize("rules", [Exact(500), Acl(500), GotoChain()], ids=lambda rules: rules.name)
def test_a_file_of_flows_replaces_what_was_there(
    bridge: Path, tmp_path: Path, rules: Exact | Acl | GotoChain
) -> None:
    load(bridge, cached_flows(tmp_path, rules))
    assert count(bridge) == len(list(rules.lines()))


def test_flows_that_did_not_go_in_are_noticed(bridge: Path, tmp_path: Path) -> None:
    path = tmp_path / "twice.flows"
    path.write_text("in_port=1,actions=output:2\n" * 2)
    with pytest.raises(LabError, match=r"2 flows loaded, the switch says: .* flow_count=1"):
        load(bridge, path)


def test_streamed_flow_mods_do_what_the_text_does(bridge: Path) -> None:
    rules = Acl(300).rules()
    with Connection(bridge) as connection:
        connection.send(delete_all() + flow_mods("add", rules))
        connection.barrier()
        printed = ofctl(bridge, "dump-flows", options=("-O", "OpenFlow13", "--no-stats"))
        found = {line.strip() for line in printed.splitlines()}
        assert found == {
            f" {rule}".replace("/32", "").strip().replace(",actions=", " actions=") for rule in rules
        }
        connection.send(flow_mods("modify_strict", rules[:10]) + flow_mods("delete_strict", rules[:100]))
        connection.barrier()
    assert count(bridge) == 200


def test_an_error_of_the_switch_is_raised(bridge: Path) -> None:
    with Connection(bridge) as connection:
        connection.send(message(99))
        with pytest.raises(LabError, match="error type 1 code 1"):  # bad request, bad type
            connection.barrier()


def test_echo_requests_are_answered_and_odd_lengths_end(bridge: Path) -> None:
    with Connection(bridge) as connection:
        connection.send(message(2, b"ping"))  # its reply is none of ours to wait for
        connection.barrier()
        connection.send(struct.pack(">BBHI", 4, 20, 4, 0))  # a header that says it has four bytes
        with pytest.raises(LabError):
            connection.barrier()


def test_no_switch_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no OpenFlow at"):
        Connection(tmp_path / "br0.mgmt")


@pytest.mark.parametrize("rules", [Exact(100), Acl(200)], ids=lambda rules: rules.name)
def test_churn_leaves_the_table_as_it_was(bridge: Path, tmp_path: Path, rules: Exact | Acl) -> None:
    load(bridge, cached_flows(tmp_path, rules))
    churner = Churner(Churn(rules, 2_000))
    with churner.running(bridge):
        until(lambda: churner.done() >= 1_000, "flow_mods done", timeout=20)
    left = count(bridge) - len(list(rules.lines()))
    assert left in (0, 100)  # a batch added and not yet deleted


def test_churn_says_when_the_switch_fails(tmp_path: Path) -> None:
    churner = Churner(Churn(Exact(10), 1_000))
    with churner.running(tmp_path / "br0.mgmt"), pytest.raises(LabError, match="no OpenFlow at"):
        until(lambda: churner.done() > 0, "flow_mods done", timeout=5)
