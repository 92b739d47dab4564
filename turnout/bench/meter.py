# SPDX-License-Identifier: Apache-2.0
"""How close a meter keeps to its rate while every core sends through it."""

import time
from pathlib import Path
from typing import Final

from turnout.bench.contenders import (
    CONTROL_CORE,
    WORKER_CORE,
    Contender,
    OvsContender,
    Port,
    TurnoutContender,
)
from turnout.bench.rules import OneRule
from turnout.bench.scenarios import ContenderName
from turnout.bench.traffic import cached_pcap
from turnout.lab.console import run

_RATE: Final = 500_000  # packets a second
_MBUFS: Final = 65_536
_SETTLE_S, _WINDOW_S = 1.0, 3.0


def meter(name: ContenderName, cache: Path) -> dict[str, float]:
    """% by which the packets that pass miss the meter's rate: two sources, a worker each in Turnout, one in
    Open vSwitch.
    """
    pcap = cached_pcap(cache, OneRule(), 1)
    replay = f"rx_pcap={pcap},infinite_rx=1,tx_pcap=/dev/null"
    ports = [
        Port("first", devargs=f"net_pcap0,{replay}"),
        Port("second", devargs=f"net_pcap1,{replay}"),
        Port("sink", devargs="net_null2,no-rx=1"),
    ]
    contender: Contender
    if name == "turnout":
        contender = TurnoutContender(ports, _MBUFS, None, cores=(CONTROL_CORE, WORKER_CORE))
    else:
        contender = OvsContender(ports, _MBUFS, None)
    with contender:
        for command, what in (
            ("add-meter", f"meter=1,pktps,bands=type=drop,rate={_RATE}"),
            ("add-flow", "in_port=1,actions=meter:1,output:3"),
            ("add-flow", "in_port=2,actions=meter:1,output:3"),
        ):
            run("ovs-ofctl", "-O", "OpenFlow13", command, f"unix:{contender.management}", what)
        time.sleep(_SETTLE_S)
        first = contender.read()
        time.sleep(_WINDOW_S)
        passed = contender.read().mpps_since(first) * 1e6
    return {"meter": abs(passed / _RATE - 1) * 100}
