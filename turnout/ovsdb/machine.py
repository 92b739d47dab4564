# SPDX-License-Identifier: Apache-2.0
"""The host, as column `statistics` of table Open_vSwitch tells of it if `enable-statistics` asks for that."""

import os
import threading
from collections.abc import Callable, Mapping

import psutil


def statistics() -> dict[str, str]:
    """CPUs, load, memory and file systems; sizes in KiB. A file system that hangs keeps it waiting."""
    return {
        "cpu": str(os.cpu_count() or 1),
        "load_average": ",".join(f"{one:.2f}" for one in os.getloadavg()),
        "memory": _memory(),
        "file_systems": _file_systems(),
    }


class Machine:
    """Looked at beside the daemon's loop, once at a time. statistics: what the last look has found."""

    def __init__(self, read: Callable[[], Mapping[str, str]] = statistics) -> None:
        self.statistics: Mapping[str, str] = {}
        self._read = read
        self._thread: threading.Thread | None = None

    def look(self) -> None:
        """Starts one, unless another is under way."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="machine", daemon=True)  # may never end
            self._thread.start()

    def _run(self) -> None:
        self.statistics = self._read()


def _memory() -> str:
    """Total, used, cached; swap's total and used."""
    of, swap = psutil.virtual_memory(), psutil.swap_memory()
    cached = of.buffers + of.cached
    sizes = (of.total, of.total - of.free - cached, cached, swap.total, swap.used)
    return ",".join(str(size // 1024) for size in sizes)


def _file_systems() -> str:
    """ "MOUNT,TOTAL,USED" of each on a device of this host that can be written to."""
    found: list[str] = []
    for mount in psutil.disk_partitions():
        if "ro" in mount.opts.split(","):
            continue
        try:
            of = psutil.disk_usage(mount.mountpoint)
        except OSError:
            continue
        name = "".join(c if c.isprintable() and c not in " ," else "_" for c in mount.mountpoint)
        found.append(f"{name},{of.total // 1024},{of.used // 1024}")
    return " ".join(found)
