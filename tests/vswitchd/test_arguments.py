# SPDX-License-Identifier: Apache-2.0
"""The command line beside that of Debian's ovs-vswitchd."""

import re
import subprocess
from pathlib import Path

import pytest

from turnout.cli import vswitchd
from turnout.cli.vswitchd_arguments import parse
from turnout.errors import TurnoutError

THEIRS = "/usr/lib/openvswitch-switch/ovs-vswitchd"


def theirs(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([THEIRS, *arguments], capture_output=True, text=True, timeout=30, check=False)


def test_each_of_their_options_is_known() -> None:
    """Those of their help, and those that it does not name."""
    listed = re.findall(r"--([a-z-]+)(\[?=)?", theirs("--help").stdout)
    hidden = [("disable-system", ""), ("disable-system-route", ""), ("mlockall", ""), ("peer-ca-cert", "=")]
    assert len(listed) > 15
    for name, value in {*listed, *hidden, ("no-self-confinement", "")} - {("bootstrap-ca-cert", "=")}:
        parse([f"--{name}{'=null' if value == '=' else ''}"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("--no-such-thing",),
        ("-x",),
        ("--detach=3",),
        ("--unixctl",),
        ("--ver",),
        ("--dpdk",),
        ("unix:a", "unix:b"),
        ("--syslog-method=pigeon",),
        ("--user=nosuchuser",),
    ],
)
def test_both_refuse(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With one line, which begins with the program's name, and the same status."""
    reference = theirs(*arguments)
    assert (reference.returncode, reference.stdout) == (1, "")
    monkeypatch.setattr("sys.argv", ["ovs-vswitchd", *arguments])
    with pytest.raises(SystemExit) as end:
        vswitchd.main()
    shown = capsys.readouterr()
    assert (end.value.code, shown.out) == (1, "")
    assert re.fullmatch(r"ovs-vswitchd: .+\n", shown.err)


def test_one_that_must_not_be_passed_over() -> None:
    with pytest.raises(TurnoutError, match="--bootstrap-ca-cert: not implemented"):
        parse(["--bootstrap-ca-cert=x"])


def test_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"):
        monkeypatch.delenv(name, raising=False)
    plain, full = parse([]), parse(["--pidfile", "--log-file", "-v", "-vfile:dbg", "tcp:127.0.0.1:6640"])
    assert plain.database == "unix:/var/run/openvswitch/db.sock"
    assert (plain.pid_file, plain.log_file, plain.unixctl, plain.verbose) == (None, None, None, ())
    assert plain.state == Path("/var/lib/openvswitch/turnout.json")
    assert full.database == "tcp:127.0.0.1:6640"
    assert full.pid_file == Path("/var/run/openvswitch/ovs-vswitchd.pid")
    assert full.log_file == Path("/var/log/openvswitch/ovs-vswitchd.log")
    assert full.verbose == ("any", "file:dbg")


def test_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name without a slash is a file in the folder of its kind; one with a slash is where it says."""
    for name in ("RUN", "LOG", "DB"):
        monkeypatch.setenv(f"OVS_{name}DIR", f"/{name.lower()}")
    arguments = parse(["--pidfile=x.pid", "--unixctl=x.ctl", "--log-file=/tmp/x.log", "-p", "/k"])
    assert arguments.database == "unix:/run/db.sock"
    assert (arguments.pid_file, arguments.unixctl) == (Path("/run/x.pid"), Path("/run/x.ctl"))
    assert (arguments.log_file, arguments.state) == (Path("/tmp/x.log"), Path("/db/turnout.json"))
    assert arguments.tls == {"private-key": "/k"}


def test_version_and_help(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The first line is what scripts look at."""
    monkeypatch.setattr("sys.argv", ["ovs-vswitchd", "--version"])
    vswitchd.main()
    ours = capsys.readouterr().out.splitlines()
    pattern = r"ovs-vswitchd \(Open vSwitch\) \d+\.\d+\.\d+"
    assert re.fullmatch(pattern, ours[0])
    assert re.fullmatch(pattern, theirs("--version").stdout.splitlines()[0])
    assert re.fullmatch(r"Turnout \S+", ours[1])
    assert re.fullmatch(r"DPDK \S+", ours[2])
    monkeypatch.setattr("sys.argv", ["ovs-vswitchd", "-h"])
    vswitchd.main()
    assert "usage: ovs-vswitchd [OPTIONS] [DATABASE]\n" in capsys.readouterr().out
