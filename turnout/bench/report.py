# SPDX-License-Identifier: Apache-2.0
"""The results on the terminal, as JSON and as a plot."""

import platform
import re
import statistics
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table

from turnout.bench import plots
from turnout.bench.metrics import Metric
from turnout.bench.plots import LABELS as _LABELS
from turnout.bench.results import Failure, Idle, Measurement, MetricVerdict, Outage, Summary, Verdict, ratio
from turnout.bench.scenarios import CONTENDERS, SWITCHES, Scenario

_TITLES: Final = {"switching": "Learning switch", "openflow": "OpenFlow tables"}
_DISTURBED: Final = 0.02  # share of a window


@dataclass(frozen=True)
class Machine:
    """Where the figures come from: absolute ones mean nothing elsewhere."""

    cpu: str
    cores: int
    kernel: str
    ovs: str
    dpdk: str
    commit: str


@dataclass(frozen=True)
class Results:
    """All of one run; results.json holds just this."""

    machine: Machine
    rounds: int
    window: float  # s
    measurements: list[Measurement]
    summaries: list[Summary]
    verdicts: list[Verdict]
    outages: list[Outage]
    idles: list[Idle]
    metrics: list[MetricVerdict]
    failures: list[Failure]


def machine() -> Machine:
    """This machine and the versions that run on it."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return Machine(
        cpu=cpu[1] if cpu else platform.machine(),
        cores=len(re.findall(r"^processor", Path("/proc/cpuinfo").read_text(), re.MULTILINE)),
        kernel=platform.release(),
        ovs=_first_line("ovs-vsctl", "--version").removeprefix("ovs-vsctl "),
        dpdk=_first_line("pkg-config", "--modversion", "libdpdk"),
        commit=_first_line("git", "describe", "--always", "--dirty"),
    )


def _first_line(*argv: str) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10, cwd=Path(__file__).parent)
    except OSError:
        return "unknown"
    return done.stdout.split("\n", 1)[0] if done.returncode == 0 else "unknown"


def tables(results: Results, scenarios: Sequence[Scenario]) -> RenderableType:
    """What the terminal shows at the end."""
    parts: list[RenderableType] = []
    measured = {summary.scenario for summary in results.summaries}
    for group in _TITLES:
        if members := [each for each in scenarios if each.group == group and each.name in measured]:
            parts.append(_rates(results, members, _TITLES[group]))
    if kept := [scenario for scenario in scenarios if scenario.base and scenario.name in measured]:
        parts.append(_kept(results, kept))
    if results.verdicts:
        parts.append(_floors(results.verdicts))
    if results.metrics:
        parts.append(_metrics(results.metrics))
    if results.outages:
        parts.append(_outages(results.outages))
    if results.idles:
        parts.append(_idles(results.idles))
    if results.failures:
        parts.append(_failures(results.failures))
    return Group(*parts)


def _rates(results: Results, scenarios: Sequence[Scenario], title: str) -> Table:
    table = Table(title=f"{title}: Mpps (cycles/packet), medians; ÷: Turnout's rate over the other's")
    table.add_column("scenario", no_wrap=True)
    for contender in CONTENDERS:
        table.add_column(_LABELS[contender], justify="right")
    for contender in CONTENDERS[1:]:
        table.add_column(f"÷ {_LABELS[contender]}", justify="right")
    found = {(summary.scenario, summary.contender): summary for summary in results.summaries}
    for scenario in scenarios:
        cells = [_rate(found.get((scenario.name, contender))) for contender in CONTENDERS]
        for contender in CONTENDERS[1:]:
            cells.append(_times(ratio(results.measurements, scenario.name, contender)))
        table.add_row(scenario.title, *cells)
    table.caption = "  ".join(
        note
        for note, applies in (
            ("* still rising when measured", any(not summary.settled for summary in results.summaries)),
            ("! other processes took some of the worker's core", any(map(_disturbed, results.summaries))),
        )
        if applies
    )
    return table


def _disturbed(summary: Summary) -> bool:
    return summary.disturbed > _DISTURBED


def _rate(summary: Summary | None) -> str:
    if summary is None:
        return ""
    cycles = "" if summary.cycles_per_packet is None else f" ({summary.cycles_per_packet:.0f})"
    marks = ("" if summary.settled else "*") + ("!" if _disturbed(summary) else "")
    return f"{summary.mpps:.2f}{marks}{cycles}"


def _times(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _kept(results: Results, scenarios: Sequence[Scenario]) -> Table:
    """How much of its rate each switch keeps when something goes on beside."""
    table = Table(title="Rate kept of the scenario without, % (flow_mods/s carried out meanwhile)")
    table.add_column("scenario", no_wrap=True)
    table.add_column("without")
    for contender in SWITCHES:
        table.add_column(_LABELS[contender], justify="right")
    found = {(summary.scenario, summary.contender): summary for summary in results.summaries}
    for scenario in scenarios:
        cells = []
        for contender in SWITCHES:
            kept = ratio(results.measurements, scenario.name, contender, scenario.base, of=contender)
            summary = found.get((scenario.name, contender))
            churned = f" ({summary.churned:,.0f})" if summary and summary.churned is not None else ""
            cells.append("" if kept is None else f"{100 * kept:.1f}{churned}")
        table.add_row(scenario.title, scenario.base, *cells)
    return table


def _floors(verdicts: Iterable[Verdict]) -> Table:
    table = Table(title="Floors and aims")
    for heading in ("scenario", "against", "least", "aim", "reached", ""):
        table.add_column(heading, justify="right" if heading in ("least", "aim", "reached") else "left")
    for verdict in verdicts:
        against = _LABELS[verdict.floor.contender]
        if verdict.floor.scenario:
            against += f" in {verdict.floor.scenario}"
        least, aim = (f"{bound:.2f}" if bound else "" for bound in (verdict.floor.ratio, verdict.floor.aim))
        reached = _times(verdict.ratio) or "no figure"
        table.add_row(verdict.scenario, against, least, aim, reached, _state(verdict))
    return table


def _state(verdict: Verdict) -> str:
    if not verdict.met:
        return "[bold red]missed[/]"
    if not verdict.aimed:
        return "[green]met[/], aim missed" if verdict.floor.ratio else "[yellow]aim missed[/]"
    return "[green]aim reached[/]" if verdict.floor.aim else "[green]met[/]"


def _metrics(verdicts: Iterable[MetricVerdict]) -> Table:
    table = Table(title="Control plane and first packets, medians")
    table.add_column("", no_wrap=True)
    for contender in SWITCHES:
        table.add_column(_LABELS[contender], justify="right")
    table.add_column("unit")
    table.add_column("bound", no_wrap=True)
    table.add_column("")
    for verdict in verdicts:
        cells = [_value(verdict.values.get(name)) for name in SWITCHES]
        state = {True: "[green]met[/]", False: "[bold red]missed[/]", None: ""}[verdict.met]
        table.add_row(verdict.metric.title, *cells, verdict.metric.unit, _bound(verdict.metric), state)
    return table


def _value(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _bound(metric: Metric) -> str:
    bounds = [] if metric.least is None else [f"≥ {metric.least:g}"]
    bounds += [] if metric.most is None else [f"≤ {metric.most:g}"]
    bounds += [f"≤ {_LABELS[metric.most_of]}"] if metric.most_of else []
    return ", ".join(bounds)


def _outages(outages: Sequence[Outage]) -> Table:
    table = Table("switch", title="SIGKILL and start again under guest traffic")
    table.add_column("ms without traffic, median", justify="right")
    table.add_column("rounds", justify="right")
    for contender in CONTENDERS:
        times = [outage.milliseconds for outage in outages if outage.contender == contender]
        if times:
            rounds = ", ".join(f"{ms:.0f}" for ms in times)
            table.add_row(_LABELS[contender], f"{statistics.median(times):.0f}", rounds)
    return table


def _idles(idles: Sequence[Idle]) -> Table:
    table = Table("switch", title="Idle: two TAP ports, one vhost-user port without guest")
    table.add_column("CPU, % of a core", justify="right")
    table.add_column("lone ping, µs", justify="right")
    for contender in CONTENDERS:
        group = [idle for idle in idles if idle.contender == contender]
        if group:
            cpu = statistics.median(idle.cpu_percent for idle in group)
            ping = statistics.median(idle.ping_us for idle in group)
            table.add_row(_LABELS[contender], f"{cpu:.2f}", f"{ping:.0f}")
    return table


def _failures(failures: Iterable[Failure]) -> Table:
    table = Table("not measured", "because", title="Failures", style="red")
    for failure in failures:
        table.add_row(failure.what, failure.reason)
    return table


def save(results: Results, scenarios: Sequence[Scenario], folder: Path) -> list[Path]:
    """Writes results.json and, if there are rates, their plots as PNG and SVG; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "results.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results)))
    title = f"{results.machine.cpu}, {results.machine.commit}"
    return [path, *plots.save(results.summaries, scenarios, title, folder)]


def save_profiles(profiles: Mapping[str, str], folder: Path) -> list[Path]:
    """Writes each profile to `folder`/perf-NAME.txt; returns the files."""
    files = []
    for name, text in profiles.items():
        files.append(folder / f"perf-{name}.txt")
        files[-1].write_text(text + "\n")
    return files
