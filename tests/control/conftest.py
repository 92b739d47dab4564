# SPDX-License-Identifier: Apache-2.0
"""Switches and daemons of real DPDK devices on ordinary memory, each with a folder of its own."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import turnout
from turnout.control import client
from turnout.errors import TurnoutError

DEADLINE = 30.0  # s; the machine may be busy


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Polls until `condition` holds."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {DEADLINE} s"
        time.sleep(0.02)


@pytest.fixture
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Short enough for socket paths."""
    return tmp_path_factory.mktemp("r")


@pytest.fixture
def switch(run_dir: Path) -> Iterator[turnout.Switch]:
    with turnout.Switch(hugepages="off", mbufs=8192, run_dir=run_dir, housekeeping=False) as sw:
        yield sw


@dataclass
class Daemon:
    """`turnout serve` in a folder. namespace: of its network; "" for our own."""

    folder: Path
    process: subprocess.Popen[str] | None = None
    arguments: list[str] = field(default_factory=list)
    namespace: str = ""

    @property
    def socket(self) -> Path:
        return self.folder / "t.ctl"

    @property
    def command(self) -> list[str]:
        where = ["--socket", str(self.socket), "--state", str(self.folder / "state.json")]
        return [
            *(["ip", "netns", "exec", self.namespace] if self.namespace else []),
            sys.executable,
            "-m",
            "turnout",
            "serve",
            *where,
            "--hugepages=off",
            "--mbufs=8192",
            *self.arguments,
        ]

    def start(self, *arguments: str) -> "Daemon":
        self.arguments = list(arguments)
        self.process = subprocess.Popen(self.command, stderr=subprocess.PIPE, text=True)
        wait_for(self._answers, "daemon's answer")
        return self

    def _answers(self) -> bool:
        assert self.process
        assert self.process.poll() is None, self.process.stderr and self.process.stderr.read()
        with contextlib.suppress(TurnoutError):
            return bool(client.request(self.socket, "version"))
        return False

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """The exit status and the log."""
        assert self.process
        self.process.send_signal(number)
        _, log = self.process.communicate(timeout=DEADLINE)
        status, self.process = self.process.returncode, None
        return status, log

    def __call__(self, *arguments: str) -> str:
        return client.request(self.socket, *arguments)


@pytest.fixture
def daemon(run_dir: Path) -> Iterator[Daemon]:
    daemon = Daemon(run_dir)
    yield daemon
    if daemon.process:
        daemon.stop(signal.SIGKILL)


@pytest.fixture
def turnout_cli() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command; the result has its status, stdout and stderr."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "turnout", *arguments],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )

    return run
