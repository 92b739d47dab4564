# SPDX-License-Identifier: Apache-2.0
"""What a trace starts from: frames made of a match, in hex, or out of a pcap file."""

import struct

import pytest
from scapy.layers.l2 import Ether

from tests.openflow.test_text import FLOWS
from turnout.config.model import VlanMode
from turnout.errors import TurnoutError
from turnout.openflow import text
from turnout.openflow.compose import compose
from turnout.openflow.normal import Normal, NormalPort
from turnout.openflow.packet import Packet
from turnout.openflow.pcap import pcap_frame
from turnout.openflow.rules import Rule

IMPOSSIBLE = ("vlan_vid=5,", "vlan_vid=1 ", "vlan_vid=0x2/0x2")  # no tag, and a VLAN: no packet has that


@pytest.mark.parametrize("line", [line for line in FLOWS if not any(text in line for text in IMPOSSIBLE)])
def test_a_composed_frame_is_what_the_match_wants(line: str) -> None:
    flow = text.parse(line)
    in_port, frame, meta = compose(flow.match)
    packet = Packet(frame, {"in_port_oxm": in_port, **meta})
    assert Rule.of(flow).wants(packet)


@pytest.mark.parametrize(
    "match", ["tcp,nw_src=1.2.3.4,tp_dst=80", "udp6,ipv6_dst=fd00::5,tp_src=9", "icmp", "icmp6"]
)
def test_checksums_of_a_composed_frame_are_right(match: str) -> None:
    _, frame, _ = compose(text.parse_match(match))
    again = Ether(frame)
    for layer in again.layers():
        if "chksum" in (field.name for field in layer.fields_desc):
            delattr(again[layer], "chksum")
        if "cksum" in (field.name for field in layer.fields_desc):
            delattr(again[layer], "cksum")
    assert bytes(again) == frame


@pytest.mark.parametrize("order", [">", "<"])
def test_a_frame_of_a_pcap_file(order: str) -> None:
    frames = [bytes([n]) * 60 for n in range(3)]
    data = struct.pack(f"{order}IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    data += b"".join(struct.pack(f"{order}IIII", 0, 0, 60, 60) + frame for frame in frames)
    assert [pcap_frame(data, number) for number in (1, 2, 3)] == frames
    for bad, number in ((data, 4), (data[:-1], 3), (b"nothing", 1)):
        with pytest.raises(TurnoutError, match="pcap"):
            pcap_frame(bad, number)


def frame(dst: str, vid: int | None = None) -> bytes:
    tag = b"" if vid is None else b"\x81\x00" + vid.to_bytes(2, "big")
    return bytes.fromhex(dst + "020000000001") + tag + b"\x88\xb5" + bytes(46)


@pytest.mark.parametrize(
    ("mode", "tag", "vid", "leaves_by_3"),
    [
        ("trunk", 0, 5, 5),
        ("access", 5, None, 5),
        ("native-untagged", 5, None, 5),
        ("access", 5, 6, "refused"),
    ],
)
def test_normal_keeps_vlans_apart(mode: VlanMode, tag: int, vid: int | None, leaves_by_3: int | str) -> None:
    ports = {
        1: NormalPort(mode, tag),
        2: NormalPort("access", 5),
        3: NormalPort("trunk"),
        4: NormalPort("access", 9),
    }
    known, unknown = "0200000000aa", "0200000000bb"
    normal = Normal(ports, {(5, 0x0200000000AA): 2})
    sent = dict(normal(1, frame(unknown, vid)))
    if leaves_by_3 == "refused":
        assert not sent
        return
    assert sent == {2: frame(unknown), 3: frame(unknown, 5)}
    assert normal(1, frame(known, vid)) == [(2, frame(known))]
    assert normal(2, frame(known)) == []
