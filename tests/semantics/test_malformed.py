# SPDX-License-Identifier: Apache-2.0
"""Recorded messages, spoilt in every way: an error or a clean end, and nothing else is touched."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers import wire
from tests.peers.switch import BRIDGE, Peer
from tests.peers.wire import OF10, OF13, Session, message

_RECORDED = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "engine" / "openflow-messages.jsonl").read_text().splitlines()
]
_SENT = [bytes.fromhex(one["hex"]) for one in _RECORDED if one["version"] in (OF10, OF13)]
_KEEP = "cookie=0x5a,priority=3,tcp,tp_dst=4242,actions=output:2"
_KEPT = "cookie=0x5a, priority=3,tcp,tp_dst=4242 actions=output:2"


def _with_length(data: bytes) -> bytes:
    return data[:2] + len(data).to_bytes(2, "big") + data[4:]


def _truncated(data: bytes) -> Iterator[bytes]:
    """Every shorter message, its header saying so."""
    for length in range(8, len(data)):
        yield _with_length(data[:length])


def _lying(data: bytes) -> Iterator[bytes]:
    """Each pair of bytes behind the header taken for a length: nothing, a little, more than there is."""
    for at in range(8, len(data) - 1, 2):
        for value in (0, 1, 3, 7, len(data), 0xFFFF):
            yield data[:at] + value.to_bytes(2, "big") + data[at + 2 :]


def _unknown(data: bytes) -> Iterator[bytes]:
    """What may be types, codes, commands or flags with values that none has; a message too long."""
    for at in range(8, len(data)):
        yield data[:at] + bytes([data[at] ^ 0xA5]) + data[at + 1 :]
    for type in range(30, 256, 7):
        yield data[:1] + bytes([type]) + data[2:]
    for extra in (1, 4, 8, 24):
        yield _with_length(data + b"\xa5" * extra)


def _alive(session: Session) -> None:
    """The connection answers an echo, and barriers."""
    session.send(message(session.version, wire.ECHO_REQUEST, b"still there", xid=0x5EED))
    while True:
        got = session.receive()
        if got.xid == 0x5EED and got.type == wire.ECHO_REPLY:
            assert got.body == b"still there"
            return


@pytest.mark.parametrize("version", [OF10, OF13])
@pytest.mark.parametrize("spoil", [_truncated, _lying, _unknown], ids=lambda spoil: spoil.__name__[1:])
def test_spoilt_messages(peer: Peer, version: int, spoil: object) -> None:
    """Each gets a reply or nothing, never the end of the connection."""
    peer.reset()
    peer.must("-O", "OpenFlow13", "add-flow", BRIDGE, _KEEP)
    with peer.session(version) as session:
        for original in _SENT:
            if original[0] != version:
                continue
            spoilt = [data for data in spoil(original) if data[1] != wire.HELLO]  # type: ignore[operator]
            # A batch at a time: what a batch provokes must fit the socket's buffers.
            for start in range(0, len(spoilt), 64):
                for reply in session.ask(*spoilt[start : start + 64]):
                    assert reply.version == version
                    assert len(reply.data) >= 8
        _alive(session)
    with peer.session() as fresh:
        _alive(fresh)


@pytest.mark.parametrize("version", [OF10, OF13])
def test_truncated_changes_leave_tables_intact(peer: Peer, version: int) -> None:
    """A flow_mod, group_mod or meter_mod cut anywhere is refused whole, or is a shorter one that is right."""
    peer.reset()
    peer.must("-O", "OpenFlow13", "add-flow", BRIDGE, _KEEP)
    with peer.session(version) as session:
        for original in _SENT:
            if original[0] != version or original[1] not in (wire.FLOW_MOD, wire.GROUP_MOD, wire.METER_MOD):
                continue
            fixed = {OF10: 72, OF13: 56}[version] if original[1] == wire.FLOW_MOD else 16
            for length in range(8, min(fixed, len(original))):
                errors = session.errors(_with_length(original[:length]))
                assert len(errors) == 1, (original.hex(), length)
                assert errors[0][0] in (1, 2, 3, 4, 5, 6, 12), (errors, length)
    assert _flows(peer) == [_KEPT]


def _flows(peer: Peer) -> list[str]:
    lines = peer.must("-O", "OpenFlow13", "--no-stats", "--no-names", "dump-flows", BRIDGE).splitlines()
    return [line.strip() for line in lines if "actions=" in line]


@pytest.mark.parametrize("length", [0, 1, 7])
def test_a_header_that_lies_below_its_own_size_ends_the_connection(peer: Peer, length: int) -> None:
    """No way to find the next message: the connection, and only it, ends."""
    peer.reset()
    peer.must("-O", "OpenFlow13", "add-flow", BRIDGE, _KEEP)
    with peer.session() as other, peer.session() as session:
        session.send(bytes([OF13, wire.ECHO_REQUEST]) + length.to_bytes(2, "big") + b"\0\0\0\1" + bytes(64))
        assert all(reply.type == wire.ERROR for reply in session.to_the_end())
        _alive(other)
    assert _flows(peer) == [_KEPT]


def test_bytes_in_pieces(peer: Peer) -> None:
    """A message that comes byte by byte is a message."""
    peer.reset()
    flow = wire.flow_mod(wire.match(), wire.apply(wire.output(2)), priority=9)
    with peer.session() as session:
        for byte in flow:
            session.send(bytes([byte]))
        assert session.ask() == []
        _alive(session)
    assert _flows(peer) == ["priority=9 actions=output:2"]


def test_an_end_in_the_middle_of_a_message(peer: Peer) -> None:
    peer.reset()
    peer.must("-O", "OpenFlow13", "add-flow", BRIDGE, _KEEP)
    with peer.session() as session:
        session.send(wire.flow_mod(command=wire.DELETE, table=255)[:-3])
    assert _flows(peer) == [_KEPT]


@pytest.mark.parametrize(
    "noise", [b"\0" * 4096, b"\xff" * 4096, bytes(range(256)) * 16, b"GET / HTTP/1.1\r\n\r\n"]
)
def test_noise_instead_of_a_hello(peer: Peer, noise: bytes) -> None:
    with peer.session() as other:
        with Session(peer.management, greet=False) as session:
            session.send(noise)
            session.socket.shutdown(wire.socket.SHUT_WR)
            session.to_the_end()
        _alive(other)


def test_messages_of_another_version_than_agreed(peer: Peer) -> None:
    """7.4.4: BAD_VERSION, and the connection goes on."""
    with peer.session() as session:
        for version in (0, 1, 2, 3, 5, 6, 0xFF):
            assert session.errors(message(version, wire.FEATURES_REQUEST)) == [(1, 0)]
        _alive(session)
