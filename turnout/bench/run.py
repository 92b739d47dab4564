# SPDX-License-Identifier: Apache-2.0
"""A whole run: what to measure, in which order, and what came of it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar

from turnout.bench import (
    control,
    evidence,
    first_packet,
    harness,
    idle,
    latency,
    meter,
    metrics,
    restart,
    scale,
)
from turnout.bench.harness import Progress, Timing
from turnout.bench.metrics import Figure
from turnout.bench.results import Failure, Idle, Measurement, Outage
from turnout.bench.scenarios import ContenderName, Scenario
from turnout.errors import TurnoutError
from turnout.lab.console import LabError

PROBES: Final = ("restart", "idle", *metrics.PROBES)
"""What is measured beside the scenarios' rates."""

_EVIDENCE_S: Final = 3.0


@dataclass(frozen=True)
class Step:
    """One measurement to take: `take` stores its result and says how far it is."""

    title: str
    take: Callable[[Progress], None]


@dataclass(frozen=True)
class Plan:
    """What a run measures."""

    scenarios: Sequence[Scenario]
    probes: Sequence[str]
    contenders: Sequence[ContenderName]
    rounds: int
    timing: Timing
    evidence: bool
    pcaps: Path  # folder of cached pcap files


@dataclass
class Run:
    """Takes a plan's measurements one by one and keeps them."""

    plan: Plan
    measurements: list[Measurement] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)
    idles: list[Idle] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    profiles: dict[str, str] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)

    def steps(self) -> Iterator[Step]:
        """Every measurement, contenders alternating within each scenario of each round."""
        for round in range(self.plan.rounds):
            # Nobody is always first, lest a drift of the machine within a round favour one.
            turn = round % len(self.plan.contenders)
            order = [*self.plan.contenders[turn:], *self.plan.contenders[:turn]]
            for scenario in self.plan.scenarios:
                for name in (name for name in order if name in scenario.contenders):
                    yield Step(f"{scenario.title}: {name}", partial(self._rate, scenario, name, round))
            for name in (
                name for name in order if name != "testpmd"
            ):  # which keeps nothing and serves no TAP
                if "restart" in self.plan.probes:
                    yield Step(f"restart: {name}", partial(self._outage, name, round))
                if "idle" in self.plan.probes:
                    yield Step(f"idle: {name}", partial(self._idle, name, round))
                for probe in (probe for probe in metrics.PROBES if probe in self.plan.probes):
                    yield Step(f"{probe}: {name}", partial(self._figures, probe, name, round))

    def execute(self, console: Console) -> None:
        """Takes every step under a progress bar; one that fails is noted and the rest goes on."""
        steps = list(self.steps())
        with ProgressBar(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[detail]}"),
            console=console,
        ) as bar:
            task = bar.add_task("", total=len(steps), detail="")
            for step in steps:
                bar.update(task, description=step.title, detail="starting")
                try:
                    step.take(lambda detail: bar.update(task, detail=detail))
                    outcome = str(bar.tasks[task].fields["detail"])
                except (LabError, TurnoutError) as error:
                    self.failures.append(Failure(step.title, str(error)))
                    outcome = f"[red]{str(error).splitlines()[0]}[/]"
                bar.console.print(f"{step.title}: {outcome}", highlight=False)
                bar.advance(task)

    def _rate(self, scenario: Scenario, name: ContenderName, round: int, progress: Progress) -> None:
        with harness.running(scenario, name, self.plan.pcaps) as contender:
            result = harness.measure(contender, scenario, name, round, self.plan.timing, progress)
            self.measurements.append(result)
            if self.plan.evidence and round == 0:
                self.profiles[f"{scenario.name}-{name}"] = evidence.profile(contender, _EVIDENCE_S)

    def _outage(self, name: ContenderName, round: int, progress: Progress) -> None:
        self.outages.append(result := restart.outage(name, round))
        progress(f"{result.milliseconds:.0f} ms")

    def _idle(self, name: ContenderName, round: int, progress: Progress) -> None:
        self.idles.append(result := idle.idle(name, round, self.plan.timing.window))
        progress(f"{result.cpu_percent:.1f} % of a core, ping {result.ping_us:.0f} µs")

    def _figures(self, probe: metrics.Probe, name: ContenderName, round: int, progress: Progress) -> None:
        match probe:
            case "flow-mods":
                found = control.flow_mod_rates(name)
            case "ofctl":
                found = control.ofctl_times(name, self.plan.pcaps)
            case "memory":
                found = control.memory(name)
            case "latency":
                found = latency.flow_mod_latency(name, self.plan.pcaps)
            case "first-packet":
                found = first_packet.first_packet(name, self.plan.pcaps)
            case "meter":
                found = meter.meter(name, self.plan.pcaps)
            case "scale":
                found = scale.scale(name, progress)
        self.figures += [Figure(metric, name, round, value) for metric, value in found.items()]
        progress(", ".join(f"{metric} {value:.3g}" for metric, value in found.items()))
