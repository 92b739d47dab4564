# SPDX-License-Identifier: Apache-2.0
"""A scenario set up around one contender: its ports, its packets' source, and a timed window."""

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from turnout.bench.churn import Churner
from turnout.bench.contenders import CONTROL_CORE, WORKER_CORE, Contender, Port, start
from turnout.bench.results import Measurement
from turnout.bench.rules import OneRule
from turnout.bench.scenarios import ContenderName, Scenario
from turnout.bench.traffic import cached_flows, cached_pcap
from turnout.lab.console import LabError
from turnout.lab.testpmd import Testpmd, virtio_user
from turnout.lab.threads import cpu_times, worker

Progress = Callable[[str], None]
"""Takes a few words on how far a measurement is."""

_GUEST_MACS: Final = ("02:00:00:00:00:a0", "02:00:00:00:00:a1")
_NULL: Final = "net_null1,no-rx=1"  # without no-rx it floods the switch with packets of its own
_GUEST_BURST: Final = 32
_PROBE_S: Final = 0.4
_STEADY_PROBES: Final = 3  # in a row, none of them…
_RISING: Final = 1.05  # … faster than the best before by more than this
_PASSES: Final = 10  # packets of each flow before any probe counts


@dataclass(frozen=True)
class Timing:
    """How long to measure. Seconds."""

    window: float = 3.0
    settle: float = 120.0  # at most this long until the rate stops rising


@contextlib.contextmanager
def running(scenario: Scenario, name: ContenderName, pcaps: Path) -> Iterator[Contender]:
    """`scenario` under way on the contender `name`; `pcaps` is the folder of cached pcap files."""
    with tempfile.TemporaryDirectory(prefix="turnout-bench-") as folder, contextlib.ExitStack() as stack:
        sockets = (Path(folder) / "a.sock", Path(folder) / "b.sock")
        flows = cached_flows(pcaps, scenario.rules) if scenario.rules else None
        contender = stack.enter_context(start(name, _ports(scenario, sockets, pcaps), scenario.mbufs, flows))
        # The guest owns its sockets and comes second: every contender reconnects by itself.
        if scenario.harness == "generator":
            generator = stack.enter_context(_generator(sockets[0], _pcap(scenario, pcaps), scenario.flows))
            generator.wait_link(1)
            generator.start()
        elif scenario.harness == "loop":
            guest = stack.enter_context(_bouncer(sockets))
            for port in range(len(sockets)):
                guest.wait_link(port)
            # Two streams, each seeded with bursts: `packets` go round from then on.
            guest.command(f"start tx_first {scenario.packets // (2 * _GUEST_BURST)}")
        yield contender


def measure(
    contender: Contender,
    scenario: Scenario,
    name: ContenderName,
    round: int,
    timing: Timing,
    progress: Progress,
) -> Measurement:
    """Waits until the rate has stopped rising, then counts for a window. LabError if nothing is delivered."""
    with contextlib.ExitStack() as stack:
        churner = Churner(scenario.churn) if scenario.churn else None
        if churner is not None:
            stack.enter_context(churner.running(contender.management))
        settled = _settle(contender, scenario.flows, timing.settle, progress)
        thread = worker(contender.pid, WORKER_CORE)
        waited, churned = cpu_times(contender.pid)[thread].waited, churner.done() if churner else 0
        first = contender.read()
        time.sleep(timing.window)
        last = contender.read()
        waited = cpu_times(contender.pid)[thread].waited - waited
        churned = churner.done() - churned if churner else 0
    mpps = last.mpps_since(first)
    progress(f"{mpps:.2f} Mpps")
    if mpps <= 0:
        raise LabError(f"{name} delivered no packet in {scenario.name}")
    return Measurement(
        scenario=scenario.name,
        contender=name,
        round=round,
        mpps=mpps,
        cycles_per_packet=last.cycles_per_packet_since(first),
        settled=settled,
        disturbed=waited / (last.at - first.at),
        churned=churned / (last.at - first.at) if churner else None,
    )


def _settle(contender: Contender, flows: int, limit: float, progress: Progress) -> bool:
    """Waits at most `limit` seconds for the rate to stop rising; whether it did.

    A flow's first packets are the costly ones: no probe counts before every flow has been seen a few times.
    """
    deadline = time.monotonic() + limit
    start = before = contender.read()
    best, steady = 0.0, 0
    while time.monotonic() < deadline:
        time.sleep(_PROBE_S)
        now = contender.read()
        rate = now.mpps_since(before)
        progress(f"settling, {rate:.2f} Mpps")
        seen = now.delivered - start.delivered >= _PASSES * flows
        steady = steady + 1 if seen and 0 < rate <= _RISING * best else 0
        if steady == _STEADY_PROBES:
            return True
        best, before = max(best, rate), now
    return False


def _ports(scenario: Scenario, sockets: tuple[Path, Path], pcaps: Path) -> tuple[Port, Port]:
    match scenario.harness:
        case "replay":
            replay = f"net_pcap0,rx_pcap={_pcap(scenario, pcaps)},infinite_rx=1,tx_pcap=/dev/null"
            return Port("source", devargs=replay), Port("sink", devargs=_NULL)
        case "generator":
            return Port("source", socket=sockets[0]), Port("sink", devargs=_NULL)
        case "loop":
            return Port("a", socket=sockets[0]), Port("b", socket=sockets[1])


def _pcap(scenario: Scenario, pcaps: Path) -> Path:
    return cached_pcap(pcaps, scenario.rules or OneRule(), scenario.flows)


def _generator(socket: Path, pcap: Path, flows: int) -> Testpmd:
    return Testpmd(
        [f"net_pcap0,rx_pcap={pcap},infinite_rx=1", virtio_user(socket, server=True, mac=_GUEST_MACS[0])],
        core=CONTROL_CORE,
        mbufs=flows + 50_000,
        timeout=60,
    )


def _bouncer(sockets: tuple[Path, Path]) -> Testpmd:
    """A guest that sends what it receives on one port out of the other, headers untouched.

    So each packet enters the switch at the same port every time: its source stays where it was learned. It is
    addressed to the guest's other port, which the opposite stream teaches: nothing is flooded.
    """
    return Testpmd(
        [virtio_user(path, server=True, mac=mac, index=index)
         for index, (path, mac) in enumerate(zip(sockets, _GUEST_MACS, strict=True))],
        core=CONTROL_CORE,
        burst=_GUEST_BURST,
        eth_peers=tuple(reversed(_GUEST_MACS)),
    )  # fmt: skip
