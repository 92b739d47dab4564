# SPDX-License-Identifier: Apache-2.0
"""coverage/show: Open vSwitch's layout; drops by reason are what Turnout counts."""

import re
import time

import pytest

from tests.appctl.conftest import Appctl
from tests.peers.switch import BRIDGE
from turnout.control.appctl.coverage import History
from turnout.lab.wait import until

_TITLE = re.compile(
    r"Event coverage, avg rate over last: 5 seconds, last minute, last hour,  hash=[0-9a-f]{8}:"
)
_ROW = re.compile(r"(?=.{24} )(\w+) +(\d+\.\d)/sec +(\d+\.\d{3})/sec +(\d+\.\d{4})/sec   total: (\d+)")


def test_layout(ours: Appctl, theirs: Appctl) -> None:
    """Of Open vSwitch's own output too; it takes 5 s until there is any."""
    for appctl in (ours, theirs):
        title, *_ = appctl.must("coverage/show").splitlines()
        assert _TITLE.fullmatch(title)
    until(lambda: "/sec" in theirs.must("coverage/show"), "rows", timeout=20, interval=0.5)
    rows = [line for line in theirs.must("coverage/show").splitlines()[1:] if "never hit" not in line]
    assert all(map(_ROW.fullmatch, rows))


def test_drops_are_events(ours: Appctl) -> None:
    ours.peer.reset()
    ours.peer.must("add-flow", BRIDGE, "priority=1,actions=drop")

    def total() -> int:
        rows = {
            row[1]: int(row[5]) for row in map(_ROW.fullmatch, ours.must("coverage/show").splitlines()) if row
        }
        return rows.get("drop_by_rule", 0)

    before = total()
    for _ in range(3):
        frame = "0200000000010200000000021234" + "00" * 46
        ours.peer.must("packet-out", BRIDGE, f"in_port=1,packet={frame},actions=table")
    until(lambda: total() >= before + 3, "three drops counted")


def test_rates() -> None:
    """10 a second for 100 s, then nothing for 10 s."""
    history, start = History(), time.monotonic()
    for second in range(101):
        history.sample({"x": 10 * second}, start + second)
    at_end = history.events({"x": 1000}, start + 100)["x"]
    assert at_end.last_5s == pytest.approx(10)
    assert at_end.last_minute == pytest.approx(10)
    assert at_end.last_hour == pytest.approx(1000 / 3600)
    for second in range(101, 111):
        history.sample({"x": 1000}, start + second)
    later = history.events({"x": 1000}, start + 110)["x"]
    assert later.last_5s == 0
    assert later.last_minute == pytest.approx(500 / 60)


def test_counts_that_left_are_no_negative_rate() -> None:
    history = History()
    history.sample({"x": 50}, 100.0)
    assert history.events({"x": 20}, 105.0)["x"].last_5s == 0
