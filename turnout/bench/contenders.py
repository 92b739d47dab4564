# SPDX-License-Identifier: Apache-2.0
"""The switches under test behind one interface: started with the same ports, read the same way."""

import contextlib
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, Self

from turnout.bench.scenarios import MAC_TABLE_SIZE, ContenderName
from turnout.lab.daemon import Daemon
from turnout.lab.ovs import OvsDpdk
from turnout.lab.testpmd import Testpmd

WORKER_CORE: Final = 1
"""The core of the contender's one worker. Its control threads, guests and generators share `CONTROL_CORE`."""
CONTROL_CORE: Final = 0

_FLOW_LIMIT: Final = 2_000_000


@dataclass(frozen=True)
class Port:
    """A port of the switch: a DPDK device, a vhost-user socket that the guest owns, or a TAP."""

    name: str  # of the TAP, too
    devargs: str = ""  # of the DPDK device
    socket: Path | None = None
    tap: bool = False


@dataclass(frozen=True)
class Reading:
    """A contender's counters at one moment; only differences between two readings mean something."""

    at: float  # s, monotonic clock
    delivered: int  # packets sent out of all ports
    received: int  # packets that the worker polled
    busy_cycles: int | None  # TSC cycles in polls that found packets; None: unknown

    def mpps_since(self, earlier: "Reading") -> float:
        return (self.delivered - earlier.delivered) / (self.at - earlier.at) / 1e6

    def cycles_per_packet_since(self, earlier: "Reading") -> float | None:
        packets = self.received - earlier.received
        if self.busy_cycles is None or earlier.busy_cycles is None or packets <= 0:
            return None
        return (self.busy_cycles - earlier.busy_cycles) / packets


class Contender(Protocol):
    """A context manager: a running switch whose ports all sit in one bridge."""

    @property
    def pid(self) -> int:
        """The process whose worker forwards."""

    def read(self) -> Reading: ...
    def crash(self) -> None:
        """SIGKILL the switch."""

    def restart(self) -> None:
        """Start it again after `crash`, with the state it keeps; returns when the process is up."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...


class TurnoutContender:
    """`turnout serve` with its defaults, and room for every MAC address."""

    def __init__(self, ports: Sequence[Port], mbufs: int) -> None:
        self._ports = ports
        self._daemon = Daemon(cores=[WORKER_CORE], mbufs=mbufs)

    @property
    def pid(self) -> int:
        return self._daemon.pid

    def read(self) -> Reading:
        before = time.monotonic()
        stats = [self._daemon.stats(port.name) for port in self._ports]
        at = (before + time.monotonic()) / 2
        worker = self._daemon.workers()[0]
        return Reading(
            at=at,
            delivered=sum(port.tx_packets for port in stats),
            received=worker.packets,
            busy_cycles=worker.busy_cycles,
        )

    def crash(self) -> None:
        self._daemon.kill()

    def restart(self) -> None:
        self._daemon.start()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._daemon)
            self._configure()
            self._stack = stack.pop_all()
        return self

    def _configure(self) -> None:
        self._daemon.add_bridge("br0", f"other_config:mac-table-size={MAC_TABLE_SIZE}")
        for port in self._ports:
            if port.socket is not None:
                columns = ["type=vhost-user-client", f"options:path={port.socket}"]
            elif port.tap:
                columns = ["type=tap"]
            else:
                columns = ["type=dpdk", f"options:dpdk-devargs={port.devargs}"]
            self._daemon.add_port("br0", port.name, *columns)
        # As Open vSwitch's are: control threads keep off the worker's core.
        for thread in map(int, os.listdir(f"/proc/{self.pid}/task")):
            with contextlib.suppress(ProcessLookupError):  # a thread may end meanwhile
                if os.sched_getaffinity(thread) != {WORKER_CORE}:
                    os.sched_setaffinity(thread, {CONTROL_CORE})

    def __exit__(self, *_: object) -> None:
        self._stack.close()


class OvsContender:
    """Debian's OVS-DPDK: `actions=NORMAL`, room for every MAC address and flow, otherwise its defaults."""

    def __init__(self, ports: Sequence[Port], mbufs: int) -> None:
        del mbufs  # 262,144 whatever one asks for
        self._ports = ports
        self._ovs = OvsDpdk(worker_core=WORKER_CORE, control_core=CONTROL_CORE)

    @property
    def pid(self) -> int:
        return self._ovs.pid

    def read(self) -> Reading:
        before = time.monotonic()
        ports = self._ovs.appctl("dpctl/show", "-s")
        at = (before + time.monotonic()) / 2
        worker = self._ovs.appctl("dpif-netdev/pmd-stats-show").split("main thread")[0]
        names = {port.name for port in self._ports}
        sent = re.findall(r"port \d+: (\S+)(?:(?!port \d).)*?TX packets:(\d+)", ports, re.DOTALL)
        return Reading(
            at=at,
            delivered=sum(int(packets) for name, packets in sent if name in names),
            received=_number(r"packets received: (\d+)", worker),
            busy_cycles=_number(r"processing cycles: (\d+)", worker),
        )

    def crash(self) -> None:
        self._ovs.kill_switch()

    def restart(self) -> None:
        self._ovs.start_switch()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._ovs)
            self._configure()
            self._stack = stack.pop_all()
        return self

    def _configure(self) -> None:
        self._ovs.vsctl("set", "Open_vSwitch", ".", f"other_config:flow-limit={_FLOW_LIMIT}")
        self._ovs.add_bridge("br0")
        self._ovs.vsctl("set", "bridge", "br0", f"other_config:mac-table-size={MAC_TABLE_SIZE}")
        # The bridge's own kernel interface, a system call per flooded packet, has no counterpart elsewhere.
        # (No-flood is a notion of OpenFlow 1.0 only.)
        self._ovs.ofctl("-O", "OpenFlow10", "mod-port", "br0", "br0", "no-flood")
        for port in self._ports:
            if port.socket is not None:
                path = f'"{port.socket}"'
                self._ovs.add_port("br0", port.name, "dpdkvhostuserclient", vhost_server_path=path)
                continue
            if port.tap:  # its own kind: DPDK's wants a tx queue for each rx queue, which it doesn't get here
                self._ovs.add_port("br0", port.name, "tap")
            else:
                self._ovs.add_port("br0", port.name, "dpdk", dpdk_devargs=f'"{port.devargs}"')
        # The limit in force starts at 10,000 and grows by some 2,000 a second: start where it would end.
        self._ovs.appctl("upcall/set-flow-limit", str(_FLOW_LIMIT))

    def __exit__(self, *_: object) -> None:
        self._stack.close()


class TestpmdContender:
    """`dpdk-testpmd` in io mode: whatever enters one port leaves the other, unread. The limit."""

    __test__ = False  # not a test class, whatever its name says to pytest

    def __init__(self, ports: Sequence[Port], mbufs: int) -> None:
        self._ports, self._mbufs = ports, mbufs
        self._testpmd: Testpmd | None = None

    @property
    def pid(self) -> int:
        return self._running.pid

    def read(self) -> Reading:
        before = time.monotonic()
        stats = [self._running.port_stats(number) for number in range(len(self._ports))]
        return Reading(
            at=(before + time.monotonic()) / 2,
            delivered=sum(port.tx_packets for port in stats),
            received=sum(port.rx_packets for port in stats),
            busy_cycles=None,
        )

    def crash(self) -> None:
        self._running.kill()

    def restart(self) -> None:
        self._start()

    def __enter__(self) -> Self:
        self._start()
        return self

    def _start(self) -> None:
        vdevs = [
            port.devargs if port.socket is None else f"net_vhost{number},iface={port.socket},client=1"
            for number, port in enumerate(self._ports)
        ]
        self._testpmd = Testpmd(
            vdevs, core=WORKER_CORE, control_core=CONTROL_CORE, mbufs=self._mbufs, timeout=60
        )
        self._testpmd.start()

    def __exit__(self, *_: object) -> None:
        if self._testpmd is not None:
            self._testpmd.close()

    @property
    def _running(self) -> Testpmd:
        assert self._testpmd is not None
        return self._testpmd


def start(name: ContenderName, ports: Sequence[Port], mbufs: int) -> Contender:
    """The contender of that name, not yet entered; its pool holds `mbufs` where that can be chosen."""
    kinds: dict[ContenderName, Callable[[Sequence[Port], int], Contender]] = {
        "turnout": TurnoutContender,
        "ovs": OvsContender,
        "testpmd": TestpmdContender,
    }
    return kinds[name](ports, mbufs)


def _number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    return int(found[1]) if found else 0
