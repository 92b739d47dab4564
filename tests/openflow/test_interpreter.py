# SPDX-License-Identifier: Apache-2.0
"""The interpreter on the standard's own cases: those that the switch itself is tested with."""

import re
import struct
from collections import defaultdict
from functools import partial

import pytest
from scapy.packet import Packet as ScapyPacket

from tests.openflow.test_text import parts
from tests.semantics.action_cases import ACTIONS
from tests.semantics.case import UP, Case
from tests.semantics.instruction_cases import PIPELINES
from tests.semantics.match_cases import MATCHES, PRECEDENCE
from turnout.openflow import text, wire
from turnout.openflow.flow import FieldMatch, Flow, Match
from turnout.openflow.interpreter import MAX_CROSSINGS, MAX_HOPS, Bridge, Bucket, Group, Port, run
from turnout.openflow.rules import Rules
from turnout.openflow.text_actions import parse_actions
from turnout.openflow.values import NO_PORTS

PORTS = {number: Port(number) for number in range(1, 6)}
ANYTHING = Match((FieldMatch("eth_type", 0x800, 0xFFFF), FieldMatch("nw_proto", 6, 0xFF)))
CASES = [case for case in (*MATCHES, *PRECEDENCE, *ACTIONS, *PIPELINES) if "OpenFlow13" in case.versions]


def flow_of(message: bytes) -> Flow:
    """A flow_mod's flow."""
    match, instructions = parts(message)
    (priority,) = struct.unpack_from(">H", message, 30)
    return Flow(
        match=wire.decode_match(match),
        priority=priority,
        table=message[24],
        actions=wire.decode_instructions(instructions),
    )


def group_of(line: str) -> tuple[int, Group]:
    """ovs-ofctl's group syntax, as far as the cases use it."""
    head, *buckets = re.split(r",?bucket=", line.strip())
    settings = dict(item.split("=") for item in head.split(","))
    kind = {"fast_failover": "ff"}.get(settings["type"], settings["type"])
    made = []
    for bucket in buckets:
        items = re.sub(r"^actions=", "", bucket).split(",")
        known = {k: v for k, _, v in (item.partition(":") for item in items)}
        actions = ",".join(
            i for i in items if i.partition(":")[0] not in ("weight", "watch_port", "watch_group")
        )
        watch = [int(known[name]) if name in known else None for name in ("watch_port", "watch_group")]
        parsed = parse_actions(actions, ANYTHING, NO_PORTS, inner=True)
        made.append(Bucket(parsed, int(known.get("weight", 1)), *watch))
    return int(settings["group_id"]), Group(kind, tuple(made))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_of_the_standard(case: Case) -> None:
    if case.meters or "NORMAL learns" in case.name or "without end" in case.name:
        pytest.skip("what meters and MAC learning do is not the interpreter's")
    flows = [flow_of(message) for message in case.raw if message[1] == 14]
    flows += [text.parse(line.strip()) for line in case.flows.splitlines() if line.strip()]
    groups = dict(group_of(line) for line in case.groups.strip().splitlines())

    def flood(in_port: int, frame: bytes) -> list[tuple[int, bytes]]:
        return [(port, frame) for port in PORTS if port != in_port]

    bridge = Bridge(Rules(flows), groups, PORTS, flood, choose=lambda _packet, _n: 0)
    for step in case.steps:
        outcome = run(bridge, bytes(step.packet), step.port, trace=True)
        came = defaultdict(list)
        for sent in outcome.sent:
            came[sent.port].append(sent.frame)
        for up in outcome.to_controller:
            if up.reason == "action":
                came[UP].append(bytes(step.packet) if len(up.frame) < len(step.packet) else up.frame)
        wanted = {
            port: [bytes(one) for one in ([out] if isinstance(out, ScapyPacket) else out)]
            for port, out in step.out.items()
        }
        assert dict(came) == wanted
        assert bool(outcome.dropped) == (not outcome.sent and not outcome.to_controller)


def test_a_trace_says_which_rule_and_why() -> None:
    flows = [
        text.parse("priority=10,ip,nw_dst=10.0.0.0/24,actions=mod_nw_ttl:9,resubmit(,1)"),
        text.parse("table=1,priority=5,in_port=2,actions=drop"),
        text.parse("table=1,priority=4,actions=output:9"),
    ]
    frame = bytes.fromhex("0200000000020200000000010800") + bytes.fromhex(
        "4500001c000000004011666f0a0000010a0000020001000200080000"
    )
    outcome = run(Bridge(Rules(flows), ports=PORTS), frame, 1, trace=True)
    first = outcome.steps[0]
    assert first.rule == "priority=10,ip,nw_dst=10.0.0.0/24 actions=mod_nw_ttl:9,resubmit(,1)"
    assert "ip_dst is 10.0.0.2, within 10.0.0.0/24" in first.why
    assert [step.text for step in first.steps] == ["mod_nw_ttl:9", "resubmit(,1)"]
    assert first.steps[0].steps[0].text == "nw_ttl: 64 → 9"
    assert outcome.dropped == "port 9 does not exist"


def between(flows: list[str], patches: range) -> Bridge:
    """Two bridges of the same flows, whose ports of the same number are patched to each other: the first."""
    rules = Rules(text.parse(flow) for flow in flows)
    bridges: dict[str, Bridge] = {}
    for name, peer in (("a", "b"), ("b", "a")):
        ends = {number: partial(lambda *end: (bridges[end[0]], end[1]), peer, number) for number in patches}
        bridges[name] = Bridge(rules, ports=PORTS, name=name, patches=ends)
    return bridges["a"]


def test_through_patch_ports() -> None:
    """Nothing that travels beside the packet gets to the other bridge, nor back from there."""
    flows = [
        "in_port=1,dl_vlan=5,actions=set_field:7->reg0,mod_vlan_pcp:3,output:2,output(port=3,max_len=20)",
        "in_port=2,dl_vlan=5,reg0=0,actions=strip_vlan,output:4,set_field:8->reg0,controller(max_len=20)",
    ]
    frame = bytes.fromhex("020000000002020000000001810000051234") + bytes(46)
    outcome = run(between(flows, range(2, 3)), frame, 1)
    bare, tagged = frame[:12] + frame[16:], frame[:14] + b"\x60\x05" + frame[16:]
    assert [(sent.bridge, sent.port, sent.frame) for sent in outcome.sent] == [
        ("b", 4, bare),
        ("a", 3, tagged[:20]),
    ]
    assert [(up.bridge, up.frame) for up in outcome.to_controller] == [("b", bare[:20])]


def test_a_loop_of_patch_ports_ends() -> None:
    outcome = run(between(["in_port=2,actions=3,4", "actions=2"], range(2, 4)), bytes(60), 1)
    assert [sent.bridge for sent in outcome.sent] == ["b"] * (MAX_HOPS // 2)
    storm = run(between(["actions=all"], range(1, 5)), bytes(60), 99)
    assert len(storm.sent) == 1 + MAX_CROSSINGS
    silent = run(between(["actions=all"], range(1, 6)), bytes(60), 99)
    assert "patch port 1: it went through too many before, in a loop" in silent.dropped
