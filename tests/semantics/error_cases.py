# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: E501 a table's rows
"""One case for each error type and code that a switch can be made to answer; OpenFlow 1.3.5, section 7.4.4."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from tests.peers import wire
from tests.peers.wire import (
    DELETE,
    EXPERIMENTER,
    FLOW_MOD,
    GROUP_MOD,
    METER_MOD,
    MULTIPART_REQUEST,
    OF10,
    OF13,
    PACKET_OUT,
    QUEUE_CONFIG_REQUEST,
    ROLE_REQUEST,
    SET_CONFIG,
    TABLE_MOD,
    action,
    apply,
    bucket,
    drop_band,
    flow_mod,
    goto,
    group_mod,
    instruction,
    match,
    message,
    meter,
    meter_mod,
    multipart,
    output,
    oxm,
    packet_out,
    port_mod,
    set_field,
    write_metadata,
)  # fmt: skip


@dataclass(frozen=True)
class Refused:
    """The last of `messages` must be answered with error (`type`, `code`); those before it with none.

    `ovs` is what Open vSwitch answers where that is another, None where it takes the message.
    """

    name: str
    messages: Sequence[bytes]
    error: tuple[int, int]
    version: int = OF13
    ovs: tuple[int, int] | str | None = "the same"


def _be(value: int, size: int) -> bytes:
    return value.to_bytes(size, "big")


def _flow(*fields: bytes, do: bytes = b"", **more: int) -> bytes:
    return flow_mod(match(*fields), do, **more)


def _acts(*actions: bytes, fields: Sequence[bytes] = (), **more: int) -> bytes:
    return flow_mod(match(*fields), apply(*actions), **more)


def _bad_match(type: int, length: int, body: bytes = bytes(4)) -> bytes:
    return flow_mod(struct.pack("!HH", type, length) + body)


_IP, _ARP, _TCP = oxm(5, b"\x08\x00"), oxm(5, b"\x08\x06"), oxm(10, b"\x06")
_FRAME = bytes.fromhex("02000000000102000000000288b5") + bytes(46)
_FIX = flow_mod()[8:-8]  # the fixed part of a flow_mod

REQUESTS = [
    Refused("BAD_VERSION", [message(3, 5)], (1, 0)),
    Refused("BAD_TYPE", [message(OF13, 99)], (1, 1)),
    Refused("BAD_TYPE: a message that only switches send", [message(OF13, wire.PACKET_IN, bytes(40))], (1, 1)),
    Refused("BAD_MULTIPART", [multipart(77)], (1, 2)),
    Refused("BAD_EXPERIMENTER", [message(OF13, EXPERIMENTER, struct.pack("!II", 0x00ABCDEF, 1))], (1, 3)),
    Refused("BAD_EXPERIMENTER in a multipart", [multipart(0xFFFF, struct.pack("!II", 0x00ABCDEF, 1))], (1, 3)),
    Refused("BAD_EXP_TYPE", [message(OF13, EXPERIMENTER, struct.pack("!II", 0x2320, 9999))], (1, 4)),
    Refused("BAD_LEN: features request with a body", [message(OF13, wire.FEATURES_REQUEST, bytes(4))], (1, 6)),
    Refused("BAD_LEN: a short flow_mod", [message(OF13, FLOW_MOD, bytes(20))], (1, 6)),
    Refused("BAD_LEN: a short group_mod", [message(OF13, GROUP_MOD, bytes(4))], (1, 6)),
    Refused("BAD_LEN: a short packet_out", [message(OF13, PACKET_OUT, bytes(8))], (1, 6)),
    Refused("BAD_LEN: a short multipart", [message(OF13, MULTIPART_REQUEST, bytes(2))], (1, 6)),
    Refused("BAD_LEN: a flow stats request cut short", [multipart(1, bytes(8))], (1, 6)),
    Refused("BAD_LEN: set_config", [message(OF13, SET_CONFIG, bytes(3))], (1, 6)),
    Refused("BUFFER_UNKNOWN in a packet_out", [packet_out(b"", output(1), buffer=7)], (1, 8)),
    Refused("BUFFER_UNKNOWN in a flow_mod", [_acts(output(1), buffer=7)], (1, 8)),
    Refused("IS_SLAVE: a slave's flow_mod", [message(OF13, ROLE_REQUEST, struct.pack("!I4xQ", 3, 1)), flow_mod()], (1, 10)),
    Refused("BAD_PORT: packet_out from a reserved port", [packet_out(_FRAME, output(1), in_port=wire.FLOOD)], (1, 11)),
    Refused("BAD_PACKET: packet_out of half an Ethernet header", [packet_out(_FRAME[:7], output(1))], (1, 12), ovs=None),
]  # fmt: skip

ACTIONS = [
    Refused("BAD_TYPE", [_acts(action(999))], (2, 0)),
    Refused("BAD_LEN: output", [_acts(action(0, bytes(20)))], (2, 1)),
    Refused("BAD_LEN: not a multiple of 8", [flow_mod(match(), instruction(4, bytes(4) + struct.pack("!HH4x", 24, 12)))], (2, 1)),
    Refused("BAD_LEN: 0", [flow_mod(match(), instruction(4, bytes(4) + struct.pack("!HH4x", 24, 0)))], (2, 1)),
    Refused("BAD_LEN: beyond the list", [flow_mod(match(), instruction(4, bytes(4) + struct.pack("!HH4x", 24, 16)))], (2, 1)),
    Refused("BAD_EXPERIMENTER", [_acts(action(0xFFFF, struct.pack("!I8x", 0x00ABCDEF)))], (2, 2)),
    Refused("BAD_EXP_TYPE", [_acts(action(0xFFFF, struct.pack("!IHH", 0x2320, 9999, 0) + bytes(4)))], (2, 3)),
    Refused("BAD_OUT_PORT: ANY", [_acts(output(wire.ANY))], (2, 4)),
    Refused("BAD_OUT_PORT: between the last port and the reserved ones", [_acts(output(0xFFFFFF01))], (2, 4)),
    Refused("BAD_ARGUMENT: push_vlan of another tag", [_acts(action(17, b"\x12\x34\0\0"))], (2, 5)),
    Refused("BAD_ARGUMENT: push_mpls of another tag", [_acts(action(19, b"\x12\x34\0\0"))], (2, 5)),
    Refused("BAD_OUT_GROUP", [_acts(action(22, _be(77, 4)))], (2, 9)),
    Refused("MATCH_INCONSISTENT: set_field of IPv4 in a flow of any packet", [_acts(set_field(oxm(11, bytes(4))))], (2, 10)),
    Refused("MATCH_INCONSISTENT: pop_vlan in a flow of untagged packets", [_acts(action(18), fields=[oxm(6, b"\0\0")])], (2, 10)),
    Refused("MATCH_INCONSISTENT: set_field of a VLAN in a flow of any packet", [_acts(set_field(oxm(6, b"\x10\x05")))], (2, 10)),
    Refused("MATCH_INCONSISTENT: dec_nw_ttl in a flow of any packet", [_acts(action(24))], (2, 10)),
    Refused("BAD_SET_TYPE: a field that is not there", [_acts(set_field(oxm(99, bytes(4))))], (2, 13)),
    Refused("BAD_SET_ARGUMENT: in_port cannot be set", [_acts(set_field(oxm(0, _be(1, 4))))], (2, 15)),
    Refused("BAD_SET_ARGUMENT: eth_type cannot be set", [_acts(set_field(oxm(5, b"\x08\x00")))], (2, 15)),
    Refused("BAD_SET_LEN", [_acts(set_field(oxm(11, bytes(3))), fields=[_IP])], (2, 14)),
    Refused("BAD_SET_ARGUMENT: a VID without the present bit", [_acts(set_field(oxm(6, b"\0\5")), fields=[oxm(6, b"\x10\1")])], (2, 15)),
    Refused("BAD_SET_ARGUMENT: DSCP of seven bits", [_acts(set_field(oxm(8, b"\x40")), fields=[_IP])], (2, 15)),
]  # fmt: skip

INSTRUCTIONS = [
    Refused("UNKNOWN_INST", [_flow(do=instruction(99, bytes(4)))], (3, 0)),
    Refused("BAD_TABLE_ID: goto the same table", [_flow(do=goto(3), table=3)], (3, 2)),
    Refused("BAD_TABLE_ID: goto an earlier table", [_flow(do=goto(2), table=3)], (3, 2)),
    Refused("BAD_TABLE_ID: goto a table that is not there", [_flow(do=goto(254))], (3, 2), ovs=None),
    Refused("BAD_EXPERIMENTER", [_flow(do=instruction(0xFFFF, struct.pack("!I", 0xABCDEF)))], (3, 5)),
    Refused("BAD_LEN: goto of 16 bytes", [_flow(do=instruction(1, bytes(12)))], (3, 7)),
    Refused("BAD_LEN: 0", [_flow(do=struct.pack("!HH4x", 1, 0))], (3, 7)),
    Refused("BAD_LEN: beyond the message", [_flow(do=struct.pack("!HH4x", 4, 80))], (3, 7)),
    Refused("BAD_LEN: not a multiple of 8", [_flow(do=struct.pack("!HH12x", 2, 12))], (3, 7)),
    Refused("INVALID_METER of a meter instruction", [_flow(do=meter(77))], (12, 2)),
]  # fmt: skip

MATCHES = [
    Refused("BAD_TYPE: OFPMT_STANDARD of 1.1", [_bad_match(0, 4)], (4, 0), ovs=(4, 1)),
    Refused("BAD_TYPE", [_bad_match(7, 4)], (4, 0)),
    Refused("BAD_LEN: 3", [_bad_match(1, 3)], (4, 1)),
    Refused("BAD_LEN: beyond the message", [_bad_match(1, 60)], (4, 1)),
    Refused("BAD_LEN: a field beyond the match", [flow_mod(struct.pack("!HH", 1, 8) + oxm(0, b"")[:2] + b"\0\x08")], (4, 1)),
    Refused("BAD_LEN: in_port of 2 bytes", [_flow(oxm(0, b"\0\1"))], (4, 1), ovs=(4, 6)),
    Refused("BAD_FIELD of the basic class", [_flow(oxm(99, bytes(4)))], (4, 6)),
    Refused("BAD_FIELD of another class", [_flow(oxm(0, bytes(4), oxm_class=0x7777))], (4, 6)),
    Refused("BAD_VALUE: VID 4096 and bit 13", [_flow(oxm(6, b"\x20\0"))], (4, 7)),
    Refused("BAD_VALUE: DSCP of seven bits", [_flow(_IP, oxm(8, b"\x40"))], (4, 7)),
    Refused("BAD_VALUE: an MPLS label of 21 bits", [_flow(oxm(5, b"\x88\x47"), oxm(34, _be(1 << 20, 4)))], (4, 7)),
    Refused("BAD_MASK: in_port has none", [_flow(oxm(0, _be(1, 4), _be(3, 4)))], (4, 8)),
    Refused("BAD_MASK: eth_type has none", [_flow(oxm(5, b"\x08\0", b"\xff\0"))], (4, 8)),
    Refused("BAD_WILDCARDS: a value bit where the mask has none", [_flow(_IP, oxm(11, b"\x0a\0\0\1", b"\xff\0\0\0"))], (4, 5)),
    Refused("BAD_PREREQ: IPv4 address without its EtherType", [_flow(oxm(11, bytes(4)))], (4, 9)),
    Refused("BAD_PREREQ: TCP port without the protocol", [_flow(_IP, oxm(13, b"\0\x50"))], (4, 9)),
    Refused("BAD_PREREQ: the prerequisite comes too late", [_flow(oxm(11, b"\x0a\0\0\1"), _IP)], (4, 9)),
    Refused("BAD_PREREQ: ARP's address in IPv4", [_flow(_IP, oxm(22, bytes(4)))], (4, 9)),
    Refused("BAD_PREREQ: VLAN_PCP of untagged packets", [_flow(oxm(6, b"\0\0"), oxm(7, b"\3"))], (4, 9)),
    Refused("DUP_FIELD", [_flow(_IP, oxm(11, b"\x0a\0\0\1"), oxm(11, b"\x0a\0\0\1"))], (4, 10)),
]  # fmt: skip

FLOWS = [
    Refused("BAD_TABLE_ID: 254", [flow_mod(table=254)], (5, 2), ovs=(1, 5)),
    Refused("BAD_TABLE_ID: all tables, where one must be named", [flow_mod(table=255)], (5, 2)),
    Refused("OVERLAP", [_flow(_IP, priority=5), _flow(_IP, _TCP, priority=5, flags=2)], (5, 3)),
    Refused("BAD_COMMAND", [flow_mod(command=9)], (5, 6)),
    Refused("BAD_FLAGS", [flow_mod(flags=0x8000)], (5, 7)),
]  # fmt: skip

GROUPS = [
    Refused("GROUP_EXISTS", [group_mod(0, 0, 1), group_mod(0, 0, 1)], (6, 0)),
    Refused("INVALID_GROUP: beyond OFPG_MAX", [group_mod(0, 0, 0xFFFFFF01)], (6, 1)),
    Refused("INVALID_GROUP: indirect with two buckets", [group_mod(0, 2, 1, bucket(output(1)), bucket(output(2)))], (6, 1)),
    Refused("INVALID_GROUP: indirect without a bucket", [group_mod(0, 2, 1)], (6, 1)),
    Refused("LOOP: a group of its own", [group_mod(0, 0, 1, bucket(output(1))), group_mod(1, 0, 1, bucket(action(22, _be(1, 4))))], (6, 7), ovs=None),
    Refused("LOOP over two", [group_mod(0, 0, 1, bucket(output(1))), group_mod(0, 0, 2, bucket(action(22, _be(1, 4)))),
                              group_mod(1, 0, 1, bucket(action(22, _be(2, 4))))], (6, 7), ovs=None),
    Refused("UNKNOWN_GROUP", [group_mod(1, 0, 77)], (6, 8)),
    Refused("BAD_TYPE", [group_mod(0, 9, 1)], (6, 10)),
    Refused("BAD_COMMAND", [group_mod(9, 0, 1)], (6, 11)),
    Refused("BAD_BUCKET: its length beyond the message", [message(OF13, GROUP_MOD, struct.pack("!HBxI", 0, 0, 1) + struct.pack("!HHII4x", 64, 0, wire.ANY, wire.ANY))], (6, 12)),
    Refused("BAD_BUCKET: of 8 bytes", [message(OF13, GROUP_MOD, struct.pack("!HBxI", 0, 0, 1) + struct.pack("!HHII4x", 8, 0, wire.ANY, wire.ANY))], (6, 12)),
    Refused("INVALID_GROUP: a fast failover bucket that watches nothing", [group_mod(0, 3, 1, bucket(output(1)))], (6, 1)),
    Refused("deletion of a group that is not there is no error; then UNKNOWN_GROUP", [group_mod(2, 0, 77), group_mod(1, 0, 77)], (6, 8)),
]  # fmt: skip

PORTS = [
    Refused("BAD_PORT", [port_mod(77, bytes(6), 0, 0)], (7, 0)),
    Refused("BAD_HW_ADDR", [port_mod(1, b"\xee" * 6, 1, 1)], (7, 1)),
    Refused("queue config of a port that is not there: BAD_PORT", [message(OF13, QUEUE_CONFIG_REQUEST, struct.pack("!I4x", 77))], (9, 0)),
    Refused("queue stats of a port that is not there: BAD_PORT", [multipart(5, struct.pack("!II", 77, 0xFFFFFFFF))], (9, 0)),
    Refused("queue stats of a queue that is not there: BAD_QUEUE", [multipart(5, struct.pack("!II", 1, 5))], (9, 1)),
    Refused("table_mod of a table that is not there: BAD_TABLE", [message(OF13, TABLE_MOD, struct.pack("!B3xI", 254, 0))], (8, 0), ovs=(8, 2)),
    Refused("set_config with flags that are not there: BAD_FLAGS", [message(OF13, SET_CONFIG, b"\0\xff\0\0")], (10, 0)),
    Refused("role request: BAD_ROLE", [message(OF13, ROLE_REQUEST, struct.pack("!I4xQ", 9, 0))], (11, 2)),
    Refused("role request: STALE", [message(OF13, ROLE_REQUEST, struct.pack("!I4xQ", 2, 1000)), message(OF13, ROLE_REQUEST, struct.pack("!I4xQ", 2, 999))], (11, 0)),
]  # fmt: skip

METERS = [
    Refused("METER_EXISTS", [meter_mod(0, 1, 1, drop_band(10)), meter_mod(0, 1, 1, drop_band(10))], (12, 1)),
    Refused("INVALID_METER: 0", [meter_mod(0, 1, 0, drop_band(10))], (12, 2)),
    Refused("UNKNOWN_METER", [meter_mod(1, 1, 77, drop_band(10))], (12, 3)),
    Refused("BAD_COMMAND", [meter_mod(9, 1, 1, drop_band(10))], (12, 4)),
    Refused("BAD_FLAGS", [meter_mod(0, 0x80, 1, drop_band(10))], (12, 5)),
    Refused("BAD_FLAGS: kbps and pktps at once", [meter_mod(0, 3, 1, drop_band(10))], (12, 5)),
    Refused("BAD_BAND", [meter_mod(0, 1, 1, struct.pack("!HHII4x", 9, 16, 1, 1))], (12, 8)),
    Refused("BAD_LEN: a band beyond the message", [meter_mod(0, 1, 1, struct.pack("!HHII4x", 1, 64, 1, 1))], (1, 6)),
    Refused("BAD_LEN: a short meter_mod", [message(OF13, METER_MOD, bytes(4))], (1, 6)),
]  # fmt: skip


def _match10(wildcards: int = 0x3FFFFF) -> bytes:
    return struct.pack("!I36x", wildcards)


def _flow10(
    *actions: bytes, command: int = 0, buffer: int = wire.NO_BUFFER, flags: int = 0, wildcards: int = 0x3FFFFF
) -> bytes:
    fixed = struct.pack("!QHHHHIHH", 0, command, 0, 0, 1, buffer, 0xFFFF, flags)
    return message(OF10, FLOW_MOD, _match10(wildcards) + fixed + b"".join(actions))


def _out10(port: int) -> bytes:
    return struct.pack("!HHHH", 0, 8, port, 0xFFFF)


OLD = [
    Refused("1.0 BAD_VERSION", [message(3, 5)], (1, 0), OF10),
    Refused("1.0 BAD_TYPE", [message(OF10, 99)], (1, 1), OF10),
    Refused("1.0 BAD_STAT", [message(OF10, 16, struct.pack("!HH", 77, 0))], (1, 2), OF10),
    Refused("1.0 BAD_VENDOR", [message(OF10, 4, struct.pack("!II", 0xABCDEF, 0))], (1, 3), OF10),
    Refused("1.0 BAD_SUBTYPE", [message(OF10, 4, struct.pack("!II", 0x2320, 9999))], (1, 4), OF10),
    Refused("1.0 BAD_LEN", [message(OF10, FLOW_MOD, bytes(20))], (1, 6), OF10),
    Refused("1.0 BUFFER_UNKNOWN", [_flow10(_out10(1), buffer=5)], (1, 8), OF10),
    Refused("1.0 BAD_ACTION: BAD_TYPE", [_flow10(action(99))], (2, 0), OF10),
    Refused("1.0 BAD_ACTION: BAD_LEN", [_flow10(struct.pack("!HHHHQ", 0, 16, 1, 0, 0))], (2, 1), OF10),
    Refused("1.0 BAD_ACTION: BAD_VENDOR", [_flow10(action(0xFFFF, struct.pack("!I8x", 0xABCDEF)))], (2, 2), OF10),
    Refused("1.0 BAD_ACTION: BAD_OUT_PORT", [_flow10(_out10(0xFF01))], (2, 4), OF10),
    Refused("1.0 BAD_ACTION: BAD_ARGUMENT, VID 4096", [_flow10(struct.pack("!HHHH", 1, 8, 4096, 0))], (2, 5), OF10),
    Refused("1.0 BAD_ACTION: BAD_ARGUMENT, PCP 8", [_flow10(struct.pack("!HHB3x", 2, 8, 8))], (2, 5), OF10),
    Refused("1.0 OVERLAP", [_flow10(_out10(1)), _flow10(_out10(2), flags=2, wildcards=0x3FFFFE)], (3, 1), OF10),
    Refused("1.0 BAD_COMMAND", [_flow10(command=9)], (3, 4), OF10),
    Refused("1.0 emergency flows are not kept: ALL_TABLES_FULL", [_flow10(_out10(1), flags=4)], (3, 0), OF10),
    Refused("1.0 PORT_MOD_FAILED BAD_PORT", [message(OF10, 15, struct.pack("!H6sIII4x", 77, bytes(6), 0, 0, 0))], (4, 0), OF10),
    Refused("1.0 PORT_MOD_FAILED BAD_HW_ADDR", [message(OF10, 15, struct.pack("!H6sIII4x", 1, b"\xee" * 6, 1, 1, 0))], (4, 1), OF10),
    Refused("1.0 QUEUE_OP_FAILED BAD_PORT", [message(OF10, 20, struct.pack("!H2x", 77))], (5, 0), OF10),
]  # fmt: skip

CASES = [*REQUESTS, *ACTIONS, *INSTRUCTIONS, *MATCHES, *FLOWS, *GROUPS, *PORTS, *METERS, *OLD]
__all__ = ["CASES", "DELETE", "Refused", "write_metadata"]
