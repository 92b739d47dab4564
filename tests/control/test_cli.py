# SPDX-License-Identifier: Apache-2.0
"""The verbs against a running daemon: what they print, to whom, with which status."""

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.control.conftest import Daemon
from turnout.cli.main import VERBS

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def cli(daemon: Daemon, turnout_cli: Cli) -> Cli:
    """The command, talking to a daemon."""
    daemon.start()

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return turnout_cli(*arguments, TURNOUT_SOCKET=str(daemon.socket), **environment)

    return run


def test_a_session(cli: Cli) -> None:
    for arguments in (
        ["add-br", "br0"],
        ["add-br", "--may-exist", "br0", "mac_aging=60"],
        ["add-port", "br0", "vm1", "type=vhost-user", "tag=10"],
        ["add-port", "br0", "n1", "type=null"],
        ["add-port", "--may-exist", "br0", "n1", "type=null", "trunks=1-3"],
        ["set", "Interface", "n1", "mtu_request=2000", "options:size=128"],
        ["set", "port", "vm1", "tag=20"],
        ["set", "bridge", "br0", "other_config:mac-aging-time=30"],
        ["del-port", "--if-exists", "nobody"],
        ["del-br", "--if-exists", "nobody"],
    ):
        run = cli(*arguments)
        assert (run.returncode, run.stdout, run.stderr) == (0, "", ""), arguments
    assert cli("list-br").stdout == "br0\n"
    assert cli("list-ports", "br0").stdout == "vm1\nn1\n"
    assert json.loads(cli("list-ports", "br0", "--json").stdout) == ["vm1", "n1"]
    shown = json.loads(cli("show", "--json").stdout)
    assert shown["bridges"][0]["mac_aging"] == 30
    vm1, n1 = shown["bridges"][0]["ports"]
    assert (vm1["tag"], vm1["vlan_mode"], vm1["mac"] != "") == (20, "access", True)
    assert (n1["trunks"], n1["mtu"], n1["options"]) == ([1, 2, 3], 2000, {"size": "128"})
    text = cli("show").stdout
    assert "vm1 (1) vhost-user tag=20 down" in text
    assert "n1 (2) null size=128 trunks=1,2,3 mtu=2000 up" in text
    for verb in ("stats", "fdb", "workers", "drops"):
        assert isinstance(json.loads(cli(verb, "--json").stdout), list)
        assert cli(verb).returncode == 0
    assert "vm1:0 n1:0" in cli("workers").stdout
    assert [s["port"] for s in json.loads(cli("stats", "--json").stdout)] == ["vm1", "n1"]
    assert json.loads(cli("fdb", "br0", "--flush", "--json").stdout) == {"entries": 0}
    assert cli("del-port", "br0", "n1").returncode == 0
    assert cli("del-br", "br0").returncode == 0
    assert cli("list-br").stdout == ""


def test_errors(cli: Cli) -> None:
    cli("add-br", "br0")
    cli("add-br", "br1")
    cli("add-port", "br0", "n1", "type=null")
    for arguments, line in (
        (["add-br", "br0"], "turnout: bridge.br0: exists already; --may-exist accepts that"),
        (["add-port", "br9", "n2", "type=null"], "turnout: bridge.br9: no such bridge; there are: br0, br1"),
        (
            ["add-port", "br1", "n1", "type=null"],
            "turnout: port.n1: exists already on bridge br0; use set port",
        ),
        (
            ["add-port", "br0", "n2", "type=null", "tag=5000"],
            "turnout: port.n2.tag: expected 0..4095, got 5000; ",
        ),
        (
            ["add-port", "br0", "n2", "type=vhost"],
            "turnout: bridge.br0.port.n2.type: no such port type 'vhost'; ",
        ),
        (
            ["add-port", "br0", "n2", "type=tap", "options:x=1"],
            "turnout: bridge.br0.port.n2.options.x: no such option",
        ),
        (
            ["set", "port", "n1", "colour=red"],
            "turnout: port.n1: no such column 'colour'; there are: type, tag, ",
        ),
        (["set", "port", "n9", "tag=1"], "turnout: port.n9: no such port; list them with list-ports BRIDGE"),
        (["del-port", "br1", "n1"], "turnout: port.n1: is on bridge br0, not br1"),
        (["del-br", "br9"], "turnout: bridge.br9: no such bridge; there are: br0, br1"),
        (["list-ports", "br9"], "turnout: bridge.br9: no such bridge; there are: br0, br1"),
        (["fdb", "br9"], "turnout: bridge.br9: no such bridge; there are: br0, br1"),
    ):
        run = cli(*arguments)
        assert (run.returncode, run.stdout) == (1, ""), arguments
        assert run.stderr.startswith(line), run.stderr
        assert run.stderr.count("\n") == 1


def test_wrong_use(turnout_cli: Cli) -> None:
    for arguments, line in (
        (["add-port", "br0"], "turnout add-port: Missing argument 'PORT'; see turnout add-port --help\n"),
        (["nonsense"], "turnout: No such command 'nonsense'; see turnout --help\n"),
        (["show", "--nonsense"], "turnout show: No such option '--nonsense'"),
        (
            ["del-port", "a", "b", "c"],
            "turnout del-port: expected [BRIDGE] PORT; see turnout del-port --help\n",
        ),
        (
            ["serve", "--cores", "x"],
            "turnout serve: Invalid value for '--cores': expected cores such as 1 or 1,4-7",
        ),
    ):
        run = turnout_cli(*arguments)
        assert (run.returncode, run.stdout) == (2, ""), arguments
        assert run.stderr.startswith(line), run.stderr
        assert run.stderr.count("\n") == 1


def test_without_a_daemon(turnout_cli: Cli) -> None:
    run = turnout_cli("show", TURNOUT_SOCKET="/nowhere/t.ctl")
    assert (run.returncode, run.stderr) == (
        1,
        "turnout: /nowhere/t.ctl: no daemon there; start one with: turnout serve\n",
    )


def test_help(turnout_cli: Cli) -> None:
    top = turnout_cli("--help").stdout
    for verb in VERBS:
        assert f"\n  {verb} " in top
        text = turnout_cli(verb, "--help").stdout
        assert f"turnout {verb}" in text
        if verb not in ("version", "list-br"):
            assert text.count(f"turnout {verb}") > 1, f"{verb}: no example"


def test_completion(cli: Cli) -> None:
    cli("add-br", "br0")
    cli("add-br", "br1")
    cli("add-port", "br0", "vm1", "type=null")
    assert "_TURNOUT_COMPLETE=bash_complete" in cli("completion", "bash").stdout
    assert cli("completion", "zsh").stdout.startswith("#compdef turnout")
    assert "fish" in cli("completion", "fish").stdout

    def words(line: str) -> set[str]:
        run = cli(
            _TURNOUT_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=str(len(line.split(" ")) - 1)
        )
        return {row.partition(",")[2] for row in run.stdout.splitlines()}

    assert {"add-br", "add-port"} <= words("turnout add")
    assert words("turnout add-port b") == {"br0", "br1"}
    assert words("turnout del-port ") >= {"vm1"}
    assert words("turnout set port v") == {"vm1"}
    assert words("turnout add-port br0 x type=vh") == {"type=vhost-user", "type=vhost-user-client"}
    assert words("turnout list-ports --socket /nowhere ") == {""}


def test_short_verbs_load_little() -> None:
    """What a verb in a shell loop needs: no DPDK, no tables, no validation."""
    code = (
        "import sys\n"
        "sys.argv = ['turnout', 'add-port', 'br0', 'p', '--socket', '/nowhere']\n"
        "from turnout.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'rich', 'msgspec', 'ovs', 'turnout._engine'} & set(sys.modules)))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
