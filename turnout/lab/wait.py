# SPDX-License-Identifier: Apache-2.0
"""Waiting for something to become true, never for ever."""

import time
from collections.abc import Callable

from turnout.lab.console import LabError


def until(condition: Callable[[], object], what: str, timeout: float = 5, interval: float = 0.02) -> float:
    """Poll `condition` until it holds; returns the seconds that took. LabError after `timeout` seconds."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > timeout:
            raise LabError(f"not within {timeout:g} s: {what}")
        time.sleep(interval)
    return time.monotonic() - start


def settled(read: Callable[[], object], quiet: float = 0.2, timeout: float = 10) -> None:
    """Wait until what `read` returns hasn't changed for `quiet` seconds. LabError after `timeout` seconds."""
    last, since, start = read(), time.monotonic(), time.monotonic()
    while time.monotonic() - since < quiet:
        time.sleep(quiet / 10)
        if (now := read()) != last:
            last, since = now, time.monotonic()
        if time.monotonic() - start > timeout:
            raise LabError(f"still changing after {timeout:g} s: {last}")
