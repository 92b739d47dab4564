# SPDX-License-Identifier: Apache-2.0
"""A frame that a match wants, so that a flow's text can be traced as if such a packet had come."""

from turnout.openflow.checksum import checksum, sctp_crc
from turnout.openflow.fields import ARP, FIELDS, IPV4, IPV6, MPLS, MPLS_MULTICAST, PBB, RARP
from turnout.openflow.flow import Match
from turnout.openflow.packet import METADATA, Packet

_TTL = 64
_FRAGMENTS = {1: 0x2000, 2: 0x0001, 3: 0x0001}


def compose(match: Match) -> tuple[int, bytes, dict[str, int]]:
    """in_port, frame and metadata. What the match does not say is zero, TTLs 64; checksums are right."""
    values = {entry.field: entry.value for entry in match}
    meta = {name: value for name, value in values.items() if name in METADATA}
    frame = bytes(12)
    if values.get("vlan_tci", 0) & 0x1000:
        frame += b"\x81\x00" + bytes(2)
    eth_type = values.get("eth_type", 0)
    frame += _payload(eth_type, values)
    packet = Packet(frame, meta)
    for name, value in values.items():
        if name not in METADATA and name not in ("eth_type", "nw_proto", "ip_frag"):
            packet.set(name, value, FIELDS[name].all_ones)
    in_port = meta.pop("in_port_oxm", 0)
    return in_port, bytes(packet.data), meta


def _payload(eth_type: int, values: dict[str, int]) -> bytes:
    kind = eth_type.to_bytes(2, "big")
    protocol = values.get("nw_proto", 0)
    match eth_type:
        case 0 | 0x05FF:  # a frame with a length in the place of its type
            return bytes(2 + 46)
        case _ if eth_type in (ARP, RARP):
            return kind + bytes.fromhex("0001080006040001") + bytes(38)
        case _ if eth_type == IPV4:
            return kind + _ipv4(protocol, _l4(protocol, values), values)
        case _ if eth_type == IPV6:
            return kind + _ipv6(protocol, _l4(protocol, values), values)
        case _ if eth_type in (MPLS, MPLS_MULTICAST):
            return kind + bytes([0, 0, 1, _TTL]) + _ipv4(0, b"", {})
        case _ if eth_type == PBB:
            return kind + bytes(4 + 14 + 46)
    return kind + bytes(46)


def _l4(protocol: int, values: dict[str, int]) -> bytes:
    """The least header of this protocol, with right checksums for a pseudo header of zero addresses."""
    match protocol:
        case 6:
            flags = values.get("tcp_flags", 0)
            return _summed(bytes(12) + (0x5000 | flags).to_bytes(2, "big") + bytes(6), 16, protocol)
        case 17:
            return _summed(bytes(4) + b"\0\x08" + bytes(2), 6, protocol)
        case 132:
            header = bytearray(12)
            header[8:12] = sctp_crc(header).to_bytes(4, "little")
            return bytes(header)
        case 1:
            return _summed(bytes(8), 2, None)
        case 58 if values.get("icmpv6_type") in (135, 136):
            option = 1 if values["icmpv6_type"] == 135 else 2
            return _summed(
                bytes([values["icmpv6_type"]]) + bytes(23) + bytes([option, 1]) + bytes(6), 2, protocol
            )
        case 58:
            return _summed(bytes(8), 2, protocol)
    return b""


def _summed(data: bytes, at: int, protocol: int | None) -> bytes:
    pseudo = b"" if protocol is None else len(data).to_bytes(4, "big") + protocol.to_bytes(4, "big")
    return data[:at] + checksum(pseudo + data).to_bytes(2, "big") + data[at + 2 :]


def _ipv4(protocol: int, payload: bytes, values: dict[str, int]) -> bytes:
    fragment = _FRAGMENTS.get(values.get("ip_frag", 0), 0)
    body = payload or bytes(26)
    head = b"\x45\0" + (20 + len(body)).to_bytes(2, "big") + bytes(2) + fragment.to_bytes(2, "big")
    head += bytes([_TTL, protocol]) + bytes(10)
    return head[:10] + checksum(head).to_bytes(2, "big") + head[12:] + body


def _ipv6(protocol: int, payload: bytes, values: dict[str, int]) -> bytes:
    following = protocol
    if fragment := values.get("ip_frag", 0):
        payload = bytes([protocol, 0]) + (9 if fragment == 3 else 1).to_bytes(2, "big") + bytes(4) + payload
        following = 44
    return b"\x60\0\0\0" + len(payload).to_bytes(2, "big") + bytes([following, _TTL]) + bytes(32) + payload
