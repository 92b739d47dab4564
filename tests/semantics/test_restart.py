# SPDX-License-Identifier: Apache-2.0
"""Flow tables survive a restart of the daemon where `restore_flows` says so."""

from collections.abc import Iterator

import pytest

from tests.peers.frames import Wires, marker_flow
from tests.peers.switch import BRIDGE, Peer, turnout
from tests.semantics.packets import udp
from turnout.lab.daemon import Daemon
from turnout.lab.wait import until

_FLOWS = """
cookie=0x1,priority=5,tcp,nw_dst=10.0.0.0/8,actions=output:2
cookie=0x2,priority=6,udp,actions=meter:3,group:7
cookie=0x3,table=9,priority=7,dl_vlan=5,actions=pop_vlan,write_metadata:0x5/0xff,goto_table:10
cookie=0x4,table=10,metadata=0x5/0xff,actions=write_actions(set_field:02:00:00:00:00:09->eth_dst,output:3)
cookie=0x5,idle_timeout=3000,hard_timeout=4000,send_flow_rem,arp,actions=NORMAL
cookie=0x6,table=2,reg0=0x5/0xf,actions=learn(table=3,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])
"""


@pytest.fixture
def own() -> Iterator[Peer]:
    """A daemon of the test's own, on core 0: another may be up."""
    with turnout(0) as peer:
        yield peer


def _fill(peer: Peer) -> None:
    peer.reset(marker_flow())
    peer.must("-O", "OpenFlow13", "add-group", BRIDGE, "group_id=8,type=indirect,bucket=output:4")
    peer.must("-O", "OpenFlow13", "add-group", BRIDGE, "group_id=7,type=all,bucket=output:2,bucket=group:8")
    peer.must(
        "-O",
        "OpenFlow13",
        "add-meter",
        BRIDGE,
        "meter=3,pktps,burst,band=type=drop,rate=1000000,burst_size=99999",
    )
    peer.must("-O", "OpenFlow13", "add-flows", BRIDGE, "-", stdin=_FLOWS)


def _state(peer: Peer) -> list[str]:
    dumps = (["--no-stats", "dump-flows"], ["dump-groups"], ["dump-meters"])
    lines = [line for dump in dumps for line in peer.must("-O", "OpenFlow13", *dump, BRIDGE).splitlines()]
    return sorted(line for line in lines if "(xid=" not in line)


@pytest.mark.parametrize("ends", [["stop"], ["stop", "kill"]], ids=["stop", "then killed"])
def test_flows_groups_and_meters_come_back(own: Peer, ends: list[str]) -> None:
    assert isinstance(own.of, Daemon)
    own.set_bridge("restore_flows", "true")
    _fill(own)
    before = _state(own)
    for end in ends:
        getattr(own.of, end)()
        own.of.start()
    until(lambda: _state(own) == before, "the state of before", timeout=15)
    for number in range(1, 6):  # TAPs are new
        own.namespace.ip("link", "set", f"p{number}", "up")
    with Wires(own) as wires:
        came = wires.exchange(1, [bytes(udp())])
    assert came == {2: [bytes(udp())], 4: [bytes(udp())]}


def test_without_the_setting_a_restart_begins_anew(own: Peer) -> None:
    assert isinstance(own.of, Daemon)
    _fill(own)
    own.of.stop()
    own.of.start()
    until(lambda: len(_state(own)) == 1, "one flow")
    assert "actions=NORMAL" in _state(own)[0]
