# SPDX-License-Identifier: Apache-2.0
"""The loop: who is ready, who has more to do, who is due; callbacks that close each other's sockets."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from turnout.control.loop import READ, WRITE, Loop


@pytest.fixture
def loop() -> Iterator[Loop]:
    with contextlib.closing(Loop()) as loop:
        yield loop


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    a, b = socket.socketpair()
    with a, b:
        yield a, b


def test_ready(loop: Loop, pair: tuple[socket.socket, socket.socket]) -> None:
    seen: list[int] = []
    loop.watch(pair[0], READ, seen.append)
    loop.poll(0)
    assert seen == []
    pair[1].send(b"x")
    loop.poll(60)
    assert seen == [READ]
    loop.watch(pair[0], READ | WRITE, seen.append)
    loop.poll(60)
    assert seen == [READ, READ | WRITE]
    loop.unwatch(pair[0])
    loop.unwatch(pair[0])
    loop.poll(0)
    assert len(seen) == 2


def test_one_closes_the_other(loop: Loop) -> None:
    pairs = [socket.socketpair() for _ in range(2)]
    called: list[int] = []

    def close(number: int) -> None:
        called.append(number)
        for mine, other in pairs:
            loop.unwatch(mine)
            mine.close()
            other.close()

    for number, (mine, other) in enumerate(pairs):
        loop.watch(mine, READ, lambda _, n=number: close(n))
        other.send(b"x")
    loop.poll(60)
    assert len(called) == 1


def test_soon_is_after_those_who_are_ready_and_once(
    loop: Loop, pair: tuple[socket.socket, socket.socket]
) -> None:
    order: list[str] = []

    def again() -> None:
        order.append("soon")
        loop.soon(lambda: order.append("later"))

    loop.soon(again)
    loop.watch(pair[0], READ, lambda _: order.append("ready"))
    pair[1].send(b"x")
    loop.poll(60)
    assert order == ["ready", "soon"]
    loop.unwatch(pair[0])
    loop.poll(60)
    assert order == ["ready", "soon", "later"]


def test_timers(loop: Loop) -> None:
    order: list[str] = []
    now = time.monotonic()
    loop.at(now + 0.02, lambda: order.append("second"))
    loop.at(now, lambda: order.append("first"))
    cancelled = loop.at(now, lambda: order.append("never"))
    cancelled.cancel()
    while len(order) < 2:
        loop.poll(60)
    assert order == ["first", "second"]
    assert time.monotonic() >= now + 0.02


def test_wake(loop: Loop) -> None:
    threading.Timer(0.05, loop.wake).start()
    loop.poll(60)


def test_the_guard_is_held_around_calls_only(loop: Loop) -> None:
    lock = threading.Lock()
    loop.guard = lock
    held: list[bool] = []
    loop.soon(lambda: held.append(lock.locked()))
    loop.poll(0)
    assert held == [True]
    assert not lock.locked()
