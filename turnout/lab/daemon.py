# SPDX-License-Identifier: Apache-2.0
"""A Turnout daemon in a folder of its own: `turnout serve`, driven over its control socket."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self, TypeVar

import msgspec

from turnout.control.client import request
from turnout.errors import TurnoutError
from turnout.lab.console import LabError, run
from turnout.results import DropCount, FdbEntry, PortStats, PortView, SwitchView, WorkerStats

_T = TypeVar("_T")


class Daemon:
    """`turnout serve` with workers on `cores`; a context manager.

    >>> with Daemon() as switch:
    ...     switch.cli("add-br", "br0")
    """

    def __init__(self, cores: Sequence[int] = (1,), **settings: str | int) -> None:
        """`settings` are top-level keys of the TOML file, `_` for `-`. Starts nothing yet."""
        self._folder = tempfile.TemporaryDirectory(prefix="turnout-")
        self.rundir = Path(self._folder.name)
        self.socket = self.rundir / "turnout.ctl"
        lines = [f"cores = {list(cores)}"]
        lines += [f"{key.replace('_', '-')} = {value!r}" for key, value in settings.items()]
        (self.rundir / "turnout.toml").write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        return self._running.pid

    @property
    def log(self) -> str:
        """All that the daemon printed."""
        return (self.rundir / "turnout.log").read_text(errors="replace")

    def start(self, timeout: float = 30) -> None:
        """Start it (again); returns when it answers. LabError if it doesn't."""
        files = [f"--{name}={self.rundir}/turnout.{end}"
                 for name, end in (("config", "toml"), ("state", "json"), ("socket", "ctl"))]  # fmt: skip
        argv = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "turnout", "serve", *files]
        with (self.rundir / "turnout.log").open("ab") as log:  # not a pipe: nobody would empty it
            self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + timeout
        while True:
            try:
                self.request("version", timeout=1)
            except TurnoutError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise LabError(f"turnout serve: {error}; it printed:\n{self.log}") from None
                time.sleep(0.01)
            else:
                return

    def kill(self) -> None:
        """SIGKILL: a crash. State and folder stay."""
        self._running.kill()
        self._running.wait(10)
        self._process = None

    def stop(self) -> None:
        """Ask it to leave; kill it if it doesn't within 10 s."""
        if self._process is not None:
            with contextlib.suppress(TurnoutError):  # dead or stuck
                self.request("exit", timeout=10)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None

    def request(self, method: str, *arguments: str, timeout: float = 30) -> str:
        """One command over the control socket. TurnoutError is its refusal."""
        return request(self.socket, method, *arguments, timeout=timeout)

    def cli(self, *arguments: str) -> str:
        """`turnout ARGUMENTS`: its standard output. LabError if it fails."""
        environment = {"TURNOUT_SOCKET": str(self.socket)}
        return run(sys.executable, "-m", "turnout", *arguments, env=environment)

    def add_bridge(self, name: str, *columns: str) -> None:
        self.request("turnout/add-br", name, *columns)

    def add_port(self, bridge: str, name: str, *columns: str) -> None:
        """E.g. `add_port("br0", "vm1", "type=vhost-user", "tag=10")`."""
        self.request("turnout/add-port", bridge, name, *columns)

    def del_port(self, name: str) -> None:
        self.request("turnout/del-port", name)

    def show(self) -> SwitchView:
        return self._query("turnout/show", SwitchView)

    def port(self, name: str) -> PortView:
        return next(port for bridge in self.show().bridges for port in bridge.ports if port.name == name)

    def stats(self, port: str) -> PortStats:
        return next(row for row in self._query("turnout/stats", list[PortStats]) if row.port == port)

    def drops(self) -> dict[tuple[str, str], int]:
        """Packets lost by (port, reason)."""
        return {(row.port, row.reason): row.packets for row in self._query("turnout/drops", list[DropCount])}

    def fdb(self) -> list[FdbEntry]:
        return self._query("turnout/fdb", list[FdbEntry])

    def workers(self) -> list[WorkerStats]:
        return self._query("turnout/workers", list[WorkerStats])

    def descriptors(self) -> int:
        """File descriptors that the daemon has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def resident_kb(self) -> int:
        """The daemon's anonymous memory, in kB: without hugepages, guests' memory and file mappings."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("RssAnon:")[1].split()[0])

    def _query(self, method: str, kind: type[_T]) -> _T:
        return msgspec.json.decode(self.request(method), type=kind)

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise LabError("the daemon is not running")
        return self._process

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._folder.cleanup()
