# SPDX-License-Identifier: Apache-2.0
"""Questions to the host before a device is made: each answers with what is in the way, or None.

DPDK's own answer to most of these is a number, or silence; ours is a line that says what to do.
"""

import contextlib
import functools
import hashlib
import os
import re
import socket
import stat
from collections.abc import Mapping
from pathlib import Path

_PCI = re.compile(r"(?:([0-9a-fA-F]{4}):)?([0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7])")
_PCAP_MAGICS = {bytes.fromhex(m) for m in ("a1b2c3d4", "d4c3b2a1", "a1b23c4d", "4d3cb2a1", "0a0d0d0a")}
# drivers that leave a NIC to user space, and those that share it with DPDK
_USERSPACE = {"vfio-pci", "uio_pci_generic", "igb_uio", "mlx4_core", "mlx5_core", "mana"}


@functools.cache
def identity() -> str:
    """What tells this host from others."""
    try:
        return Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except OSError:
        return os.uname().nodename


def stable_mac(name: str) -> str:
    """A locally administered MAC address, always the same for `name` on this host, another elsewhere."""
    digest = hashlib.sha256(f"{identity()} {name}".encode()).digest()
    return ":".join(f"{byte:02x}" for byte in (0x02, *digest[:5]))


def numa_node(core: int) -> int:
    """The NUMA node that a CPU belongs to; 0 where the kernel doesn't say."""
    found = next(Path(f"/sys/devices/system/cpu/cpu{core}").glob("node[0-9]*"), None)
    return int(found.name.removeprefix("node")) if found else 0


def listening(path: str) -> bool:
    """Whether somebody accepts connections at the Unix socket `path`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
        except TimeoutError:
            return True  # alive, only busy
        except OSError:
            return False
        return True


def free_socket(path: str) -> str | None:
    """Whether a socket can be made at `path`; removes the one that a dead process left there."""
    folder = Path(path).parent
    if not folder.is_dir():
        return f"socket {path}: no such directory {folder}; create it first"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"socket {path}: no permission to write in {folder}"
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISSOCK(mode):
        return f"socket {path}: a file that is no socket is in the way; remove it or choose another path"
    if listening(path):
        return f"socket {path}: taken by a running process; stop it or choose another path"
    try:
        os.unlink(path)
    except OSError as error:
        return f"socket {path}: left by a dead process and cannot be removed: {error.strerror}"
    return None


def peer_socket(path: str) -> str | None:
    """Whether a peer's socket can be at `path`; it need not be there yet."""
    if os.path.lexists(path) and not stat.S_ISSOCK(os.stat(path).st_mode):
        return f"socket {path}: is a file, not a socket; remove it or choose another path"
    return None


def _netns(name: str) -> str | None:
    return (
        None
        if not name or Path("/run/netns", name).exists()
        else f"no network namespace {name}; ip netns add {name}"
    )


def interface(name: str, netns: str) -> str | None:
    """Whether the kernel interface exists. Inside a namespace only the namespace is looked for."""
    if netns:
        return _netns(netns)
    return None if Path("/sys/class/net", name).exists() else f"no interface {name} on this host; see ip link"


def interface_mtu(name: str) -> int | None:
    """The MTU of a kernel interface of ours; None if there is none of that name."""
    try:
        return int(Path("/sys/class/net", name, "mtu").read_text("ascii"))
    except OSError:
        return None


def set_interface_mtu(name: str, mtu: int) -> None:
    """Gives it that MTU; an interface that cannot have it keeps its own."""
    with contextlib.suppress(OSError):
        Path("/sys/class/net", name, "mtu").write_text(str(mtu), "ascii")


def tap_possible(name: str, netns: str) -> str | None:
    """Whether a TAP interface called `name` can be made or taken over."""
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "cannot open /dev/net/tun; load the tun module and run as root"
    if netns:
        return _netns(netns)
    found = Path("/sys/class/net", name)
    if found.exists() and not (found / "tun_flags").exists():
        return (
            f"interface {name} exists and is no TAP; set options:iface to another name, or use type af_packet"
        )
    return None


def pcap_files(options: Mapping[str, str]) -> str | None:
    """Whether the file to replay is a capture, the file to record can be made, and the interface exists."""
    if source := options.get("rx_pcap"):
        try:
            with open(source, "rb") as file:
                magic = file.read(4)
        except OSError as error:
            return f"rx_pcap {source}: {error.strerror}"
        if magic not in _PCAP_MAGICS:
            return f"rx_pcap {source}: not a pcap file"
    if target := options.get("tx_pcap"):
        there = target if os.path.exists(target) else os.path.dirname(target)
        if not os.access(there, os.W_OK):
            return f"tx_pcap {target}: cannot write to {there}"
    if name := options.get("iface"):
        return interface(name, "")
    return None


def pci_device(devargs: str) -> str | None:
    """Whether the PCI device that `devargs` begins with exists and is left to user space; no PCI address:
    fine.
    """
    match = _PCI.fullmatch(devargs.split(",")[0])
    if not match:
        return None
    address = f"{match[1] or '0000'}:{match[2]}".lower()
    folder = Path("/sys/bus/pci/devices", address)
    if not folder.exists():
        return f"no PCI device {address}; see lspci -D"
    driver = os.path.basename(os.readlink(folder / "driver")) if (folder / "driver").exists() else "none"
    if driver not in _USERSPACE:
        return f"PCI device {address} has kernel driver {driver}; dpdk-devbind.py -b vfio-pci {address}"
    return None
