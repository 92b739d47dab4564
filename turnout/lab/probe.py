# SPDX-License-Identifier: Apache-2.0
"""What this machine can do, found out by trying."""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from turnout.lab import guest_image, hugepages
from turnout.lab.console import Console as Child
from turnout.lab.console import LabError

_KVM_BOOT = 15.0  # s; a guest with working KVM is up in 2


def kvm() -> str:
    """ "" if KVM runs an ordinary kernel, else what is in the way."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "no access to /dev/kvm"
    if not shutil.which("qemu-system-x86_64"):
        return "no qemu-system-x86_64"
    image = guest_image.build()
    argv = [
        *("qemu-system-x86_64", "-accel", "kvm", "-M", "q35", "-m", "256", "-nodefaults", "-no-user-config"),
        *("-display", "none", "-no-reboot", "-serial", "stdio", "-append", "console=ttyS0 quiet"),
        *("-kernel", str(image.kernel), "-initrd", str(image.initramfs)),
    ]
    with Child("QEMU with KVM", argv) as guest:
        try:
            guest.expect("^guest-is-ready$", _KVM_BOOT)
        except LabError:
            return f"/dev/kvm exists, but a guest did not boot in {_KVM_BOOT:.0f} s"
    return ""


def vhost_net() -> str:
    return "" if os.access("/dev/vhost-net", os.R_OK | os.W_OK) else "no access to /dev/vhost-net"


def huge() -> str:
    return "" if hugepages.reserve(64) else "no 64 MB of 2 MB hugepages to be had"


def openvswitch_module() -> str:
    if Path("/sys/module/openvswitch").exists():
        return ""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        if subprocess.run(["modprobe", "openvswitch"], capture_output=True, timeout=10).returncode == 0:
            return ""
    return "the kernel has no such module"


def perf_counters() -> str:
    if not shutil.which("perf"):
        return "perf is not installed"
    argv = ["perf", "stat", "-x,", "-e", "cycles", "true"]
    try:
        report = subprocess.run(argv, capture_output=True, text=True, timeout=10).stderr
    except subprocess.TimeoutExpired:
        return "perf stat does not end"
    return "" if re.match(r"\d+,", report) else "the CPU shows none (a virtual machine without a PMU)"


PROBES: dict[str, Callable[[], str]] = {
    "KVM": kvm,
    "vhost_net": vhost_net,
    "hugepages": huge,
    "openvswitch kernel module": openvswitch_module,
    "hardware performance counters": perf_counters,
}


def show() -> None:
    """Print the table."""
    table = Table("what", "here")
    for name, probe in PROBES.items():
        problem = probe()
        table.add_row(name, f"not available here: {problem}" if problem else "available")
    Console().print(table)
