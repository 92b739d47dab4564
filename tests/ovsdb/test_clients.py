# SPDX-License-Identifier: Apache-2.0
"""Other clients of the database than ovs-vsctl: OpenStack's ovsdbapp, and the IDL of the package `ovs`."""

from collections.abc import Iterator
from typing import Any

import ovs.db.idl  # type: ignore[import-untyped]
import ovs.poller  # type: ignore[import-untyped]
import pytest
from ovsdbapp.backend.ovs_idl import connection  # type: ignore[import-untyped]
from ovsdbapp.schema.open_vswitch import impl_idl  # type: ignore[import-untyped]

from tests.control.conftest import Daemon
from tests.ovsdb.test_vsctl import bridge, port
from turnout.lab.ovsdb import OvsdbServer
from turnout.ovsdb import schema


@pytest.fixture
def api(database: OvsdbServer) -> Iterator[Any]:
    """ovsdbapp, as Neutron's agents use it."""
    idl = connection.OvsdbIdl.from_server(database.remote, "Open_vSwitch")
    link = connection.Connection(idl=idl, timeout=20)
    yield impl_idl.OvsdbIdl(link)
    link.stop(timeout=20)


def test_ovsdbapp(api: Any, switch: Daemon) -> None:
    """Each command returns when the switch has done it."""
    api.add_br("tdbr0", datapath_type="netdev").execute(check_error=True)
    assert api.br_exists("tdbr0").execute()
    api.set_fail_mode("tdbr0", "secure").execute(check_error=True)
    assert bridge(switch, "tdbr0").fail_mode == "secure"
    api.add_port("tdbr0", "tdp0", type="internal").execute(check_error=True)
    number = api.db_get("Interface", "tdp0", "ofport").execute(check_error=True)
    assert number == port(switch, "tdp0").ofport
    assert api.db_get("Interface", "tdp0", "error").execute(check_error=True) == []
    api.db_set("Port", "tdp0", ("tag", 4095)).execute(check_error=True)
    assert port(switch, "tdp0").tag == 4095
    with api.transaction(check_error=True) as transaction:
        transaction.add(api.db_set("Interface", "tdp0", ("external_ids", {"iface-id": "vm1"})))
        transaction.add(api.db_clear("Port", "tdp0", "tag"))
        transaction.add(api.set_controller("tdbr0", ["ptcp:0:127.0.0.1"]))
    assert port(switch, "tdp0").tag is None
    assert list(bridge(switch, "tdbr0").controllers) == ["ptcp:0:127.0.0.1"]
    assert api.list_ports("tdbr0").execute(check_error=True) == ["tdp0"]
    assert api.iface_to_br("tdp0").execute(check_error=True) == "tdbr0"
    api.del_port("tdp0").execute(check_error=True)
    assert [p.name for p in bridge(switch, "tdbr0").ports] == ["tdbr0"]
    api.del_br("tdbr0").execute(check_error=True)
    assert not api.br_exists("tdbr0").execute()
    assert '"bridges":[]' in switch("turnout/show")


def test_the_idl_of_ovs(database: OvsdbServer, switch: Daemon) -> None:
    """Rows inserted by hand, and cur_cfg waited for."""
    helper = ovs.db.idl.SchemaHelper(schema_json=schema.load())
    helper.register_all()
    idl = ovs.db.idl.Idl(database.remote, helper)
    _turn(idl, lambda: bool(idl.tables["Open_vSwitch"].rows))
    (top,) = idl.tables["Open_vSwitch"].rows.values()
    transaction = ovs.db.idl.Transaction(idl)
    interface = transaction.insert(idl.tables["Interface"])
    interface.name, interface.type = "tdbr0", "internal"
    its_port = transaction.insert(idl.tables["Port"])
    its_port.name, its_port.interfaces = "tdbr0", [interface]
    row = transaction.insert(idl.tables["Bridge"])
    row.name, row.datapath_type, row.ports = "tdbr0", "netdev", [its_port]
    top.addvalue("bridges", row)
    top.increment("next_cfg")
    assert transaction.commit_block() == ovs.db.idl.Transaction.SUCCESS
    wanted = transaction.get_increment_new_value()
    _turn(idl, lambda: bool(top.cur_cfg >= wanted))
    assert [p.name for p in bridge(switch, "tdbr0").ports] == ["tdbr0"]
    (made,) = idl.tables["Interface"].rows.values()
    assert made.ofport == [65534], "there with cur_cfg"
    idl.close()


def _turn(idl: Any, condition: Any) -> None:
    """Runs the IDL until the condition holds; pytest's time limit ends it otherwise."""
    while True:
        idl.run()
        if condition():
            return
        poller = ovs.poller.Poller()
        idl.wait(poller)
        poller.block()
