# SPDX-License-Identifier: Apache-2.0
"""ofproto/trace across patch ports, compared with Open vSwitch's."""

from collections.abc import Iterator

import pytest

from tests.appctl.conftest import Appctl, add_patch, patched
from tests.appctl.test_trace import comparable
from tests.peers.switch import BRIDGE
from turnout.openflow.interpreter import MAX_HOPS

_TCP = "tcp,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,nw_src=10.1.1.1,nw_ttl=64,tp_src=1,tp_dst=80"
_CASES = {  # what br0 does, and br-b
    "output": ("output:11", "output:1"),
    "normal": ("output:11", "NORMAL"),
    "changed-before": (
        "mod_dl_dst:02:00:00:00:00:99,set_field:5->reg0,set_field:7->metadata,output:11",
        "output:1",
    ),
    "changed-on-both": (
        "mod_dl_dst:02:00:00:00:00:99,output:2,output:11,output:3",
        "dec_ttl,output:1",
    ),
    "tagged": ("push_vlan:0x8100,set_field:4099->vlan_vid,output:11", "NORMAL"),
    "between-outputs": ("output:2,output:11,mod_nw_ttl:9,output:3", "output:1"),
    "from-normal": ("NORMAL", "output:1"),
    "from-a-deeper-table": ("resubmit(,3),output:2", "resubmit(,4),output:1"),
    "action-set": ("output:11", "write_actions(set_field:9->nw_ttl,output:1)"),
    "groups": ("group:5", "group:5"),
    "dropped": ("output:11", "drop"),
    "back-where-it-came-from": ("output:11", "in_port"),
    "to-the-port-it-came-from": ("output:11", "output:12"),
    "no-peer": ("output:31,output:2", "drop"),
}


@pytest.fixture(scope="module", autouse=True)
def _patched(ours: Appctl, theirs: Appctl) -> Iterator[None]:
    """And a patch port that has no peer."""
    with patched(ours), patched(theirs):
        for appctl in (ours, theirs):
            add_patch(appctl, BRIDGE, "alone", "nobody", 31)
        yield
        for appctl in (ours, theirs):
            appctl.peer.del_port("alone")


@pytest.fixture
def _looped(ours: Appctl, theirs: Appctl) -> Iterator[None]:
    """A second pair of patch ports."""
    for appctl in (ours, theirs):
        add_patch(appctl, BRIDGE, "to-b2", "to-a2", 21)
        add_patch(appctl, "br-b", "to-a2", "to-b2", 22)
    yield
    for appctl in (ours, theirs):
        appctl.peer.del_port("to-b2")  # its peer goes with its bridge


def _traces(ours: Appctl, theirs: Appctl, here: str, there: str) -> tuple[str, str]:
    mine, other = (_trace(appctl, here, there) for appctl in (ours, theirs))
    return comparable(mine), comparable(other)


def _trace(appctl: Appctl, here: str, there: str) -> str:
    """Of a TCP packet by br0's port 1. The only rules: what both bridges do with such packets."""
    for bridge, port, actions in ((BRIDGE, 2, here), ("br-b", 1, there)):
        flows = [f"tcp,actions={actions}", f"table=3,tcp,actions=output:11,output:{port}"]
        flows.append(f"table=4,priority=7,tcp,actions=mod_nw_tos:32,output:{port}")
        peer = appctl.peer
        peer.must("-O", "OpenFlow13", "del-flows", bridge)
        peer.must("-O", "OpenFlow13", "del-groups", bridge)
        buckets = f"bucket=actions=mod_nw_ttl:3,output:{port},bucket=output:11,bucket=output:{port}"
        peer.must("-O", "OpenFlow13", "add-group", bridge, f"group_id=5,type=all,{buckets}")
        for flow in flows:
            peer.must("-O", "OpenFlow13", "add-flow", bridge, flow)
    return appctl.must("ofproto/trace", BRIDGE, f"in_port=1,{_TCP}", "--names")


@pytest.mark.parametrize("case", _CASES)
def test_goes_on_at_the_peer(ours: Appctl, theirs: Appctl, case: str) -> None:
    mine, other = _traces(ours, theirs, *_CASES[case])
    assert mine == other


@pytest.mark.usefixtures("_looped")
def test_a_loop_ends(ours: Appctl, theirs: Appctl) -> None:
    """Both go round and say so in the end; Open vSwitch goes deeper than Turnout's packets do."""
    mine, other = _traces(ours, theirs, "output:2,output:11", "output:22")
    shared, _, end = mine.partition("     >> ")
    assert other.startswith(shared)
    assert shared.count('bridge("') == 1 + MAX_HOPS
    assert end.startswith('patch port "to-b": it went through too many before, in a loop\n')
    assert end.splitlines()[-1] == "Datapath actions: " + ",".join(["p2"] * (1 + MAX_HOPS // 2))
    assert "over max translation depth" in other
