# SPDX-License-Identifier: Apache-2.0
"""`turnout ovs-compat` on a root folder that looks like Debian with both of Open vSwitch's daemons."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.control.conftest import turnout_cli
from turnout.lab.console import run

__all__ = ["turnout_cli"]

Cli = Callable[..., subprocess.CompletedProcess[str]]
PLAIN, DPDK = (f"/usr/lib/openvswitch-switch{end}/ovs-vswitchd{end}" for end in ("", "-dpdk"))
OURS = "/usr/lib/turnout/ovs-vswitchd"


class Debian:
    """A root folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("usr/sbin", "etc/alternatives", "etc/systemd/system", "var/log"):
            (root / folder).mkdir(parents=True)
        (root / "var/lib/dpkg/alternatives").mkdir(parents=True)
        for program, priority in ((PLAIN, 100), (DPDK, 50)):
            path = root / program.lstrip("/")
            path.parent.mkdir(parents=True)
            path.touch(0o755)
            self.alternatives("--install", "/usr/sbin/ovs-vswitchd", "ovs-vswitchd", program, str(priority))

    def alternatives(self, *arguments: str) -> str:
        return run("update-alternatives", "--root", str(self.root), *arguments)

    @property
    def choice(self) -> tuple[str, str]:
        """What /usr/sbin/ovs-vswitchd is, and whether somebody chose it or the priorities did."""
        state = self.alternatives("--query", "ovs-vswitchd")
        status = next(line for line in state.splitlines() if line.startswith("Status: "))
        return str((self.root / "etc/alternatives/ovs-vswitchd").readlink()), status.removeprefix("Status: ")

    @property
    def files(self) -> dict[str, str]:
        """All of them but the log, with what is in them, and links, with where they lead."""
        paths = [path for path in self.root.rglob("*") if path.suffix != ".log"]
        links = {str(path): str(path.readlink()) for path in paths if path.is_symlink()}
        files = (path for path in paths if path.is_file() and not path.is_symlink())
        return links | {str(path): path.read_text() for path in files}


@pytest.fixture
def debian(tmp_path: Path) -> Debian:
    return Debian(tmp_path / "root")


@pytest.mark.parametrize("chosen", ["", DPDK])
def test_there_and_back(debian: Debian, turnout_cli: Cli, chosen: str) -> None:
    """What was chosen before is chosen again; a second time is no different."""
    if chosen:
        debian.alternatives("--set", "ovs-vswitchd", chosen)
    before = debian.files, debian.choice
    for _ in range(2):
        done = turnout_cli("ovs-compat", "install", "--root", str(debian.root))
        assert (done.returncode, done.stderr) == (0, "")
    assert debian.choice == (OURS, "manual" if chosen else "auto")
    shown = run(
        "setpriv", str(debian.root / OURS.lstrip("/")), "--version", env={"PYTHONPATH": str(Path.cwd())}
    )
    assert shown.startswith("ovs-vswitchd (Open vSwitch) ")
    done = turnout_cli("ovs-compat", "remove", "--root", str(debian.root))
    assert (done.returncode, done.stderr) == (0, "")
    assert (debian.files, debian.choice) == before


def test_nothing_to_remove(debian: Debian, turnout_cli: Cli) -> None:
    done = turnout_cli("ovs-compat", "remove", "--root", str(debian.root))
    assert done.returncode == 1
    assert done.stderr == f"turnout: {debian.root}{OURS}: not there; nothing is installed\n"


@pytest.mark.parametrize("name", ["usr/sbin/ovs-vswitchd", "etc/systemd/system/ovs-vswitchd.service"])
def test_what_is_anothers_stays(debian: Debian, turnout_cli: Cli, name: str) -> None:
    path = debian.root / name
    path.unlink(missing_ok=True)
    path.write_text("[Unit]\n")
    before = debian.files
    done = turnout_cli("ovs-compat", "install", "--root", str(debian.root))
    assert done.returncode == 1
    assert done.stderr.startswith(f"turnout: {path}: is ")
    assert done.stderr.endswith("; move it away first\n")
    assert debian.files == before


def test_a_failure_leaves_nothing(debian: Debian, turnout_cli: Cli) -> None:
    """Neither without update-alternatives nor with one that fails."""
    before = debian.files
    done = turnout_cli("ovs-compat", "install", "--root", str(debian.root), PATH="")
    assert done.returncode == 1
    assert done.stderr == "turnout: ovs-compat: no update-alternatives here; this is for Debian's kind\n"
    assert debian.files == before
    state = debian.root / "var/lib/dpkg/alternatives"
    shutil.rmtree(state)
    state.touch()
    before = debian.files
    done = turnout_cli("ovs-compat", "install", "--root", str(debian.root))
    assert done.returncode == 1
    assert done.stderr.startswith("turnout: ovs-compat: update-alternatives: error: cannot scan directory ")
    assert debian.files == before


def test_what_others_have_beside_it_stays(debian: Debian, turnout_cli: Cli) -> None:
    turnout_cli("ovs-compat", "install", "--root", str(debian.root))
    other = (debian.root / OURS.lstrip("/")).with_name("other")
    other.touch()
    done = turnout_cli("ovs-compat", "remove", "--root", str(debian.root))
    assert (done.returncode, done.stderr) == (0, "")
    assert list(other.parent.iterdir()) == [other]
    assert debian.choice == (PLAIN, "auto")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="not available here: systemd-analyze")
def test_unit(debian: Debian, turnout_cli: Cli) -> None:
    turnout_cli("ovs-compat", "install", "--root", str(debian.root))
    unit = debian.root / "etc/systemd/system/ovs-vswitchd.service"
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
