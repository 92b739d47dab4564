# SPDX-License-Identifier: Apache-2.0
"""Desired state in, rows out, and back: what the CLI sets, the database says, and means the same again."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ovsdb.test_translate import check
from turnout.config import model
from turnout.errors import ConfigError
from turnout.ovsdb.compose import Bridges, canonical, compose, with_stand_ins
from turnout.ovsdb.rows import Database, Interface, Port
from turnout.ovsdb.translate import Desired, translate

EMPTY = Database(uuid=uuid4())
JUNK = {"left-by": "another"}

macs = st.integers(0, 255).map(lambda byte: f"02:00:00:00:00:{byte:02x}")


def options(type: str, name: str) -> st.SearchStrategy[dict[str, str]]:
    """What a port of that type may have; no two ports claim the same."""
    optional: dict[str, st.SearchStrategy[str]] = {}
    required: dict[str, st.SearchStrategy[str]] = {}
    match type:
        case "tap" | "internal":
            optional = {"mac": macs, "netns": st.just("blue"), "iface": st.just(f"i{name}")}
        case "vhost-user":
            optional = {"path": st.just(f"/run/{name}"), "tso": st.sampled_from("01")}
        case "vhost-user-client":
            required = {"path": st.sampled_from([f"/run/{name}", f"/var/{name}"])}
        case "af_packet":
            optional = {"iface": st.just(f"i{name}"), "qdisc_bypass": st.sampled_from("01")}
        case "memif":
            optional = {"id": st.sampled_from("123"), "role": st.just("client")}
        case "null":
            optional = {"size": st.integers(60, 9000).map(str)}
        case "patch":
            required = {"peer": st.sampled_from(["p0", "p1", "elsewhere"])}
        case "dpdk":
            required = {"dpdk-devargs": st.just(f"net_null_{name}")}
    return st.fixed_dictionaries(required, optional=optional)


TYPES = ["tap", "internal", "vhost-user", "vhost-user-client", "af_packet", "memif", "null", "patch", "dpdk"]
VLANS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.builds(dict, tag=st.none() | st.integers(0, 4095)),
    st.builds(dict, trunks=st.lists(st.integers(0, 4095), max_size=3).map(tuple)),
    st.builds(
        dict,
        tag=st.integers(0, 4095),
        trunks=st.lists(st.integers(0, 4095), max_size=3).map(tuple),
        vlan_mode=st.sampled_from(["native-tagged", "native-untagged"]),
    ),
)


@st.composite
def a_port(draw: st.DrawFn, name: str, types: list[str]) -> model.Port:
    type = draw(st.sampled_from(types))
    single = type == "patch"
    return model.Port(
        name=name,
        type=type,
        options=draw(options(type, name)),
        mtu=draw(st.sampled_from([1500, 68, 9000])),
        n_rxq=1 if single else draw(st.integers(1, 4)),
        n_rxq_desc=draw(st.sampled_from([0, 64, 4096])),
        n_txq_desc=draw(st.sampled_from([0, 64, 4096])),
        rxq_affinity=draw(st.sampled_from(["", "0:1"])),
        ofport_request=draw(st.sampled_from([0, 1, 65279])),
        **draw(VLANS),
    )


@st.composite
def a_bridge(draw: st.DrawFn, name: str, ports: list[str]) -> model.Bridge:
    controllers = st.sampled_from(["tcp:127.0.0.1:6653", "ssl:192.0.2.1:6653", "ptcp:6654", "unix:/run/c"])
    targets = tuple(draw(st.lists(controllers, unique=True, max_size=3)))
    limits: st.SearchStrategy[dict[str, Any]] = st.builds(
        dict,
        controller_rate_limit=st.sampled_from([0, 1000, 100]),
        controller_burst_limit=st.sampled_from([250, 25]),
        controller_max_backoff=st.sampled_from([8000, 1000]),
        controller_inactivity_probe=st.sampled_from([5000, 0]),
        controller_async=st.booleans(),
    )
    own = [draw(a_port(name, ["internal"]))] if draw(st.booleans()) else []
    return model.Bridge(
        name=name,
        ports=(*own, *(draw(a_port(port, TYPES)) for port in ports)),
        mac_aging=draw(st.sampled_from([300, 1, 86400])),
        mac_table_size=draw(st.sampled_from([65536, 16, 1_048_576])),
        controllers=targets,
        fail_mode=draw(st.sampled_from(["standalone", "secure"])),
        protocols=tuple(
            draw(st.lists(st.sampled_from(["OpenFlow10", "OpenFlow13", "OpenFlow14"]), max_size=3))
        ),
        datapath_id=draw(st.sampled_from(["", "00000000000000ab"])),
        flow_limit=draw(st.sampled_from([4_294_967_295, 1])),
        overflow_policy=draw(st.sampled_from(["refuse", "evict"])),
        restore_flows=draw(st.booleans()),
        table_limits=draw(st.sampled_from(["", "0:100", "5:20:evict,0:100", "0:7,9:4294967295"])),
        **(draw(limits) if targets else {}),
    )


@st.composite
def states(draw: st.DrawFn) -> Bridges:
    """Up to three bridges, and six ports on them in any way."""
    names = draw(st.lists(st.sampled_from(["br0", "br1", "br2"]), unique=True))
    homes = [draw(st.sampled_from([None, *names])) for _ in range(6)]
    ports = {name: [f"p{n}" for n, home in enumerate(homes) if home == name] for name in names}
    return tuple(draw(a_bridge(name, ports[name])) for name in names)


def meaning(database: Database) -> Bridges:
    return canonical(translate(database, check).bridges)


@settings(deadline=None, max_examples=60)
@given(states(), states())
def test_there_and_back(before: Bridges, after: Bridges) -> None:
    """From nothing to one state, and from that to any other: each time the database means what is wanted,
    without a complaint, and what others have set is still there.
    """
    first = compose(EMPTY, (), before)
    desired = translate(first, check)
    assert all("No usable peer" in error for error in desired.errors.values())
    assert desired.notes == ()
    assert canonical(desired.bridges) == canonical(before)
    second = compose(marked(first), desired.bridges, after)
    assert meaning(second) == canonical(after)
    assert meaning(compose(second, translate(second, check).bridges, after)) == canonical(after)
    stayed = {port.name for bridge in before for port in bridge.ports} & {
        port.name for bridge in after for port in bridge.ports
    }
    assert stayed <= {
        port.name for bridge in second.bridges for port in bridge.ports if marks(port) == [JUNK] * 3
    }


def test_nothing_to_do() -> None:
    """What is as it should be is not touched."""
    first = compose(EMPTY, (), (model.Bridge(name="br0", ports=(model.Port(name="p", type="null"),)),))
    desired = translate(first, check)
    assert compose(first, desired.bridges, desired.bridges) == first


def marked(database: Database) -> Database:
    """As it is, with keys in it that mean nothing to us."""

    def port(row: Port) -> Port:
        (interface,) = row.interfaces
        interface = replace(
            interface,
            options={**interface.options, **JUNK},
            other_config={**interface.other_config, **JUNK},
        )
        return replace(row, interfaces=(interface,), other_config={**row.other_config, **JUNK})

    bridges = (replace(row, ports=tuple(port(it) for it in row.ports)) for row in database.bridges)
    return replace(database, bridges=tuple(bridges))


def marks(row: Port) -> list[dict[str, str]]:
    (interface,) = row.interfaces
    places = (interface.options, interface.other_config, row.other_config)
    return [{key: place[key] for key in JUNK if key in place} for place in places]


def test_rows_that_cannot_be() -> None:
    """A change can take them out or mend them, and leaves them alone otherwise."""
    start = compose(EMPTY, (), (model.Bridge(name="br0"),))
    tunnel = Port(name="t", interfaces=(Interface(uuid=uuid4(), name="t", type="vxlan"),))
    bond = Port(name="b", interfaces=tuple(Interface(uuid=uuid4(), name=name) for name in ("b0", "b1")))
    odd = Port(name="odd", interfaces=(Interface(uuid=uuid4(), name="an odd name"),))
    (row,) = start.bridges
    start = replace(start, bridges=(replace(row, ports=(*row.ports, tunnel, bond, odd)),))
    before = with_stand_ins(start, translate(start, check).bridges)
    (bridge,) = before
    assert [(port.name, port.type) for port in bridge.ports] == [
        ("br0", "internal"),
        ("t", "vxlan"),
        ("b", "bond"),
    ]

    def ports(*wanted: model.Port) -> dict[str, Port]:
        made = compose(start, before, (replace(bridge, ports=wanted),))
        return {port.name: port for port in made.bridges[0].ports}

    own, its_tunnel, its_bond = bridge.ports
    assert ports(own).keys() == {"br0", "odd"}
    assert ports(own, its_tunnel, its_bond) == {port.name: port for port in start.bridges[0].ports}
    mended = ports(own, model.Port(name="t", type="tap"), its_bond)
    assert mended["t"].interfaces == (replace(tunnel.interfaces[0], type="tap"),)
    assert mended["b"] == bond


def test_a_bond_named_like_an_interface() -> None:
    """The switch knows one of the two; a change of that one leaves the other."""
    start = compose(EMPTY, (), (model.Bridge(name="br0"),))
    (row,) = start.bridges
    bond = Port(name="b", interfaces=tuple(Interface(uuid=uuid4(), name=name) for name in ("b0", "b1")))
    port = Port(name="p", interfaces=(Interface(uuid=uuid4(), name="b", type="null"),))
    start = replace(start, bridges=(replace(row, ports=(*row.ports, bond, port)),))
    before = with_stand_ins(start, translate(start, check).bridges)
    (bridge,) = before
    own, known = bridge.ports
    assert (own.name, known) == ("br0", model.Port(name="b", type="null"))
    made = compose(start, before, (replace(bridge, ports=(own, replace(known, tag=4))),))
    assert made.bridges[0].ports == (bond, row.ports[0], replace(port, tag=4))


def test_limits_need_a_controller() -> None:
    wanted = model.Bridge(name="br0", controller_rate_limit=200)
    with pytest.raises(ConfigError, match=r"^bridge\.br0\.controller-rate-limit: the database keeps it"):
        compose(EMPTY, (), (wanted,))
    with_one = replace(wanted, controllers=("ptcp:6653",))
    start = compose(EMPTY, (), (with_one,))
    assert meaning(compose(start, (with_one,), (replace(wanted, controller_rate_limit=1000),)))


@pytest.mark.parametrize("value", ["soon", "-1", ""])
def test_a_key_of_ours_that_says_nothing(value: str) -> None:
    (row,) = compose(EMPTY, (), (model.Bridge(name="br0"),)).bridges
    row = replace(row, other_config={"turnout-flow-limit": value})
    desired: Desired = translate(replace(EMPTY, bridges=(row,)), check)
    assert desired.bridges[0].flow_limit == 4_294_967_295
    assert value == "" or "turnout-flow-limit" in desired.notes[0]
