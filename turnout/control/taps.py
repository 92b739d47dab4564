# SPDX-License-Identifier: Apache-2.0
"""TAP interfaces that outlive the switch which made them, with their addresses and routes."""

import contextlib
import fcntl
import logging
import os
import struct
from collections.abc import Iterable, Iterator

log = logging.getLogger(__name__)

_TUNSETIFF, _TUNSETPERSIST = 0x400454CA, 0x400454CB
_IFF_TAP, _IFF_MULTI_QUEUE, _IFF_NO_PI, _IFF_VNET_HDR = 0x0002, 0x0100, 0x1000, 0x4000
_FLAGS = _IFF_TAP | _IFF_MULTI_QUEUE | _IFF_NO_PI | _IFF_VNET_HDR  # as the engine opens them


@contextlib.contextmanager
def kept(names: Iterable[str]) -> Iterator[None]:
    """The interfaces stay though their ports are taken away inside: each has one queue more meanwhile. One
    that is not in our network namespace goes with its port.
    """
    with contextlib.ExitStack() as stack:
        held = []
        for name in names:
            if not os.path.exists(f"/sys/class/net/{name}/tun_flags"):
                continue
            queue = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
            stack.callback(os.close, queue)
            try:
                fcntl.ioctl(queue, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _FLAGS))
            except OSError as error:
                log.warning("interface %s will not stay: %s", name, error.strerror)
            else:
                held.append(queue)
        yield
        for queue in held:
            fcntl.ioctl(queue, _TUNSETPERSIST, 1)
