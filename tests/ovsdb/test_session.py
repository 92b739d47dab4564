# SPDX-License-Identifier: Apache-2.0
"""The database goes, comes back, is another, or another's: the switch goes on with what it knew."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.control.conftest import Daemon, wait_for
from turnout.lab.console import Console, LabError
from turnout.lab.netns import Namespace
from turnout.lab.ovsdb import OvsdbServer


@contextlib.contextmanager
def holding_the_lock(database: OvsdbServer) -> Iterator[None]:
    """Another client takes the lock of the one who is the switch, whoever has it."""
    client = Console("ovsdb-client", ["ovsdb-client", "steal", database.remote, "ovs_vswitchd"])
    try:
        client.expect("lock", 5)
        yield
    finally:
        client.close()


def has_bridge(switch: Daemon, name: str) -> bool:
    return f'"name":"{name}"' in switch("turnout/show").replace(" ", "")


@pytest.fixture
def hosts(database: OvsdbServer, switch: Daemon) -> Iterator[tuple[Namespace, Namespace]]:
    """Two namespaces that reach each other through internal ports of tdbr0: 10.0.0.1 and 10.0.0.2."""
    assert switch.process
    with Namespace("a") as a, Namespace("b") as b:
        database.vsctl("add-br", "tdbr0")
        for number, (name, space) in enumerate((("tda", a), ("tdb", b)), 1):
            database.line(f"add-port tdbr0 {name} -- set interface {name} type=internal")
            space.take(name, f"10.0.0.{number}/24")
        a.ping("10.0.0.2")
        yield a, b


def test_killed_and_back(database: OvsdbServer, switch: Daemon, hosts: tuple[Namespace, Namespace]) -> None:
    database.kill()
    hosts[0].ping("10.0.0.2", count=20)
    database.start()
    database.vsctl("add-br", "tdbr1")
    hosts[0].ping("10.0.0.2")
    assert has_bridge(switch, "tdbr1")
    database.kill()
    database.start()
    database.vsctl("del-br", "tdbr1")
    assert not has_bridge(switch, "tdbr1")


def test_emptied(database: OvsdbServer, switch: Daemon) -> None:
    """A new database that says that there are no bridges is obeyed."""
    database.vsctl("add-br", "tdbr0")
    database.kill()
    assert has_bridge(switch, "tdbr0")
    database.create()
    database.start()
    wait_for(lambda: not has_bridge(switch, "tdbr0"), "the empty database")
    database.vsctl("add-br", "tdbr1")
    assert has_bridge(switch, "tdbr1")


def test_the_switch_is_there_before_the_database(run_dir: Path, daemon: Daemon) -> None:
    server = OvsdbServer(run_dir)
    daemon.start(f"--ovsdb={server.remote}")
    with server:
        server.vsctl("add-br", "tdbr0")
        assert has_bridge(daemon, "tdbr0")
    _, log = daemon.stop()
    daemon.start(f"--ovsdb={server.remote}")
    assert has_bridge(daemon, "tdbr0"), "as it was, while the database is away"
    assert "no database there" in log


def test_locked_by_another(database: OvsdbServer, daemon: Daemon) -> None:
    with holding_the_lock(database):
        daemon.start(f"--ovsdb={database.remote}")
        database.vsctl("--no-wait", "add-br", "tdbr0")
        with pytest.raises(LabError, match="Alarm clock"):
            database.vsctl("--timeout=1", "add-br", "tdbr1")
        assert not has_bridge(daemon, "tdbr0")
    wait_for(lambda: has_bridge(daemon, "tdbr0") and has_bridge(daemon, "tdbr1"), "the lock")
    _, log = daemon.stop()
    assert log.count("another process is the switch of this database") == 1


def test_the_lock_is_stolen(
    database: OvsdbServer, switch: Daemon, hosts: tuple[Namespace, Namespace]
) -> None:
    with holding_the_lock(database):
        database.vsctl("--no-wait", "del-br", "tdbr0")
        hosts[0].ping("10.0.0.2", count=20)
        assert has_bridge(switch, "tdbr0")
    wait_for(lambda: not has_bridge(switch, "tdbr0"), "the lock")
