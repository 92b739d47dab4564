# SPDX-License-Identifier: Apache-2.0
"""The flow syntax beside the real ovs-ofctl: text gives the same bytes, bytes the same text."""

import contextlib
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.openflow import ofctl
from turnout.openflow import text, wire
from turnout.openflow.flow import Flow, FlowError, FlowStats
from turnout.openflow.text_format import format_actions, format_match

FOLDER = Path(__file__).parent
FLOWS = (FOLDER / "flows.txt").read_text().splitlines()
REFUSED = (FOLDER / "refused.txt").read_text().splitlines()


@pytest.fixture(scope="module")
def sent() -> list[bytes]:
    """What ovs-ofctl sends for each line of FLOWS."""
    return ofctl.flow_mods(FLOWS)


def parts(message: bytes) -> tuple[bytes, bytes]:
    """Match entries and instructions of a flow_mod."""
    (length,) = struct.unpack_from(">H", message, 50)
    return message[52 : 48 + length], message[48 + (length + 7) // 8 * 8 :]


def test_same_bytes_for_the_same_text(sent: list[bytes]) -> None:
    assert len(sent) == len(FLOWS) > 350
    wrong = [
        (line, theirs[8:].hex(), ours[8:].hex())
        for line, theirs in zip(FLOWS, sent, strict=True)
        if (ours := wire.flow_mod(text.parse(line)))[8:] != theirs[8:]
    ]
    assert not wrong


def test_same_text_for_the_same_bytes(sent: list[bytes]) -> None:
    entries = [parts(message) for message in sent]
    wrong = []
    for (match, instructions), theirs in zip(entries, ofctl.print_flows(entries), strict=True):
        fields = format_match(wire.decode_match(match))
        ours = f"{fields} " if fields else ""
        ours += f"actions={format_actions(wire.decode_instructions(instructions))}"
        if theirs.split("n_bytes=0, ")[1] != ours:
            wrong.append((theirs, ours))
    assert not wrong


@pytest.mark.parametrize("line", FLOWS)
def test_its_own_text_comes_back(line: str) -> None:
    flow = text.parse(line)
    again = text.parse(text.format_flow(flow))
    assert text.format_flow(again) == text.format_flow(flow)


@pytest.mark.parametrize("line", REFUSED)
def test_what_ovs_ofctl_refuses_is_refused_with_one_line(line: str) -> None:
    with pytest.raises(FlowError) as error:
        text.parse(line)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) > 10


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("tcp_dst=80,actions=drop", "tcp_dst: needs tcp or tcp6; put it before tcp_dst"),
        ("dl_vlan=5000,actions=drop", "dl_vlan=5000: VLANs are 0 to 4095; 0xffff means no tag"),
        ("ip", "flow 'ip': actions are missing; end it with actions=drop or actions=output:2"),
        ("ip,actions=foo:1", "actions: no action 'foo'; ovs-actions(7) lists them"),
        ("actions=output:1)", "actions: ')' without '(' at character 9"),
        ("ip,nw_dst=10.0.0,actions=drop", "nw_dst: '10.0.0' is no IP address; write it as 10.0.0.1"),
    ],
)
def test_errors_say_what_and_what_to_do(line: str, says: str) -> None:
    with pytest.raises(FlowError) as error:
        text.parse(line)
    assert str(error.value) == says


def test_a_flow_with_counters_prints_as_dump_flows_does() -> None:
    flow = text.parse(
        "cookie=5,table=3,priority=10,ip,idle_timeout=9,send_flow_rem,nw_dst=10.0.0.0/24,actions=2"
    )
    stats = FlowStats(
        **{name: getattr(flow, name) for name in Flow.__dataclass_fields__},
        packets=4, bytes=240, duration=1.2, idle_age=0, hard_age=0,
    )  # fmt: skip
    assert text.format_stats(stats) == (
        "cookie=0x5, duration=1.200s, table=3, n_packets=4, n_bytes=240, idle_timeout=9, send_flow_rem "
        "priority=10,ip,nw_dst=10.0.0.0/24 actions=output:2"
    )


def test_names_of_ports() -> None:
    flow = text.parse("in_port=vm1,actions=output:vm2,resubmit(vm1,3)", {"vm1": 1, "vm2": 2})
    assert flow == text.parse("in_port=1,actions=output:2,resubmit(1,3)")
    assert text.format_flow(flow, {1: "vm1", 2: "odd name"}) == (
        'in_port=vm1 actions=output:"odd name",resubmit(vm1,3)'
    )


def test_a_selection() -> None:
    chosen = text.parse_selection("table=3,cookie=5/0xff,ip,out_port=2")
    assert (chosen.table, chosen.cookie, chosen.cookie_mask, chosen.out_port) == (3, 5, 0xFF, 2)
    with pytest.raises(FlowError):
        text.parse_selection("ip,actions=drop")


@given(st.text(max_size=80))
def test_any_text_parses_or_is_refused(line: str) -> None:
    with contextlib.suppress(FlowError):
        text.parse(line)


@given(st.sampled_from(FLOWS), st.integers(0, 90), st.text("0123456789abc,=()[]:->/.", max_size=3))
def test_damaged_flows_parse_or_are_refused(line: str, at: int, put: str) -> None:
    damaged = line[:at] + put + line[at + 1 :]
    try:
        flow = text.parse(damaged)
    except FlowError:
        return
    wire.flow_mod(flow)


@given(st.binary(max_size=80))
def test_any_bytes_decode_or_are_refused(data: bytes) -> None:
    for decode in (wire.decode_match, wire.decode_instructions):
        try:
            decode(data)
        except FlowError:
            continue
