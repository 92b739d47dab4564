# SPDX-License-Identifier: Apache-2.0
"""The database is killed, empty, locked, replaced, or changed without pause, while frames go through two
ports that all of that leaves alone: none is lost.

ovs-vswitchd, too, goes on while the database is away, and obeys the one that comes back. It takes its bridges
down as soon as another client has the lock, or the database has no row Open_vSwitch; here they go on.
"""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.control.conftest import Daemon, wait_for
from tests.ovsdb.test_session import has_bridge, holding_the_lock
from turnout.errors import TurnoutError
from turnout.lab.console import Console, run
from turnout.lab.netns import Namespace
from turnout.lab.ovsdb import OvsdbServer
from turnout.lab.stream import Stream

PAIR = (
    "-- --may-exist add-br tdbr0 -- add-port tdbr0 tda tag=5 -- set interface tda type=internal"
    " -- add-port tdbr0 tdb tag=5 -- set interface tdb type=internal"
)
soak = pytest.mark.parametrize(
    "times", [1, pytest.param(10, marks=[pytest.mark.lab, pytest.mark.timeout(600)])]
)  # fmt: skip


@pytest.fixture
def ends(database: OvsdbServer, switch: Daemon) -> Iterator[tuple[tuple[Namespace, str], ...]]:
    """Two namespaces with an internal port each, on tdbr0."""
    assert switch.process
    with Namespace("a") as a, Namespace("b") as b:
        database.line(PAIR)
        a.take("tda")
        b.take("tdb")
        yield (a, "tda"), (b, "tdb")


@pytest.fixture
def stream(ends: tuple[tuple[Namespace, str], ...]) -> Iterator[Stream]:
    """Frames between them; at the end none is lost."""
    with Stream(*ends) as stream:
        wait_for(lambda: stream.received > 100, "traffic")
        yield stream
        goes_on(stream)
    assert stream.lost == 0, f"{stream.lost} of {stream.sent} frames lost"


def goes_on(stream: Stream) -> None:
    before = stream.received
    wait_for(lambda: stream.received > before + 200, "traffic")


@soak
def test_killed(database: OvsdbServer, switch: Daemon, stream: Stream, times: int) -> None:
    for _ in range(times):
        database.kill()
        goes_on(stream)
        database.start()
        database.line("add-br tdbr1 -- add-port tdbr1 n0 -- set interface n0 type=null")
        assert has_bridge(switch, "tdbr1")
        database.kill()
        database.start()
        database.vsctl("del-br", "tdbr1")
        assert not has_bridge(switch, "tdbr1")


@soak
def test_emptied(database: OvsdbServer, switch: Daemon, stream: Stream, times: int) -> None:
    """While it has no row Open_vSwitch the switch goes on as before; the transaction that makes it one says
    what is to be. (An empty one that has the row is obeyed: test_session.)
    """
    for number in range(times):
        database.line(f"add-br tdbr{number + 1}")
        database.kill()
        database.create()
        database.start(init=False)
        wait_for(lambda: "no row Open_vSwitch" in refusal(switch), "the empty database")
        goes_on(stream)
        assert has_bridge(switch, f"tdbr{number + 1}")
        database.line(PAIR)
        assert not has_bridge(switch, f"tdbr{number + 1}")


def refusal(switch: Daemon) -> str:
    try:
        switch("turnout/add-br", "--may-exist", "tdbr0")
    except TurnoutError as error:
        return str(error)
    return ""


@soak
def test_locked(database: OvsdbServer, switch: Daemon, stream: Stream, times: int) -> None:
    for _ in range(times):
        with holding_the_lock(database):
            database.line("--no-wait add-br tdbr1")
            goes_on(stream)
            assert not has_bridge(switch, "tdbr1")
            database.kill()
            goes_on(stream)
        database.start()
        wait_for(lambda: has_bridge(switch, "tdbr1"), "the lock")
        with holding_the_lock(database):
            database.line("--no-wait del-br tdbr1")
            goes_on(stream)
            assert has_bridge(switch, "tdbr1")
        wait_for(lambda: not has_bridge(switch, "tdbr1"), "the lock")


@soak
def test_replaced(database: OvsdbServer, switch: Daemon, stream: Stream, tmp_path: Path, times: int) -> None:
    """By others, in turn, that have the two ports among other things."""
    others = []
    for number in (1, 2):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        with OvsdbServer(folder) as other:
            other.line(f"--no-wait {PAIR} -- add-br tdbr{number} -- add-port tdbr{number} n{number}")
            other.line(f"--no-wait set interface n{number} type=null -- set bridge tdbr0 external_ids:a=b")
            other.line(f"--no-wait add-port tdbr0 m{number} -- set interface m{number} type=null")
        others.append(other)
    for number in [1, 2] * times:
        database.kill()
        database.replace(others[number - 1])
        database.start()
        wait_for(partial(has_bridge, switch, f"tdbr{number}"), "the other database")
        assert not has_bridge(switch, f"tdbr{3 - number}")
        assert database.get("Interface", f"m{number}", "error") == ""
        goes_on(stream)


@soak
def test_changed_without_pause(database: OvsdbServer, switch: Daemon, stream: Stream, times: int) -> None:
    """200 transactions, none waited for: the last one counts, and is counted."""
    goes_on(stream)
    for _ in range(times):
        database.line("--no-wait add-br tdbr1 -- add-port tdbr1 n0 -- set interface n0 type=null")
        for number in range(100):
            database.line(f"--no-wait set port n0 tag={number + 1} -- set bridge tdbr0 external_ids:n=1")
            if number % 4 == 0:
                database.line(f"--no-wait add-port tdbr0 m{number} -- set interface m{number} type=null")
            elif number % 4 == 2:
                mtu = f"set interface n0 mtu_request={1000 + number}"
                database.line(f"--no-wait del-port m{number - 2} -- {mtu}")
            else:
                database.line(f"--no-wait add-br tdx{number} -- del-br tdx{number}")
        database.line("--no-wait set port n0 tag=4000")
        wait_for(lambda: settled(database), "the last")
        config = switch("turnout/config")
        assert '"tag": 4000' in config
        assert '"mtu": 1098' in config
        assert not re.search(r'"(m\d+|tdx\d+)"', config)
        database.vsctl("del-br", "tdbr1")


def settled(database: OvsdbServer) -> bool:
    columns = database.vsctl("--no-wait", "--bare", "--columns=next_cfg,cur_cfg", "list", "open_vswitch")
    return len(set(columns.split())) == 1


def test_what_open_vswitch_does(database: OvsdbServer, run_dir: Path) -> None:
    """Debian's, as the top of this file and docs/ovsdb.md say of it."""
    control = run_dir / "vswitchd.ctl"
    daemon = ["/usr/lib/openvswitch-switch/ovs-vswitchd", database.remote, "--disable-system"]
    settings = [f"--unixctl={control}", "-vconsole:off", "-vsyslog:off"]

    def has(*bridges: str) -> bool:
        return tuple(run("ovs-appctl", f"--target={control}", "ofproto/list").split()) == bridges

    with (
        Namespace("ovs") as space,
        Console(
            "ovs-vswitchd",
            ["ip", "netns", "exec", space.name, *daemon, *settings],
            env={"OVS_RUNDIR": str(run_dir)},
        ),
    ):
        bridge = "add-br tdbr0 -- set bridge tdbr0 datapath_type=netdev"
        database.line(bridge)
        assert has("tdbr0")
        database.kill()
        assert has("tdbr0")
        database.start()
        with holding_the_lock(database):
            wait_for(lambda: has(), "no bridges without the lock")
        wait_for(lambda: has("tdbr0"), "the bridge with the lock")
        for with_row in (False, True):
            database.kill()
            database.create()
            database.start(init=with_row)
            wait_for(lambda: has(), "no bridges")
            database.line(bridge)
            assert has("tdbr0")
