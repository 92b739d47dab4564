# SPDX-License-Identifier: Apache-2.0
"""coverage/show: how often which thing happened. What is counted here are dropped packets, by reason."""

import zlib
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass

from turnout.control.unixctl import Command
from turnout.switch import Switch

_STEP = 5.0  # s between samples
_HOUR = 3600.0


@dataclass(frozen=True)
class Event:
    """Its count, and what a second saw of it on average over the last 5 s, minute and hour."""

    total: int
    last_5s: float
    last_minute: float
    last_hour: float


class History:
    """Totals as they were, for an hour."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, Mapping[str, int]]] = deque([(0.0, {})], int(_HOUR / _STEP) + 1)

    def due(self, now: float) -> bool:
        """Whether the next sample is wanted. now: s, monotonic."""
        return now >= self._samples[-1][0] + _STEP

    def sample(self, totals: Mapping[str, int], now: float) -> None:
        """Kept if it is due. now: s, monotonic."""
        if self.due(now):
            self._samples.append((now, totals))

    def events(self, totals: Mapping[str, int], now: float) -> dict[str, Event]:
        """What has happened at all, by name."""
        return {
            name: Event(total, *(self._rate(name, total, now, span) for span in (_STEP, 60.0, _HOUR)))
            for name, total in sorted(totals.items())
        }

    def _rate(self, name: str, total: int, now: float, span: float) -> float:
        """Per second since the latest sample that is `span` seconds old, or the eldest there is. A port that
        has left takes its counts along.
        """
        old = next((s for at, s in reversed(self._samples) if at <= now - span), self._samples[0][1])
        return max(0, total - old.get(name, 0)) / span


class Coverage:
    """The command. `tick` is called once a second."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self._history = History()
        self._now = 0.0

    def tick(self, now: float) -> None:
        """now: s, monotonic."""
        self._now = now
        if self._history.due(now):  # counting drops looks at every port
            self._history.sample(self._totals(), now)

    def commands(self) -> dict[str, Command]:
        """Name → command."""
        return {
            "coverage/show": Command(lambda _: format_events(self._history.events(self._totals(), self._now)))
        }

    def _totals(self) -> dict[str, int]:
        totals: Counter[str] = Counter()
        for drop in self._switch.drops():
            totals[f"drop_{drop.reason.replace('-', '_')}"] += drop.packets
        return dict(totals)


def format_events(events: Mapping[str, Event]) -> str:
    """A line per event. The hash tells which have happened."""
    number = zlib.crc32(" ".join(events).encode())
    title = "Event coverage, avg rate over last: 5 seconds, last minute, last hour,"
    rows = (
        f"{name:<24} {e.last_5s:5.1f}/sec {e.last_minute:9.3f}/sec {e.last_hour:13.4f}/sec   total: {e.total}"
        for name, e in events.items()
    )
    return "\n".join([f"{title}  hash={number:08x}:", *rows])
