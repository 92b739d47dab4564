# SPDX-License-Identifier: Apache-2.0
"""dpif-netdev/pmd-*: the workers, each a PMD thread in Open vSwitch's words, and their rx queues.

Lines about what a worker doesn't have (caches of Open vSwitch's, tx batches, iterations) are left out.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from turnout.control.appctl.datapath import check_datapath
from turnout.control.host import numa_node
from turnout.control.meter import HISTORY
from turnout.control.unixctl import Command
from turnout.errors import TurnoutError
from turnout.openflow.values import number
from turnout.results import QueueStats, WorkerStats
from turnout.switch import Switch


def commands(switch: Switch) -> dict[str, Command]:
    """Name → command."""
    pmd = _Pmd(switch)
    return {
        "dpif-netdev/pmd-stats-show": Command(pmd.stats_show, "[-pmd core] [dp]", 0, 3),
        "dpif-netdev/pmd-stats-clear": Command(pmd.stats_clear, "[-pmd core] [dp]", 0, 3),
        "dpif-netdev/pmd-perf-show": Command(pmd.perf_show, "[-nh] [-pmd core] [dp]", 0, 4),
        "dpif-netdev/pmd-rxq-show": Command(pmd.rxq_show, "[-pmd core] [-secs secs] [dp]", 0, 5),
        "dpif-netdev/pmd-rxq-rebalance": Command(pmd.rxq_rebalance, "[dp]", 0, 1),
    }


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """Arguments. core: None for all. seconds: of load."""

    core: int | None = None
    seconds: int = HISTORY


def _asked(arguments: Sequence[str]) -> _Asked:
    """Raises TurnoutError."""
    asked, words = _Asked(), list(arguments)
    while words:
        word = words.pop(0)
        if word in ("-pmd", "-secs"):
            if not words:
                raise TurnoutError(f"{word}: it needs a number")
            value = number(words.pop(0), 16, word)
            if word == "-pmd":
                asked = replace(asked, core=value)
            elif 1 <= value <= HISTORY:
                asked = replace(asked, seconds=value)
            else:
                raise TurnoutError(f"-secs: {value} is out of range; it must be 1 to {HISTORY}")
        # anything else names a datapath; where there is one alone, Open vSwitch takes any name for it
    return asked


class _Pmd:
    """The commands, and where their counters were cleared."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self._cleared: dict[int, WorkerStats] = {}
        self._since = dict.fromkeys((w.core for w in switch.workers()), time.monotonic())

    def _workers(self, core: int | None) -> list[WorkerStats]:
        """Counters since they were cleared, of one core or all."""
        return [
            _since(w, self._cleared.get(w.core)) for w in self._switch.workers() if core in (None, w.core)
        ]

    def stats_show(self, arguments: list[str]) -> str:
        return "".join(map(format_stats, self._workers(_asked(arguments).core)))

    def stats_clear(self, arguments: list[str]) -> str:
        core = _asked(arguments).core
        here = {w.core: w for w in self._switch.workers() if core in (None, w.core)}
        self._cleared |= here
        self._since |= dict.fromkeys(here, time.monotonic())
        return ""

    def perf_show(self, arguments: list[str]) -> str:
        now = time.monotonic()
        words = [word for word in arguments if word != "-nh"]  # there are no histograms to leave out
        workers = self._workers(_asked(words).core)
        return "".join(format_perf(w, time.time(), now - self._since[w.core]) for w in workers)

    def rxq_show(self, arguments: list[str]) -> str:
        asked = _asked(arguments)
        queues = self._switch.queues(asked.seconds)
        isolated = {w.core: _isolated(w.core, queues) for w in self._workers(asked.core)}
        loads = self._switch.loads(asked.seconds)
        return f"Displaying last {asked.seconds} seconds pmd usage %\n" + format_queues(
            isolated, queues, loads
        )

    def rxq_rebalance(self, arguments: list[str]) -> str:
        for name in arguments:
            check_datapath(name, "please specify an existing datapath")
        self._switch.rebalance()
        return "pmd rxq rebalance requested."


def _since(now: WorkerStats, then: WorkerStats | None) -> WorkerStats:
    if then is None:
        return now
    return replace(
        now,
        packets=now.packets - then.packets,
        busy_cycles=now.busy_cycles - then.busy_cycles,
        total_cycles=now.total_cycles - then.total_cycles,
        sleeps=now.sleeps - then.sleeps,
    )


def _isolated(core: int, queues: Sequence[QueueStats]) -> bool:
    """Whether queues were pinned to it."""
    return any(queue.pinned for queue in queues if queue.core == core)


def _title(core: int) -> str:
    return f"pmd thread numa_id {numa_node(core)} core_id {core}:\n"


def format_stats(worker: WorkerStats) -> str:
    """A worker's packets and cycles. Nothing recirculates, and no packet misses: it is looked up there and
    then.
    """
    text = _title(worker.core) + (
        f"  packets received: {worker.packets}\n"
        "  packet recirculations: 0\n"
        "  miss with success upcall: 0\n"
        "  miss with failed upcall: 0\n"
    )
    total, busy = worker.total_cycles, worker.busy_cycles
    if total:
        idle = max(0, total - busy)
        text += f"  idle cycles: {idle} ({idle / total:.2%})\n"
        text += f"  processing cycles: {busy} ({busy / total:.2%})\n"
    if total and (count := worker.packets):
        text += f"  avg cycles per packet: {total / count:.2f} ({total}/{count})\n"
        text += f"  avg processing cycles per packet: {busy / count:.2f} ({busy}/{count})\n"
    return text


def format_perf(worker: WorkerStats, now: float, duration: float) -> str:
    """now: s since the epoch. duration: s that the counters are about."""
    clock = time.strftime("%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}"
    text = f"\nTime: {clock}\nMeasurement duration: {duration:.3f} s\n\n{_title(worker.core)}\n"
    total, busy, count = worker.total_cycles, worker.busy_cycles, worker.packets
    share = 100 * busy / total if total else 0.0
    text += f"  - Used TSC cycles:  {busy:>12}  ({share:5.1f} % of total cycles)\n"
    text += f"  - sleep iterations: {worker.sleeps:>12}\n"
    if count and duration > 0:
        rate = f"{count / duration / 1000:.0f} Kpps, {busy / count:.0f} cycles/pkt"
        return text + f"  Rx packets:         {count:>12}  ({rate})\n"
    return text + f"  Rx packets:         {0:>12}\n"


def format_queues(
    isolated: Mapping[int, bool], queues: Sequence[QueueStats], loads: Mapping[int, float]
) -> str:
    """Each core with its queues, and how much of its time each takes. isolated, loads: by core. Overhead is
    what a worker was busy with besides.
    """
    text = ""
    for core, pinned in isolated.items():
        text += f"{_title(core)}  isolated : {'true' if pinned else 'false'}\n"
        here = sorted((q for q in queues if q.core == core), key=lambda q: (q.port, q.queue))
        for queue in here:
            state = "(enabled) " if queue.link_up else "(disabled)"
            text += f"  port: {queue.port:<16}  queue-id: {queue.queue:2d} {state}"
            text += f"  pmd usage: {_percent(queue.load)}\n"
        if here:
            used = sum(queue.load or 0.0 for queue in here)
            text += f"  overhead: {_percent(max(0.0, loads[core] - used) if core in loads else None)}\n"
    return text


def _percent(share: float | None) -> str:
    return "NOT AVAIL" if share is None else f"{100 * share:2.0f} %"
