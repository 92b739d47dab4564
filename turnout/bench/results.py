# SPDX-License-Identifier: Apache-2.0
"""From measurements to medians, ratios and floors met or missed. Pure: no clock, no processes."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from turnout.bench.metrics import Figure, Metric
from turnout.bench.scenarios import ContenderName, Floor, Scenario


@dataclass(frozen=True)
class Measurement:
    """One window of one contender in one round."""

    scenario: str
    contender: ContenderName
    round: int
    mpps: float  # million packets delivered a second
    cycles_per_packet: float | None  # TSC cycles of busy polls; None: the contender doesn't say
    settled: bool  # whether the rate had stopped rising before the window
    disturbed: float  # share of the window in which other processes kept the worker from its core
    churned: float | None = None  # flow_mods/s that the contender carried out; None: none were sent


@dataclass(frozen=True)
class Outage:
    """The switch killed with SIGKILL and started again at once, under guest traffic."""

    contender: ContenderName
    round: int
    milliseconds: float  # from the last packet before to the first one after


@dataclass(frozen=True)
class Idle:
    """A switch with two TAP ports and nothing to do but answer one lone ping."""

    contender: ContenderName
    round: int
    cpu_percent: float  # of one core, all threads of the daemon, without any traffic
    ping_us: float  # median round trip of a ping every 0.1 s


@dataclass(frozen=True)
class Failure:
    """A measurement that could not be taken, and why."""

    what: str
    reason: str


@dataclass(frozen=True)
class Summary:
    """Medians over the rounds."""

    scenario: str
    contender: ContenderName
    mpps: float
    mpps_min: float
    mpps_max: float
    cycles_per_packet: float | None
    settled: bool  # in every round
    disturbed: float  # in the worst round
    churned: float | None  # flow_mods/s carried out meanwhile


@dataclass(frozen=True)
class Verdict:
    """A floor and what was reached. `ratio` is None if one of its two figures is missing."""

    scenario: str
    floor: Floor
    ratio: float | None

    @property
    def met(self) -> bool:
        return self.ratio is not None and self.ratio >= self.floor.ratio

    @property
    def aimed(self) -> bool:
        """Whether the aim, too, is reached; so it is if there is none."""
        return self.ratio is not None and self.ratio >= self.floor.aim


@dataclass(frozen=True)
class MetricVerdict:
    """A metric's medians, and whether Turnout's is within bounds; None: no bound, or no figure."""

    metric: Metric
    values: Mapping[ContenderName, float]
    met: bool | None


def summarize(measurements: Sequence[Measurement]) -> list[Summary]:
    """One summary per scenario and contender, in the order in which they first ran."""
    groups: dict[tuple[str, ContenderName], list[Measurement]] = {}
    for measurement in measurements:
        groups.setdefault((measurement.scenario, measurement.contender), []).append(measurement)
    summaries = []
    for (scenario, contender), group in groups.items():
        rates = [measurement.mpps for measurement in group]
        cycles = [m.cycles_per_packet for m in group if m.cycles_per_packet is not None]
        churned = [m.churned for m in group if m.churned is not None]
        summaries.append(
            Summary(
                scenario=scenario,
                contender=contender,
                mpps=statistics.median(rates),
                mpps_min=min(rates),
                mpps_max=max(rates),
                cycles_per_packet=statistics.median(cycles) if cycles else None,
                settled=all(measurement.settled for measurement in group),
                disturbed=max(measurement.disturbed for measurement in group),
                churned=statistics.median(churned) if churned else None,
            )
        )
    return summaries


def ratio(
    measurements: Sequence[Measurement],
    scenario: str,
    contender: ContenderName,
    other_scenario: str = "",
    *,
    of: ContenderName = "turnout",
) -> float | None:
    """The rate of `of` in `scenario` over `contender`'s in `other_scenario` (default: the same).

    The median of the rounds' own ratios: the two rates of a round were taken close together, so that what the
    machine does meanwhile weighs on both. None without a round that has both.
    """
    ours = _by_round(measurements, scenario, of)
    theirs = _by_round(measurements, other_scenario or scenario, contender)
    ratios = [ours[number] / theirs[number] for number in ours.keys() & theirs.keys() if theirs[number]]
    return statistics.median(ratios) if ratios else None


def judge(
    measurements: Sequence[Measurement], scenarios: Sequence[Scenario], contenders: Sequence[ContenderName]
) -> list[Verdict]:
    """The floors that these `scenarios` and `contenders` can decide, each with the ratio reached."""
    names = {scenario.name for scenario in scenarios}
    return [
        Verdict(scenario.name, floor, ratio(measurements, scenario.name, floor.contender, floor.scenario))
        for scenario in scenarios
        for floor in scenario.floors
        if {"turnout", floor.contender} <= set(contenders) and (floor.scenario or scenario.name) in names
    ]


def judge_metrics(figures: Sequence[Figure], metrics: Sequence[Metric]) -> list[MetricVerdict]:
    """A verdict on each metric of which there are figures."""
    groups: dict[tuple[str, ContenderName], list[float]] = {}
    for figure in figures:
        groups.setdefault((figure.metric, figure.contender), []).append(figure.value)
    verdicts = []
    for metric in metrics:
        values = {name: statistics.median(found) for (of, name), found in groups.items() if of == metric.name}
        if values:
            verdicts.append(MetricVerdict(metric, values, _within(metric, values)))
    return verdicts


def _within(metric: Metric, values: Mapping[ContenderName, float]) -> bool | None:
    ours = values.get("turnout")
    most = [
        bound
        for bound in (metric.most, values.get(metric.most_of) if metric.most_of else None)
        if bound is not None
    ]
    least = [] if metric.least is None else [metric.least]
    if ours is None or not most + least:
        return None
    return all(ours <= bound for bound in most) and all(ours >= bound for bound in least)


def _by_round(
    measurements: Sequence[Measurement], scenario: str, contender: ContenderName
) -> dict[int, float]:
    return {m.round: m.mpps for m in measurements if (m.scenario, m.contender) == (scenario, contender)}
