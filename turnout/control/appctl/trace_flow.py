# SPDX-License-Identifier: Apache-2.0
"""A packet as a flow with all of its fields, as Open vSwitch prints one."""

import re

from turnout.openflow.fields import FIELDS
from turnout.openflow.flow import FieldMatch, Match
from turnout.openflow.packet import METADATA, Packet
from turnout.openflow.text_format import PortNames, format_match

_LEFT_OUT = {"in_phy_port", "in_port", "ipv6_exthdr"}  # no fields of Open vSwitch's, or there twice


def format_packet(packet: Packet, names: PortNames) -> str:
    """All that the packet has; of what travels beside it, what is not 0. names: of ports, by number."""
    shown = [name for name in FIELDS if name not in _LEFT_OUT and _shown(packet, name)]
    match = Match.of(FieldMatch(name, packet.get(name), FIELDS[name].all_ones) for name in shown)
    return re.sub(
        r"dl_vlan_pcp=\d+", lambda outer: f"{outer[0]},{_inner_tag(packet)}", format_match(match, names=names)
    )


def _shown(packet: Packet, name: str) -> bool:
    if name in ("in_port_oxm", "vlan_tci"):
        return True
    if name in METADATA:
        return packet.get(name) != 0
    if name in ("nd_sll", "nd_tll"):
        return packet.has("nd_target")
    return not name.startswith("x") and packet.has(name)


def _inner_tag(packet: Packet) -> str:
    if "vlan2" not in packet.at:
        return "vlan_tci1=0x0000"
    at = packet.at["vlan2"]
    tci = int.from_bytes(packet.data[at : at + 2], "big")
    return f"dl_vlan1={tci & 0xFFF},dl_vlan_pcp1={tci >> 13}"
