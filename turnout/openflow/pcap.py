# SPDX-License-Identifier: Apache-2.0
"""A frame out of a pcap file."""

from typing import Literal

from turnout.errors import TurnoutError


def pcap_frame(data: bytes, number: int = 1) -> bytes:
    """Packet `number` (from 1) of a pcap file's bytes. Raises TurnoutError."""
    order: Literal["big", "little"]
    if data[:4] in (b"\xa1\xb2\xc3\xd4", b"\xa1\xb2\x3c\x4d"):
        order = "big"
    elif data[3::-1] in (b"\xa1\xb2\xc3\xd4", b"\xa1\xb2\x3c\x4d"):
        order = "little"
    else:
        raise TurnoutError("pcap: not a pcap file; pcapng can be converted with: editcap -F pcap IN OUT")
    at = 24
    for _ in range(number - 1):
        at += 16 + int.from_bytes(data[at + 8 : at + 12], order)
    length = int.from_bytes(data[at + 8 : at + 12], order)
    if at + 16 > len(data) or at + 16 + length > len(data):
        raise TurnoutError(f"pcap: there is no packet {number}")
    return data[at + 16 : at + 16 + length]
