# SPDX-License-Identifier: Apache-2.0
"""What NORMAL does with a packet, for traces: the learning switch of ovs-actions(7), The OVS Normal Pipeline.

It looks addresses up and learns nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from turnout.config.model import VlanMode
from turnout.openflow.packet import Packet


@dataclass(frozen=True, slots=True)
class NormalPort:
    """A port's part in VLANs. trunks: empty for all."""

    mode: VlanMode
    tag: int = 0
    trunks: tuple[int, ...] = ()

    def carries(self, vlan: int) -> bool:
        """Whether packets of this VLAN pass here."""
        if self.mode == "access":
            return vlan == self.tag
        return not self.trunks or vlan in self.trunks or (self.mode.startswith("native") and vlan == self.tag)

    def admit(self, vid: int) -> int | None:
        """The VLAN of a packet with this tag (0: none) that comes in; None: refused."""
        if self.mode == "access":
            return None if vid else self.tag
        vlan = self.tag if not vid and self.mode != "trunk" else vid
        return vlan if self.carries(vlan) else None

    def tagged(self, vlan: int) -> bool:
        """Whether a packet of this VLAN leaves with a tag."""
        if self.mode == "access" or not vlan:
            return False
        return self.mode != "native-untagged" or vlan != self.tag


@dataclass(frozen=True, slots=True)
class Normal:
    """The learning switch. fdb: (VLAN, MAC) → port. Ports by OpenFlow number."""

    ports: Mapping[int, NormalPort]
    fdb: Mapping[tuple[int, int], int]
    no_flood: frozenset[int] = frozenset()

    def __call__(self, in_port: int, frame: bytes) -> list[tuple[int, bytes]]:
        """Where a packet goes, and as what."""
        packet = Packet(frame, {})
        vlan, chosen, _ = self._choose(in_port, packet)
        return [
            (port, self._leave(packet, vlan, self.ports[port]))
            for port in chosen
            if port in self.ports and self.ports[port].carries(vlan)
        ]

    def why(self, in_port: int, frame: bytes) -> str:
        """The reason, in Open vSwitch's words where it has the same."""
        return self._choose(in_port, Packet(frame, {}))[2]

    def _choose(self, in_port: int, packet: Packet) -> tuple[int, list[int], str]:
        """The packet's VLAN, the ports for it if they carry that, and why."""
        arrived = self.ports.get(in_port)
        vid = packet.get("vlan_tci") & 0xFFF
        if arrived is None:
            return 0, [], "no such input port, dropping"
        vlan = arrived.admit(vid)
        destination = packet.get("eth_dst")
        if vlan is None:
            return 0, [], f"the input port does not carry VLAN {vid}, dropping"
        if destination >> 4 == 0x0180C200000:  # spanning tree and the like
            return vlan, [], "packet has reserved destination MAC, dropping"
        known = None if destination >> 40 & 1 else self.fdb.get((vlan, destination))
        if known == in_port:
            return vlan, [], "learned port is input port, dropping"
        if known is not None:
            return vlan, [known], "forwarding to learned port"
        flooded = [port for port in sorted(self.ports) if port != in_port and port not in self.no_flood]
        return vlan, flooded, "no learned MAC for destination, flooding"

    @staticmethod
    def _leave(packet: Packet, vlan: int, port: NormalPort) -> bytes:
        out = packet.copy()
        if not port.tagged(vlan):
            if "vlan" in out.at:
                out.splice(12, 4, b"")
        elif "vlan" in out.at:
            out.set("vlan_tci", vlan, 0xFFF)
        else:
            out.splice(12, 0, b"\x81\x00" + vlan.to_bytes(2, "big"))
        return bytes(out.data)
