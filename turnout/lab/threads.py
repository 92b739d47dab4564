# SPDX-License-Identifier: Apache-2.0
"""What the scheduler knows of a process's threads: who worked, who had to wait."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

_NS = 1e9


@dataclass(frozen=True)
class CpuTime:
    """Seconds since the thread began: on a CPU, and ready but kept waiting for one."""

    ran: float
    waited: float


def cpu_times(pid: int) -> dict[int, CpuTime]:
    """By thread ID. The scheduler's own count in ns, not the 10 ms ticks of /proc/PID/stat."""
    times = {}
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread may end meanwhile
            ran, waited, _ = path.read_text().split()
            times[int(path.parent.name)] = CpuTime(int(ran) / _NS, int(waited) / _NS)
    return times


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads that live, in seconds."""
    return sum(thread.ran for thread in cpu_times(pid).values())


def worker(pid: int, core: int) -> int:
    """The thread of `pid` that polls: of those pinned to `core`, the one that ran most."""
    pinned = {
        thread: time for thread, time in cpu_times(pid).items() if os.sched_getaffinity(thread) == {core}
    }
    return max(pinned, key=lambda thread: pinned[thread].ran)
