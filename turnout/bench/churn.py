# SPDX-License-Identifier: Apache-2.0
"""Rules that come and go while packets pass: flow_mods at a steady pace from a thread."""

import contextlib
import threading
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Final

from turnout.bench.openflow import Connection, flow_mods
from turnout.bench.scenarios import Churn
from turnout.lab.console import LabError

_SPARES: Final = 10_000
_BATCH: Final = 100  # flow_mods sent at once, then a barrier


class Churner:
    """Sends batches of adds, each deleted by the next batch, and waits for a barrier after each.

    A switch that is too slow for the pace gets what it can take: `done` says what that was.
    """

    def __init__(self, churn: Churn) -> None:
        spare = churn.rules.spare(_SPARES)
        parts = [spare[start : start + _BATCH] for start in range(0, _SPARES, _BATCH)]
        self._batches = [flow_mods(command, part) for part in parts for command in ("add", "delete_strict")]
        self._interval = _BATCH / churn.per_second
        self._failure: LabError | None = None
        self._stop = threading.Event()
        self._done = 0

    def done(self) -> int:
        """Flow_mods that the switch has carried out. LabError if it has failed to."""
        if self._failure is not None:
            raise self._failure
        return self._done

    @contextlib.contextmanager
    def running(self, management: Path) -> Iterator[None]:
        thread = threading.Thread(target=self._run, args=(management,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _run(self, management: Path) -> None:
        try:
            with Connection(management) as connection:
                due = time.monotonic()
                for batch in cycle(self._batches):
                    if self._stop.wait(max(0.0, due - time.monotonic())):
                        return
                    connection.send(batch)
                    connection.barrier()
                    self._done += _BATCH
                    due = max(due + self._interval, time.monotonic() - 1)  # it may catch up a second, no more
        except LabError as error:
            self._failure = error
