"""The datapath: C++ on DPDK. turnout.Switch is the way to use it."""

from collections.abc import Sequence
import enum


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

class OxmField:
    """A field of flow keys that OpenFlow can name."""

    @property
    def name(self) -> str: ...

    @property
    def oxm(self) -> int:
        """OXM header without mask bit; 0: none."""

    @property
    def nxm(self) -> int:
        """NXM header without mask bit; 0: none."""

    @property
    def offset(self) -> int:
        """In the bytes of a key."""

    @property
    def bytes(self) -> int: ...

    @property
    def shift(self) -> int:
        """Of the field in the number that these bytes are."""

    @property
    def bits(self) -> int: ...

    @property
    def maskable(self) -> bool: ...

    @property
    def writable(self) -> bool: ...

    @property
    def style(self) -> str:
        """decimal, hex, mac, ipv4 or ipv6."""

    @property
    def prereq(self) -> str:
        """What a packet must be to have it."""

def oxm_fields() -> list[OxmField]:
    """All fields that OpenFlow can name."""

def key_of(frame: bytes, in_port: int) -> bytes:
    """The flow key of a frame, as lookup() wants it."""

class FlowFormat(enum.Enum):
    """How flows are written to a controller."""

    OF10 = 0

    OF10_TABLE_ID = 1

    NXM = 2

    NXM_TABLE_ID = 3

    OXM = 4

class PacketInFormat(enum.Enum):
    """How packets are written to a controller."""

    STANDARD = 0

    NXT = 1

    NXT2 = 2

class SessionView:
    """What a session has agreed on."""

    def __init__(self, *, id: int, version: int, format: FlowFormat, may_write: bool) -> None:
        """version: as on the wire, 1, 4 or 5. may_write: not a slave."""

    @property
    def id(self) -> int: ...

    @id.setter
    def id(self, arg: int, /) -> None: ...

    @property
    def version(self) -> int: ...

    @version.setter
    def version(self, arg: int, /) -> None: ...

    @property
    def format(self) -> FlowFormat: ...

    @format.setter
    def format(self, arg: FlowFormat, /) -> None: ...

    @property
    def may_write(self) -> bool: ...

    @may_write.setter
    def may_write(self, arg: bool, /) -> None: ...

class FlowRecord:
    """A flow as it was when this was taken. Ages and timeouts: seconds."""

    @property
    def table(self) -> int: ...

    @property
    def priority(self) -> int: ...

    @property
    def cookie(self) -> int: ...

    @property
    def n_packets(self) -> int: ...

    @property
    def n_bytes(self) -> int: ...

    @property
    def age_ns(self) -> int: ...

    @property
    def idle_age(self) -> int: ...

    @property
    def hard_age(self) -> int: ...

    @property
    def idle(self) -> int: ...

    @property
    def hard(self) -> int: ...

    @property
    def importance(self) -> int: ...

    @property
    def flags(self) -> int:
        """OFPFF_* bits."""

    @property
    def match(self) -> bytes:
        """OXM entries, without a header."""

    @property
    def instructions(self) -> bytes:
        """As OpenFlow 1.3 and Nicira's extensions write them."""

class FlowEvent:
    """What happened to a flow."""

    @property
    def kind(self) -> str: ...

    @property
    def reason(self) -> int:
        """OFPRR_*, of one that is removed."""

    @property
    def session(self) -> int:
        """Who caused it; 0: nobody."""

    @property
    def xid(self) -> int: ...

    @property
    def flow(self) -> FlowRecord: ...

    def flow_removed(self, version: int, format: FlowFormat, xid: int) -> bytes:
        """The whole message."""

    def monitor_update(self, version: int, *, actions: bool, abbreviated: bool) -> bytes:
        """
        An entry of a flow monitor's reply: Nicira's in OpenFlow 1.0, else 1.4's.
        """

class PacketIn:
    """A packet for controllers."""

    @property
    def bridge(self) -> int: ...

    @property
    def controller(self) -> int:
        """The id of the controllers that it is for."""

    @property
    def max_len(self) -> int:
        """Bytes of the frame that they are to get."""

    @property
    def reason(self) -> int: ...

    @property
    def table(self) -> int: ...

    @property
    def cookie(self) -> int: ...

    @property
    def total_len(self) -> int: ...

    @property
    def in_port(self) -> int: ...

    def encode(self, version: int, format: PacketInFormat, max_len: int) -> bytes:
        """The whole message, with xid 0."""

class Tables:
    """
    A bridge's flow tables, groups and meters. Its methods are called from one thread at a time and raise EngineError
    when the bridge is gone.
    """

    def receive(self, data: bytes | bytearray | memoryview, session: SessionView) -> tuple[int, bytes]:
        """
        Carry out the whole flow_mods, group_mods, meter_mods, packet_outs and barriers that the data begins with, up to any other
        message; returns how many bytes these were, and replies.
        """

    def commit(self, messages: Sequence[bytes], session: SessionView) -> bytes:
        """
        Carry out all messages at once or none; returns the error reply for the first that fails, b"" if none does.
        """

    def statistics(self, request: bytes | bytearray | memoryview, session: SessionView) -> list[bytes]:
        """
        The replies to a request for statistics of flows, tables, groups or meters, or an error.
        """

    def expire(self) -> None:
        """Remove flows whose time is up; to be called once a second."""

    def take_events(self) -> list[FlowEvent]:
        """
        What happened since the last call to flows that ask for it, or to all if monitored.
        """

    def take_vacancies(self) -> list[tuple[int, int, int]]:
        """
        (table, OFPTR_VACANCY_*, vacancy in percent) of tables whose vacancy crossed a bound since the last call.
        """

    def monitor(self, all: bool) -> None:
        """Whether events of all flows are wanted."""

    def dump(self, table: int = 255) -> list[FlowRecord]:
        """The flows of a table, or of all."""

    def lookup(self, table: int, key: bytes) -> FlowRecord | None:
        """The flow that a packet with this key (of key_of()) meets there."""

    def configure(self, table: int, *, limit: int, evict: bool, name: str, vacancy_down: int = 0, vacancy_up: int = 0) -> None:
        """
        limit: flows. evict: make room in a full table rather than refuse. vacancy_*: percent; 0 and 0: no events.
        """

    def clear(self) -> None:
        """Remove all flows and groups, without events."""

    def miss_to_controller(self, wanted: bool) -> None:
        """
        Whether packets that no rule matches go to controllers, as OpenFlow 1.0 has it.
        """

class BridgeSpec:
    """A bridge of a topology."""

    def __init__(self, *, number: int, mac_aging: int, mac_table_size: int) -> None:
        """number: 0 to 255. mac_aging: seconds. mac_table_size: addresses."""

class PortSpec:
    """A port of a topology."""

    def __init__(self, *, number: int, bridge: int, device: int, peer: int, vlan_mode: str, tag: int, trunks: Sequence[int], ofport: int = 0, config: int = 0) -> None:
        """
        number: 1 to 4095. device: from attach(), or -1 for a patch port, whose peer is a port's number or -1.
        vlan_mode: access, trunk, native-tagged or native-untagged. trunks: VLANs; empty: all.
        ofport: its OpenFlow number in the bridge, 1 to 65279 or 4294967294 (LOCAL); 0: none. config: OFPPC_* bits.
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

    @property
    def is_static(self) -> bool:
        """It neither ages nor moves."""

class FdbTotals:
    """What a bridge's workers have done to its addresses."""

    @property
    def learned(self) -> int: ...

    @property
    def expired(self) -> int: ...

    @property
    def evicted(self) -> int: ...

    @property
    def moved(self) -> int: ...

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

    def attach_tap(self, iface: str, *, mac: str, queues: int, mtu: int, netns: str, one_queue: bool = False, owned: bool = False) -> int:
        """
        Create a kernel TAP, or attach to it; returns its id. mac: of the kernel's side, "" for its own choice. netns:
        the network namespace that it is in, "" for ours. one_queue: of the kind that Open vSwitch opens, too. owned:
        it goes at the end even if it is there now. Nothing is left behind where it raises EngineError.
        """

    def owns(self, device: int) -> bool:
        """Whether a kernel interface goes with the device."""

    def keep(self, device: int) -> None:
        """
        Have the device's kernel interface outlive it, with its addresses and routes.
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

    def fdb_add(self, bridge: int, port: int, vlan: int, mac: str) -> None:
        """Keep an address on a port for good."""

    def fdb_del(self, bridge: int, vlan: int, mac: str) -> bool:
        """Forget an address that fdb_add() keeps; False: it keeps no such one."""

    def fdb_totals(self, bridge: int) -> FdbTotals: ...

    def clear_fdb_totals(self, bridge: int) -> None: ...

    def age(self) -> None:
        """Collect expired addresses; to be called once a second."""

    def tables(self, bridge: int) -> Tables:
        """A bridge's OpenFlow tables."""

    def set_frag(self, bridge: int, mode: int) -> None:
        """
        What becomes of IP fragments: OFPC_FRAG_NORMAL, _DROP, _REASM, or Nicira's match.
        """

    def take_packet_ins(self, most: int) -> list[PacketIn]:
        """
        Carry out what packets asked of tables (learned flows); returns up to `most` packets for controllers.
        """

    def packet_in_fd(self) -> int:
        """
        A descriptor that is readable while take_packet_ins() has something to do.
        """

    def mbufs(self) -> tuple[int, int]:
        """(total, in use)"""

    def close(self) -> None:
        """
        Stop the workers, remove all devices, free the pool. A second call does nothing.
        """
