# SPDX-License-Identifier: Apache-2.0
"""Actions that change a packet's bytes or fields and nothing else (OpenFlow 1.3.5, 5.12; ovs-actions(7)).

One that asks for what the packet does not have does nothing.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from turnout.openflow import actions as a
from turnout.openflow.checksum import add_to_checksum
from turnout.openflow.fields import FIELDS, IPV6
from turnout.openflow.packet import Packet


def _set_field(packet: Packet, action: a.SetField) -> None:
    mask = FIELDS[action.field].all_ones if action.mask is None else action.mask
    packet.set(action.field, action.value, mask)


def _load(packet: Packet, action: a.Load) -> None:
    to = action.to
    packet.set(to.field, action.value << to.start, (1 << to.bits) - 1 << to.start)


def _move(packet: Packet, action: a.Move) -> None:
    source, to = action.source, action.to
    if packet.has(source.field):
        value = packet.get(source.field) >> source.start & (1 << source.bits) - 1
        packet.set(to.field, value << to.start, (1 << to.bits) - 1 << to.start)


def _push_vlan(packet: Packet, action: a.PushVlan) -> None:
    """A new tag outside of all others; its VID and PCP are the old outer tag's (1.3.5, 5.12.1), or 0."""
    if "eth" in packet.at:
        tci = packet.get("vlan_tci") & 0xEFFF
        packet.splice(12, 0, action.eth_type.to_bytes(2, "big") + tci.to_bytes(2, "big"))


def _pop_vlan(packet: Packet, _: a.PopVlan) -> None:
    if "vlan" in packet.at:
        packet.splice(12, 4, b"")


def _push_mpls(packet: Packet, action: a.PushMpls) -> None:
    """A copy of the outermost entry, or a new one: label 2 over IPv6, else 0; TC and TTL from IP.

    The TTL is 64 where IP has none, or 0, as Open vSwitch does.
    """
    if "eth" not in packet.at:
        return
    if "mpls" in packet.at:
        at = packet.at["mpls"]
        entry = int.from_bytes(packet.data[at : at + 4], "big") & ~0x100
    elif packet.has("nw_ttl"):
        label = 2 if packet.eth_type == IPV6 else 0
        entry = label << 12 | (packet.get("ip_dscp") & 7) << 9 | 0x100 | (packet.get("nw_ttl") or 64)
    else:
        entry = 0x100 | 64
    at = packet.at["l3"]
    packet.data[at - 2 : at] = action.eth_type.to_bytes(2, "big")
    packet.splice(at, 0, entry.to_bytes(4, "big"))


def _pop_mpls(packet: Packet, action: a.PopMpls) -> None:
    if "mpls" in packet.at:
        at = packet.at["mpls"]
        packet.data[at - 2 : at] = action.eth_type.to_bytes(2, "big")
        packet.splice(at, 4, b"")


def _push_pbb(packet: Packet, action: a.PushPbb) -> None:
    """A backbone header in front: the packet's own addresses, an I-TAG that is 0 or a copy."""
    if "eth" not in packet.at:
        return
    tag = packet.data[packet.at["pbb"] : packet.at["pbb"] + 4] if "pbb" in packet.at else b"\0\0\0\0"
    if "pbb" not in packet.at and "vlan" in packet.at:
        tag = bytes([packet.get("vlan_pcp") << 5, 0, 0, 0])
    packet.splice(0, 0, bytes(packet.data[:12]) + action.eth_type.to_bytes(2, "big") + bytes(tag))


def _pop_pbb(packet: Packet, _: a.PopPbb) -> None:
    if "pbb" in packet.at and len(packet.data) >= packet.at["pbb"] + 4 + 14:
        packet.splice(0, packet.at["pbb"] + 4, b"")


def _set_ttl(packet: Packet, action: a.SetTtl) -> None:
    packet.set("nw_ttl", action.ttl, 0xFF)


def _set_mpls_ttl(packet: Packet, action: a.SetMplsTtl) -> None:
    packet.set("mpls_ttl", action.ttl, 0xFF)


def _copy_ttl(packet: Packet, action: a.CopyTtlOut | a.CopyTtlIn) -> None:
    """Between the outermost label and what is next inside: a label, or IP."""
    if "mpls" not in packet.at:
        return
    outer = packet.at["mpls"] + 3
    inner = outer + 4
    if packet.get("mpls_bos"):
        version = packet.data[outer + 1] >> 4 if len(packet.data) > outer + 1 else 0
        offset = {4: 8, 6: 7}.get(version)
        if offset is None:
            return
        inner = outer + 1 + offset
    if inner >= len(packet.data):
        return
    source, to = (inner, outer) if isinstance(action, a.CopyTtlOut) else (outer, inner)
    old, packet.data[to] = packet.data[to], packet.data[source]
    if to == inner and packet.data[outer + 1] >> 4 == 4 and packet.get("mpls_bos"):
        _fix_inner_ipv4(packet, outer + 1, old)
    packet.parse()


def _fix_inner_ipv4(packet: Packet, at: int, old: int) -> None:
    before, after = bytes([old, packet.data[at + 9]]), bytes(packet.data[at + 8 : at + 10])
    add_to_checksum(packet.data, at + 10, 0, before, after)


EDITS: Final[Mapping[type, Callable[[Packet, Any], None]]] = {
    a.SetField: _set_field,
    a.Load: _load,
    a.Move: _move,
    a.PushVlan: _push_vlan,
    a.PopVlan: _pop_vlan,
    a.PushMpls: _push_mpls,
    a.PopMpls: _pop_mpls,
    a.PushPbb: _push_pbb,
    a.PopPbb: _pop_pbb,
    a.SetTtl: _set_ttl,
    a.SetMplsTtl: _set_mpls_ttl,
    a.CopyTtlOut: _copy_ttl,
    a.CopyTtlIn: _copy_ttl,
}
"""Action → what it does to a packet."""
