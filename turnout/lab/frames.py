# SPDX-License-Identifier: Apache-2.0
"""Raw Ethernet frames on an interface inside a namespace, VLAN tags as they are on the wire."""

import errno
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Self, TypeVar

from turnout.lab.netns import Namespace

_ETH_P_ALL = 0x0003
_SOL_PACKET, _PACKET_AUXDATA, _PACKET_IGNORE_OUTGOING = 263, 8, 23
_TP_STATUS_VLAN_VALID, _TP_STATUS_VLAN_TPID_VALID = 1 << 4, 1 << 6
_AUXDATA = struct.Struct("=IIIHHHH")  # struct tpacket_auxdata
_T = TypeVar("_T")


class FrameSocket:
    """Sends and receives whole frames (without FCS); a context manager."""

    def __init__(self, namespace: Namespace, interface: str = "eth0") -> None:
        def make() -> socket.socket:
            return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)

        self._socket = _in_namespace(namespace, make)
        self._socket.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        self._socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        self._socket.bind((interface, _ETH_P_ALL))

    def fileno(self) -> int:
        """For select()."""
        return self._socket.fileno()

    def send(self, frame: bytes) -> None:
        self._socket.send(frame)

    def receive(self, wanted: Callable[[bytes], bool], timeout: float = 2) -> bytes | None:
        """The next frame that is `wanted`; None if there is none within `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                frame, extra, _, _ = self._socket.recvmsg(1 << 16, socket.CMSG_SPACE(_AUXDATA.size))
            except TimeoutError:
                break
            except OSError as error:
                if error.errno != errno.ENETDOWN:
                    raise
                continue  # said once when the interface goes down; it may come up again
            for level, kind, data in extra:
                if (level, kind) == (_SOL_PACKET, _PACKET_AUXDATA):
                    frame = _with_tag(frame, data)
            if wanted(frame):
                return frame
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def _with_tag(frame: bytes, auxdata: bytes) -> bytes:
    """The kernel takes the outer tag out of the frame and tells it beside; put it back."""
    status, _, _, _, _, tci, tpid = _AUXDATA.unpack(auxdata[: _AUXDATA.size])
    if not status & _TP_STATUS_VLAN_VALID:
        return frame
    return (
        frame[:12]
        + struct.pack("!HH", tpid if status & _TP_STATUS_VLAN_TPID_VALID else 0x8100, tci)
        + frame[12:]
    )


def _in_namespace(namespace: Namespace, make: Callable[[], _T]) -> _T:
    """Call `make` in a thread that has entered the namespace: the rest of the process stays where it is."""
    result: list[_T] = []
    errors: list[OSError] = []

    def enter() -> None:
        try:
            with namespace.entered():
                result.append(make())
        except OSError as error:
            errors.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return result[0]
