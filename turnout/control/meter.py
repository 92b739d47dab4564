# SPDX-License-Identifier: Apache-2.0
"""Rates from the engine's cumulative counters: what happened between the last two samples."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from turnout import _engine
from turnout.control.rxq import Queue


@dataclass(frozen=True)
class PortRate:
    """Per second."""

    rx_packets: float = 0.0
    rx_bytes: float = 0.0
    tx_packets: float = 0.0
    tx_bytes: float = 0.0


@dataclass(frozen=True)
class WorkerRate:
    """`load`: share of time busy, 0..1. `packets`: per second. `cycles_per_packet`: busy TSC cycles, 0
    without traffic.
    """

    load: float = 0.0
    packets: float = 0.0
    cycles_per_packet: float = 0.0


@dataclass(frozen=True)
class Usage:
    """Shares of a worker's time, 0..1, that each queue took, and that each worker was busy."""

    queues: Mapping[Queue, float] = field(default_factory=dict)
    workers: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Sample:
    at: float = 0.0
    ports: Mapping[int, tuple[int, int, int, int]] = field(default_factory=dict)
    workers: Mapping[int, tuple[int, int, int]] = field(default_factory=dict)
    queues: Mapping[Queue, int] = field(default_factory=dict)


_NEVER = _Sample()
HISTORY = 60  # s, the longest time that `usage` looks back, with a sample a second


def _grown(now: tuple[int, ...], before: tuple[int, ...] | None) -> list[int]:
    """How far counters went; those that are new, or began anew, started from zero."""
    if before is None or any(n < b for n, b in zip(now, before, strict=True)):
        return list(now)
    return [n - b for n, b in zip(now, before, strict=True)]


class Meter:
    """Samples a datapath once in a while and keeps the rates of the last interval."""

    def __init__(self) -> None:
        self._last = _NEVER
        self.ports: dict[int, PortRate] = {}
        self.workers: dict[int, WorkerRate] = {}
        self.queues: dict[Queue, float] = {}  # share of a worker's time, 0..1
        self._history: deque[_Sample] = deque(maxlen=HISTORY + 1)

    def sample(self, datapath: _engine.Datapath, now: float) -> None:
        """Takes a sample at `now` (s, monotonic)."""
        new = _Sample(
            at=now,
            ports={
                c.port: (c.rx_packets, c.rx_bytes, c.tx_packets, c.tx_bytes) for c in datapath.port_counters()
            },
            workers={w.worker: (w.packets, w.busy_cycles, w.total_cycles) for w in datapath.worker_loads()},
            queues={(q.port, q.queue): q.cycles for q in datapath.queue_loads()},
        )
        old, self._last = self._last, new
        self._history.append(new)
        seconds = now - old.at
        if old is _NEVER or seconds <= 0:
            return
        cycles = seconds * _engine.tsc_hz()
        self.ports = {
            port: PortRate(*(n / seconds for n in _grown(counters, old.ports.get(port))))
            for port, counters in new.ports.items()
        }
        self.workers = {}
        for worker, counters in new.workers.items():
            packets, busy, total = _grown(counters, old.workers.get(worker))
            self.workers[worker] = WorkerRate(
                load=min(1.0, busy / total) if total else 0.0,
                packets=packets / seconds,
                cycles_per_packet=busy / packets if packets else 0.0,
            )
        self.queues = {
            queue: _grown((used,), (old.queues[queue],) if queue in old.queues else None)[0] / cycles
            for queue, used in new.queues.items()
        }

    def usage(self, seconds: float) -> Usage:
        """The last `seconds`, or as long as there are samples; what came since counts over all that time.
        Empty before the second sample.
        """
        first = next((one for one in self._history if one.at >= self._last.at - seconds), self._last)
        if first is self._last:
            return Usage()
        cycles = (self._last.at - first.at) * _engine.tsc_hz()
        queues = {queue: (used,) for queue, used in first.queues.items()}
        return Usage(
            queues={q: _grown((used,), queues.get(q))[0] / cycles for q, used in self._last.queues.items()},
            workers={
                worker: _grown(counters, first.workers.get(worker))[1] / cycles
                for worker, counters in self._last.workers.items()
            },
        )
