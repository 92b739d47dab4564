# SPDX-License-Identifier: Apache-2.0
"""How long a flow_mod takes until packets obey it, and whether a barrier's reply means that they do."""

import contextlib
import select
import socket
import statistics
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from turnout.bench.control import quiet
from turnout.bench.openflow import Connection, flow_mod
from turnout.bench.rules import Exact, Packet, Rule
from turnout.bench.scenarios import ContenderName
from turnout.bench.traffic import cached_flows, frame
from turnout.lab.console import LabError, run

_RULES: Final = 10_000  # in the table already
_TRIALS: Final = 500
_PAUSE_S: Final = 20e-6  # at least, between packets
_LATE_S: Final = 5.0
_ETH_P_ALL: Final = 3
_SERIAL_AT: Final = 42  # after the UDP header


@dataclass(frozen=True)
class _Trial:
    barrier_us: float
    live_us: float
    obeyed: bool  # by the first packet sent after the barrier's reply, or an earlier one


def flow_mod_latency(name: ContenderName, cache: Path) -> dict[str, float]:
    """Rules added one by one to a table of 10K; packets of the new rule's flow enter all the while. µs.

    "Live" is counted to the arrival of the first packet forwarded, so its way through both TAPs is included.
    """
    rules = Exact(_RULES)
    with quiet(name, cached_flows(cache, rules)) as (contender, taps), contextlib.ExitStack() as stack:
        source, sink = (stack.enter_context(_raw(tap)) for tap in taps)
        connection = stack.enter_context(Connection(contender.management))
        trials = [_trial(connection, source, sink, rule) for rule in rules.spare(_TRIALS)]
    barriers = statistics.quantiles((trial.barrier_us for trial in trials), n=100)
    lives = statistics.quantiles((trial.live_us for trial in trials), n=100)
    return {
        "barrier-p50": barriers[49],
        "barrier-p99": barriers[98],
        "live-p50": lives[49],
        "live-p99": lives[98],
        "disobeyed": 100 * sum(not trial.obeyed for trial in trials) / len(trials),
    }


def _trial(connection: Connection, source: socket.socket, sink: socket.socket, rule: Rule) -> _Trial:
    packet = Packet(rule.match.source, rule.match.destination, rule.match.sport, rule.match.dport)
    body = frame(packet)
    data = flow_mod("add", rule)
    promised = None  # serial number of the first packet that must be forwarded
    live = barrier = None
    serial = 0
    _send(source, body, serial)  # what the switch makes of an unknown flow is not new to it
    started = time.monotonic()
    connection.send(data)
    wanted = connection.request_barrier()
    while live is None or barrier is None:
        serial += 1
        _send(source, body, serial)
        waiting: list[Connection | socket.socket] = [connection, sink]
        readable, _, _ = select.select(waiting, [], [], _PAUSE_S)
        now = time.monotonic()
        if connection in readable:
            connection.receive()
        if barrier is None and connection.done(wanted):
            barrier, promised = now, serial + 1
        if live is None and sink in readable and (arrived := _arrived(sink, body)) is not None:
            live, first = now, arrived
        if now - started > _LATE_S:
            raise LabError(f"a flow_mod has no effect after {_LATE_S:g} s")
    return _Trial((barrier - started) * 1e6, (live - started) * 1e6, promised is None or first <= promised)


def _send(source: socket.socket, body: bytes, serial: int) -> None:
    with contextlib.suppress(BlockingIOError, OSError):  # a full queue loses the packet, not the trial
        source.send(body[:_SERIAL_AT] + struct.pack(">I", serial) + body[_SERIAL_AT + 4 :])


def _arrived(sink: socket.socket, body: bytes) -> int | None:
    """The serial number of the next packet of the trial's flow, None if there is none."""
    with contextlib.suppress(BlockingIOError):
        while data := sink.recv(2048):
            if data[:_SERIAL_AT] == body[:_SERIAL_AT]:
                return int(struct.unpack_from(">I", data, _SERIAL_AT)[0])
    return None


@contextlib.contextmanager
def _raw(interface: str) -> Iterator[socket.socket]:
    """A raw socket on the host's end of a TAP port."""
    run("sysctl", "-qw", f"net.ipv6.conf.{interface}.disable_ipv6=1")
    run("ip", "link", "set", interface, "up")
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL)) as raw:
        raw.setblocking(False)
        raw.bind((interface, 0))
        yield raw
