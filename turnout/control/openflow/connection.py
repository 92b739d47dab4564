# SPDX-License-Identifier: Apache-2.0
"""A session on its socket: a bounded turn each time, nothing read while replies are unread, probes while it
is idle.

The timing of probes is the `ovs` package's reconnect state machine, as in Open vSwitch.
"""

import logging
import ssl
import time
from collections.abc import Callable

import ovs.reconnect  # type: ignore[import-untyped]

from turnout.control.loop import READ, WRITE, Loop
from turnout.control.openflow.stream import Stream
from turnout.openflow.session import wire
from turnout.openflow.session.session import Session

log = logging.getLogger(__name__)

TURN_BYTES = 128 * 1024  # what a controller may send per turn of the loop
_ECHO = 2


def milliseconds(now: float) -> int:
    """The unit of the reconnect state machine."""
    return int(now * 1000)


class Connection:
    """Moves a session's bytes until either side ends it; then calls `ended` with why.

    turned: called at the end of each turn, since one session's requests can give others something to send.
    fsm: None: no probes.
    """

    def __init__(
        self,
        stream: Stream,
        session: Session,
        loop: Loop,
        turned: Callable[[], None],
        ended: Callable[["Connection", str], None],
        fsm: "ovs.reconnect.Reconnect | None" = None,
    ) -> None:
        self.stream = stream
        self.session = session
        self._loop = loop
        self._turned = turned
        self._ended = ended
        self._fsm = fsm
        self._watched = 0
        self._scheduled = False
        self._closed = False
        self._more = False  # messages that have come are still to be handled
        self._hung_up = False
        self._watch()

    def close(self) -> None:
        """Ends it without calling `ended`."""
        if not self._closed:
            self._closed = True
            self._loop.unwatch(self.stream.sock)
            self.stream.close()

    def flush(self) -> None:
        """Sends what the session has, after something else than its own bytes gave it something."""
        if not self._closed and (self.session.output or self.session.closed):
            self._safely(self._write)

    def probe(self) -> None:
        """Asks the peer for a sign of life."""
        if self.session.connected and not self.session.output:
            self.session.send(wire.message(self.session.version, _ECHO, 0))

    # --- inside

    def _turn(self, events: int) -> None:
        self._safely(lambda: self._advance(events))
        self._turned()

    def _again(self) -> None:
        self._scheduled = False
        if not self._closed:
            self._turn(READ)

    def _safely(self, act: Callable[[], None]) -> None:
        if self._closed:
            return None
        try:
            act()
        except ssl.SSLError as error:
            return self._end(f"TLS: {error.reason or error}")
        except OSError as error:
            return self._end(error.strerror or str(error))
        except Exception:  # ours: it may cost this connection, and nobody else
            log.exception("%s failed", self.session.name)
            return self._end("internal error; see the log")
        if not self._closed:
            if self.session.closed and not self.session.output:
                return self._end(self.session.closed)
            self._watch()
        return None

    def _advance(self, events: int) -> None:
        if not self.stream.open:
            old = self.stream.sock
            self._loop.unwatch(old)
            self._watched = 0
            self.stream.advance()
            if not self.stream.open:
                return
        elif events & WRITE:
            self._write()
        if self.session.may_read:
            self._read()
        self._write()

    def _read(self) -> None:
        """Takes what came, unless messages that came before are still to be handled; then hands them on."""
        now = time.monotonic()
        data = b""
        if not (self._more or self._hung_up):
            came = self.stream.read(TURN_BYTES)
            self._hung_up = came == b""
            data = came or b""
        self.session.bridge.now = now
        self._more = self.session.receive(data, now)
        if data and self._fsm and self._fsm.is_connected():
            self._fsm.activity(milliseconds(now))
        if self._more or self.stream.buffered:
            self._soon()
        elif self._hung_up and not self.session.held:
            self._end("connection closed by peer")

    def _write(self) -> None:
        session = self.session
        while self.stream.open and session.output:
            sent = self.stream.write(session.output)
            if not sent:
                break
            session.sent(sent)
        if session.held and session.may_read:
            self._soon()

    def _soon(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.soon(self._again)

    def _watch(self) -> None:
        if not self.stream.open:
            wanted = self.stream.opening
        else:
            wanted = (READ if self.session.may_read else 0) | (WRITE if self.session.output else 0)
        if wanted != self._watched:
            self._loop.watch(self.stream.sock, wanted or READ, self._turn)
            self._watched = wanted

    def _end(self, why: str) -> None:
        if not self._closed:
            self.close()
            self._ended(self, why)
