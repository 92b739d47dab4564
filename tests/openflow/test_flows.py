# SPDX-License-Identifier: Apache-2.0
"""Flows from Python, and traces, on a switch that runs."""

from pathlib import Path

import pytest

import turnout
from tests.control.conftest import run_dir, switch, wait_for
from tests.control.test_switch import FRAME, pcap
from turnout.errors import TurnoutError
from turnout.openflow.actions import Output
from turnout.openflow.flow import Flow, FlowError
from turnout.openflow.flows import Flows
from turnout.openflow.text import parse_match

__all__ = ["run_dir", "switch"]


@pytest.fixture
def flows(switch: turnout.Switch) -> Flows:
    switch.add_bridge("br0")
    for number in (1, 2):
        switch.add_port("br0", f"p{number}", type="null", ofport_request=number)
    made = switch.bridge("br0").flows
    made.delete()
    return made


def texts(flows: Flows) -> list[str]:
    return [turnout.openflow.text.format_flow(flow) for flow in flows]


def test_add_iterate_modify_delete(flows: Flows) -> None:
    flows.add("priority=10,ip,nw_dst=10.0.0.0/24,actions=output:2", "priority=5,arp,actions=output:p1")
    flows.add(Flow(match=parse_match("udp"), table=3, actions=(Output(2),)))
    assert texts(flows) == [
        "priority=10,ip,nw_dst=10.0.0.0/24 actions=output:2",
        "priority=5,arp actions=output:1",
        "table=3, udp actions=output:2",
    ]
    assert [(flow.packets, flow.bytes) for flow in flows] == [(0, 0)] * 3
    flows.modify("ip,actions=drop")
    assert texts(flows)[0] == "priority=10,ip,nw_dst=10.0.0.0/24 actions=drop"
    flows.delete("table=0")
    assert texts(flows) == ["table=3, udp actions=output:2"]
    flows.delete(next(iter(flows)))
    assert len(flows) == 0


def test_replace_is_all_or_nothing(flows: Flows) -> None:
    flows.add("priority=1,actions=output:1", "priority=2,ip,actions=output:2")
    before = list(flows)
    with pytest.raises(TurnoutError, match="no such group"):
        flows.replace(["priority=3,actions=drop", "priority=4,actions=group:77"])
    assert [flow.match for flow in flows] == [flow.match for flow in before]
    flows.replace(["priority=1,actions=output:1", "priority=3,arp,actions=drop"])
    assert texts(flows) == ["priority=3,arp actions=drop", "priority=1 actions=output:1"]


def test_what_cannot_be_is_one_line(flows: Flows) -> None:
    for bad in ("priority=10,ip", "tcp_dst=80,actions=drop", "actions=output:nowhere"):
        with pytest.raises(FlowError) as error:
            flows.add(bad)
        assert "\n" not in str(error.value)
    with pytest.raises(TurnoutError):
        flows.add("check_overlap,priority=5,ip,actions=1", "check_overlap,priority=5,in_port=1,actions=2")
    assert len(flows) == 0


def test_packets_are_counted_and_traced(switch: turnout.Switch, flows: Flows, run_dir: Path) -> None:
    flows.add(
        "priority=9,dl_dst=ff:ff:ff:ff:ff:ff,actions=resubmit(,1)", "table=1,priority=1,actions=output:2"
    )
    switch.add_port("br0", "in", type="pcap", options={"rx_pcap": pcap(run_dir / "in.pcap", [FRAME] * 50)})
    wait_for(lambda: [flow.packets for flow in flows] == [50, 50], "50 packets in both tables")
    traced = switch.bridge("br0").trace(f"in_port=in,{FRAME.hex()}")
    assert [sent.port for sent in traced.outcome.sent] == [2]
    first = traced.outcome.steps[0]
    assert first.rule == "priority=9,dl_dst=ff:ff:ff:ff:ff:ff actions=resubmit(,1)"
    assert first.steps[0].steps[0].rule == "priority=1 actions=output:p2"
    dropped = switch.bridge("br0").trace("in_port=p1,ip,nw_dst=10.0.0.1")
    assert dropped.outcome.dropped == "table 0: no rule matches"
    assert [flow.packets for flow in flows] == [50, 50], "a trace counts nothing"


def test_a_trace_follows_metadata_and_normal(switch: turnout.Switch, flows: Flows) -> None:
    flows.add(
        "ip,actions=set_field:5->reg3,write_metadata:0x77,goto_table:2",
        "table=2,reg3=5,metadata=0x77,actions=NORMAL",
    )
    traced = switch.bridge("br0").trace("in_port=p1,udp,tp_dst=53")
    assert [sent.port for sent in traced.outcome.sent] == [2]
    with pytest.raises(FlowError, match="the frame itself says it"):
        switch.bridge("br0").trace("in_port=1,ip," + "00" * 60)
