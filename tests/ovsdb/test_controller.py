# SPDX-License-Identifier: Apache-2.0
"""Controllers named in the database, and how they stand in it."""

import json
from pathlib import Path

from tests.control.conftest import Daemon, wait_for
from tests.control.test_openflow import Controller, free_port, listening, make_pki, message
from turnout.lab.ovsdb import OvsdbServer

_ECHO_REQUEST, _PORT_STATUS, _BARRIER = 2, 12, 20


def column(database: OvsdbServer, name: str) -> str:
    """Of the one controller that there is."""
    text = database.vsctl("--no-wait", "--bare", f"--columns={name}", "list", "controller")
    return text.strip()


def test_a_controller_that_waits_for_us(database: OvsdbServer, switch: Daemon) -> None:
    assert switch.process
    with listening() as (address, accept):
        database.line(f"add-br tdbr0 -- set-controller tdbr0 tcp:{address} -- set-fail-mode tdbr0 secure")
        controller = accept().greet()
        wait_for(lambda: column(database, "is_connected") == "true", "the controller")
        assert column(database, "role") == "other"
        assert "state=ACTIVE" in column(database, "status")
        assert controller.flows() == 0, "secure: only what the controller says"
        controller.close()
        wait_for(lambda: column(database, "is_connected") == "false", "its going")
        assert column(database, "role") == ""
        assert "state=" in column(database, "status")
    database.line("del-controller tdbr0 -- set bridge tdbr0 fail_mode=standalone")
    assert column(database, "is_connected") == ""


def test_one_that_calls_us(database: OvsdbServer, switch: Daemon) -> None:
    assert switch.process
    number = free_port()
    database.line(f"add-br tdbr0 -- set-controller tdbr0 ptcp:{number}:127.0.0.1")
    database.vsctl("set", "bridge", "tdbr0", "protocols=OpenFlow13,OpenFlow15")
    database.line("set controller tdbr0 inactivity_probe=10000 connection_mode=out-of-band local_ip=1.2.3.4")
    assert column(database, "is_connected") == "false"
    controller = Controller.calls(("127.0.0.1", number)).greet()
    wait_for(lambda: column(database, "is_connected") == "true", "the controller")
    controller.close()
    wait_for(lambda: column(database, "is_connected") == "false", "its going")
    _, log = switch.stop()
    assert "OpenFlow15 is not implemented yet" in log
    assert f"controller ptcp:{number}:127.0.0.1.local_ip: not implemented yet" in log
    assert "inactivity_probe" not in log
    assert "connection_mode" not in log


def test_what_a_controller_gets_unasked(database: OvsdbServer, switch: Daemon) -> None:
    """Nothing, without asynchronous messages; and a sign of life is asked for when the probe's time is up."""
    assert switch.process
    number = free_port()
    database.line(f"add-br tdbr0 -- set-controller tdbr0 ptcp:{number}:127.0.0.1")
    quiet, told = False, True
    for wanted in (told, quiet):
        database.line(f"set controller tdbr0 enable_async_messages={str(wanted).lower()}")
        controller = Controller.calls(("127.0.0.1", number)).greet()
        controller.barrier()
        database.line(f"add-port tdbr0 tdp{wanted:d} -- set interface tdp{wanted:d} type=internal")
        controller.sock.sendall(message(_BARRIER))
        assert controller.next()[1] == (_PORT_STATUS if wanted else _BARRIER + 1)
        controller.close()
    database.line("set controller tdbr0 inactivity_probe=1000")
    controller = Controller.calls(("127.0.0.1", number)).greet()
    assert controller.sock.recv(8)[1] == _ECHO_REQUEST
    controller.close()


def test_a_target_that_cannot_be_leaves_the_others(database: OvsdbServer, switch: Daemon) -> None:
    with listening() as (address, accept):
        database.line(f"add-br tdbr0 -- set-controller tdbr0 tcp:nowhere:1 tcp:{address}")
        accept().greet().close()
    _, log = switch.stop()
    assert "expected an IP address, got 'nowhere'" in log


def test_over_tls(database: OvsdbServer, switch: Daemon, tmp_path: Path) -> None:
    """The keys come from the database as well, and go."""
    assert switch.process
    pki = make_pki(tmp_path / "pki", "switch", "controller")
    with listening(pki.context("controller", server=True)) as (address, accept):
        key, certificate = pki.keys["switch"]
        database.line(f"set-ssl {key} {certificate} {pki.ca}")
        database.line(f"add-br tdbr0 -- set-controller tdbr0 ssl:{address}")
        controller = accept().greet()
        wait_for(lambda: column(database, "is_connected") == "true", "the controller")
        database.vsctl("del-ssl")
        wait_for(lambda: column(database, "is_connected") == "false", "its going")
        assert controller.next() == b""
        controller.close()
        wait_for(lambda: "private-key" in column(database, "status"), "why")


def test_one_row_of_two_bridges(database: OvsdbServer, switch: Daemon) -> None:
    """What changes in it changes for both."""
    database.line("add-br tdbr0 -- add-br tdbr1")
    database.line(
        "--id=@c create controller 'target=\"ptcp:0:127.0.0.1\"' -- set bridge tdbr0 controller=@c"
        " -- set bridge tdbr1 controller=@c"
    )
    database.line("set controller tdbr0 controller_rate_limit=123")
    bridges = json.loads(switch("turnout/config"))["bridge"]
    assert {bridges[name]["controller-rate-limit"] for name in ("tdbr0", "tdbr1")} == {123}
