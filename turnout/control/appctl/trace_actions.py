# SPDX-License-Identifier: Apache-2.0
"""What became of a traced packet, as Open vSwitch writes a datapath's actions."""

from collections.abc import Mapping

from turnout.openflow.fields import FIELDS
from turnout.openflow.outcome import Outcome
from turnout.openflow.packet import Packet
from turnout.openflow.values import address_text, mac_text

_HEADERS = {  # header → its keys: our field, its spelling there
    "eth": (("eth_src", "src"), ("eth_dst", "dst")),
    "arp": (
        *(("arp_spa", "sip"), ("arp_tpa", "tip"), ("arp_op", "op")),
        *(("arp_sha", "sha"), ("arp_tha", "tha")),
    ),
    "ipv4": (("ip_src", "src"), ("ip_dst", "dst"), ("nw_tos", "tos"), ("nw_ttl", "ttl")),
    "ipv6": (
        *(("ipv6_src", "src"), ("ipv6_dst", "dst"), ("ipv6_label", "label")),
        *(("nw_tos", "tclass"), ("nw_ttl", "hlimit")),
    ),
    **{name: ((f"{name}_src", "src"), (f"{name}_dst", "dst")) for name in ("tcp", "udp", "sctp")},
}


def format_datapath_actions(frame: bytes, outcome: Outcome, inside: Mapping[tuple[str, int], str]) -> str:
    """Outputs in their order, each behind what changes between it and the one before, then packets to
    controllers; or "drop". Of changes, those of addresses, ports, TOS, TTL, ARP and VLAN tags. inside: see
    format_trace.
    """
    actions: list[str] = []
    packet = Packet(frame, {})
    for sent in outcome.sent:
        out = Packet(sent.frame, {})
        actions += _changes(packet, out)
        actions.append(inside.get((sent.bridge, sent.port), str(sent.port)))
        packet = out
    actions += [
        f"userspace(controller(reason={up.reason},controller_id={up.controller}))"
        for up in outcome.to_controller
    ]
    return ",".join(actions) or "drop"


def _changes(old: Packet, new: Packet) -> list[str]:
    changes = []
    for header, fields in _HEADERS.items():
        if header in old.at and header in new.at:
            differing = [(name, key) for name, key in fields if old.get(name) != new.get(name)]
            if differing:
                keys = (f"{key}={_value(name, old.get(name), new.get(name))}" for name, key in differing)
                changes.append(f"set({header}({','.join(keys)}))")
    return changes + _tag_changes(_tags(old), _tags(new))


def _value(name: str, old: int, new: int) -> str:
    field = FIELDS[name]
    match field.style:
        case "mac":
            return mac_text(new)
        case "ipv4" | "ipv6":
            return address_text(new, field.all_ones, field.bits)
    if name == "nw_tos":  # two fields in one: DSCP and ECN
        mask = (0xFC if (old ^ new) & 0xFC else 0) | (0x03 if (old ^ new) & 0x03 else 0)
        return _hex(new & mask) + ("" if mask == 0xFF else f"/{mask:#x}")
    return _hex(new) if name == "ipv6_label" else str(new)


def _hex(value: int) -> str:
    return f"{value:#x}" if value else "0"


def _tags(packet: Packet) -> list[bytes]:
    """TPID and TCI of each VLAN tag, the outer one first."""
    places = (packet.at[header] for header in ("vlan", "vlan2") if header in packet.at)
    return [bytes(packet.data[at - 2 : at + 2]) for at in places]


def _tag_changes(old: list[bytes], new: list[bytes]) -> list[str]:
    """Pops and pushes; the inner tags that both have stay."""
    same = 0
    while same < min(len(old), len(new)) and old[-1 - same] == new[-1 - same]:
        same += 1
    pushed = reversed(new[: len(new) - same])
    return ["pop_vlan"] * (len(old) - same) + [_push(tag) for tag in pushed]


def _push(tag: bytes) -> str:
    tpid, tci = int.from_bytes(tag[:2], "big"), int.from_bytes(tag[2:], "big")
    kind = "" if tpid == 0x8100 else f"tpid={tpid:#06x},"
    return f"push_vlan({kind}vid={tci & 0xFFF},pcp={tci >> 13})"
