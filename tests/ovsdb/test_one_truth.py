# SPDX-License-Identifier: Apache-2.0
"""The CLI and ovs-vsctl on one switch: what one sets the other shows, or one line says why not."""

import json
import re
import signal
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.control.conftest import Daemon, wait_for
from tests.ovsdb.test_session import holding_the_lock
from turnout.errors import TurnoutError
from turnout.lab.ovsdb import OvsdbServer

Cli = Callable[..., str]


@pytest.fixture
def cli(switch: Daemon, turnout_cli: Callable[..., subprocess.CompletedProcess[str]]) -> Cli:
    """The command's output, or its one line of complaint."""

    def run(*arguments: str) -> str:
        done = turnout_cli(*arguments, TURNOUT_SOCKET=str(switch.socket))
        if done.returncode:
            assert done.stderr.count("\n") == 1, done.stderr
            raise TurnoutError(done.stderr.rstrip("\n").removeprefix("turnout: "))
        return done.stdout

    return run


@pytest.fixture
def ask(switch: Daemon) -> Cli:
    """What the CLI asks of the daemon, without a process each time: `ask("add-br", "br0")`."""
    return lambda verb, *arguments: switch(f"turnout/{verb}", *arguments)


def cfg(database: OvsdbServer) -> tuple[str, str]:
    columns = database.vsctl("--no-wait", "--bare", "--columns=next_cfg,cur_cfg", "list", "open_vswitch")
    next_cfg, cur_cfg = columns.split()
    return next_cfg, cur_cfg


def test_a_session_with_the_cli(database: OvsdbServer, switch: Daemon, cli: Cli) -> None:
    """Each verb is in the database, done and counted, when it returns."""
    path = f"{switch.folder}/vm"
    for arguments in (
        ["add-br", "tdbr0", "fail_mode=secure"],
        ["add-br", "--may-exist", "tdbr0", "other_config:mac-aging-time=60"],
        ["add-port", "tdbr0", "vm", "type=vhost-user-client", f"options:path={path}", "options:n_rxq=2"],
        ["add-port", "tdbr0", "n0", "type=null", "tag=5"],
        ["add-port", "--may-exist", "tdbr0", "n0", "type=null", "tag=7", "ofport_request=9"],
        ["set", "port", "n0", "tag=", "trunks=1-3"],
        ["set", "bridge", "tdbr0", "controller=ptcp:0:127.0.0.1", "restore_flows=true"],
        ["set", "bridge", "tdbr0", "table_limits=0:100,3:7:evict", "controller_async=false"],
        ["set", "bridge", "tdbr0", "table_limits=3:8,4:9"],
        ["del-port", "--if-exists", "nobody"],
    ):
        assert cli(*arguments) == ""
        assert len(set(cfg(database))) == 1, arguments
    assert database.vsctl("list-ports", "tdbr0") == "n0\nvm"
    assert database.get("Interface", "n0", "ofport") == "9"
    assert database.get("Port", "n0", "trunks") == "[1, 2, 3]"
    assert database.get("Port", "n0", "tag") == ""
    assert database.get("Interface", "vm", "type") == "dpdkvhostuserclient"
    assert database.get("Interface", "vm", "options") == f'{{n_rxq="2", vhost-server-path="{path}"}}'
    assert database.get("Interface", "tdbr0", "type") == "internal"
    assert database.vsctl("get-fail-mode", "tdbr0") == "secure"
    assert database.vsctl("get-controller", "tdbr0") == "ptcp:0:127.0.0.1"
    assert (
        database.get("Bridge", "tdbr0", "other_config")
        == '{mac-aging-time="60", turnout-restore-flows="true"}'
    )
    limits = database.vsctl("--bare", "--columns=flow_limit,overflow_policy", "list", "flow_table")
    assert sorted(limits.split()) == ["8", "9", "refuse", "refuse"]
    assert database.vsctl("--bare", "--columns=enable_async_messages", "list", "controller") == "false"
    assert cli("list-ports", "tdbr0") == "n0\nvm\n"
    assert cli("del-port", "tdbr0", "n0") == cli("set", "bridge", "tdbr0", "controller=", "fail_mode=") == ""
    assert database.vsctl("list-ports", "tdbr0") == "vm"
    assert database.vsctl("get-controller", "tdbr0") == ""
    assert cli("del-br", "tdbr0") == ""
    assert database.vsctl("list-br") == ""
    tables = ("Bridge", "Port", "Interface", "Controller")
    assert [database.vsctl("--bare", "list", table) for table in tables] == [""] * 4


def test_what_ovs_vsctl_sets_the_cli_shows_and_changes(database: OvsdbServer, ask: Cli) -> None:
    """A change leaves alone what it is not about, whoever has set that."""
    database.line("add-br tdbr0 -- set bridge tdbr0 external_ids:a=b other_config:unknown=1 stp_enable=true")
    database.line(
        "add-port tdbr0 n0 tag=5 -- set interface n0 type=null external_ids:iface-id=x options:far=1"
    )
    database.line("set port n0 external_ids:p=q -- --id=@q create qos type=linux-htb -- set port n0 qos=@q")
    qos = database.get("Port", "n0", "qos")
    database.line("set-controller tdbr0 ptcp:0:127.0.0.1 -- set controller tdbr0 max_backoff=5000")
    (bridge,) = json.loads(ask("show"))["bridges"]
    assert bridge["controllers"] == {"ptcp:0:127.0.0.1": False}
    (port,) = (port for port in bridge["ports"] if port["name"] == "n0")
    assert (port["type"], port["tag"]) == ("null", 5)
    assert "qos: not implemented yet" in port["error"]
    ask("set", "port", "n0", "tag=6", "options:size=100")
    ask("set", "bridge", "tdbr0", "mac_aging=9", "controller=ptcp:0:127.0.0.1,ptcp:0:127.0.0.2")
    assert database.get("Port", "n0", "tag") == "6"
    assert database.get("Port", "n0", "qos") == qos
    assert database.get("Port", "n0", "external_ids") == "{p=q}"
    assert database.get("Interface", "n0", "external_ids") == "{iface-id=x}"
    assert database.get("Interface", "n0", "options") == '{far="1", size="100"}'
    assert database.get("Bridge", "tdbr0", "external_ids") == "{a=b}"
    assert database.get("Bridge", "tdbr0", "other_config") == '{mac-aging-time="9", unknown="1"}'
    assert database.get("Bridge", "tdbr0", "stp_enable") == "true"
    assert database.vsctl("get-controller", "tdbr0") == "ptcp:0:127.0.0.1\nptcp:0:127.0.0.2"
    backoffs = database.vsctl("--bare", "--columns=max_backoff", "list", "controller")
    assert backoffs.split() == ["5000", "5000"]


def test_rows_that_cannot_be(database: OvsdbServer, cli: Cli) -> None:
    """The CLI shows them with their errors, takes them out and mends them."""
    database.line(
        "add-br tdbr0 -- add-bond tdbr0 bo b0 b1 -- add-port tdbr0 vx -- set interface vx type=vxlan"
    )
    shown = cli("show")
    assert "vx (-1) vxlan down error: port.vx.type: vxlan is not implemented yet" in shown
    assert "bo (-1) bond down error: port.bo: bonds are not implemented yet" in shown
    assert cli("list-ports", "tdbr0") == "bo\nvx\n"
    with pytest.raises(TurnoutError, match=r"^port\.vx: exists already on bridge tdbr0; use set port$"):
        cli("add-port", "tdbr0", "vx", "type=null")
    with pytest.raises(TurnoutError, match=r"^port\.vx\.type: no such port type 'vxlan'"):
        cli("set", "port", "vx", "tag=1")
    cli("set", "port", "vx", "type=null", "tag=1")
    assert database.get("Interface", "vx", "error") == ""
    cli("del-port", "bo")
    assert database.vsctl("list-ports", "tdbr0") == "vx"


def test_what_cannot_be_changes_nothing(database: OvsdbServer, switch: Daemon, ask: Cli) -> None:
    ask("add-br", "tdbr0")
    ask("add-port", "tdbr0", "vm", "type=vhost-user-client", f"options:path={switch.folder}/vm")
    database.vsctl("set", "bridge", "tdbr0", "other_config:hwaddr=02:00:00:00:00:07")

    def state() -> list[object]:
        return [database.vsctl("--no-wait", "show"), cfg(database), switch("turnout/config")]

    before = state()
    one = "controller=ptcp:0:127.0.0.1"
    for arguments, said in (
        (["add-br", "tdbr0"], "bridge.tdbr0: exists already; --may-exist accepts that"),
        (["add-port", "tdbr0", "p"], "port.p.type: missing; "),
        (["add-port", "tdbr0", "tdnone", "type=af_packet"], "port.tdnone: no interface tdnone on this host"),
        (["add-port", "tdbr0", "p", "type=vxlan"], "port.p.type: no such port type 'vxlan'"),
        (["add-port", "tdbr0", "p", "type=null", "tag=9999"], "port.p.tag: expected 0..4095"),
        (
            ["add-port", "tdbr0", "a", "type=vhost-user", f"options:path={switch.folder}/vm"],
            f"port.vm: socket {switch.folder}/vm already belongs to port a",
        ),
        (["add-port", "nobr", "p", "type=null"], "bridge.nobr: no such bridge; there are: tdbr0"),
        (["set", "port", "vm", "options:path="], "port.vm.options:vhost-server-path: missing"),
        (["set", "port", "tdbr0", "options:mac="], "port.tdbr0.options: the database, as it is, cannot say"),
        (
            ["set", "bridge", "tdbr0", "controller_rate_limit=500"],
            "the database keeps it with controllers",
        ),
        (
            ["set", "bridge", "tdbr0", one, "controller_rate_limit=5"],
            "the database's Controller controller_rate_limit: 5 is less than minimum allowed value 100",
        ),
        (["del-port", "tdbr0"], "port.tdbr0: is the bridge's own; it goes with the bridge: use del-br"),
        (["del-port", "nobody"], "port.nobody: no such port"),
        (["apply", '{"cores": [5]}'], "cores: cannot change while the switch runs"),
    ):
        with pytest.raises(TurnoutError, match=re.escape(said)):
            ask(*arguments)
        assert state() == before, arguments


def test_what_fails_when_it_is_done_stays_and_is_said(database: OvsdbServer, ask: Cli) -> None:
    """As with ovs-vsctl: the row is there, with its error, and the switch tries on."""
    ask("add-br", "tdbr0")
    tries_on = r"^port\.d: .*; the database has the change, and the switch tries on$"
    with pytest.raises(TurnoutError, match=tries_on):
        ask("add-port", "tdbr0", "d", "type=dpdk", "options:dpdk-devargs=net_none0")
    assert database.get("Interface", "d", "error").startswith("port.d: ")
    assert len(set(cfg(database))) == 1
    ask("set", "port", "d", "tag=3")  # not about what is wrong
    ask("set", "port", "d", "options:dpdk-devargs=net_null9")
    assert database.get("Interface", "d", "error") == ""


def test_apply(database: OvsdbServer, ask: Cli) -> None:
    """A whole state at once; a port that changes bridges keeps its row."""
    database.line("add-br tdbr0 -- add-port tdbr0 n0 -- set interface n0 type=null external_ids:a=b")
    database.line("add-br tdbr9")
    wanted = {"tdbr0": {"port": {}}, "tdbr1": {"mac-aging": 60, "port": {"n0": {"type": "null", "tag": 4}}}}
    ask("apply", json.dumps({"bridge": wanted}))
    assert database.vsctl("list-br") == "tdbr0\ntdbr1"
    assert database.vsctl("port-to-br", "n0") == "tdbr1"
    assert database.get("Port", "n0", "tag") == "4"
    assert database.get("Interface", "n0", "external_ids") == "{a=b}"
    assert database.get("Bridge", "tdbr1", "other_config:mac-aging-time") == "60"


def test_all_at_once(database: OvsdbServer, ask: Cli) -> None:
    """Several of the CLI's changes and ovs-vsctl's at the same time: none is lost."""
    ask("add-br", "tdbr0")

    def some(first: int) -> None:
        for number in range(first, first + 8):
            ask("add-port", "tdbr0", f"n{number}", "type=null")
            ask("set", "bridge", "tdbr0", f"mac_aging={number + 1}")

    def others() -> None:
        for number in range(100, 108):
            database.line(f"add-port tdbr0 n{number} -- set interface n{number} type=null")
            database.line(f"set bridge tdbr0 other_config:other-{number}=1 fail_mode=secure")

    with ThreadPoolExecutor() as pool:
        for task in [*(pool.submit(some, first) for first in (0, 10, 20)), pool.submit(others)]:
            task.result()
    numbers = [*range(8), *range(10, 18), *range(20, 28), *range(100, 108)]
    assert set(database.vsctl("list-ports", "tdbr0").split()) == {f"n{number}" for number in numbers}
    assert database.get("Bridge", "tdbr0", "other_config").count("other-") == 8
    assert len(set(cfg(database))) == 1
    assert {port["name"] for port in json.loads(ask("show"))["bridges"][0]["ports"] if not port["error"]} == {
        "tdbr0",
        *(f"n{number}" for number in numbers),
    }


def test_a_database_that_cannot_be_asked(database: OvsdbServer, ask: Cli) -> None:
    with holding_the_lock(database):
        wait_for(lambda: "another process" in refusal(ask), "the lock's loss")
        assert refusal(ask).endswith(": another process is the switch of this database; nothing was changed")
    wait_for(lambda: refusal(ask) == "", "the lock")
    database.kill()
    wait_for(lambda: refusal(ask).endswith(": no database there; nothing was changed"), "the end")
    assert "tdbr0" in ask("show")
    database.start()
    wait_for(lambda: refusal(ask) == "", "the database")
    database.vsctl("--no-wait", "--", "--all", "destroy", "open_vswitch")
    wait_for(lambda: refusal(ask).endswith(": no row Open_vSwitch; ovs-vsctl init makes one"), "its end")
    database.vsctl("--no-wait", "init")
    wait_for(lambda: refusal(ask) == "", "a row")


def refusal(ask: Cli) -> str:
    """Why a change cannot be now; "": it can."""
    try:
        ask("add-br", "--may-exist", "tdbr0")
    except TurnoutError as error:
        return str(error)
    return ""


def test_a_database_that_dies_with_a_change(database: OvsdbServer, ask: Cli) -> None:
    """It hangs, with a change under way: the switch serves others, and nobody is told what nobody knows."""
    ask("add-br", "tdbr0")
    database.signal(signal.SIGSTOP)
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(ask, "add-port", "tdbr0", "n0", "type=null")
        waiting = pool.submit(ask, "add-port", "tdbr0", "n1", "type=null")
        wait_for(lambda: "tdbr0" in ask("show"), "an answer")
        assert not asked.done()
        assert not waiting.done()
        database.kill()
        with pytest.raises(TurnoutError, match="nobody knows whether the change is there"):
            asked.result()
        with pytest.raises(TurnoutError, match="nothing was changed"):
            waiting.result()
    database.start()
    wait_for(lambda: refusal(ask) == "", "the database")
    ask("add-port", "--may-exist", "tdbr0", "n0", "type=null")
    assert database.vsctl("list-ports", "tdbr0") == "n0"
