# SPDX-License-Identifier: Apache-2.0
"""DPDK's arguments, and the memory that it is given."""

import os
import re
import subprocess
import sys

import pytest

from turnout.config.model import Config
from turnout.control import eal
from turnout.errors import TurnoutError

MIB = 1 << 20


def test_arguments() -> None:
    huge = eal.arguments(True, 100 * MIB, {3, 1}, 42)
    assert huge[:6] == ["--lcores", "0@(1,3)", "--file-prefix", "turnout-42", "-a", "ffff:1f:1f.7"]
    assert {"--in-memory", "--single-file-segments"} <= set(huge)
    ordinary = eal.arguments(False, 100 * MIB + 1, {0}, 42)
    assert ordinary[ordinary.index("-m") + 1] == "101"
    assert "--no-huge" in ordinary


def test_need() -> None:
    small, large = eal.memory_need(Config(mbufs=4096)), eal.memory_need(Config(mbufs=8192))
    assert large - small == 4096 * (2048 + 320)
    assert eal.memory_need(Config(mbufs=4096, mtu=9000)) > small + 4096 * 6900
    assert eal.hugepage_need(5 * MIB, 4 * MIB, 2 * MIB) == eal.HugepageNeed(
        pages=3, free=2, page_size=2 * MIB
    )
    assert eal.hugepage_need(4 * MIB, 400 * MIB, 2 * MIB).missing == 0


def test_too_few_hugepages() -> None:
    """More than the machine has: the line has the numbers and the command, and nothing was reserved."""
    before = eal._NR_HUGEPAGES.read_text()
    huge = Config(mbufs=16_777_216, mtu=9702, hugepages="require")
    with pytest.raises(TurnoutError) as error:
        eal._hugepages("require", eal.memory_need(huge))
    line = str(error.value)
    assert line.startswith("hugepages: ")
    assert " kB needed, " in line
    assert "as root: echo " in line
    assert "> /proc/sys/vm/nr_hugepages, or lower mbufs" in line
    assert eal._NR_HUGEPAGES.read_text() == before


def test_auto_says_what_ordinary_memory_costs(caplog: pytest.LogCaptureFixture) -> None:
    assert eal._hugepages("auto", eal.memory_need(Config(mbufs=16_777_216, mtu=9702))) is False
    assert len(caplog.records) == 1
    assert "using ordinary memory, which costs speed" in caplog.text


def test_no_pci_device_is_probed() -> None:
    """DPDK's own log at debug level names no PCI device, and kernel drivers keep theirs."""
    drivers = "/sys/bus/pci/devices/{}/driver".format
    before = {name: os.path.realpath(drivers(name)) for name in os.listdir("/sys/bus/pci/devices")}
    code = (
        "from turnout import _engine; from turnout.control import eal\n"
        "args = eal.arguments(False, 64 << 20, {0}, 1)\n"
        "_engine.start_eal([*args, '--log-level', 'bus.pci:debug', '--log-level', 'lib.eal:debug'])\n"
        "print(*_engine.take_dpdk_log(), sep='\\n')\n"
        "eal._remove_runtime_folder(1)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "Main lcore 0 is ready" in run.stdout
    assert not re.search(r"PCI device|probe driver", run.stdout)
    assert before == {name: os.path.realpath(drivers(name)) for name in before}
    assert not os.path.exists("/run/dpdk/turnout-1")
