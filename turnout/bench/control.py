# SPDX-License-Identifier: Apache-2.0
"""The control plane: how fast rules come in and out, and what they weigh.

The switches get two TAP ports and no traffic. Open vSwitch then has no polling thread, so that both cores are
free for its control threads and for the client, as they are while Turnout's worker sleeps.
"""

import contextlib
import os
import re
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from turnout.bench.contenders import Contender, Port, start
from turnout.bench.openflow import Command, Connection, delete_all, expect, flow_mods, ofctl
from turnout.bench.rules import Exact
from turnout.bench.scenarios import ContenderName
from turnout.bench.traffic import cached_flows
from turnout.lab.console import run

_MBUFS: Final = 16_384
_RULES: Final = 100_000
_MANY: Final = 1_000_000
_LATE_S: Final = 300.0


@contextlib.contextmanager
def quiet(name: ContenderName, flows: Path | None = None) -> Iterator[tuple[Contender, list[str]]]:
    """The contender with two TAP ports, and the names of these."""
    taps = [Port(f"tb{os.getpid()}{side}", tap=True) for side in "ab"]
    with start(name, taps, _MBUFS, flows) as contender:
        yield contender, [tap.name for tap in taps]


def flow_mod_rates(name: ContenderName) -> dict[str, float]:
    """100K exact rules added, modified and deleted by one client, each with one barrier at the end. M/s."""
    rules = list(Exact(_RULES).rules())
    kinds: dict[str, Command] = {"adds": "add", "modifies": "modify_strict", "deletes": "delete_strict"}
    messages = {metric: flow_mods(command, rules) for metric, command in kinds.items()}
    rates = {}
    with quiet(name) as (contender, _), Connection(contender.management, _LATE_S) as connection:
        connection.send(delete_all())
        connection.barrier()
        for metric, data in messages.items():
            started = time.monotonic()
            connection.send(data)
            connection.barrier()
            rates[metric] = _RULES / (time.monotonic() - started) / 1e6
    return rates


def ofctl_times(name: ContenderName, cache: Path) -> dict[str, float]:
    """`ovs-ofctl`'s commands on 100K exact rules. s, and % for the client's own share."""
    flows = str(cached_flows(cache, Exact(_RULES)))
    with quiet(name) as (contender, _):
        bridge = contender.management

        def empty() -> None:
            ofctl(bridge, "del-flows")

        empty()
        bundled, _cpu = _timed(
            lambda: ofctl(bridge, "add-flows", flows, options=("-O", "OpenFlow14", "--bundle"))
        )
        empty()
        added, cpu = _timed(lambda: ofctl(bridge, "add-flows", flows))
        dumped, _cpu = _timed(lambda: ofctl(bridge, "dump-flows"))
        parsed, _cpu = _timed(
            lambda: run("ovs-ofctl", "-O", "OpenFlow13", "parse-flows", flows, timeout=_LATE_S)
        )
    return {
        "add-flows": added,
        "add-flows-client": 100 * cpu / added,
        "add-flows-bundle": bundled,
        "parse-flows": parsed,
        "dump-flows": dumped,
    }


def memory(name: ContenderName) -> dict[str, float]:
    """Resident memory, hugepages included, that exact rules add to the process. Bytes a rule."""
    count = _MANY if name == "turnout" else _RULES
    data = flow_mods("add", Exact(count).rules())
    with quiet(name) as (contender, _), Connection(contender.management, _LATE_S) as connection:
        connection.send(delete_all())
        connection.barrier()
        before = _resident_bytes(contender.pid)
        connection.send(data)
        connection.barrier()
        grown = _resident_bytes(contender.pid) - before
        expect(contender.management, count)
    return {"memory": grown / count}


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds that `work` takes, and seconds of CPU of the child processes that it waits for."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    work()
    took, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _resident_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return sum(
        1024 * int(kb) for kb in re.findall(r"^(?:VmRSS|HugetlbPages):\s+(\d+) kB", status, re.MULTILINE)
    )
