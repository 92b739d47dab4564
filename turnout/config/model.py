# SPDX-License-Identifier: Apache-2.0
"""The desired state as frozen dataclasses. A value that exists is valid: each check is in `__post_init__`.

Names and meanings are Open vSwitch's where it has them (ovs-vswitchd.conf.db(5)).
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from turnout.config import target
from turnout.errors import ConfigError

VlanMode = Literal["access", "trunk", "native-tagged", "native-untagged"]
FailMode = Literal["standalone", "secure"]
OverflowPolicy = Literal["refuse", "evict"]
Protocol = Literal["OpenFlow10", "OpenFlow13", "OpenFlow14"]
Hugepages = Literal["auto", "require", "off"]

MAX_BRIDGES, MAX_PORTS = 256, 2047  # half of the engine's numbers, so that all can be replaced at once
MAX_WORKERS, MAX_CORE = 64, 1023  # the engine's

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@+-]{0,63}")
_AFFINITY = re.compile(r"\d{1,4}:\d{1,4}(,\d{1,4}:\d{1,4})*")
_TABLE_LIMITS = re.compile(r"\d{1,3}:\d{1,10}(:evict)?(,\d{1,3}:\d{1,10}(:evict)?)*")
_DATAPATH_ID = re.compile(r"[0-9a-fA-F]{16}")


def _check_name(where: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigError(where, f"bad name {name!r}; use 1..64 of letters, digits and _ . : @ + -")


def _check_range(where: str, value: int, low: int, high: int, hint: str = "") -> None:
    if not low <= value <= high:
        raise ConfigError(where, f"expected {low}..{high}, got {value}{hint and '; ' + hint}")


def _repeated(values: Iterable[object]) -> list[object]:
    return [value for value, count in Counter(values).items() if count > 1]


@dataclass(frozen=True, kw_only=True)
class Port:
    """A port of a bridge.

    `type` and `options` say what it is made of (see `turnout.control.ports`), `tag`, `trunks` and `vlan_mode`
    which VLANs it carries. `mtu` is in bytes without Ethernet header; 0: what an existing kernel interface
    has. `n_rxq` is the number of queue pairs, `rxq_affinity` pins rx queues to cores ("0:1,1:3": queue 0 on
    core 1, queue 1 on core 3); others are placed by measured load. `ofport_request` is the OpenFlow port
    number to have if it is free; 0: any. A port of type internal that is named like its bridge is OpenFlow's
    LOCAL.
    """

    name: str
    type: str
    options: Mapping[str, str] = field(default_factory=dict)
    tag: int | None = None
    trunks: tuple[int, ...] = ()
    vlan_mode: VlanMode | None = None
    mtu: int = 1500
    n_rxq: int = 1
    n_rxq_desc: int = 0
    n_txq_desc: int = 0
    rxq_affinity: str = ""
    ofport_request: int = 0

    def __post_init__(self) -> None:
        where = f"port.{self.name}"
        _check_name(where, self.name)
        if self.tag is not None:
            _check_range(f"{where}.tag", self.tag, 0, 4095, "leave it out for no VLAN")
        for vlan in self.trunks:
            _check_range(f"{where}.trunks", vlan, 0, 4095)
        mode = self.effective_vlan_mode
        if mode == "access" and self.tag is None:
            raise ConfigError(f"{where}.vlan-mode", "access needs a VLAN; set tag")
        if mode == "access" and self.trunks:
            raise ConfigError(
                f"{where}.trunks",
                "an access port carries one VLAN; set vlan-mode to trunk, native-tagged or native-untagged",
            )
        if mode.startswith("native") and self.tag is None:
            raise ConfigError(f"{where}.vlan-mode", f"{mode} needs a native VLAN; set tag")
        if mode == "trunk" and self.tag is not None:
            raise ConfigError(
                f"{where}.tag", "a trunk has no VLAN of its own; set vlan-mode to native-untagged"
            )
        if self.mtu:
            _check_range(f"{where}.mtu", self.mtu, 68, 9702)
        _check_range(f"{where}.n-rxq", self.n_rxq, 1, 64)
        for key, value in (("n-rxq-desc", self.n_rxq_desc), ("n-txq-desc", self.n_txq_desc)):
            if value and (value & (value - 1) or not 64 <= value <= 4096):
                raise ConfigError(f"{where}.{key}", f"expected a power of two in 64..4096, got {value}")
        if self.rxq_affinity and not _AFFINITY.fullmatch(self.rxq_affinity):
            raise ConfigError(
                f"{where}.rxq-affinity", f"expected QUEUE:CORE,… such as 0:1,1:3, got {self.rxq_affinity!r}"
            )
        _check_range(f"{where}.ofport-request", self.ofport_request, 0, 65279)
        for queue in self.pins:
            _check_range(f"{where}.rxq-affinity", queue, 0, self.n_rxq - 1, "raise n-rxq for more queues")

    @property
    def effective_vlan_mode(self) -> VlanMode:
        """`vlan_mode`, or Open vSwitch's default: access if `tag` is set, else trunk."""
        return self.vlan_mode or ("trunk" if self.tag is None else "access")

    @property
    def pins(self) -> dict[int, int]:
        """`rxq_affinity` as queue → core."""
        pairs = (pair.split(":") for pair in self.rxq_affinity.split(",") if pair)
        return {int(queue): int(core) for queue, core in pairs}


@dataclass(frozen=True, kw_only=True)
class Bridge:
    """A switch: by itself a learning one, with controllers what they make of it.

    mac_aging: seconds. mac_table_size: entries. controllers: where they are ("tcp:IP:PORT", "ssl:…",
    "unix:PATH", or to be called by them "ptcp:PORT", "pssl:…", "punix:PATH"). fail_mode: what to do while
    none answers: learn and forward by itself, or (secure) only what flows say. protocols: OpenFlow versions
    to speak; empty: all. datapath_id: 16 hex digits; "": one of the bridge's own. flow_limit: flows in each
    table; overflow_policy: whether a full one refuses more or evicts others; table_limits: the same of single
    tables ("0:100,5:20:evict"). controller_rate_limit, controller_burst_limit: packets sent up to each
    controller, a second and at once; rate 0: no limit. controller_max_backoff: ms between tries to connect,
    at most. controller_inactivity_probe: ms of silence before a controller is asked for a sign of life; 0:
    never. controller_async: whether controllers get packets and other messages that they have not asked for.
    restore_flows: flows, groups and meters come back after a restart.
    """

    name: str
    ports: tuple[Port, ...] = ()
    mac_aging: int = 300
    mac_table_size: int = 65536
    controllers: tuple[str, ...] = ()
    fail_mode: FailMode = "standalone"
    protocols: tuple[Protocol, ...] = ()
    datapath_id: str = ""
    flow_limit: int = 4_294_967_295
    overflow_policy: OverflowPolicy = "refuse"
    table_limits: str = ""
    controller_rate_limit: int = 1000
    controller_burst_limit: int = 250
    controller_max_backoff: int = 8000
    controller_inactivity_probe: int = 5000
    controller_async: bool = True
    restore_flows: bool = False

    def __post_init__(self) -> None:
        where = f"bridge.{self.name}"
        _check_name(where, self.name)
        _check_range(f"{where}.mac-aging", self.mac_aging, 1, 86400)
        _check_range(f"{where}.mac-table-size", self.mac_table_size, 16, 1_048_576)
        for text in self.controllers:
            try:
                target.parse(text)
            except ValueError as error:
                raise ConfigError(f"{where}.controllers", str(error)) from None
        if repeated := _repeated(self.controllers):
            raise ConfigError(f"{where}.controllers", f"{repeated[0]} is named twice")
        _check_range(f"{where}.controllers", len(self.controllers), 0, 64)
        if self.datapath_id and not _DATAPATH_ID.fullmatch(self.datapath_id):
            raise ConfigError(f"{where}.datapath-id", f"expected 16 hex digits, got {self.datapath_id!r}")
        _check_range(f"{where}.flow-limit", self.flow_limit, 1, 4_294_967_295)
        _check_range(f"{where}.controller-rate-limit", self.controller_rate_limit, 0, 10_000_000)
        _check_range(f"{where}.controller-burst-limit", self.controller_burst_limit, 1, 1_000_000)
        _check_range(f"{where}.controller-max-backoff", self.controller_max_backoff, 1000, 3_600_000)
        _check_range(f"{where}.controller-inactivity-probe", self.controller_inactivity_probe, 0, 3_600_000)
        if self.table_limits and not _TABLE_LIMITS.fullmatch(self.table_limits):
            raise ConfigError(
                f"{where}.table-limits",
                f"expected TABLE:FLOWS[:evict],… such as 0:100,5:20:evict, got {self.table_limits!r}",
            )
        for table, (flows, _) in self.limits.items():
            _check_range(f"{where}.table-limits", table, 0, 253)
            _check_range(f"{where}.table-limits", flows, 0, 4_294_967_295)

    @property
    def limits(self) -> dict[int, tuple[int, bool]]:
        """`table_limits` as table → flows, and whether others are evicted for more."""
        found = {}
        for text in filter(None, self.table_limits.split(",")):
            table, flows, *evict = text.split(":")
            found[int(table)] = int(flows), bool(evict)
        return found


def _is_local(port: Port, bridge: str) -> bool:
    """Whether it is the bridge's own port, OpenFlow's LOCAL, which has the bridge's name."""
    return port.type == "internal" and port.name == bridge


@dataclass(frozen=True, kw_only=True)
class Config:
    """The whole desired state.

    cores: CPUs that poll, a worker each; empty: one worker on the last CPU that the process may use.
    mbufs: packet buffers in the pool. mtu: the largest MTU in bytes that one buffer holds; larger frames use
    chains.
    hugepages: "auto" uses free ones, reserves what is missing if it may, else takes ordinary memory;
        "require" fails instead; "off" takes ordinary memory.
    idle: how deep idle workers sleep: "sleep" (after 500 µs without a packet), "spin" (never), or those µs as
    a number.
    rebalance: seconds between looks at whether to move rx queues between workers; 0: never.
    private_key, certificate, ca_cert: paths of PEM files for controllers over TLS, as `ovs-vsctl set-ssl`
        takes them: our key and certificate, and the CA that has signed the controllers'.
    """

    bridges: tuple[Bridge, ...] = ()
    cores: tuple[int, ...] = ()
    mbufs: int = 65536
    mtu: int = 2000
    hugepages: Hugepages = "auto"
    idle: Literal["sleep", "spin"] | int = "sleep"
    rebalance: int = 10
    private_key: str = ""
    certificate: str = ""
    ca_cert: str = ""

    def __post_init__(self) -> None:
        for core in self.cores:
            _check_range("cores", core, 0, MAX_CORE)
        if repeated := _repeated(self.cores):
            raise ConfigError("cores", f"core {repeated[0]} is named twice")
        _check_range("cores", len(self.cores), 0, MAX_WORKERS, "a worker each")
        _check_range("mbufs", self.mbufs, 4096, 16_777_216)
        _check_range("mtu", self.mtu, 1500, 9702)
        if isinstance(self.idle, int):
            _check_range("idle", self.idle, 0, 1_000_000, 'microseconds, "sleep" or "spin"')
        _check_range("rebalance", self.rebalance, 0, 86400)
        tls = (self.private_key, self.certificate, self.ca_cert)
        if any(tls) and not all(tls):
            raise ConfigError("private-key", "TLS needs all of private-key, certificate and ca-cert")
        names = [
            n for b in self.bridges for n in (b.name, *(p.name for p in b.ports if not _is_local(p, b.name)))
        ]
        if twice := _repeated(names):
            raise ConfigError("bridge", f"two bridges or ports are named {twice[0]}; each needs its own name")
        if len(self.bridges) > MAX_BRIDGES:
            raise ConfigError("bridge", f"expected at most {MAX_BRIDGES} bridges, got {len(self.bridges)}")
        if (count := sum(len(b.ports) for b in self.bridges)) > MAX_PORTS:
            raise ConfigError("bridge", f"expected at most {MAX_PORTS} ports, got {count}")

    @property
    def spin_us(self) -> int:
        """`idle` as the engine takes it: µs of spinning before sleep, -1 for ever."""
        return self.idle if isinstance(self.idle, int) else {"sleep": 500, "spin": -1}[self.idle]

    def bridge(self, name: str) -> Bridge:
        """The bridge called `name`; ConfigError if there is none."""
        for bridge in self.bridges:
            if bridge.name == name:
                return bridge
        known = ", ".join(b.name for b in self.bridges) or "none yet; add one with add-br"
        raise ConfigError(f"bridge.{name}", f"no such bridge; there are: {known}")

    def find_port(self, name: str) -> tuple[Bridge, Port]:
        """The port called `name` and its bridge; ConfigError if there is none."""
        for bridge in self.bridges:
            for port in bridge.ports:
                if port.name == name:
                    return bridge, port
        raise ConfigError(f"port.{name}", "no such port; list them with list-ports BRIDGE")
