# SPDX-License-Identifier: Apache-2.0
"""The token bucket of packet-ins: rate, burst, a bounded queue, ports in turns."""

from hypothesis import given
from hypothesis import strategies as st

from turnout.openflow.session.packetin import Limiter


def test_burst_then_rate() -> None:
    limiter = Limiter(rate=10, burst=4)
    sent = [limiter.offer(1, bytes([i]), 100.0) for i in range(10)]
    assert sent == [b"\0", b"\1", b"\2", b"\3"] + [None] * 6
    assert limiter.dropped == 2, "as many wait as may go at once; the oldest go first"
    assert limiter.due(100.0) == []
    assert limiter.wait(100.0) == 0.1
    assert limiter.due(100.21) == [b"\6", b"\7"]
    assert limiter.offer(1, b"x", 100.31) is None, "not past those that wait"
    assert limiter.due(200.0) == [b"\10", b"\11", b"x"]
    assert limiter.wait(200.0) is None


def test_ports_take_turns() -> None:
    limiter = Limiter(rate=10, burst=4)
    for _ in range(4):
        limiter.offer(1, b"go", 0.5)
    for i in range(100):
        limiter.offer(1, b"flood", 0.5)
        if i == 50:
            limiter.offer(2, b"quiet", 0.5)
    assert b"quiet" in limiter.due(0.75)


def test_no_limit() -> None:
    limiter = Limiter(rate=0, burst=1)
    assert all(limiter.offer(1, b"x", 0.0) for _ in range(1000))


@given(
    st.integers(1, 1000),
    st.integers(1, 100),
    st.lists(st.tuples(st.floats(0, 0.1), st.integers(1, 3)), max_size=300),
)
def test_never_more_than_allowed(rate: int, burst: int, steps: list[tuple[float, int]]) -> None:
    limiter, now, passed = Limiter(rate, burst), 1.0, 0
    for pause, port in steps:
        now += pause
        passed += len(limiter.due(now))
        passed += limiter.offer(port, b"x", now) is not None
        assert limiter._waiting <= limiter.burst
        assert passed <= limiter.burst + (now - 1.0) * rate + 1e-6
    passed += len(limiter.due(now + 1e9))
    assert passed + limiter.dropped == len(steps)
