# SPDX-License-Identifier: Apache-2.0
"""A switch with hosts (namespaces) and controllers (os-ken in processes of their own) around it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.peers.switch import BRIDGE, Peer, ovs, turnout
from turnout.lab.console import LabError, run
from turnout.lab.daemon import Daemon
from turnout.lab.netns import Namespace
from turnout.lab.ovs_netdev import OvsNetdev
from turnout.lab.wait import until

# os-ken and what it needs, out of our own way: see pyproject.toml.
_OS_KEN = Path(sys.prefix) / "controllers"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Pki:
    """What `ovs-pki` has made: a switch's and a controller's key and certificate, and their authorities'."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> "Pki":
        folder.mkdir(parents=True)
        pki = f"--dir={folder}/pki", f"--log={folder}/log", "--force"
        run("ovs-pki", *pki, "init", timeout=60)
        for name, role in (("ctl", "controller"), ("sc", "switch")):
            subprocess.run(
                ["ovs-pki", *pki, "req+sign", name, role],
                cwd=folder,
                check=True,
                capture_output=True,
                timeout=60,
            )
        return cls(folder)

    def key(self, name: str) -> str:
        return str(self.folder / f"{name}-privkey.pem")

    def certificate(self, name: str) -> str:
        return str(self.folder / f"{name}-cert.pem")

    def authority(self, role: str) -> str:
        return str(self.folder / "pki" / f"{role}ca" / "cacert.pem")


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki.make(tmp_path_factory.mktemp("right") / "made")


@pytest.fixture(scope="session")
def wrong_pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Another authority's."""
    return Pki.make(tmp_path_factory.mktemp("wrong") / "made")


@pytest.fixture(scope="session")
def peer(pki: Pki) -> Iterator[Peer]:
    """Turnout, or with SWITCH=ovs Open vSwitch, with keys for TLS."""
    files = pki.key("sc"), pki.certificate("sc"), pki.authority("controller")
    if os.environ.get("SWITCH") == "ovs":
        with ovs() as peer:
            assert isinstance(peer.of, OvsNetdev)
            peer.of.vsctl("set-ssl", *files)
            yield peer
    else:
        with turnout(private_key=files[0], certificate=files[1], ca_cert=files[2]) as peer:
            yield peer


@dataclass(frozen=True)
class Host:
    address: str
    namespace: Namespace

    def reaches(self, other: "Host") -> bool:
        return self.namespace.reaches(other.address, wait=0.5)


@pytest.fixture(scope="session")
def hosts(peer: Peer) -> Iterator[list[Host]]:
    """Three hosts at 10.0.0.1 … 3."""
    with contextlib.ExitStack() as stack:
        made = []
        for number in (1, 2, 3):
            namespace = stack.enter_context(Namespace(f"host{number}"))
            if isinstance(peer.of, Daemon):
                columns = "type=tap", "options:iface=eth0", f"options:netns={namespace.name}"
                peer.of.add_port(BRIDGE, f"host{number}", *columns)
            else:
                inside = "type", "veth", "peer", "name", "eth0", "netns", namespace.name
                peer.namespace.ip("link", "add", f"host{number}", *inside)
                peer.namespace.ip("link", "set", f"host{number}", "up")
                peer.of.vsctl("add-port", BRIDGE, f"host{number}")
            namespace.up("eth0", f"10.0.0.{number}/24")
            made.append(Host(f"10.0.0.{number}", namespace))
        yield made


class Controller:
    """An os-ken app at work."""

    def __init__(self, peer: Peer, folder: Path, app: str, *options: str, **environment: str) -> None:
        # Open vSwitch lives in a namespace whole, Turnout only with its TAPs.
        self._inside = ["ip", "netns", "exec", peer.namespace.name] if peer.name == "ovs" else []
        self._log = folder / f"{app}.log"
        self._log.unlink(missing_ok=True)
        argv = [sys.executable, "-W", "ignore", "-m", "tests.controllers.manager", *options]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *self._inside, *argv, f"tests.controllers.apps.{app}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=os.environ | {"PYTHONPATH": str(_OS_KEN)} | environment,
            )  # fmt: skip

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_listening(self, port: int) -> None:
        def listens() -> bool:
            if self._process.poll() is not None:
                raise LabError(f"the controller has ended:\n{self.log}")
            return f":{port} " in run(*self._inside, "ss", "-Hltn")

        until(listens, f"controller on port {port}", timeout=40)

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(5)


ControllerFactory = Callable[..., Controller]


@pytest.fixture
def controller(peer: Peer, tmp_path: Path) -> Iterator[ControllerFactory]:
    """Starts apps: `controller("switch13", "--ofp-tcp-listen-port", "6653")`."""
    started: list[Controller] = []

    def start(app: str, *options: str, **environment: str) -> Controller:
        started.append(Controller(peer, tmp_path, app, *options, **environment))
        return started[-1]

    yield start
    for one in started:
        one.kill()


@pytest.fixture(autouse=True)
def no_controller(peer: Peer) -> Iterator[None]:
    """Each test begins and ends without one, in fail mode standalone, all versions allowed, no flows."""
    yield
    peer.set_controller("")
    peer.set_bridge("fail_mode", "standalone")
    peer.set_bridge("protocols", "")
    peer.reset()
