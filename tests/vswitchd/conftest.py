# SPDX-License-Identifier: Apache-2.0
"""`ovs-vswitchd`, ours, in a folder of its own, started as scripts do: from PATH, with --detach."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import turnout
from tests.control.conftest import run_dir, wait_for
from turnout.lab.console import LabError, run
from turnout.lab.ovsdb import OvsdbServer

__all__ = ["run_dir"]

NAME = "ovs-vswitchd"
_FOLDERS = ("OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A bridge has a TAP of its own, which takes root."""
    if os.geteuid() != 0:
        for item in items:
            if "vswitchd" in item.path.parts:
                item.add_marker(pytest.mark.skip(reason="not available here: needs root"))


class Vswitchd:
    """What a shell would do with it. `prefix`: what all commands are run by, such as "ip netns exec x"."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.prefix: Sequence[str] = ()
        programs, self.settings = folder / "bin", folder / "openvswitch" / "turnout.toml"
        for path in (programs, self.settings.parent):
            path.mkdir()
        program = programs / NAME
        program.write_text(f"#!{sys.executable}\nfrom turnout.cli.vswitchd import main\n\nmain()\n")
        program.chmod(0o755)
        self.settings.write_text('hugepages = "off"\nmbufs = 8192\n')
        self.env = {
            **os.environ,
            **dict.fromkeys(_FOLDERS, str(folder)),
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(Path(turnout.__file__).parents[1]),
            "OVS_SYSLOG_METHOD": "null",
        }

    @property
    def pid(self) -> int:
        """Of the daemon; 0 without a pid file."""
        with contextlib.suppress(FileNotFoundError):
            return int((self.folder / f"{NAME}.pid").read_text())
        return 0

    @property
    def log(self) -> str:
        """Its log file."""
        return (self.folder / f"{NAME}.log").read_text()

    def popen(self, *arguments: str) -> subprocess.Popen[str]:
        """Any command."""
        pipe = subprocess.PIPE
        return subprocess.Popen([*self.prefix, *arguments], env=self.env, stdout=pipe, stderr=pipe, text=True)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Any command, to its end."""
        words = [*self.prefix, *arguments]
        return subprocess.run(words, env=self.env, capture_output=True, text=True, timeout=60, check=False)

    def must(self, *arguments: str) -> str:
        """Its output, if it succeeds."""
        return run(*self.prefix, *arguments, env=self.env)

    def start(self, *options: str) -> None:
        """`ovs-vswitchd --detach …`, which returns when the switch is ready."""
        self.must(NAME, "--pidfile", "--detach", "--log-file", "-vconsole:emer", *options)

    def stop(self, *options: str) -> None:
        """`ovs-appctl exit`; returns when the process has gone."""
        pid = self.pid
        self.must("ovs-appctl", "exit", *options)
        self.gone(pid)

    def gone(self, pid: int) -> None:
        """Waits for the end of a process; the machine's first process may be slow to take note of it."""

        def ended() -> bool:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
            return True

        wait_for(ended, f"the end of {pid}")

    def close(self) -> None:
        """Leaves nothing behind."""
        if pid := self.pid:
            try:
                self.stop("--cleanup")
            except LabError:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


@pytest.fixture
def vswitchd(run_dir: Path) -> Iterator[Vswitchd]:
    """Not started."""
    vswitchd = Vswitchd(run_dir)
    yield vswitchd
    vswitchd.close()


@pytest.fixture
def database(vswitchd: Vswitchd) -> Iterator[OvsdbServer]:
    """A server where the daemon looks for it."""
    with OvsdbServer(vswitchd.folder) as server:
        yield server
