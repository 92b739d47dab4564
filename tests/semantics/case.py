# SPDX-License-Identifier: Apache-2.0
"""A case of the standard: flows, a packet in, the packets that come out of each port."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from scapy.packet import Packet

from tests.peers import wire
from tests.peers.frames import Wires, marker_flow
from tests.peers.switch import BRIDGE, Peer

UP = wire.CONTROLLER  # as a place where a packet comes out: the controller, in a packet-in
Expected = Mapping[int, Packet | Sequence[Packet]]


@dataclass(frozen=True)
class Step:
    """A packet into `port`, and what must come out of which port, nothing else of any."""

    port: int
    packet: Packet
    out: Expected


@dataclass(frozen=True)
class Case:
    """`name` begins with the section of the standard that says what `steps` show.

    `flows`, `groups` and `meters` are lines for ovs-ofctl, loaded with each of `versions`; `raw` holds
    messages for what ovs-ofctl cannot say, loaded last. `not_ovs` says why Open vSwitch does otherwise.
    """

    name: str
    flows: str
    steps: Sequence[Step]
    groups: str = ""
    meters: str = ""
    raw: Sequence[bytes] = ()
    versions: Sequence[str] = ("OpenFlow13",)
    not_ovs: str = field(default="", kw_only=True)

    def each_version(self) -> list["Case"]:
        return [replace(self, versions=(version,)) for version in self.versions]


def case(name: str, flows: str, port: int, packet: Packet, out: Expected, **more: object) -> Case:
    """A case of one packet."""
    return Case(name, flows, (Step(port, packet, out),), **more)  # type: ignore[arg-type]


def load(peer: Peer, case: Case) -> None:
    """Bring the switch into the case's state, markers' flow included."""
    version = case.versions[0]
    uses_controller = any(UP in step.out for step in case.steps)
    peer.reset(marker_flow(up=uses_controller))
    options = ("-O", version, "--no-names")
    if case.meters:
        for line in case.meters.strip().splitlines():
            peer.must(*options, "add-meter", BRIDGE, line.strip())
    if case.groups:
        peer.must(*options, "add-groups", BRIDGE, "-", stdin=_lines(case.groups))
    if case.flows:
        peer.must(*options, "add-flows", BRIDGE, "-", stdin=_lines(case.flows))
    if case.raw:
        with peer.session() as session:
            errors = session.errors(*case.raw)
        assert not errors, f"{peer.name} refuses: {errors}"
    peer.settle()


def play(peer: Peer, wires: Wires, case: Case) -> None:
    """Load the case, send its packets, compare what comes out."""
    load(peer, case)
    if any(UP in step.out for step in case.steps):
        with peer.session() as controller:
            controller.send(wire.message(wire.OF13, wire.SET_CONFIG, bytes.fromhex("0000ffff")))
            controller.ask()
            for number, step in enumerate(case.steps):
                came = wires.exchange(step.port, [bytes(step.packet)])
                if up := _packet_ins(controller):
                    came[UP] = up
                _compare(peer, case, number, step, came)
        return
    for number, step in enumerate(case.steps):
        _compare(peer, case, number, step, wires.exchange(step.port, [bytes(step.packet)]))


def _packet_ins(controller: wire.Session) -> list[bytes]:
    """Frames of the packet-ins up to the marker's."""
    frames: list[bytes] = []
    while True:
        message = controller.receive()
        if message.type != wire.PACKET_IN:
            continue
        frame = packet_in_frame(message)
        if frame[12:14] == b"\x88\xb6":
            return frames
        frames.append(frame)


def packet_in_frame(message: wire.Message) -> bytes:
    """7.4.1: the frame of a packet-in, behind its match."""
    length = int.from_bytes(message.body[18:20], "big")
    return message.body[16 + (length + 7) // 8 * 8 + 2 :]


def _compare(peer: Peer, case: Case, number: int, step: Step, came: Mapping[int, list[bytes]]) -> None:
    wanted = {
        port: [bytes(one) for one in ([packets] if isinstance(packets, Packet) else packets)]
        for port, packets in step.out.items()
    }
    if came != wanted:
        lines = [f"{peer.name}: {case.name}: packet {number + 1} into port {step.port}"]
        for port in sorted({*wanted, *came}):
            lines += [f"  port {port:#x} wanted {[frame.hex() for frame in wanted.get(port, [])]}"]
            lines += [f"  port {port:#x} came   {[frame.hex() for frame in came.get(port, [])]}"]
        raise AssertionError("\n".join(lines))


def _lines(text: str) -> str:
    return "".join(line.strip() + "\n" for line in text.splitlines() if line.strip())
