# SPDX-License-Identifier: Apache-2.0
"""Network interfaces as the kernel has them, asked by ioctl (netdevice(7)), in this process's namespace."""

import array
import contextlib
import fcntl
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

_SIOCGIFFLAGS, _SIOCGIFMTU, _SIOCGIFINDEX, _SIOCETHTOOL = 0x8913, 0x8921, 0x8933, 0x8946
_ETHTOOL_GSET, _ETHTOOL_GDRVINFO = 1, 3
_IFF_UP, _IFF_RUNNING = 0x1, 0x40
_KNOWN = 4096  # interfaces that are remembered, at most
_DUPLEX = {0: "half", 1: "full"}
_ODDITIES = {  # what Open vSwitch calls it → what the kernel does
    "collisions": "collisions",
    "rx_crc_err": "rx_crc_errors",
    "rx_frame_err": "rx_frame_errors",
    "rx_missed_errors": "rx_missed_errors",
    "rx_multicast_packets": "multicast",
    "rx_over_err": "rx_over_errors",
}
KERNEL = ("tap", "internal", "af_packet", "af_xdp")  # types of ports with an interface of the kernel's
NO_ODDITIES = dict.fromkeys(_ODDITIES, 0)


class HasInterface(Protocol):
    """A port, as it is wanted or as it is."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def options(self) -> Mapping[str, str]: ...


def interface_of(port: HasInterface) -> str | None:
    """The kernel's interface of a port; None if it has none, or has it in another namespace."""
    if port.type not in KERNEL or port.options.get("netns"):
        return None
    return port.options.get("iface", port.name)


@dataclass(frozen=True)
class Netdev:
    """An interface. up: as an administrator has it. running: there is a carrier. speed: Mbit/s; 0: unknown.
    duplex: "full", "half" or "".
    """

    index: int
    up: bool
    running: bool
    speed: int = 0
    duplex: str = ""
    driver: str = ""
    version: str = ""
    firmware: str = ""


class Netdevs:
    """Looks at interfaces again and again; what drivers say is asked when an interface is new or has changed
    its state.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._known: dict[str, tuple[int, Netdev]] = {}  # with its flags

    def look(self, name: str) -> Netdev | None:
        """The interface; None if there is none of that name."""
        try:
            flags = self._ask(_SIOCGIFFLAGS, name, "H")
            index = self._ask(_SIOCGIFINDEX, name, "i")
        except OSError:
            self._known.pop(name, None)
            return None
        known_flags, known = self._known.get(name, (-1, None))
        if known is None or (known_flags, known.index) != (flags, index):
            if len(self._known) >= _KNOWN:
                self._known.clear()  # of names that nobody asks for any more
            known = self._describe(name, index, flags)
            self._known[name] = flags, known
        return known

    def mtu(self, name: str) -> int | None:
        """The interface's MTU; None if there is none of that name."""
        try:
            return self._ask(_SIOCGIFMTU, name, "i")
        except OSError:
            return None

    def close(self) -> None:
        self._socket.close()

    def _ask(self, what: int, name: str, kind: str) -> int:
        request = struct.pack("16s24x", name.encode()[:15])
        answer: int = struct.unpack_from(kind, fcntl.ioctl(self._socket, what, request), 16)[0]
        return answer

    def _describe(self, name: str, index: int, flags: int) -> Netdev:
        speed, duplex = 0, ""
        with contextlib.suppress(OSError):
            low, kind, high = struct.unpack_from("=12xHB13xH", self._ethtool(name, _ETHTOOL_GSET, 44))
            speed, duplex = high << 16 | low, _DUPLEX.get(kind, "")
        texts = ["", "", ""]
        with contextlib.suppress(OSError):
            fields = struct.unpack_from("4x32s32s32s", self._ethtool(name, _ETHTOOL_GDRVINFO, 196))
            texts = [text.split(b"\0")[0].decode(errors="replace") for text in fields]
        return Netdev(
            index,
            bool(flags & _IFF_UP),
            bool(flags & _IFF_RUNNING),
            0 if speed == 0xFFFFFFFF else speed,
            duplex,
            *texts,
        )

    def _ethtool(self, name: str, command: int, size: int) -> bytes:
        answer = array.array("B", struct.pack("=I", command).ljust(size, b"\0"))
        address, _ = answer.buffer_info()
        fcntl.ioctl(self._socket, _SIOCETHTOOL, struct.pack("16sP16x", name.encode()[:15], address))
        return answer.tobytes()


def oddities(name: str) -> dict[str, int]:
    """The counters of an interface that the switch does not keep itself, under Open vSwitch's names; none of
    an interface that is not there.
    """
    folder = Path("/sys/class/net", name, "statistics")
    try:
        return {ours: int((folder / theirs).read_text("ascii")) for ours, theirs in _ODDITIES.items()}
    except OSError:
        return {}
