# SPDX-License-Identifier: Apache-2.0
"""The learn action's bytes (NXAST_LEARN, NXAST_LEARN2)."""

import struct
from typing import Final

from turnout.openflow import actions as a
from turnout.openflow.actions import Subfield
from turnout.openflow.fields import BY_CODE, EXPERIMENTER_ONF, FIELDS
from turnout.openflow.flow import FlowError

_LEARN: Final = struct.Struct(">HHHQHBxHH")
_IMMEDIATE, _MATCH, _LOAD, _OUTPUT = 1 << 13, 0 << 11, 1 << 11, 2 << 11


def _place(part: Subfield) -> bytes:
    cls, number = FIELDS[part.field].nxm
    size = FIELDS[part.field].size
    if cls == 0xFFFF:
        head = struct.pack(">HBBI", cls, number << 1, size + 4, EXPERIMENTER_ONF)
    else:
        head = struct.pack(">HBB", cls, number << 1, size)
    return head + struct.pack(">H", part.start)


def _spec(spec: a.LearnSpec) -> bytes:
    if isinstance(spec, a.LearnOutput):
        return struct.pack(">H", _OUTPUT | spec.source.bits) + _place(spec.source)
    kind = _MATCH if isinstance(spec, a.LearnMatch) else _LOAD
    bits = spec.to.bits
    if isinstance(spec.source, Subfield):
        return struct.pack(">H", kind | bits) + _place(spec.source) + _place(spec.to)
    immediate = spec.source.to_bytes((bits + 15) // 16 * 2, "big")
    return struct.pack(">H", _IMMEDIATE | kind | bits) + immediate + _place(spec.to)


def encode_learn(learn: a.Learn) -> tuple[int, bytes]:
    """Nicira's subtype and the bytes after it, without padding."""
    flags = learn.flags | (a.LEARN_RESULT if learn.result else 0)
    body = _LEARN.pack(
        *(learn.idle_timeout, learn.hard_timeout, learn.priority, learn.cookie, flags, learn.table),
        *(learn.fin_idle_timeout, learn.fin_hard_timeout),
    )
    subtype = 16
    if learn.limit or learn.result:
        subtype = 45
        body += struct.pack(">IHH", learn.limit, learn.result.start if learn.result else 0, 0)
        body += _place(learn.result)[:4] if learn.result else b""
    return subtype, body + b"".join(map(_spec, learn.specs))


class _Specs:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, size: int) -> bytes:
        if size > len(self.data):
            raise FlowError("learn: cut short")
        taken, self.data = self.data[:size], self.data[size:]
        return taken

    def place(self, bits: int) -> Subfield:
        cls, number, _ = struct.unpack(">HBB", self.take(4))
        if cls == 0xFFFF:
            self.take(4)
        field = BY_CODE.get((cls, number >> 1))
        if field is None:
            raise FlowError(f"learn: unknown field, class {cls:#x} number {number >> 1}")
        (start,) = struct.unpack(">H", self.take(2))
        return Subfield(field.name, start, bits)


def decode_learn(subtype: int, data: bytes) -> a.Learn:
    """The action, from the bytes after the subtype. Raises FlowError."""
    read = _Specs(data)
    idle, hard, priority, cookie, flags, table, fin_idle, fin_hard = _LEARN.unpack(read.take(_LEARN.size))
    limit, result = 0, None
    if subtype == 45:
        limit, start, _ = struct.unpack(">IHH", read.take(8))
        if flags & a.LEARN_RESULT:
            read.data = read.data[:4] + struct.pack(">H", start) + read.data[4:]
            result = read.place(1)
    specs: list[a.LearnSpec] = []
    while len(read.data) >= 2:
        (head,) = struct.unpack(">H", read.take(2))
        bits, kind = head & 0x3FF, head & 0x1800
        if not head:
            break
        if kind == _OUTPUT:
            specs.append(a.LearnOutput(read.place(bits)))
            continue
        source: Subfield | int
        if head & _IMMEDIATE:
            source = int.from_bytes(read.take((bits + 15) // 16 * 2), "big")
        else:
            source = read.place(bits)
        make = a.LearnMatch if kind == _MATCH else a.LearnLoad
        specs.append(make(read.place(bits), source))
    return a.Learn(
        table=table, idle_timeout=idle, hard_timeout=hard, fin_idle_timeout=fin_idle,
        fin_hard_timeout=fin_hard, priority=priority, cookie=cookie,
        flags=flags & ~a.LEARN_RESULT, limit=limit, result=result,
        specs=tuple(specs),
    )  # fmt: skip
