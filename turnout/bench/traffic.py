# SPDX-License-Identifier: Apache-2.0
"""The packets of the benchmark as pcap files, the same bytes on every machine."""

import contextlib
import hashlib
import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from turnout.bench import rules
from turnout.bench.rules import Packet, RuleSet

DESTINATION_MAC: Final = bytes.fromhex("0200000000fe")
"""Where every frame goes: one station behind the switch's second port."""

FRAME_BYTES: Final = 60
"""Frame without its FCS: 64 bytes on the wire."""

# One struct for a pcap record header and its frame, so that a flow costs one call. Network byte order
# throughout: libpcap accepts either order for its own headers.
_RECORD: Final = struct.Struct(">4I 6sHIH BBHHHBBHII 4H 18x")
_FILE_HEADER: Final = struct.pack(">IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
_RECORD_HEADER_BYTES: Final = 16
_IP_BYTES: Final = FRAME_BYTES - 14
_UDP_BYTES: Final = _IP_BYTES - 20
# Another version of the generators makes other packets of the same name.
_VERSION: Final = hashlib.sha256(Path(rules.__file__).read_bytes() + Path(__file__).read_bytes()).hexdigest()[
    :8
]


def _record(packet: Packet) -> bytes:
    """One pcap record: the frame of `packet`."""
    source, destination, sport, dport = packet
    mac = source * 0x9E3779 & 0xFFFFFF
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


def frame(packet: Packet) -> bytes:
    """The 60 bytes of `packet` on the wire, without FCS."""
    return _record(packet)[_RECORD_HEADER_BYTES:]


def write_pcap(path: Path, packets: Iterable[Packet], times: int = 1) -> None:
    """Writes a pcap file of 60-byte UDP frames, all to `DESTINATION_MAC`: the whole sequence `times` over.

    Each source address has a MAC address of its own as long as the low 24 bits tell them apart; IPv4
    checksums are right, UDP has none. The file appears whole or not at all. ValueError without packets.
    """
    records = b"".join(map(_record, packets))
    if not records:
        raise ValueError("a pcap file without packets")
    with _replacing(path) as file:
        file.write(_FILE_HEADER)
        for _ in range(times):
            file.write(records)


def cached_pcap(folder: Path, ruleset: RuleSet, packets: int, times: int = 1) -> Path:
    """The pcap of `packets` packets that hit `ruleset`, `times` over, written if it isn't in `folder`."""
    path = folder / _VERSION / f"{ruleset.name}-{packets}-{times}.pcap"
    if not path.exists():
        write_pcap(path, ruleset.packets(packets), times)
    return path


def cached_flows(folder: Path, ruleset: RuleSet) -> Path:
    """The file of `ruleset`'s flows for `ovs-ofctl add-flows`, written if it isn't in `folder`."""
    path = folder / _VERSION / f"{ruleset.name}.flows"
    if not path.exists():
        with _replacing(path) as file:
            for line in ruleset.lines():
                file.write(f"{line}\n".encode())
    return path


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which takes the name `path` once it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.part")
    with partial.open("wb") as file:
        yield file
    partial.rename(path)
