# SPDX-License-Identifier: Apache-2.0
"""TAP interfaces of internal ports, which pass with their addresses and routes from one switch to the next,
be it Turnout or Open vSwitch.
"""

import contextlib
import fcntl
import os
import struct
from collections.abc import Collection, Iterator
from pathlib import Path

_TUNSETIFF, _TUNSETPERSIST, _SIOCSIFHWADDR = 0x400454CA, 0x400454CB, 0x8924
_IFF_TAP, _IFF_NO_PI, _IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
_ARPHRD_ETHER = 1


def take(name: str, mac: str) -> None:
    """Makes `name`, or takes it over from a switch that has gone, so that whoever has it open with that MAC
    address owns it. It has one queue: Open vSwitch opens no other kind. What is in the way is the opener's
    to say.
    """
    request = struct.pack("16sH22x", name.encode(), _IFF_TAP | _IFF_NO_PI | _IFF_VNET_HDR)
    address = struct.pack("16sH6s16x", b"", _ARPHRD_ETHER, bytes.fromhex(mac.replace(":", "")))
    with contextlib.suppress(OSError), open("/dev/net/tun", "r+b", buffering=0) as queue:
        fcntl.ioctl(queue, _TUNSETIFF, request)
        fcntl.ioctl(queue, _SIOCSIFHWADDR, address)
        fcntl.ioctl(queue, _TUNSETPERSIST, 1)


@contextlib.contextmanager
def kept(names: Collection[str]) -> Iterator[None]:
    """These interfaces stay, though their ports are taken away inside."""
    held = [os.dup(descriptor) for descriptor, name in _open() if name in names]
    try:
        yield
    finally:
        for descriptor in held:
            fcntl.ioctl(descriptor, _TUNSETPERSIST, 1)
            os.close(descriptor)


def _open() -> Iterator[tuple[int, str]]:
    """This process's descriptors of TAPs, and their names."""
    for info in Path("/proc/self/fdinfo").iterdir():
        with contextlib.suppress(OSError):  # closed by now
            for line in info.read_text().splitlines():
                if line.startswith("iff:"):
                    yield int(info.name), line.removeprefix("iff:").strip()
