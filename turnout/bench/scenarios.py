# SPDX-License-Identifier: Apache-2.0
"""What is measured, as data: add a line to `SCENARIOS` and it runs, is reported and is checked.

All frames are 64 bytes on the wire, every contender is a learning switch or follows the scenario's rules, but
testpmd (the limit: it forwards without looking), and each has one worker on one core.
"""

from dataclasses import dataclass
from typing import Final, Literal

from turnout.bench.rules import Acl, Exact, Explosion, Extensible, GotoChain, Lpm, OneRule, RuleSet

ContenderName = Literal["turnout", "ovs", "testpmd"]
Harness = Literal["replay", "generator", "loop"]
Group = Literal["switching", "openflow"]

CONTENDERS: Final[tuple[ContenderName, ...]] = ("turnout", "ovs", "testpmd")
SWITCHES: Final[tuple[ContenderName, ...]] = ("turnout", "ovs")

MAC_TABLE_SIZE: Final = 1_000_000
"""Entries given to every learning switch, so that none is starved. Open vSwitch takes no more."""


@dataclass(frozen=True)
class Floor:
    """The least that Turnout's rate, divided by that of `contender` in `scenario`, must come to, and should.

    0 where nothing is asked.
    """

    ratio: float
    contender: ContenderName
    scenario: str = ""  # "": the same one
    aim: float = 0.0


@dataclass(frozen=True)
class Churn:
    """Flow_mods sent meanwhile, adds and deletes in turn, of `rules`' kind but not among them."""

    rules: Extensible
    per_second: int


@dataclass(frozen=True)
class Scenario:
    """One line of the report.

    Harnesses: `replay`: net_pcap replays from memory for ever → net_null, both polled by the contender.
    `generator`: a testpmd on the other core replays into a vhost-user port of the contender → net_null.
    `loop`: a testpmd guest on the other core bounces `packets` between two vhost-user ports.
    In the first two port 1 is the source and port 2 the sink. Without `rules` every contender is a learning
    switch; as the destination never answers, it floods to its only other port.
    """

    name: str
    title: str
    harness: Harness
    flows: int = 1  # distinct packets
    rules: RuleSet | None = None
    churn: Churn | None = None
    packets: int = 0
    mbufs: int = 262_144  # in the contender's pool; Open vSwitch has no more
    contenders: tuple[ContenderName, ...] = CONTENDERS
    floors: tuple[Floor, ...] = ()
    base: str = ""  # the scenario whose rate this one should keep, in every contender

    @property
    def group(self) -> Group:
        return "openflow" if self.rules else "switching"


def _replay(flows: str, count: int, *floors: Floor) -> Scenario:
    return Scenario(
        f"replay-{flows.lower()}",
        f"pcap → null, {flows} flow{'s' * (count > 1)}",
        "replay",
        count,
        floors=floors,
    )


_SWITCHING: Final = (
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


def _openflow(name: str, title: str, flows: int, rules: RuleSet, *floors: Floor) -> Scenario:
    return Scenario(name, title, "replay", flows, rules, floors=floors)


def _churn(base: str, title: str, flows: int, rules: Extensible) -> Scenario:
    """`base` again under 10,000 flow_mods a second."""
    return Scenario(
        f"{base}-churn",
        title,
        "replay",
        flows,
        rules,
        Churn(rules, 10_000),
        contenders=SWITCHES,
        floors=(Floor(0.9, "turnout", base, aim=0.97),),
        base=base,
    )


_POOLFUL: Final = 200_000  # packets that Open vSwitch's pool can hold

_OPENFLOW: Final = (
    _openflow("rule-1", "1 flow, 1 rule", 1, OneRule(), Floor(1.8, "ovs"), Floor(0, "testpmd", aim=0.5)),
    _openflow(
        "rule-1-100k", "100K flows, 1 rule", 100_000, OneRule(), Floor(3, "ovs"), Floor(0, "testpmd", aim=0.7)
    ),
    _openflow("exact-1k", "1K flows, 1K exact rules", 1_000, Exact(1_000), Floor(3, "ovs", aim=5)),
    _openflow("exact-10k", "10K flows, 10K exact rules", 10_000, Exact(10_000), Floor(6, "ovs", aim=12)),
    _openflow("exact-100k", "100K flows, 100K exact rules", 100_000, Exact(100_000), Floor(4, "ovs", aim=8)),
    Scenario(
        "exact-1m",
        "1M flows, 1M exact rules, from a guest",
        "generator",
        1_000_000,
        Exact(1_000_000),
        floors=(Floor(6, "ovs"),),
    ),
    # The guest above limits the rate, and Open vSwitch's pool is too small for this one.
    Scenario(
        "exact-1m-replay",
        "1M flows, 1M exact rules",
        "replay",
        1_000_000,
        Exact(1_000_000),
        mbufs=1_100_000,
        contenders=("turnout", "testpmd"),
        floors=(Floor(0, "turnout", "exact-1k", aim=0.5),),
    ),
    _openflow("acl-1k", "100K flows, access list of 1K", 100_000, Acl(1_000), Floor(15, "ovs", aim=40)),
    _openflow("acl-10k", "100K flows, access list of 10K", 100_000, Acl(10_000), Floor(15, "ovs", aim=40)),
    _openflow(
        "lpm-500k",
        "200K destinations, 500K prefixes",
        _POOLFUL,
        Lpm(500_000),
        Floor(5, "ovs"),
        Floor(0, "testpmd", aim=0.5),
    ),
    _openflow("goto-8", "100K flows, chain of 8 tables", 100_000, GotoChain(), Floor(3, "ovs", aim=6)),
    Scenario(
        "tse-calm",
        "3 rules, 10 % of one dropped flow",
        "replay",
        _POOLFUL,
        Explosion(attack=False),
        contenders=SWITCHES,
    ),
    Scenario(
        "tse-attack",
        "3 rules, 10 % of random headers",
        "replay",
        _POOLFUL,
        Explosion(attack=True),
        contenders=SWITCHES,
        floors=(Floor(0.9, "turnout", "tse-calm"),),
        base="tse-calm",
    ),
    _churn("exact-10k", "10K exact rules, 10K flow_mods/s", 10_000, Exact(10_000)),
    _churn("acl-10k", "access list of 10K, 10K flow_mods/s", 100_000, Acl(10_000)),
)

SCENARIOS: Final[tuple[Scenario, ...]] = _SWITCHING + _OPENFLOW
