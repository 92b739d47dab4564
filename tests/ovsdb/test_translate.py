# SPDX-License-Identifier: Apache-2.0
"""Rows in, desired state out: without a database and without a device."""

from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import pytest

from turnout.config import model
from turnout.control import ports
from turnout.control.ports import Place
from turnout.ovsdb.rows import Bridge, Controller, Database, FlowTable, Interface, Port
from turnout.ovsdb.translate import Desired, translate


def check(port: model.Port) -> str:
    made = ports.device(port, Place(number=0, run_dir=Path("/run/turnout"), workers=1))
    return made.claim if made else ""


def interface(name: str, **columns: object) -> Interface:
    return Interface(uuid=uuid4(), name=name, **columns)  # type: ignore[arg-type]


def port(
    name: str, type: str = "internal", columns: Mapping[str, object] | None = None, **of_port: object
) -> Port:
    """A port with one interface, whose columns these are."""
    return Port(name=name, interfaces=(interface(name, type=type, **(columns or {})),), **of_port)  # type: ignore[arg-type]


def bridge(name: str, *its_ports: Port, **columns: object) -> Bridge:
    return Bridge(uuid=uuid4(), name=name, ports=(port(name), *its_ports), **columns)  # type: ignore[arg-type]


def run(*bridges: Bridge, **columns: object) -> Desired:
    return translate(Database(uuid=uuid4(), bridges=bridges, **columns), check)  # type: ignore[arg-type]


def only(desired: Desired, name: str) -> model.Port:
    return next(p for b in desired.bridges for p in b.ports if p.name == name)


@pytest.mark.parametrize(
    ("type", "options", "kind", "ours"),
    [
        ("", {}, "af_packet", {}),
        ("system", {}, "af_packet", {}),
        ("internal", {}, "internal", {}),
        ("tap", {}, "tap", {}),
        ("afxdp", {}, "af_xdp", {}),
        ("dpdk", {"dpdk-devargs": "net_null0"}, "dpdk", {"dpdk-devargs": "net_null0"}),
        ("dpdkvhostuser", {}, "vhost-user", {}),
        ("dpdkvhostuserclient", {"vhost-server-path": "/run/a"}, "vhost-user-client", {"path": "/run/a"}),
        ("memif", {"id": "1"}, "memif", {"id": "1"}),
    ],
)
def test_types(type: str, options: dict[str, str], kind: str, ours: dict[str, str]) -> None:
    desired = run(bridge("br0", port("p", type, {"options": options})))
    assert (only(desired, "p").type, only(desired, "p").options) == (kind, ours)
    assert (desired.errors, desired.notes) == ({}, ())


def test_patch_ports() -> None:
    """One without its other end is made, and says so as Open vSwitch does."""
    ends = [port(name, "patch", {"options": {"peer": peer}}) for name, peer in (("p", "q"), ("q", "p"))]
    both = run(bridge("br0", ends[0]), bridge("br1", ends[1]))
    assert (only(both, "p").type, only(both, "p").options) == ("patch", {"peer": "q"})
    assert both.errors == {}
    one = run(bridge("br0", ends[0]))
    assert only(one, "p") == only(both, "p")
    assert one.errors == {"p": "No usable peer 'q' exists in 'netdev' datapath."}


def test_all_of_an_interface() -> None:
    columns = {
        "options": {"n_rxq": "2", "n_rxq_desc": "1024", "dpdk-devargs": "net_null0"},
        "other_config": {"pmd-rxq-affinity": "1:1"},
        "mtu_request": 9000,
        "ofport_request": 5,
    }
    found = only(run(bridge("br0", port("p", "dpdk", columns, tag=7))), "p")
    assert found == model.Port(
        name="p",
        type="dpdk",
        options={"dpdk-devargs": "net_null0"},
        n_rxq=2,
        n_rxq_desc=1024,
        rxq_affinity="1:1",
        mtu=9000,
        ofport_request=5,
        tag=7,
    )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (port("p", "geneve"), "geneve is not implemented yet"),
        (port("p", "what"), "unknown type what"),
        (port("p", "dpdkvhostuserclient"), "vhost-server-path: missing"),
        (port("p", tag=5, vlan_mode="dot1q-tunnel"), "dot1q-tunnel is not implemented yet"),
        (port("p", vlan_mode="native-tagged"), "needs a native VLAN"),
        (port("a name", "internal"), "bad name"),
        (port("br1", "tap"), "is there already"),
        (port("p", "tap", {"mac": "01:00:00:00:00:00"}), "unicast"),
    ],
)
def test_one_wrong_row_leaves_the_others(wrong: Port, said: str) -> None:
    desired = run(bridge("br0", wrong, port("q")), bridge("br1"))
    assert [p.name for b in desired.bridges for p in b.ports] == ["br0", "q", "br1"]
    assert list(desired.errors) == [wrong.name]
    assert said in desired.errors[wrong.name]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (port("p", "internal", {"mtu_request": 60000}), "expected 68..9702"),
        (port("p", "internal", {"options": {"n_rxq": "many"}}), "expected a number, got 'many'"),
        (port("p", "internal", {"options": {"tx-steering": "hash"}}), "tx-steering: not implemented yet"),
        (port("p", "internal", {"not_yet": ("bfd",)}), "bfd: not implemented yet"),
        (port("p", "patch", {"options": {"peer": "q"}, "mac": "02:00:00:00:00:01"}), "mac: not implemented"),
        (port("p", not_yet=("qos",)), "qos: not implemented yet"),
        (port("p", other_config={"priority-tags": "always"}), "priority-tags: not implemented yet"),
        (port("p", tag=1, trunks=(2,)), "trunks: left aside"),
        (port("p", tag=1, vlan_mode="trunk"), "tag: left aside"),
    ],
)
def test_one_wrong_column_leaves_the_port(row: Port, said: str) -> None:
    desired = run(bridge("br0", row))
    assert only(desired, "p")
    assert said in desired.errors["p"]


def test_two_that_want_the_same() -> None:
    options = {"options": {"vhost-server-path": "/run/a"}}
    rows = [port(name, "dpdkvhostuserclient", options) for name in ("p", "q")]
    desired = run(bridge("br0", *rows))
    assert only(desired, "p")
    assert desired.errors == {"q": "port.q: socket /run/a already belongs to port p"}


def test_a_bond() -> None:
    desired = run(bridge("br0", Port(name="bond", interfaces=(interface("a"), interface("b")))))
    assert [p.name for p in desired.bridges[0].ports] == ["br0"]
    assert desired.errors == dict.fromkeys("ab", "port.bond: bonds are not implemented yet")


def test_the_bridge_s_own_port() -> None:
    """It is internal whatever its row says, and there without one."""
    typeless = Bridge(uuid=uuid4(), name="br0", ports=(port("br0", ""),))
    for row in (typeless, Bridge(uuid=uuid4(), name="br0", other_config={"hwaddr": "02:00:00:00:00:07"})):
        own = only(run(row), "br0")
        assert own.type == "internal"
        assert own.options.get("mac") == row.other_config.get("hwaddr")


def test_a_bridge() -> None:
    other = {
        "mac-aging-time": "60",
        "mac-table-size": "5",
        "datapath-id": "00000000000000ab",
        "stp-priority": "1",
    }
    desired = run(
        bridge(
            "br0",
            fail_mode="secure",
            protocols=("OpenFlow13", "OpenFlow15"),
            other_config=other,
            controllers=(
                Controller(uuid=uuid4(), target="tcp:127.0.0.1", rate_limit=500, max_backoff=2000),
                Controller(uuid=uuid4(), target="tcp:nowhere"),
            ),
            flow_tables=(FlowTable(number=3, flow_limit=9, overflow_policy="evict", not_yet=("groups",)),),
            not_yet=("netflow",),
        )
    )
    found = desired.bridges[0]
    assert (found.mac_aging, found.mac_table_size, found.datapath_id) == (60, 65536, "00000000000000ab")
    assert (found.fail_mode, found.protocols) == ("secure", ("OpenFlow13",))
    assert (found.controllers, found.controller_rate_limit) == (("tcp:127.0.0.1",), 500)
    assert (found.controller_max_backoff, found.controller_inactivity_probe) == (2000, 5000)
    assert found.limits == {3: (9, True)}
    for said in (
        "mac-table-size",
        "stp-priority",
        "OpenFlow15",
        "nowhere",
        "limits and times of",
        "netflow",
        ":3.groups",
    ):
        assert sum(said in note for note in desired.notes) == 1, said


def test_too_many() -> None:
    desired = run(*(bridge(f"b{number:03}") for number in range(257)))
    assert len(desired.bridges) == 256
    assert desired.errors == {"b256": "bridge.b256: there are 256 bridges already"}


def test_settings_of_the_start_are_said() -> None:
    settings = {"dpdk-init": "true", "pmd-cpu-mask": "6", "max-idle": "10", "x": "y"}
    assert run(other_config=settings, not_yet=("Flow_Sample_Collector_Set",)).notes == (
        "Flow_Sample_Collector_Set: not implemented yet",
        "Open_vSwitch other_config:pmd-cpu-mask: is taken when the switch starts",
        "Open_vSwitch other_config:max-idle: without effect",
    )
