# SPDX-License-Identifier: Apache-2.0
"""The command line of `python -m turnout.bench`."""

import sys
import time
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from turnout.bench import report
from turnout.bench.harness import Timing
from turnout.bench.metrics import METRICS
from turnout.bench.results import judge, judge_metrics, summarize
from turnout.bench.run import PROBES, Plan, Run
from turnout.bench.scenarios import CONTENDERS, SCENARIOS, ContenderName

_ROOT: Final = Path(__file__).parents[2]
_WIDTH: Final = 120  # of tables in a file or pipe, which has no edge to wrap at
_NAMES: Final = (*(scenario.name for scenario in SCENARIOS), *PROBES)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--scenario", "names", multiple=True, type=click.Choice(_NAMES), help="Only this; repeatable.")
@click.option(
    "--contender", "contenders", multiple=True, type=click.Choice(CONTENDERS), help="Only this; repeatable."
)
@click.option("--rounds", type=click.IntRange(1), help="Rounds to take medians of.  [default: 3]")
@click.option("--quick", is_flag=True, help="One round of 1 s windows: does it work at all?")
@click.option("--full", is_flag=True, help="Five rounds.")
@click.option("--check", is_flag=True, help="Exit 1 if a floor is missed.")
@click.option("--evidence", is_flag=True, help="Also profile each worker with perf, in the first round.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for results.json, plots and profiles.  [default: bench-results/DATE-TIME]",
)
def main(
    names: tuple[str, ...],
    contenders: tuple[ContenderName, ...],
    rounds: int | None,
    quick: bool,
    full: bool,
    check: bool,
    evidence: bool,
    output: Path | None,
) -> None:
    """Measure Turnout beside OVS-DPDK and dpdk-testpmd: same devices, same worker core, one run.

    Needs root, two cores and Debian's openvswitch-switch-dpdk and dpdk-dev. Quote ratios: absolute figures
    are this machine's. Exits 1 if something could not be measured.
    """
    plan = Plan(
        scenarios=[scenario for scenario in SCENARIOS if not names or scenario.name in names],
        probes=[probe for probe in PROBES if not names or probe in names],
        contenders=[name for name in CONTENDERS if not contenders or name in contenders],
        rounds=rounds or (1 if quick else 5 if full else 3),
        timing=Timing(window=1.0, settle=15.0) if quick else Timing(),
        evidence=evidence,
        pcaps=_ROOT / ".cache" / "bench",
    )
    console = Console()
    if not console.is_terminal:
        console.width = _WIDTH
    run = Run(plan)
    run.execute(console)
    results = report.Results(
        machine=report.machine(),
        rounds=plan.rounds,
        window=plan.timing.window,
        measurements=run.measurements,
        summaries=summarize(run.measurements),
        verdicts=judge(run.measurements, plan.scenarios, plan.contenders),
        outages=run.outages,
        idles=run.idles,
        metrics=judge_metrics(run.figures, METRICS),
        failures=run.failures,
    )
    console.print(report.tables(results, plan.scenarios))
    folder = output or _ROOT / "bench-results" / time.strftime("%Y%m%d-%H%M%S")
    files = report.save(results, plan.scenarios, folder) + report.save_profiles(run.profiles, folder)
    for path in files:
        console.print(str(path), highlight=False, soft_wrap=True)
    missed = any(not verdict.met for verdict in results.verdicts)
    missed |= any(verdict.met is False for verdict in results.metrics)
    sys.exit(1 if run.failures or (check and missed) else 0)


if __name__ == "__main__":
    main()
