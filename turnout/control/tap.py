# SPDX-License-Identifier: Apache-2.0
"""TAP interfaces beside the engine that reads and writes them (linux/if_tun.h)."""

import contextlib
import errno
import fcntl
import os
import struct
import time
from collections.abc import Collection, Iterator
from pathlib import Path

_TUNSETIFF, _TUNSETPERSIST, _TUNSETQUEUE, _SIOCSIFHWADDR = 0x400454CA, 0x400454CB, 0x400454D9, 0x8924
_TAP, _NO_PI, _VNET_HDR, _MULTI_QUEUE, _DETACH_QUEUE = 0x0002, 0x1000, 0x4000, 0x0100, 0x0400
_ETHERNET = 1  # ARPHRD_ETHER
_PATIENCE = 0.1  # s; the daemon waits meanwhile


def take(name: str, mac: str) -> None:
    """Makes an interface with one queue, since Open vSwitch opens no other kind, or takes it over from a
    switch that has gone, be it Open vSwitch: the engine, which opens it next with that MAC address, owns it
    then. What is in the way is the engine's to say.
    """
    with contextlib.suppress(OSError), open("/dev/net/tun", "r+b", buffering=0) as queue:
        _attach(queue.fileno(), struct.pack("16sH22x", name.encode(), _TAP | _NO_PI | _VNET_HDR))
        address = bytes.fromhex(mac.replace(":", ""))
        fcntl.ioctl(queue, _SIOCSIFHWADDR, struct.pack("16sH6s16x", b"", _ETHERNET, address))
        fcntl.ioctl(queue, _TUNSETPERSIST, 1)


def _attach(queue: int, request: bytes) -> None:
    """A worker that slept when the engine let go of an interface still has it open until it is awake."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.ioctl(queue, _TUNSETIFF, request)
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.001)
        else:
            return


def has_one_queue(name: str) -> bool:
    """Whether there is such an interface in our namespace, with one queue only."""
    try:
        return not int(Path("/sys/class/net", name, "tun_flags").read_text(), 16) & _MULTI_QUEUE
    except OSError:
        return False


@contextlib.contextmanager
def left(names: Collection[str]) -> Iterator[None]:
    """Interfaces that the engine has open stay, with their addresses and routes, though it lets go of them
    inside.
    """
    held = [os.dup(descriptor) for descriptor, name in _open() if name in names] if names else []
    try:
        yield
    finally:
        for descriptor in held:
            fcntl.ioctl(descriptor, _TUNSETPERSIST, 1)  # after the engine has said 0
            os.close(descriptor)


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


def _open() -> Iterator[tuple[int, str]]:
    """This process's descriptors of TAPs, and their names."""
    for info in Path("/proc/self/fdinfo").iterdir():
        with contextlib.suppress(OSError):  # closed by now
            for line in info.read_text().splitlines():
                if line.startswith("iff:"):
                    yield int(info.name), line.removeprefix("iff:").strip()
