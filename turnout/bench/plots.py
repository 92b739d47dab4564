# SPDX-License-Identifier: Apache-2.0
"""The rates as plots: bars of the learning switch, and a page on OpenFlow."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from turnout.bench.results import Summary
from turnout.bench.rules import Exact
from turnout.bench.scenarios import CONTENDERS, SWITCHES, ContenderName, Scenario

LABELS: Final[dict[ContenderName, str]] = {"turnout": "Turnout", "ovs": "OVS-DPDK", "testpmd": "testpmd io"}
_COLOURS: Final[dict[ContenderName, str]] = {"turnout": "#1f6f8b", "ovs": "#c8553d", "testpmd": "#b8b8b8"}
_UNIT: Final = "Mpps delivered, one worker core, 64-byte frames"

_Found = Mapping[tuple[str, ContenderName], Summary]


def save(summaries: Sequence[Summary], scenarios: Sequence[Scenario], title: str, folder: Path) -> list[Path]:
    """Writes what there are rates of, as PNG and SVG; returns the files."""
    mpl.use("Agg")
    found = {(summary.scenario, summary.contender): summary for summary in summaries}
    shown = [scenario for scenario in scenarios if any((scenario.name, name) in found for name in CONTENDERS)]
    files = []
    pages: dict[str, Callable[[_Found, list[Scenario]], Figure]] = {
        "switching": _switching,
        "openflow": _openflow,
    }
    for group, draw in pages.items():
        if members := [scenario for scenario in shown if scenario.group == group]:
            figure = draw(found, members)
            figure.suptitle(title, fontsize=9)
            for suffix in ("png", "svg"):
                files.append(folder / f"{group}.{suffix}")
                figure.savefig(files[-1], dpi=150)
            pyplot.close(figure)
    return files


def _switching(found: _Found, scenarios: list[Scenario]) -> Figure:
    figure, axes = pyplot.subplots(figsize=(9, 1.2 + 0.9 * len(scenarios)), layout="constrained")
    _bars(axes, found, scenarios)
    axes.set_xlabel(f"{_UNIT} (bars: range over the rounds)")
    return figure


def _openflow(found: _Found, scenarios: list[Scenario]) -> Figure:
    """Rate against number of exact rules; the other tables; what is kept under attack and churn."""
    exact = [scenario for scenario in scenarios if isinstance(scenario.rules, Exact) and not scenario.base]
    kept = [scenario for scenario in scenarios if scenario.base]
    others = [scenario for scenario in scenarios if scenario not in exact and scenario not in kept]
    panels = [
        (draw, members, height)
        for draw, members, height in (
            (_against_rules, exact, 3.2),
            (_tables, others, 0.8 + 0.75 * len(others)),
            (_kept, kept, 0.8 + 0.6 * len(kept)),
        )
        if members
    ]
    heights = [height for _, _, height in panels]
    figure, axes = pyplot.subplots(
        len(panels),
        squeeze=False,
        figsize=(9, 0.4 + sum(heights)),
        height_ratios=heights,
        layout="constrained",
    )
    for panel, (draw, members, _) in zip(axes[:, 0], panels, strict=True):
        draw(panel, found, members)
    return figure


def _against_rules(axes: Axes, found: _Found, scenarios: list[Scenario]) -> None:
    """A curve per contender; what comes from a guest is a mark of its own, being limited by the guest."""
    for contender in CONTENDERS:
        curves = {"o-": "replay", "^": "generator"}
        for style, harness in curves.items():
            points = [
                (scenario.flows, found[scenario.name, contender].mpps)
                for scenario in scenarios
                if scenario.harness == harness and (scenario.name, contender) in found
            ]
            if points:
                label = LABELS[contender] + (" (from a guest)" if harness == "generator" else "")
                axes.plot(*zip(*points, strict=True), style, color=_COLOURS[contender], label=label)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("exact 5-tuple rules, as many flows")
    axes.set_ylabel("Mpps")
    _legend(axes)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def _tables(axes: Axes, found: _Found, scenarios: list[Scenario]) -> None:
    _bars(axes, found, scenarios)
    axes.set_xlabel(_UNIT)


def _kept(axes: Axes, found: _Found, scenarios: list[Scenario]) -> None:
    height = 0.8 / len(SWITCHES)
    for offset, contender in enumerate(SWITCHES):
        bars = [
            (row, 100 * found[scenario.name, contender].mpps / found[scenario.base, contender].mpps)
            for row, scenario in enumerate(scenarios)
            if (scenario.name, contender) in found and (scenario.base, contender) in found
        ]
        drawn = axes.barh(
            [row + offset * height for row, _ in bars],
            [percent for _, percent in bars],
            height,
            color=_COLOURS[contender],
            label=LABELS[contender],
        )
        axes.bar_label(drawn, fmt="%.1f", padding=4, fontsize=8)
    _rows(axes, scenarios, height / 2)
    axes.set_xlabel("% of the rate kept under attack and churn")


def _bars(axes: Axes, found: _Found, scenarios: list[Scenario]) -> None:
    height = 0.8 / len(CONTENDERS)
    for offset, contender in enumerate(CONTENDERS):
        bars = [
            (row, found[scenario.name, contender])
            for row, scenario in enumerate(scenarios)
            if (scenario.name, contender) in found
        ]
        if not bars:
            continue
        spread = [
            [summary.mpps - summary.mpps_min for _, summary in bars],
            [summary.mpps_max - summary.mpps for _, summary in bars],
        ]
        drawn = axes.barh(
            [row + offset * height for row, _ in bars],
            [summary.mpps for _, summary in bars],
            height,
            xerr=spread,
            color=_COLOURS[contender],
            label=LABELS[contender],
            ecolor="#444444",
        )
        axes.bar_label(drawn, fmt="%.2f", padding=4, fontsize=8)
    _rows(axes, scenarios, height)


def _rows(axes: Axes, scenarios: list[Scenario], middle: float) -> None:
    axes.set_yticks(
        [row + middle for row in range(len(scenarios))], [scenario.title for scenario in scenarios]
    )
    axes.invert_yaxis()
    _legend(axes)
    axes.margins(x=0.12)
    axes.spines[["top", "right"]].set_visible(False)


def _legend(axes: Axes) -> None:
    """Above the panel, where no bar or curve can lie under it."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=8, frameon=False)
