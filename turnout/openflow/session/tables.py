# SPDX-License-Identifier: Apache-2.0
"""Flow tables as such: what they can do (table features), eviction and vacancy (table-mod, table desc,
table status).
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from turnout import _engine
from turnout.openflow.session import wire
from turnout.openflow.session.constants import ALL_TABLES, N_TABLES, OF14
from turnout.openflow.session.errors import Error, OfError
from turnout.openflow.session.messages import Message

if TYPE_CHECKING:
    from turnout.openflow.session.session import Session

_INSTRUCTIONS = (1, 2, 3, 4, 5, 6)  # goto, write-metadata, write-actions, apply-actions, clear-actions, meter
_GOTO = 1
_ACTIONS = (0, 11, 12, *range(15, 28))  # OFPAT_* of 1.3 and 1.4
_EVICTION, _VACANCY_EVENTS = 4, 8  # OFPTC_*
_EVICTION_FLAGS = 1 | 2 | 4  # OFPTMPEF_OTHER, _IMPORTANCE, _LIFETIME: what goes first, fixed
_PROP_EVICTION, _PROP_VACANCY = 2, 3  # OFPTMPT_*
_FEATURES = struct.Struct("!HB5x32sQQII")
_ALL64 = 0xFFFFFFFFFFFFFFFF

# properties of table features; of those with a variant for misses that one's number is one more
_P_INSTRUCTIONS, _P_NEXT, _P_WRITE, _P_APPLY, _P_MATCH, _P_WILDCARDS, _P_WRITE_SET, _P_APPLY_SET = (
    0,
    2,
    4,
    6,
    8,
    10,
    12,
    14,
)
_REQUIRED = {_P_INSTRUCTIONS, _P_NEXT, _P_WRITE, _P_APPLY, _P_MATCH, _P_WILDCARDS, _P_WRITE_SET, _P_APPLY_SET}
_KNOWN = _REQUIRED | {1, 3, 5, 7, 13, 15}


@dataclass(slots=True)
class Table:
    """Settings of a table. limit: flows, evict: whether a full one makes room, as a controller and the config
    have it.

    vacancy: (down, up) in percent, None while no events are wanted.
    """

    name: str = ""
    limit: int = 1_000_000
    evict_by_config: bool = False
    evict: bool = False
    vacancy: tuple[int, int] | None = None

    def vacant(self, flows: int) -> int:
        """Room left, in percent."""
        return max(0, 100 * (self.limit - flows) // self.limit) if self.limit else 0


@cache
def _common_properties(version: int) -> tuple[bytes, bytes]:
    """(instructions', all others but next tables') properties of all tables but the last."""
    fields = [f for f in _engine.oxm_fields() if _in_version(f, version)]
    writable = b"".join(struct.pack("!I", f.oxm) for f in fields if f.writable)
    match = b"".join(struct.pack("!I", f.oxm | (0x100 if f.maskable else 0)) for f in fields)
    wildcards = b"".join(struct.pack("!I", f.oxm) for f in fields)
    actions = _ids(_ACTIONS)
    rest = b""
    for miss in (0, 1):
        rest += wire.prop(_P_WRITE + miss, actions) + wire.prop(_P_WRITE_SET + miss, writable)
        rest += wire.prop(_P_APPLY + miss, actions) + wire.prop(_P_APPLY_SET + miss, writable)
    return rest, wire.prop(_P_MATCH, match) + wire.prop(_P_WILDCARDS, wildcards)


def _in_version(field: "_engine.OxmField", _version: int) -> bool:
    return bool(field.oxm)


def _ids(kinds: Iterable[int]) -> bytes:
    return b"".join(struct.pack("!HH", kind, 4) for kind in kinds)


def features_entry(number: int, table: Table, version: int) -> bytes:
    """ofp_table_features of one table."""
    later = bytes(range(number + 1, N_TABLES))
    instructions = _ids(i for i in _INSTRUCTIONS if later or i != _GOTO)
    actions, match = _common_properties(version)
    properties = b"".join(
        wire.prop(_P_INSTRUCTIONS + miss, instructions) + wire.prop(_P_NEXT + miss, later) for miss in (0, 1)
    )
    properties += actions + match
    capabilities = _EVICTION | _VACANCY_EVENTS if version >= OF14 else 0
    head = _FEATURES.pack(
        64 + len(properties),
        number,
        table.name.encode()[:31],
        _ALL64,
        _ALL64,
        capabilities,
        min(table.limit, 1_000_000),
    )
    return head + properties


def features(session: "Session", message: Message) -> None:
    """OFPMP_TABLE_FEATURES: tells, and takes names. No table can be made, removed, or made to do more."""
    tables = session.bridge.table_settings
    if wanted := dict(_decode_features(message.payload)):
        session.check_may_write()
        if len(wanted) != N_TABLES:
            raise OfError(Error.OFPTFFC_EPERM)
        for number, (name, entries) in wanted.items():
            if entries != min(tables[number].limit, 1_000_000):
                raise OfError(Error.OFPTFFC_EPERM)
            tables[number].name = name
        session.bridge.configure_tables(wanted)
    session.reply(
        wire.stats_reply(message, (features_entry(n, tables[n], message.version) for n in range(N_TABLES)))
    )


def _decode_features(body: bytes) -> Iterator[tuple[int, tuple[str, int]]]:
    """(table, (name, entries)) of each in a request."""
    at, seen = 0, set()
    while at < len(body):
        if len(body) - at < 64:
            raise OfError(Error.OFPBPC_BAD_LEN)
        length, number, name, _, _, _, entries = _FEATURES.unpack_from(body, at)
        if length < 64 or length % 8 or length > len(body) - at:
            raise OfError(Error.OFPBPC_BAD_LEN)
        if number == ALL_TABLES or number >= N_TABLES:
            raise OfError(Error.OFPTFFC_BAD_TABLE)
        found = set()
        for kind, data in wire.properties(body[at + 64 : at + length]):
            if kind not in _KNOWN:
                raise wire.unknown_property(kind)
            if kind in found:
                raise OfError(Error.OFPTFFC_BAD_FEATURES)
            found.add(kind)
            _check_features_property(kind, data[4:])
        if _REQUIRED - found:
            raise OfError(Error.OFPTFFC_BAD_FEATURES)
        if number in seen:
            raise OfError(Error.NXTFFC_DUP_TABLE)
        seen.add(number)
        yield number, (name.split(b"\0")[0].decode(errors="replace"), entries)
        at += length


def _check_features_property(kind: int, data: bytes) -> None:
    if kind in (_P_NEXT, _P_NEXT + 1):
        if ALL_TABLES in data:
            raise OfError(Error.OFPBPC_BAD_VALUE)
    elif kind in (_P_INSTRUCTIONS, _P_INSTRUCTIONS + 1):
        for number, _ in wire.properties(data, align=1):
            if number not in _INSTRUCTIONS:
                raise OfError(Error.OFPBIC_UNKNOWN_INST)
    elif kind in (_P_WRITE, _P_WRITE + 1, _P_APPLY, _P_APPLY + 1):
        for _ in wire.properties(data, align=1):
            pass
    else:
        _check_oxms(data, masks=kind == _P_MATCH)


def _check_oxms(data: bytes, *, masks: bool) -> None:
    known = {f.oxm >> 9 for f in _engine.oxm_fields()}
    if len(data) % 4:
        raise OfError(Error.OFPBMC_BAD_LEN)
    for (header,) in struct.iter_unpack("!I", data):
        if header >> 9 not in known:
            raise OfError(Error.OFPBMC_BAD_FIELD)
        if header & 0x100 and not masks:
            raise OfError(Error.OFPBMC_BAD_MASK)


def mod(session: "Session", message: Message) -> None:
    """OFPT_TABLE_MOD. 1.3's changes nothing."""
    session.check_may_write()
    number, config = struct.unpack_from("!B3xI", message.payload)
    vacancy = (0, 0)
    if message.version >= OF14:
        for kind, data in wire.properties(message.payload[8:]):
            if kind == _PROP_EVICTION:
                if len(data) != 8:
                    raise OfError(Error.OFPBPC_BAD_LEN)
                if int.from_bytes(data[4:]) != _EVICTION_FLAGS:
                    raise OfError(Error.OFPTMFC_BAD_CONFIG)
            elif kind == _PROP_VACANCY:
                vacancy = _decode_vacancy(data)
            else:
                raise OfError(Error.OFPBRC_BAD_TYPE)
    if number != ALL_TABLES and number >= N_TABLES:
        raise OfError(Error.OFPTMFC_BAD_TABLE)
    if message.version < OF14:
        return
    chosen = range(N_TABLES) if number == ALL_TABLES else (number,)
    for index in chosen:
        table = session.bridge.table_settings[index]
        table.evict = bool(config & _EVICTION)
        table.vacancy = vacancy if config & _VACANCY_EVENTS else None
    session.bridge.configure_tables(chosen)


def _decode_vacancy(data: bytes) -> tuple[int, int]:
    if len(data) != 8:
        raise OfError(Error.OFPBPC_BAD_LEN)
    down, up, now = data[4:7]
    if down > up or up > 100 or now:
        raise OfError(Error.OFPBPC_BAD_VALUE)
    return down, up


def describe(number: int, table: Table, vacancy: int) -> bytes:
    """ofp_table_desc. vacancy: room left, in percent."""
    properties = wire.prop(_PROP_EVICTION, struct.pack("!I", _EVICTION_FLAGS))
    config = _EVICTION if table.evict else 0
    if table.vacancy is not None:
        config |= _VACANCY_EVENTS
        properties += wire.prop(_PROP_VACANCY, bytes((*table.vacancy, vacancy, 0)))
    return struct.pack("!HBxI", 8 + len(properties), number, config) + properties


def desc(session: "Session", message: Message) -> None:
    """OFPMP_TABLE_DESC."""
    settings = session.bridge.table_settings
    flows = session.bridge.flows_by_table() if any(t.vacancy for t in settings) else {}
    entries = (
        describe(number, table, table.vacant(flows.get(number, 0))) for number, table in enumerate(settings)
    )
    session.reply(wire.stats_reply(message, entries))


def status(number: int, table: Table, reason: int, vacancy: int) -> bytes:
    """OFPT_TABLE_STATUS: the room left has crossed a bound."""
    return wire.message(OF14, 31, 0, struct.pack("!B7x", reason) + describe(number, table, vacancy))
