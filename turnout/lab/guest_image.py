# SPDX-License-Identifier: Apache-2.0
"""What a QEMU guest boots: Debian's kernel and an initramfs of busybox, drivers and a few tools, cached.

The full kernel image serves all guests (virtio and Intel NICs alike). It is unpacked to a plain ELF, entered
through PVH, because an emulated CPU takes 7 s to unpack the compressed one and 3 s for all the rest.
"""

import hashlib
import lzma
import os
import re
import shutil
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from turnout.lab.console import LabError, run

# Drivers in the order in which they can be loaded.
_DRIVERS = [
    *("drivers/virtio/virtio_ring", "drivers/virtio/virtio", "drivers/virtio/virtio_pci_modern_dev"),
    *("drivers/virtio/virtio_pci_legacy_dev", "drivers/virtio/virtio_pci"),
    *("net/core/failover", "drivers/net/net_failover", "drivers/net/virtio_net"),
    *("drivers/net/ethernet/intel/e1000/e1000", "drivers/net/ethernet/intel/e1000e/e1000e"),
    *("drivers/i2c/algos/i2c-algo-bit", "drivers/dca/dca", "drivers/net/ethernet/intel/igb/igb"),
    *("net/llc/llc", "net/802/stp", "net/802/garp", "net/802/mrp", "net/8021q/8021q"),
]
_TOOLS = ["iperf3", "ethtool", "ping"]  # /tools/ping where busybox's does not know an option
_INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp /run /usr/bin /usr/sbin /sbin
/bin/busybox --install -s /bin
export PATH=/tools:/bin HOME=/
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
while read module; do insmod /modules/$module.ko; done < /modules/order
ip link set lo up
exec <>/dev/ttyS0 >&0 2>&0
stty -echo
echo guest-is-ready
while read -r line; do eval "$line"; done
"""


@dataclass(frozen=True)
class GuestImage:
    kernel: Path
    initramfs: Path


def build(folder: Path | None = None) -> GuestImage:
    """The image in `folder` (default: the checkout's or the user's cache), made if it isn't there.

    Downloads Debian's kernel package (70 MB) the first time. LabError if that fails.
    """
    recipe = hashlib.sha256(repr((_DRIVERS, _TOOLS, _INIT)).encode()).hexdigest()
    folder = (folder or _cache()) / recipe[:8]
    folder.mkdir(parents=True, exist_ok=True)
    image = GuestImage(folder / "vmlinux", folder / "initramfs.cpio")
    if not (image.kernel.exists() and image.initramfs.exists()):
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            work = Path(temporary)
            _unpack_kernel_package(work)
            (work / "vmlinux").write_bytes(_vmlinux(next(work.glob("boot/vmlinuz-*")).read_bytes()))
            _stage(work, work / "root")
            (work / "initramfs").write_bytes(cpio(work / "root"))
            # Renamed when complete, so that an interrupted or concurrent build never shows.
            (work / "vmlinux").rename(image.kernel)
            (work / "initramfs").rename(image.initramfs)
    return image


def cpio(root: Path) -> bytes:
    """An initramfs ("newc" cpio archive) of all that is under `root`."""
    out = bytearray()

    def entry(name: str, mode: int, content: bytes) -> None:
        encoded = name.encode() + b"\0"
        # inode, mode, uid, gid, links, mtime, size, four device numbers, name size, checksum
        fields = (0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
        out.extend(b"070701" + b"".join(b"%08X" % field for field in fields) + encoded)
        out.extend(bytes(-len(out) % 4) + content)
        out.extend(bytes(-len(out) % 4))

    for path in sorted(root.rglob("*")):
        name, mode = str(path.relative_to(root)), path.lstat().st_mode
        if path.is_symlink():
            entry(name, mode, os.readlink(path).encode())
        else:
            entry(name, mode, path.read_bytes() if path.is_file() else b"")
    entry("TRAILER!!!", 0, b"")
    return bytes(out)


def _cache() -> Path:
    checkout = Path(__file__).parents[2]
    if (checkout / "pyproject.toml").exists():
        return checkout / ".cache" / "lab"
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "turnout-lab"


def _unpack_kernel_package(folder: Path) -> None:
    depends = run("apt-cache", "depends", "linux-image-amd64")
    package = re.search(r"Depends: (linux-image-\S+)", depends)
    if package is None:
        raise LabError("apt knows no linux-image-amd64; run `apt-get update`")
    try:
        # -o: as root, apt would drop its rights for the download and warn that it can't write here.
        subprocess.run(
            ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", package[1]],
            cwd=folder, check=True, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        # Not `dpkg -x`: all 4,000 modules would be written for the sake of 18.
        wanted = [f"*/{driver}.ko" for driver in _DRIVERS] + ["./boot/vmlinuz-*"]
        archive = subprocess.Popen(
            ["dpkg-deb", "--fsys-tarfile", str(next(folder.glob("*.deb")))], stdout=subprocess.PIPE
        )
        with archive:
            subprocess.run(
                ["tar", "-x", "-C", str(folder), "--wildcards", *wanted],
                stdin=archive.stdout, check=True, capture_output=True, text=True, timeout=120,
            )  # fmt: skip
    except subprocess.CalledProcessError as error:
        raise LabError(f"cannot get the guest's kernel {package[1]}: {error.stderr.strip()}") from error


def _vmlinux(bzimage: bytes) -> bytes:
    """The ELF image inside a bzImage (Linux/x86 boot protocol 2.08 and later; xz, as Debian packs it)."""
    setup_sectors = bzimage[0x1F1]
    offset, length = struct.unpack_from("<II", bzimage, 0x248)
    start = (setup_sectors + 1) * 512 + offset
    return lzma.LZMADecompressor().decompress(bzimage[start : start + length])


def _stage(package: Path, root: Path) -> None:
    """Lay out the guest's root file system in `root`."""
    for name in ("bin", "tools", "modules"):
        (root / name).mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin")
    kernel = next(package.glob("lib/modules/*/kernel"))
    for driver in _DRIVERS:
        shutil.copy(kernel / f"{driver}.ko", root / "modules")
    (root / "modules" / "order").write_text("".join(f"{Path(driver).name}\n" for driver in _DRIVERS))
    for tool in _TOOLS:
        binary = shutil.which(tool)
        if binary is None:
            raise LabError(f"{tool} is not installed; the guest's image needs it")
        shutil.copy(binary, root / "tools" / tool)
        for library in re.findall(r"(/\S+) \(0x", run("ldd", binary)):
            target = root / library.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, target)
    (root / "init").write_text(_INIT)
    (root / "init").chmod(0o755)
