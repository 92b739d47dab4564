# SPDX-License-Identifier: Apache-2.0
"""OpenFlow of a whole switch: an agent for each bridge, and the packets that come up for controllers."""

import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from turnout import _engine
from turnout.config.model import Bridge, Config
from turnout.control import host
from turnout.control.loop import READ, Loop, Timer
from turnout.control.openflow import agent, restore
from turnout.control.openflow.agent import Agent
from turnout.control.openflow.service import keys_of, run_dir
from turnout.control.reconcile import NO_DEVICE, Attached, Reconciler
from turnout.errors import TurnoutError
from turnout.openflow.session.ports import Port, PortCounters
from turnout.results import ControllerView

log = logging.getLogger(__name__)

_PACKETS = 256  # packet-ins taken per turn of the loop
_SAVE = 30.0  # s between saves of tables that change, at least
_SAVE_SHARE = 50  # and this many times what the last one took
_UNKNOWN_SPEED = 0xFFFFFFFF
TX_DROPS = frozenset(  # reasons that count as tx_dropped; all others are rx_dropped
    ("too-long", "no-segments", "refused", "port-down", "tx-full", "port-no-fwd")
)


class _Host:
    """What a bridge's sessions need of the switch; see `turnout.openflow.session.bridge.Host`."""

    def __init__(self, bridge: str, datapath: _engine.Datapath, reconciler: Reconciler) -> None:
        self._bridge = bridge
        self._datapath = datapath
        self._reconciler = reconciler
        self._since: dict[tuple[str, int], float] = {}  # port → s, monotonic
        self.number = reconciler.actual.bridges[bridge][0]
        self._tables = datapath.tables(self.number)

    @property
    def tables(self) -> "_engine.Tables":
        return self._tables

    def ports(self) -> list[Port]:
        return [self._port(a) for a in self._attached()]

    def port_counters(self) -> Mapping[int, PortCounters]:
        drops: dict[int, list[int]] = {}
        for drop in self._datapath.drops():
            drops.setdefault(drop.port, [0, 0])[drop.reason in TX_DROPS] += drop.packets
        counted = {c.port: c for c in self._datapath.port_counters()}
        now = time.monotonic()
        found = {}
        for port in self._attached():
            rx_dropped, tx_dropped = drops.get(port.number, (0, 0))
            counters = PortCounters(
                rx_dropped=rx_dropped,
                tx_dropped=tx_dropped,
                age_ns=int((now - self._since.get((port.port.name, port.number), now)) * 1e9),
            )
            if count := counted.get(port.number):
                counters = replace(
                    counters,
                    rx_packets=count.rx_packets,
                    tx_packets=count.tx_packets,
                    rx_bytes=count.rx_bytes,
                    tx_bytes=count.tx_bytes,
                )
            found[port.ofport] = counters
        return found

    def set_port_config(self, number: int, config: int) -> None:
        for port in self._attached():
            if port.ofport == number:
                self._reconciler.set_port_config(port.port.name, config)

    def set_frag(self, mode: int) -> None:
        self._datapath.set_frag(self.number, mode)

    def set_miss_to_controller(self, wanted: bool) -> None:
        self._tables.miss_to_controller(wanted)

    def note_ports(self, now: float) -> None:
        """Remembers since when each port is there."""
        there = {(a.port.name, a.number) for a in self._attached()}
        self._since = {key: self._since.get(key, now) for key in there}

    def _attached(self) -> list[Attached]:
        return [a for a in self._reconciler.actual.by_bridge.get(self._bridge, ()) if not a.error]

    def _port(self, a: Attached) -> Port:
        if a.device == NO_DEVICE:  # a patch port
            mac = bytes.fromhex(host.stable_mac(a.port.name).replace(":", ""))
            return Port(a.ofport, a.port.name, mac, up=True, speed=0, config=a.config)
        info = self._datapath.device_info(a.device)
        mac = bytes.fromhex(info.mac.replace(":", ""))
        if a.port.type in ("tap", "internal"):  # as fast as the host: Open vSwitch says this of its own
            return Port(a.ofport, a.port.name, mac, info.link_up, 10_000, a.config, copper=True)
        speed = 0 if info.speed_mbps == _UNKNOWN_SPEED else info.speed_mbps
        return Port(a.ofport, a.port.name, mac, info.link_up, speed, a.config)


class OpenFlow:
    """All calls are the loop's, or made while its guard is held.

    flows_dir: where the tables of bridges that want it are kept; None: nowhere.
    """

    def __init__(
        self,
        datapath: _engine.Datapath,
        reconciler: Reconciler,
        loop: Loop,
        *,
        config: Config,
        sockets: Path,
        flows_dir: Path | None,
    ) -> None:
        self._datapath = datapath
        self._reconciler = reconciler
        self._loop = loop
        self._sockets = run_dir(sockets)
        self._flows_dir = flows_dir
        self._keys = keys_of(config.private_key, config.certificate, config.ca_cert)
        if self._keys:
            self._keys.context(server=True)  # says now what is wrong with the files
        self._numbers = agent.numbers()
        self._agents: dict[str, tuple[Agent, _Host]] = {}
        self._configs: dict[str, Bridge] = {}
        self._timer: Timer | None = None
        self._next_save = 0.0
        self._closed = False
        self._packet_fd = datapath.packet_in_fd()
        loop.watch(self._packet_fd, READ, lambda _: self._packets())

    def configure(self, config: Config, now: float) -> None:
        """After each change of the switch: bridges come and go, settings and ports change."""
        keys = keys_of(config.private_key, config.certificate, config.ca_cert)
        if keys != self._keys:
            self._keys = keys
            for it, _ in self._agents.values():
                it.set_keys(keys)
        wanted = {b.name: b for b in config.bridges}
        for name in [n for n in self._agents if n not in wanted]:
            self._agents.pop(name)[0].close()
            self._configs.pop(name, None)
            if path := self._file(name):
                path.unlink(missing_ok=True)
        for name, bridge in wanted.items():
            fresh = name not in self._agents
            if fresh:
                self._agents[name] = self._new(bridge)
            it, its_host = self._agents[name]
            if fresh or self._configs.get(name) != bridge:
                it.configure(bridge, fresh=fresh, now=now)
                self._configs[name] = bridge
                if (path := self._file(name)) and not bridge.restore_flows:
                    path.unlink(missing_ok=True)
                elif path and fresh and path.exists():
                    it.bridge.tables.clear()  # what was saved is all there is to be
                    restore.load(it.bridge.tables, path)
                its_host.note_ports(now)
                it.bridge.refresh_ports()
                it.poll(now)

    def tables(self, bridge: str) -> "_engine.Tables":
        """The engine's flow tables of the bridge."""
        return self._agents[bridge][0].bridge.tables

    def controllers(self, bridge: str) -> dict[str, bool]:
        """The bridge's controllers, and whether each has answered."""
        return self._agents[bridge][0].connected

    def controller_views(self, bridge: str) -> dict[str, ControllerView]:
        """How the bridge's controllers stand."""
        return self._agents[bridge][0].controllers

    def changed(self, bridge: str) -> None:
        """Somebody else than a session has changed the bridge's tables."""
        it = self._agents[bridge][0]
        it.bridge.dirty = True
        it.poll(time.monotonic())

    def tick(self, now: float) -> None:
        """Once a second."""
        for it, its_host in self._agents.values():
            its_host.note_ports(now)
            it.tick(now)
        if now >= self._next_save:
            began = time.monotonic()
            self.save()
            self._next_save = now + max(_SAVE, _SAVE_SHARE * (time.monotonic() - began))

    def save(self, *, every: bool = False) -> None:
        """Keeps the tables that are to be kept and have changed, or (`every`) all that are to be kept."""
        for name, (it, _) in self._agents.items():
            path = self._file(name)
            if path is None or not self._configs[name].restore_flows or not (every or it.bridge.dirty):
                continue
            try:
                restore.save(it.bridge.tables, path)
                it.bridge.dirty = False
            except TurnoutError as error:
                log.error("%s", error)

    def close(self) -> None:
        """Saves, ends all sessions and removes the sockets."""
        self.save(every=True)
        if self._timer:
            self._timer.cancel()
        self._loop.unwatch(self._packet_fd)
        for it, _ in self._agents.values():
            it.close()
        self._agents.clear()
        self._closed = True

    # --- inside

    def _new(self, bridge: Bridge) -> tuple[Agent, _Host]:
        its_host = _Host(bridge.name, self._datapath, self._reconciler)
        it = Agent(
            bridge,
            its_host,
            self._loop,
            run_dir=self._sockets,
            keys=self._keys,
            numbers=self._numbers,
        )
        return it, its_host

    def _file(self, bridge: str) -> Path | None:
        return self._flows_dir / f"flows-{bridge}.openflow" if self._flows_dir else None

    def _packets(self) -> None:
        if self._closed:
            return
        now = time.monotonic()
        packets = self._datapath.take_packet_ins(_PACKETS)
        by_number = {its_host.number: it for it, its_host in self._agents.values()}
        for packet in packets:
            if it := by_number.get(packet.bridge):
                it.bridge.packet_in(packet, now)
        for it in by_number.values():
            it.poll(now)
        if packets:
            self._loop.soon(self._packets)  # there may be more than one turn takes
            return
        waits = [wait for it in by_number.values() if (wait := it.bridge.wait(now)) is not None]
        if self._timer:
            self._timer.cancel()
        self._timer = self._loop.at(now + min(waits), self._packets) if waits else None
