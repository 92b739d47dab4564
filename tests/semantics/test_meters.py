# SPDX-License-Identifier: Apache-2.0
"""Meters (OpenFlow 1.3.5, 5.7): a token bucket that starts full lets a burst through, then hardly more."""

import re

import pytest

from tests.peers.frames import Wires
from tests.peers.switch import BRIDGE, Peer
from tests.semantics.case import Case, load
from tests.semantics.packets import Packet, udp

_BURST, _SENT = 10, 60


def _send(
    peer: Peer, wires: Wires, meter: str, packet: Packet, flows: str = "actions=meter:1,output:2"
) -> list[bytes]:
    load(peer, Case("meter", flows, (), meters=meter))
    return wires.exchange(1, [bytes(packet)] * _SENT).get(2, [])


def test_drop_band_in_packets(peer: Peer, wires: Wires) -> None:
    came = _send(peer, wires, f"meter=1,pktps,burst,band=type=drop,rate=1,burst_size={_BURST}", udp())
    assert set(came) == {bytes(udp())}
    assert _BURST <= len(came) <= _BURST + 3


def test_drop_band_in_kilobits(peer: Peer, wires: Wires) -> None:
    packet = udp() / bytes(1400)
    burst = _BURST * len(packet) * 8 // 1000 + 1  # kilobits
    came = _send(peer, wires, f"meter=1,kbps,burst,band=type=drop,rate=1,burst_size={burst}", packet)
    assert _BURST - 1 <= len(came) <= _BURST + 3


def test_below_the_rate_nothing_is_dropped(peer: Peer, wires: Wires) -> None:
    came = _send(peer, wires, "meter=1,pktps,burst,band=type=drop,rate=1000000,burst_size=1000000", udp())
    assert len(came) == _SENT


def test_a_meter_counts_what_it_sees_and_what_its_band_drops(peer: Peer, wires: Wires) -> None:
    came = _send(peer, wires, f"meter=1,pktps,burst,stats,band=type=drop,rate=1,burst_size={_BURST}", udp())
    text = peer.must("-O", "OpenFlow13", "meter-stats", BRIDGE, "meter=1")
    assert f"packet_in_count:{_SENT} byte_in_count:{_SENT * len(udp())}" in text
    assert re.search(rf"packet_count:{_SENT - len(came)} byte_count:{(_SENT - len(came)) * len(udp())}", text)
    assert "flow_count:1" in text


def test_flows_without_the_meter_are_not_held_back(peer: Peer, wires: Wires) -> None:
    flows = "priority=2,udp,tp_dst=7,actions=meter:1,output:2\n priority=1,actions=output:2"
    meter = "meter=1,pktps,burst,band=type=drop,rate=1,burst_size=1"
    assert len(_send(peer, wires, meter, udp(), flows)) == _SENT
    assert len(wires.exchange(1, [bytes(udp(dport=7))] * _SENT)[2]) <= 4


def test_flows_share_their_meter(peer: Peer, wires: Wires) -> None:
    flows = "priority=2,udp,tp_dst=7,actions=meter:1,output:2\n priority=1,actions=meter:1,output:2"
    meter = f"meter=1,pktps,burst,band=type=drop,rate=1,burst_size={_BURST}"
    came = _send(peer, wires, meter, udp(), flows)
    came += wires.exchange(1, [bytes(udp(dport=7))] * _SENT).get(2, [])
    assert _BURST <= len(came) <= _BURST + 4


def test_a_meter_comes_before_applied_actions(peer: Peer, wires: Wires) -> None:
    """5.9: what the meter drops has gone nowhere."""
    load(peer, Case("meter", "actions=meter:1,output:2,output:3", (), meters=_TIGHT))
    came = wires.exchange(1, [bytes(udp())] * _SENT)
    assert len(came[2]) == len(came[3]) <= 4


_TIGHT = "meter=1,pktps,burst,band=type=drop,rate=1,burst_size=1"


def test_a_modified_meter_holds_from_then_on(peer: Peer, wires: Wires) -> None:
    wide = "meter=1,pktps,burst,band=type=drop,rate=1000000,burst_size=1000000"
    assert len(_send(peer, wires, wide, udp())) == _SENT
    peer.must("-O", "OpenFlow13", "mod-meter", BRIDGE, _TIGHT)
    assert len(wires.exchange(1, [bytes(udp())] * _SENT).get(2, [])) <= 4


def test_the_band_with_the_highest_rate_that_is_exceeded_applies(peer: Peer, wires: Wires) -> None:
    """5.7.1: the faster band, though the slower one is exceeded, too, counts what it drops."""
    bands = f"bands=type=drop,rate=1,burst_size={_BURST},type=drop,rate=2,burst_size={_BURST}"
    came = _send(peer, wires, f"meter=1,pktps,burst,stats,{bands}", udp())
    text = peer.must("-O", "OpenFlow13", "meter-stats", BRIDGE, "meter=1")
    counts = [int(found) for found in re.findall(r"\d+: packet_count:(\d+)", text)]
    assert sum(counts) == _SENT - len(came)
    assert counts[1] > counts[0]


@pytest.mark.parametrize(("level", "dscp"), [(1, 12), (2, 14)])
def test_dscp_remark_raises_the_drop_precedence(peer: Peer, wires: Wires, level: int, dscp: int) -> None:
    """7.3.4.5.2, DSCP remark: AF11 becomes AF12, or AF13; within the rate it stays."""
    if peer.name == "ovs":
        pytest.skip("Open vSwitch's user-space datapath lacks DSCP remark")
    meter = f"meter=1,pktps,burst,band=type=dscp_remark,rate=1,burst_size={_BURST},prec_level={level}"
    came = _send(peer, wires, meter, udp(tos=10 << 2 | 1))
    assert len(came) == _SENT
    kept = came.count(bytes(udp(tos=10 << 2 | 1)))
    assert _BURST <= kept <= _BURST + 3
    assert came.count(bytes(udp(tos=dscp << 2 | 1))) == _SENT - kept
