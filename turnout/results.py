# SPDX-License-Identifier: Apache-2.0
"""What a Switch answers with: frozen, typed, and ready for msgspec.json.encode."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PortStats:
    """A port's counters since it came, and its rates over the last second. `rx`: from the port into the
    switch.
    """

    port: str
    bridge: str
    rx_packets: int
    rx_bytes: int
    tx_packets: int
    tx_bytes: int
    drops: int
    rx_pps: float
    rx_bps: float  # bits per second
    tx_pps: float
    tx_bps: float  # bits per second


@dataclass(frozen=True, kw_only=True)
class DropCount:
    """Packets that a port lost, by reason."""

    port: str
    reason: str
    packets: int


@dataclass(frozen=True, kw_only=True)
class FdbEntry:
    """A MAC address and its port. `vlan` is 0 for untagged, `age` in seconds since it was last seen; a static
    one has been said, not learned, and stays.
    """

    bridge: str
    port: str
    number: int
    vlan: int
    mac: str
    age: int
    static: bool = False


@dataclass(frozen=True, kw_only=True)
class FdbTotals:
    """What became of a bridge's MAC addresses, since it came or `fdb_stats_clear`."""

    learned: int
    expired: int
    evicted: int  # for want of room
    moved: int  # to another port


@dataclass(frozen=True, kw_only=True)
class WorkerStats:
    """A worker over the last second: `load` 0..1, `pps`, `cycles_per_packet`; the rest since it started.

    rxqs: the queues that it polls, as "PORT:QUEUE".
    """

    worker: int
    core: int
    load: float
    pps: float
    cycles_per_packet: float
    packets: int
    busy_cycles: int
    total_cycles: int
    sleeps: int
    rxqs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class QueueStats:
    """An rx queue, and the core of the worker that polls it. load: share of the worker's time, 0..1; None:
    not measured yet.
    """

    port: str
    queue: int
    core: int
    pinned: bool
    link_up: bool
    load: float | None


@dataclass(frozen=True, kw_only=True)
class PortView:
    """A port and its device; `error` says why it has none, or what the database wants in vain; "" if all is
    well. ofport: its OpenFlow number.
    """

    name: str
    number: int
    ofport: int
    type: str
    options: dict[str, str]
    tag: int | None
    trunks: tuple[int, ...]
    vlan_mode: str
    driver: str
    mac: str
    link_up: bool
    speed_mbps: int
    mtu: int
    n_rxq: int
    error: str


@dataclass(frozen=True, kw_only=True)
class BridgeView:
    """A bridge and its ports. controllers: whether each has answered, by where it is. datapath_id: 16 hex
    digits.
    """

    name: str
    datapath_id: str
    mac_aging: int
    mac_table_size: int
    controllers: dict[str, bool]
    fail_mode: str
    ports: tuple[PortView, ...]


@dataclass(frozen=True, kw_only=True)
class ControllerView:
    """A controller. role: "master", "slave" or "other"; "" while it is not connected. state: of the
    connection, in Open vSwitch's words; "" of one that is to call us. since_connect, since_disconnect:
    seconds; None: never.
    """

    connected: bool
    role: str
    state: str = ""
    since_connect: int | None = None
    since_disconnect: int | None = None
    last_error: str = ""


@dataclass(frozen=True, kw_only=True)
class SwitchView:
    """The switch at a glance. memory: "hugepages", "ordinary", or "unknown" if others started DPDK."""

    version: str
    cores: tuple[int, ...]
    memory: str
    mbufs_total: int
    mbufs_in_use: int
    bridges: tuple[BridgeView, ...]
