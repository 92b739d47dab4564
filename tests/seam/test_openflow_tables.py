# SPDX-License-Identifier: Apache-2.0
"""A bridge's OpenFlow tables through the seam: bytes in, bytes and records out."""

import struct

import pytest

from tests.peers import wire
from tests.seam.conftest import Bench, frame, mac
from turnout import _engine

DELETE = 3
FLOW_REMOVED = 11


@pytest.fixture
def tables(bench: Bench) -> _engine.Tables:
    """Those of the bridge, with nothing in them."""
    made = bench.datapath.tables(0)
    made.clear()
    return made


def session(*, version: int = 4, may_write: bool = True) -> _engine.SessionView:
    return _engine.SessionView(id=5, version=version, format=_engine.FlowFormat.OXM, may_write=may_write)


def ip_flow(last: int, **settings: int) -> bytes:
    """A flow for 10.0.0.`last` that outputs to port 1."""
    fields = wire.match(
        wire.oxm(5, b"\x08\0"), wire.oxm(12, bytes([10, 0, 0, last])), wire.oxm(0, struct.pack(">I", 2))
    )
    return wire.flow_mod(fields, wire.apply(wire.output(1)), **settings)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_messages_come_in_any_buffer(tables: _engine.Tables, kind: type) -> None:
    barrier = wire.message(4, 20, xid=9)
    echo = wire.message(4, 2)
    data = ip_flow(1) + ip_flow(2) + barrier + echo + ip_flow(3)
    consumed, replies = tables.receive(kind(data), session())
    assert data[consumed:] == echo + ip_flow(3)
    assert replies == wire.message(4, 21, xid=9)
    assert len(tables.dump()) == 2


def test_a_record_holds_what_was_sent(tables: _engine.Tables) -> None:
    tables.receive(ip_flow(1, table=3, priority=7, cookie=11, idle=60, hard=90), session())
    assert tables.dump(0) == []
    (record,) = tables.dump(3)
    assert (record.table, record.priority, record.cookie, record.idle, record.hard) == (3, 7, 11, 60, 90)
    assert (record.n_packets, record.n_bytes) == (0, 0)
    assert record.instructions == wire.apply(wire.output(1))
    assert struct.pack(">IH", 0x80000A02, 0x0800) in record.match


def test_a_frame_finds_its_flow(tables: _engine.Tables) -> None:
    tables.receive(ip_flow(1), session())
    ip = bytes.fromhex("4500001400000000401100000a0000020a000001")
    packet = mac(1) + mac(2) + b"\x08\0" + ip
    key = _engine.key_of(packet, 2)
    assert len(key) % 8 == 0
    assert tables.lookup(0, key) is not None
    assert tables.lookup(0, _engine.key_of(packet, 3)) is None
    assert tables.lookup(1, key) is None
    assert tables.lookup(0, _engine.key_of(frame(mac(1), mac(2)), 2)) is None
    with pytest.raises(_engine.EngineError):
        tables.lookup(0, b"short")


def test_slaves_may_not_write(tables: _engine.Tables) -> None:
    _, replies = tables.receive(ip_flow(1), session(may_write=False))
    assert struct.unpack_from(">HH", replies, 8) == (1, 10)
    assert tables.dump() == []


def test_events_become_messages(tables: _engine.Tables) -> None:
    tables.monitor(True)
    tables.receive(ip_flow(1, flags=1), session())
    tables.receive(wire.flow_mod(command=DELETE), session())
    added, removed = tables.take_events()
    assert (added.kind, removed.kind) == ("added", "removed")
    assert removed.reason == 2
    assert removed.session == 5
    assert removed.flow.instructions == wire.apply(wire.output(1))
    message = removed.flow_removed(4, _engine.FlowFormat.OXM, 77)
    assert message[:2] == bytes([4, FLOW_REMOVED])
    assert struct.unpack_from(">HI", message, 2) == (len(message), 77)
    for version in (1, 4, 5):
        entry = added.monitor_update(version, actions=True, abbreviated=False)
        assert int.from_bytes(entry[:2]) == len(entry)
        assert len(entry) % 8 == 0
        assert len(added.monitor_update(version, actions=False, abbreviated=False)) < len(entry)
        assert len(added.monitor_update(version, actions=True, abbreviated=True)) == 8
    assert tables.take_events() == []


def test_a_bundle_is_all_or_nothing(tables: _engine.Tables) -> None:
    bad = wire.flow_mod(table=254)
    reply = tables.commit([ip_flow(1), bad], session())
    assert struct.unpack_from(">HH", reply, 8) == (5, 2)
    assert tables.dump() == []
    assert tables.commit([ip_flow(1), ip_flow(2)], session()) == b""
    assert len(tables.dump()) == 2


def test_statistics_say_how_many_flows(tables: _engine.Tables) -> None:
    tables.receive(ip_flow(1), session())
    request = wire.multipart(3)
    (reply,) = tables.statistics(request, session())
    assert len(reply) == 16 + 254 * 24
    assert struct.unpack_from(">B3xI", reply, 16) == (0, 1)


def test_a_full_table_refuses_or_evicts(tables: _engine.Tables) -> None:
    tables.configure(0, limit=1, evict=False, name="small", vacancy_down=10, vacancy_up=90)
    tables.receive(ip_flow(1, hard=100), session())
    assert tables.take_vacancies() == [(0, 3, 0)]
    _, replies = tables.receive(ip_flow(2), session())
    assert struct.unpack_from(">HH", replies, 8) == (5, 1)
    tables.configure(0, limit=1, evict=True, name="small")
    assert tables.receive(ip_flow(2), session())[1] == b""
    assert len(tables.dump()) == 1
    tables.clear()
    assert tables.dump() == []
    with pytest.raises(_engine.EngineError):
        tables.configure(254, limit=1, evict=True, name="none")


def test_records_outlive_their_bridge_and_tables_do_not(bench: Bench, tables: _engine.Tables) -> None:
    tables.monitor(True)
    tables.receive(ip_flow(1), session())
    (record,), (event,) = tables.dump(), tables.take_events()
    del bench.bridges[0]
    bench.publish()
    with pytest.raises(_engine.EngineError):
        tables.dump()
    assert record.instructions == event.flow.instructions == wire.apply(wire.output(1))


def test_fields_are_those_of_openflow() -> None:
    fields = {field.name: field for field in _engine.oxm_fields()}
    assert fields["in_port"].oxm == 0x80000004
    assert (fields["ip_dst"].bytes, fields["ip_dst"].style, fields["ip_dst"].prereq) == (4, "ipv4", "ipv4")
    assert fields["eth_dst"].style == "mac"
