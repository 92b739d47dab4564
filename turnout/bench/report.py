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

import matplotlib as mpl
import msgspec
from matplotlib import pyplot
from rich.console import Group, RenderableType
from rich.table import Table

from turnout.bench.results import Failure, Idle, Measurement, Outage, Summary, Verdict, ratio
from turnout.bench.scenarios import CONTENDERS, ContenderName, Scenario

_LABELS: Final[dict[ContenderName, str]] = {"turnout": "Turnout", "ovs": "OVS-DPDK", "testpmd": "testpmd io"}
_COLOURS: Final[dict[ContenderName, str]] = {"turnout": "#1f6f8b", "ovs": "#c8553d", "testpmd": "#b8b8b8"}
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
    if results.summaries:
        parts.append(_rates(results, scenarios))
    if results.verdicts:
        parts.append(_floors(results.verdicts))
    if results.outages:
        parts.append(_outages(results.outages))
    if results.idles:
        parts.append(_idles(results.idles))
    if results.failures:
        parts.append(_failures(results.failures))
    return Group(*parts)


def _rates(results: Results, scenarios: Sequence[Scenario]) -> Table:
    table = Table(title="Mpps (cycles/packet), medians; ÷: Turnout's rate over the other's")
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


def _floors(verdicts: Iterable[Verdict]) -> Table:
    table = Table(title="Floors")
    for heading in ("scenario", "against", "least", "reached", ""):
        table.add_column(heading, justify="right" if heading in ("least", "reached") else "left")
    for verdict in verdicts:
        against = _LABELS[verdict.floor.contender]
        if verdict.floor.scenario:
            against += f" in {verdict.floor.scenario}"
        state = "[green]met[/]" if verdict.met else "[bold red]missed[/]"
        reached = _times(verdict.ratio) or "no figure"
        table.add_row(verdict.scenario, against, f"{verdict.floor.ratio:.2f}", reached, state)
    return table


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
    """Writes results.json and, if there are rates, their plot as PNG and SVG; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / "results.json"]
    files[0].write_bytes(msgspec.json.format(msgspec.json.encode(results)))
    if results.summaries:
        files += _plot(results, scenarios, folder)
    return files


def _plot(results: Results, scenarios: Sequence[Scenario], folder: Path) -> list[Path]:
    mpl.use("Agg")
    found = {(summary.scenario, summary.contender): summary for summary in results.summaries}
    shown = [scenario for scenario in scenarios if any((scenario.name, name) in found for name in CONTENDERS)]
    figure, axes = pyplot.subplots(figsize=(9, 1.2 + 0.9 * len(shown)), layout="constrained")
    height = 0.8 / len(CONTENDERS)
    for offset, contender in enumerate(CONTENDERS):
        bars = [(row, found[scenario.name, contender]) for row, scenario in enumerate(shown)
                if (scenario.name, contender) in found]  # fmt: skip
        if not bars:
            continue
        rates = [summary.mpps for _, summary in bars]
        spread = [[summary.mpps - summary.mpps_min for _, summary in bars],
                  [summary.mpps_max - summary.mpps for _, summary in bars]]  # fmt: skip
        drawn = axes.barh([row + offset * height for row, _ in bars], rates, height, xerr=spread,
                          color=_COLOURS[contender], label=_LABELS[contender], ecolor="#444444")  # fmt: skip
        axes.bar_label(drawn, fmt="%.2f", padding=4, fontsize=8)
    axes.set_yticks([row + height for row in range(len(shown))], [scenario.title for scenario in shown])
    axes.invert_yaxis()
    axes.set_xlabel("Mpps delivered, one worker core, 64-byte frames (bars: range over the rounds)")
    axes.set_title(f"{results.machine.cpu}, {results.machine.commit}", fontsize=9)
    axes.legend(loc="lower right")
    axes.margins(x=0.12)
    axes.spines[["top", "right"]].set_visible(False)
    files = [folder / f"rates.{suffix}" for suffix in ("png", "svg")]
    for path in files:
        figure.savefig(path, dpi=150)
    pyplot.close(figure)
    return files


def save_profiles(profiles: Mapping[str, str], folder: Path) -> list[Path]:
    """Writes each profile to `folder`/perf-NAME.txt; returns the files."""
    files = []
    for name, text in profiles.items():
        files.append(folder / f"perf-{name}.txt")
        files[-1].write_text(text + "\n")
    return files
