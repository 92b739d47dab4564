# SPDX-License-Identifier: Apache-2.0
"""The same bridge twice: Turnout's and Open vSwitch's, behind one face.

Each has br0 with TAP ports p1 … p5 (OpenFlow ports 1 … 5) in a namespace of its own, and its LOCAL port.
"""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.peers import wire
from tests.peers.wire import Session
from turnout.lab.daemon import Daemon
from turnout.lab.netns import Namespace
from turnout.lab.ovs_netdev import OvsNetdev

BRIDGE = "br0"
PORTS = range(1, 6)


@dataclass(frozen=True)
class Answer:
    """What a command printed and its exit code."""

    out: str
    error: str
    code: int


@dataclass(frozen=True)
class Peer:
    """A switch under test. `of` is the switch itself, for what only it can do."""

    name: str
    namespace: Namespace
    rundir: Path
    of: Daemon | OvsNetdev
    macs: dict[int, bytes] = field(default_factory=dict)

    @property
    def management(self) -> Path:
        return self.rundir / f"{BRIDGE}.mgmt"

    def popen(self, *argv: str) -> subprocess.Popen[str]:
        """`ovs-ofctl ARGV` left running: output and errors on one pipe, line by line."""
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "stdbuf", "-oL", "ovs-ofctl", *argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"OVS_RUNDIR": str(self.rundir)},
        )

    def ofctl(self, *argv: str, stdin: str = "", timeout: float = 20) -> Answer:
        """`ovs-ofctl ARGV`, looking for sockets where this switch has them."""
        done = subprocess.run(
            ["ovs-ofctl", *argv],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=os.environ | {"OVS_RUNDIR": str(self.rundir)},
        )
        return Answer(done.stdout, done.stderr, done.returncode)

    def must(self, *argv: str, stdin: str = "") -> str:
        """`ofctl` that has to succeed: its standard output."""
        answer = self.ofctl(*argv, stdin=stdin)
        assert not answer.code, f"{self.name}: ovs-ofctl {argv}: {answer.error}"
        return answer.out

    def session(self, version: int = wire.OF13) -> Session:
        return Session(self.management, version)

    def set_controller(self, *targets: str) -> None:
        """The bridge's controllers, in ovs-vsctl's spelling; none or "" for none."""
        named = [target for target in targets if target]
        if isinstance(self.of, OvsNetdev):
            self.of.vsctl(*(("set-controller", BRIDGE, *named) if named else ("del-controller", BRIDGE)))
        else:
            self.set_bridge("controller", ",".join(named))

    def set_bridge(self, column: str, value: str) -> None:
        """A column of the bridge; "" is its default."""
        if isinstance(self.of, OvsNetdev):
            change = (
                ("set", "bridge", BRIDGE, f"{column}={value}")
                if value
                else ("clear", "bridge", BRIDGE, column)
            )
            self.of.vsctl(*change)
        else:
            self.of.request("turnout/set", "bridge", BRIDGE, f"{column}={value}")

    def add_tap(self, name: str, ofport: int) -> None:
        """One more TAP, in the switch's namespace, up."""
        if isinstance(self.of, OvsNetdev):
            self.of.add_tap(BRIDGE, name, ofport)
        else:
            inside = f"options:netns={self.namespace.name}", f"options:iface={name}"
            self.of.add_port(BRIDGE, name, "type=tap", *inside, f"ofport={ofport}")
            self.namespace.up(name)

    def del_port(self, name: str) -> None:
        if isinstance(self.of, OvsNetdev):
            self.of.vsctl("del-port", BRIDGE, name)
        else:
            self.of.del_port(name)

    def settle(self) -> None:
        """Open vSwitch goes on with what it has cached for a while after a change; Turnout must not."""
        if isinstance(self.of, OvsNetdev):
            self.of.appctl("revalidator/purge")

    def reset(self, *extra: bytes) -> None:
        """No flows, groups, meters; ports as new; then the messages `extra`."""
        every = wire.flow_mod(command=wire.DELETE, table=0xFF)
        ports = [wire.port_mod(number, mac, 0, 0xFFFFFFFF) for number, mac in self.macs.items()]
        no_groups = wire.group_mod(2, 0, 0xFFFFFFFC)
        no_meters = wire.meter_mod(2, 0, 0xFFFFFFFF)
        config = wire.message(wire.OF13, wire.SET_CONFIG, bytes(4))
        with self.session() as session:
            errors = session.errors(every, no_groups, no_meters, config, *ports, *extra)
        assert not errors, f"{self.name}: {errors}"


def _macs(session: Session) -> dict[int, bytes]:
    """Ports' addresses by number, without LOCAL (OFPMP_PORT_DESC)."""
    found: dict[int, bytes] = {}
    for reply in session.ask(wire.multipart(13)):
        body = reply.body[8:]
        for start in range(0, len(body), 64):
            number = int.from_bytes(body[start : start + 4], "big")
            if number < wire.PORT_MAX:
                found[number] = body[start + 8 : start + 14]
    return found


def _need_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("not available here: needs root")


@contextlib.contextmanager
def ovs() -> Iterator[Peer]:
    """A fresh Open vSwitch."""
    _need_root()
    with OvsNetdev() as switch:
        switch.add_bridge(BRIDGE)
        for number in PORTS:
            switch.add_tap(BRIDGE, f"p{number}", number)
        switch.namespace.ip("link", "set", BRIDGE, "up")
        peer = Peer("ovs", switch.namespace, switch.rundir, switch)
        with peer.session() as session:
            peer.macs.update(_macs(session))
        yield peer


@contextlib.contextmanager
def turnout(core: int = 1, **settings: str | int) -> Iterator[Peer]:
    """A fresh Turnout daemon; `settings` as `Daemon` takes them."""
    _need_root()
    os.environ.pop("OVS_RUNDIR", None)  # it would move the sockets elsewhere
    with Namespace("peer") as namespace, Daemon(cores=[core], **settings) as daemon:
        daemon.add_bridge(BRIDGE)
        peer = Peer("turnout", namespace, daemon.rundir, daemon)
        local = f"options:netns={namespace.name}", f"options:iface={BRIDGE}"
        daemon.add_port(BRIDGE, BRIDGE, "type=internal", *local)
        namespace.up(BRIDGE)
        for number in PORTS:
            peer.add_tap(f"p{number}", number)
        with peer.session() as session:
            peer.macs.update(_macs(session))
        yield peer
