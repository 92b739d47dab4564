# SPDX-License-Identifier: Apache-2.0
"""Matches as far as flow monitors need them: whether one covers another, and whether instructions output
somewhere.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from turnout import _engine
from turnout.openflow.session.constants import ONF_VENDOR, port_from_wire10
from turnout.openflow.session.errors import Error, OfError

_KEY = 288  # [B] room for all fields of a flow key
_IN_PORT, _IN_PORT_NXM = "in_port", "in_port_nxm"
_OPENFLOW_CLASS, _EXPERIMENTER_CLASS = 0x8000, 0xFFFF


@dataclass(frozen=True, slots=True)
class Fields:
    """A match as bits of the flow key, whatever fields said them."""

    value: int = 0
    mask: int = 0

    def covers(self, other: "Fields") -> bool:
        """Whether all packets of `other` match this."""
        return not self.mask & ~other.mask and not (self.value ^ other.value) & self.mask


@cache
def _by_header() -> "dict[int, _engine.OxmField]":
    """Fields by OXM or NXM class and number."""
    return {header >> 9: f for f in _engine.oxm_fields() for header in (f.oxm, f.nxm) if header}


@cache
def _in_port() -> "_engine.OxmField":
    return next(f for f in _engine.oxm_fields() if f.name == _IN_PORT)


def parse(entries: bytes) -> Fields:
    """NXM or OXM entries. OfError for what no match may have."""
    all_values = all_masks = 0
    at = 0
    while at < len(entries):
        if len(entries) - at < 4:
            raise OfError(Error.OFPBMC_BAD_LEN)
        (header,) = struct.unpack_from("!I", entries, at)
        end = at + 4 + (header & 0xFF)
        if end > len(entries):
            raise OfError(Error.OFPBMC_BAD_LEN)
        field, payload = _field(header, entries[at + 4 : end])
        masked = bool(header & 0x100)
        size = len(payload) // 2 if masked else len(payload)
        value = int.from_bytes(payload[:size])
        mask = int.from_bytes(payload[size:]) if masked else (1 << size * 8) - 1
        if field.name == _IN_PORT_NXM:  # 16 bits of the 32
            field, value, mask = _in_port(), port_from_wire10(value & 0xFFFF), 0xFFFFFFFF
        low = field.shift + 8 * (_KEY - field.offset - field.bytes)
        mask &= (1 << field.bits) - 1
        all_masks |= mask << low
        all_values |= (value & mask) << low
        at = end
    return Fields(all_values, all_masks)


def _field(header: int, payload: bytes) -> "tuple[_engine.OxmField, bytes]":
    """The field of an entry, and its value and mask."""
    number = header >> 9
    if header >> 16 == _EXPERIMENTER_CLASS:
        if int.from_bytes(payload[:4]) != ONF_VENDOR:
            raise OfError(Error.OFPBMC_BAD_FIELD)
        number, payload = _OPENFLOW_CLASS << 7 | number & 0x7F, payload[4:]
    if number not in _by_header():
        raise OfError(Error.OFPBMC_BAD_FIELD)
    return _by_header()[number], payload


def outputs(instructions: bytes, *, port: int | None = None, group: int | None = None) -> bool:
    """Whether an action in 1.3's `instructions` outputs to the port, or to the group."""
    for kind, data in _tlvs(instructions):
        if kind not in (3, 4):  # write-actions, apply-actions
            continue
        for action, body in _tlvs(data[8:]):
            if action == 0 and port is not None and int.from_bytes(body[4:8]) == port:
                return True
            if action == 22 and group is not None and int.from_bytes(body[4:8]) == group:
                return True
    return False


def _tlvs(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(data):
        kind, length = struct.unpack_from("!HH", data, at)
        if length < 4:
            return
        yield kind, data[at : at + length]
        at += length
