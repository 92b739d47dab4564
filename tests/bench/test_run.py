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
from turnout.bench.results import Failure, Idle, Measurement, Outage, judge, summarize
from turnout.bench.run import PROBES, Plan, Run, Step
from turnout.bench.scenarios import CONTENDERS, SCENARIOS
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
    titles = [step.title for step in Run(plan(scenarios=(), probes=PROBES, rounds=1)).steps()]
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


def test_the_report_has_every_kind_of_result(tmp_path: Path) -> None:
    measured = [
        Measurement("replay-1", "turnout", 0, 40.0, cycles_per_packet=60.0, settled=True, disturbed=0.0),
        Measurement("replay-1", "ovs", 0, 16.0, cycles_per_packet=150.0, settled=False, disturbed=0.1),
    ]
    results = report.Results(
        machine=report.machine(),
        rounds=1,
        window=1.0,
        measurements=measured,
        summaries=summarize(measured),
        verdicts=judge(measured, SCENARIOS, CONTENDERS),
        outages=[Outage("turnout", 0, 512.0)],
        idles=[Idle("ovs", 0, cpu_percent=100.0, ping_us=60.0)],
        failures=[Failure("loop: testpmd", "it left")],
    )
    output = io.StringIO()
    Console(file=output, width=120).print(report.tables(results, SCENARIOS))
    for part in ("40.00 (60)", "16.00*! (150)", "2.50", "still rising", "met", "512", "100.00", "it left"):
        assert part in output.getvalue()
    files = report.save(results, SCENARIOS, tmp_path) + report.save_profiles({"loop-ovs": "90 % x"}, tmp_path)
    assert {path.name for path in files} == {"results.json", "rates.png", "rates.svg", "perf-loop-ovs.txt"}
    assert json.loads(files[0].read_text())["summaries"][0]["mpps"] == 40.0
    assert files[1].read_bytes().startswith(b"\x89PNG")
    assert files[2].read_text().startswith("<?xml")


@pytest.mark.skipif(os.geteuid() != 0, reason="DPDK's devices need root here")
def test_one_scenario_from_end_to_end(tmp_path: Path) -> None:
    arguments = ["--quick", "--scenario", "replay-1", "--contender", "turnout", "--contender", "testpmd"]
    done = CliRunner().invoke(main, [*arguments, "--output", str(tmp_path)])
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "results.json").read_text())
    assert [summary["contender"] for summary in found["summaries"]] == ["turnout", "testpmd"]
    assert all(summary["mpps"] > 0 for summary in found["summaries"])
    assert found["failures"] == []
