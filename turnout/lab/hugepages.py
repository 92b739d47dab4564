# SPDX-License-Identifier: Apache-2.0
"""2 MB hugepages for the lab's DPDK processes: asked for when short, never given back (others may run)."""

import re
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_NR_HUGEPAGES = Path("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")


def free_mb() -> int:
    """Free 2 MB hugepages, in MB."""
    pages = Path(_NR_HUGEPAGES.parent / "free_hugepages")
    return 2 * int(pages.read_text()) if pages.exists() else 0


def reserve(mb: int) -> bool:
    """Make at least `mb` MB of hugepages free if that can be done. False: not root, or memory is short."""
    missing = (mb - free_mb() + 1) // 2
    if missing > 0:
        # Never more than half of what is free: hugepages are lost to everything else.
        available = re.search(r"MemAvailable:\s+(\d+) kB", _MEMINFO.read_text())
        if available is None or 2 * missing > int(available[1]) // 2048:
            return False
        try:
            _NR_HUGEPAGES.write_text(str(int(_NR_HUGEPAGES.read_text()) + missing))
        except OSError:
            return False
    return free_mb() >= mb
