# SPDX-License-Identifier: Apache-2.0
"""What of the database only a start can make so: settings of the switch as a whole, and the OpenFlow numbers
that ports had, be it under another ovs-vswitchd.
"""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import ovs.jsonrpc  # type: ignore[import-untyped]
import ovs.stream  # type: ignore[import-untyped]

log = logging.getLogger(__name__)

_PATIENCE = 1000  # ms to connect
_MOST = 0xFF00  # OpenFlow numbers from here on have a meaning of their own


@dataclass(frozen=True)
class Start:
    """settings: as the TOML file has them. ofports: by interface."""

    settings: Mapping[str, object] = field(default_factory=dict)
    ofports: Mapping[str, int] = field(default_factory=dict)


def look(remote: str) -> Start:
    """One look at the database; nothing if it is not there now."""
    switches = _select(remote, "Open_vSwitch", "other_config")
    interfaces = _select(remote, "Interface", "name", "ofport")
    config = dict(switches[0]["other_config"][1]) if switches else {}
    ofports = {row["name"]: row["ofport"] for row in interfaces if isinstance(row["ofport"], int)}
    return Start(_cores(config.get("pmd-cpu-mask", "0")), {k: n for k, n in ofports.items() if 0 < n < _MOST})


def _cores(mask: str) -> dict[str, object]:
    """other_config:pmd-cpu-mask as the setting `cores`: the CPUs in it that this process may use, if any."""
    try:
        wanted = int(mask, 16)
    except ValueError:
        log.warning("Open_vSwitch other_config:pmd-cpu-mask: expected hexadecimal digits, got %r", mask)
        return {}
    cores = [core for core in sorted(os.sched_getaffinity(0)) if wanted >> core & 1]
    if wanted != sum(1 << core for core in cores):
        log.warning("Open_vSwitch other_config:pmd-cpu-mask: of %s this process may use %s", mask, cores)
    return {"cores": cores} if cores else {}


def _select(remote: str, table: str, *columns: str) -> list[dict[str, Any]]:
    """The rows, in the notation of RFC 7047; none if there is no answer."""
    kind = ovs.stream.Stream
    error, stream = kind.open_block(kind.open(remote), _PATIENCE)
    if error:
        return []
    connection = ovs.jsonrpc.Connection(stream)
    try:
        operation = {"op": "select", "table": table, "where": [], "columns": list(columns)}
        request = ovs.jsonrpc.Message.create_request("transact", ["Open_vSwitch", operation])
        error, reply = connection.transact_block(request)
        return [] if error or reply.error else list(reply.result[0].get("rows", ()))
    finally:
        connection.close()
