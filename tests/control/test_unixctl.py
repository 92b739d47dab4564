# SPDX-License-Identifier: Apache-2.0
"""The control socket: any bytes, slow clients, endless messages: each costs only its own connection."""

import contextlib
import json
import shutil
import socket
import stat
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import ovs.jsonrpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from turnout.control import client, unixctl
from turnout.control.loop import Loop
from turnout.control.unixctl import Command, Server
from turnout.errors import TurnoutError


def refuse(_: list[str]) -> str:
    raise TurnoutError("no, because")


def break_down(_: list[str]) -> str:
    raise ZeroDivisionError("oh")


COMMANDS = {
    "echo": Command(lambda a: " ".join(a), "WORD…", 0, 9),
    "much": Command(lambda _: "x" * 5_000_000),
    "refuse": Command(refuse),
    "break": Command(break_down),
    "one": Command(lambda a: a[0], "WORD", 1, 1),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose loop runs in a thread."""
    loop = Loop()
    server = Server(tmp_path_factory.mktemp("u") / "s", COMMANDS, loop)
    done = threading.Event()

    def run() -> None:
        while not done.is_set():
            loop.poll(60)

    thread = threading.Thread(target=run)
    thread.start()
    yield server
    done.set()
    loop.wake()
    thread.join()
    server.close()
    loop.close()
    assert not server.path.exists()


def connect(server: Server) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(str(server.path))  # before there is a timeout, with which it would not wait for its turn
    sock.settimeout(20)
    return sock


def lives(server: Server) -> bool:
    return client.request(server.path, "echo", "hi") == "hi\n"


def ask(server: Server, data: bytes) -> bytes:
    """What comes back for `data`; b"" when the server hangs up."""
    with connect(server) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: sock.recv(65536), b""))


def test_replies(server: Server) -> None:
    assert client.request(server.path, "echo", "a", "ü") == "a ü\n"
    assert client.request(server.path, "echo") == ""
    assert client.request(server.path, "much") == "x" * 5_000_000 + "\n"
    for method, line in (
        ("refuse", "no, because"),
        ("none", '"none" is not a valid command (use "list-commands" to see a list of valid commands)'),
        ("one", '"one" command requires at least 1 arguments'),
        ("break", "break: internal error: ZeroDivisionError('oh'); see the daemon's log"),
    ):
        with pytest.raises(TurnoutError) as error:
            client.request(server.path, method)
        assert str(error.value) == line


def test_the_real_client(server: Server) -> None:
    appctl = shutil.which("ovs-appctl")
    assert appctl, "openvswitch-switch is among the packages that the README installs"
    run = subprocess.run(
        [appctl, "-t", server.path, "echo", "a", "b"], capture_output=True, text=True, check=True
    )
    assert run.stdout == "a b\n"
    run = subprocess.run([appctl, "-t", server.path, "refuse"], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr.splitlines()[0]) == (2, "no, because")


def test_the_socket_is_its_owners(server: Server) -> None:
    assert stat.S_IMODE(server.path.stat().st_mode) == 0o600


def test_a_taken_path(server: Server, tmp_path: Path) -> None:
    with contextlib.closing(Loop()) as loop:
        with pytest.raises(
            TurnoutError, match=r"^control socket .*: taken by a running process; stop it or choose"
        ):
            Server(server.path, {}, loop)
        with pytest.raises(TurnoutError, match=r"^control socket .*: no such directory .*; create it first$"):
            Server(tmp_path / "none" / "s", {}, loop)
        with pytest.raises(TurnoutError, match="longer than the 107 bytes"):
            Server(tmp_path / ("x" * 200), {}, loop)
    assert lives(server)


def test_several_requests_at_once_and_bit_by_bit(server: Server) -> None:
    requests = b"".join(
        json.dumps({"id": i, "method": "echo", "params": ["ü" * 5000, str(i)]}, ensure_ascii=False).encode()
        for i in range(20)
    )
    replies = ask(server, requests).decode()
    decoder, ids = json.JSONDecoder(), []
    while replies:
        reply, end = decoder.raw_decode(replies)
        ids.append(reply["id"])
        replies = replies[end:]
    assert ids == list(range(20))
    with connect(server) as sock:
        for byte in json.dumps({"id": 1, "method": "echo", "params": ["a"]}).encode():
            sock.sendall(bytes([byte]))
        assert json.loads(sock.recv(4096))["result"] == "a\n"


@pytest.mark.parametrize(
    "data",
    [
        b"garbage",
        b"\xff\xfe",
        b'{"id": 1}',
        b"[1, 2]",
        b'{"id": null, "method": "echo", "params": []}',
        b'{"id": 1, "method": "echo", "params": {}}',
        b'{"id": 1, "method": "echo", "params": [], "extra": 1}',
        b'{"id": 1, "result": "x", "error": null}',
        b'{"id": 1' + b"0" * 5000 + b', "method": "echo", "params": []}',  # int() gives up at 4,300 digits
        b'{"id": ' + b"[" * 999 + b"]" * 999 + b', "method": "echo", "params": []}',  # deeper than recursion
        b"[" * 5000,
        b'{"id": "\\ud800", "method": "echo", "params": ["\\ud800"]}',
        b'{"id": 1e999999999999, "method": "echo", "params": []}',
    ],
)
def test_malformed(data: bytes, server: Server) -> None:
    reply = ask(server, data)
    assert reply == b"" or json.loads(reply)["id"] is not None
    assert lives(server)


def test_non_string_argument(server: Server) -> None:
    reply = json.loads(ask(server, b'{"id": 7, "method": "echo", "params": [1]}'))
    assert reply == {"id": 7, "result": None, "error": '"echo" command has non-string argument\n'}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(
    st.binary(max_size=300)
    | st.builds(
        lambda value: json.dumps(value).encode(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["id", "method", "params", "result", "error"]), inner)
            ),
        ),
    )
)
def test_any_bytes(server: Server, data: bytes) -> None:
    ask(server, data)
    assert lives(server)


def test_an_endless_message_ends(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unixctl, "MESSAGE_CHARS", 200_000)
    with connect(server) as sock, pytest.raises((BrokenPipeError, ConnectionResetError)):
        sock.sendall(b'{"id": "' + b"x" * 500_000_000)
    assert lives(server)


def test_clients_that_do_not_read_or_finish_hold_nobody_up(server: Server) -> None:
    silent = [connect(server) for _ in range(20)]
    for sock in silent[:10]:
        sock.sendall(b'{"id": 1, "meth')
    for sock in silent[10:]:
        sock.sendall(b'{"id": 1, "method": "much", "params": []}' * 3)
    for _ in range(20):
        assert lives(server)
    for sock in silent:
        sock.close()
    assert lives(server)


def test_more_clients_than_allowed(server: Server) -> None:
    many = [connect(server) for _ in range(unixctl.CLIENTS + 10)]
    assert many[-1].recv(1) == b"", "one too many is hung up on"
    for sock in many:
        sock.close()
    assert lives(server)


def test_client_errors(tmp_path: Path) -> None:
    with pytest.raises(TurnoutError, match=r"/none: no daemon there; start one with: turnout serve$"):
        client.request(tmp_path / "none", "x")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "mute"))
        listener.listen()
        with pytest.raises(TurnoutError, match="no reply from the daemon in 0 s"):
            client.request(tmp_path / "mute", "x", timeout=0.1)


@given(st.text(max_size=20), st.lists(st.text(max_size=20), max_size=3))
def test_our_client_and_their_messages_agree(method: str, params: list[str]) -> None:
    """What our client sends is a request by the ovs package's own rules."""
    message = ovs.jsonrpc.Message.from_json(
        json.loads(json.dumps({"id": 0, "method": method, "params": params}))
    )
    assert message.type == ovs.jsonrpc.Message.T_REQUEST


def test_answers_that_come_later(tmp_path: Path) -> None:
    """They keep their place in their client's replies, and nobody else waits."""
    answers: list[Future[str]] = []

    def later(_: list[str]) -> Future[str]:
        answers.append(Future())
        return answers[-1]

    def exchange(*clients: socket.socket) -> list[list[object]]:
        """Lets the server work until it has nothing more to do; the results of what each client got."""
        for _ in range(20):
            loop.poll(0)
        return [results(client) for client in clients]

    def results(client: socket.socket) -> list[object]:
        try:
            replies = client.recv(65536).decode().replace("}{", "}\n{").splitlines()
        except BlockingIOError:
            return []
        return [json.loads(reply)["result"] or json.loads(reply)["error"] for reply in replies]

    def send(client: socket.socket, *methods: str) -> None:
        requests = ({"id": n, "method": m, "params": [m]} for n, m in enumerate(methods))
        client.sendall(b"".join(json.dumps(request).encode() for request in requests))

    commands = {**COMMANDS, "later": Command(later, "", 0, 1)}
    with contextlib.ExitStack() as stack:
        loop = stack.enter_context(contextlib.closing(Loop()))
        server = Server(tmp_path / "s", commands, loop)
        one, other, third = (stack.enter_context(connect(server)) for _ in range(3))
        for client in (one, other, third):
            client.setblocking(False)
        send(one, "later", "echo", "later", "one")
        send(other, "echo")
        assert exchange(one, other) == [[], ["echo\n"]]
        answers.pop().set_result("at last")
        send(one, "echo")
        assert exchange(one, other) == [["at last\n", "echo\n"], []]
        answers.pop().set_exception(TurnoutError("no, because"))
        assert exchange(one, other) == [["no, because\n", "one\n", "echo\n"], []]
        send(third, "later")
        exchange()
        third.close()
        answers.pop().set_result("too late")
        send(other, "later", "echo")
        assert exchange(one, other) == [[], []]
        server.close()
        answers.pop().set_result("later still")
        exchange()
