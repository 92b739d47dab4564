# SPDX-License-Identifier: Apache-2.0
"""Sessions on the engine's own tables, without sockets: bytes in, bytes out."""

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

import turnout
from turnout import _engine
from turnout.openflow.session.bridge import Bridge
from turnout.openflow.session.ports import Port, PortCounters
from turnout.openflow.session.session import Session

ALL_VERSIONS = frozenset((1, 4, 5))
STATS_REPLY = {1: 17, 4: 19, 5: 19}


@dataclass(frozen=True)
class Real:
    """A message between ovs-ofctl and Open vSwitch, as it went over the wire."""

    to_switch: bool
    version: int
    type: int
    data: bytes


def real_messages() -> list[Real]:
    """Captured from Open vSwitch 3.1; requests are followed by their replies."""
    file = Path(__file__).parents[1] / "engine/openflow-messages.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    return [Real(r["dir"] == "to_switch", r["version"], r["type"], bytes.fromhex(r["hex"])) for r in rows]


@dataclass
class FakeHost:
    """A switch's ports as a test wants them, around real tables."""

    tables: "_engine.Tables"
    port_list: list[Port] = field(default_factory=list)
    counters: dict[int, PortCounters] = field(default_factory=dict)
    frag: int = 0
    miss: bool = False

    def ports(self) -> list[Port]:
        return self.port_list

    def port_counters(self) -> Mapping[int, PortCounters]:
        return self.counters

    def set_port_config(self, number: int, config: int) -> None:
        self.port_list = [replace(p, config=config) if p.number == number else p for p in self.port_list]

    def set_frag(self, mode: int) -> None:
        self.frag = mode

    def set_miss_to_controller(self, wanted: bool) -> None:
        self.miss = wanted


class Peer:
    """A controller at the other end of a session."""

    def __init__(self, bridge: Bridge, version: int, *, service: bool = False, hello: bool = True) -> None:
        number = max((s.view.id for s in bridge.sessions), default=0) + 1
        self.version = version
        self.session: Session = bridge.open(
            number=number, versions=ALL_VERSIONS, service=service, name=f"test#{number}"
        )
        self.take()
        if hello:
            assert self.say(message(version, 0, 1)) == []
            assert self.session.version == version

    def say(self, *data: bytes, now: float = 0.0) -> list[bytes]:
        """Sends, and what comes back: whole messages."""
        more = self.session.receive(b"".join(data), now)
        while more:
            more = self.session.receive(b"", now)
        return self.take()

    def take(self) -> list[bytes]:
        """All that the switch has said since."""
        data = b"".join(self.session.output)
        self.session.sent(len(data))
        return split(data)

    def ask(self, kind: int, body: bytes = b"", xid: int = 7) -> bytes:
        """A request's one reply."""
        [reply] = self.say(message(self.version, kind, xid, body))
        assert reply[4:8] == xid.to_bytes(4)
        return reply

    def refused(self, kind: int, body: bytes = b"") -> tuple[int, ...]:
        """(type, code) of the error that a request gets, with the vendor in front if it has one."""
        return error_of(self.ask(kind, body))


def message(version: int, kind: int, xid: int = 7, body: bytes = b"") -> bytes:
    return struct.pack("!BBHI", version, kind, 8 + len(body), xid) + body


def vendor(version: int, vendor_id: int, subtype: int, body: bytes = b"", xid: int = 7) -> bytes:
    return message(version, 4, xid, struct.pack("!II", vendor_id, subtype) + body)


def nicira(version: int, subtype: int, body: bytes = b"", xid: int = 7) -> bytes:
    return vendor(version, 0x2320, subtype, body, xid)


def split(data: bytes) -> list[bytes]:
    found = []
    while data:
        length = int.from_bytes(data[2:4])
        assert 8 <= length <= len(data)
        found.append(data[:length])
        data = data[length:]
    return found


def error_of(reply: bytes) -> tuple[int, ...]:
    assert reply[1] == 1, reply.hex()
    kind, code = struct.unpack_from("!HH", reply, 8)
    if kind == 0xB0C2:
        return struct.unpack_from("!IHH", reply, 12)
    if kind == 0xFFFF:
        return (int.from_bytes(reply[12:16]), code)
    return kind, code


@pytest.fixture(scope="module")
def _tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator["_engine.Tables"]:
    with turnout.Switch(
        hugepages="off", mbufs=8192, run_dir=tmp_path_factory.mktemp("s"), housekeeping=False
    ) as switch:
        switch.add_bridge("br0", fail_mode="secure")
        yield switch.tables("br0")


@pytest.fixture
def host(_tables: "_engine.Tables") -> FakeHost:
    _tables.clear()
    _tables.monitor(False)
    _tables.take_events()
    return FakeHost(_tables)


@pytest.fixture
def bridge(host: FakeHost) -> Bridge:
    return Bridge(
        host,
        datapath_id=0xE2A859633843,
        description=("Nicira, Inc.", "Open vSwitch", "3.1.0", "None", "None"),
    )
