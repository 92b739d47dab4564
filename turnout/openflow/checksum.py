# SPDX-License-Identifier: Apache-2.0
"""Checksums as RFC 1624 and RFC 3309 have them, for the reference interpreter."""

from typing import Final


def _sum(data: bytes) -> int:
    return sum(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))


def checksum(data: bytes) -> int:
    """The Internet checksum of all of this (RFC 1071)."""
    total = _sum(data + b"\0" * (len(data) & 1))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def add_to_checksum(data: bytearray, place: int, offset: int, old: bytes, new: bytes) -> None:
    """Brings the checksum at `place` up to date: bytes `offset` of what it covers were old and are new.

    RFC 1624, equation 3: a checksum that was wrong stays wrong by as much.
    """
    if offset & 1:
        old, new = b"\0" + old, b"\0" + new
    if len(old) & 1:
        old, new = old + b"\0", new + b"\0"
    old_sum = int.from_bytes(data[place : place + 2], "big")
    total = (~old_sum & 0xFFFF) + sum(~word & 0xFFFF for word in _words(old)) + _sum(new)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    data[place : place + 2] = (~total & 0xFFFF).to_bytes(2, "big")


def _words(data: bytes) -> list[int]:
    return [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)]


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return tuple(table)


_CRC: Final = _crc_table()


def sctp_crc(data: bytes | bytearray) -> int:
    """CRC-32c of an SCTP packet, its own checksum field taken as zero."""
    crc = 0xFFFFFFFF
    for byte in bytes(data[:8]) + bytes(4) + bytes(data[12:]):
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF
