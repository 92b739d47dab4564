# SPDX-License-Identifier: Apache-2.0
"""Matches and flow_mods as OpenFlow 1.3 bytes, field for field as ovs-ofctl writes them."""

import struct
from typing import Final

from turnout.openflow.fields import ANY, BY_CODE, EXPERIMENTER_ONF, FIELDS, Field
from turnout.openflow.flow import FLAGS, FieldMatch, Flow, FlowError, Match, Selection
from turnout.openflow.wire_actions import decode_instructions, encode_instructions

VERSION: Final = 4
ADD, MODIFY, MODIFY_STRICT, DELETE, DELETE_STRICT = range(5)
_FLOW_MOD = struct.Struct(">BBHI QQBBHHHIIIHH")
_OFPT_FLOW_MOD: Final = 14
_NO_BUFFER: Final = 0xFFFFFFFF
_ALL_TABLES: Final = 255
_ANY_GROUP: Final = 0xFFFFFFFF
_VLAN_BITS: Final = 0x1FFF  # VID and "there is a tag"

# Fields in the order in which ovs-ofctl writes them.
_ORDER: Final = (
    *("conj_id", "in_port_oxm", "in_phy_port", "actset_output", "eth_src", "eth_dst", "eth_type", "vlan_tci"),
    *("mpls_tc", "mpls_bos", "mpls_ttl", "mpls_label", "pbb_isid"),
    *("ip_src", "ip_dst", "ipv6_src", "ipv6_dst", "ip_frag", "ip_dscp", "nw_ecn", "nw_ttl", "ipv6_label"),
    *(
        "ipv6_exthdr",
        "nw_proto",
        "tcp_src",
        "tcp_dst",
        "tcp_flags",
        "udp_src",
        "udp_dst",
        "sctp_src",
        "sctp_dst",
    ),
    *("icmp_type", "icmp_code", "icmpv6_type", "icmpv6_code", "nd_target", "nd_sll", "nd_tll"),
    *("arp_op", "arp_spa", "arp_tpa", "arp_sha", "arp_tha"),
    *("tun_id", "tun_flags", "tun_src", "tun_dst", "tun_ipv6_src", "tun_ipv6_dst"),
    *(f"reg{i}" for i in range(16)),
    *("pkt_mark", "metadata"),
)
_PLACE: Final = {name: index for index, name in enumerate(_ORDER)}


def _entry(field: Field, value: int, mask: int | None) -> bytes:
    """One OXM entry; ONF's experimenter fields carry their experimenter before the value."""
    experimenter = struct.pack(">I", EXPERIMENTER_ONF) if field.oxm[0] == 0xFFFF else b""
    body = experimenter + value.to_bytes(field.size, "big")
    if mask is not None:
        body += mask.to_bytes(field.size, "big")
    header = struct.pack(">HBB", field.oxm[0], field.oxm[1] << 1 | (mask is not None), len(body))
    return header + body


def _vlan(entry: FieldMatch) -> bytes:
    """vlan_tci as OXM's vlan_vid and vlan_pcp."""
    vid, mask, out = entry.value & _VLAN_BITS, entry.mask & _VLAN_BITS, b""
    if mask:
        out = _entry(FIELDS["vlan_vid"], vid, None if mask == _VLAN_BITS else mask)
    if entry.mask & 0xE000 and vid:
        out += _entry(FIELDS["vlan_pcp"], entry.value >> 13, None)
    return out


def encode_match(match: Match) -> bytes:
    """OXM entries without the match header."""
    out = b""
    for entry in sorted(match, key=lambda e: _PLACE[e.field]):
        field = FIELDS[entry.field]
        if entry.field == "vlan_tci":
            out += _vlan(entry)
        else:
            exact = entry.mask == field.all_ones and entry.field != "tun_flags"  # more tunnel flags may come
            out += _entry(field, entry.value, None if exact else entry.mask)
    return out


def decode_match(data: bytes) -> Match:
    """OXM or NXM entries without the match header. Raises FlowError on what is cut short or unknown."""
    found: dict[str, tuple[int, int]] = {}
    at = 0
    while at < len(data):
        if at + 4 > len(data):
            raise FlowError("match: cut short")
        cls, number, length = struct.unpack_from(">HBB", data, at)
        body = data[at + 4 : at + 4 + length]
        at += 4 + length
        field = BY_CODE.get((cls, number >> 1))
        if cls == 0xFFFF:
            body = body[4:]
        if field is None or len(body) != field_size(field, cls) << (number & 1):
            raise FlowError(f"match: unknown field, class {cls:#x} number {number >> 1} length {length}")
        half = len(body) >> (number & 1)
        full = field.all_ones if field.name != "vlan_vid" else _VLAN_BITS
        value = int.from_bytes(body[:half], "big")
        mask = int.from_bytes(body[half:], "big") if number & 1 else full
        store(found, field.name, value & mask, mask)
    return Match.of(FieldMatch(name, value, mask) for name, (value, mask) in found.items())


def field_size(field: Field, cls: int) -> int:
    """Bytes of the field's value in an entry of this class."""
    return 2 if field.name == "arp_op" or (cls, field.name) == (0, "in_port") else field.size


def store(found: dict[str, tuple[int, int]], name: str, value: int, mask: int) -> None:
    """Adds a field to a match in the making: wide registers, VLAN and ToS in the parts that a Match keeps."""
    if name.startswith(("xreg", "xxreg")):
        count = 2 if name.startswith("xreg") else 4
        first = int(name.lstrip("xreg")) * count
        for i in range(count):
            shift = 32 * (count - 1 - i)
            if part := mask >> shift & 0xFFFFFFFF:
                found[f"reg{first + i}"] = (value >> shift & part, part)
        return
    match name:
        case "in_port":
            name, mask = "in_port_oxm", 0xFFFFFFFF
            value = value | 0xFFFF0000 if value >= 0xFFF8 and value <= 0xFFFF else value
        case "vlan_vid":
            name, mask = "vlan_tci", mask & _VLAN_BITS
        case "vlan_pcp":
            name, value, mask = "vlan_tci", (value & 7) << 13 | 0x1000, 0xF000
        case "nw_tos":
            name, value, mask = "ip_dscp", value >> 2, 0x3F
    if name == "vlan_tci":
        old_value, old_mask = found.get(name, (0, 0))
        value, mask = old_value & ~mask | value, old_mask | mask
    if mask:
        found[name] = (value & mask, mask)
    else:
        found.pop(name, None)


def padded_match(match: Match) -> bytes:
    """ofp_match: header, entries, padding."""
    entries = encode_match(match)
    length = 4 + len(entries)
    return struct.pack(">HH", 1, length) + entries + bytes(-length % 8)


def flow_mod(flow: Flow, command: int = ADD, xid: int = 0, version: int = VERSION) -> bytes:
    """A whole flow_mod message that adds or modifies this flow. Only version 5 (1.4) carries importance."""
    flags = sum(FLAGS[name] for name in flow.flags)
    table = 0 if flow.table is None else flow.table
    body = padded_match(flow.match) + encode_instructions(flow.actions)
    return _FLOW_MOD.pack(
        *(version, _OFPT_FLOW_MOD, _FLOW_MOD.size + len(body), xid, flow.cookie, 0, table, command),
        *(flow.idle_timeout, flow.hard_timeout, flow.priority, _NO_BUFFER, ANY, _ANY_GROUP, flags),
        flow.importance if version > VERSION else 0,
    ) + body  # fmt: skip


def delete_mod(selection: Selection, xid: int = 0, version: int = VERSION) -> bytes:
    """A whole flow_mod message that deletes the flows that the selection names."""
    table = _ALL_TABLES if selection.table is None else selection.table
    port = ANY if selection.out_port is None else selection.out_port
    group = _ANY_GROUP if selection.out_group is None else selection.out_group
    command = DELETE_STRICT if selection.strict else DELETE
    body = padded_match(selection.match)
    return _FLOW_MOD.pack(
        *(version, _OFPT_FLOW_MOD, _FLOW_MOD.size + len(body), xid, selection.cookie, selection.cookie_mask),
        *(table, command, 0, 0, selection.priority, _NO_BUFFER, port, group, 0, 0),
    ) + body  # fmt: skip


__all__ = [
    "decode_instructions", "decode_match", "delete_mod", "encode_instructions", "encode_match", "flow_mod",
]  # fmt: skip


def table_stats_request(xid: int = 0) -> bytes:
    """OFPMP_TABLE's request (1.3.5, 7.3.5.3)."""
    return struct.pack(">BBHIHH4x", VERSION, 18, 16, xid, 3, 0)


def active_flows(reply: bytes) -> int:
    """Flows in all tables of one OFPMP_TABLE reply message."""
    return sum(active for _, active, _, _ in struct.iter_unpack(">B3xIQQ", reply[16:]))
