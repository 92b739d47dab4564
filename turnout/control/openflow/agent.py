# SPDX-License-Identifier: Apache-2.0
"""A bridge's OpenFlow: its controllers, its management socket, those who snoop, and what it does without a
controller.
"""

import hashlib
import itertools
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import ovs.reconnect  # type: ignore[import-untyped]

from turnout import __version__, _engine
from turnout.config import target
from turnout.config.model import Bridge as BridgeConfig
from turnout.control import host
from turnout.control.loop import Loop
from turnout.control.openflow.connection import Connection
from turnout.control.openflow.service import ActiveService, PassiveService
from turnout.control.openflow.stream import Keys, Stream
from turnout.openflow.flow import Selection
from turnout.openflow.session.bridge import Bridge, Host
from turnout.openflow.session.constants import NAMES, OF13
from turnout.openflow.session.session import Session
from turnout.openflow.session.snoop import Snooper
from turnout.openflow.text import parse
from turnout.openflow.wire import delete_mod, flow_mod
from turnout.results import ControllerView

log = logging.getLogger(__name__)

PATIENCE = 15.0  # s without a controller after which a standalone bridge forwards by itself, without probes
_ALL = frozenset(NAMES.values())


def normal_flow(*, add: bool) -> bytes:
    """The flow-mod that makes a bridge a learning switch, or ends that."""
    flow = parse("priority=0,actions=NORMAL")
    if add:
        return flow_mod(flow)
    return delete_mod(Selection(match=flow.match, table=0, priority=flow.priority, strict=True))


def datapath_id(config: BridgeConfig) -> int:
    """As configured; else one that is always the same for this bridge on this host."""
    if config.datapath_id:
        return int(config.datapath_id, 16)
    digest = hashlib.sha256(f"{host.identity()} {config.name}".encode()).digest()
    return int.from_bytes(bytes((0x02, *digest[:5])))


class Agent:
    """What a bridge has open. All calls are the loop's, or made while its guard is held."""

    def __init__(
        self,
        config: BridgeConfig,
        host: Host,
        loop: Loop,
        *,
        run_dir: Path,
        keys: Keys | None,
        numbers: Iterator[int],
    ) -> None:
        self._loop = loop
        self._keys = keys
        self._numbers = numbers
        self._connections: list[Connection] = []
        self._snoopers: list[Connection] = []
        self._services: dict[str, ActiveService | PassiveService] = {}
        self._alone_since: float | None = None  # s; since when no controller has answered
        self._open = False  # forwards by itself for want of a controller
        self.bridge = Bridge(
            host,
            datapath_id=datapath_id(config),
            description=("Turnout", "Turnout", __version__, "None", config.name),
        )
        self._view = _engine.SessionView(
            id=next(numbers), version=OF13, format=_engine.FlowFormat.OXM, may_write=True
        )
        self._config = config
        self._mgmt = self._listen(run_dir / f"{config.name}.mgmt", self._open_service)
        self._snoop = self._listen(run_dir / f"{config.name}.snoop", self._open_snooper)

    # --- settings

    def configure(self, config: BridgeConfig, *, fresh: bool, now: float) -> None:
        """Makes it so. fresh: the bridge is new, and its tables are empty."""
        before, self._config = self._config, config
        self.bridge.datapath_id = datapath_id(config)
        if fresh or _limits(before) != _limits(config):
            of_all = config.flow_limit, config.overflow_policy == "evict"
            for number, table in enumerate(self.bridge.table_settings):
                table.limit, table.evict_by_config = config.limits.get(number, of_all)
            self.bridge.configure_tables(range(len(self.bridge.table_settings)))
        if _of_connections(before) != _of_connections(config):
            self._drop(list(self._services))
        self._drop([text for text in self._services if text not in config.controllers])
        for text in config.controllers:
            if text not in self._services:
                self._services[text] = self._service(text)
        if not fresh and (
            bool(before.controllers) != bool(config.controllers)
            or (before.fail_mode != config.fail_mode and not config.controllers)
        ):
            self.bridge.tables.clear()
            fresh = True
        if fresh:
            self._open = False
            self._alone_since = now
            if not config.controllers and config.fail_mode == "standalone":
                self.carry_out(normal_flow(add=True))
        if self._open and config.fail_mode == "secure":
            self._close_up()

    def set_keys(self, keys: Keys | None) -> None:
        """Controllers over TLS are connected anew with these."""
        self._keys = keys
        over_tls = [text for text in self._services if target.parse(text).tls]
        self._drop(over_tls)
        self._services |= {text: self._service(text) for text in over_tls}

    def carry_out(self, messages: bytes) -> bytes:
        """Has the engine carry out flow-mods and the like of ours, OpenFlow 1.3; the replies."""
        _, replies = self.bridge.tables.receive(messages, self._view)
        return replies

    def close(self) -> None:
        """Ends all sessions and removes the sockets."""
        self._drop(list(self._services))
        self._mgmt.close()
        self._snoop.close()
        for connection in [*self._connections, *self._snoopers]:
            connection.close()

    # --- as time passes

    def tick(self, now: float) -> None:
        """Once a second."""
        self.bridge.tick(now)
        self._check_controllers(now)
        self._turned()

    def poll(self, now: float) -> None:
        """After packets came up, or when some that waited are due."""
        self.bridge.poll(now)
        self._flush()

    @property
    def connected(self) -> dict[str, bool]:
        """Which controllers have answered, by target."""
        return {text: service.connected for text, service in self._services.items()}

    @property
    def controllers(self) -> dict[str, ControllerView]:
        """How each controller stands, by target."""
        return {text: service.view for text, service in self._services.items()}

    def _check_controllers(self, now: float) -> None:
        """Standalone: forward by itself when no controller has answered for a while, until one does."""
        if not self._services or self._config.fail_mode == "secure":
            return
        if any(self.connected.values()):
            self._alone_since = now
            if self._open:
                self._close_up()
        elif not self._open and now - (self._alone_since or 0.0) >= self._patience:
            log.warning("bridge %s: no controller has answered for %d s; forwarding by itself",
                        self._config.name, self._patience)  # fmt: skip
            self._open = True
            self.bridge.tables.clear()
            self.carry_out(normal_flow(add=True))

    @property
    def _patience(self) -> float:
        """In s, three probes, as in Open vSwitch."""
        return 3 * self._config.controller_inactivity_probe / 1000 or PATIENCE

    def _close_up(self) -> None:
        log.info("bridge %s: a controller has answered; forwarding as it says", self._config.name)
        self._open = False
        self.carry_out(normal_flow(add=False))

    # --- connections

    def _listen(self, path: Path, opener: "_Open") -> PassiveService:
        return PassiveService(
            target.parse(f"punix:{path}"),
            f"bridge {self._config.name}: {path.name}",
            self._loop,
            None,
            opener,
        )

    def _service(self, text: str) -> ActiveService | PassiveService:
        place = target.parse(text)
        name = f"bridge {self._config.name}: controller {text}"
        probe = self._config.controller_inactivity_probe / 1000
        if place.passive:
            return PassiveService(place, name, self._loop, self._keys, self._open_controller, probe=probe)
        return ActiveService(
            place,
            name,
            self._loop,
            self._keys,
            self._open_controller,
            probe=probe,
            max_backoff=self._config.controller_max_backoff,
        )

    def _drop(self, texts: list[str]) -> None:
        for text in texts:
            self._services.pop(text).close()
        for connection in [c for c in self._connections if c.session.closed == "removed"]:
            self._forget(connection)

    def _open_controller(
        self, stream: Stream, fsm: "ovs.reconnect.Reconnect | None", ended: "_Ended"
    ) -> Connection:
        config = self._config
        return self._connect(
            stream,
            fsm,
            ended,
            service=False,
            rate=config.controller_rate_limit,
            burst=config.controller_burst_limit,
            asynchronous=config.controller_async,
        )

    def _open_service(
        self, stream: Stream, fsm: "ovs.reconnect.Reconnect | None", ended: "_Ended"
    ) -> Connection:
        return self._connect(stream, fsm, ended, service=True)

    def _connect(
        self,
        stream: Stream,
        fsm: "ovs.reconnect.Reconnect | None",
        ended: "_Ended",
        *,
        service: bool,
        rate: int = 0,
        burst: int = 0,
        asynchronous: bool = True,
    ) -> Connection:
        number = next(self._numbers)
        session = self.bridge.open(
            number=number,
            versions=frozenset(NAMES[p] for p in self._config.protocols) or _ALL,
            service=service,
            name=f"{self._config.name}#{number}",
            rate=rate,
            burst=burst,
            asynchronous=asynchronous,
        )

        def forget(connection: Connection, why: str) -> None:
            self._forget(connection)
            ended(connection, why)

        connection = Connection(stream, session, self._loop, self._turned, forget, fsm)
        self._connections.append(connection)
        return connection

    def _forget(self, connection: Connection) -> None:
        if connection in self._connections:
            self._connections.remove(connection)
            self.bridge.remove(connection.session)

    def _turned(self) -> None:
        """After each turn of a connection: others may have something to say now."""
        self.bridge.poll(self.bridge.now)
        for service in self._services.values():
            if isinstance(service, ActiveService):
                service.note()
        self._flush()

    def _flush(self) -> None:
        for connection in [*self._connections, *self._snoopers]:
            connection.flush()

    # --- snooping

    def _open_snooper(
        self, stream: Stream, _fsm: "ovs.reconnect.Reconnect | None", ended: "_Ended"
    ) -> Connection:
        session = Snooper(self.bridge, versions=_ALL)

        def forget(connection: Connection, why: str) -> None:
            self._snoopers.remove(connection)
            self.bridge.snoop = self._copy if self._snoopers else None
            ended(connection, why)

        connection = Connection(stream, session, self._loop, self._turned, forget)
        self._snoopers.append(connection)
        self.bridge.snoop = self._copy
        return connection

    def _copy(self, session: Session, message: bytes) -> None:
        """A message of the most important controller's session goes to all who snoop."""
        if session is self._snooped():
            for connection in self._snoopers:
                assert isinstance(connection.session, Snooper)
                connection.session.copy(message)

    def _snooped(self) -> Session | None:
        """The controller that those who snoop hear: the master, else the first."""
        found = [s for s in self.bridge.sessions if not s.service]
        return max(found, key=lambda s: s.role == 2, default=None)


def _limits(config: BridgeConfig) -> tuple[object, ...]:
    return config.flow_limit, config.overflow_policy, config.table_limits


def _of_connections(config: BridgeConfig) -> tuple[object, ...]:
    """Settings that take new connections when they change."""
    return (
        *(config.protocols, config.controller_rate_limit, config.controller_burst_limit),
        *(config.controller_max_backoff, config.controller_inactivity_probe, config.controller_async),
    )


_Ended = Callable[[Connection, str], None]
_Open = Callable[[Stream, "ovs.reconnect.Reconnect | None", _Ended], Connection]


def numbers() -> Iterator[int]:
    """Sessions' numbers; 0 is nobody's."""
    return itertools.count(1)
