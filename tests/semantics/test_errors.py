# SPDX-License-Identifier: Apache-2.0
"""Messages that must be refused, and the error that the standard names for each."""

import pytest

from tests.peers import wire
from tests.peers.switch import Peer
from tests.peers.wire import Session
from tests.semantics.error_cases import CASES, Refused

_GROUPS = [
    "hello", "request", "action", "instruction", "match", "flow", "group", "port", "table", "queue", "config",
    "role", "meter",
]  # fmt: skip


def _name(case: Refused) -> str:
    return case.name if case.version == wire.OF10 else f"{_GROUPS[case.error[0]]}: {case.name}"


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_refusal(peer: Peer, case: Refused) -> None:
    peer.reset()
    wanted = [case.error] if peer.name != "ovs" or case.ovs == "the same" else [case.ovs]
    with peer.session(case.version) as session:
        for before in case.messages[:-1]:
            assert session.errors(before) == []
        replies = session.ask(case.messages[-1])
        errors = [reply for reply in replies if reply.type == wire.ERROR]
        assert [error.error for error in errors] == [one for one in wanted if isinstance(one, tuple)]
        for error in errors:  # 7.4.4: the request's xid, and at least 64 bytes of it
            assert error.xid == 0x1234
            assert case.messages[-1].startswith(error.body[4:])
            assert len(error.body) - 4 >= min(64, len(case.messages[-1]))


def test_hello_of_no_common_version(peer: Peer) -> None:
    """6.3.1: OFPET_HELLO_FAILED, OFPHFC_INCOMPATIBLE, then the end."""
    with Session(peer.management, greet=False) as session:
        session.send(wire.message(7, wire.HELLO, b"\0\1\0\x08\0\0\0\x80"))
        replies = session.to_the_end()
    assert [reply.error for reply in replies if reply.type == wire.ERROR] == [(0, 0)]


def test_something_else_than_hello_at_first(peer: Peer) -> None:
    """6.3.1: no message may come before the hellos; the connection is closed."""
    with Session(peer.management, greet=False) as session:
        session.send(wire.message(wire.OF13, wire.FEATURES_REQUEST))
        assert all(reply.type in (wire.HELLO, wire.ERROR) for reply in session.to_the_end())


@pytest.mark.parametrize(
    ("offered", "spoken"),
    [
        ((1,), 1),
        ((4,), 4),
        ((5,), 5),
        ((1, 4), 4),
        ((1, 4, 5), 5),
        ((1, 4, 5, 6), 5),
        ((1, 2, 3), 1),
        ((4, 6), 4),
    ],
)
def test_hello_agrees_on_the_highest_common_version(
    peer: Peer, offered: tuple[int, ...], spoken: int
) -> None:
    if peer.name == "ovs" and spoken != max(offered):
        pytest.skip("Open vSwitch speaks 1.1, 1.2 and 1.5, too")
    with Session(peer.management, greet=False) as session:
        session.send(wire.hello(*offered))
        assert session.receive().type == wire.HELLO
        session.send(wire.message(spoken, wire.FEATURES_REQUEST))
        reply = session.receive()
        assert (reply.version, reply.type) == (spoken, wire.FEATURES_REPLY)


@pytest.mark.parametrize("version", [1, 4, 5])
def test_hello_without_a_bitmap_agrees_on_its_version(peer: Peer, version: int) -> None:
    """6.3.1: the smaller of the two."""
    with Session(peer.management, greet=False) as session:
        session.send(wire.message(version, wire.HELLO), wire.message(version, wire.FEATURES_REQUEST))
        assert session.receive().type == wire.HELLO
        reply = session.receive()
        assert (reply.version, reply.type) == (version, wire.FEATURES_REPLY)
