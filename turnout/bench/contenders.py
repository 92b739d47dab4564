# SPDX-License-Identifier: Apache-2.0
"""The switches under test behind one interface: started with the same ports, read the same way."""

import contextlib
import os
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, Self

from turnout.bench import openflow
from turnout.bench.scenarios import MAC_TABLE_SIZE, ContenderName
from turnout.lab.console import LabError
from turnout.lab.daemon import Daemon
from turnout.lab.ovs import OvsDpdk
from turnout.lab.testpmd import Testpmd

WORKER_CORE: Final = 1
"""The core of the contender's one worker. Its control threads, guests and generators share `CONTROL_CORE`."""
CONTROL_CORE: Final = 0

_FLOW_LIMIT: Final = 2_000_000
_MAX_IDLE_MS: Final = 600_000


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

    @property
    def management(self) -> Path:
        """The bridge's OpenFlow management socket."""

    def read(self) -> Reading: ...
    def crash(self) -> None:
        """SIGKILL the switch."""

    def restart(self) -> None:
        """Start it again after `crash`, with the state it keeps; returns when the process is up."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...


class _Switch(ABC):
    """What the two switches have in common: a file of `flows` goes in before the first packet."""

    def __init__(self, ports: Sequence[Port], flows: Path | None) -> None:
        self._ports, self._flows = ports, flows

    @property
    @abstractmethod
    def management(self) -> Path: ...

    @abstractmethod
    def _add_bridge(self) -> None: ...

    @abstractmethod
    def _add_port(self, port: Port, number: int) -> None: ...

    def _configure(self) -> None:
        self._add_bridge()
        source, *others = enumerate(self._ports, start=1)
        for number, port in others:
            self._add_port(port, number)
        if self._flows is not None:
            openflow.load(self.management, self._flows)
        self._add_port(source[1], source[0])  # packets come as soon as their source is there


class TurnoutContender(_Switch):
    """`turnout serve` with its defaults, and room for every MAC address."""

    def __init__(
        self, ports: Sequence[Port], mbufs: int, flows: Path | None, cores: Sequence[int] = (WORKER_CORE,)
    ) -> None:
        super().__init__(ports, flows)
        self._daemon = Daemon(cores=cores, mbufs=mbufs)
        self._cores = set(cores)

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

    @property
    def management(self) -> Path:
        return self._daemon.rundir / "br0.mgmt"

    def _add_bridge(self) -> None:
        self._daemon.add_bridge("br0", f"other_config:mac-table-size={MAC_TABLE_SIZE}")

    def _add_port(self, port: Port, number: int) -> None:
        if port.socket is not None:
            columns = ["type=vhost-user-client", f"options:path={port.socket}"]
        elif port.tap:
            columns = ["type=tap"]
        else:
            columns = ["type=dpdk", f"options:dpdk-devargs={port.devargs}"]
        self._daemon.add_port("br0", port.name, *columns, f"ofport_request={number}")

    def _configure(self) -> None:
        super()._configure()
        # As Open vSwitch's are: control threads keep off the worker's core.
        for thread in map(int, os.listdir(f"/proc/{self.pid}/task")):
            with contextlib.suppress(ProcessLookupError):  # a thread may end meanwhile
                if os.sched_getaffinity(thread) not in ({core} for core in self._cores):
                    os.sched_setaffinity(thread, {CONTROL_CORE})

    def __exit__(self, *_: object) -> None:
        self._stack.close()


class OvsContender(_Switch):
    """Debian's OVS-DPDK: room and time for every MAC address and flow, otherwise its defaults."""

    def __init__(self, ports: Sequence[Port], mbufs: int, flows: Path | None) -> None:
        del mbufs  # 262,144 whatever one asks for
        super().__init__(ports, flows)
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

    @property
    def management(self) -> Path:
        return self._ovs.rundir / "br0.mgmt"

    def _add_bridge(self) -> None:
        self._ovs.vsctl("set", "Open_vSwitch", ".", f"other_config:flow-limit={_FLOW_LIMIT}")
        self._ovs.add_bridge("br0")
        self._ovs.vsctl("set", "bridge", "br0", f"other_config:mac-table-size={MAC_TABLE_SIZE}")
        # The bridge's own kernel interface, a system call per flooded packet, has no counterpart elsewhere.
        # (No-flood is a notion of OpenFlow 1.0 only.)
        self._ovs.ofctl("-O", "OpenFlow10", "mod-port", "br0", "br0", "no-flood")
        if self._flows is not None:
            # It forgets what it has not seen for 10 s: a pass over all flows takes longer while each has yet
            # to be learnt, so that it would never settle.
            self._ovs.vsctl("set", "Open_vSwitch", ".", f"other_config:max-idle={_MAX_IDLE_MS}")
        # The limit in force starts at 10,000 and grows by some 2,000 a second: start where it would end.
        self._ovs.appctl("upcall/set-flow-limit", str(_FLOW_LIMIT))

    def _add_port(self, port: Port, number: int) -> None:
        if port.socket is not None:
            path = f'"{port.socket}"'
            self._ovs.add_port("br0", port.name, "dpdkvhostuserclient", number, vhost_server_path=path)
        elif port.tap:  # its own kind: DPDK's wants a tx queue for each rx queue, which it doesn't get here
            self._ovs.add_port("br0", port.name, "tap", number)
        else:
            self._ovs.add_port("br0", port.name, "dpdk", number, dpdk_devargs=f'"{port.devargs}"')

    def __exit__(self, *_: object) -> None:
        self._stack.close()


class TestpmdContender:
    """`dpdk-testpmd` in io mode: whatever enters one port leaves the other, unread. The limit."""

    __test__ = False  # not a test class, whatever its name says to pytest

    def __init__(self, ports: Sequence[Port], mbufs: int, flows: Path | None) -> None:
        del flows  # it has no tables
        self._ports, self._mbufs = ports, mbufs
        self._testpmd: Testpmd | None = None

    @property
    def pid(self) -> int:
        return self._running.pid

    @property
    def management(self) -> Path:
        raise LabError("testpmd speaks no OpenFlow")

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


def start(name: ContenderName, ports: Sequence[Port], mbufs: int, flows: Path | None = None) -> Contender:
    """The contender of that name, not yet entered; its ports have OpenFlow numbers 1, 2, ….

    Its pool holds `mbufs` where that can be chosen. `flows` is a file for `ovs-ofctl add-flows`; without one
    the contender is a learning switch.
    """
    kinds: dict[ContenderName, Callable[[Sequence[Port], int, Path | None], Contender]] = {
        "turnout": TurnoutContender,
        "ovs": OvsContender,
        "testpmd": TestpmdContender,
    }
    return kinds[name](ports, mbufs, flows)


def _number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    return int(found[1]) if found else 0
