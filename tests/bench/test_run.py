# SPDX-License-Identifier: Apache-2.0
"""A run's order, its report, and one real scenario from end to end."""

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from turnout.bench import report
from turnout.bench.__main__ import main
from turnout.bench.harness import Progress, Timing
from turnout.bench.metrics import METRICS, Figure
from turnout.bench.results import Failure, Idle, Measurement, Outage, judge, judge_metrics, summarize
from turnout.bench.run import PROBES, Plan, Run, Step
from turnout.bench.scenarios import CONTENDERS, SCENARIOS, SWITCHES, ContenderName
from turnout.lab.console import LabError


def plan(**changes: object) -> Plan:
    settings: dict[str, object] = {
        "scenarios": SCENARIOS[:1],
        "probes": (),
        "contenders": CONTENDERS,
        "rounds": 2,
        "timing": Timing(),
        "evidence": False,
        "pcaps": Path("/nonexistent"),
    }
    return Plan(**{**settings, **changes})  # type: ignore[arg-type]


def test_contenders_alternate_and_take_turns_at_being_first() -> None:
    title = SCENARIOS[0].title
    assert [step.title for step in Run(plan()).steps()] == [
        f"{title}: {name}" for name in ("turnout", "ovs", "testpmd", "ovs", "testpmd", "turnout")
    ]


def test_testpmd_is_no_switch_to_restart_or_leave_idle() -> None:
    titles = [step.title for step in Run(plan(scenarios=(), probes=("restart", "idle"), rounds=1)).steps()]
    assert titles == ["restart: turnout", "idle: turnout", "restart: ovs", "idle: ovs"]


def test_a_failed_step_is_noted_and_the_rest_goes_on() -> None:
    taken: list[str] = []

    def fail(_progress: Progress) -> None:
        raise LabError("no hugepages\nand a long log")

    def work(progress: Progress) -> None:
        taken.append("work")
        progress("1.00 Mpps")

    class Broken(Run):
        def steps(self) -> Iterator[Step]:
            yield Step("one", fail)
            yield Step("two", work)

    run, output = Broken(plan()), io.StringIO()
    run.execute(Console(file=output, width=100))
    assert run.failures == [Failure("one", "no hugepages\nand a long log")]
    assert taken == ["work"]
    assert "one: no hugepages\n" in output.getvalue()
    assert "two: 1.00 Mpps\n" in output.getvalue()


def test_every_probe_runs_on_both_switches() -> None:
    titles = {step.title for step in Run(plan(scenarios=(), probes=PROBES, rounds=1)).steps()}
    assert titles == {f"{probe}: {name}" for probe in PROBES for name in SWITCHES}


def test_the_report_has_every_kind_of_result(tmp_path: Path) -> None:
    def measured(scenario: str, contender: ContenderName, mpps: float, **more: float) -> Measurement:
        return Measurement(
            *(scenario, contender, 0, mpps),
            cycles_per_packet=600.0,
            settled=contender != "ovs",
            disturbed=0.1 if contender == "ovs" else 0.0,
            churned=more.get("churned"),
        )

    rates = [
        measured("replay-1", "turnout", 40.0),
        measured("replay-1", "ovs", 16.0),
        measured("exact-10k", "turnout", 30.0),
        measured("exact-10k", "ovs", 2.0),
        measured("exact-10k-churn", "turnout", 27.0, churned=10_000.0),
        measured("exact-10k-churn", "ovs", 1.0, churned=9_000.0),
        measured("rule-1", "turnout", 40.0),
        measured("rule-1", "testpmd", 100.0),
    ]
    figures = [Figure("adds", "turnout", 0, 1.25), Figure("memory", "turnout", 0, 601.0)]
    results = report.Results(
        machine=report.machine(),
        rounds=1,
        window=1.0,
        measurements=rates,
        summaries=summarize(rates),
        verdicts=judge(rates, SCENARIOS, CONTENDERS),
        outages=[Outage("turnout", 0, 512.0)],
        idles=[Idle("ovs", 0, cpu_percent=100.0, ping_us=60.0)],
        metrics=judge_metrics(figures, METRICS),
        failures=[Failure("loop: testpmd", "it left")],
    )
    output = io.StringIO()
    Console(file=output, width=140).print(report.tables(results, SCENARIOS))
    for part in ("40.00 (600)", "16.00*! (600)", "2.50", "still rising", "met", "512", "100.00", "it left"):
        assert part in output.getvalue()
    for part in ("90.0 (10,000)", "50.0 (9,000)", "aim reached", "aim missed", "1.25", "≤ 600", "missed"):
        assert part in output.getvalue()
    files = report.save(results, SCENARIOS, tmp_path) + report.save_profiles({"loop-ovs": "90 % x"}, tmp_path)
    plots = {f"{group}.{suffix}" for group in ("switching", "openflow") for suffix in ("png", "svg")}
    assert {path.name for path in files} == {"results.json", "perf-loop-ovs.txt", *plots}
    assert json.loads(files[0].read_text())["summaries"][0]["mpps"] == 40.0
    assert (tmp_path / "openflow.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "openflow.svg").read_text().startswith("<?xml")


@pytest.mark.skipif(os.geteuid() != 0, reason="DPDK's devices need root here")
@pytest.mark.parametrize("scenario", ["replay-1", "exact-1k"])
def test_one_scenario_from_end_to_end(tmp_path: Path, scenario: str) -> None:
    arguments = ["--quick", "--scenario", scenario, "--contender", "turnout", "--contender", "testpmd"]
    done = CliRunner().invoke(main, [*arguments, "--output", str(tmp_path)])
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "results.json").read_text())
    assert [summary["contender"] for summary in found["summaries"]] == ["turnout", "testpmd"]
    assert all(summary["mpps"] > 0 for summary in found["summaries"])
    assert found["failures"] == []
