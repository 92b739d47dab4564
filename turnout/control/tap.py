# SPDX-License-Identifier: Apache-2.0
"""TAP interfaces beside the engine that reads and writes them (linux/if_tun.h)."""

import contextlib
import fcntl
import os
import struct
from collections.abc import Iterator
from pathlib import Path

_TUNSETIFF, _TUNSETQUEUE = 0x400454CA, 0x400454D9
_TAP, _NO_PI, _VNET_HDR, _MULTI_QUEUE, _DETACH_QUEUE = 0x0002, 0x1000, 0x4000, 0x0100, 0x0400


@contextlib.contextmanager
def kept(name: str) -> Iterator[None]:
    """Keeps an interface of our namespace, with its addresses and routes, while the engine lets go of it and
    takes it again. One that is not there, or has one queue only, is not kept.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            if Path("/sys/class/net", name, "tun_flags").exists():
                descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
                stack.callback(os.close, descriptor)
                # one more queue, that gets no packets
                flags = _TAP | _NO_PI | _VNET_HDR | _MULTI_QUEUE
                fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
                fcntl.ioctl(descriptor, _TUNSETQUEUE, struct.pack("16xH22x", _DETACH_QUEUE))
        yield
