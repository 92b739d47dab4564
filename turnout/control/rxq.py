# SPDX-License-Identifier: Apache-2.0
"""Which worker polls which rx queue. Pure: queues, pins and measured loads in, an assignment out.

A queue that has a worker keeps it when ports come and go; only `rebalance` moves one, and only where that
pays.
"""

from collections.abc import Iterable, Mapping
from statistics import pvariance

Queue = tuple[int, int]  # (port number, queue)
Assignment = Mapping[Queue, int]  # → worker
Loads = Mapping[Queue, float]  # → share of a worker that the queue keeps busy, 0..1

IMPROVEMENT = 0.25  # least fall in the variance of load for which queues move, as Open vSwitch's pmd-auto-lb
BUSY = 0.5  # below this load of the busiest worker there is nothing to gain


def assign(
    queues: Iterable[Queue], workers: int, pins: Assignment, current: Assignment, loads: Loads
) -> dict[Queue, int]:
    """Pinned queues go where they are pinned, known ones stay, new ones go to the least loaded worker."""
    wanted = sorted(queues)
    result = {q: pins[q] for q in wanted if q in pins}
    result |= {q: current[q] for q in wanted if q in current and q not in pins}
    return _place(wanted, workers, result, loads)


def rebalance(
    workers: int, pins: Assignment, current: Assignment, loads: Loads, *, asked: bool = False
) -> dict[Queue, int] | None:
    """A better assignment of the queues in `current`, or None if none is better enough. asked: any that is
    better at all.
    """
    before = _totals(workers, current, loads)
    if workers < 2 or (max(before) < BUSY and not asked):
        return None
    heaviest_first = sorted(current, key=lambda q: (-loads.get(q, 0.0), q))
    better = _place(heaviest_first, workers, {q: pins[q] for q in current if q in pins}, loads)
    old, new = pvariance(before), pvariance(_totals(workers, better, loads))
    least = 0.0 if asked else IMPROVEMENT * old
    return better if old > new and old - new >= least else None


def _totals(workers: int, assignment: Assignment, loads: Loads) -> list[float]:
    totals = [0.0] * workers
    for queue, worker in assignment.items():
        totals[worker] += loads.get(queue, 0.0)
    return totals


def _place(queues: Iterable[Queue], workers: int, fixed: Assignment, loads: Loads) -> dict[Queue, int]:
    result = dict(fixed)
    totals = _totals(workers, fixed, loads)
    counts = [list(fixed.values()).count(worker) for worker in range(workers)]
    for queue in queues:
        if queue not in result:
            worker = min(range(workers), key=lambda w: (totals[w], counts[w]))
            result[queue] = worker
            totals[worker] += loads.get(queue, 0.0)
            counts[worker] += 1
    return result
