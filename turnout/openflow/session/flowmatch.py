# SPDX-License-Identifier: Apache-2.0
"""Matches as far as flow monitors need them: whether one covers another, and whether instructions output
somewhere.
"""

import struct
from collections.abc import Iterator
from functools import cache

from turnout import _engine
from turnout.openflow.session.errors import Error, OfError

Fields = dict[str, tuple[int, int]]  # field → value, mask

_EXPERIMENTER_CLASS = 0xFFFF


@cache
def _by_header() -> dict[int, tuple[str, int]]:
    """OXM or NXM header without length and mask bit → the field's name, and how many bytes its value has."""
    found: dict[int, tuple[str, int]] = {}
    for field in _engine.oxm_fields():
        for header in (field.oxm, field.nxm):
            if header:
                found[header >> 9] = (field.name, header & 0xFF)
    return found


def parse(entries: bytes) -> Fields:
    """NXM or OXM entries. OfError for what no match may have."""
    fields: Fields = {}
    at = 0
    while at < len(entries):
        if len(entries) - at < 4:
            raise OfError(Error.OFPBMC_BAD_LEN)
        (header,) = struct.unpack_from("!I", entries, at)
        masked, length = bool(header & 0x100), header & 0xFF
        if len(entries) - at - 4 < length:
            raise OfError(Error.OFPBMC_BAD_LEN)
        if header >> 9 not in _by_header():
            raise OfError(Error.OFPBMC_BAD_FIELD)
        name, _ = _by_header()[header >> 9]
        payload = entries[at + 4 : at + 4 + length]
        if header >> 16 == _EXPERIMENTER_CLASS:
            payload = payload[4:]
        size = len(payload) // 2 if masked else len(payload)
        value = int.from_bytes(payload[:size])
        mask = int.from_bytes(payload[size:]) if masked else (1 << size * 8) - 1
        fields[name] = (value & mask, mask)
        at += 4 + length
    return fields


def covers(wide: Fields, narrow: Fields) -> bool:
    """Whether all packets of `narrow` match `wide`."""
    for name, (value, mask) in wide.items():
        their_value, their_mask = narrow.get(name, (0, 0))
        if mask & ~their_mask or (their_value ^ value) & mask:
            return False
    return True


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
