# SPDX-License-Identifier: Apache-2.0
"""What the database says of the switch as a whole, and only a start can make so."""

import logging
import os
from collections.abc import Mapping
from typing import Any

import ovs.jsonrpc  # type: ignore[import-untyped]
import ovs.stream  # type: ignore[import-untyped]

log = logging.getLogger(__name__)

_PATIENCE = 1000  # ms to connect
_SELECT = {"op": "select", "table": "Open_vSwitch", "where": [], "columns": ["other_config"]}


def settings(remote: str) -> dict[str, object]:
    """Settings as the TOML file has them; none if the database is not there now. Of other_config's
    pmd-cpu-mask, the CPUs that this process may use.
    """
    mask = _other_config(remote).get("pmd-cpu-mask", "")
    try:
        wanted = int(mask or "0", 16)
    except ValueError:
        log.warning("Open_vSwitch other_config:pmd-cpu-mask: expected hexadecimal digits, got %r", mask)
        return {}
    cores = [core for core in sorted(os.sched_getaffinity(0)) if wanted >> core & 1]
    if wanted and wanted != sum(1 << core for core in cores):
        log.warning("Open_vSwitch other_config:pmd-cpu-mask: of %s this process may use %s", mask, cores)
    return {"cores": cores} if cores else {}


def _other_config(remote: str) -> Mapping[str, str]:
    kind = ovs.stream.Stream
    error, stream = kind.open_block(kind.open(remote), _PATIENCE)
    if error:
        return {}
    connection = ovs.jsonrpc.Connection(stream)
    try:
        request = ovs.jsonrpc.Message.create_request("transact", ["Open_vSwitch", _SELECT])
        error, reply = connection.transact_block(request)
        return {} if error else _values(reply.result)
    finally:
        connection.close()


def _values(result: Any) -> Mapping[str, str]:
    """The map, of the answer [{"rows": [{"other_config": ["map", [[key, value], …]]}]}]."""
    try:
        return dict(result[0]["rows"][0]["other_config"][1])
    except (TypeError, LookupError, ValueError):  # no row yet
        return {}
