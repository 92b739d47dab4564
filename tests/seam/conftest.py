# SPDX-License-Identifier: Apache-2.0
"""The engine through its Python seam, on TAPs in a namespace: frames go in by one wire and out by others.

EAL runs on ordinary memory here, so that the sanitizer build can watch it all.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from turnout import _engine
from turnout.control.openflow.agent import normal_flow
from turnout.lab.frames import FrameSocket
from turnout.lab.netns import Namespace


@pytest.fixture(scope="session", autouse=True)
def _eal() -> None:
    # --no-shconf stands for --in-memory, which DPDK refuses beside --no-huge.
    memory = ["--no-huge", "-m", "256", "--no-shconf"]
    apart = ["--no-pci", "--no-telemetry", "--file-prefix", "turnout-seam"]
    _engine.start_eal(["--lcores", "0@0", *apart, *memory])


@pytest.fixture
def datapath() -> Iterator[_engine.Datapath]:
    """One worker on core 0, which sleeps when idle."""
    made = _engine.Datapath(cores=[0], mbufs=16383, mtu=2000, spin_us=50)
    yield made
    made.close()


def learning_switch(datapath: _engine.Datapath, bridge: int) -> None:
    """Has the bridge send everything to NORMAL, as the daemon does with one that no controller has."""
    session = _engine.SessionView(id=0, version=4, format=_engine.FlowFormat.OXM, may_write=True)
    datapath.tables(bridge).receive(normal_flow(add=True), session)


@dataclass
class Bench:
    """A datapath with wires: one published topology, changed a piece at a time."""

    datapath: _engine.Datapath
    namespace: Namespace
    bridges: dict[int, _engine.BridgeSpec] = field(default_factory=dict)
    ports: dict[int, _engine.PortSpec] = field(default_factory=dict)
    queues: dict[int, _engine.QueueSpec] = field(default_factory=dict)
    wires: dict[int, FrameSocket] = field(default_factory=dict)
    devices: dict[int, int] = field(default_factory=dict)

    def publish(self) -> None:
        bridges, ports, queues = self.bridges.values(), self.ports.values(), self.queues.values()
        self.datapath.publish(list(bridges), list(ports), list(queues))

    def bridge(self, number: int = 0, *, aging: int = 300) -> None:
        """A learning switch, or other settings of one that is there."""
        new = number not in self.bridges
        self.bridges[number] = _engine.BridgeSpec(number=number, mac_aging=aging, mac_table_size=1024)
        if new:
            self.publish()
            learning_switch(self.datapath, number)

    def port(
        self,
        number: int,
        *,
        bridge: int = 0,
        device: int = -1,
        peer: int = -1,
        mode: str = "trunk",
        tag: int = 0,
        trunks: Sequence[int] = (),
    ) -> None:
        self.ports[number] = _engine.PortSpec(
            number=number,
            bridge=bridge,
            device=device,
            peer=peer,
            vlan_mode=mode,
            tag=tag,
            trunks=list(trunks),
        )

    def wire(
        self,
        number: int,
        *,
        bridge: int = 0,
        mode: str = "trunk",
        tag: int = 0,
        trunks: Sequence[int] = (),
        mtu: int = 1500,
    ) -> FrameSocket:
        """A port on a TAP, published, and the socket at the TAP's far side."""
        name = f"w{number}"
        device = self.datapath.attach_tap(name, mac="", queues=1, mtu=mtu, netns=self.namespace.name)
        self.devices[number] = device
        self.port(number, bridge=bridge, device=device, mode=mode, tag=tag, trunks=trunks)
        self.queues[number] = _engine.QueueSpec(port=number, queue=0, worker=0)
        self.publish()
        self.wires[number] = FrameSocket(self.namespace, name)
        return self.wires[number]

    def unplug(self, number: int) -> None:
        """Removes a wire's port and device."""
        del self.ports[number]
        del self.queues[number]
        self.publish()
        self.wires.pop(number).__exit__()
        self.datapath.detach(self.devices.pop(number))

    def drops(self) -> dict[tuple[int, str], int]:
        """Packets by (port, reason)."""
        return {(drop.port, drop.reason): drop.packets for drop in self.datapath.drops()}


@pytest.fixture
def bench(datapath: _engine.Datapath) -> Iterator[Bench]:
    """One bridge, number 0, without ports."""
    with Namespace("seam") as namespace:
        # The kernel is to say nothing of its own on the wires.
        namespace.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
        made = Bench(datapath, namespace)
        made.bridge()
        made.publish()
        yield made
        for wire in made.wires.values():
            wire.__exit__()
        datapath.close()


def mac(station: int) -> bytes:
    """A locally administered unicast address."""
    return bytes([2, 0, 0, 0, 0, station])


BROADCAST = b"\xff" * 6


def frame(dst: bytes, src: bytes, *, tci: int | None = None, payload: bytes = b"", size: int = 60) -> bytes:
    """A frame of an experimental EtherType (0x88b5), padded to `size` bytes."""
    tag = b"" if tci is None else b"\x81\x00" + tci.to_bytes(2, "big")
    return (dst + src + tag + b"\x88\xb5" + payload).ljust(size, b"\0")
