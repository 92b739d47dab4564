# SPDX-License-Identifier: Apache-2.0
"""`turnout serve` as a process: its state, its end, its errors, and Open vSwitch's own client."""

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.control.conftest import DEADLINE, Daemon, wait_for
from turnout.errors import TurnoutError

AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def failing(daemon: Daemon, *arguments: str) -> str:
    """The one line with which a daemon that cannot start ends."""
    daemon.arguments = list(arguments)
    run = subprocess.run(daemon.command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert run.returncode == 1, run.stderr
    assert run.stdout == ""
    [line] = run.stderr.splitlines()
    return line


def test_state_survives_a_kill(daemon: Daemon) -> None:
    daemon.start()
    daemon("turnout/add-br", "br0", "other_config:mac-aging-time=60")
    daemon("turnout/add-port", "br0", "vm1", "type=vhost-user", "tag=10")
    daemon("turnout/add-port", "br0", "n1", "type=null")
    daemon("turnout/del-port", "n1")
    daemon("turnout/set", "port", "vm1", "tag=20")
    before = daemon("turnout/config")
    daemon.stop(signal.SIGKILL)
    assert daemon.socket.exists(), "left behind, for the next to replace"
    daemon.start()
    assert json.loads(daemon("turnout/config")) == json.loads(before)
    [port] = json.loads(daemon("turnout/show"))["bridges"][0]["ports"]
    assert (port["name"], port["tag"], port["driver"], port["error"]) == ("vm1", 20, "net_vhost", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(daemon: Daemon, number: signal.Signals) -> None:
    daemon.start()
    daemon("turnout/add-br", "br0")
    daemon("turnout/add-port", "br0", "vm1", "type=vhost-user")
    status, log = daemon.stop(number)
    assert status == 0
    assert log.splitlines()[-1] == "turnout: info: stopping"
    assert os.listdir(daemon.folder) == ["state.json"]


def test_the_exit_command(daemon: Daemon) -> None:
    daemon.start()
    daemon("exit")
    assert daemon.process
    daemon.process.communicate(timeout=DEADLINE)
    assert daemon.process.returncode == 0
    daemon.process = None


def test_permissions(daemon: Daemon) -> None:
    daemon.start()
    for name in ("t.ctl", "t.pid", "state.json"):
        assert stat.S_IMODE((daemon.folder / name).stat().st_mode) == 0o600, name


def test_a_taken_socket(daemon: Daemon) -> None:
    daemon.start()
    assert daemon.process
    other = Daemon(daemon.folder)
    assert failing(other) == (
        f"turnout: control socket {daemon.socket}: taken by a running daemon (pid {daemon.process.pid}); "
        "stop it, or use another"
    )
    assert daemon("version").startswith("turnout ")


def test_errors_at_start(daemon: Daemon) -> None:
    folder = daemon.folder
    assert failing(daemon, "--socket=/none/t.ctl").startswith("turnout: control socket /none/t.ctl: ")
    (folder / "bad.toml").write_text('[bridge.br0.port.vm1]\ntype = "tap"\ntag = 5000\n')
    assert failing(daemon, f"--config={folder}/bad.toml") == (
        f"turnout: {folder}/bad.toml: bridge.br0.port.vm1.tag: expected 0..4095, got 5000; "
        "leave it out for no VLAN"
    )
    (folder / "type.toml").write_text('[bridge.br0.port.vm1]\ntype = "vhostuser"\n')
    assert failing(daemon, f"--config={folder}/type.toml").startswith(
        "turnout: bridge.br0.port.vm1.type: no such port type 'vhostuser'; there are: vhost-user, "
    )
    assert failing(daemon, "--cores=999").startswith("turnout: cores: no core 999 for this process")
    assert failing(daemon, "--hugepages=maybe") == (
        "turnout: hugepages: no such value; there are: auto, require, off, got 'maybe'"
    )
    line = failing(daemon, "--hugepages=require", "--mbufs=16777216")
    assert line.startswith("turnout: hugepages: ")
    assert "as root: echo " in line
    (folder / "state.json").write_text("{")
    assert failing(daemon) == (
        f"turnout: {folder}/state.json: damaged: not a state file; move it away to start empty"
    )
    assert sorted(os.listdir(folder)) == ["bad.toml", "state.json", "type.toml"], "nothing half done"


def test_no_permission(run_dir: Path) -> None:
    """As a user who may neither write beside the socket nor reach the state."""
    closed = run_dir / "closed"
    closed.mkdir(mode=0o700)
    checkout = Path(__file__).parents[2]
    command = Daemon(closed).command
    run = subprocess.run(
        [*AS_NOBODY, *command],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
        cwd=checkout,
    )
    [line] = run.stderr.splitlines()
    assert run.returncode == 1
    assert line.startswith(f"turnout: {closed}/state.json: cannot read: Permission denied")
    assert os.listdir(closed) == []


def test_a_client_without_permission(daemon: Daemon) -> None:
    daemon.start()
    for folder in (daemon.folder, daemon.folder.parent):
        folder.chmod(0o755)
    run = subprocess.run(
        [*AS_NOBODY, sys.executable, "-m", "turnout", "list-br", "--socket", str(daemon.socket)],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert (run.returncode, run.stderr) == (
        1,
        f"turnout: {daemon.socket}: no permission; run as the user who started the daemon\n",
    )


def test_a_change_that_cannot_be_kept_is_undone(daemon: Daemon) -> None:
    folder = daemon.folder / "s"
    folder.mkdir()
    daemon.start(f"--state={folder}/state.json")
    daemon("turnout/add-br", "br0")
    (folder / "state.json").unlink()
    folder.rmdir()
    with pytest.raises(
        TurnoutError, match=r"cannot write: No such file or directory; changes would not survive"
    ):
        daemon("turnout/add-port", "br0", "n1", "type=null")
    assert json.loads(daemon("turnout/show"))["bridges"][0]["ports"] == []


def test_toml_is_the_base_and_changes_are_kept(daemon: Daemon) -> None:
    file = daemon.folder / "t.toml"
    file.write_text('[bridge.br0.port.n1]\ntype = "null"\n')
    daemon.start(f"--config={file}")
    daemon("turnout/add-port", "br0", "n2", "type=null")
    daemon.stop()
    daemon.start(f"--config={file}")
    assert list(json.loads(daemon("turnout/config"))["bridge"]["br0"]["port"]) == ["n1", "n2"]
    daemon.stop()
    file.write_text('[bridge.br0.port.n3]\ntype = "null"\n')
    daemon.start(f"--config={file}")
    assert list(json.loads(daemon("turnout/config"))["bridge"]["br0"]["port"]) == ["n3"]
    _, log = daemon.stop()
    assert f"turnout: warning: {file} changed: its bridges and ports replace the saved ones" in log


def test_a_port_that_cannot_come_up_waits(daemon: Daemon) -> None:
    late = daemon.folder / "late"
    file = daemon.folder / "t.toml"
    file.write_text(f"""
        [bridge.br0.port]
        vm1 = {{type = "vhost-user", options = {{path = "{late}/vm1"}}}}
        n1 = {{type = "null"}}
    """)
    daemon.start(f"--config={file}")
    vm1, n1 = json.loads(daemon("turnout/show"))["bridges"][0]["ports"]
    assert vm1["error"] == f"port.vm1: socket {late}/vm1: no such directory {late}; create it first"
    assert n1["error"] == ""
    late.mkdir()
    wait_for(lambda: (late / "vm1").exists(), "the port's socket")
    wait_for(lambda: not json.loads(daemon("turnout/show"))["bridges"][0]["ports"][0]["error"], "the port")
    _, log = daemon.stop()
    assert log.count("no such directory") == 1, "said once, not every five seconds"


def test_ovs_appctl(daemon: Daemon) -> None:
    daemon.start()
    daemon("turnout/add-br", "br0")
    source = daemon.folder / "in.pcap"
    header = bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000")
    frame = bytes.fromhex("ffffffffffff0200000000010800") + bytes(50)
    source.write_bytes(header + bytes(8) + len(frame).to_bytes(4, "little") * 2 + frame)
    daemon("turnout/add-port", "br0", "p", "type=pcap", f"options:rx_pcap={source}", "tag=7")

    def appctl(*arguments: str) -> str:
        command = ["ovs-appctl", "-t", str(daemon.socket), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=True).stdout

    wait_for(lambda: len(appctl("fdb/show", "br0").splitlines()) == 2, "a learned address")
    title, row = appctl("fdb/show", "br0").splitlines()
    assert title == " port  VLAN  MAC                Age"
    assert row[:-3] == "    1     7  02:00:00:00:00:01  "
    assert row[-3:].strip().isdigit()
    assert "fdb/show" in appctl("list-commands")
    assert appctl("fdb/flush", "br0") == "table successfully flushed\n"
    for vlan in ("4096", "9" * 5000):
        with pytest.raises(TurnoutError, match=r"bad VLAN [0-9]+; expected 0 to 4095"):
            daemon("fdb/add", "br0", "p", vlan, "02:00:00:00:00:02")


def test_apply(daemon: Daemon) -> None:
    daemon.start()
    tree = {"bridge": {"br0": {"port": {"a": {"type": "null"}}}, "br1": {}}}
    daemon("turnout/apply", json.dumps(tree))
    config = json.loads(daemon("turnout/config"))
    assert config["bridge"] == {"br0": {"port": {"a": {"type": "null"}}}, "br1": {"port": {}}}
    with pytest.raises(TurnoutError, match=r"^apply: not JSON: "):
        daemon("turnout/apply", "{")
    with pytest.raises(TurnoutError, match=r"^cores: cannot change while the switch runs; restart it$"):
        daemon("turnout/apply", '{"cores": [0, 1]}')
    daemon("turnout/apply", "{}")
    assert json.loads(daemon("turnout/config"))["bridge"] == {}
