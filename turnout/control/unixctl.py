# SPDX-License-Identifier: Apache-2.0
"""The control socket: Open vSwitch's unixctl protocol (JSON-RPC 1.0 on a Unix socket), so that ovs-appctl
speaks to us.

Messages and their parser are the `ovs` package's. Its server is not used: there a client that never ends a
message stalls the loop or eats the memory, some bytes raise, and select() ends at descriptor 1023. Here each
client gets a bounded turn, a message has a bounded size, and whatever a client sends costs at most its own
connection.
"""

import codecs
import contextlib
import json
import logging
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import ovs.json  # type: ignore[import-untyped]
import ovs.jsonrpc  # type: ignore[import-untyped]

from turnout.control.listen import listen_unix
from turnout.control.loop import READ, WRITE, Loop
from turnout.errors import TurnoutError

log = logging.getLogger(__name__)

TURN_BYTES = 65536  # what a client may send per turn of the loop
MESSAGE_CHARS = 4 << 20  # the longest request
CLIENTS = 64

Answer = str | Future[str]


@dataclass(frozen=True)
class Command:
    """What a request runs: `run` takes the arguments and returns the reply's text, at once or later, or
    raises TurnoutError.
    """

    run: Callable[[list[str]], Answer]
    usage: str = ""
    least: int = 0
    most: int = 0


class _Client:
    """One connection. Each turn reads, runs what is complete and writes, and never waits.

    wake: called when an answer has come that was not there at once, for another turn.
    """

    def __init__(
        self, sock: socket.socket, commands: Mapping[str, Command], wake: Callable[["_Client"], object]
    ) -> None:
        self.sock = sock
        self._commands = commands
        self._wake = wake
        self._awaited: tuple[object, Future[str]] | None = None  # a request's id and its answer
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._parser = ovs.json.Parser()
        self._chars = 0  # of the message being parsed
        self._input = ""
        self._output = b""

    @property
    def events(self) -> int:
        """What to wait for: a client that does not read its replies is not read from either, nor one whose
        answer is awaited.
        """
        return 0 if self._awaited else WRITE if self._output else READ

    def turn(self) -> bool:
        """Whether the connection is to stay open."""
        if self._awaited:
            self._reply(*self._awaited)
            self._awaited = None
        elif not self._output:
            try:
                data = self.sock.recv(TURN_BYTES)
            except BlockingIOError:
                return True
            if not data:
                return False
            self._input += self._decode(data)
        self._write()
        while self._input and not self._output and not self._awaited:
            used = self._parser.feed(self._input)
            self._input = self._input[used:]
            self._chars += used
            if self._parser.is_done():
                self._answer(ovs.jsonrpc.Message.from_json(self._parser.finish()))
                self._parser, self._chars = ovs.json.Parser(), 0
            elif self._chars > MESSAGE_CHARS:
                raise ValueError(f"message longer than {MESSAGE_CHARS} characters")
        return True

    def _answer(self, message: ovs.jsonrpc.Message | str) -> None:
        if isinstance(message, str) or message.type != ovs.jsonrpc.Message.T_REQUEST:
            raise ValueError(message if isinstance(message, str) else "not a request")
        answer: Future[str] = Future()
        try:
            done = self._run(message.method, message.params)
        except TurnoutError as error:
            answer.set_exception(error)
        else:
            if isinstance(done, str):
                answer.set_result(done)
            else:
                answer = done
        if answer.done():
            self._reply(message.id, answer)
        else:
            self._awaited = message.id, answer
            answer.add_done_callback(lambda _: self._wake(self))

    def _reply(self, request: object, answer: Future[str]) -> None:
        try:
            text, ok = answer.result(), True
        except TurnoutError as error:
            text, ok = str(error), False
        if text and not text.endswith("\n"):
            text += "\n"
        reply = {"id": request, "result": text if ok else None, "error": None if ok else text}
        self._output += json.dumps(reply).encode()
        self._write()

    def _run(self, method: str, params: list[object]) -> Answer:
        command = self._commands.get(method)
        arguments = [p for p in params if isinstance(p, str)]
        if command is None:
            known = 'use "list-commands" to see a list of valid commands'
            raise TurnoutError(f'"{method}" is not a valid command ({known})')
        if len(arguments) < len(params):
            raise TurnoutError(f'"{method}" command has non-string argument')
        if len(params) < command.least:
            raise TurnoutError(f'"{method}" command requires at least {command.least} arguments')
        if len(params) > command.most:
            raise TurnoutError(f'"{method}" command takes at most {command.most} arguments')
        try:
            return command.run(arguments)
        except TurnoutError:
            raise
        except Exception as error:
            log.exception("%s failed", method)
            raise TurnoutError(f"{method}: internal error: {error!r}; see the daemon's log") from error

    def _write(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._output:
                self._output = self._output[self.sock.send(self._output) :]


class Server:
    """Listens at `path` (mode 0600); `loop` calls it."""

    def __init__(self, path: Path, commands: Mapping[str, Command], loop: Loop) -> None:
        self.path = path
        self._commands = commands
        self._loop = loop
        self._clients: dict[int, _Client] = {}
        self._listener = listen_unix(path, "control")
        # newcomers after those who leave, whose places they take
        loop.watch(self._listener, READ, lambda _: loop.soon(self._accept))

    def close(self) -> None:
        """Drops all clients and removes the socket."""
        for client in list(self._clients.values()):
            self._drop(client)
        self._loop.unwatch(self._listener)
        self._listener.close()
        with contextlib.suppress(OSError):
            self.path.unlink()

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        if len(self._clients) >= CLIENTS:
            sock.close()
            return
        sock.setblocking(False)
        client = _Client(sock, self._commands, lambda client: self._loop.soon(lambda: self._turn(client)))
        self._clients[sock.fileno()] = client
        self._watch(client)

    def _watch(self, client: _Client) -> None:
        if client.events:
            self._loop.watch(client.sock, client.events, lambda _: self._turn(client))
        else:
            self._loop.unwatch(client.sock)

    def _turn(self, client: _Client) -> None:
        if self._clients.get(client.sock.fileno()) is not client:
            return  # dropped while its answer was awaited
        before = client.events
        try:
            if client.turn():
                if client.events != before:
                    self._watch(client)
                return
        except (ValueError, RecursionError, OSError) as error:
            log.warning("control socket: a client was dropped: %s", error)
        self._drop(client)

    def _drop(self, client: _Client) -> None:
        self._loop.unwatch(client.sock)
        del self._clients[client.sock.fileno()]
        client.sock.close()
