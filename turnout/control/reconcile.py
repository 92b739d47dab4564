# SPDX-License-Identifier: Apache-2.0
"""From the desired state to engine calls, whichever source the wish came from.

`plan` is pure: actual and desired state in, the smallest change out. `Reconciler` carries a plan out so that
a failure leaves everything as it was: new devices are attached first, one publish makes workers see the new
topology, then devices that nobody polls any more are detached. Only a device that needs what an old one still
owns (its socket, its interface, its name) waits until that is gone, which takes a second publish; if it then
fails the old one comes back.
"""

import logging
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from turnout import _engine
from turnout.config.model import Bridge, Config, Port
from turnout.config.state import PortMemory
from turnout.control import host, ofport, ports, rxq
from turnout.control.ports import Place
from turnout.errors import TurnoutError

log = logging.getLogger(__name__)

NO_DEVICE = -1


@dataclass(frozen=True, kw_only=True)
class Attached:
    """A port as it is. device: the engine's; NO_DEVICE for a patch port or one that failed with `error`.

    number: the datapath's. ofport: OpenFlow's, of its bridge. config: OFPPC_* bits that a controller has set.
    interface: the kernel's number of the one that the device is on top of; 0: none that may go.
    """

    number: int
    bridge: str
    port: Port
    ofport: int = 0
    config: int = 0
    device: int = NO_DEVICE
    claim: str = ""
    rxqs: int = 0
    interface: int = 0
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Actual:
    """What is: bridges in the order they came, each with its number, and ports by name."""

    bridges: Mapping[str, tuple[int, Bridge]] = field(default_factory=dict)
    ports: Mapping[str, Attached] = field(default_factory=dict)

    @cached_property
    def by_bridge(self) -> Mapping[str, list[Attached]]:
        """Each bridge's ports."""
        found: dict[str, list[Attached]] = {name: [] for name in self.bridges}
        for port in self.ports.values():
            found[port.bridge].append(port)
        return found

    @cached_property
    def by_number(self) -> Mapping[int, Attached]:
        """The ports by the datapath's number."""
        return {port.number: port for port in self.ports.values()}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The way from one state to another.

    keep: ports whose device stays, with their new settings. attach: new ones. swap: new ones that need what a
    leaving one owns. leave: ports as they are now whose device goes. bridges: the bridges after it.
    """

    bridges: Mapping[str, tuple[int, Bridge]]
    keep: tuple[Attached, ...] = ()
    attach: tuple[Attached, ...] = ()
    swap: tuple[Attached, ...] = ()
    leave: tuple[Attached, ...] = ()


def _same_device(a: Port, b: Port) -> bool:
    """Whether the device of `a` serves `b` as well: all that is not about the device may differ."""
    if a == b or a.type == b.type == "patch":
        return True
    aside = {"tag": None, "trunks": (), "vlan_mode": None, "rxq_affinity": "", "ofport_request": 0}
    return replace(a, **aside) == replace(b, **aside)  # type: ignore[arg-type]


def _free_numbers(taken: Iterable[int], first: int) -> Iterable[int]:
    """Numbers from `first` up that nobody has, nor had when the plan was made."""
    used = set(taken)
    number = first
    while True:
        if number not in used:
            yield number
        number += 1


def plan(
    actual: Actual, desired: Config, claims: Mapping[str, str], memory: Mapping[str, PortMemory] | None = None
) -> Plan:
    """The smallest change from `actual` to `desired`. `claims`: port → what only one device of the process
    can own. `memory`: what is remembered of ports that had been there before.
    """
    bridge_numbers = iter(_free_numbers((number for number, _ in actual.bridges.values()), 0))
    bridges = {
        b.name: (actual.bridges[b.name][0] if b.name in actual.bridges else next(bridge_numbers), b)
        for b in desired.bridges
    }
    numbers = iter(_free_numbers((a.number for a in actual.ports.values()), 1))
    keep: list[Attached] = []
    new: list[Attached] = []
    for bridge in desired.bridges:
        there = actual.by_bridge.get(bridge.name, [])
        if bridge.name in actual.bridges and actual.bridges[bridge.name][1] == bridge:
            keep += there
            continue
        ofports = ofport.assign(bridge, {a.port.name: (a.port, a.ofport) for a in there}, memory or {})
        for port in bridge.ports:
            old = actual.ports.get(port.name)
            if old and _same_device(old.port, port):
                keep.append(replace(old, bridge=bridge.name, port=port, ofport=ofports[port.name]))
            else:
                remembered = (memory or {}).get(port.name)
                new.append(
                    Attached(
                        number=old.number if old else next(numbers),
                        bridge=bridge.name,
                        port=port,
                        ofport=ofports[port.name],
                        config=old.config if old else remembered.config if remembered else 0,
                        claim=claims.get(port.name, ""),
                    )
                )
    kept = {a.port.name for a in keep}
    leave = tuple(a for name, a in actual.ports.items() if name not in kept and a.device != NO_DEVICE)
    owned = {a.claim for a in leave if a.claim}
    numbered = {a.number for a in leave}  # device names carry the number
    swap = tuple(a for a in new if a.claim in owned or a.number in numbered)
    return Plan(
        bridges=bridges,
        keep=tuple(keep),
        attach=tuple(a for a in new if a not in swap),
        swap=swap,
        leave=leave,
    )


class Reconciler:
    """Makes one engine `Datapath` be what is desired, and remembers what it is. Not thread-safe: Switch has
    the lock.
    """

    def __init__(
        self,
        datapath: _engine.Datapath,
        cores: tuple[int, ...],
        place: Place,
        memory: Mapping[str, PortMemory] | None = None,
    ) -> None:
        self._datapath = datapath
        self._cores = cores
        self._place = place
        self.actual = Actual()
        self._memory = dict(memory or {})
        self.assignment: dict[rxq.Queue, int] = {}
        self.loads: dict[rxq.Queue, float] = {}

    def apply(self, desired: Config, *, tolerant: bool = False) -> None:
        """Makes `desired` so, or raises TurnoutError and leaves all as it was.

        tolerant: a port that cannot be attached is kept with its error instead, for `retry`.
        """
        known: dict[str, str] = {}
        for port in (p for b in desired.bridges for p in b.ports):
            old = self.actual.ports.get(port.name)
            if old and old.port == port:
                known[port.name] = old.claim
            elif not tolerant:
                ports.check_pins(port, self._cores)
        claims = ports.claims(desired, self._place, known)
        steps = plan(self.actual, desired, claims, self._memory)
        before = self.actual
        added: list[Attached] = []
        try:
            for new in steps.attach:
                added.append(self._attach(new, tolerant))
            self._publish(Actual(bridges=steps.bridges, ports=_by_name(*steps.keep, *added)))
        except BaseException:
            self._detach(added)
            raise
        ours = self._pass_on(steps)
        self._detach(steps.leave)
        if not steps.swap:
            return
        swapped: list[Attached] = []
        try:
            for new in steps.swap:
                swapped.append(self._attach(new, tolerant, owned=new.port.name in ours))
            self._publish(Actual(bridges=steps.bridges, ports=_by_name(*steps.keep, *added, *swapped)))
        except BaseException:
            self._detach(swapped)
            back = [
                self._attach(replace(old, device=NO_DEVICE), tolerant=True, owned=old.port.name in ours)
                for old in steps.leave
            ]
            self._publish(replace(before, ports={**before.ports, **_by_name(*back)}))
            self._detach(added)
            raise

    def _pass_on(self, steps: Plan) -> set[str]:
        """Has TAPs that are made anew stay the kernel's interfaces that they are, with their addresses and
        routes; the ports whose interfaces these are.
        """
        coming = {tap for new in steps.swap if (tap := self._tap(new.port))}
        passed = [
            old for old in steps.leave if self._tap(old.port) in coming and self._datapath.owns(old.device)
        ]
        for old in passed:
            self._datapath.keep(old.device)
        return {old.port.name for old in passed}

    def _tap(self, port: Port) -> tuple[str, str, bool] | None:
        """What tells a port's TAP from others; None: it has none."""
        device = ports.device(port, self._place)
        return (device.tap, device.netns, device.one_queue) if device and device.tap else None

    def keep_interfaces(self) -> None:
        """Has the interfaces of internal ports outlive their devices."""
        for port in self.actual.ports.values():
            if port.port.type == "internal" and port.device != NO_DEVICE:
                self._datapath.keep(port.device)

    def check_port(self, port: Port, *, host: bool = False) -> str:
        """ConfigError if no such port can be; else its claim. host: nor if this host does not let it be, as
        far as another port has not got what it claims.
        """
        ports.check_pins(port, self._cores)
        claim = ports.claim_of(port, self._place)
        if host and claim not in {a.claim for a in self.actual.ports.values() if a.claim}:
            ports.check_host(port, self._place)
        return claim

    def retry(self) -> None:
        """Tries again to attach the ports that failed."""
        failed = [a for a in self.actual.ports.values() if a.error]
        back = [self._attach(a, tolerant=True) for a in failed]
        if any(not a.error for a in back):
            self._publish(replace(self.actual, ports={**self.actual.ports, **_by_name(*back)}))
        else:
            self.actual = replace(self.actual, ports={**self.actual.ports, **_by_name(*back)})
        for port in back:
            if not port.error:
                log.info("port %s: attached", port.port.name)

    def let_go(self) -> bool:
        """Detaches ports whose kernel interface has gone, or is another by now; `retry` attaches them when
        it is back. Whether there are any.
        """
        if not any(a.interface for a in self.actual.ports.values()):
            return False
        there = set(_interface_numbers().values())
        lost = [a for a in self.actual.ports.values() if a.interface and a.interface not in there]
        if lost:
            errors = [
                replace(
                    a,
                    device=NO_DEVICE,
                    rxqs=0,
                    interface=0,
                    error=f"port.{a.port.name}: its interface has gone",
                )
                for a in lost
            ]
            self._publish(replace(self.actual, ports={**self.actual.ports, **_by_name(*errors)}))
            self._detach(lost)
            for port in errors:
                log.warning("%s; trying again every few seconds", port.error)
        return bool(lost)

    def set_port_config(self, name: str, config: int) -> None:
        """Gives a port these OFPPC_* bits."""
        changed = replace(self.actual.ports[name], config=config)
        self._publish(replace(self.actual, ports={**self.actual.ports, name: changed}))

    @property
    def memory(self) -> dict[str, PortMemory]:
        """What is to outlive the process of each port."""
        return {name: PortMemory(a.ofport, a.config) for name, a in self.actual.ports.items()}

    def rebalance(self, *, asked: bool = False) -> None:
        """Moves rx queues between workers if the measured loads say that it pays; asked: that it helps."""
        better = rxq.rebalance(len(self._cores), self.pins, self.assignment, self.loads, asked=asked)
        if better:
            log.info("rx queues rebalanced over %d workers", len(self._cores))
            self._publish(self.actual, better)

    def name_of(self, number: int) -> str:
        """The port with that number; the number itself if it has gone."""
        port = self.actual.by_number.get(number)
        return port.port.name if port else str(number)

    def _make(self, device: ports.Device, owned: bool) -> int:
        if device.tap:
            return self._datapath.attach_tap(
                device.tap,
                mac=device.mac,
                queues=device.rxqs,
                mtu=device.mtu,
                netns=device.netns,
                one_queue=device.one_queue,
                owned=device.owned or owned,
            )
        return self._datapath.attach(
            device.devargs,
            rxqs=device.rxqs,
            txqs=device.txqs,
            rx_desc=device.rx_desc,
            tx_desc=device.tx_desc,
            mtu=device.mtu,
            netns=device.netns,
        )

    def _attach(self, new: Attached, tolerant: bool, *, owned: bool = False) -> Attached:
        """owned: its interface is ours to take away, though it is there."""
        try:
            place = replace(self._place, number=new.number)
            device = ports.device(new.port, place)
            if device is None:
                return new
            ports.check_host(new.port, place)
            handle = self._make(device, owned)
            rxqs = self._datapath.device_info(handle).rxqs
            if device.below:  # AF_PACKET's driver sets none above 1,500
                host.set_interface_mtu(device.below, device.mtu)
            below = _interface_numbers().get(device.below, 0) if device.below else 0
            return replace(new, device=handle, claim=device.claim, rxqs=rxqs, interface=below, error="")
        except (TurnoutError, _engine.EngineError, OSError) as error:
            text = str(error)
            if not text.startswith(prefix := f"port.{new.port.name}"):
                text = f"{prefix}: {text}"
            if not tolerant:
                raise TurnoutError(text) from None
            if not new.error:
                log.warning("%s; trying again every few seconds", text)
            return replace(new, device=NO_DEVICE, error=text)

    def _detach(self, leaving: Iterable[Attached]) -> None:
        for port in leaving:
            if port.device != NO_DEVICE:
                try:
                    self._datapath.detach(port.device)
                except _engine.EngineError as error:
                    log.error(
                        "port %s: %s", port.port.name, error
                    )  # out of the topology already: nothing to undo

    @property
    def pins(self) -> dict[rxq.Queue, int]:
        """Which queues are pinned, and to which worker."""
        return self._pins(self.actual)

    def _pins(self, state: Actual) -> dict[rxq.Queue, int]:
        return {
            (a.number, queue): self._cores.index(core)
            for a in state.ports.values()
            for queue, core in a.port.pins.items()
            if core in self._cores  # a saved pin may name a core that is no worker's today
        }

    def _publish(self, state: Actual, assignment: Mapping[rxq.Queue, int] | None = None) -> None:
        live = [a for a in state.ports.values() if not a.error]
        if assignment is None:
            queues = [(a.number, queue) for a in live for queue in range(a.rxqs)]
            assignment = rxq.assign(queues, len(self._cores), self._pins(state), self.assignment, self.loads)
        self._datapath.publish(
            [
                _engine.BridgeSpec(number=number, mac_aging=b.mac_aging, mac_table_size=b.mac_table_size)
                for number, b in state.bridges.values()
            ],
            [_port_spec(a, state) for a in live],
            [_engine.QueueSpec(port=p, queue=q, worker=w) for (p, q), w in assignment.items()],
        )
        self.actual, self.assignment = state, dict(assignment)


def _interface_numbers() -> dict[str, int]:
    """The kernel's interfaces in our namespace."""
    return {name: number for number, name in socket.if_nameindex()}


def _by_name(*states: Attached) -> dict[str, Attached]:
    return {a.port.name: a for a in states}


def _port_spec(a: Attached, state: Actual) -> _engine.PortSpec:
    peer = peer_of(a, state)
    return _engine.PortSpec(
        number=a.number,
        bridge=state.bridges[a.bridge][0],
        device=a.device,
        peer=peer.number if peer else -1,
        vlan_mode=a.port.effective_vlan_mode,
        tag=a.port.tag or 0,
        trunks=list(a.port.trunks),
        ofport=a.ofport,
        config=a.config,
    )


def peer_of(a: Attached, state: Actual) -> Attached | None:
    """A patch port's other end, if that names this one in turn; else None, and what goes in is dropped."""
    other = state.ports.get(a.port.options.get("peer", ""))
    if a.port.type != "patch" or other is None or other.port.type != "patch":
        return None
    return other if other.port.options["peer"] == a.port.name else None
