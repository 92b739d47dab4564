# SPDX-License-Identifier: Apache-2.0
"""Start, files, log and end of `ovs-vswitchd`."""

import json
import os
import re
import signal
import sys
import tempfile
from pathlib import Path

import pytest

from tests.control.conftest import wait_for
from tests.vswitchd.conftest import Vswitchd
from turnout.lab.console import run
from turnout.lab.ovsdb import OvsdbServer

NOBODY = 65534
LINE = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\|\d{5}\|[a-z_.]+\|(EMER|ERR|WARN|INFO|DBG)\|.+"


def there(interface: str) -> bool:
    return Path("/sys/class/net", interface).exists()


def addresses(interface: str) -> str:
    return run("ip", "-4", "-o", "addr", "show", "dev", interface)


def test_when_the_parent_returns_all_is_there(vswitchd: Vswitchd, database: OvsdbServer) -> None:
    """Where tools look: the bridge, the pid file, the control socket, the bridge's own socket."""
    database.vsctl("--no-wait", "add-br", "tvbr0")
    vswitchd.start()
    assert there("tvbr0")
    assert Path(f"/proc/{vswitchd.pid}/comm").read_text() == "ovs-vswitchd\n"
    assert (vswitchd.folder / f"ovs-vswitchd.{vswitchd.pid}.ctl").is_socket()
    assert vswitchd.must("ovs-appctl", "version") == vswitchd.must("ovs-vswitchd", "--version")
    assert "LOCAL(tvbr0)" in vswitchd.must("ovs-ofctl", "show", "tvbr0")
    assert vswitchd.must("ovs-vsctl", "list-br").split() == ["tvbr0"]
    assert os.readlink(f"/proc/{vswitchd.pid}/cwd") == "/"


def test_the_parent_waits_for_the_database(vswitchd: Vswitchd, database: OvsdbServer) -> None:
    database.vsctl("--no-wait", "add-br", "tvbr0")
    database.kill()
    parent = vswitchd.popen("ovs-vswitchd", "--pidfile", "--detach", "--log-file", "-vconsole:emer")
    wait_for(lambda: vswitchd.pid and "no database" in vswitchd.log, "a daemon without its database")
    assert parent.poll() is None
    database.start()
    parent.communicate(timeout=30)
    assert parent.returncode == 0
    assert there("tvbr0")


def test_what_cannot_start_says_why(vswitchd: Vswitchd, database: OvsdbServer) -> None:
    """The parent of one that detaches, too; and it leaves nothing."""
    assert database
    vswitchd.start()
    pid = vswitchd.pid
    second = vswitchd.run("ovs-vswitchd", "--pidfile", "--detach", "-vconsole:off")
    assert second.returncode == 1
    assert second.stderr == f"{vswitchd.folder}/ovs-vswitchd.pid: already running as pid {pid}, aborting\n"
    vswitchd.stop("--cleanup")
    vswitchd.settings.write_text("mbufs = 1\n")
    third = vswitchd.run("ovs-vswitchd", "--pidfile", "--detach", "-vconsole:off")
    assert third.returncode == 1
    assert third.stderr == f"ovs-vswitchd: {vswitchd.settings}: mbufs: expected 4096..16777216, got 1\n"
    assert vswitchd.pid == 0


@pytest.mark.parametrize(
    ("database", "problem"),
    [
        ("tcp:127.0.0.1", "expected unix:FILE, tcp:IP:PORT or ssl:IP:PORT, got 'tcp:127.0.0.1'"),
        ("tcp:H:abc", "expected unix:FILE, tcp:IP:PORT or ssl:IP:PORT, got 'tcp:H:abc'"),
        ("ssl:127.0.0.1:6640", "ssl:127.0.0.1:6640 needs --private-key, --certificate and --ca-cert"),
    ],
)
def test_a_database_that_cannot_be(vswitchd: Vswitchd, database: str, problem: str) -> None:
    done = vswitchd.run("ovs-vswitchd", database)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"ovs-vswitchd: DATABASE: {problem}\n")


def test_files_that_cannot_be(vswitchd: Vswitchd) -> None:
    files = [f"--{name}=/none" for name in ("private-key", "certificate", "ca-cert")]
    done = vswitchd.run("ovs-vswitchd", "-vconsole:off", *files, "ssl:127.0.0.1:6640")
    assert (done.returncode, done.stdout) == (1, "")
    options = "--private-key, --certificate or --ca-cert"
    assert done.stderr == f"ovs-vswitchd: ssl:127.0.0.1:6640: {options}: No such file or directory\n"
    vswitchd.env["OVS_DBDIR"] = "/dev/null/x"
    done = vswitchd.run("ovs-vswitchd", "-vconsole:off")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "ovs-vswitchd: /dev/null/x: cannot create: Not a directory; see OVS_DBDIR\n"


def test_log(vswitchd: Vswitchd, database: OvsdbServer) -> None:
    """In Open vSwitch's format; it says what has no effect, and opens its file again."""
    assert database
    vswitchd.start("--disable-system", "-vdpif:dbg", "-vfile:info")
    vswitchd.must("ovs-vsctl", "set", "Open_vSwitch", ".", "other_config:pmd-cpu-mask=1")
    lines = vswitchd.log.splitlines()
    assert all(re.fullmatch(LINE, line) for line in lines), lines
    assert [int(line.split("|")[1]) for line in lines] == list(range(1, len(lines) + 1))
    assert "INFO|--disable-system: without effect here" in vswitchd.log
    assert 'WARN|--verbose=dpif:dbg: without effect: no destination, level, or module "dpif"' in vswitchd.log
    (vswitchd.folder / "ovs-vswitchd.log").rename(vswitchd.folder / "old")
    vswitchd.must("ovs-appctl", "vlog/reopen")
    vswitchd.stop()
    assert "|INFO|stopping" in vswitchd.log


def test_internal_ports_outlive_a_plain_exit(vswitchd: Vswitchd, database: OvsdbServer) -> None:
    """With their addresses, so that a restart does not cut the host off; `exit --cleanup` takes them away."""
    vswitchd.start()
    vswitchd.must(
        *("ovs-vsctl", "add-br", "tvbr0", "--", "add-port", "tvbr0", "tvi", "--"),
        *("set", "interface", "tvi", "type=internal", "--"),
        *("add-port", "tvbr0", "tvt", "--", "set", "interface", "tvt", "type=tap"),
    )
    run("ip", "addr", "add", "10.99.1.1/24", "dev", "tvbr0")
    vswitchd.stop()
    assert there("tvi")
    assert not there("tvt")
    vswitchd.start()
    assert "10.99.1.1/24" in addresses("tvbr0")
    assert database.get("Interface", "tvi", "error") == ""
    os.kill(pid := vswitchd.pid, signal.SIGTERM)
    vswitchd.gone(pid)
    assert "10.99.1.1/24" in addresses("tvbr0")
    vswitchd.start()
    vswitchd.stop("--cleanup")
    assert not any(map(there, ("tvbr0", "tvi", "tvt")))
    left = {path.name for path in vswitchd.folder.iterdir()}
    assert {name for name in left if name.endswith((".pid", ".mgmt", ".snoop"))} == set()
    assert {name for name in left if name.startswith("ovs-vswitchd")} == {"ovs-vswitchd.log"}


def test_only_the_database_says_what_there_is(vswitchd: Vswitchd, database: OvsdbServer) -> None:
    """The state file keeps no more than ports' OpenFlow numbers."""
    vswitchd.start()
    for name in ("tva", "tvb"):
        vswitchd.must(*f"ovs-vsctl --may-exist add-br tvbr0 -- add-port tvbr0 {name}".split())
        database.vsctl("set", "interface", name, "type=internal")
    numbers = {name: database.get("Interface", name, "ofport") for name in ("tva", "tvb")}
    assert sorted(numbers.values()) == ["1", "2"]
    vswitchd.stop()
    vswitchd.must("ovs-vsctl", "--no-wait", "del-port", "tva")
    vswitchd.start()
    assert database.get("Interface", "tvb", "ofport") == numbers["tvb"]
    state = vswitchd.folder / "turnout.json"
    wait_for(lambda: json.loads(state.read_text())["openflow-ports"].keys() == {"tvb", "tvbr0"}, "the file")
    vswitchd.stop("--cleanup")
    vswitchd.must("ovs-vsctl", "--no-wait", "del-br", "tvbr0")
    vswitchd.start()
    assert vswitchd.must("ovs-appctl", "ofproto/list") == ""
    assert not there("tvbr0")


def test_openflow_numbers_are_those_of_the_daemon_before(vswitchd: Vswitchd, database: OvsdbServer) -> None:
    """Open vSwitch's own, too, which has left them in the database only: flows name ports by them."""
    for name, number in (("tva", "7"), ("tvb", "-1")):
        vswitchd.must(*f"ovs-vsctl --no-wait --may-exist add-br tvbr0 -- add-port tvbr0 {name}".split())
        database.vsctl("--no-wait", "set", "interface", name, "type=internal", f"ofport={number}")
    database.vsctl("--no-wait", "set", "interface", "tvbr0", "ofport=65534")
    vswitchd.start()
    vswitchd.must("ovs-vsctl", "set", "Open_vSwitch", ".", "external_ids:written=1")
    assert database.get("Interface", "tva", "ofport") == "7"
    assert database.get("Interface", "tvb", "ofport") == "1"
    assert database.get("Interface", "tvbr0", "ofport") == "65534"


def test_cpus_come_from_the_database(vswitchd: Vswitchd, database: OvsdbServer) -> None:
    cpu = min(os.sched_getaffinity(0))
    beyond = 1 << 200
    database.vsctl(
        "--no-wait", "set", "Open_vSwitch", ".", f"other_config:pmd-cpu-mask={beyond | 1 << cpu:x}"
    )
    vswitchd.start()
    assert f"worker cores {cpu}\n" in vswitchd.log
    assert f"this process may use [{cpu}]\n" in vswitchd.log


def test_monitor(vswitchd: Vswitchd, database: OvsdbServer) -> None:
    """It starts the daemon again after a crash, and ends with it."""
    database.vsctl("--no-wait", "add-br", "tvbr0")
    vswitchd.start("--monitor", "--mlockall")
    first = vswitchd.pid
    monitor = int(run("ps", "-o", "ppid=", "-p", str(first)))
    os.kill(first, signal.SIGSEGV)
    wait_for(lambda: vswitchd.pid not in (0, first), "another daemon")
    wait_for(lambda: vswitchd.run("ovs-appctl", "version").returncode == 0, "its answer")
    vswitchd.must("ovs-vsctl", "add-br", "tvbr1")
    assert there("tvbr0")
    assert int(run("ps", "-o", "ppid=", "-p", str(vswitchd.pid))) == monitor
    vswitchd.stop("--cleanup")
    vswitchd.gone(monitor)


def test_another_user(vswitchd: Vswitchd) -> None:
    """With what a switch may do, and no more."""
    nobody = ("setpriv", "--reuid=nobody", "--clear-groups")
    if vswitchd.run(*nobody, sys.executable, "-c", "import turnout").returncode:
        pytest.skip("not available here: nobody may not read this checkout")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        os.chown(folder, NOBODY, NOBODY)
        theirs = Vswitchd(folder)
        with OvsdbServer(folder) as database:
            (folder / "db.sock").chmod(0o666)
            theirs.start("--user=nobody")
            try:
                assert Path(f"/proc/{theirs.pid}").stat().st_uid == NOBODY
                database.vsctl("add-br", "tvbr0")
                assert there("tvbr0")
            finally:
                theirs.close()


def test_an_empty_database_is_an_answer(vswitchd: Vswitchd, database: OvsdbServer) -> None:
    """As Open vSwitch's, the parent does not wait for `ovs-vsctl init`."""
    database.kill()
    database.create()
    database.start(init=False)
    vswitchd.start()
    database.vsctl("--no-wait", "init")
    database.vsctl("add-br", "tvbr0")
    assert there("tvbr0")
