# SPDX-License-Identifier: Apache-2.0
"""DPDK's start: its arguments and its memory. EAL starts once per process and stays.

No PCI device is probed: the allow list holds one address that no machine has, so that a NIC is attached only
when a port names it (`--no-pci` would forbid even that).
"""

import contextlib
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from turnout import _engine
from turnout.config.model import Config, Hugepages
from turnout.errors import TurnoutError

log = logging.getLogger(__name__)

MIB = 1 << 20
_SLACK = 64 * MIB  # rings, device state, malloc heap
_BUFFER_OVERHEAD = 64 + 128 + 128  # mempool header, rte_mbuf, headroom
_NOWHERE = "ffff:1f:1f.7"
_NR_HUGEPAGES = Path("/proc/sys/vm/nr_hugepages")
_POOLS = Path("/sys/kernel/mm/hugepages")

_memory = "unknown"  # what EAL was started with: "hugepages" or "ordinary"; "unknown" if not by us


def memory_need(config: Config) -> int:
    """Bytes that the switch will want for `config`."""
    return config.mbufs * (max(2048, config.mtu + 18) + _BUFFER_OVERHEAD) + _SLACK


@dataclass(frozen=True)
class HugepageNeed:
    """The default-size hugepages: how many are needed, how many are free, bytes in one."""

    pages: int
    free: int
    page_size: int

    @property
    def missing(self) -> int:
        return max(0, self.pages - self.free)


def hugepage_need(need: int, free_bytes: int, page_size: int) -> HugepageNeed:
    """Pages of `page_size` that `need` bytes take, of which `free_bytes` (in pages of any size) are there."""
    return HugepageNeed(pages=-(-need // page_size), free=free_bytes // page_size, page_size=page_size)


def _meminfo() -> Mapping[str, int]:
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return {key: int(rest.split()[0]) for key, _, rest in (line.partition(":") for line in lines)}


def _free_hugepage_bytes() -> int:
    total = 0
    for pool in _POOLS.glob("hugepages-*kB"):
        size = int(pool.name.removeprefix("hugepages-").removesuffix("kB")) * 1024
        free, reserved = (int((pool / f"{n}_hugepages").read_text()) for n in ("free", "resv"))
        total += (free - reserved) * size
    return total


def _look(need: int) -> HugepageNeed:
    return hugepage_need(need, _free_hugepage_bytes(), _meminfo().get("Hugepagesize", 2048) * 1024)


def _reserve(pages: int) -> None:
    """Asks the kernel for `pages` more hugepages; it may give fewer."""
    before = int(_NR_HUGEPAGES.read_text())
    _NR_HUGEPAGES.write_text(str(before + pages))


def _hugepages(policy: Hugepages, need: int) -> bool:
    """Whether to run on hugepages; reserves missing ones. TurnoutError if the policy requires what is not
    there.
    """
    if policy == "off":
        return False
    look = _look(need)
    if not look.missing:
        return True
    target = int(_NR_HUGEPAGES.read_text()) + look.missing
    command = f"echo {target} > {_NR_HUGEPAGES}"
    if _try_reserve(need, look):
        return True
    if policy == "require":
        pages = f"{look.pages} of {look.page_size // 1024} kB"
        raise TurnoutError(f"hugepages: {pages} needed, {look.free} free; as root: {command}, or lower mbufs")
    log.warning(
        "hugepages: %d of %d kB needed, %d free; using ordinary memory, which costs speed (TLB misses) "
        "and PCI NICs that have no IOMMU; as root: %s",
        look.pages,
        look.page_size // 1024,
        look.free,
        command,
    )
    return False


def _try_reserve(need: int, look: HugepageNeed) -> bool:
    """Reserves what is missing; gives it back if the kernel found only a part."""
    if look.missing * look.page_size > _meminfo()["MemAvailable"] * 1024 * 0.8:
        return False  # the kernel would push everybody else's memory out to find them
    try:
        _reserve(look.missing)
        now = _look(need)
        if not now.missing:
            log.info("hugepages: reserved %d more of %d kB", look.missing, look.page_size // 1024)
            return True
        _reserve(-max(0, now.free - look.free))
    except OSError:
        pass  # not root, or a container with a read-only /proc: as if there were none
    return False


def arguments(hugepages: bool, need: int, cpus: set[int], pid: int) -> list[str]:
    """EAL's command line without program name."""
    allowed = ",".join(map(str, sorted(cpus)))
    memory = (
        ["--in-memory", "--single-file-segments"]
        if hugepages  # --in-memory and --no-huge exclude each other in DPDK 22.11
        else ["--no-huge", "--no-shconf", "-m", str(-(-need // MIB))]
    )
    return [
        *("--lcores", f"0@({allowed})"),
        *("--file-prefix", f"turnout-{pid}"),
        *("-a", _NOWHERE),
        *memory,
        *("--log-level", "*:warning"),
        "--no-telemetry",
    ]


def _remove_runtime_folder(pid: int) -> None:
    """EAL makes a folder per file prefix even if it shares nothing; they would pile up, one per start."""
    parent = "/var/run" if os.geteuid() == 0 else os.environ.get("XDG_RUNTIME_DIR", "/tmp")
    with contextlib.suppress(OSError):
        os.rmdir(f"{parent}/dpdk/turnout-{pid}")


def start(config: Config) -> str:
    """Starts EAL unless it runs; returns what memory it has: "hugepages" or "ordinary". TurnoutError, one
    line.
    """
    global _memory
    if not _engine.eal_started():
        need = memory_need(config)
        hugepages = _hugepages(config.hugepages, need)
        _engine.start_eal(arguments(hugepages, need, os.sched_getaffinity(0), os.getpid()))
        _remove_runtime_folder(os.getpid())
        _memory = "hugepages" if hugepages else "ordinary"
    elif config.hugepages == "require" and _memory != "hugepages":
        raise TurnoutError(
            "hugepages: this process runs DPDK on ordinary memory already; start a new process"
        )
    return _memory
