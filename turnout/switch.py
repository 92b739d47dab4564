# SPDX-License-Identifier: Apache-2.0
"""The library: a switch inside this process.

Packets never enter Python. What does: ports, bridges and a tick each second, under one lock.
"""

import atexit
import contextlib
import logging
import os
import threading
import time
from collections.abc import Container, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self, Unpack

from turnout import __version__, _engine
from turnout.config import columns, edit
from turnout.config.model import Bridge, Config, Port
from turnout.config.settings import BridgeSettings, PortSettings, Settings
from turnout.config.state import PortMemory
from turnout.config.tree import bridge_from_tree, from_tree, non_defaults, port_from_tree
from turnout.control import eal, paths
from turnout.control.loop import Loop
from turnout.control.meter import HISTORY, Meter, PortRate, WorkerRate
from turnout.control.openflow.agent import datapath_id
from turnout.control.openflow.manager import OpenFlow
from turnout.control.ports import Place
from turnout.control.reconcile import NO_DEVICE, Attached, Reconciler
from turnout.errors import ConfigError, TurnoutError
from turnout.openflow.handle import BridgeHandle, look
from turnout.results import (
    BridgeView,
    ControllerView,
    DropCount,
    FdbEntry,
    FdbTotals,
    PortStats,
    PortView,
    QueueStats,
    SwitchView,
    WorkerStats,
)

log = logging.getLogger(__name__)

_RETRY = 5.0  # s between tries of ports that could not be attached
_open = threading.Lock()  # held by the Switch that is open in this process


@contextlib.contextmanager
def _one_line() -> Iterator[None]:
    """The engine's errors as ours."""
    try:
        yield
    except _engine.EngineError as error:
        raise TurnoutError(str(error)) from None


def _tree(settings: Mapping[str, object], old: Mapping[str, object] | None = None) -> dict[str, object]:
    """Keyword settings as a tree, over an old one; None takes a setting back to its default."""
    merged = {**(old or {}), **{key.replace("_", "-"): value for key, value in settings.items()}}
    return {key: value for key, value in merged.items() if value is not None}


class Switch:
    """A running switch; a context manager.

    ```python
    with turnout.Switch(cores=[1]) as sw:
        sw.add_bridge("br0")
        sw.add_port("br0", "vm1", type="vhost-user", options={"path": "/run/vm1.sock"}, tag=10)
    ```

    config: the desired state to begin with; or its switch-wide settings as keywords, without bridges.
    run_dir: where ports without a path make their sockets, and OpenFlow's management sockets are; created if
        missing.
    tolerant: a port of `config` that cannot be attached is kept with its error and tried again, as the daemon
        does; otherwise it raises.
    loop: what serves OpenFlow's sockets; its owner polls it and calls `tick` each second. None: a daemon
        thread does both.
    housekeeping: False: no such thread.
    flows_dir: where flow tables are kept that are to survive a restart (a bridge's `restore_flows`).
    memory: OpenFlow port numbers and configs from before a restart.

    Every change either happens whole or raises TurnoutError, one line, and leaves the switch as it was.
    Methods may be called from any thread. One Switch is open in a process at a time.
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        run_dir: Path | None = None,
        tolerant: bool = False,
        housekeeping: bool = True,
        loop: Loop | None = None,
        flows_dir: Path | None = None,
        memory: Mapping[str, PortMemory] | None = None,
        **settings: Unpack[Settings],
    ) -> None:
        if config is not None and settings:
            raise ConfigError("", "give Switch a config or settings, not both")
        wanted = config or from_tree(_tree(settings))
        cores = _cores(wanted)
        folder = run_dir or paths.run_dir()
        if not _open.acquire(blocking=False):
            raise TurnoutError("switch: another Switch is open in this process; close it first")
        try:
            with contextlib.suppress(OSError):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _one_line():
                self._memory = eal.start(wanted)
                self._datapath = _engine.Datapath(
                    cores=list(cores), mbufs=wanted.mbufs, mtu=wanted.mtu, spin_us=wanted.spin_us
                )
        except BaseException:
            _open.release()
            raise
        self._lock = threading.RLock()
        self._closed = False
        self._stopping = threading.Event()
        self._cores = cores
        self._config = replace(wanted, bridges=())
        self._reconciler = Reconciler(
            self._datapath, cores, Place(number=0, run_dir=folder, workers=len(cores)), memory
        )
        self._loop = loop or Loop()
        self._own_loop = loop is None
        self._loop.guard = self._lock
        self._openflow: OpenFlow | None = None
        self._thread = threading.Thread(target=self._keep_house, name="turnout-loop", daemon=True)
        self._meter, self._balance = Meter(), Meter()
        self._next_retry = self._next_balance = 0.0
        atexit.register(self.close)
        try:
            self._openflow = OpenFlow(
                self._datapath,
                self._reconciler,
                self._loop,
                config=wanted,
                sockets=folder,
                flows_dir=flows_dir,
            )
            # bridges first: their flows are there before their ports forward anything
            self._change(replace(wanted, bridges=tuple(replace(b, ports=()) for b in wanted.bridges)))
            self._change(wanted, tolerant=tolerant)
        except BaseException:
            self.close()
            raise
        if housekeeping and self._own_loop:
            self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stops the workers, detaches all ports and frees the memory. Again: does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._stopping.set()
            atexit.unregister(self.close)
            try:
                with _one_line():
                    if self._openflow:
                        self._openflow.close()
                    self._openflow = None
                    self._datapath.close()
            finally:
                _open.release()
        if self._own_loop:
            self._loop.wake()
            if self._thread.is_alive():
                self._thread.join()
            self._loop.close()

    def keep_interfaces(self) -> None:
        """Has the kernel interfaces of internal ports, with their addresses and routes, outlive the switch;
        the next one that has such ports takes them over.
        """
        with self._lock:
            if not self._closed:
                self._reconciler.keep_interfaces()

    # --- the desired state

    @property
    def config(self) -> Config:
        """The desired state as it is now."""
        return self._config

    def apply(self, config: Config, *, tolerant: bool = False) -> None:
        """Makes the whole of `config` so, touching only what differs. Settings of the switch itself cannot
        change. tolerant: a port that cannot be attached is kept with its error and tried again.
        """
        with self._lock:
            self._change(edit.replace_bridges(self._config, config), tolerant=tolerant)

    def set_tls(self, *, private_key: str = "", certificate: str = "", ca_cert: str = "") -> None:
        """The PEM files for controllers over TLS from now on, all three or none. Each connection reads them;
        one that cannot use them says so in the log and tries on.
        """
        with self._lock:
            self._change(
                replace(self._config, private_key=private_key, certificate=certificate, ca_cert=ca_cert)
            )

    def check_port(self, port: Port, *, host: bool = False) -> str:
        """ConfigError if no such port can be; else what only one port can own ("socket /run/vm1.sock"), or
        "". host: nor if this host does not let a port be that is new, or claims something new.
        """
        return self._reconciler.check_port(port, host=host)

    def add_bridge(self, name: str, *column: str, **settings: Unpack[BridgeSettings]) -> None:
        """Adds a bridge without ports: `add_bridge("br0", mac_aging=60)`.

        Settings may also come as columns, as `ovs-vsctl` spells them: "other_config:mac-aging-time=60".
        """
        tree = columns.bridge_tree(name, _tree(settings), column)
        with self._lock:
            self._change(edit.add_bridge(self._config, bridge_from_tree(name, tree)))

    def set_bridge(self, name: str, *column: str, **settings: Unpack[BridgeSettings]) -> None:
        """Changes a bridge; None, or a column without value as in "mac_aging=", goes back to the default."""
        with self._lock:
            old = self._config.bridge(name)
            tree = columns.bridge_tree(name, _tree(settings, non_defaults(old)), column)
            new = replace(bridge_from_tree(name, tree), ports=old.ports)
            self._change(edit.set_bridge(self._config, new))

    def del_bridge(self, name: str) -> None:
        """Removes a bridge with its ports."""
        with self._lock:
            self._change(edit.del_bridge(self._config, name))

    def add_port(self, bridge: str, name: str, *column: str, **settings: Unpack[PortSettings]) -> None:
        """Adds a port: `add_port("br0", "vm1", type="vhost-user", options={"path": "/run/vm1"}, tag=10)`.

        Or with columns as `ovs-vsctl` spells them: "type=vhost-user", "options:path=/run/vm1", "tag=10".
        """
        tree = columns.port_tree(name, _tree(settings), column)
        with self._lock:
            self._change(edit.add_port(self._config, bridge, port_from_tree(name, tree)))

    def set_port(self, name: str, *column: str, **settings: Unpack[PortSettings]) -> None:
        """Changes a port: `set_port("vm1", tag=10)`; None, or a column as in "tag=", takes that back.

        VLANs and pins change in place; what concerns the device makes this port's device anew.
        """
        with self._lock:
            _, old = self._config.find_port(name)
            tree = columns.port_tree(name, _tree(settings, non_defaults(old)), column)
            self._change(edit.set_port(self._config, port_from_tree(name, tree)))

    def del_port(self, name: str) -> None:
        """Removes a port."""
        with self._lock:
            self._change(edit.del_port(self._config, name))

    def bridge(self, name: str) -> BridgeHandle:
        """A bridge's flows, and traces through it: `bridge("br0").flows.add("priority=0,actions=NORMAL")`."""
        with self._live():
            self._config.bridge(name)
        return BridgeHandle(
            name, lambda of: look(self._datapath, self._reconciler, of), lambda: self._changing(name)
        )

    # --- what is

    def show(self) -> SwitchView:
        """Bridges, ports and their devices."""
        with self._live():
            total, used = self._datapath.mbufs()
            return SwitchView(
                version=__version__,
                cores=self._cores,
                memory=self._memory,
                mbufs_total=total,
                mbufs_in_use=used,
                bridges=self.bridge_views(),
            )

    def bridge_views(self, names: Container[str] | None = None) -> tuple[BridgeView, ...]:
        """The bridges with these names, or all, with their ports."""
        with self._live():
            return tuple(
                self._bridge_view(bridge)
                for bridge in self._config.bridges
                if names is None or bridge.name in names
            )

    def stats(self) -> list[PortStats]:
        """Each port's counters and rates."""
        with self._live():
            drops: dict[int, int] = {}
            for drop in self._datapath.drops():
                drops[drop.port] = drops.get(drop.port, 0) + drop.packets
            counters = {c.port: c for c in self._datapath.port_counters()}
            result = []
            for name in (p.name for b in self._config.bridges for p in b.ports):
                port = self._reconciler.actual.ports[name]
                count, rate = counters.get(port.number), self._meter.ports.get(port.number, PortRate())
                result.append(
                    PortStats(
                        port=name,
                        bridge=port.bridge,
                        rx_packets=count.rx_packets if count else 0,
                        rx_bytes=count.rx_bytes if count else 0,
                        tx_packets=count.tx_packets if count else 0,
                        tx_bytes=count.tx_bytes if count else 0,
                        drops=drops.get(port.number, 0),
                        rx_pps=rate.rx_packets,
                        rx_bps=rate.rx_bytes * 8,
                        tx_pps=rate.tx_packets,
                        tx_bps=rate.tx_bytes * 8,
                    )
                )
            return result

    def drops(self) -> list[DropCount]:
        """Lost packets by port and reason, the reasons that happened."""
        with self._live():
            name = self._reconciler.name_of
            return [
                DropCount(port=name(d.port), reason=d.reason, packets=d.packets)
                for d in self._datapath.drops()
            ]

    def workers(self) -> list[WorkerStats]:
        """What each worker core does."""
        with self._live():
            name = self._reconciler.name_of
            queues = [
                (worker, f"{name(number)}:{queue}")
                for (number, queue), worker in sorted(self._reconciler.assignment.items())
            ]
            result = []
            for load in self._datapath.worker_loads():
                rate = self._meter.workers.get(load.worker, WorkerRate())
                result.append(
                    WorkerStats(
                        worker=load.worker,
                        core=load.core,
                        load=rate.load,
                        pps=rate.packets,
                        cycles_per_packet=rate.cycles_per_packet,
                        packets=load.packets,
                        busy_cycles=load.busy_cycles,
                        total_cycles=load.total_cycles,
                        sleeps=load.sleeps,
                        rxqs=tuple(text for worker, text in queues if worker == load.worker),
                    )
                )
            return result

    def queues(self, seconds: float = HISTORY) -> list[QueueStats]:
        """Each rx queue, who polls it, and its load over the last `seconds` (at most 60)."""
        with self._live():
            loads, pins = self._meter.usage(seconds).queues, self._reconciler.pins
            ports = {p.number: p for p in self._reconciler.actual.ports.values()}
            up = {n: self._datapath.device_info(p.device).link_up for n, p in ports.items() if p.rxqs}
            return [
                QueueStats(
                    port=ports[number].port.name,
                    queue=queue,
                    core=self._cores[worker],
                    pinned=(number, queue) in pins,
                    link_up=up[number],
                    load=loads.get((number, queue)),
                )
                for (number, queue), worker in sorted(self._reconciler.assignment.items())
            ]

    def loads(self, seconds: float = HISTORY) -> dict[int, float]:
        """How busy each core's worker was over the last `seconds` (at most 60), 0..1; empty before it
        is measured.
        """
        with self._live():
            return {self._cores[worker]: load for worker, load in self._meter.usage(seconds).workers.items()}

    def rebalance(self) -> None:
        """Moves rx queues between workers where that evens out what they had to do in the last minute."""
        with self._live():
            self._reconciler.loads = dict(self._meter.usage(HISTORY).queues)
            self._reconciler.rebalance(asked=True)

    def fdb(self, bridge: str | None = None) -> list[FdbEntry]:
        """MAC addresses of `bridge`, or of all: learned ones, and those of `fdb_add`."""
        with self._live():
            name = self._reconciler.name_of
            return [
                FdbEntry(
                    bridge=b,
                    port=name(e.port),
                    number=e.port,
                    vlan=e.vlan,
                    mac=e.mac,
                    age=e.age,
                    static=e.is_static,
                )
                for b, number in self._bridge_numbers(bridge)
                for e in self._datapath.fdb(number)
            ]

    def fdb_flush(self, bridge: str | None = None) -> int:
        """Forgets learned MAC addresses of `bridge`, or of all; returns how many."""
        with self._live():
            return sum(self._datapath.fdb_flush(number) for _, number in self._bridge_numbers(bridge))

    def fdb_add(self, bridge: str, port: str, vlan: int, mac: str) -> None:
        """Keeps a MAC address on a port until `fdb_del`, or the port or its device goes.

        vlan: 0 for untagged.
        """
        with self._live():
            self._config.bridge(bridge)
            home, _ = self._config.find_port(port)
            if home.name != bridge:
                raise ConfigError(f"port.{port}", f"is on bridge {home.name}, not {bridge}")
            ((_, number),) = self._bridge_numbers(bridge)
            self._datapath.fdb_add(number, self._reconciler.actual.ports[port].number, vlan, mac)

    def fdb_del(self, bridge: str, vlan: int, mac: str) -> bool:
        """Forgets an address of `fdb_add`; False if there is no such one."""
        with self._live():
            ((_, number),) = self._bridge_numbers(bridge)
            return self._datapath.fdb_del(number, vlan, mac)

    def fdb_totals(self, bridge: str) -> FdbTotals:
        """How many addresses the bridge's workers have learned, moved and lost."""
        with self._live():
            ((_, number),) = self._bridge_numbers(bridge)
            totals = self._datapath.fdb_totals(number)
            return FdbTotals(
                learned=totals.learned, expired=totals.expired, evicted=totals.evicted, moved=totals.moved
            )

    def fdb_stats_clear(self, bridge: str | None = None) -> None:
        """Has the totals of `bridge`, or of all, begin at 0."""
        with self._live():
            for _, number in self._bridge_numbers(bridge):
                self._datapath.clear_fdb_totals(number)

    # --- OpenFlow

    def controllers(self, bridge: str) -> dict[str, ControllerView]:
        """How the bridge's controllers stand, by where they are."""
        with self._live():
            self._config.bridge(bridge)
            return self._flow.controller_views(bridge)

    def tables(self, bridge: str) -> _engine.Tables:
        """The engine's flow tables of the bridge, for whoever makes sure that nobody else uses them
        meanwhile; `bridge(…).flows` does.
        """
        with self._live():
            self._config.bridge(bridge)
            return self._flow.tables(bridge)

    @property
    def memory(self) -> dict[str, PortMemory]:
        """What is to outlive the process beside `config`: ports' OpenFlow numbers and configs."""
        return self._reconciler.memory

    # --- each second

    def tick(self, now: float | None = None) -> None:
        """Ages MAC addresses, measures rates, tries failed ports again, rebalances. now: s, monotonic."""
        now = time.monotonic() if now is None else now
        with self._live():
            self._datapath.age()
            self._flow.tick(now)
            self._meter.sample(self._datapath, now)
            if self._reconciler.let_go() or now >= self._next_retry:
                self._next_retry = now + _RETRY
                self._reconciler.retry()
            if self._config.rebalance and now >= self._next_balance:
                self._next_balance = now + self._config.rebalance
                self._balance.sample(self._datapath, now)
                self._reconciler.loads = self._balance.queues
                self._reconciler.rebalance()

    def _keep_house(self) -> None:
        next_tick = time.monotonic() + 1.0
        while not self._stopping.is_set():
            try:
                self._loop.poll(next_tick - time.monotonic())
                if (now := time.monotonic()) >= next_tick and not self._stopping.is_set():
                    next_tick = now + 1.0
                    self.tick(now)
            except TurnoutError as error:
                if not self._closed:
                    log.error("%s", error)

    # --- inside

    @contextlib.contextmanager
    def _live(self) -> Iterator[None]:
        """The lock, on a switch that is open, with the engine's errors as ours."""
        with self._lock:
            if self._closed:
                raise TurnoutError("switch: closed; make a new one")
            with _one_line():
                yield

    @contextlib.contextmanager
    def _changing(self, bridge: str) -> Iterator[None]:
        """As `_live`; what happened to the bridge's flows inside is told to controllers afterwards."""
        with self._live():
            self._config.bridge(bridge)
            try:
                yield
            finally:
                self._flow.changed(bridge)

    @property
    def _flow(self) -> OpenFlow:
        assert self._openflow is not None  # there for as long as the switch is open
        return self._openflow

    def _change(self, config: Config, *, tolerant: bool = False) -> None:
        with self._live():
            self._reconciler.apply(config, tolerant=tolerant)
            self._config = config
            self._flow.configure(config, time.monotonic())
            self._loop.wake()

    def _bridge_numbers(self, name: str | None) -> list[tuple[str, int]]:
        if name is not None:
            self._config.bridge(name)
        return [(b, n) for b, (n, _) in self._reconciler.actual.bridges.items() if name in (None, b)]

    def _bridge_view(self, bridge: Bridge) -> BridgeView:
        return BridgeView(
            name=bridge.name,
            datapath_id=f"{datapath_id(bridge):016x}",
            mac_aging=bridge.mac_aging,
            mac_table_size=bridge.mac_table_size,
            controllers=self._flow.controllers(bridge.name),
            fail_mode=bridge.fail_mode,
            ports=tuple(self._port_view(p, self._reconciler.actual.ports[p.name]) for p in bridge.ports),
        )

    def _port_view(self, port: Port, actual: Attached) -> PortView:
        info = self._datapath.device_info(actual.device) if actual.device != NO_DEVICE else None
        return PortView(
            name=port.name,
            number=actual.number,
            ofport=actual.ofport,
            type=port.type,
            options=dict(port.options),
            tag=port.tag,
            trunks=port.trunks,
            vlan_mode=port.effective_vlan_mode,
            driver=info.driver if info else "",
            mac=info.mac if info else "",
            link_up=info.link_up if info else port.type == "patch",
            speed_mbps=info.speed_mbps if info else 0,
            mtu=info.mtu if info else port.mtu,
            n_rxq=actual.rxqs,
            error=actual.error,
        )


def _cores(config: Config) -> tuple[int, ...]:
    """The cores to poll on; ConfigError if one is not this process's to use."""
    allowed = sorted(os.sched_getaffinity(0))
    for core in config.cores:
        if core not in allowed:
            raise ConfigError(
                "cores", f"no core {core} for this process; there are: {', '.join(map(str, allowed))}"
            )
    return config.cores or (allowed[-1],)
