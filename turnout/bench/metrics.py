# SPDX-License-Identifier: Apache-2.0
"""What is measured beside rates, as data: the control plane, first packets, and their bounds."""

from dataclasses import dataclass
from typing import Final, Literal

from turnout.bench.scenarios import ContenderName

Probe = Literal["flow-mods", "ofctl", "memory", "latency", "first-packet", "meter", "scale"]

PROBES: Final[tuple[Probe, ...]] = (
    *("flow-mods", "ofctl", "memory", "latency", "first-packet", "meter", "scale"),
)


@dataclass(frozen=True)
class Metric:
    """One figure that `probe` takes of each switch, and what Turnout's must be.

    At least `least`, at most `most`; `most_of`: at most that contender's. None: no such bound.
    """

    name: str
    probe: Probe
    title: str
    unit: str
    least: float | None = None
    most: float | None = None
    most_of: ContenderName | None = None


METRICS: Final = (
    Metric("adds", "flow-mods", "Flow_mods streamed, adds", "M/s", least=1.0),
    Metric("modifies", "flow-mods", "Flow_mods streamed, strict modifies", "M/s"),
    Metric("deletes", "flow-mods", "Flow_mods streamed, strict deletes", "M/s"),
    Metric("add-flows", "ofctl", "ovs-ofctl add-flows, 100K", "s"),
    Metric("add-flows-client", "ofctl", "… of which the client's CPU", "%", least=80),
    Metric("add-flows-bundle", "ofctl", "ovs-ofctl --bundle add-flows, 100K", "s"),
    Metric("parse-flows", "ofctl", "ovs-ofctl parse-flows, 100K (no switch)", "s"),
    Metric("dump-flows", "ofctl", "ovs-ofctl dump-flows, 100K", "s", most_of="ovs"),
    Metric("memory", "memory", "Memory per rule (Turnout 1M rules, OVS 100K)", "bytes", most=600),
    Metric("barrier-p50", "latency", "Flow_mod until barrier reply, median", "µs"),
    Metric("barrier-p99", "latency", "Flow_mod until barrier reply, p99", "µs"),
    Metric("live-p50", "latency", "Flow_mod until a packet obeys it, median", "µs"),
    Metric("live-p99", "latency", "Flow_mod until a packet obeys it, p99", "µs", most=1000),
    Metric("disobeyed", "latency", "Packets sent after the barrier that didn't", "%", most=0),
    Metric("first-packet", "first-packet", "A flow's first packet over a later one", "µs", most=5),
    Metric("later-packet", "first-packet", "A later packet", "µs"),
    Metric("meter", "meter", "A meter's miss of its rate (Turnout: over two workers)", "%", most=2),
    Metric("scale-add", "scale", "ovs-vsctl adds 200 bridges, 1,000 ports, one by one", "s", most_of="ovs"),
    Metric("scale-del", "scale", "… and takes them away", "s", most_of="ovs"),
)
"""Every figure, in the report's order."""


@dataclass(frozen=True)
class Figure:
    """One metric of one contender in one round."""

    metric: str
    contender: ContenderName
    round: int
    value: float
