# SPDX-License-Identifier: Apache-2.0
"""What is measured, as data: add a line to `SCENARIOS` and it runs, is reported and is checked.

All frames are 64 bytes on the wire, every contender is a learning switch but testpmd (the limit: it forwards
without looking), and each has one worker on one core.
"""

from dataclasses import dataclass
from typing import Final, Literal

ContenderName = Literal["turnout", "ovs", "testpmd"]
Harness = Literal["replay", "generator", "loop"]

CONTENDERS: Final[tuple[ContenderName, ...]] = ("turnout", "ovs", "testpmd")

MAC_TABLE_SIZE: Final = 1_000_000
"""Entries given to every learning switch, so that none is starved. Open vSwitch takes no more."""


@dataclass(frozen=True)
class Floor:
    """The least that Turnout's rate, divided by that of `contender` in `scenario`, must come to."""

    ratio: float
    contender: ContenderName
    scenario: str = ""  # "": the same one


@dataclass(frozen=True)
class Scenario:
    """One line of the report.

    Harnesses: `replay`: net_pcap replays from memory for ever → net_null, both polled by the contender.
    `generator`: a testpmd on the other core replays into a vhost-user port of the contender → net_null.
    `loop`: a testpmd guest on the other core bounces `packets` between two vhost-user ports.
    In the first two the destination never answers, so every switch floods to its only other port.
    """

    name: str
    title: str
    harness: Harness
    flows: int = 1
    packets: int = 0
    mbufs: int = 262_144  # in the contender's pool; Open vSwitch has no more
    contenders: tuple[ContenderName, ...] = CONTENDERS
    floors: tuple[Floor, ...] = ()


def _replay(flows: str, count: int, *floors: Floor) -> Scenario:
    return Scenario(
        f"replay-{flows.lower()}",
        f"pcap → null, {flows} flow{'s' * (count > 1)}",
        "replay",
        count,
        floors=floors,
    )


SCENARIOS: Final[tuple[Scenario, ...]] = (
    _replay("1", 1, Floor(1.8, "ovs")),
    _replay("1K", 1_000, Floor(2.0, "ovs")),
    _replay("100K", 100_000, Floor(3.0, "ovs"), Floor(0.5, "testpmd")),
    # net_pcap keeps a file's packets in the contender's pool, and Open vSwitch's is too small for these.
    Scenario(
        "replay-1m",
        "pcap → null, 1M flows",
        "replay",
        1_000_000,
        mbufs=1_100_000,
        contenders=("turnout", "testpmd"),
        floors=(Floor(0.8, "turnout", "replay-100k"),),
    ),
    Scenario("generator-100k", "vhost-user → null, 100K flows", "generator", 100_000),
    Scenario(
        "generator-1m",
        "vhost-user → null, 1M flows",
        "generator",
        1_000_000,
        floors=(Floor(0.8, "turnout", "generator-100k"),),
    ),
    Scenario(
        "loop",
        "vhost-user ↔ vhost-user",
        "loop",
        packets=512,
        floors=(Floor(1.0, "ovs"), Floor(0.85, "testpmd")),
    ),
)
