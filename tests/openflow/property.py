# SPDX-License-Identifier: Apache-2.0
"""The engine beside the interpreter: random rules, random packets, the same frames out of the same ports.

    python -m tests.openflow.property --packets 100000 --seed 1

Packets go through a real datapath: read from one pcap file per port, written to another. A packet's last
bytes number it, so that outputs find their packet in whatever order they were sent. A failing case is made
small and printed: rules, packet, both outcomes.
"""

import argparse
import struct
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tests.openflow.generate import PORTS, TAIL, Generator, World, tagged
from turnout import _engine
from turnout.openflow import text, wire
from turnout.openflow.interpreter import Bridge, Port, run
from turnout.openflow.rules import Rules
from turnout.openflow.wire_errors import explain
from turnout.openflow.wire_groups import group_mod

Frame = tuple[int, bytes]  # port, frame
PER_WORLD: Final = 1000
_PCAP = struct.Struct(">IHHiIII").pack(0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
_DEADLINE = 60.0  # s, for one world's packets


class Difference(Exception):
    """The engine did otherwise than the interpreter; the text shows the smallest case found."""


def expected(world: World, packets: Sequence[Frame]) -> list[list[Frame]]:
    """What the interpreter sends for each packet; a switch may send in another order (ovs-actions(7))."""
    ports = {number: Port(number) for number in PORTS}
    bridge = Bridge(Rules(world.flows), world.groups, ports, choose=lambda _packet, _n: 0)
    return [sorted((s.port, s.frame) for s in run(bridge, frame, port).sent) for port, frame in packets]


def write_pcap(path: Path, frames: Iterable[bytes]) -> None:
    """A pcap file of these frames."""
    with path.open("wb") as file:
        file.write(_PCAP)
        for frame in frames:
            file.write(struct.pack(">IIII", 0, 0, len(frame), len(frame)) + frame)


def read_pcap(path: Path) -> Iterator[bytes]:
    """The frames of a pcap file that this machine's libpcap wrote."""
    data, at = path.read_bytes(), 24
    while at + 16 <= len(data):
        (length,) = struct.unpack_from("=I", data, at + 8)
        yield data[at + 16 : at + 16 + length]
        at += 16 + length


class Engine:
    """A datapath with a bridge of four pcap ports, made anew for each batch of packets."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not _engine.eal_started():
            memory = ["--no-huge", "-m", "256", "--no-shconf"]
            apart = ["--no-pci", "--no-telemetry", "--file-prefix", "turnout-property"]
            _engine.start_eal(["--lcores", "0@0", *apart, *memory])
        self.datapath = _engine.Datapath(cores=[0], mbufs=16383, mtu=2000, spin_us=50)
        self.refused: dict[str, str] = {}
        self.bridge = _engine.BridgeSpec(number=0, mac_aging=300, mac_table_size=1024)
        self.datapath.publish([self.bridge], [], [])

    def close(self) -> None:
        """Ends the datapath."""
        self.datapath.close()

    def outcomes(self, world: World, packets: Sequence[Frame]) -> list[list[Frame]]:
        """What the datapath sends for each packet, by port. Raises AssertionError where it refuses a rule."""
        devices = [self._attach(port, [frame for to, frame in packets if to == port]) for port in PORTS]
        ports = [
            _engine.PortSpec(
                number=port,
                bridge=0,
                device=device,
                peer=-1,
                vlan_mode="trunk",
                tag=0,
                trunks=[],
                ofport=port,
            )
            for port, device in zip(PORTS, devices, strict=True)
        ]
        self.datapath.publish([self.bridge], ports, [])
        self.load(world)
        queues = [_engine.QueueSpec(port=port, queue=0, worker=0) for port in PORTS]
        self.datapath.publish([self.bridge], ports, queues)
        self._await(len(packets))
        self.datapath.publish([self.bridge], [], [])
        for device in devices:
            self.datapath.detach(device)
        came: dict[int, list[Frame]] = defaultdict(list)
        for port in PORTS:
            for frame in read_pcap(self.folder / f"out{port}"):
                came[int.from_bytes(frame[-TAIL:], "big")].append((port, frame))
        return [sorted(came[ident]) for ident in range(len(packets))]

    def _attach(self, port: int, frames: list[bytes]) -> int:
        write_pcap(self.folder / f"in{port}", frames)
        (self.folder / f"out{port}").unlink(missing_ok=True)
        args = f"net_pcap{port},rx_pcap={self.folder}/in{port},tx_pcap={self.folder}/out{port}"
        return self.datapath.attach(args, rxqs=1, txqs=1, rx_desc=256, tx_desc=256, mtu=1500, netns="")

    def load(self, world: World) -> World:
        """Puts the world's groups and flows into the tables; returns it without what the engine refuses."""
        tables = self.datapath.tables(0)
        tables.clear()
        session = _engine.SessionView(id=1, version=4, format=_engine.FlowFormat.OXM, may_write=True)
        groups = sorted(world.groups.items())  # a group's buckets name earlier ones alone
        taken = World()
        for number, group in groups:
            message = group_mod(number, group)
            assert tables.receive(message, session) == (len(message), b""), f"refused: {group}"
            taken.groups[number] = group
        for flow in world.flows:
            message = wire.flow_mod(flow)
            consumed, replies = tables.receive(message, session)
            assert consumed == len(message), "the engine leaves a message to others"
            if not replies:
                taken.flows.append(flow)
            elif text.format_flow(flow) not in self.refused:
                self.refused[text.format_flow(flow)] = explain(replies)
        return taken

    def _await(self, count: int) -> None:
        end = time.monotonic() + _DEADLINE
        while sum(counters.rx_packets for counters in self.datapath.port_counters()) < count:
            assert time.monotonic() < end, "the datapath does not take the packets"
            time.sleep(0.002)


@dataclass
class Check:
    """Runs worlds until enough packets have passed."""

    engine: Engine
    seed: int

    def world(self, number: int, count: int) -> None:
        """One world and its packets. Raises Difference."""
        generator = Generator(self.seed * 1_000_003 + number)
        world = self.engine.load(generator.world())
        packets = []
        for ident in range(count):
            port, frame = generator.packet(world)
            packets.append((port, tagged(frame, ident)))
        wanted, came = expected(world, packets), self.engine.outcomes(world, packets)
        for ident, (one, other) in enumerate(zip(wanted, came, strict=True)):
            if one != other:
                raise Difference(self._explain(number, world, packets[ident]))

    def _differs(self, world: World, packet: Frame) -> bool:
        packet = (packet[0], tagged(packet[1], 0))
        if len(self.engine.load(world).flows) < len(world.flows):
            return False  # what the engine refuses shows nothing
        return expected(world, [packet]) != self.engine.outcomes(world, [packet])

    def _explain(self, number: int, world: World, packet: Frame) -> str:
        """The case with all taken away that it does not need."""
        if self._differs(world, packet):
            for flow in list(world.flows):
                less = World([f for f in world.flows if f is not flow], world.groups)
                world = less if self._differs(less, packet) else world
            for index, flow in enumerate(world.flows):
                for place in reversed(range(len(flow.actions))):
                    flow = world.flows[index]
                    fewer = replace(flow, actions=flow.actions[:place] + flow.actions[place + 1 :])
                    less = World([*world.flows[:index], fewer, *world.flows[index + 1 :]], world.groups)
                    world = less if self._differs(less, packet) else world
        else:
            number = -number  # it needs its companions
        packet = (packet[0], tagged(packet[1], 0))
        shown = "\n".join(
            [f"seed {self.seed}, world {number}, packet into port {packet[0]}:", packet[1].hex(), str(world)]
        )
        sides = (
            ("interpreter", expected(world, [packet])),
            ("engine", self.engine.outcomes(world, [packet])),
        )
        for name, outcome in sides:
            shown += f"\n{name}:" + "".join(f"\n  {port} {frame.hex()}" for port, frame in outcome[0])
        return shown


def check(packets: int, seed: int, *, report: bool = False) -> int:
    """Sends at least this many packets through both; returns how many. Raises Difference."""
    with tempfile.TemporaryDirectory(prefix="turnout-property-") as folder:
        engine = Engine(Path(folder))
        try:
            done, number, start = 0, 0, time.monotonic()
            while done < packets:
                Check(engine, seed).world(number, min(PER_WORLD, packets - done))
                done, number = done + PER_WORLD, number + 1
                if report:
                    rate = done / (time.monotonic() - start)
                    print(f"\r{done} packets, {number} worlds, {rate:.0f} packets/s", end="", flush=True)
        finally:
            engine.close()
    return done


def main() -> None:
    """The command: exits 1 with the smallest failing case."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--packets", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    try:
        check(options.packets, options.seed, report=sys.stderr.isatty())
    except Difference as difference:
        sys.exit(str(difference))
    print(f"{options.packets} packets, seed {options.seed}: the engine and the interpreter agree")


if __name__ == "__main__":
    main()
