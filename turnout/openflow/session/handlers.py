# SPDX-License-Identifier: Apache-2.0
"""What each kind of message does, a short function each; longer ones have files of their own. The table is
at the end.
"""

import struct
from collections.abc import Mapping

from turnout import _engine
from turnout.openflow.session import bundle, monitor, ports, roles, tables, wire
from turnout.openflow.session.constants import (
    MISS_SEND_LEN,
    N_TABLES,
    OF10,
    OF13,
    OF14,
    PORT_ANY,
    PacketInReason,
    Role,
    port_to_wire10,
)
from turnout.openflow.session.errors import Error, OfError
from turnout.openflow.session.messages import Kind, Message
from turnout.openflow.session.roles import Async
from turnout.openflow.session.session import Handler, Session

_FLOW_STATS, _TABLE_STATS, _PORT_STATS, _GROUP_STATS, _QUEUE_STATS, _ARP_MATCH_IP, _BUNDLES = (
    *(1, 2, 4, 8),
    *(0x40, 0x80, 0x200),
)
_CAPABILITIES = {
    OF10: _FLOW_STATS | _TABLE_STATS | _PORT_STATS | _QUEUE_STATS | _ARP_MATCH_IP,
    OF13: _FLOW_STATS | _TABLE_STATS | _PORT_STATS | _GROUP_STATS | _QUEUE_STATS,
}
_CAPABILITIES[OF14] = _CAPABILITIES[OF13] | _BUNDLES
_ACTIONS10 = 0xFFF  # OFPAT_OUTPUT to OFPAT_ENQUEUE

_FRAG_MASK, _INVALID_TTL = 3, 4  # OFPC_*
_PACKET_IN_FORMATS = {
    0: _engine.PacketInFormat.STANDARD,
    1: _engine.PacketInFormat.NXT,
    2: _engine.PacketInFormat.NXT2,
}
_FLOW_FORMATS = {0: False, 2: True}  # NXFF_OPENFLOW10, NXFF_NXM
_LARGEST = 65535


def _ignore(_session: Session, _message: Message) -> None:
    """Errors and echo replies say enough by having come; NXT_FLOW_AGE asks for what is always on."""


def _echo(session: Session, message: Message) -> None:
    session.send(wire.message(message.data[0], 3, message.xid, message.payload))


def _features(session: Session, message: Message) -> None:
    version = message.version
    fixed = struct.pack("!QIBB2x", session.bridge.datapath_id, 0, N_TABLES, 0)
    if version != OF10:
        body = fixed + struct.pack("!II", _CAPABILITIES[version], 0)
    else:
        body = fixed + struct.pack("!II", _CAPABILITIES[version], _ACTIONS10)
        for port in ports.in_order(session.bridge.ports()):
            description = ports.describe(port, version)
            if len(body) + len(description) + 8 > _LARGEST:
                break  # the controller then asks for OFPST_PORT_DESC
            body += description
    session.send(wire.message(version, 6, message.xid, body))


def _get_config(session: Session, message: Message) -> None:
    flags = session.bridge.frag
    master = session.async_config.masks[0][Async.PACKET_IN]
    if message.version < OF13 and master & 1 << PacketInReason.INVALID_TTL:
        flags |= _INVALID_TTL
    session.send(
        wire.message(message.version, 8, message.xid, struct.pack("!HH", flags, session.miss_send_len))
    )


def _set_config(session: Session, message: Message) -> None:
    flags, miss_send_len = struct.unpack("!HH", message.payload)
    ttl = message.version < OF13
    if flags & ~(_FRAG_MASK | (_INVALID_TTL if ttl else 0)):
        raise OfError(Error.OFPSCFC_BAD_FLAGS)
    if session.service or session.role is not Role.SLAVE:
        session.bridge.set_frag(flags & _FRAG_MASK)
    if ttl:
        bit = 1 << PacketInReason.INVALID_TTL
        masks = session.async_config.masks[0]
        masks[Async.PACKET_IN] = masks[Async.PACKET_IN] & ~bit | (bit if flags & _INVALID_TTL else 0)
    session.miss_send_len = miss_send_len
    session.bridge.wants_changed()


def _barrier(session: Session, message: Message) -> None:
    session.send(wire.message(message.version, message.data[1] + 1, message.xid))


def _port_mod(session: Session, message: Message) -> None:
    session.check_may_write()
    mod = ports.decode_mod(message)
    session.bridge.set_port_config(session.bridge.check_port_mod(mod), session)


# --- roles and asynchronous messages


def _role(session: Session, message: Message) -> None:
    number, generation = struct.unpack("!I4xQ", message.payload)
    if number > Role.SLAVE:
        raise OfError(Error.OFPRRFC_BAD_ROLE)
    role, bridge = Role(number), session.bridge
    if role in (Role.MASTER, Role.SLAVE):
        bridge.check_generation(generation)
    if role is not Role.NOCHANGE:
        bridge.set_role(session, role)
    current = 0xFFFFFFFFFFFFFFFF if bridge.generation is None else bridge.generation
    session.send(wire.message(message.version, 25, message.xid, struct.pack("!I4xQ", session.role, current)))


def _nx_role(session: Session, message: Message) -> None:
    (number,) = struct.unpack("!I", message.payload)
    if number > 2:
        raise OfError(Error.OFPRRFC_BAD_ROLE)
    session.bridge.set_role(session, Role(number + 1))
    session.send(wire.nicira(message.version, 11, message.xid, struct.pack("!I", session.role - 1)))


def _set_async(session: Session, message: Message) -> None:
    session.async_config = roles.decode(message, session.async_config)
    if session.service and not session.miss_send_len:
        session.miss_send_len = MISS_SEND_LEN
    session.bridge.wants_changed()


def _get_async(session: Session, message: Message) -> None:
    session.send(roles.encode_reply(session.async_config, message.version, message.xid))


# --- Nicira's settings


def _flow_format(session: Session, message: Message) -> None:
    (number,) = struct.unpack("!I", message.payload)
    if number not in _FLOW_FORMATS:
        raise OfError(Error.OFPBRC_EPERM)
    session.set_flow_format(nxm=_FLOW_FORMATS[number])


def _flow_mod_table_id(session: Session, message: Message) -> None:
    session.set_flow_format(table_id=bool(message.payload[0]))


def _packet_in_format(session: Session, message: Message) -> None:
    (number,) = struct.unpack("!I", message.payload)
    if number not in _PACKET_IN_FORMATS:
        raise OfError(Error.OFPBRC_EPERM)
    session.packet_in_format = _PACKET_IN_FORMATS[number]


def _controller_id(session: Session, message: Message) -> None:
    zeros, number = struct.unpack("!6sH", message.payload)
    if any(zeros):
        raise OfError(Error.NXBRC_MUST_BE_ZERO)
    session.controller_id = number
    session.bridge.wants_changed()


def _resume(_session: Session, _message: Message) -> None:
    raise OfError(Error.NXR_NOT_SUPPORTED)  # nothing here pauses a packet


# --- statistics


def _native_stats(session: Session, message: Message) -> None:
    session.reply(session.bridge.tables.statistics(message.data, session.view))


def _desc(session: Session, message: Message) -> None:
    entry = struct.pack("!256s256s256s32s256s", *(text.encode() for text in session.bridge.description))
    session.reply(wire.stats_reply(message, [entry]))


def _port_stats(session: Session, message: Message) -> None:
    wanted = ports.decode_stats_request(message)
    counters = session.bridge.port_counters()
    chosen = [n for n in counters if wanted in (PORT_ANY, n)]
    entries = (ports.encode_stats(n, counters[n], message.version) for n in chosen)
    session.reply(wire.stats_reply(message, entries))


def _port_desc(session: Session, message: Message) -> None:
    entries = (ports.describe(p, message.version) for p in ports.in_order(session.bridge.ports()))
    session.reply(wire.stats_reply(message, entries))


def _queue_stats(session: Session, message: Message) -> None:
    ports.check_queues(*ports.decode_queue_request(message), session.bridge.ports())
    session.reply(wire.stats_reply(message, []))


def _queue_config(session: Session, message: Message) -> None:
    port, queue = ports.decode_queue_request(message)
    ports.check_queues(port, queue, session.bridge.ports())
    old = message.version == OF10
    body = struct.pack("!H6x", port_to_wire10(port)) if old else struct.pack("!I4x", port)
    session.send(wire.message(message.version, message.data[1] + 1, message.xid, body))


HANDLERS: Mapping[Kind, Handler] = {
    Kind.ERROR: _ignore,
    Kind.ECHO_REQUEST: _echo,
    Kind.ECHO_REPLY: _ignore,
    Kind.FEATURES: _features,
    Kind.GET_CONFIG: _get_config,
    Kind.SET_CONFIG: _set_config,
    Kind.BARRIER: _barrier,
    Kind.PORT_MOD: _port_mod,
    Kind.TABLE_MOD: tables.mod,
    Kind.QUEUE_GET_CONFIG: _queue_config,
    Kind.ROLE: _role,
    Kind.NX_ROLE: _nx_role,
    Kind.GET_ASYNC: _get_async,
    Kind.SET_ASYNC: _set_async,
    Kind.SET_ASYNC_PROPERTIES: _set_async,
    Kind.BUNDLE_CONTROL: bundle.control,
    Kind.BUNDLE_ADD: bundle.add,
    Kind.SET_FLOW_FORMAT: _flow_format,
    Kind.FLOW_MOD_TABLE_ID: _flow_mod_table_id,
    Kind.SET_PACKET_IN_FORMAT: _packet_in_format,
    Kind.FLOW_AGE: _ignore,
    Kind.SET_CONTROLLER_ID: _controller_id,
    Kind.FLOW_MONITOR_CANCEL: monitor.cancel,
    Kind.RESUME: _resume,
    Kind.DESC_STATS: _desc,
    Kind.FLOW_STATS: _native_stats,
    Kind.AGGREGATE_STATS: _native_stats,
    Kind.TABLE_STATS: _native_stats,
    Kind.PORT_STATS: _port_stats,
    Kind.PORT_DESC_STATS: _port_desc,
    Kind.QUEUE_STATS: _queue_stats,
    Kind.QUEUE_DESC_STATS: _queue_stats,
    Kind.GROUP_STATS: _native_stats,
    Kind.GROUP_DESC_STATS: _native_stats,
    Kind.GROUP_FEATURES_STATS: _native_stats,
    Kind.METER_STATS: _native_stats,
    Kind.METER_CONFIG_STATS: _native_stats,
    Kind.METER_FEATURES_STATS: _native_stats,
    Kind.TABLE_FEATURES_STATS: tables.features,
    Kind.TABLE_DESC_STATS: tables.desc,
    Kind.FLOW_MONITOR_STATS: monitor.request,
}
