# SPDX-License-Identifier: Apache-2.0
"""The benchmark's packets are what its report says they are."""

import struct
from pathlib import Path

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.utils import PcapReader

from turnout.bench.rules import Exact, OneRule, RuleSet
from turnout.bench.traffic import DESTINATION_MAC, FRAME_BYTES, cached_flows, cached_pcap, write_pcap

_HEADER, _RECORD = 24, 16 + FRAME_BYTES


def frames(path: Path) -> list[bytes]:
    data = path.read_bytes()
    return [data[at + 16 : at + _RECORD] for at in range(_HEADER, len(data), _RECORD)]


@pytest.mark.parametrize("flows", [1, 1_000, 100_000])
def test_every_flow_is_distinct_in_mac_addresses_and_five_tuple(tmp_path: Path, flows: int) -> None:
    path = tmp_path / "flows.pcap"
    write_pcap(path, OneRule().packets(flows))
    found = frames(path)
    assert len(found) == flows
    assert {frame[:6] for frame in found} == {DESTINATION_MAC}
    assert len({frame[6:12] for frame in found}) == flows  # source MAC
    assert len({frame[26:30] for frame in found}) == flows  # source address
    assert len({frame[30:34] for frame in found}) == flows  # destination address
    assert all(frame[6] & 1 == 0 for frame in found)  # a group address would never be learned


def test_frames_are_udp_that_others_can_read(tmp_path: Path) -> None:
    path = tmp_path / "flows.pcap"
    write_pcap(path, OneRule().packets(3))
    with PcapReader(str(path)) as reader:
        packets = list(reader)
    assert len(packets) == 3
    for packet in packets:
        assert len(bytes(packet)) == FRAME_BYTES
        assert packet[UDP].len == FRAME_BYTES - 34
        rebuilt = Ether(bytes(packet))
        del rebuilt[IP].chksum
        assert Ether(bytes(rebuilt))[IP].chksum == packet[IP].chksum


def test_the_same_file_every_time(tmp_path: Path) -> None:
    write_pcap(tmp_path / "a.pcap", OneRule().packets(1_000))
    write_pcap(tmp_path / "b.pcap", OneRule().packets(1_000))
    assert (tmp_path / "a.pcap").read_bytes() == (tmp_path / "b.pcap").read_bytes()


def test_a_file_may_repeat_its_packets(tmp_path: Path) -> None:
    write_pcap(tmp_path / "twice.pcap", OneRule().packets(5), times=2)
    found = frames(tmp_path / "twice.pcap")
    assert found[:5] == found[5:]


def test_a_file_without_packets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="without packets"):
        write_pcap(tmp_path / "flows.pcap", [])
    assert list(tmp_path.iterdir()) == []


def test_the_cache_writes_once_and_tells_rule_sets_apart(tmp_path: Path) -> None:
    rulesets: list[RuleSet] = [OneRule(), Exact(10), Exact(20)]
    paths = [cached_pcap(tmp_path, ruleset, 10) for ruleset in rulesets]
    paths += [
        cached_pcap(tmp_path, OneRule(), 10, times=3),
        *(cached_flows(tmp_path, rules) for rules in rulesets),
    ]
    assert len(set(paths)) == len(paths)
    assert paths[-1].read_text().count("\n") == 20
    written = paths[0].stat().st_mtime_ns
    assert cached_pcap(tmp_path, OneRule(), 10) == paths[0]
    assert paths[0].stat().st_mtime_ns == written
    assert paths[0].read_bytes()[:4] == struct.pack(">I", 0xA1B2C3D4)
