# SPDX-License-Identifier: Apache-2.0
"""What stock ovs-appctl asks of the daemon itself."""

import re
import subprocess

from tests.appctl.conftest import Appctl
from turnout import __version__
from turnout.lab.daemon import Daemon
from turnout.lab.wait import until


def test_version(ours: Appctl, theirs: Appctl) -> None:
    assert ours.must("version") == f"turnout (Turnout) {__version__}\n"
    shape = re.compile(r"\S+ \(.+\) \d\S*\n")
    assert shape.fullmatch(ours.must("version"))
    assert shape.fullmatch(theirs.must("version"))


def test_list_commands(ours: Appctl, theirs: Appctl) -> None:
    """Those of Open vSwitch's that we have, with the same arguments; nothing of its that would be empty."""

    def usages(appctl: Appctl) -> dict[str, str]:
        title, *lines = appctl.must("list-commands").splitlines()
        assert title == "The available commands are:"
        rows = (line.strip().partition(" ") for line in lines if line.strip())
        return {name: usage.strip() for name, _, usage in rows}

    mine, other = usages(ours), usages(theirs)
    own = {name for name in mine if name not in other}
    assert all(name.startswith("turnout/") or name == "help" for name in own), own
    # no histories of iterations, flows of the datapath, patterns here
    fewer = {"dpif-netdev/pmd-perf-show", "ofproto/trace", "vlog/set"}
    shared = mine.keys() & other.keys() - fewer
    assert {name: mine[name] for name in shared} == {name: other[name] for name in shared}
    for absent in ("upcall/show", "dpctl/dump-flows", "bond/list", "lacp/show"):
        assert absent not in mine


def test_memory_show(ours: Appctl, theirs: Appctl) -> None:
    for appctl in (ours, theirs):
        counts = dict(pair.split(":") for pair in appctl.must("memory/show").split())
        assert counts.keys() >= {"ports", "rules"}
        assert all(value.isdigit() for value in counts.values())


def test_exit() -> None:
    for option in ([], ["--cleanup"]):
        with Daemon(hugepages="off", mbufs=8192) as daemon:
            pid, command = daemon.pid, ["ovs-appctl", "-t", str(daemon.socket), "exit"]
            refused = subprocess.run([*command, "--now"], capture_output=True, text=True)
            assert (refused.returncode, refused.stdout) == (2, "")
            subprocess.run([*command, *option], check=True, timeout=20)
            until(lambda pid=pid: _ended(pid), "the daemon's end", timeout=20)
            assert not daemon.socket.exists()


def _ended(pid: int) -> bool:
    """Gone, or a zombie that the test has yet to reap."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
