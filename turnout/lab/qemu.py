# SPDX-License-Identifier: Apache-2.0
"""Emulated guests: a Linux in QEMU (TCG, so that no KVM is needed), driven over its serial console."""

import itertools
import json
import socket
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from turnout.lab import guest_image
from turnout.lab.console import Console, LabError

_QEMU = "qemu-system-x86_64"
_serial = itertools.count(1)


@dataclass(frozen=True)
class VhostUser:
    """A virtio NIC on a vhost-user socket. `server`: QEMU owns the socket and the switch connects to it."""

    path: str | Path
    server: bool = False
    queues: int = 1
    mac: str = ""
    options: str = ""  # further device properties, e.g. "host_tso4=off"

    def arguments(self, index: int) -> list[str]:
        # reconnect: a restarted switch finds its guest again within a second.
        side = "server=on,wait=off" if self.server else "reconnect=1"
        # vectors=0: INTx. QEMU 7.2.22 (Debian's) without KVM crashes in vhost_net_start when MSI-X is on.
        properties = "vectors=0" + (",mq=on" if self.queues > 1 else "")
        return [
            *("-chardev", f"socket,id=c{index},path={self.path},{side}"),
            *("-netdev", f"vhost-user,id=n{index},chardev=c{index},queues={self.queues}"),
            *("-device", _device("virtio-net-pci", index, self.mac, properties, self.options)),
        ]


@dataclass(frozen=True)
class Tap:
    """A NIC of any emulated `model` (virtio-net-pci, e1000, e1000e …) on an existing, free kernel TAP."""

    ifname: str
    model: str = "virtio-net-pci"
    mac: str = ""
    options: str = ""

    def arguments(self, index: int) -> list[str]:
        # No vnet_hdr: what listens at the TAP's other end sees plain frames with finished checksums.
        return [
            *(
                "-netdev",
                f"tap,id=n{index},ifname={self.ifname},script=no,downscript=no,vhost=off,vnet_hdr=off",
            ),
            *("-device", _device(self.model, index, self.mac, "", self.options)),
        ]


class Guest:
    """One QEMU guest; a context manager that boots it and ends it.

    >>> with Guest([VhostUser("/tmp/a.sock")]) as guest:
    ...     guest.run("ip addr add 10.0.0.1/24 dev eth0; ip link set eth0 up")
    """

    def __init__(
        self,
        nics: Sequence[VhostUser | Tap],
        *,
        memory: int = 256,
        cpus: int = 1,
        timeout: float = 90,
        wait: bool = True,
    ) -> None:
        """Boot with `nics` (eth0 …; virtio first) and `memory` MB; `wait` until ready, or call `booted`."""
        image = guest_image.build()
        self._folder = tempfile.TemporaryDirectory(prefix="turnout-qemu-")
        self._qmp_path = f"{self._folder.name}/qmp.sock"
        argv = [
            *(_QEMU, "-accel", "tcg,thread=multi", "-M", "q35,memory-backend=mem"),
            *("-object", f"memory-backend-memfd,id=mem,size={memory}M,share=on"),
            *("-smp", str(cpus), "-m", str(memory)),
            *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio"),
            *("-qmp", f"unix:{self._qmp_path},server=on,wait=off"),
            *("-kernel", str(image.kernel), "-initrd", str(image.initramfs)),
            *("-append", "console=ttyS0 quiet mitigations=off net.ifnames=0"),
            *itertools.chain.from_iterable(nic.arguments(index) for index, nic in enumerate(nics)),
        ]
        self._console = Console("QEMU guest", argv)
        self._deadline = time.monotonic() + timeout
        if wait:
            try:
                self.booted()
            except BaseException:
                self.close()
                raise

    @property
    def pid(self) -> int:
        return self._console.pid

    @property
    def alive(self) -> bool:
        return self._console.alive

    def booted(self) -> None:
        """Wait until the shell answers, at most until the boot's deadline. LabError after that."""
        self._console.expect("^guest-is-ready$", max(0.0, self._deadline - time.monotonic()))

    def run(self, command: str, timeout: float = 30) -> str:
        """Run a shell command (one line) in the guest; its output. LabError if its exit status isn't 0."""
        output, status = self.try_run(command, timeout)
        if status:
            raise LabError(f"guest: {command!r}: exit {status}: {output.strip()}")
        return output

    def try_run(self, command: str, timeout: float = 30) -> tuple[str, int]:
        """Run a shell command in the guest; (output, exit status)."""
        mark = f"done-{next(_serial)}"
        self._console.send(f"{{ {command}; }} </dev/null; echo {mark} $?\n")
        output = self._console.read_until(f"{mark} ", timeout)
        return output, int(self._console.expect(r"(\d+)\n", timeout)[1])

    def address(self, interface: str, address: str, mtu: int = 0) -> None:
        """Give an interface an address ("10.0.0.1/24") and bring it up, without IPv6's chatter."""
        self.run(f"echo 1 > /proc/sys/net/ipv6/conf/{interface}/disable_ipv6")
        self.run(f"ip addr add {address} dev {interface}")
        self.run(f"ip link set {interface} up {f'mtu {mtu}' if mtu else ''}")

    def ping(self, address: str, count: int = 3, options: str = "") -> None:
        """LabError unless all of `count` echoes are answered; the very first may be slow (emulation)."""
        self.run(f"/tools/ping -n -c {count} -i 0.2 -W 5 {options} {address}", timeout=10 + 6 * count)

    def qmp(self, command: str, **arguments: Any) -> Any:
        """One QMP command on a fresh connection, e.g. `migrate`; its return value. LabError if refused."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(self._qmp_path)
            with connection.makefile("rw", encoding="utf-8") as stream:
                stream.readline()  # greeting
                for request in (
                    {"execute": "qmp_capabilities"},
                    {"execute": command, "arguments": arguments},
                ):
                    stream.write(json.dumps(request) + "\n")
                    stream.flush()
                    reply: dict[str, Any] = json.loads(stream.readline())
                    while "event" in reply:
                        reply = json.loads(stream.readline())
                    if "error" in reply:
                        raise LabError(f"QMP {request['execute']}: {reply['error']['desc']}")
        return reply["return"]

    def kill(self) -> None:
        """SIGKILL: a host's out-of-memory killer, or a crash."""
        self._console.kill()

    def close(self) -> None:
        self._console.close()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _device(model: str, index: int, mac: str, *options: str) -> str:
    parts = [model, f"netdev=n{index}", f"mac={mac or f'52:54:00:00:{next(_serial) % 256:02x}:{index:02x}'}"]
    if model.startswith("virtio"):
        parts.append("romfile=")
    return ",".join(parts + [option.strip(",") for option in options if option])
