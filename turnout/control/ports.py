# SPDX-License-Identifier: Apache-2.0
"""Port types: which options each takes, the DPDK devargs they become, and what must hold before a device is
made.

Devargs are built from checked values only: an option with a comma, white space or brackets never reaches
DPDK.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from turnout.config.model import Config, Port
from turnout.control import host
from turnout.errors import ConfigError

Check = Callable[[str], str | None]  # an option's value → what is wrong with it, or None
Options = Mapping[str, str]

_MAC = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")
_UNSAFE = re.compile(r"[,\s\[\]\"'=\x00-\x1f\x7f]")
_PAGE = 4096


def _path(text: str) -> str | None:
    if not text.startswith("/"):
        return f"expected an absolute path, got {text!r}"
    return None


def _socket(text: str) -> str | None:
    if len(text.encode()) > 107:
        return f"a Unix socket's path has at most 107 bytes, this has {len(text.encode())}; use a shorter one"
    return _path(text)


def _netdev(text: str) -> str | None:
    good = 1 <= len(text.encode()) <= 15 and not set(text) & set("/%:") and text not in (".", "..")
    return None if good else f"expected an interface name of 1..15 bytes, without / % and :, got {text!r}"


def check_mac(text: str) -> str | None:
    """What is wrong with a MAC address for a port; None: nothing."""
    if not _MAC.fullmatch(text):
        return f"expected a MAC address such as 02:00:00:00:00:01, got {text!r}"
    return None if int(text[:2], 16) % 2 == 0 else f"expected a unicast MAC address, got {text!r}"


def _word(text: str) -> str | None:
    return None if text else "empty"


def _one_of(*choices: str) -> Check:
    return lambda text: None if text in choices else f"expected {' or '.join(choices)}, got {text!r}"


def _number(low: int, high: int) -> Check:
    def check(text: str) -> str | None:
        ok = re.fullmatch(r"\d{1,9}", text) and low <= int(text) <= high
        return None if ok else f"expected {low}..{high}, got {text!r}"

    return check


_flag = _one_of("0", "1")


@dataclass(frozen=True)
class Place:
    """What a device's making needs to know beside its port."""

    number: int  # the port's; makes the device's name unique in the process
    run_dir: Path
    workers: int


@dataclass(frozen=True)
class Device:
    """What the engine's attach() takes, or attach_tap() if `tap` names an interface: then without devargs.

    claim: what only one device of a process can own, "" for nothing. below: the kernel interface of our
    namespace that it is on top of and has not made. one_queue: a TAP of the kind with one queue, which Open
    vSwitch opens as well. owned: its interface is ours, whoever made it.
    """

    devargs: str
    rxqs: int
    txqs: int
    rx_desc: int
    tx_desc: int
    mtu: int
    netns: str = ""
    claim: str = ""
    tap: str = ""
    below: str = ""
    mac: str = ""
    one_queue: bool = False
    owned: bool = False


@dataclass(frozen=True, kw_only=True)
class PortType:
    """A port type.

    fill: what the user left out. together: what is wrong with the options as a set. before: what the host has
    against it, asked right before a device is made. claim: what only one device of the process can own.
    """

    help: str
    driver: str = ""
    options: Mapping[str, Check] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    fill: Callable[[Port, Place], dict[str, str]] = lambda _port, _place: {}
    together: Callable[[Options], str | None] = lambda _options: None
    before: Callable[[Options], str | None] = lambda _options: None
    claim: Callable[[Options], str] = lambda _options: ""
    max_rxq: int = 1
    desc: int = 512  # ring size unless the port says another


def _vhost(client: int) -> Callable[[Port, Place], dict[str, str]]:
    def fill(port: Port, place: Place) -> dict[str, str]:
        path = str(place.run_dir / port.name)
        return {
            "path": path,
            "queues": str(port.n_rxq),
            "client": str(client),
            "tso": "1",
            # what a guest leaves to be done is marked as tx wants it: it passes through to the next
            "legacy-ol-flags": "1",
        }

    return fill


def _af_packet(port: Port, _place: Place) -> dict[str, str]:
    # A slot holds 66 bytes of the kernel's, the Ethernet header and a tag. The driver expects slots back to
    # back, the kernel blocks of whole pages: a block is their common multiple, of 32 slots at most.
    frame = -(-(port.mtu + 66 + 18) // 128) * 128
    block = math.lcm(frame, _PAGE)
    return {"iface": port.name, "qpairs": str(port.n_rxq), "framesz": str(frame), "blocksz": str(block)}


def af_packet_mtu(buffer: int) -> int:
    """The largest MTU that an af_packet port can have where a packet buffer holds the MTU `buffer`: a slot of
    the ring goes into one.
    """
    room = -(-(buffer + 22) // 64) * 64  # as the engine makes them
    return (room + 32) // 128 * 128 - 84


def _iface_claim(options: Options) -> str:
    return f"interface {options['iface']}" + (f" in {options['netns']}" if options.get("netns") else "")


_VHOST_OPTIONS: Mapping[str, Check] = {
    "path": _socket,
    "tso": _flag,
    "iommu-support": _flag,
    "postcopy-support": _flag,
    "linear-buffer": _flag,
    "ext-buffer": _flag,
}

_TAP = PortType(
    help="a kernel interface that the switch makes",
    options={"iface": _netdev, "mac": check_mac, "netns": _word},
    fill=lambda port, _place: {"iface": port.name, "mac": host.stable_mac(port.name)},
    before=lambda o: host.tap_possible(o["iface"], o.get("netns", "")),
    claim=_iface_claim,
    max_rxq=64,
)

TYPES: Mapping[str, PortType] = {
    "vhost-user": PortType(
        help="a guest's virtio NIC; the switch makes the socket",
        driver="net_vhost",
        options=_VHOST_OPTIONS,
        fill=_vhost(client=0),
        before=lambda o: host.free_socket(o["path"]),
        claim=lambda o: f"socket {o['path']}",
        max_rxq=64,
    ),
    "vhost-user-client": PortType(
        help="a guest's virtio NIC; the guest (QEMU) makes the socket, the switch reconnects",
        driver="net_vhost",
        options=_VHOST_OPTIONS,
        fill=_vhost(client=1),
        before=lambda o: host.peer_socket(o["path"]),
        claim=lambda o: f"socket {o['path']}",
        max_rxq=64,
    ),
    "tap": _TAP,
    "internal": replace(
        _TAP, help="a kernel interface of the host's; named like its bridge: OpenFlow's LOCAL"
    ),
    "af_packet": PortType(
        help="a kernel interface that exists, such as a veth",
        driver="net_af_packet",
        options={"iface": _netdev, "framecnt": _number(16, 65536), "qdisc_bypass": _flag, "netns": _word},
        fill=_af_packet,
        before=lambda o: host.interface(o["iface"], o.get("netns", "")),
        claim=_iface_claim,
        max_rxq=16,
    ),
    "af_xdp": PortType(
        help="a kernel interface's queues through XDP sockets",
        driver="net_af_xdp",
        options={
            "iface": _netdev,
            "start_queue": _number(0, 1023),
            "xdp_prog": _path,
            "force_copy": _flag,
            "busy_budget": _number(0, 65535),
        },
        fill=lambda port, _place: {"iface": port.name, "start_queue": "0", "queue_count": str(port.n_rxq)},
        before=lambda o: host.interface(o["iface"], ""),
        claim=_iface_claim,
        max_rxq=64,
        desc=2048,  # the fill ring that the driver expects
    ),
    "memif": PortType(
        help="shared memory with another process (VPP, DPDK, libmemif)",
        driver="net_memif",
        options={
            "socket": _socket,
            "role": _one_of("server", "client"),
            "id": _number(0, 65535),
            "bsize": _number(64, 65535),
            "rsize": _number(6, 14),
            "secret": _word,
            "zero-copy": _one_of("yes", "no"),
        },
        fill=lambda port, place: {
            "role": "server",
            "id": "0",
            "socket": str(place.run_dir / port.name),
            "socket-abstract": "no",
        },
        before=lambda o: host.free_socket(o["socket"]) if o["role"] == "server" else None,
        claim=lambda o: f"socket {o['socket']}",
        max_rxq=16,
    ),
    "pcap": PortType(
        help="replays rx_pcap, records to tx_pcap, or both on a kernel interface",
        driver="net_pcap",
        options={"rx_pcap": _path, "tx_pcap": _path, "iface": _netdev, "infinite_rx": _flag},
        together=lambda o: (
            None if o.keys() - {"infinite_rx"} else "nothing to do; set rx_pcap, tx_pcap or iface"
        ),
        before=host.pcap_files,
    ),
    "null": PortType(
        help="swallows all; with options:no-rx=0 it also makes packets",
        driver="net_null",
        options={"no-rx": _flag, "size": _number(60, 9000), "copy": _flag},
        fill=lambda _port, _place: {"no-rx": "1"},
        together=lambda o: "copy needs no-rx=0" if o.get("copy") == "1" and o["no-rx"] == "1" else None,
        max_rxq=64,
    ),
    "patch": PortType(
        help="one end of a wire to a patch port of another bridge",
        options={"peer": _word},
        required=("peer",),
    ),
    "dpdk": PortType(
        help="a PCI NIC by address, or any DPDK device by its devargs",
        options={"dpdk-devargs": _word},
        required=("dpdk-devargs",),
        before=lambda o: host.pci_device(o["dpdk-devargs"]),
        claim=lambda o: f"device {o['dpdk-devargs'].split(',')[0]}",
        max_rxq=64,
        desc=1024,
    ),
}

_DRIVER_NAMES = {"net_vhost": {"path": "iface"}}  # our option → the driver's name for it
_NOT_DEVARGS = {"netns"}
_TAPS = ("tap", "internal")
_ON_TOP = ("af_packet", "af_xdp")


def options_of(port: Port, place: Place) -> dict[str, str]:
    """The port's options with defaults filled in, checked. ConfigError says which is wrong."""
    where = f"port.{port.name}"
    kind = TYPES.get(port.type)
    if kind is None:
        raise ConfigError(f"{where}.type", f"no such port type {port.type!r}; there are: {', '.join(TYPES)}")
    for key in port.options:
        if key not in kind.options:
            known = ", ".join(kind.options)
            raise ConfigError(
                f"{where}.options.{key}", f"no such option of type {port.type}; there are: {known}"
            )
    for key in kind.required:
        if key not in port.options:
            raise ConfigError(f"{where}.options.{key}", f"missing; a port of type {port.type} needs it")
    options = {**kind.fill(port, place), **port.options}
    for key, text in options.items():
        if key != "dpdk-devargs" and (unsafe := _UNSAFE.search(text)):
            raise ConfigError(
                f"{where}.options.{key}", f"{text!r} has {unsafe[0]!r} in it, which DPDK cannot take"
            )
    for key, check in kind.options.items():
        if key in options and (problem := check(options[key])):
            raise ConfigError(f"{where}.options.{key}", problem)
    if problem := kind.together(options):
        raise ConfigError(f"{where}.options", problem)
    if port.n_rxq > kind.max_rxq:
        raise ConfigError(
            f"{where}.n-rxq", f"expected 1..{kind.max_rxq} for type {port.type}, got {port.n_rxq}"
        )
    return options


def device(port: Port, place: Place) -> Device | None:
    """What to attach for `port`; None for a patch port, which has no device. ConfigError: a wrong option."""
    if port.mtu == 0:
        own = host.interface_mtu(port.options.get("iface", port.name)) if port.type in _ON_TOP else None
        port = replace(port, mtu=own or Port.mtu)
    options = options_of(port, place)
    kind = TYPES[port.type]
    if port.type == "patch":
        return None
    if port.type in ("dpdk", *_TAPS):
        devargs = options.get("dpdk-devargs", "")
    else:
        names = _DRIVER_NAMES.get(kind.driver, {})
        pairs = (f"{names.get(key, key)}={text}" for key, text in options.items() if key not in _NOT_DEVARGS)
        devargs = ",".join([f"{kind.driver}{place.number}", *pairs])
    return Device(
        devargs=devargs,
        rxqs=port.n_rxq,
        # virtual devices come in queue pairs; a NIC gives each worker a tx queue of its own
        txqs=place.workers if port.type == "dpdk" else port.n_rxq,
        rx_desc=port.n_rxq_desc or kind.desc,
        tx_desc=port.n_txq_desc or kind.desc,
        mtu=port.mtu,
        netns=options.get("netns", ""),
        claim=kind.claim(options),
        tap=options["iface"] if port.type in _TAPS else "",
        below=options["iface"] if port.type in _ON_TOP and not options.get("netns") else "",
        mac=options.get("mac", ""),
        one_queue=port.type == "internal" and port.n_rxq == 1,
        owned=port.type == "internal",
    )


def check_host(port: Port, place: Place) -> None:
    """Looks, right before a device is made, whether the host allows it; ConfigError if not."""
    if problem := TYPES[port.type].before(options_of(port, place)):
        raise ConfigError(f"port.{port.name}", problem)


def check_pins(port: Port, cores: tuple[int, ...]) -> None:
    """ConfigError if the port pins a queue to a core that has no worker."""
    for core in port.pins.values():
        if core not in cores:
            have = ", ".join(map(str, cores))
            raise ConfigError(
                f"port.{port.name}.rxq-affinity", f"no worker on core {core}; workers are on: {have}"
            )


def claims(config: Config, place: Place, known: Mapping[str, str]) -> dict[str, str]:
    """What only one port can own, by port. ConfigError if two claim the same, or for a wrong option: what no
    dataclass can check. known: of ports that have been looked at.
    """
    found: dict[str, str] = {}
    owners: dict[str, str] = {}
    for bridge in config.bridges:
        try:
            for port in bridge.ports:
                claim = known[port.name] if port.name in known else claim_of(port, place)
                found[port.name] = claim
                if claim and claim in owners:
                    raise ConfigError(f"port.{port.name}", f"{claim} already belongs to port {owners[claim]}")
                owners[claim] = port.name
        except ConfigError as error:
            raise error.within(f"bridge.{bridge.name}") from None
    return found


def claim_of(port: Port, place: Place) -> str:
    """What only this port can own, such as "socket /run/vm1.sock", or "". ConfigError: a wrong option."""
    made = device(port, place)
    return made.claim if made else ""
