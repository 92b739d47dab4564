# SPDX-License-Identifier: Apache-2.0
"""The host, as column `statistics` of table Open_vSwitch tells of it if `enable-statistics` asks for that."""

import os
from pathlib import Path


def statistics() -> dict[str, str]:
    """CPUs, load, memory and file systems; sizes in KiB."""
    load = ",".join(f"{one:.2f}" for one in os.getloadavg())
    return {
        "cpu": str(os.cpu_count() or 1),
        "load_average": load,
        "memory": _memory(),
        "file_systems": _file_systems(),
    }


def _memory() -> str:
    """Total, used, cached; swap's total and used."""
    lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    of = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    cached = of["Buffers"] + of["Cached"]
    used = of["MemTotal"] - of["MemFree"] - cached
    swap = of["SwapTotal"], of["SwapTotal"] - of["SwapFree"]
    return ",".join(map(str, (of["MemTotal"], used, cached, *swap)))


def _file_systems() -> str:
    """ "MOUNT,TOTAL,USED" of each on a device of this host that can be written to."""
    found: list[str] = []
    for line in Path("/proc/self/mounts").read_text().splitlines():
        device, folder, _, options, *_ = line.split()
        if not device.startswith("/") or "ro" in options.split(","):
            continue
        try:
            of = os.statvfs(folder)
        except OSError:
            continue
        kib = of.f_frsize // 1024 or 1
        name = folder.replace("\\040", "_").replace(",", "_")
        found.append(f"{name},{of.f_blocks * kib},{(of.f_blocks - of.f_bfree) * kib}")
    return " ".join(found)
