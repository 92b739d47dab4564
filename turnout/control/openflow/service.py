# SPDX-License-Identifier: Apache-2.0
"""Where connections come from: one that we make and make again, or a socket that we listen at."""

import logging
import os
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import ovs.reconnect  # type: ignore[import-untyped]

from turnout.config.target import Target
from turnout.control.listen import listen_unix
from turnout.control.loop import READ, Loop, Timer
from turnout.control.openflow.connection import Connection, milliseconds
from turnout.control.openflow.stream import Keys, Stream, connect, listen
from turnout.errors import TurnoutError
from turnout.openflow.session.constants import Role
from turnout.results import ControllerView

log = logging.getLogger(__name__)

CONNECTIONS = 64  # of one listening socket
_BACKOFF = 1000  # ms between tries, least
_MOST_BACKOFF = 8000  # ms
_RETRY = 5.0  # s between tries to listen

# gives a stream a session and a connection; its second argument is called when it ends
Opener = Callable[[Stream, "ovs.reconnect.Reconnect | None", Callable[[Connection, str], None]], Connection]


_ROLES = {Role.MASTER: "master", Role.SLAVE: "slave"}


class Service(Protocol):
    """What a bridge has for each of its targets."""

    @property
    def connected(self) -> bool:
        """Whether a controller is there and has agreed on a version."""

    @property
    def view(self) -> ControllerView:
        """How it stands."""

    def close(self) -> None:
        """Ends its connections, and makes no more."""


def new_fsm(
    name: str, now: float, *, probe: float, max_backoff: int = _MOST_BACKOFF
) -> "ovs.reconnect.Reconnect":
    """The `ovs` package's state machine of a reconnecting client. probe: s; 0: none. max_backoff: ms."""
    fsm = ovs.reconnect.Reconnect(milliseconds(now))
    fsm.set_name(name)
    fsm.set_quiet(True)
    fsm.set_backoff(_BACKOFF, max_backoff)
    fsm.set_probe_interval(milliseconds(probe))
    fsm.receive_attempted(None)  # the loop says when there is something to receive
    return fsm


class Watchdog:
    """Runs a state machine: asks it at the times that it names, and does what it says."""

    def __init__(self, fsm: "ovs.reconnect.Reconnect", loop: Loop, act: Callable[[str], None]) -> None:
        self.fsm = fsm
        self._loop = loop
        self._act = act
        self._timer: Timer | None = None
        self._stopped = False
        self._loop.soon(self.run)

    def run(self) -> None:
        """To be called after each change that the machine is told of."""
        if self._stopped:
            return
        if self._timer:
            self._timer.cancel()
        now = milliseconds(time.monotonic())
        if verdict := self.fsm.run(now):
            self._act(verdict)
        if not self._stopped and (wait := self.fsm.timeout(milliseconds(time.monotonic()))) is not None:
            # at least a moment, so that a machine that wants to be asked again can't stop the loop
            self._timer = self._loop.at(time.monotonic() + max(wait, 10) / 1000, self.run)

    def stop(self) -> None:
        """No more calls."""
        self._stopped = True
        if self._timer:
            self._timer.cancel()


def _seconds(ms: int | None) -> int | None:
    return None if ms is None else ms // 1000


class ActiveService:
    """Connects to a controller, again and again with growing pauses."""

    def __init__(
        self,
        target: Target,
        name: str,
        loop: Loop,
        keys: Keys | None,
        opener: Opener,
        *,
        probe: float,
        max_backoff: int,
    ) -> None:
        """probe: s of silence before it is asked for a sign of life; 0: never. max_backoff: ms between tries,
        at most.
        """
        self._target = target
        self._name = name
        self._loop = loop
        self._keys = keys
        self._opener = opener
        self._connection: Connection | None = None
        self._was_connected = False
        self._said = ""  # the last failure that was logged
        self._fsm = new_fsm(name, time.monotonic(), probe=probe, max_backoff=max_backoff)
        self._fsm.enable(milliseconds(time.monotonic()))
        self._watchdog = Watchdog(self._fsm, loop, self._act)

    @property
    def connected(self) -> bool:
        """Whether the controller has agreed on a version."""
        return self._connection is not None and self._connection.session.connected

    @property
    def view(self) -> ControllerView:
        """How it stands."""
        stats = self._fsm.get_stats(milliseconds(time.monotonic()))
        connection = self._connection
        return ControllerView(
            connected=self.connected,
            role=_ROLES.get(connection.session.role, "other") if self.connected and connection else "",
            state=stats.state,
            since_connect=_seconds(stats.msec_since_connect),
            since_disconnect=_seconds(stats.msec_since_disconnect),
            last_error=self._said,
        )

    def close(self) -> None:
        """Hangs up for good."""
        self._watchdog.stop()
        if self._connection:
            connection, self._connection = self._connection, None
            connection.session.close("removed")
            connection.close()

    def note(self) -> None:
        """To be called after turns: the session may have come to an agreement."""
        if self.connected and not self._was_connected:
            self._was_connected = True
            self._said = ""
            log.info("%s: connected", self._name)
            self._fsm.connected(milliseconds(time.monotonic()))
            self._watchdog.run()

    def _act(self, verdict: str) -> None:
        now = milliseconds(time.monotonic())
        if verdict == ovs.reconnect.CONNECT:
            self._connect(now)
        elif verdict == ovs.reconnect.PROBE:
            if self._connection:
                self._connection.probe()
                self._connection.flush()
        elif verdict == ovs.reconnect.DISCONNECT and self._connection:
            connection = self._connection
            connection.close()
            self._ended(connection, "no answer" if self._was_connected else "connection attempt timed out")

    def _connect(self, now: int) -> None:
        try:
            context = self._context()
            stream = connect(self._target, context)
        except (OSError, TurnoutError) as error:
            self._fsm.connect_failed(now, getattr(error, "errno", None) or 0)
            return self._say(getattr(error, "strerror", None) or str(error))
        self._fsm.connecting(now)
        self._connection = self._opener(stream, self._fsm, self._ended)
        return None

    def _context(self) -> ssl.SSLContext | None:
        if not self._target.tls:
            return None
        if self._keys is None:
            raise TurnoutError("needs private-key, certificate and ca-cert among the switch's settings")
        return self._keys.context(server=False)

    def _ended(self, connection: Connection, why: str) -> None:
        if connection is not self._connection:
            return
        self._connection = None
        now = milliseconds(time.monotonic())
        if self._was_connected:
            self._was_connected = False
            log.info("%s: disconnected: %s", self._name, why)
            self._fsm.disconnected(now, 0)
        else:
            self._fsm.connect_failed(now, 0)
            self._say(why)
        self._loop.soon(self._watchdog.run)

    def _say(self, why: str) -> None:
        if why != self._said:
            self._said = why
            log.warning("%s: cannot connect: %s; trying on", self._name, why)


class PassiveService:
    """Listens, for controllers or an administrator's tools."""

    def __init__(
        self, target: Target, name: str, loop: Loop, keys: Keys | None, opener: Opener, *, probe: float = 0.0
    ) -> None:
        """probe: s of silence before one who called is asked for a sign of life; 0: never."""
        self._target = target
        self._name = name
        self._loop = loop
        self._opener = opener
        self._probe = probe
        self._keys = keys
        self._context: ssl.SSLContext | None = None
        self._listener: socket.socket | None = None
        self._timer: Timer | None = None
        self._said = ""
        self._connections: dict[Connection, Watchdog | None] = {}
        self._listen()

    @property
    def connected(self) -> bool:
        """Whether one that called has agreed on a version."""
        return any(c.session.connected for c in self._connections)

    @property
    def view(self) -> ControllerView:
        """How those stand who have called."""
        roles = [_ROLES.get(c.session.role, "other") for c in self._connections if c.session.connected]
        return ControllerView(connected=bool(roles), role=min(roles, default=""))  # a master comes first

    def close(self) -> None:
        """Hangs up on all, and removes the socket."""
        if self._timer:
            self._timer.cancel()
        for connection in list(self._connections):
            connection.session.close("removed")
            connection.close()
            self._forget(connection)
        if self._listener is not None:
            self._loop.unwatch(self._listener)
            self._listener.close()
            self._listener = None
            if self._target.path:
                Path(self._target.path).unlink(missing_ok=True)

    def _listen(self) -> None:
        self._timer = None
        try:
            if self._target.tls:
                if self._keys is None:
                    raise TurnoutError(
                        "needs private-key, certificate and ca-cert among the switch's settings"
                    )
                self._context = self._keys.context(server=True)
            target = self._target
            self._listener = listen_unix(Path(target.path), "OpenFlow") if target.path else listen(target)
        except (OSError, TurnoutError) as error:
            why = getattr(error, "strerror", None) or str(error)
            if why != self._said:
                log.warning("%s: cannot listen: %s; trying again every few seconds", self._name, why)
                self._said = why
            self._timer = self._loop.at(time.monotonic() + _RETRY, self._listen)
            return
        self._loop.watch(self._listener, READ, lambda _: self._loop.soon(self._accept))

    def _accept(self) -> None:
        if self._listener is None:
            return
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        if len(self._connections) >= CONNECTIONS:
            sock.close()
            return
        now = time.monotonic()
        fsm = new_fsm(f"{self._name}#{sock.fileno()}", now, probe=self._probe)
        fsm.set_passive(True, milliseconds(now))
        fsm.connected(milliseconds(now))
        try:
            stream = Stream(sock, connected=True, context=self._context)
        except OSError:
            sock.close()
            return
        connection = self._opener(stream, fsm, self._ended)
        watchdog = Watchdog(fsm, self._loop, lambda v: self._act(connection, v)) if self._probe else None
        self._connections[connection] = watchdog

    def _act(self, connection: Connection, verdict: str) -> None:
        if verdict == ovs.reconnect.PROBE:
            connection.probe()
            connection.flush()
        elif verdict == ovs.reconnect.DISCONNECT:
            connection.close()
            self._ended(connection, "no answer")

    def _ended(self, connection: Connection, why: str) -> None:
        log.debug("%s: %s: %s", self._name, connection.session.name, why)
        self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        watchdog = self._connections.pop(connection, None)
        if watchdog:
            watchdog.stop()


def keys_of(private_key: str, certificate: str, ca_cert: str) -> Keys | None:
    """The keys, if all three are given."""
    return Keys(private_key, certificate, ca_cert) if private_key and certificate and ca_cert else None


def run_dir(default: Path) -> Path:
    """Where management sockets are: where ovs-ofctl looks, if the environment says so to it as well."""
    return Path(os.environ.get("OVS_RUNDIR") or default)
