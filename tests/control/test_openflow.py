# SPDX-License-Identifier: Apache-2.0
"""OpenFlow over real sockets: the management socket, controllers that call and are called, TLS, fail
modes, restarts.
"""

import contextlib
import json
import os
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest

import turnout
from tests.control.conftest import DEADLINE, Daemon, wait_for
from turnout.control import client
from turnout.control.openflow import agent
from turnout.errors import TurnoutError

OF10, OF13, OF14 = 1, 4, 5
HELLO, ERROR, ECHO_REQUEST, ECHO_REPLY, FEATURES, PORT_STATUS, FLOW_MOD, BARRIER = 0, 1, 2, 3, 5, 12, 14, 20


def message(kind: int, body: bytes = b"", *, version: int = OF13, xid: int = 7) -> bytes:
    return struct.pack("!BBHI", version, kind, 8 + len(body), xid) + body


def flow_mod(in_port: int, *, command: int = 0, priority: int = 5) -> bytes:
    """in_port=PORT → drop."""
    fixed = struct.pack("!QQBBHHHIIIH2x", 0, 0, 0, command, 0, 0, priority, *(0xFFFFFFFF,) * 3, 0)
    return message(FLOW_MOD, fixed + struct.pack("!HHII4x", 1, 12, 0x80000004, in_port))


@dataclass
class Controller:
    """One connection with a switch, whoever made it."""

    sock: socket.socket
    received: bytearray = field(default_factory=bytearray)

    @classmethod
    def calls(cls, place: str | tuple[str, int], context: ssl.SSLContext | None = None) -> Self:
        sock = socket.socket(socket.AF_UNIX if isinstance(place, str) else socket.AF_INET)
        sock.settimeout(DEADLINE)
        sock.connect(place)
        return cls(context.wrap_socket(sock) if context else sock)

    def greet(self, version: int = OF13) -> Self:
        self.sock.sendall(message(HELLO, version=version))
        assert self.next()[1] == HELLO
        return self

    def next(self) -> bytes:
        """The next message; b"" once the switch has hung up. Echo requests are answered."""
        while True:
            length = int.from_bytes(self.received[2:4]) if len(self.received) >= 4 else 8
            if len(self.received) >= length:
                data = bytes(self.received[:length])
                del self.received[:length]
                if data[1] != ECHO_REQUEST:
                    return data
                self.sock.sendall(bytes((data[0], ECHO_REPLY)) + data[2:])
                continue
            try:
                more = self.sock.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                return b""
            self.received += more

    def ask(self, kind: int, body: bytes = b"") -> bytes:
        self.sock.sendall(message(kind, body))
        return self.next()

    def barrier(self, *messages: bytes) -> None:
        self.sock.sendall(b"".join(messages))
        assert self.ask(BARRIER)[1] == BARRIER + 1

    def flows(self) -> int:
        body = struct.pack("!HH4xB3xII4xQQHH4x", 2, 0, 0xFF, 0xFFFFFFFF, 0xFFFFFFFF, 0, 0, 1, 4)
        return int.from_bytes(self.ask(18, body)[32:36])

    def close(self) -> None:
        self.sock.close()


@pytest.fixture
def sw(run_dir: Path) -> Iterator[turnout.Switch]:
    """With a thread of its own that serves its sockets."""
    with turnout.Switch(hugepages="off", mbufs=8192, run_dir=run_dir) as switch:
        yield switch


@pytest.fixture
def controllers() -> Iterator[Callable[[Controller], Controller]]:
    """Closes what is passed through it."""
    with contextlib.ExitStack() as stack:
        yield lambda controller: stack.enter_context(contextlib.closing(controller))


Keep = Callable[[Controller], Controller]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def listening(context: ssl.SSLContext | None = None) -> Iterator[tuple[str, Callable[[], Controller]]]:
    """(address, accept) of a controller that waits for switches."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(DEADLINE)

        def accept() -> Controller:
            sock, _ = server.accept()
            sock.settimeout(DEADLINE)
            return Controller(context.wrap_socket(sock, server_side=True) if context else sock)

        yield f"127.0.0.1:{server.getsockname()[1]}", accept


def test_the_management_socket(sw: turnout.Switch, run_dir: Path, controllers: Keep) -> None:
    sw.add_bridge("br0", datapath_id="00000000000000ab")
    path = run_dir / "br0.mgmt"
    assert path.stat().st_mode & 0o777 == 0o600
    tool = controllers(Controller.calls(str(path)).greet())
    assert tool.ask(FEATURES)[8:16] == bytes.fromhex("00000000000000ab")
    assert tool.flows() == 1, "the one that makes it a learning switch"
    run = subprocess.run(
        ["ovs-ofctl", "dump-flows", "--no-stats", "br0"],
        env={**os.environ, "OVS_RUNDIR": str(run_dir)},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=True,
    )
    assert run.stdout == " priority=0 actions=NORMAL\n"
    sw.del_bridge("br0")
    assert tool.next() == b""
    assert not path.exists()


def test_secure(sw: turnout.Switch, run_dir: Path, controllers: Keep) -> None:
    sw.add_bridge("br0", fail_mode="secure")
    tool = controllers(Controller.calls(str(run_dir / "br0.mgmt")).greet())
    assert tool.flows() == 0
    sw.set_bridge("br0", fail_mode=None)
    assert tool.flows() == 1
    sw.set_bridge("br0", fail_mode="secure")
    assert tool.flows() == 0


def test_a_controller_that_is_called(sw: turnout.Switch, controllers: Keep) -> None:
    with listening() as (address, accept):
        sw.add_bridge("br0", controllers=[f"tcp:{address}"])
        first = controllers(accept().greet())
        assert first.flows() == 0, "with a controller nothing forwards by itself"
        wait_for(lambda: sw.show().bridges[0].controllers == {f"tcp:{address}": True}, "connected")
        first.close()
        second = controllers(accept().greet())
        second.barrier(flow_mod(1))
        assert second.flows() == 1
        sw.set_bridge("br0", controllers=None)
        assert second.next() == b""
        assert sw.show().bridges[0].controllers == {}


def test_controllers_that_call(sw: turnout.Switch, controllers: Keep, run_dir: Path) -> None:
    port = free_port()
    sw.add_bridge("br0", controllers=[f"ptcp:{port}:127.0.0.1", f"punix:{run_dir}/c"])
    one = controllers(Controller.calls(("127.0.0.1", port)).greet())
    two = controllers(Controller.calls(f"{run_dir}/c").greet())
    role = struct.pack("!I4xQ", 2, 1)
    assert one.ask(24, role)[8:12] == b"\0\0\0\2"
    assert two.ask(24, role)[8:12] == b"\0\0\0\2"
    assert one.next()[8:] == struct.pack("!IIIB3xQ", 0x4F4E4600, 1911, 3, 0, 1), "a slave now"
    two.barrier(flow_mod(1))
    [error] = [one.ask(FLOW_MOD, flow_mod(2)[8:])]
    assert (error[1], error[8:12]) == (ERROR, struct.pack("!HH", 1, 10))
    sw.add_port("br0", "n1", type="null")
    assert one.next()[1] == two.next()[1] == PORT_STATUS


def test_versions(sw: turnout.Switch, run_dir: Path, controllers: Keep) -> None:
    sw.add_bridge("br0", protocols=["OpenFlow10", "OpenFlow14"])
    tool = controllers(Controller.calls(str(run_dir / "br0.mgmt")))
    tool.sock.sendall(message(HELLO, struct.pack("!HHI", 1, 8, 1 << 4)))
    assert tool.next()[0] == OF14
    assert tool.next()[1] == ERROR
    assert tool.next() == b""


def test_nobody_answers(sw: turnout.Switch, run_dir: Path, controllers: Keep) -> None:
    """Standalone: after a while it forwards by itself, until a controller is there."""
    with listening() as (address, accept):
        sw.add_bridge("br0", controllers=[f"tcp:{address}"])
        sw.add_bridge("br1", controllers=["tcp:127.0.0.1:1"], fail_mode="secure")
        alone, secure = (
            controllers(Controller.calls(str(run_dir / f"{b}.mgmt")).greet()) for b in ("br0", "br1")
        )
        alone.barrier(flow_mod(1))
        now = time.monotonic()
        sw.tick(now + agent.PATIENCE - 5)
        assert (alone.flows(), secure.flows()) == (1, 0)
        sw.tick(now + agent.PATIENCE + 5)
        assert (alone.flows(), secure.flows()) == (1, 0)
        stats = subprocess.run(
            ["ovs-ofctl", "--no-stats", "dump-flows", f"unix:{run_dir}/br0.mgmt"],
            capture_output=True, text=True, timeout=DEADLINE, check=True,
        )  # fmt: skip
        assert stats.stdout == " priority=0 actions=NORMAL\n"
        controllers(accept().greet())
        wait_for(lambda: sw.show().bridges[0].controllers == {f"tcp:{address}": True}, "connected")
        sw.tick(now + agent.PATIENCE + 6)
        assert alone.flows() == 0


# --- TLS


@dataclass(frozen=True)
class Pki:
    """Certificates that one CA has signed."""

    ca: Path
    keys: dict[str, tuple[Path, Path]]  # name → private key, certificate

    def context(self, name: str, *, server: bool) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(self.keys[name][1], self.keys[name][0])
        context.load_verify_locations(self.ca)
        return context


def make_pki(folder: Path, *names: str) -> Pki:
    folder.mkdir()

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, timeout=DEADLINE, check=True)

    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    openssl("req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca")
    for name in names:
        openssl("req", *new[:-2], "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", "2", "-out", f"{name}.pem")  # fmt: skip
    return Pki(folder / "ca.pem", {n: (folder / f"{n}.key", folder / f"{n}.pem") for n in names})


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki") / "good", "switch", "controller")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki") / "other", "controller")


def tls_switch(run_dir: Path, pki: Pki) -> turnout.Switch:
    key, certificate = pki.keys["switch"]
    return turnout.Switch(
        hugepages="off",
        mbufs=8192,
        run_dir=run_dir,
        private_key=str(key),
        certificate=str(certificate),
        ca_cert=str(pki.ca),
    )


def test_tls(run_dir: Path, pki: Pki, controllers: Keep) -> None:
    port = free_port()
    with (
        tls_switch(run_dir, pki) as sw,
        listening(pki.context("controller", server=True)) as (address, accept),
    ):
        sw.add_bridge("br0", controllers=[f"ssl:{address}", f"pssl:{port}:127.0.0.1"])
        called = controllers(accept().greet())
        caller = controllers(
            Controller.calls(("127.0.0.1", port), pki.context("controller", server=False)).greet()
        )
        for controller in (called, caller):
            echo = bytes(range(256)) * 200
            assert controller.ask(ECHO_REQUEST, echo)[8:] == echo
        called.barrier(*(flow_mod(i) for i in range(1, 2001)))
        assert caller.flows() == 2000


def refused(act: Callable[[], object]) -> None:
    """`act` finds that the other side does not trust us."""
    with pytest.raises((ssl.SSLError, ConnectionError)):
        act()


def test_a_wrong_certificate(run_dir: Path, pki: Pki, stranger: Pki, controllers: Keep) -> None:
    port = free_port()
    with tls_switch(run_dir, pki) as sw, socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(DEADLINE)
        place = f"ssl:127.0.0.1:{server.getsockname()[1]}"
        sw.add_bridge("br0", controllers=[f"pssl:{port}:127.0.0.1", place])
        context = stranger.context("controller", server=False)
        context.verify_mode = ssl.CERT_NONE
        wrong = controllers(Controller.calls(("127.0.0.1", port), context))
        refused(lambda: wrong.sock.recv(1))  # TLS 1.3 tells a client only now
        plain = controllers(Controller.calls(("127.0.0.1", port)))
        with contextlib.suppress(ConnectionResetError):
            plain.sock.sendall(message(HELLO))
            assert plain.sock.recv(1) in (b"", b"\x15"), "a TLS alert at most"
        context = stranger.context("controller", server=True)
        context.verify_mode = ssl.CERT_NONE
        sock, _ = server.accept()
        sock.settimeout(DEADLINE)
        called = controllers(Controller(sock))
        refused(lambda: context.wrap_socket(called.sock, server_side=True).recv(1))
        assert not any(sw.show().bridges[0].controllers.values())


def test_keys_that_are_none(run_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(TurnoutError, match=r"^ssl: cannot use /none/key, .*: No such file or directory$"):
        turnout.Switch(
            hugepages="off", mbufs=8192, run_dir=run_dir,
            private_key="/none/key", certificate="/none/c", ca_cert="/none/ca",
        )  # fmt: skip
    (tmp_path / "junk").write_text("junk")
    junk = str(tmp_path / "junk")
    with pytest.raises(TurnoutError, match=r"^ssl: cannot use "):
        turnout.Switch(
            hugepages="off", mbufs=8192, run_dir=run_dir, private_key=junk, certificate=junk, ca_cert=junk
        )


# --- ports


def test_port_numbers(sw: turnout.Switch) -> None:
    sw.add_bridge("br0")
    for name in ("a", "b", "c"):
        sw.add_port("br0", name, type="null")
    sw.add_port("br0", "d", type="null", ofport_request=9)
    sw.del_port("b")
    sw.add_port("br0", "e", type="null")
    sw.add_bridge("br1")
    sw.add_port("br1", "f", type="null")
    numbers = {p.name: p.ofport for b in sw.show().bridges for p in b.ports}
    assert numbers == {"a": 1, "c": 3, "d": 9, "e": 2, "f": 1}
    assert sw.bridge("br0").port_names() == {1: "a", 3: "c", 9: "d", 2: "e"}


# --- the daemon


def test_a_busy_controller_leaves_room_for_others(daemon: Daemon, controllers: Keep) -> None:
    daemon.start()
    daemon("turnout/add-br", "br0")
    stop = threading.Event()
    busy = controllers(Controller.calls(str(daemon.folder / "br0.mgmt")).greet())
    batch = b"".join(flow_mod(i % 500 + 1) for i in range(2000))

    def stream() -> None:
        with contextlib.suppress(OSError):
            while not stop.is_set():
                busy.sock.sendall(batch)

    thread = threading.Thread(target=stream)
    thread.start()
    try:
        other = controllers(Controller.calls(str(daemon.folder / "br0.mgmt")).greet())
        for _ in range(20):
            assert client.request(daemon.socket, "version").startswith("turnout ")
            assert other.ask(ECHO_REQUEST, b"x")[8:] == b"x"
    finally:
        stop.set()
        thread.join(DEADLINE)


def test_one_that_does_not_read(daemon: Daemon, controllers: Keep) -> None:
    daemon.start()
    daemon("turnout/add-br", "br0")
    deaf = controllers(Controller.calls(str(daemon.folder / "br0.mgmt")).greet())
    deaf.sock.settimeout(1)
    echo = message(ECHO_REQUEST, bytes(60_000))
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < 1000:
            deaf.sock.sendall(echo)
            sent += 1
    assert sent < 1000, "it isn't read from either"
    assert client.request(daemon.socket, "version").startswith("turnout ")
    deaf.sock.settimeout(DEADLINE)
    for _ in range(sent):
        assert deaf.next()[1] == ECHO_REPLY


def test_a_restart(daemon: Daemon, controllers: Keep) -> None:
    """Ports keep their OpenFlow numbers and configs; flows come back if that is wanted."""
    daemon.start()
    daemon("turnout/add-br", "br0", "restore_flows=true")
    daemon("turnout/add-br", "br1")
    for name in ("a", "b", "c"):
        daemon("turnout/add-port", "br0", name, "type=null")
    daemon("turnout/del-port", "a")
    tool = controllers(Controller.calls(str(daemon.folder / "br0.mgmt")).greet())
    group = message(
        15,
        struct.pack("!HBxI", 0, 1, 5)
        + struct.pack("!HHII4xHHIH6x", 32, 1, 0xFFFFFFFF, 0xFFFFFFFF, 0, 16, 2, 0),
    )
    chained = message(
        15, struct.pack("!HBxI", 0, 0, 4) + struct.pack("!HHII4xHHI", 24, 0, 0xFFFFFFFF, 0xFFFFFFFF, 22, 8, 5)
    )
    meter = message(29, struct.pack("!HHI", 0, 1, 3) + struct.pack("!HHIII", 1, 16, 1000, 0, 0))
    tool.barrier(meter, group, chained, *(flow_mod(i) for i in range(1, 1001)))
    descriptions = [("p", 13, b""), ("g", 7, b""), ("m", 10, struct.pack("!I4x", 0xFFFFFFFF))]

    def described(tool: Controller) -> dict[str, bytes]:
        found = {n: tool.ask(18, struct.pack("!HH4x", k, 0) + body)[16:] for n, k, body in descriptions}
        ports = found["p"]  # whose addresses the driver makes up each time
        found["p"] = b"".join(
            ports[at : at + 8] + ports[at + 14 : at + 64] for at in range(0, len(ports), 64)
        )
        return found

    mac = tool.ask(18, struct.pack("!HH4x", 13, 0))[24:30]
    tool.barrier(message(16, struct.pack("!I4x6s2xII8x", 2, mac, 0x40, 0x40)))
    before = described(tool)
    other = controllers(Controller.calls(str(daemon.folder / "br1.mgmt")).greet())
    other.barrier(flow_mod(1))
    daemon.stop()
    daemon.start()
    tool = controllers(Controller.calls(str(daemon.folder / "br0.mgmt")).greet())
    assert described(tool) == before
    assert tool.flows() == 1001
    other = controllers(Controller.calls(str(daemon.folder / "br1.mgmt")).greet())
    assert other.flows() == 1, "those of the other bridge were not to be kept"
    assert [p["ofport"] for p in json.loads(daemon("turnout/show"))["bridges"][0]["ports"]] == [2, 3]
    daemon("turnout/set", "bridge", "br0", "restore_flows=false")
    daemon.stop(signal.SIGTERM)
    assert sorted(os.listdir(daemon.folder)) == ["state.json"]
