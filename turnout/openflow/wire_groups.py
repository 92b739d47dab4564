# SPDX-License-Identifier: Apache-2.0
"""Groups as OpenFlow 1.3 bytes: group_mods, and replies to group description requests."""

import struct
from typing import Final

from turnout.openflow.fields import ANY
from turnout.openflow.flow import FlowError
from turnout.openflow.interpreter import Bucket, Group
from turnout.openflow.wire_actions import decode_actions, encode_actions

KINDS: Final = ("all", "select", "indirect", "ff")
_ANY_GROUP: Final = 0xFFFFFFFF
_BUCKET: Final = struct.Struct(">HHII4x")


def _bucket(bucket: Bucket, kind: str) -> bytes:
    actions = encode_actions(bucket.actions)
    port = ANY if bucket.watch_port is None else bucket.watch_port
    group = _ANY_GROUP if bucket.watch_group is None else bucket.watch_group
    weight = bucket.weight if kind == "select" else 0
    return _BUCKET.pack(_BUCKET.size + len(actions), weight, port, group) + actions


def group_mod(number: int, group: Group, command: int = 0, xid: int = 0) -> bytes:
    """A group_mod message. command: 0 add, 1 modify, 2 delete."""
    body = struct.pack(">HBxI", command, KINDS.index(group.kind), number)
    body += b"".join(_bucket(bucket, group.kind) for bucket in group.buckets)
    return struct.pack(">BBHI", 4, 15, 8 + len(body), xid) + body


def description_request(xid: int = 0) -> bytes:
    """OFPMP_GROUP_DESC's request."""
    return struct.pack(">BBHIHH4x", 4, 18, 16, xid, 7, 0)


def decode_descriptions(reply: bytes) -> dict[int, Group]:
    """The groups of one OFPMP_GROUP_DESC reply message. Raises FlowError."""
    groups: dict[int, Group] = {}
    at = 16
    while at + 8 <= len(reply):
        length, kind, number = struct.unpack_from(">HBxI", reply, at)
        if length < 8 or at + length > len(reply) or kind >= len(KINDS):
            raise FlowError("groups: bad description")
        groups[number] = Group(KINDS[kind], _decode_buckets(reply[at + 8 : at + length]))
        at += length
    return groups


def _decode_buckets(data: bytes) -> tuple[Bucket, ...]:
    out, at = [], 0
    while at + _BUCKET.size <= len(data):
        length, weight, port, group = _BUCKET.unpack_from(data, at)
        if length < _BUCKET.size or at + length > len(data):
            raise FlowError("groups: bad bucket")
        actions = decode_actions(data[at + _BUCKET.size : at + length])
        watched = None if group == _ANY_GROUP else group
        out.append(Bucket(actions, weight, None if port == ANY else port, watched))
        at += length
    return tuple(out)
