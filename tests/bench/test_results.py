# SPDX-License-Identifier: Apache-2.0
"""Medians, ratios and floors."""

from turnout.bench.metrics import Figure, Metric
from turnout.bench.results import Measurement, Verdict, judge, judge_metrics, ratio, summarize
from turnout.bench.scenarios import CONTENDERS, SCENARIOS, ContenderName, Floor, Scenario

FLOODED = Scenario("a", "A", "replay", floors=(Floor(2.0, "ovs"),))
MORE = Scenario("b", "B", "replay", floors=(Floor(0.8, "turnout", "a"),))


def rates(scenario: str, contender: ContenderName, *mpps: float) -> list[Measurement]:
    return [
        Measurement(scenario, contender, number, rate, cycles_per_packet=None, settled=True, disturbed=0.0)
        for number, rate in enumerate(mpps)
    ]


def test_a_summary_is_the_median_and_the_range() -> None:
    found = summarize([*rates("a", "ovs", 9.0, 1.0, 2.0), *rates("a", "testpmd", 4.0, 6.0)])
    assert [(s.contender, s.mpps, s.mpps_min, s.mpps_max) for s in found] == [
        ("ovs", 2.0, 1.0, 9.0),
        ("testpmd", 5.0, 4.0, 6.0),
    ]
    assert found[0].cycles_per_packet is None
    assert found[0].disturbed == 0.0


def test_a_summary_is_settled_only_if_every_round_was() -> None:
    unsettled = Measurement("a", "ovs", 1, 5.0, cycles_per_packet=300.0, settled=False, disturbed=0.1)
    (found,) = summarize([*rates("a", "ovs", 5.0), unsettled])
    assert not found.settled
    assert found.disturbed == 0.1  # the worst
    assert found.cycles_per_packet == 300.0  # of the rounds that know


def test_a_ratio_pairs_the_rates_of_one_round() -> None:
    # The machine slows down by half each round: medians of each alone would hide nothing here, pairs show 3.
    measured = [*rates("a", "turnout", 12.0, 6.0, 3.0), *rates("a", "ovs", 4.0, 2.0, 1.0)]
    assert ratio(measured, "a", "ovs") == 3.0
    assert ratio(measured, "a", "testpmd") is None


def test_a_round_that_one_side_missed_does_not_count() -> None:
    measured = [*rates("a", "turnout", 10.0, 90.0), *rates("a", "ovs", 5.0)]
    assert ratio(measured, "a", "ovs") == 2.0


def test_floors_are_met_missed_or_without_a_figure() -> None:
    measured = [*rates("a", "turnout", 10.0), *rates("a", "ovs", 5.0), *rates("b", "turnout", 7.0)]
    assert judge(measured, [FLOODED, MORE], CONTENDERS) == [
        Verdict("a", FLOODED.floors[0], 2.0),
        Verdict("b", MORE.floors[0], 0.7),
    ]
    assert [verdict.met for verdict in judge(measured, [FLOODED, MORE], CONTENDERS)] == [True, False]
    (nothing,) = judge([], [FLOODED], CONTENDERS)
    assert nothing.ratio is None
    assert not nothing.met


def test_only_floors_that_the_run_can_decide_are_judged() -> None:
    assert judge([], [MORE], CONTENDERS) == []  # the scenario it compares with is left out
    assert judge([], [FLOODED], ["turnout", "testpmd"]) == []
    assert judge([], [FLOODED], ["ovs", "testpmd"]) == []


def test_the_scenarios_hold_together() -> None:
    names = [scenario.name for scenario in SCENARIOS]
    assert len(set(names)) == len(names)
    for scenario in SCENARIOS:
        assert scenario.flows >= 1
        for floor in scenario.floors:
            assert floor.contender in scenario.contenders
            assert floor.scenario in ("", *names)
            assert floor.ratio or floor.aim
            assert floor.aim == 0 or floor.aim > floor.ratio
        assert scenario.base in ("", *names)


def test_an_aim_is_asked_of_nobody() -> None:
    aiming = Scenario("a", "A", "replay", floors=(Floor(2.0, "ovs", aim=3.0), Floor(0, "testpmd", aim=0.5)))
    measured = [*rates("a", "turnout", 10.0), *rates("a", "ovs", 4.0), *rates("a", "testpmd", 40.0)]
    verdicts = judge(measured, [aiming], CONTENDERS)
    assert [(verdict.ratio, verdict.met, verdict.aimed) for verdict in verdicts] == [
        (2.5, True, False),
        (0.25, True, False),
    ]


METRICS = (
    Metric("rate", "flow-mods", "Rate", "M/s", least=1.0),
    Metric("size", "memory", "Size", "bytes", most=600),
    Metric("dump", "ofctl", "Dump", "s", most_of="ovs"),
    Metric("plain", "ofctl", "Plain", "s"),
)


def test_metrics_are_medians_held_to_their_bounds() -> None:
    figures = [Figure("rate", "turnout", number, value) for number, value in enumerate((0.9, 1.1, 1.2))]
    figures += [
        Figure("size", "turnout", 0, 601),
        Figure("dump", "turnout", 0, 2.0),
        Figure("dump", "ovs", 0, 2.0),
    ]
    figures += [Figure("plain", "turnout", 0, 5.0)]
    found = judge_metrics(figures, METRICS)
    assert [(verdict.metric.name, verdict.met) for verdict in found] == [
        ("rate", True),
        ("size", False),
        ("dump", True),
        ("plain", None),
    ]
    assert found[0].values == {"turnout": 1.1}


def test_a_metric_without_the_other_side_is_not_judged() -> None:
    assert [verdict.met for verdict in judge_metrics([Figure("dump", "turnout", 0, 1.0)], METRICS)] == [None]
    assert [verdict.met for verdict in judge_metrics([Figure("size", "ovs", 0, 1.0)], METRICS)] == [None]
    assert judge_metrics([], METRICS) == []
