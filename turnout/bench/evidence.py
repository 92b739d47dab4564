# SPDX-License-Identifier: Apache-2.0
"""Where a worker's time goes, by library and symbol: `perf` on the thread that forwards."""

import tempfile
from pathlib import Path

from turnout.bench.contenders import WORKER_CORE, Contender
from turnout.lab.console import run
from turnout.lab.threads import worker

_SHOWN_PERCENT = 1.0


def profile(contender: Contender, seconds: float) -> str:
    """The worker's hottest libraries and symbols over `seconds`, as text. LabError if perf can't."""
    with tempfile.TemporaryDirectory(prefix="turnout-perf-") as folder:
        data = f"{folder}/perf.data"
        # No hardware counters in a virtual machine: the CPU clock samples instead.
        record = [
            "--quiet",
            "--event=cpu-clock",
            "--freq=1999",
            f"--tid={worker(contender.pid, WORKER_CORE)}",
        ]
        run(
            "perf", "record", *record, f"--output={data}", "--", "sleep", f"{seconds:g}", timeout=seconds + 30
        )
        # Libraries first: Debian's have no symbols of their own inside.
        return "\n".join(_report(Path(data), keys) for keys in ("dso", "dso,symbol"))


def _report(data: Path, keys: str) -> str:
    shown = ["--stdio", f"--fields=overhead,{keys}", f"--percent-limit={_SHOWN_PERCENT:g}"]
    report = run("perf", "report", *shown, f"--input={data}", timeout=120)
    return "".join(f"{line.rstrip()}\n" for line in report.splitlines() if line.strip() and line[0] != "#")
