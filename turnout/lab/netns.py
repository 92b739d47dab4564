# SPDX-License-Identifier: Apache-2.0
"""Network namespaces: cheap hosts with the kernel's own network stack, to stand behind a switch's ports."""

import atexit
import contextlib
import ctypes
import itertools
import json
import os
import re
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from turnout.lab.console import LabError, run

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_serial = itertools.count()
_alive: set["Namespace"] = set()


class Namespace:
    """A network namespace with a name of its own, deleted with all its interfaces at the end.

    >>> with Namespace() as ns:
    ...     ns.take("tap0", "10.0.0.1/24")
    ...     ns.ping("10.0.0.2")
    """

    def __init__(self, label: str = "") -> None:
        """`label` only makes the name readable. LabError if not root."""
        _sweep()
        self.name = f"turnout-{os.getpid()}-{next(_serial)}{label and '-' + label}"
        run("ip", "netns", "add", self.name)
        _alive.add(self)
        # No IPv6: the chatter of an interface that comes up would disturb counters.
        self.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
        self.ip("link", "set", "lo", "up")

    def run(self, *argv: str, timeout: float = 30) -> str:
        """Run a command inside to its end; its standard output. LabError if it fails or is late."""
        return run(*self._inside(argv), timeout=timeout)

    def popen(self, *argv: str) -> subprocess.Popen[str]:
        """Start a command inside; it dies with this process. The caller waits for it or kills it."""
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *self._inside(argv)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """This thread is inside meanwhile, with the sockets, threads and processes it makes; /sys is not.

        OSError if it cannot go in.
        """
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            inside = os.open(f"/run/netns/{self.name}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                _enter(inside)
            finally:
                os.close(inside)
            try:
                yield
            finally:
                _enter(before)
        finally:
            os.close(before)

    def ip(self, *args: str) -> str:
        """`ip ARGS` inside."""
        return run("ip", "-n", self.name, *args)

    def take(self, interface: str, *addresses: str, mtu: int = 0) -> None:
        """Move an interface of our own namespace in, give it addresses ("10.0.0.1/24") and bring it up."""
        run("ip", "link", "set", interface, "netns", self.name)
        self.up(interface, *addresses, mtu=mtu)

    def up(self, interface: str, *addresses: str, mtu: int = 0) -> None:
        """Bring up an interface that is inside already."""
        if mtu:
            self.ip("link", "set", interface, "mtu", str(mtu))
        for address in addresses:
            self.ip("addr", "add", address, "dev", interface)
        self.ip("link", "set", interface, "up")

    def mac(self, interface: str) -> str:
        return _match(r"link/ether ([0-9a-f:]{17})", self.ip("link", "show", interface))

    def counter(self, interface: str, name: str) -> int:
        """One of the kernel's interface counters, e.g. "rx_packets"."""
        return int(self.run("cat", f"/sys/class/net/{interface}/statistics/{name}"))

    def ping(
        self,
        address: str,
        *,
        count: int = 3,
        size: int = 56,
        interval: float = 0.02,
        wait: float = 2,
        options: Sequence[str] = (),
    ) -> float:
        """Median round trip in µs of `count` echoes of `size` bytes. LabError if one got lost."""
        text = self.run(
            *("ping", "-n", "-c", str(count), "-s", str(size), "-i", str(interval), "-W", str(wait)),
            *options,
            address,
            timeout=count * (interval + wait) + 10,
        )
        times = [float(ms) * 1000 for ms in re.findall(r"time=([\d.]+) ms", text)]
        if len(times) < count:
            raise LabError(f"ping {address} from {self.name}: {len(times)} of {count} answered")
        return statistics.median(times)

    def reaches(self, address: str, *, wait: float = 1) -> bool:
        """Whether one of two echoes is answered within `wait` seconds."""
        try:
            self.ping(address, count=1, wait=wait)
        except LabError:
            return False
        return True

    def close(self) -> None:
        """Kill what still runs inside and delete the namespace; does nothing the second time."""
        if self not in _alive:
            return
        _alive.discard(self)
        _delete(self.name)

    def _inside(self, argv: Sequence[str]) -> list[str]:
        return ["ip", "netns", "exec", self.name, *argv]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class VethPair:
    """A virtual cable. Both ends start in our own namespace; `outer` is the switch's end."""

    def __init__(self, mtu: int = 1500) -> None:
        number = next(_serial)
        # Interface names hold 15 characters.
        self.outer, self.inner = f"to{os.getpid()}o{number}", f"to{os.getpid()}i{number}"
        run("ip", "link", "add", self.outer, "mtu", str(mtu), "type", "veth",
            "peer", "name", self.inner, "mtu", str(mtu))  # fmt: skip
        run("ip", "link", "set", self.outer, "up")

    def close(self) -> None:
        if Path(f"/sys/class/net/{self.outer}").exists():
            run("ip", "link", "delete", self.outer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def iperf3(
    server: Namespace, client: Namespace, address: str, *, seconds: float = 2, streams: int = 1
) -> list[float]:
    """TCP from `client` to `address` in `server`: what each stream's receiver got, in Mbit/s."""
    listener = server.popen("iperf3", "--server", "--one-off", "--bind", address)
    try:
        _wait_listening(server, 5201)
        options = ("--json", "--time", f"{seconds:g}", "--parallel", str(streams))
        report = json.loads(client.run("iperf3", "--client", address, *options, timeout=seconds + 20))
    finally:
        listener.kill()
        listener.communicate(timeout=5)
    return [stream["receiver"]["bits_per_second"] / 1e6 for stream in report["end"]["streams"]]


def _wait_listening(namespace: Namespace, port: int, timeout: float = 5) -> None:
    deadline = time.monotonic() + timeout
    while f":{port} " not in namespace.run("ss", "-Hltn"):
        if time.monotonic() > deadline:
            raise LabError(f"nothing listens on TCP port {port} in {namespace.name} after {timeout:g} s")
        time.sleep(0.02)


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), f"setns: {os.strerror(ctypes.get_errno())}")


def _match(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise LabError(f"no {pattern!r} in: {text.strip()}")
    return found[1]


def _delete(name: str) -> None:
    for pid in run("ip", "netns", "pids", name).split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    run("ip", "netns", "delete", name)


def _sweep() -> None:
    """Delete what lab processes that were killed outright left behind."""
    for line in run("ip", "netns", "list").splitlines():
        owner = re.match(r"turnout-(\d+)-\S+", line)
        if owner and not Path(f"/proc/{owner[1]}").exists():
            with contextlib.suppress(LabError):  # another process may sweep, too
                _delete(owner[0])


@atexit.register
def _close_all() -> None:
    for namespace in list(_alive):
        namespace.close()
