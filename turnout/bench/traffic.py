# SPDX-License-Identifier: Apache-2.0
"""The packets of the benchmark: pcap files with a known number of flows, the same bytes on every machine."""

import os
import struct
from pathlib import Path
from typing import Final

DESTINATION_MAC: Final = bytes.fromhex("0200000000fe")
"""Where every frame goes: one station behind the switch's second port."""

FRAME_BYTES: Final = 60
"""Frame without its FCS: 64 bytes on the wire."""

# One struct for a pcap record header and its frame, so that a flow costs one call. Network byte order
# throughout: libpcap accepts either order for its own headers.
_RECORD: Final = struct.Struct(">4I 6sHIH BBHHHBBHII 4H 18x")
_FILE_HEADER: Final = struct.pack(">IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
_RECORD_HEADER_BYTES: Final = 16
_FLOWS_MAX: Final = 1 << 24  # flow numbers are scrambled within 24 bits
_CHUNK_FLOWS: Final = 65536
_IP_BYTES: Final = FRAME_BYTES - 14
_UDP_BYTES: Final = _IP_BYTES - 20


def _record(flow: int) -> bytes:
    """One pcap record: the frame of flow number `flow`, whose source MAC and both addresses are its own."""
    # Multiplying by an odd number permutes the 24-bit numbers: distinct flows stay distinct, yet no field
    # counts upwards, which would be kinder to hash tables than real traffic is.
    mac = flow * 0x9E3779 & 0xFFFFFF
    source = 0x0A000000 | flow * 0x85EBCB & 0xFFFFFF
    destination = 0x0B000000 | flow * 0xC2B2AF & 0xFFFFFF
    sport, dport = 1024 + flow * 40503 % 60000, 1024 + flow * 30011 % 60000
    words = 0x4500 + _IP_BYTES + 0x4011 + (source >> 16) + (source & 0xFFFF) + (destination >> 16)
    words += destination & 0xFFFF
    words = (words & 0xFFFF) + (words >> 16)
    checksum = ~((words & 0xFFFF) + (words >> 16)) & 0xFFFF
    return _RECORD.pack(
        0, 0, FRAME_BYTES, FRAME_BYTES,
        DESTINATION_MAC, 0x0200, 0x01000000 | mac, 0x0800,
        0x45, 0, _IP_BYTES, 0, 0, 64, 17, checksum, source, destination,
        sport, dport, _UDP_BYTES, 0,
    )  # fmt: skip


def write_pcap(path: Path, flows: int) -> None:
    """Writes a pcap file of `flows` 60-byte UDP frames, one per flow, all to `DESTINATION_MAC`.

    Flows differ in source MAC, both IPv4 addresses and both ports; IPv4 checksums are right, UDP has none.
    The file appears whole or not at all. Raises ValueError unless 1 ≤ flows ≤ 2^24.
    """
    if not 1 <= flows <= _FLOWS_MAX:
        raise ValueError(f"flows must be 1 to {_FLOWS_MAX}, not {flows}")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.part")
    with partial.open("wb") as file:
        file.write(_FILE_HEADER)
        for start in range(0, flows, _CHUNK_FLOWS):
            file.write(b"".join(map(_record, range(start, min(start + _CHUNK_FLOWS, flows)))))
    partial.rename(path)


def cached_pcap(folder: Path, flows: int) -> Path:
    """The pcap file of `flows` flows in `folder`, written if it isn't there in full."""
    path = folder / f"udp-{flows}.pcap"
    size = len(_FILE_HEADER) + flows * (_RECORD_HEADER_BYTES + FRAME_BYTES)
    if not path.exists() or path.stat().st_size != size:
        write_pcap(path, flows)
    return path
