# SPDX-License-Identifier: Apache-2.0
"""The daemon: a Switch, the control socket in front of it, the state file behind it."""

import contextlib
import fcntl
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from turnout import __version__
from turnout.config import state, toml
from turnout.config.model import Config
from turnout.config.state import PortMemory
from turnout.config.tree import from_tree, to_tree
from turnout.control import paths
from turnout.control.commands import Commands, Standalone
from turnout.control.loop import READ, Loop
from turnout.control.unixctl import Command, Server
from turnout.errors import TurnoutError
from turnout.ovsdb import start
from turnout.ovsdb.vswitchd import Vswitchd
from turnout.switch import Switch

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to serve. `overrides`: switch-wide settings, as in the TOML file, that win over it. ovsdb: the
    database that says which bridges and ports there are, such as "unix:/run/openvswitch/db.sock"; "": none.
    run_dir: where bridges and ports have their sockets; None: beside the control socket. version: what the
    command of that name answers. ready: called once, when the switch is what it is to be.

    stand_in: for ovs-vswitchd. Then bridges and ports come from the database alone, and from the state file
    only what is remembered of ports; internal ports outlive an exit without --cleanup; and the caller has
    seen to it that no other daemon has the control socket.
    """

    config: Path | None
    state: Path
    socket: Path
    overrides: Mapping[str, object]
    ovsdb: str = ""
    run_dir: Path | None = None
    version: str = f"turnout (Turnout) {__version__}"
    ready: Callable[[], None] = lambda: None
    stand_in: bool = False


def initial(options: Options) -> tuple[Config, str, Mapping[str, PortMemory]]:
    """The desired state to start with, the TOML file's digest, and what is remembered of ports.

    Switch-wide settings come from the file, the database and the command line, of which the last wins.
    Bridges and ports come from the state file, unless the TOML file is new or has changed since that was
    written: then they come from the TOML file. A stand-in starts without any.
    """
    saved = state.load(options.state)
    found = start.look(options.ovsdb) if options.ovsdb else start.Start()
    memory = dict(saved.ports) if saved else {}
    for name, number in found.ofports.items():
        memory[name] = replace(memory.get(name, PortMemory(number)), ofport=number)
    if options.config is None:
        base, digest = Config(), ""
        bridges = saved.bridges if saved else ()
    else:
        base, digest = toml.load(options.config), state.digest(options.config)
        if options.ovsdb and base.bridges:
            raise TurnoutError(
                f"{options.config}: has bridges; with --ovsdb they come from the database only"
            )
        if saved and saved.config_digest == digest:
            bridges = saved.bridges
        else:
            bridges = base.bridges
            if saved and saved.bridges not in ((), bridges):
                log.warning("%s changed: its bridges and ports replace the saved ones", options.config)
    config = from_tree({**to_tree(replace(base, bridges=())), **found.settings, **options.overrides})
    if options.stand_in:
        bridges = ()
    return replace(config, bridges=bridges), digest, memory


def serve(options: Options) -> None:
    """Runs until SIGTERM, SIGINT or the `exit` command. TurnoutError, one line, if it cannot start."""
    config, digest, memory = initial(options)
    _make_folders(options)
    saved = config
    stopping = ready = False
    keeps = options.stand_in  # internal ports

    def stop(cleanup: bool = False) -> None:
        nonlocal stopping, keeps
        stopping, keeps = True, keeps and not cleanup

    def save(changed: Config) -> None:
        nonlocal memory, saved
        memory, saved = switch.memory, changed
        kept = state.State(bridges=changed.bridges, config_digest=digest, ports=memory)
        state.save(options.state, kept)

    def remember() -> None:
        """What the database or controllers have changed since. A stand-in may not have its ports yet."""
        if (switch.config, switch.memory) != (saved, memory) and (switch.memory or not options.stand_in):
            try:
                save(switch.config)
            except TurnoutError as error:
                log.error("%s", error)

    commands: dict[str, Command] = {}
    with contextlib.ExitStack() as stack:
        if not options.stand_in:
            stack.enter_context(_pid_file(options.socket))
        loop = stack.enter_context(contextlib.closing(Loop()))
        stack.enter_context(contextlib.closing(Server(options.socket, commands, loop)))
        signals = stack.enter_context(_signals(stop))
        loop.watch(signals, READ, lambda _: signals.recv(4096))
        switch = stack.enter_context(
            Switch(
                config,
                run_dir=options.run_dir or options.socket.parent,
                tolerant=True,
                loop=loop,
                flows_dir=options.state.parent,
                memory=memory,
            )
        )
        stack.callback(lambda: switch.keep_interfaces() if keeps else None)  # also where an error ends us
        if not options.stand_in:
            save(config)
        database: Vswitchd | None = None
        if options.ovsdb:
            database = Vswitchd(switch, loop, options.ovsdb)
            stack.callback(database.close)
        asked = Commands(switch, database or Standalone(switch, save), stop, options.version)
        commands |= asked.table
        cores = ",".join(map(str, switch.show().cores))
        log.info("serving on %s, pid %d, worker cores %s", options.socket, os.getpid(), cores)
        next_tick, trouble = 0.0, _Trouble()
        while not stopping:
            if (now := time.monotonic()) >= next_tick:
                next_tick = now + 1.0
                for tick in (switch.tick, *([database.tick] if database else []), asked.tick):
                    trouble.of(tick, now)
                remember()
            if not ready and (database is None or database.started):
                ready = True
                options.ready()
            loop.poll(next_tick - time.monotonic())
        log.info("stopping")
        remember()


class _Trouble:
    """Keeps what goes wrong each second from ending the daemon, and says it once."""

    def __init__(self) -> None:
        self._said: dict[Callable[[float], None], str] = {}

    def of(self, tick: Callable[[float], None], now: float) -> None:
        try:
            tick(now)
            self._said.pop(tick, None)
        except Exception as error:
            if self._said.get(tick) != (text := repr(error)):
                self._said[tick] = text
                log.error("%s", error, exc_info=not isinstance(error, TurnoutError))


def _make_folders(options: Options) -> None:
    """Makes the default folders; another one that the user names has to exist."""
    for file, default in ((options.socket, paths.control_socket()), (options.state, paths.state_file())):
        if file == default:
            try:
                file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise TurnoutError(f"{file.parent}: cannot create: {error.strerror}; run as root") from None


@contextlib.contextmanager
def _pid_file(control: Path) -> Iterator[None]:
    """Beside the socket, locked while we live: of two daemons that start at once on one socket, one wins."""
    path = control.with_suffix(".pid")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise TurnoutError(f"control socket {control}: cannot write {path}: {error.strerror}") from None
    with os.fdopen(descriptor, "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pid = file.read().strip() or "?"
            raise TurnoutError(
                f"control socket {control}: taken by a running daemon (pid {pid}); stop it, or use another"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[socket.socket]:
    """SIGTERM and SIGINT call `stop`; the socket becomes readable, so that a wait ends."""
    reader, writer = socket.socketpair()
    for end in (reader, writer):
        end.setblocking(False)
    with reader, writer:
        old_wakeup = signal.set_wakeup_fd(writer.fileno())
        old = {number: signal.signal(number, lambda *_: stop()) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield reader
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(old_wakeup)
