# SPDX-License-Identifier: Apache-2.0
"""What the first packet of a flow costs beyond the later ones, by the worker's own count of cycles."""

import re
from pathlib import Path
from typing import Final

from turnout.bench.contenders import Port, start
from turnout.bench.rules import Exact
from turnout.bench.scenarios import ContenderName
from turnout.bench.traffic import cached_flows, cached_pcap
from turnout.lab.console import LabError
from turnout.lab.wait import until

_FLOWS: Final = 100_000  # each with a rule of its own, so that none profits from another
_TIMES: Final = 5
_MBUFS: Final = 65_536
_LATE_S: Final = 120.0


def first_packet(name: ContenderName, cache: Path) -> dict[str, float]:
    """µs a packet. One file has each flow once, another has them all five times over; each is played once.

    What the second costs more is the cost of later packets.
    """
    once, often = (_busy_us(name, cache, times) for times in (1, _TIMES))
    later = (often - once) / (_TIMES - 1) / _FLOWS
    return {"first-packet": once / _FLOWS - later, "later-packet": later}


def _busy_us(name: ContenderName, cache: Path, times: int) -> float:
    """µs that the worker is busy with 100K flows of `times` packets each."""
    rules = Exact(_FLOWS)
    pcap = cached_pcap(cache, rules, _FLOWS, times)
    ports = [
        Port("source", devargs=f"net_pcap0,rx_pcap={pcap},tx_pcap=/dev/null"),
        Port("sink", devargs="net_null1,no-rx=1"),
    ]
    with start(name, ports, _MBUFS, cached_flows(cache, rules)) as contender:
        until(
            lambda: contender.read().received >= _FLOWS * times,
            f"{_FLOWS * times} packets taken in by {name}",
            timeout=_LATE_S,
            interval=0.2,
        )
        cycles = contender.read().busy_cycles
    if cycles is None:
        raise LabError(f"{name} doesn't say how busy it is")
    return cycles / _tsc_mhz()


def _tsc_mhz() -> float:
    found = re.search(r"^cpu MHz\s*: ([\d.]+)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    if found is None:
        raise LabError("the kernel doesn't know the clock's frequency")
    return float(found[1])
