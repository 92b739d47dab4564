# SPDX-License-Identifier: Apache-2.0
"""Flow tables that outlive the daemon: a file of the engine's own OpenFlow 1.4 replies about meters, groups
and flows.

Saving costs what a controller's dump costs. Restoring turns each entry back into the message that would make
it.
"""

import logging
import struct
from collections.abc import Iterator
from pathlib import Path

from turnout import _engine
from turnout.config.replace import replacing
from turnout.openflow.session import wire
from turnout.openflow.session.constants import ALL_TABLES, GROUP_ANY, OF14, PORT_ANY

log = logging.getLogger(__name__)

_METERS, _GROUPS, _FLOWS = 10, 7, 1  # OFPMP_*
_REPLY = 19
_BATCH = 1 << 20  # [B] handed to the engine at once
_ALL = 0xFFFFFFFF


def view() -> "_engine.SessionView":
    """Nobody's session."""
    return _engine.SessionView(id=0, version=OF14, format=_engine.FlowFormat.OXM, may_write=True)


def save(tables: "_engine.Tables", path: Path) -> None:
    """Replaces `path` in one step. TurnoutError, one line, if it can't."""
    flows = struct.pack("!B3xII4xQQHH4x", ALL_TABLES, PORT_ANY, GROUP_ANY, 0, 0, 1, 4)
    bodies = ((_METERS, struct.pack("!I4x", _ALL)), (_GROUPS, b""), (_FLOWS, flows))
    with replacing(path, "flows would not survive a restart") as file:
        for kind, body in bodies:
            request = wire.message(OF14, 18, 0, struct.pack("!HH4x", kind, 0) + body)
            file.writelines(tables.statistics(request, view()))


def load(tables: "_engine.Tables", path: Path) -> bool:
    """Restores what was saved; False if there is no such file. What can't be restored is logged and left
    out.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return False
    except OSError as error:
        log.error("%s: cannot read: %s; flows are not restored", path, error.strerror)
        return False
    pending, waiting = list(_messages(data)), 0
    # a group may name one that comes later: what fails is tried again for as long as something succeeds
    while pending and len(pending) != waiting:
        waiting = len(pending)
        pending = _carry_out(tables, pending)
    if pending:
        log.warning("%s: %d flows, groups or meters could not be restored", path, len(pending))
    return True


def _carry_out(tables: "_engine.Tables", pending: list[bytes]) -> list[bytes]:
    """The messages that fail."""
    failed: list[bytes] = []
    batch: list[bytes] = []
    size = 0
    for number, message in enumerate(pending):
        batch.append(message[:4] + struct.pack("!I", number) + message[8:])
        size += len(message)
        if size >= _BATCH or number == len(pending) - 1:
            failed += _failures(tables, b"".join(batch), pending)
            batch, size = [], 0
    return failed


def _failures(tables: "_engine.Tables", batch: bytes, pending: list[bytes]) -> Iterator[bytes]:
    consumed, replies = tables.receive(batch, view())
    at = 0
    while at < len(replies):
        _, kind, length, xid = struct.unpack_from("!BBHI", replies, at)
        if kind == 1:
            yield pending[xid]
        at += length
    if consumed != len(batch):  # a damaged file: the rest of the batch has no length to go by
        log.error("a saved flow is damaged; those saved near it are lost")


def _messages(data: bytes) -> Iterator[bytes]:
    """What makes the meters, groups and flows that the replies in `data` tell of."""
    at = 0
    while len(data) - at >= 16:
        version, kind, length, _ = struct.unpack_from("!BBHI", data, at)
        if version != OF14 or kind != _REPLY or not 16 <= length <= len(data) - at:
            break
        what = int.from_bytes(data[at + 8 : at + 10])
        entry, end = at + 16, at + length
        while end - entry >= 8:
            size = int.from_bytes(data[entry : entry + 2])
            if not 8 <= size <= end - entry:
                break
            yield _message(what, data[entry : entry + size])
            entry += size
        at = end
    if at < len(data):
        log.error("saved flows are damaged; what follows byte %d is lost", at)


def _message(what: int, entry: bytes) -> bytes:
    if what == _METERS:
        flags, number = struct.unpack_from("!HI", entry, 2)
        return wire.message(OF14, 29, 0, struct.pack("!HHI", 0, flags, number) + entry[8:])
    if what == _GROUPS:
        return wire.message(OF14, 15, 0, struct.pack("!H", 0) + entry[2:])
    table, priority, idle, hard, flags, importance, cookie = struct.unpack_from(
        "!B9xHHHHH2xQ", entry.ljust(48, b"\0"), 2
    )
    fixed = struct.pack(
        *("!QQBBHHHIIIHH", cookie, 0, table, 0, idle, hard, priority),
        *(_ALL, PORT_ANY, GROUP_ANY, flags, importance),
    )
    return wire.message(OF14, 14, 0, fixed + entry[48:])
