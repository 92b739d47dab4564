# SPDX-License-Identifier: Apache-2.0
"""Debian's ovs-vsctl against the switch. It returns when the switch has done what it says."""

import pytest

from tests.control.conftest import Daemon
from turnout.lab.ovsdb import OvsdbServer


def test_add_and_delete(database: OvsdbServer, switch: Daemon) -> None:
    vsctl = database.vsctl
    vsctl("add-br", "tdbr0")
    vsctl("add-port", "tdbr0", "tdp0", "--", "set", "interface", "tdp0", "type=internal", "ofport_request=7")
    assert vsctl("list-ports", "tdbr0") == "tdp0"
    assert database.get("Interface", "tdp0", "ofport") == "7"
    assert database.get("Interface", "tdbr0", "ofport") == "65534"
    vsctl("del-port", "tdbr0", "tdp0")
    vsctl("del-br", "tdbr0")
    assert vsctl("show").splitlines()[1:] == ['    ovs_version: "3.1.7"']
    del switch
