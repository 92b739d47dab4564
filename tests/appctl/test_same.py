# SPDX-License-Identifier: Apache-2.0
"""Commands that have to print the same of Turnout as of Open vSwitch: text, errors and exit codes."""

import re
from collections.abc import Iterator

import pytest

from tests.appctl.conftest import Appctl, patched
from tests.peers.switch import BRIDGE
from turnout.lab.wait import until

_SAME = [
    "ofproto/list",
    "ofproto/list x",
    "fdb/flush",
    f"fdb/flush {BRIDGE}",
    "fdb/flush nosuch",
    "fdb/flush a b",
    f"fdb/show {BRIDGE}",
    "fdb/show nosuch",
    "fdb/show",
    "fdb/stats-show nosuch",
    "fdb/stats-clear",
    "fdb/stats-clear nosuch",
    f"fdb/add {BRIDGE}",
    "fdb/add nosuch p1 0 00:00:00:00:00:0a",
    f"fdb/add {BRIDGE} p1 0 zz",
    "fdb/del nosuch 0 00:00:00:00:00:0a",
    f"fdb/del {BRIDGE} 0 zz",
    f"fdb/del {BRIDGE} 0 00:00:00:00:00:0a",
    "dpctl/dump-dps",
    "dpif/dump-dps",
    "dpif-netdev/pmd-stats-clear",
    "dpif-netdev/pmd-stats-clear nosuch",
    "dpif-netdev/pmd-rxq-rebalance",
    "dpif-netdev/pmd-rxq-rebalance nosuch",
    "dpif-netdev/pmd-rxq-rebalance ovs-netdev",
    "no/such",
]


@pytest.mark.parametrize("command", _SAME)
def test_prints_the_same(ours: Appctl, theirs: Appctl, command: str) -> None:
    for appctl in (ours, theirs):  # hosts' own chatter may have been learned
        appctl.must("fdb/flush")
    assert ours(*command.split()) == theirs(*command.split())


def _plain(text: str) -> str:
    """Without lookups and the datapath's own port numbers."""
    return re.sub(r"/\d+:", "/N:", re.sub(r"(hit|missed):\d+", r"\1", text))


def test_dpif_show(ours: Appctl, theirs: Appctl) -> None:
    assert _plain(ours.must("dpif/show")) == _plain(theirs.must("dpif/show"))


@pytest.fixture
def _patched(ours: Appctl, theirs: Appctl) -> Iterator[None]:
    with patched(ours), patched(theirs):
        yield


@pytest.mark.usefixtures("_patched")
def test_patch_ports(ours: Appctl, theirs: Appctl) -> None:
    """They have no number in the datapath."""
    assert _plain(ours.must("dpif/show")) == _plain(theirs.must("dpif/show"))
    assert "to-a 12/none: (patch: peer=to-b)" in ours.must("dpif/show")
    assert "to-a" not in ours.must("dpctl/show")
    assert sorted(ours.must("ofproto/list").split()) == sorted(theirs.must("ofproto/list").split())
    assert sorted(ours.must("dpif/dump-dps").split()) == sorted(theirs.must("dpif/dump-dps").split())


@pytest.mark.parametrize("option", [(), ("-s",), ("netdev@ovs-netdev",)])
def test_dpctl_show(ours: Appctl, theirs: Appctl, option: tuple[str, ...]) -> None:
    """But for counters, and the port that Open vSwitch's datapath has for itself."""

    def ports(text: str) -> dict[str, str]:
        text = re.sub(r"(\w+):(\d+( \([^)]*\))?|\?)", r"\1:", text)
        head, *rest = re.split(r"\n  port \d+: ", text)
        return {"": head} | dict(one.strip().split(" ", 1) for one in rest)

    expected = ports(theirs.must("dpctl/show", *option))
    del expected["ovs-netdev"]
    assert ports(ours.must("dpctl/show", *option)) == expected


def test_dpctl_show_of_no_datapath(ours: Appctl, theirs: Appctl) -> None:
    answers = [appctl("dpctl/show", "netdev@nosuch") for appctl in (ours, theirs)]
    assert answers[0].code == answers[1].code == 2
    assert "No such device" in answers[0].error
    assert "No such device" in answers[1].error


def test_fdb_shows_openflow_ports(ours: Appctl, theirs: Appctl) -> None:
    """A frame to port 3, then one to LOCAL's kernel side: both tell the port as OpenFlow numbers it."""
    printed = []
    for appctl in (ours, theirs):
        appctl.peer.reset()
        appctl.peer.must("add-flow", BRIDGE, "priority=0,actions=NORMAL")
        appctl.must("fdb/flush", BRIDGE)
        for port, octet in (("3", "33"), ("LOCAL", "44")):
            frame = f"ffffffffffff0200000000{octet}0800" + "00" * 46
            appctl.peer.must("packet-out", BRIDGE, f"in_port={port},packet={frame},actions=table")
        until(lambda of=appctl: len(_learned(of)) == 2, "both learned")
        printed.append(_learned(appctl))
    assert printed[0] == printed[1]


def test_static_addresses(ours: Appctl, theirs: Appctl) -> None:
    """Said twice, flushed, heard from another port, removed: each shows the same, and the same totals."""
    printed = []
    for appctl in (ours, theirs):
        appctl.peer.reset()
        appctl.peer.must("add-flow", BRIDGE, "priority=0,actions=NORMAL")
        appctl.must("fdb/flush", BRIDGE)
        answers = [
            appctl(*command.split())
            for command in (
                f"fdb/stats-clear {BRIDGE}",
                f"fdb/add {BRIDGE} p1 0 02:00:00:00:00:0a",
                f"fdb/add {BRIDGE} p2 0 02:00:00:00:00:0a",
                f"fdb/add {BRIDGE} p1 10 02:00:00:00:00:0B",
                f"fdb/flush {BRIDGE}",
            )
        ]
        frame = "ffffffffffff02000000000a0800" + "00" * 46
        appctl.peer.must("packet-out", BRIDGE, f"in_port=3,packet={frame},actions=table")
        frame = "ffffffffffff02000000000c0800" + "00" * 46
        appctl.peer.must("packet-out", BRIDGE, f"in_port=3,packet={frame},actions=table")
        until(lambda of=appctl: len(_learned(of)) == 3, "the one that was learned")
        answers += [appctl("fdb/del", BRIDGE, vlan, "02:00:00:00:00:0a") for vlan in ("0", "0")]
        stats = appctl.must("fdb/stats-show", BRIDGE).replace("65536", "8192")  # each its own default
        printed.append([*answers, *_learned(appctl), stats])
        appctl.must("fdb/del", BRIDGE, "10", "02:00:00:00:00:0b")
    assert printed[0] == printed[1]


def _learned(appctl: Appctl) -> list[str]:
    """What fdb/show has of the two, without ages."""
    lines = appctl.must("fdb/show", BRIDGE).splitlines()
    return sorted(line[:-3] for line in lines if "02:00:00:00:00:" in line)
