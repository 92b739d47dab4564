# SPDX-License-Identifier: Apache-2.0
"""Commands of ovs-ofctl that stay connected: monitor, watch, snoop, ping, benchmark."""

import itertools
import os
import re
import select
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.ofctl.script import comparable
from tests.peers import wire
from tests.peers.switch import BRIDGE, Peer
from tests.peers.wire import Message

_FRAME = "0200000000010200000000021234" + "00" * 46


class _Watcher:
    """A command that keeps printing."""

    def __init__(self, peer: Peer, *argv: str) -> None:
        self._peer = peer
        self._process = peer.popen(*argv)
        self._text = ""

    def until(self, pattern: str, timeout: float = 5) -> None:
        deadline = time.monotonic() + timeout
        while not re.search(pattern, self._text):
            left = deadline - time.monotonic()
            assert left > 0, f"{self._peer.name}: no {pattern!r} in {self._text!r}"
            assert self._read(left) is not False, f"{self._peer.name}: ended, no {pattern!r}: {self._text!r}"

    def _read(self, timeout: float) -> bool | None:
        """Whether more came; None if nothing did, False at the end."""
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        if not select.select([pipe], [], [], timeout)[0]:
            return None
        data = os.read(pipe, 1 << 16)
        self._text += data.decode()
        return bool(data)

    def close(self) -> str:
        """What it printed, comparable."""
        if self._process.poll() is None:
            self._process.terminate()
            while self._read(5):
                pass
            self._process.wait(5)
            assert self._process.stdout is not None
            self._process.stdout.close()
        return comparable(self._text, self._peer.rundir, ordered=True)


@contextmanager
def _watching(peer: Peer, *argv: str) -> Iterator[_Watcher]:
    watcher = _Watcher(peer, *argv)
    try:
        yield watcher
    finally:
        watcher.close()


def _same(ours: Peer, theirs: Peer, scene: Callable[[Peer], str]) -> None:
    answers = []
    for peer in (ours, theirs):
        peer.reset()
        answers.append(scene(peer))
    assert answers[0] == answers[1]


@pytest.mark.parametrize("version", ["OpenFlow10", "OpenFlow13", "OpenFlow14"])
def test_monitor_prints_packet_ins(ours: Peer, theirs: Peer, version: str) -> None:
    def scene(peer: Peer) -> str:
        peer.must("-O", version, "add-flow", BRIDGE, "cookie=0x55,in_port=1,actions=controller")
        with _watching(peer, "-O", version, "monitor", BRIDGE, "65534") as watcher:
            _wait_monitoring(peer, watcher)
            return watcher.close()

    _same(ours, theirs, scene)


def _wait_monitoring(peer: Peer, watcher: _Watcher) -> None:
    """Send until one comes: nothing tells when the monitor has been accepted."""
    for _ in range(50):
        peer.must("packet-out", BRIDGE, f"in_port=1,packet={_FRAME},actions=table")
        try:
            watcher.until("PACKET_IN", timeout=0.3)
        except AssertionError:
            continue
        watcher.until("dl_type=0x1234")
        return
    raise AssertionError(f"{peer.name}: the monitor prints nothing")


@pytest.mark.parametrize("version", ["OpenFlow10", "OpenFlow13", "OpenFlow14"])
@pytest.mark.parametrize(
    "what", ["watch:", "watch:!initial", "watch:table=1,!delete", "watch:tcp", "watch:out_port=2"]
)
def test_watch_prints_changes(ours: Peer, theirs: Peer, version: str, what: str) -> None:
    """Flow monitors: what is there at first, then additions, modifications and deletions."""

    def scene(peer: Peer) -> str:
        peer.must("-O", version, "add-flow", BRIDGE, "table=1,tcp,actions=2")
        with _watching(peer, "-O", version, "monitor", BRIDGE, what) as watcher:
            if "!initial" in what:
                _wait_watching(peer, version, watcher)
            else:
                watcher.until("event=(ADDED|INITIAL).*tcp")
            for command, flow in [
                ("add-flow", "cookie=0x1,arp,actions=1"),
                ("add-flow", "table=1,priority=9,tcp,tp_dst=80,actions=2"),
                ("mod-flows", "tcp,actions=2,3"),
                ("del-flows", "arp"),
                ("add-flow", "table=1,priority=77,tcp,actions=2"),
                ("del-flows", "table=1"),
                ("add-flow", "cookie=0x78,table=1,tcp,actions=2"),
            ]:
                peer.must("-O", version, command, BRIDGE, flow)
            watcher.until("event=ADDED.*cookie=0x78")
            text = re.sub(r".*cookie=0x4242.*\n|.*FLOW_MONITOR.*\n", "", watcher.close())
            return _events_sorted(text)

    _same(ours, theirs, scene)


def _events_sorted(text: str) -> str:
    """The flows that one change meant may be told in any order."""
    runs = itertools.groupby(text.splitlines(), key=lambda line: line.split("event=")[-1].split(" ")[0])
    return "\n".join(line for _, run in runs for line in sorted(run))


def _wait_watching(peer: Peer, version: str, watcher: _Watcher) -> None:
    for number in range(50):
        peer.must(
            "-O",
            version,
            "add-flow",
            BRIDGE,
            f"cookie=0x4242,table=1,priority=4242,tcp,tp_dst={number},actions=2",
        )
        try:
            watcher.until("cookie=0x4242", timeout=0.3)
            break
        except AssertionError:
            continue
    peer.must("-O", version, "del-flows", BRIDGE, "cookie=0x4242/-1")
    watcher.until("event=DELETED.*cookie=0x4242")


@pytest.mark.parametrize("version", ["OpenFlow10", "OpenFlow13", "OpenFlow14"])
def test_monitor_prints_flow_removed_and_port_status(ours: Peer, theirs: Peer, version: str) -> None:
    def scene(peer: Peer) -> str:
        with _watching(peer, "-O", version, "monitor", BRIDGE, "100") as watcher:
            peer.must("add-flow", BRIDGE, "cookie=0x55,in_port=1,actions=controller")
            _wait_monitoring(peer, watcher)
            peer.must("add-flow", BRIDGE, "cookie=0x77,send_flow_rem,tcp,actions=1")
            peer.must("del-flows", BRIDGE, "tcp")
            watcher.until("FLOW_REMOVED")
            peer.must("mod-port", BRIDGE, "3", "no-forward")
            watcher.until("PORT_STATUS")
            peer.must("mod-port", BRIDGE, "3", "forward")
            watcher.until("PORT_STATUS[^$]*PORT_STATUS")
            text = watcher.close()
            return text[text.index("FLOW_REMOVED") :]

    _same(ours, theirs, scene)


@pytest.mark.parametrize("version", ["OpenFlow10", "OpenFlow13"])
def test_ping(ours: Peer, theirs: Peer, version: str) -> None:
    def scene(peer: Peer) -> str:
        answer = peer.ofctl("-O", version, "ping", BRIDGE, "100")
        assert not answer.code, answer
        return re.sub(r"xid=\w+|[\d.]+ ms", "", answer.out)

    _same(ours, theirs, scene)


@pytest.mark.parametrize("version", ["OpenFlow10", "OpenFlow13"])
def test_benchmark(ours: Peer, theirs: Peer, version: str) -> None:
    def scene(peer: Peer) -> str:
        answer = peer.ofctl("-O", version, "benchmark", BRIDGE, "64", "20")
        assert not answer.code, answer
        return re.sub(r"[\d.]+ (ms|seconds|packets/s|bytes/s)|in [\d.]+", "", answer.out)

    _same(ours, theirs, scene)


class _Controller:
    """A controller on a Unix socket that answers what a switch asks and can send messages of its own."""

    def __init__(self, path: str, version: int) -> None:
        self._listener = wire.socket.socket(wire.socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen(4)
        self._version = version
        self._stop = threading.Event()
        self.session: wire.Session | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        self._listener.settimeout(10)
        connection, _ = self._listener.accept()
        session = wire.Session.__new__(wire.Session)
        session.version, session.timeout, session.socket, session._pending = (
            self._version,
            0.1,
            connection,
            b"",
        )
        session.send(wire.hello(self._version))
        self.session = session
        while not self._stop.is_set():
            try:
                self._answer(session, session.receive())
            except TimeoutError:
                continue
            except (wire.Closed, OSError):
                return

    def _answer(self, session: wire.Session, message: Message) -> None:
        if message.type == wire.ECHO_REQUEST:
            session.send(wire.message(self._version, wire.ECHO_REPLY, message.body, message.xid))

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._listener.close()
        if self.session is not None:
            self.session.close()


def test_snoop(ours: Peer, theirs: Peer) -> None:
    """What goes between the switch and its controller, both ways."""

    def scene(peer: Peer) -> str:
        path = f"{peer.rundir}/controller.sock"
        controller = _Controller(path, wire.OF13)
        peer.set_controller(f"unix:{path}")
        try:
            _until(lambda: controller.session is not None)
            assert controller.session is not None
            with _watching(peer, "-O", "OpenFlow13", "snoop", BRIDGE) as watcher:
                for number in range(100):  # nothing tells when the snooper has been accepted
                    flow = wire.flow_mod(wire.match(), priority=number, xid=0x700 + number)
                    controller.session.send(
                        flow, wire.message(wire.OF13, wire.BARRIER_REQUEST, xid=0x900 + number)
                    )
                    try:
                        watcher.until("BARRIER_REPLY", timeout=0.2)
                        break
                    except AssertionError:
                        continue
                lines = re.sub(r"priority=\d+", "priority", watcher.close()).splitlines()
                return "\n".join(line for line in lines if "FLOW_MOD" in line or "BARRIER_REQ" in line)
        finally:
            peer.set_controller("")
            controller.close()

    _same(ours, theirs, scene)


def _until(condition: Callable[[], bool], timeout: float = 10) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_probe_and_two_clients_at_once(ours: Peer, theirs: Peer) -> None:
    def scene(peer: Peer) -> str:
        commands = [peer.popen("-O", "OpenFlow13", "dump-flows", BRIDGE) for _ in range(8)]
        texts = {comparable(one.communicate(timeout=10)[0], peer.rundir, ordered=True) for one in commands}
        assert all(one.returncode == 0 for one in commands)
        assert len(texts) == 1
        return texts.pop()

    _same(ours, theirs, scene)
