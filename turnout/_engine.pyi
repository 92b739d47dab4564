"""The datapath: C++ on DPDK. turnout.Switch is the way to use it."""

from collections.abc import Sequence


class EngineError(RuntimeError):
    pass

def start_eal(args: Sequence[str]) -> None:
    """
    Start DPDK with these EAL arguments; a second call does nothing. Raises EngineError.
    """

def eal_started() -> bool:
    """Whether DPDK runs in this process."""

def take_dpdk_log() -> list[str]:
    """What DPDK logged since the last call, a line an item."""

def tsc_hz() -> int:
    """
    Cycles a second of the clock that loads are counted in; 0 before start_eal().
    """

def parse(frame: bytes) -> dict[str, object]:
    """
    The flow key of an Ethernet frame: fields by their names in ovs-fields(7); addresses are text, all else numbers.
    """

class BridgeSpec:
    """A bridge of a topology."""

    def __init__(self, *, number: int, mac_aging: int, mac_table_size: int) -> None:
        """number: 0 to 255. mac_aging: seconds. mac_table_size: addresses."""

class PortSpec:
    """A port of a topology."""

    def __init__(self, *, number: int, bridge: int, device: int, peer: int, vlan_mode: str, tag: int, trunks: Sequence[int]) -> None:
        """
        number: 1 to 1023. device: from attach(), or -1 for a patch port, whose peer is a port's number or -1.
        vlan_mode: access, trunk, native-tagged or native-untagged. trunks: VLANs; empty: all.
        """

class QueueSpec:
    """Which worker polls an rx queue."""

    def __init__(self, *, port: int, queue: int, worker: int) -> None: ...

class DeviceInfo:
    """What a device says of itself. speed_mbps: 4294967295 if unknown."""

    @property
    def driver(self) -> str: ...

    @property
    def mac(self) -> str: ...

    @property
    def link_up(self) -> bool: ...

    @property
    def speed_mbps(self) -> int: ...

    @property
    def mtu(self) -> int: ...

    @property
    def rxqs(self) -> int: ...

    @property
    def txqs(self) -> int: ...

class PortCounters:
    """Totals since the port was published."""

    @property
    def port(self) -> int: ...

    @property
    def rx_packets(self) -> int: ...

    @property
    def rx_bytes(self) -> int: ...

    @property
    def tx_packets(self) -> int: ...

    @property
    def tx_bytes(self) -> int: ...

class Drop:
    """Packets that a port lost for one reason."""

    @property
    def port(self) -> int: ...

    @property
    def reason(self) -> str: ...

    @property
    def packets(self) -> int: ...

class QueueLoad:
    """An rx queue's load since its device was attached."""

    @property
    def port(self) -> int: ...

    @property
    def queue(self) -> int: ...

    @property
    def worker(self) -> int: ...

    @property
    def packets(self) -> int: ...

    @property
    def cycles(self) -> int: ...

class WorkerLoad:
    """
    A worker's load since it started; total_cycles is the time that passed.
    """

    @property
    def worker(self) -> int: ...

    @property
    def core(self) -> int: ...

    @property
    def packets(self) -> int: ...

    @property
    def busy_cycles(self) -> int: ...

    @property
    def total_cycles(self) -> int: ...

    @property
    def sleeps(self) -> int: ...

class FdbEntry:
    """A learned MAC address. age: seconds since it was last heard."""

    @property
    def mac(self) -> str: ...

    @property
    def vlan(self) -> int: ...

    @property
    def port(self) -> int: ...

    @property
    def age(self) -> int: ...

class Datapath:
    """
    Workers, devices and the topology that joins them. One caller at a time.
    """

    def __init__(self, *, cores: Sequence[int], mbufs: int, mtu: int, spin_us: int) -> None:
        """
        A worker on each core. mbufs: buffers in the pool, each for a packet of `mtu` bytes. spin_us: how long an idle
        worker spins before it sleeps; -1: for ever.
        """

    def attach(self, devargs: str, *, rxqs: int, txqs: int, rx_desc: int, tx_desc: int, mtu: int, netns: str) -> int:
        """
        Hot-plug a DPDK device and start it; returns its id. Nothing is left behind where it raises EngineError.
        """

    def attach_tap(self, iface: str, *, mac: str, queues: int, mtu: int, netns: str) -> int:
        """
        Create a kernel TAP, or attach to it; returns its id. mac: of the kernel's side, "" for its own choice. netns:
        the network namespace that it is in, "" for ours. Nothing is left behind where it raises EngineError.
        """

    def detach(self, device: int) -> None:
        """Stop and remove a device that no published port has."""

    def device_info(self, device: int) -> DeviceInfo: ...

    def publish(self, bridges: Sequence[BridgeSpec], ports: Sequence[PortSpec], queues: Sequence[QueueSpec]) -> None:
        """
        Replace the whole topology at once; returns when every worker has left the old one.
        """

    def port_counters(self) -> list[PortCounters]: ...

    def drops(self) -> list[Drop]:
        """Only those that are not zero."""

    def queue_loads(self) -> list[QueueLoad]: ...

    def worker_loads(self) -> list[WorkerLoad]: ...

    def fdb(self, bridge: int) -> list[FdbEntry]: ...

    def fdb_flush(self, bridge: int) -> int:
        """Forget all learned addresses; returns how many there were."""

    def age(self) -> None:
        """Collect expired addresses; to be called once a second."""

    def mbufs(self) -> tuple[int, int]:
        """(total, in use)"""

    def close(self) -> None:
        """
        Stop the workers, remove all devices, free the pool. A second call does nothing.
        """
