# SPDX-License-Identifier: Apache-2.0
"""A packet as the reference interpreter sees it: where its headers are, its fields, how its bytes change.

Naive on purpose: after each change of structure the whole frame is looked at again. What a packet does not
carry reads as 0, and setting it does nothing. A header that is cut short or contradicts itself ends the
parse, as Open vSwitch has it (engine/parse/parse.hpp says the same of ours).
"""

from typing import Final, NamedTuple

from turnout.openflow.checksum import add_to_checksum, sctp_crc
from turnout.openflow.fields import ARP, IPV4, IPV6, MPLS, MPLS_MULTICAST, PBB, RARP

_VLAN_TYPES: Final = (0x8100, 0x88A8)
_NO_TYPE: Final = 0x05FF
_EXTENSIONS: Final = (0, 43, 44, 51, 60)
_EXTENSION_BITS: Final = {59: 1, 50: 2, 51: 4, 60: 8, 44: 16, 43: 32, 0: 64}
_EXTENSION_ORDER: Final = (0, 60, 43, 44, 51, 50)
_REPEATED, _OUT_OF_ORDER = 128, 256
_MAX_EXTENSIONS: Final = 16
METADATA: Final = frozenset(
    (
        *("in_port_oxm", "in_phy_port", "metadata", "tun_id", "tun_src", "tun_dst", "tun_ipv6_src"),
        *("tun_ipv6_dst", "tun_flags", "pkt_mark", "conj_id", "actset_output"),
        *(f"reg{i}" for i in range(16)),
    )
)
"""Fields that travel beside the packet."""


class Place(NamedTuple):
    """Where a field lies: in which header, which bytes of it, and how far left in them."""

    header: str
    offset: int
    size: int
    shift: int
    bits: int


def _places() -> dict[str, tuple[Place, ...]]:
    rows = """
    eth_dst eth 0 6; eth_src eth 6 6; vlan_tci vlan 0 2; vlan_vid vlan 0 2 0 12; vlan_pcp vlan 0 2 13 3
    mpls_label mpls 0 4 12 20; mpls_tc mpls 0 4 9 3; mpls_bos mpls 0 4 8 1; mpls_ttl mpls 0 4 0 8
    pbb_isid pbb 1 3
    arp_op arp 6 2; arp_sha arp 8 6; arp_spa arp 14 4; arp_tha arp 18 6; arp_tpa arp 24 4
    ip_src ipv4 12 4; ip_dst ipv4 16 4; ipv6_src ipv6 8 16; ipv6_dst ipv6 24 16; ipv6_label ipv6 0 4 0 20
    nw_tos ipv4 1 1 0 8; ip_dscp ipv4 1 1 2 6; nw_ecn ipv4 1 1 0 2; nw_ttl ipv4 8 1
    nw_tos ipv6 0 4 20 8; ip_dscp ipv6 0 4 22 6; nw_ecn ipv6 0 4 20 2; nw_ttl ipv6 7 1
    tcp_src tcp 0 2; tcp_dst tcp 2 2; tcp_flags tcp 12 2 0 12; udp_src udp 0 2; udp_dst udp 2 2
    sctp_src sctp 0 2; sctp_dst sctp 2 2; icmp_type icmp 0 1; icmp_code icmp 1 1
    icmpv6_type icmpv6 0 1; icmpv6_code icmpv6 1 1; nd_target nd 0 16; nd_sll nd_sll 0 6; nd_tll nd_tll 0 6
    """
    out: dict[str, tuple[Place, ...]] = {}
    for row in rows.replace("\n", ";").split(";"):
        if words := row.split():
            name, header, *numbers = words
            offset, size, shift, bits = [*map(int, numbers), *(0, 8 * int(numbers[1]))][:4]
            out[name] = (*out.get(name, ()), Place(header, offset, size, shift, bits))
    return out


PLACES: Final = _places()
_ETH_TYPES: Final = {"ipv4": IPV4, "ipv6": IPV6}
_L4: Final = {6: ("tcp", 20), 17: ("udp", 8), 132: ("sctp", 12)}


class Packet:
    """A frame and what travels with it.

    at: header name → its offset in the frame; "ip" has what follows Ethernet, tags and MPLS.

    A broken IP header has fields all the same, as in Open vSwitch: they are 0, and what is set in them is
    kept beside the packet until that is parsed anew.
    """

    def __init__(self, data: bytes, meta: dict[str, int]) -> None:
        self.data = bytearray(data)
        self.meta = meta
        self._cache: dict[str, int] = {}
        self._beside: dict[str, int] = {}
        self.parse()

    def copy(self) -> "Packet":
        """An independent one."""
        new = Packet.__new__(Packet)
        new.data, new.meta = bytearray(self.data), dict(self.meta)
        new._cache, new._beside = dict(self._cache), dict(self._beside)
        new.at, new.eth_type = self.at, self.eth_type
        new.protocol, new.frag, new.extensions, new.l4 = self.protocol, self.frag, self.extensions, self.l4
        return new

    # ------------------------------------------------------------------------------------------------- parse

    def parse(self) -> None:
        """Finds the headers anew."""
        self._cache.clear()
        self._beside.clear()
        self.at: dict[str, int] = {}
        self.eth_type = self.protocol = self.frag = self.extensions = 0
        self.l4 = 0
        data = self.data
        if len(data) < 14:
            return
        self.at["eth"] = 0
        at = 12
        for header in ("vlan", "vlan2"):
            if int.from_bytes(data[at : at + 2], "big") not in _VLAN_TYPES or len(data) < at + 6:
                break
            self.at[header] = at + 2
            at += 4
        self.eth_type, at = self._type(at)
        self.at["l3"] = at
        if self.eth_type in (MPLS, MPLS_MULTICAST):
            if len(data) >= at + 4:
                self.at["mpls"] = at
        elif self.eth_type == PBB:
            if len(data) >= at + 4:
                self.at["pbb"] = at
        elif self.eth_type in (ARP, RARP):
            if len(data) >= at + 28 and data[at : at + 6] == b"\x00\x01\x08\x00\x06\x04":
                self.at["arp"] = at
        elif self.eth_type == IPV4:
            self._ipv4(at)
        elif self.eth_type == IPV6:
            self._ipv6(at)

    def _type(self, at: int) -> tuple[int, int]:
        """EtherType, behind SNAP if the frame has a length in its place, and where what follows begins."""
        data = self.data
        value = int.from_bytes(data[at : at + 2], "big")
        if value >= 0x0600:
            return value, at + 2
        if len(data) >= at + 10 and data[at + 2 : at + 8] == b"\xaa\xaa\x03\x00\x00\x00":
            snap = int.from_bytes(data[at + 8 : at + 10], "big")
            if snap >= 0x0600:
                return snap, at + 10
        return _NO_TYPE, at + 2

    def _ipv4(self, at: int) -> None:
        data = self.data
        if len(data) < at + 20:
            return
        header, total = (data[at] & 15) * 4, int.from_bytes(data[at + 2 : at + 4], "big")
        if header < 20 or total < header or total > len(data) - at:
            return
        self.at["ipv4"] = at
        fragment = int.from_bytes(data[at + 6 : at + 8], "big")
        self.frag = 3 if fragment & 0x1FFF else 1 if fragment & 0x2000 else 0
        self.protocol = data[at + 9]
        self._transport(at + header, at + total)

    def _ipv6(self, at: int) -> None:
        data = self.data
        if len(data) < at + 40:
            return
        end = at + 40 + int.from_bytes(data[at + 4 : at + 6], "big")
        if end > len(data):
            return
        self.at["ipv6"] = at
        following, place = data[at + 6], at + 40
        self._seen: list[int] = []
        self._rank = 0
        for _ in range(_MAX_EXTENSIONS + 1):
            self._extension(following)
            if following not in _EXTENSIONS:
                self.protocol = following
                self._transport(place, end)
                return
            if place + 8 > end:
                break
            length = (
                8
                if following == 44
                else (data[place + 1] + 2) * 4
                if following == 51
                else (data[place + 1] + 1) * 8
            )
            if place + length > end:
                break
            if following == 43 and data[place + 3]:
                self.at["routing"] = place
            if following == 44:
                fragment = int.from_bytes(data[place + 2 : place + 4], "big")
                self.frag = 3 if fragment & 0xFFF8 else 1 if fragment & 1 else self.frag
                if self.frag == 3:
                    self.protocol = (
                        44  # what it carries is said by the first fragment (ovs-fields(7), nw_proto)
                    )
                    return
            following, place = data[place], place + length
        self.frag = self.protocol = self.extensions = 0  # a bad chain leaves nothing but the addresses

    def _extension(self, following: int) -> None:
        """OFPIEH_* (1.3.5, 7.2.3.8): which there are, if one is repeated or out of RFC 8200's order."""
        bit = _EXTENSION_BITS.get(following, 0)
        limit = 2 if following == 60 else 1
        if self._seen.count(following) >= limit:
            self.extensions |= _REPEATED
        if bit and following != 59:
            final = following == 60 and any(header != 0 for header in self._seen)
            rank = 6 if final else _EXTENSION_ORDER.index(following)
            if rank < self._rank:
                self.extensions |= _OUT_OF_ORDER
            self._rank = max(rank, self._rank)
            self._seen.append(following)
        self.extensions |= bit

    def _transport(self, at: int, end: int) -> None:
        self.l4 = at
        if self.frag == 3:
            return
        data, room = self.data, end - at
        if self.protocol in _L4:
            header, least = _L4[self.protocol]
            sound = header != "tcp" or room >= 20 <= (data[at + 12] >> 4) * 4 <= room
            if room >= least and sound:
                self.at[header] = at
        elif self.protocol == 1 and "ipv4" in self.at and room >= 8:
            self.at["icmp"] = at
        elif self.protocol == 58 and "ipv6" in self.at and room >= 8:
            self.at["icmpv6"] = at
            if data[at] in (135, 136) and not data[at + 1] and room >= 24:
                self._neighbour(at + 8, end)

    def _neighbour(self, at: int, end: int) -> None:
        """Neighbour discovery's target and link-layer address."""
        data = self.data
        self.at["nd"], place = at, at + 16
        kind, name = (1, "nd_sll") if data[at - 8] == 135 else (2, "nd_tll")
        while place + 8 <= end:
            length = data[place + 1] * 8
            if not length or place + length > end:
                return
            if data[place] in (1, 2) and length == 8:
                if name in self.at:  # the same address twice: Open vSwitch trusts none of it
                    del self.at["nd"], self.at[name]
                    return
                if data[place] == kind:
                    self.at[name] = place + 2
            place += length

    # ------------------------------------------------------------------------------------------------ fields

    def has(self, name: str) -> bool:
        """Whether the packet has the field."""
        if name in METADATA or name.startswith(("xreg", "xxreg")) or name in ("in_port", "eth_type"):
            return True
        if name in ("nw_proto", "ip_frag"):
            return self.eth_type in (IPV4, IPV6)
        return self.broken(name) or any(place.header in self.at for place in PLACES.get(name, ()))

    def broken(self, name: str) -> bool:
        """Whether it is a field of an IP header that ought to be there and is not."""
        expected = {
            place.header for place in PLACES.get(name, ()) if _ETH_TYPES.get(place.header) == self.eth_type
        }
        return bool(expected) and not expected & self.at.keys()

    def get(self, name: str) -> int:
        """A field's value; 0 for what is not there. vlan_tci has bit 12 set if there is a tag."""
        value = self._cache.get(name)
        if value is None:
            value = self._cache[name] = self._read(name)
        return value

    def _read(self, name: str) -> int:
        if name == "in_phy_port":
            return self.meta.get(name, self.meta.get("in_port_oxm", 0))
        if name in METADATA:
            return self.meta.get(name, 0)
        match name:
            case "eth_type":
                return self.eth_type
            case "nw_proto":
                return self.protocol
            case "ip_frag":
                return self.frag
            case "ipv6_exthdr":
                return self.extensions
            case "in_port":
                return self.meta.get("in_port_oxm", 0) & 0xFFFF
        if name.startswith(("xreg", "xxreg")):
            return self._wide(name)
        for place in PLACES.get(name, ()):
            base = self.at.get(place.header)
            if base is not None:
                start = base + place.offset
                number = int.from_bytes(self.data[start : start + place.size], "big")
                value = number >> place.shift & (1 << place.bits) - 1
                if name == "arp_op" and value > 0xFF:
                    return 0  # and knows no greater opcode
                return value | 0x1000 if name == "vlan_tci" else value
        if name == "nw_tos":
            return self._beside.get("ip_dscp", 0) << 2 | self._beside.get("nw_ecn", 0)
        return self._beside.get(name, 0)

    @staticmethod
    def _registers(name: str) -> list[str]:
        count = 2 if name.startswith("xreg") else 4
        first = int(name.lstrip("xreg")) * count
        return [f"reg{first + i}" for i in range(count)]

    def _wide(self, name: str) -> int:
        value = 0
        for register in self._registers(name):
            value = value << 32 | self.meta.get(register, 0)
        return value

    def set(self, name: str, value: int, mask: int) -> bool:
        """Sets the bits in mask, and the checksums that cover them. False: the packet has no such field."""
        if name in METADATA or name in ("in_port",):
            name = "in_port_oxm" if name == "in_port" else name
            self.meta[name] = self.meta.get(name, 0) & ~mask | value & mask
            self._cache.clear()
            return True
        if name.startswith(("xreg", "xxreg")):
            registers = self._registers(name)
            for i, register in enumerate(reversed(registers)):
                part = mask >> 32 * i & 0xFFFFFFFF
                self.meta[register] = self.meta.get(register, 0) & ~part | value >> 32 * i & part
            self._cache.clear()
            return True
        if name == "arp_op":
            mask &= 0xFF  # Open vSwitch keeps eight bits of it
        if name == "nw_tos":  # the DSCP in its place; the ECN beside it is another field
            mask &= 0xFC
        if name == "vlan_tci":  # bit 12 says that there is a tag; on the wire it is another's
            mask &= 0xEFFF
        for place in PLACES.get(name, ()):
            base = self.at.get(place.header)
            if base is not None:
                self._write(place, base + place.offset, value, mask)
                return True
        if not self.broken(name):
            return False
        if name == "nw_tos":
            name, value, mask = "ip_dscp", value >> 2, mask >> 2
        self._beside[name] = self._beside.get(name, 0) & ~mask | value & mask
        self._cache.clear()
        return True

    def _write(self, place: Place, start: int, value: int, mask: int) -> None:
        mask = (mask & (1 << place.bits) - 1) << place.shift
        old = self.data[start : start + place.size]
        number = int.from_bytes(old, "big") & ~mask | value << place.shift & mask
        self.replace(place.header, start, number.to_bytes(place.size, "big"))

    def replace(self, header: str, start: int, new: bytes) -> None:
        """Other bytes in the place of as many of this header, and the checksums that cover them."""
        data, old = self.data, bytes(self.data[start : start + len(new)])
        if old == new:
            return
        before = sctp_crc(data[self.l4 : self._end()]) if header == "sctp" else 0
        data[start : start + len(new)] = new
        if header == "ipv4":
            add_to_checksum(data, self.at["ipv4"] + 10, start - self.at["ipv4"], old, new)
        if header in ("ipv4", "ipv6") and self._in_pseudo_header(header, start):
            self._fix_transport(0, old, new, pseudo=True)
        elif header in ("tcp", "udp", "icmp", "icmpv6", "nd", "nd_sll", "nd_tll"):
            self._fix_transport(start - self.l4, old, new)
        elif header == "sctp":
            crc = int.from_bytes(data[self.l4 + 8 : self.l4 + 12], "little")
            crc ^= before ^ sctp_crc(data[self.l4 : self._end()])
            data[self.l4 + 8 : self.l4 + 12] = crc.to_bytes(4, "little")
        if header in ("icmp", "icmpv6", "mpls"):
            self.parse()  # what a neighbour discovery message carries hangs on its type
        self._cache.clear()

    def _end(self) -> int:
        """Where the IP packet ends; padding follows."""
        at = self.at.get("ipv4")
        if at is not None:
            return at + int.from_bytes(self.data[at + 2 : at + 4], "big")
        at = self.at["ipv6"]
        return at + 40 + int.from_bytes(self.data[at + 4 : at + 6], "big")

    def _in_pseudo_header(self, header: str, start: int) -> bool:
        offset = start - self.at[header]
        if header == "ipv4":
            return 12 <= offset < 20
        return 8 <= offset < 24 or (24 <= offset < 40 and "routing" not in self.at)

    def _fix_transport(self, offset: int, old: bytes, new: bytes, *, pseudo: bool = False) -> None:
        """The L4 checksum after a change at this (even or odd) offset of what it covers."""
        for header, at in (("tcp", 16), ("udp", 6), ("icmp", 2), ("icmpv6", 2)):
            if header not in self.at:
                continue
            if header == "icmp" and pseudo:
                return  # IPv4's ICMP covers no addresses
            place = self.l4 + at
            if header == "udp" and self.data[place : place + 2] == b"\0\0":
                return  # the sender did without
            add_to_checksum(self.data, place, offset, old, new)
            if header == "udp" and self.data[place : place + 2] == b"\0\0":
                self.data[place : place + 2] = b"\xff\xff"

    # --------------------------------------------------------------------------------------------- structure

    def splice(self, at: int, remove: int, insert: bytes) -> None:
        """Takes bytes out and puts others in their place."""
        self.data[at : at + remove] = insert
        self.parse()

    def set_type(self, eth_type: int) -> None:
        """The EtherType in front of L3."""
        at = self.at["l3"] - 2
        self.data[at : at + 2] = eth_type.to_bytes(2, "big")
        self.parse()

    def hide(self, name: str) -> None:
        """Makes a field read as 0 until the next change."""
        self._cache[name] = 0
