# SPDX-License-Identifier: Apache-2.0
"""dpif-netdev/pmd-*: Open vSwitch's shape, in which exporters look for numbers."""

import re

from tests.appctl.conftest import Appctl
from tests.peers.switch import BRIDGE, PORTS
from turnout.lab.wait import until

_THREAD = re.compile(r"^pmd thread numa_id (\d+) core_id (\d+):$", re.M)


def _send(appctl: Appctl, count: int) -> None:
    """Frames from the kernel's side of p1."""
    namespace = appctl.peer.namespace
    namespace.ip("neigh", "replace", "10.9.9.9", "lladdr", "02:00:00:00:00:99", "dev", "p1")
    namespace.ip("addr", "replace", "10.9.9.1/24", "dev", "p1")
    namespace.popen("ping", "-q", "-c", str(count), "-i", "0.01", "-W", "1", "10.9.9.9").communicate(
        timeout=20
    )


def test_pmd_stats(ours: Appctl) -> None:
    def value(name: str) -> int:
        found = re.search(rf"^  {re.escape(name)}: (\d+)", ours.must("dpif-netdev/pmd-stats-show"), re.M)
        assert found
        return int(found[1])

    text = ours.must("dpif-netdev/pmd-stats-show")
    assert _THREAD.search(text), text
    assert re.search(r"^  idle cycles: \d+ \(\d+\.\d\d%\)$", text, re.M)
    assert re.search(r"^  processing cycles: \d+ \(\d+\.\d\d%\)$", text, re.M)
    _send(ours, 20)
    before = value("packets received")
    assert before >= 20
    assert re.search(
        r"^  avg processing cycles per packet: \d+\.\d\d \(\d+/\d+\)$",
        ours.must("dpif-netdev/pmd-stats-show"),
        re.M,
    )
    ours.must("dpif-netdev/pmd-stats-clear")
    assert value("packets received") < before
    assert value("miss with failed upcall") == 0


def test_pmd_of_a_core(ours: Appctl) -> None:
    found = _THREAD.search(ours.must("dpif-netdev/pmd-stats-show"))
    assert found
    core = found[2]
    assert f"core_id {core}:" in ours.must("dpif-netdev/pmd-stats-show", "-pmd", core)
    assert ours.must("dpif-netdev/pmd-stats-show", "-pmd", "999") == ""
    assert ours("dpif-netdev/pmd-stats-show", "-pmd").code == 2
    assert ours("dpif-netdev/pmd-stats-show", "-pmd", "x").code == 2


def test_pmd_perf(ours: Appctl) -> None:
    ours.must("dpif-netdev/pmd-stats-clear")
    _send(ours, 5)
    text = ours.must("dpif-netdev/pmd-perf-show")
    assert re.match(
        r"\nTime: \d\d:\d\d:\d\d\.\d\d\d\nMeasurement duration: \d+\.\d\d\d s\n\npmd thread", text
    )
    assert re.search(r"^  - Used TSC cycles: +\d+  \( *\d+\.\d % of total cycles\)$", text, re.M)
    assert re.search(r"^  Rx packets: +\d+  \(\d+ Kpps, \d+ cycles/pkt\)$", text, re.M)


def test_rxqs(ours: Appctl) -> None:
    until(lambda: "NOT AVAIL" not in ours.must("dpif-netdev/pmd-rxq-show"), "loads measured", timeout=10)
    title, thread, isolated, *queues, overhead = ours.must("dpif-netdev/pmd-rxq-show").splitlines()
    assert title == "Displaying last 60 seconds pmd usage %"
    assert _THREAD.fullmatch(thread)
    assert isolated == "  isolated : false"
    assert re.fullmatch(r"  overhead: [ \d]\d %", overhead)
    rows = re.compile(r"  port: (\S+) +queue-id: +(\d+) \((?:enabled|disabled)\) ? +pmd usage: +\d+ %")
    found = [rows.fullmatch(line) for line in queues]
    assert {row[1] for row in found if row} == {BRIDGE, *(f"p{port}" for port in PORTS)}
    assert len(found) == len(queues)
    assert "last 5 seconds" in ours.must("dpif-netdev/pmd-rxq-show", "-secs", "5")
    assert ours("dpif-netdev/pmd-rxq-show", "-secs", "0").code == 2
