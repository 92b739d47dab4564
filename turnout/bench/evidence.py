# SPDX-License-Identifier: Apache-2.0
"""Where a worker's time goes, by symbol: `perf` on the thread that forwards."""

import tempfile
import time
from pathlib import Path

from turnout.bench.contenders import Contender
from turnout.lab.console import run

_SETTLE_S = 0.5
_SHOWN_PERCENT = 1.0


def profile(contender: Contender, seconds: float) -> str:
    """The worker's hottest symbols over `seconds`, as text. LabError if perf is missing or may not."""
    with tempfile.TemporaryDirectory(prefix="turnout-perf-") as folder:
        data = str(Path(folder) / "perf.data")
        # No hardware counters in a virtual machine: the CPU clock samples instead.
        record = ["--quiet", "--event=cpu-clock", "--freq=1999", f"--tid={_worker(contender.pid)}"]
        run(
            "perf", "record", *record, f"--output={data}", "--", "sleep", f"{seconds:g}", timeout=seconds + 30
        )
        shown = ["--stdio", "--sort=dso,symbol", f"--percent-limit={_SHOWN_PERCENT:g}"]
        report = run("perf", "report", *shown, f"--input={data}", timeout=120)
    return "\n".join(line.rstrip() for line in report.splitlines() if line.strip() and line[0] != "#")


def _worker(pid: int) -> int:
    """The thread of `pid` that takes the most CPU: under load that is the one that polls."""
    before = _run_times(pid)
    time.sleep(_SETTLE_S)
    return max(((now - before.get(tid, 0), tid) for tid, now in _run_times(pid).items()))[1]


def _run_times(pid: int) -> dict[int, int]:
    """ns on a CPU so far, by thread."""
    return {int(path.parent.name): int(path.read_text().split()[0])
            for path in Path(f"/proc/{pid}/task").glob("*/schedstat")}  # fmt: skip
