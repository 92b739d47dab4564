# SPDX-License-Identifier: Apache-2.0
"""What of the database only a start can make so: settings of the switch as a whole, and the OpenFlow numbers
that ports had, be it under another ovs-vswitchd.
"""

import errno
import logging
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import ovs.jsonrpc  # type: ignore[import-untyped]
import ovs.poller  # type: ignore[import-untyped]
import ovs.stream  # type: ignore[import-untyped]
import ovs.timeval  # type: ignore[import-untyped]
import ovs.util  # type: ignore[import-untyped]

from turnout.config.model import MAX_CORE, MAX_WORKERS
from turnout.errors import TurnoutError
from turnout.ovsdb import remote as remotes

log = logging.getLogger(__name__)

_PATIENCE = 1000  # ms until there is an answer
_MOST = 0xFF00  # OpenFlow numbers from here on have a meaning of their own


@dataclass(frozen=True)
class Start:
    """settings: as the TOML file has them. ofports: by interface."""

    settings: Mapping[str, object] = field(default_factory=dict)
    ofports: Mapping[str, int] = field(default_factory=dict)


def look(remote: str) -> Start:
    """One look at the database; nothing if it does not answer now. TurnoutError if TLS has no good files."""
    deadline = ovs.timeval.msec() + _PATIENCE
    rows = next(filter(None, (_select(one, deadline) for one in remotes.split(remote))), None)
    if rows is None:
        return Start()
    switches, interfaces = rows
    config = dict(switches[0]["other_config"][1]) if switches else {}
    ofports = {row["name"]: row["ofport"] for row in interfaces if isinstance(row["ofport"], int)}
    chosen = cores(config.get("pmd-cpu-mask", "0"), os.sched_getaffinity(0))
    return Start({"cores": chosen} if chosen else {}, {k: n for k, n in ofports.items() if 0 < n < _MOST})


def cores(mask: str, allowed: Collection[int]) -> list[int]:
    """The CPUs in other_config:pmd-cpu-mask that this process may use, and a switch can."""
    try:
        wanted = int(mask, 16)
    except ValueError:
        log.warning("Open_vSwitch other_config:pmd-cpu-mask: expected hexadecimal digits, got %r", mask)
        return []
    usable = [core for core in sorted(allowed) if wanted >> core & 1]
    if wanted != sum(1 << core for core in usable):
        log.warning("Open_vSwitch other_config:pmd-cpu-mask: of %s this process may use %s", mask, usable)
    taken = [core for core in usable if core <= MAX_CORE][:MAX_WORKERS]
    if taken != usable:
        log.warning(
            "Open_vSwitch other_config:pmd-cpu-mask: of %s a switch can have %d up to CPU %d: taking %s",
            *(mask, MAX_WORKERS, MAX_CORE, taken),
        )
    return taken


def _select(remote: str, deadline: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]] | None:
    """Rows of Open_vSwitch and of Interface, in the notation of RFC 7047; None if there is no answer."""
    kind = ovs.stream.Stream
    try:
        error, stream = kind.open_block(kind.open(remote), max(0, deadline - ovs.timeval.msec()))
    except OSError as problem:  # of the files
        what = "--private-key, --certificate or --ca-cert"
        raise TurnoutError(f"{remote}: {what}: {problem.strerror or problem}") from None
    reply = None
    if not error:
        connection = ovs.jsonrpc.Connection(stream)
        wanted = (("Open_vSwitch", ["other_config"]), ("Interface", ["name", "ofport"]))
        operations = [{"op": "select", "table": t, "where": [], "columns": names} for t, names in wanted]
        request = ovs.jsonrpc.Message.create_request("transact", ["Open_vSwitch", *operations])
        error, reply = _transact(connection, request, deadline)
        connection.close()
    if reply is None or reply.error:
        why = reply.error if reply else ovs.util.ovs_retval_to_string(error)
        log.warning("%s: starting without its CPUs and OpenFlow port numbers: %s", remote, why)
        return None
    switches, interfaces = ((result or {}).get("rows", []) for result in reply.result[:2])
    return switches, interfaces


def _transact(connection: Any, request: Any, deadline: int) -> tuple[int, Any]:
    """An error, or 0 and the reply."""
    error = connection.send(request)
    while error in (0, errno.EAGAIN):
        error, reply = connection.recv()
        if reply is not None and reply.id == request.id:
            return 0, reply
        if ovs.timeval.msec() >= deadline:
            return errno.ETIMEDOUT, None
        if error == errno.EAGAIN:
            connection.run()
            poller = ovs.poller.Poller()
            connection.wait(poller)
            connection.recv_wait(poller)
            poller.timer_wait_until(deadline)
            poller.block()
    return error, None
