# SPDX-License-Identifier: Apache-2.0
"""Whatever a controller sends: replies or a clean end, in bounded time and memory; sessions beside it go
on.
"""

import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.openflow_session.conftest import FakeHost, Peer, message, real_messages, split
from turnout.openflow.session.bridge import Bridge
from turnout.openflow.session.ports import Port

REAL = [m.data for m in real_messages() if m.to_switch]
ANY = settings(
    deadline=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

versions = st.sampled_from([1, 4, 5])


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """A real message with bytes changed, cut, repeated, or lying about its length."""
    data = bytearray(draw(st.sampled_from(REAL)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data) - 1))
        data[at] = draw(st.sampled_from([0, 1, 0x7F, 0xFF]) | st.integers(0, 255))
    if draw(st.booleans()):
        data = data[: draw(st.integers(8, max(8, len(data))))]
    if draw(st.booleans()) and len(data) >= 4:
        data[2:4] = struct.pack("!H", min(len(data), 65535))
    return bytes(data)


@st.composite
def framed(draw: st.DrawFn) -> bytes:
    """A header that is right around a body of anything."""
    body = draw(st.binary(max_size=200))
    return message(draw(versions), draw(st.integers(0, 40)), draw(st.integers(0, 3)), body)


@st.composite
def extension(draw: st.DrawFn) -> bytes:
    head = struct.pack(
        "!II",
        draw(st.sampled_from([0x2320, 0x4F4E4600])),
        draw(st.sampled_from([*range(33), 1870, 2300, 2301])),
    )
    return message(draw(versions), 4, draw(st.integers(0, 3)), head + draw(st.binary(max_size=120)))


@st.composite
def statistics(draw: st.DrawFn) -> bytes:
    version = draw(versions)
    kind = draw(st.integers(0, 17) | st.just(0xFFFF))
    head = struct.pack("!HH", kind, draw(st.integers(0, 1))) + (b"" if version == 1 else bytes(4))
    return message(
        version, 16 if version == 1 else 18, draw(st.integers(0, 3)), head + draw(st.binary(max_size=160))
    )


anything = st.lists(st.binary(max_size=300) | spoilt() | framed() | extension() | statistics(), max_size=8)


@ANY
@given(version=versions, data=anything, cut=st.integers(1, 400))
def test_any_bytes(bridge: Bridge, host: FakeHost, version: int, data: list[bytes], cut: int) -> None:
    host.port_list = [Port(1, "p1", b"\2\0\0\0\0\1", up=True, speed=0, config=0)]
    witness, peer = Peer(bridge, 4), Peer(bridge, version)
    stream = b"".join(data)
    for at in range(0, len(stream), cut):
        for reply in peer.say(stream[at : at + cut], now=float(at)):
            assert split(reply) == [reply]
    assert peer.session.closed or len(peer.session._input) < 65536 + cut
    bridge.tick(1e6)
    assert witness.say(message(4, 2, 5, b"alive"))[-1] == message(4, 3, 5, b"alive")
    bridge.remove(peer.session)
    bridge.remove(witness.session)


@ANY
@given(data=st.binary(max_size=400))
def test_any_bytes_before_hello(bridge: Bridge, data: bytes) -> None:
    peer = Peer(bridge, 0, hello=False)
    peer.say(data)
    assert peer.session.version in (0, 1, 4, 5)
    bridge.remove(peer.session)


@pytest.mark.parametrize("real", REAL, ids=lambda data: data.hex()[:24])
def test_every_truncation(bridge: Bridge, real: bytes) -> None:
    """Cut anywhere with a length to match: one reply at most, an error or what the shorter message asks;
    then go on.
    """
    version = real[0]
    for length in range(8, len(real)):
        peer = Peer(bridge, version, service=True)
        data = real[:2] + struct.pack("!H", length) + real[4:length]
        peer.say(data)
        assert not peer.session.closed, data.hex()
        assert peer.say(message(version, 2, 5, b"alive"))[-1] == message(version, 3, 5, b"alive")
        bridge.remove(peer.session)
