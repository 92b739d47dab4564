# SPDX-License-Identifier: Apache-2.0
"""Actions and instructions as OpenFlow 1.3 bytes, Nicira's extensions included, as ovs-ofctl writes them."""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import fields as dataclass_fields
from typing import Final

from turnout.openflow import actions as a
from turnout.openflow.actions import Action, Subfield
from turnout.openflow.fields import BY_CODE, EXPERIMENTER_ONF, FIELDS, IN_PORT, Field
from turnout.openflow.flow import FlowError
from turnout.openflow.wire_learn import decode_learn, encode_learn

NICIRA: Final = 0x2320
_EXPERIMENTER: Final = 0xFFFF

# OFPAT_*: the number, and the bytes after the 4-byte header.
_STANDARD: Final[dict[type, tuple[int, struct.Struct]]] = {
    a.Output: (0, struct.Struct(">IH6x")),
    a.CopyTtlOut: (11, struct.Struct(">4x")),
    a.CopyTtlIn: (12, struct.Struct(">4x")),
    a.SetMplsTtl: (15, struct.Struct(">B3x")),
    a.DecMplsTtl: (16, struct.Struct(">4x")),
    a.PushVlan: (17, struct.Struct(">H2x")),
    a.PopVlan: (18, struct.Struct(">4x")),
    a.PushMpls: (19, struct.Struct(">H2x")),
    a.PopMpls: (20, struct.Struct(">H2x")),
    a.SetQueue: (21, struct.Struct(">I")),
    a.Group: (22, struct.Struct(">I")),
    a.SetTtl: (23, struct.Struct(">B3x")),
    a.PushPbb: (26, struct.Struct(">H2x")),
    a.PopPbb: (27, struct.Struct(">4x")),
}
_STANDARD_BY_NUMBER: Final = {number: (kind, layout) for kind, (number, layout) in _STANDARD.items()}
_DEC_TTL: Final = 24
_SET_FIELD: Final = 25

# NXAST_* that are plain numbers: subtype, the bytes after it.
_NICIRA: Final[dict[type, tuple[int, struct.Struct]]] = {
    a.PopQueue: (5, struct.Struct(">6x")),
    a.Exit: (17, struct.Struct(">6x")),
    a.FinTimeout: (19, struct.Struct(">HH2x")),
}
_NICIRA_BY_NUMBER: Final = {number: (kind, layout) for kind, (number, layout) in _NICIRA.items()}


def _nicira(subtype: int, body: bytes) -> bytes:
    body += bytes(-(10 + len(body)) % 8)
    return struct.pack(">HHIH", _EXPERIMENTER, 10 + len(body), NICIRA, subtype) + body


def header(field: Field) -> bytes:
    """The field's header in Nicira's actions."""
    cls, number = field.nxm
    if cls == 0xFFFF:
        return struct.pack(">HBBI", cls, number << 1, 4 + field.size, EXPERIMENTER_ONF)
    return struct.pack(">HBB", cls, number << 1, field.size)


def _ofs_nbits(part: Subfield) -> int:
    return part.start << 6 | part.bits - 1


def _runs(mask: int) -> Iterator[tuple[int, int]]:
    """The runs of ones: (first bit, bits), at most 64 bits each, as a load takes them."""
    bit = 0
    while mask >> bit:
        if not mask >> bit & 1:
            bit += 1
            continue
        count = 1
        while mask >> (bit + count) & 1 and count < 64:
            count += 1
        yield bit, count
        bit += count


def _set_field(action: a.SetField) -> bytes:
    """OFPAT_SET_FIELD; with a mask, which 1.3's cannot have, loads of its runs of ones."""
    field = FIELDS[action.field]
    if action.mask is not None and action.mask & field.all_ones != field.all_ones:
        return b"".join(
            _load(action.value >> start & (1 << bits) - 1, Subfield(field.name, start, bits))
            for start, bits in _runs(action.mask & field.all_ones)
        )
    if field.oxm[0] == 0xFFFF:
        oxm = struct.pack(">HBBI", 0xFFFF, field.oxm[1] << 1, field.size + 4, EXPERIMENTER_ONF)
    else:
        size = 2 if field.name in ("in_port", "arp_op") else field.size
        oxm = struct.pack(">HBB", field.oxm[0], field.oxm[1] << 1, size)
    oxm += action.value.to_bytes(oxm[3], "big")
    return (
        struct.pack(">HH", _SET_FIELD, 4 + len(oxm) + -(4 + len(oxm)) % 8) + oxm + bytes(-(4 + len(oxm)) % 8)
    )


def _load(value: int, to: Subfield) -> bytes:
    return _nicira(7, struct.pack(">H", _ofs_nbits(to)) + header(FIELDS[to.field]) + struct.pack(">Q", value))


def _port16(port: int) -> int:
    return port & 0xFFFF


def _controller2(action: a.Controller) -> bytes:
    """NXAST_CONTROLLER2: properties, those with default values left out."""
    out = bytes(6)
    if action.max_len != 0xFFFF:
        out += struct.pack(">HHH2x", 0, 8, action.max_len)
    if action.id:
        out += struct.pack(">HHH2x", 1, 8, action.id)
    if action.reason != 1:
        out += struct.pack(">HHB3x", 2, 8, action.reason)
    if action.userdata:
        length = 4 + len(action.userdata)
        out += struct.pack(">HH", 3, length) + action.userdata + bytes(-length % 8)
    if action.pause:
        out += struct.pack(">HH4x", 4, 4)
    if action.meter is not None:
        out += struct.pack(">HHI", 5, 8, action.meter)
    return _nicira(37, out)


def encode_action(action: Action) -> bytes:
    """One action, padded to 8 bytes."""
    if found := _STANDARD.get(type(action)):
        kind, layout = found
        values = [getattr(action, field.name) for field in dataclass_fields(action)]
        return struct.pack(">HH", kind, 4 + layout.size) + layout.pack(*values)
    if found := _NICIRA.get(type(action)):
        subtype, layout = found
        return _nicira(subtype, layout.pack(*(getattr(action, f.name) for f in dataclass_fields(action))))
    match action:
        case a.SetField():
            return _set_field(action)
        case a.Load(value, to):
            return _load(value, to)
        case a.DecTtl(None):
            return struct.pack(">HH4x", _DEC_TTL, 8)
        case a.DecTtl(tuple() as ids):
            return _nicira(21, struct.pack(f">H4x{len(ids)}H", len(ids), *ids))
        case a.Move(source, to):
            places = struct.pack(">HHH", to.bits, source.start, to.start)
            return _nicira(6, places + header(FIELDS[source.field]) + header(FIELDS[to.field]))
        case a.Push(part) | a.Pop(part):
            subtype = 27 if isinstance(action, a.Push) else 28
            return _nicira(
                subtype,
                struct.pack(">H", part.start) + header(FIELDS[part.field]) + struct.pack(">H", part.bits),
            )
        case a.OutputReg(port, max_len):
            return _nicira(
                15,
                struct.pack(">H", _ofs_nbits(port))
                + header(FIELDS[port.field])
                + struct.pack(">H6x", max_len),
            )
        case a.OutputTrunc(number, max_len):
            return _nicira(39, struct.pack(">HI", _port16(number), max_len))
        case a.Controller(max_len, ident, reason, None, b"", False):
            if ident == 0 and reason == 1:
                return encode_action(a.Output(0xFFFFFFFD, max_len))
            return _nicira(20, struct.pack(">HHBx", max_len, ident, reason))
        case a.Controller():
            return _controller2(action)
        case a.Resubmit(in_port, table):
            port = _port16(IN_PORT if in_port is None else in_port)
            # NXAST_RESUBMIT, which names no table, would also do; ovs-ofctl writes it as RESUBMIT_TABLE 255
            return _nicira(14, struct.pack(">HB3x", port, 255 if table is None else table))
        case a.Note(data):
            return _nicira(8, data + bytes(-(10 + len(data)) % 8))
        case a.Conjunction(ident, clause, clauses):
            return _nicira(34, struct.pack(">BBI", clause - 1, clauses, ident))
        case a.Sample(probability, collectors, domain, point, None, _):
            return _nicira(29, struct.pack(">HIII", probability, collectors, domain, point))
        case a.Sample(probability, collectors, domain, point, port, direction):
            body = struct.pack(
                ">HIIIHB", probability, collectors, domain, point, _port16(port or 0), direction
            )
            return _nicira(41, body)
        case a.Clone(inner):
            return _nicira(42, bytes(6) + encode_actions(inner))
        case a.Multipath(hashed, basis, algorithm, links, arg, to):
            body = struct.pack(">HH2xHHI2xH", hashed, basis, algorithm, links - 1, arg, _ofs_nbits(to))
            return _nicira(10, body + header(FIELDS[to.field]))
        case a.Bundle():
            return _bundle(action)
        case a.Learn():
            kind, body = encode_learn(action)
            return _nicira(kind, body)
    raise FlowError(f"{type(action).__name__} is an instruction; it cannot be inside of other actions")


def _bundle(action: a.Bundle) -> bytes:
    place = bytes(6)
    if action.to:
        place = struct.pack(">H", _ofs_nbits(action.to)) + header(FIELDS[action.to.field])
    body = struct.pack(">HHHIH", action.algorithm, action.fields, action.basis, 2, len(action.members))
    body += place + bytes(4) + struct.pack(f">{len(action.members)}H", *map(_port16, action.members))
    return _nicira(13 if action.to else 12, body)


def encode_actions(actions: Iterable[Action]) -> bytes:
    """A list of actions."""
    return b"".join(map(encode_action, actions))


def encode_instructions(actions: tuple[Action, ...]) -> bytes:
    """The instructions of a flow: applied actions gathered, the others one each."""
    applied = encode_actions(action for action in actions if not isinstance(action, a.INSTRUCTIONS))
    parts: dict[int, bytes] = {}
    for action in actions:
        match action:
            case a.Meter(number):
                parts[0] = struct.pack(">HHI", 6, 8, number)
            case a.ClearActions():
                parts[2] = struct.pack(">HH4x", 5, 8)
            case a.WriteActions(inner):
                body = encode_actions(inner)
                parts[3] = struct.pack(">HH4x", 3, 8 + len(body)) + body
            case a.WriteMetadata(value, mask):
                parts[4] = struct.pack(">HH4xQQ", 2, 24, value, mask)
            case a.GotoTable(table):
                parts[5] = struct.pack(">HHB3x", 1, 8, table)
    if applied:
        parts[1] = struct.pack(">HH4x", 4, 8 + len(applied)) + applied
    return b"".join(parts[place] for place in sorted(parts))


class Reader:
    """Bytes taken from the front; FlowError when they are too few."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, layout: str) -> tuple[int, ...]:
        """struct.unpack of the next bytes."""
        size = struct.calcsize(layout)
        if self.at + size > len(self.data):
            raise FlowError("actions: cut short")
        values = struct.unpack_from(layout, self.data, self.at)
        self.at += size
        return values

    def rest(self) -> bytes:
        """All that is left."""
        data, self.at = self.data[self.at :], len(self.data)
        return data

    def field(self) -> Field:
        """A field's header in an action."""
        cls, number, length = self.take(">HBB")
        if cls == 0xFFFF:
            self.take(">I")
        found = BY_CODE.get((cls, number >> 1))
        if found is None or not length:
            raise FlowError(f"actions: unknown field, class {cls:#x} number {number >> 1}")
        return found

    def part(self) -> Subfield:
        """ofs_nbits and a field's header."""
        (ofs_nbits,) = self.take(">H")
        return Subfield(self.field().name, ofs_nbits >> 6, (ofs_nbits & 0x3F) + 1)


def wide_port(port: int) -> int:
    """A 16-bit port as OpenFlow 1.1 and later number it."""
    return port | 0xFFFF0000 if port >= 0xFF00 else port


def split(data: bytes, what: str) -> Iterator[tuple[int, bytes]]:
    """Type and body (header excluded) of each action or instruction."""
    at = 0
    while at < len(data):
        if at + 4 > len(data):
            raise FlowError(f"{what}: cut short")
        kind, length = struct.unpack_from(">HH", data, at)
        if length < 8 or at + length > len(data):
            raise FlowError(f"{what}: bad length {length}")
        yield kind, data[at + 4 : at + length]
        at += length


def decode_actions(data: bytes) -> tuple[Action, ...]:
    """A list of actions. Raises FlowError."""
    return tuple(_decode_action(kind, body) for kind, body in split(data, "actions"))


def _decode_action(kind: int, body: bytes) -> Action:
    if found := _STANDARD_BY_NUMBER.get(kind):
        make, layout = found
        if len(body) < layout.size:
            raise FlowError("actions: cut short")
        values = layout.unpack_from(body)
        if make is a.Output and values[0] != 0xFFFFFFFD:
            values = (values[0],)
        action: Action = make(*values)
        return action
    if kind == _DEC_TTL:
        return a.DecTtl()
    read = Reader(body)
    if kind == _SET_FIELD:
        return _decode_set_field(read)
    if kind != _EXPERIMENTER:
        raise FlowError(f"actions: unknown type {kind}")
    vendor, subtype = read.take(">IH")
    if vendor != NICIRA:
        raise FlowError(f"actions: unknown experimenter {vendor:#x}")
    if found := _NICIRA_BY_NUMBER.get(subtype):
        make, layout = found
        made: Action = make(*read.take(layout.format))
        return made
    return _decode_nicira(subtype, read)


def _decode_set_field(read: Reader) -> a.SetField:
    cls, number, length = read.take(">HBB")
    if cls == 0xFFFF:
        read.take(">I")
        length -= 4
    field = BY_CODE.get((cls, number >> 1))
    body = read.rest()[:length]
    if field is None or len(body) != length:
        raise FlowError(f"set_field: unknown field, class {cls:#x} number {number >> 1}")
    half = length >> (number & 1)
    mask = int.from_bytes(body[half:], "big") if number & 1 else None
    return a.SetField(field.name, int.from_bytes(body[:half], "big"), mask)


def _decode_nicira(subtype: int, read: Reader) -> Action:
    match subtype:
        case 1:
            return a.Resubmit(wide_port(*read.take(">H")))
        case 6:
            bits, source, to = read.take(">HHH")
            return a.Move(Subfield(read.field().name, source, bits), Subfield(read.field().name, to, bits))
        case 7:
            part = read.part()
            (value,) = read.take(">Q")
            return a.Load(value, part)
        case 8:
            return a.Note(read.rest())
        case 10:
            fields, basis, algorithm, links, arg = read.take(">HH2xHHI2x")
            return a.Multipath(fields, basis, algorithm, links + 1, arg, read.part())
        case 12 | 13:
            algorithm, fields, basis, _, count = read.take(">HHHIH")
            to_part = read.part() if subtype == 13 else None
            read.take(">4x" if to_part else ">10x")
            members = tuple(map(wide_port, read.take(f">{count}H")))
            return a.Bundle(fields, basis, algorithm, members, to_part)
        case 14:
            port, table = read.take(">HB3x")
            in_port = None if port == 0xFFF8 else wide_port(port)
            return a.Resubmit(in_port, None if table == 255 else table)
        case 15:
            part = read.part()
            return a.OutputReg(part, *read.take(">H"))
        case 16 | 45:
            return decode_learn(subtype, read.rest())
        case 20:
            max_len, ident, reason = read.take(">HHB")
            return a.Controller(max_len, ident, reason)
        case 21:
            (count,) = read.take(">H4x")
            return a.DecTtl(read.take(f">{count}H"))
        case 27 | 28:
            (start,) = read.take(">H")
            part = Subfield(read.field().name, start, *read.take(">H"))
            return a.Push(part) if subtype == 27 else a.Pop(part)
        case 29:
            return a.Sample(*read.take(">HIII"))
        case 33:
            read.take(">6x")
            return _decode_set_field(read)
        case 34:
            clause, clauses, ident = read.take(">BBI")
            return a.Conjunction(ident, clause + 1, clauses)
        case 37:
            return _decode_controller2(read)
        case 39:
            port, max_len = read.take(">HI")
            return a.OutputTrunc(wide_port(port), max_len)
        case 41:
            probability, collectors, domain, point, port, direction = read.take(">HIIIHB")
            return a.Sample(probability, collectors, domain, point, wide_port(port), direction)
        case 42:
            read.take(">6x")
            return a.Clone(decode_actions(read.rest()))
    raise FlowError(f"actions: unknown Nicira action {subtype}")


def _decode_controller2(read: Reader) -> a.Controller:
    read.take(">6x")
    max_len, ident, reason, meter, userdata, pause = 0xFFFF, 0, 1, None, b"", False
    while read.at + 4 <= len(read.data):
        kind, length = read.take(">HH")
        body = Reader(bytes(read.data[read.at : read.at + length - 4]))
        read.at += length - 4 + -length % 8
        if length < 4:
            raise FlowError("controller: bad property")
        match kind:
            case 0:
                (max_len,) = body.take(">H")
            case 1:
                (ident,) = body.take(">H")
            case 2:
                (reason,) = body.take(">B")
            case 3:
                userdata = body.rest()
            case 4:
                pause = True
            case 5:
                (meter,) = body.take(">I")
    return a.Controller(max_len, ident, reason, meter, userdata, pause)


def decode_instructions(data: bytes) -> tuple[Action, ...]:
    """Instructions as one sequence of actions. Raises FlowError."""
    out: list[Action] = []
    for kind, body in split(data, "instructions"):
        read = Reader(body)
        match kind:
            case 1:
                out.append(a.GotoTable(*read.take(">B")))
            case 2:
                out.append(a.WriteMetadata(*read.take(">4xQQ")))
            case 3:
                out.append(a.WriteActions(decode_actions(body[4:])))
            case 4:
                out += decode_actions(body[4:])
            case 5:
                out.append(a.ClearActions())
            case 6:
                out.append(a.Meter(*read.take(">I")))
            case _:
                raise FlowError(f"instructions: unknown type {kind}")
    return tuple(out)
