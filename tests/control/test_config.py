# SPDX-License-Identifier: Apache-2.0
"""Each wrong setting ends in one line that names it; what is right survives the way through TOML and JSON."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.config import columns, edit, target, toml
from turnout.config.model import Bridge, Config, Port
from turnout.config.tree import bridge_from_tree, from_tree, port_from_tree, to_tree
from turnout.errors import ConfigError, TurnoutError

PORT = '[bridge.br0.port.vm1]\ntype = "tap"\n'
VM1 = "bridge.br0.port.vm1"

BAD_TOML = [
    (PORT + "tag = 5000", f"{VM1}.tag: expected 0..4095, got 5000; leave it out for no VLAN"),
    (PORT + "tag = 'x'", f"{VM1}.tag: expected int, got 'x'"),
    (PORT + "tag = true", f"{VM1}.tag: expected int, got True"),
    (PORT + "trunks = [1, 4096]", f"{VM1}.trunks: expected 0..4095, got 4096"),
    (PORT + "trunks = 7", f"{VM1}.trunks: expected array, got 7"),
    (PORT + "trunks = [1, 'b']", f"{VM1}.trunks: expected int, got [1, 'b']"),
    (
        PORT + "vlan-mode = 'qinq'",
        f"{VM1}.vlan-mode: no such value; "
        "there are: access, trunk, native-tagged, native-untagged, got 'qinq'",
    ),
    (PORT + "vlan-mode = 'access'", f"{VM1}.vlan-mode: access needs a VLAN; set tag"),
    (PORT + "vlan-mode = 'native-tagged'", f"{VM1}.vlan-mode: native-tagged needs a native VLAN; set tag"),
    (
        PORT + "tag = 1\ntrunks = [2]",
        f"{VM1}.trunks: an access port carries one VLAN; "
        "set vlan-mode to trunk, native-tagged or native-untagged",
    ),
    (
        PORT + "tag = 1\nvlan-mode = 'trunk'",
        f"{VM1}.tag: a trunk has no VLAN of its own; set vlan-mode to native-untagged",
    ),
    (PORT + "mtu = 20", f"{VM1}.mtu: expected 68..9702, got 20"),
    (PORT + "n-rxq = 0", f"{VM1}.n-rxq: expected 1..64, got 0"),
    (PORT + "n-rxq-desc = 100", f"{VM1}.n-rxq-desc: expected a power of two in 64..4096, got 100"),
    (
        PORT + "rxq-affinity = '0-1'",
        f"{VM1}.rxq-affinity: expected QUEUE:CORE,… such as 0:1,1:3, got '0-1'",
    ),
    (
        PORT + f"rxq-affinity = '0:{'1' * 5000}'",
        f"{VM1}.rxq-affinity: expected QUEUE:CORE,… such as 0:1,1:3, got '0:{'1' * 5000}'",
    ),
    (
        PORT + "rxq-affinity = '1:1'",
        f"{VM1}.rxq-affinity: expected 0..0, got 1; raise n-rxq for more queues",
    ),
    (PORT + "options = 3", f"{VM1}.options: expected a table, got 3"),
    (PORT + "options = {iface = [1]}", f"{VM1}.options: expected str, got {{'iface': [1]}}"),
    (
        PORT + "colour = 1",
        f"{VM1}.colour: no such setting; there are: "
        "type, options, tag, trunks, vlan-mode, mtu, n-rxq, n-rxq-desc, n-txq-desc, rxq-affinity, "
        "ofport-request",
    ),
    (
        "[bridge.br0.port.vm1]\ntag = 1",
        f'{VM1}.type: missing; say what the port is, such as "vhost-user" or "tap"',
    ),
    (
        "[bridge.br0.port.'a/b']\ntype = 'tap'",
        "bridge.br0.port.a/b: bad name 'a/b'; use 1..64 of letters, digits and _ . : @ + -",
    ),
    (
        "[bridge.'']",
        "bridge.: bad name ''; use 1..64 of letters, digits and _ . : @ + -",
    ),
    ("[bridge.br0]\nmac-aging = 0", "bridge.br0.mac-aging: expected 1..86400, got 0"),
    ("[bridge.br0]\nmac-table-size = 1", "bridge.br0.mac-table-size: expected 16..1048576, got 1"),
    (
        "[bridge.br0]\nstp = true",
        "bridge.br0.stp: no such setting; there are: mac-aging, mac-table-size, controllers, fail-mode, "
        "protocols, datapath-id, flow-limit, overflow-policy, table-limits, controller-rate-limit, "
        "controller-burst-limit, controller-max-backoff, controller-inactivity-probe, controller-async, "
        "restore-flows, port",
    ),
    (
        "[bridge.br0]\ncontrollers = ['tcp:host']",
        "bridge.br0.controllers: expected an IP address, got 'host'",
    ),
    (
        "[bridge.br0]\ncontrollers = ['ssl:1.2.3.4:99999']",
        "bridge.br0.controllers: expected a port of 1..65535, got 99999",
    ),
    (
        "[bridge.br0]\ncontrollers = ['unix:x']",
        "bridge.br0.controllers: expected an absolute path of at most 107 bytes after unix:, got 'x'",
    ),
    (
        "[bridge.br0]\ncontrollers = ['udp:1.2.3.4']",
        "bridge.br0.controllers: expected tcp:IP[:PORT], ssl:IP[:PORT], unix:PATH, ptcp:[PORT][:IP], "
        "pssl:[PORT][:IP] or punix:PATH, got 'udp:1.2.3.4'",
    ),
    (
        "[bridge.br0]\ncontrollers = ['ptcp:', 'ptcp:']",
        "bridge.br0.controllers: ptcp: is named twice",
    ),
    (
        "[bridge.br0]\nfail-mode = 'open'",
        "bridge.br0.fail-mode: no such value; there are: standalone, secure, got 'open'",
    ),
    (
        "[bridge.br0]\nprotocols = ['OpenFlow12']",
        "bridge.br0.protocols: no such value; there are: OpenFlow10, OpenFlow13, OpenFlow14, "
        "got ['OpenFlow12']",
    ),
    (
        "[bridge.br0]\ndatapath-id = '12'",
        "bridge.br0.datapath-id: expected 16 hex digits, got '12'",
    ),
    ("[bridge.br0]\nflow-limit = 0", "bridge.br0.flow-limit: expected 1..4294967295, got 0"),
    (
        "[bridge.br0]\ntable-limits = '1:2:perhaps'",
        "bridge.br0.table-limits: expected TABLE:FLOWS[:evict],… such as 0:100,5:20:evict, got '1:2:perhaps'",
    ),
    ("[bridge.br0]\ntable-limits = '254:2'", "bridge.br0.table-limits: expected 0..253, got 254"),
    (
        "[bridge.br0]\ncontroller-max-backoff = 9",
        "bridge.br0.controller-max-backoff: expected 1000..3600000, got 9",
    ),
    (PORT + "ofport-request = 65280", f"{VM1}.ofport-request: expected 0..65279, got 65280"),
    (
        "[bridge.br0.port.br0]\ntype = 'tap'",
        "bridge: two bridges or ports are named br0; each needs its own name",
    ),
    ("ca-cert = 'x'", "private-key: TLS needs all of private-key, certificate and ca-cert"),
    ("[bridge]\nbr0 = 5", "bridge.br0: expected a table, got 5"),
    ("bridge = 5", "bridge: expected a table, got 5"),
    (
        PORT + "[bridge.br1.port.vm1]\ntype = 'tap'",
        "bridge: two bridges or ports are named vm1; each needs its own name",
    ),
    ("cores = [1, 1]", "cores: core 1 is named twice"),
    ("cores = 1", "cores: expected array, got 1"),
    ("mbufs = 10", "mbufs: expected 4096..16777216, got 10"),
    (
        "hugepages = 'yes'",
        "hugepages: no such value; there are: auto, require, off, got 'yes'",
    ),
    ("idle = -1", 'idle: expected 0..1000000, got -1; microseconds, "sleep" or "spin"'),
    ("idle = 'deep'", "idle: no such value; there are: sleep, spin, or microseconds, got 'deep'"),
    ("rebalance = 1.5", "rebalance: expected int, got 1.5"),
    (
        "speed = 3",
        "speed: no such setting; there are: cores, mbufs, mtu, hugepages, idle, rebalance, private-key, "
        "certificate, ca-cert, bridge",
    ),
    ("cores = [", "not TOML: Invalid value (at end of document)"),
]


@pytest.mark.parametrize(("text", "line"), BAD_TOML, ids=[line.split(":")[0] for _, line in BAD_TOML])
def test_bad_toml(text: str, line: str, tmp_path: Path) -> None:
    file = tmp_path / "t.toml"
    file.write_text(text)
    with pytest.raises(TurnoutError) as error:
        toml.load(file)
    assert str(error.value) == f"{file}: {line}"


def test_unreadable_toml(tmp_path: Path) -> None:
    with pytest.raises(TurnoutError, match=r"none\.toml: cannot read: No such file or directory"):
        toml.load(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"a = '\xe9'")
    with pytest.raises(TurnoutError, match=r"latin\.toml: not TOML: "):
        toml.load(tmp_path / "latin.toml")


def test_good_toml(tmp_path: Path) -> None:
    file = tmp_path / "t.toml"
    file.write_text("""
        cores = [1, 3]
        idle = 200
        [bridge.br0]
        mac-aging = 60
        [bridge.br0.port.vm1]
        type = "null"
        options = {no-rx = true, size = 100}
        trunks = [10, 20]
        tag = 5
        vlan-mode = "native-untagged"
        rxq-affinity = "0:3"
    """)
    config = toml.load(file)
    port = Port(
        name="vm1",
        type="null",
        options={"no-rx": "1", "size": "100"},
        trunks=(10, 20),
        tag=5,
        vlan_mode="native-untagged",
        rxq_affinity="0:3",
    )
    assert config == Config(
        cores=(1, 3), idle=200, bridges=(Bridge(name="br0", mac_aging=60, ports=(port,)),)
    )
    assert port.pins == {0: 3}
    assert config.spin_us == 200


@pytest.mark.parametrize(
    ("settings", "mode"),
    [
        ({}, "trunk"),
        ({"tag": 1}, "access"),
        ({"trunks": (1,)}, "trunk"),
        ({"tag": 1, "vlan_mode": "access"}, "access"),
    ],
)
def test_default_vlan_mode(settings: dict[str, object], mode: str) -> None:
    assert Port(name="p", type="tap", **settings).effective_vlan_mode == mode  # type: ignore[arg-type]


names = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.:@+-]{0,20}", fullmatch=True)
options = st.dictionaries(st.text(min_size=1, max_size=9), st.text(max_size=9), max_size=3)
ports = st.builds(
    Port,
    name=names,
    type=st.sampled_from(["tap", "null"]),
    options=options,
    trunks=st.lists(st.integers(0, 4095), max_size=4).map(tuple),
    mtu=st.integers(68, 9702),
    n_rxq=st.integers(1, 64),
)
configs = st.builds(
    Config,
    bridges=st.lists(
        st.builds(Bridge, name=names.map("b.{}".format), mac_aging=st.integers(1, 9000)),
        unique_by=lambda b: b.name,
        max_size=3,
    ).map(tuple),
    cores=st.sets(st.integers(0, 1023), max_size=4).map(tuple),
    idle=st.one_of(st.sampled_from(["sleep", "spin"]), st.integers(0, 1_000_000)),
)


@given(config=configs, port=ports)
def test_tree_round_trip(config: Config, port: Port) -> None:
    if config.bridges:
        config = edit.add_port(config, config.bridges[-1].name, port)
    assert from_tree(to_tree(config)) == config


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.sampled_from(["bridge", "br0", "port", "tag", "type"]) | st.text(), inner)
    ),
)


@given(json_values)
def test_any_tree_is_a_config_or_an_error(tree: object) -> None:
    with contextlib.suppress(ConfigError):
        assert isinstance(from_tree(tree), Config)


def columns_of(*column: str) -> Port:
    return port_from_tree("vm1", columns.port_tree("vm1", {"type": "tap"}, column))


def test_columns() -> None:
    assert columns_of("tag=10").tag == 10
    assert columns_of("tag=10", "tag=[]").tag is None
    assert columns_of("tag=10", "tag=").tag is None
    assert columns_of("trunks=[10, 20-22]").trunks == (10, 20, 21, 22)
    assert columns_of("options:iface=x,y=z").options == {"iface": "x,y=z"}
    assert columns_of("options:iface=x", "options:iface=").options == {}
    assert columns_of("options:vhost-server-path=/x").options == {"path": "/x"}
    assert columns_of("mtu_request=9000", "options:n_rxq=2", "options:n_rxq_desc=1024").n_rxq == 2
    assert columns_of("other_config:pmd-rxq-affinity=0:3").pins == {0: 3}
    assert columns_of("vlan-mode=access", "tag=3").effective_vlan_mode == "access"
    assert columns_of("type=dpdkvhostuserclient").type == "vhost-user-client"


BAD_COLUMNS = [
    ("tag", "port.vm1: expected key=value, got 'tag'"),
    ("tag=x", "port.vm1.tag: expected int, got 'x'"),
    ("tag=-1", "port.vm1.tag: expected int, got '-1'"),
    ("trunks=1-5000", "port.vm1.trunks: expected 0..4095, got 4096"),
    ("trunks=a", "port.vm1.trunks: expected array, got 'a'"),
    ("options:=1", "port.vm1: no such column 'options:'; there are: "),
    ("external_ids:x=1", "port.vm1: no such column 'external_ids:x'; there are: type, tag, trunks, "),
]


@pytest.mark.parametrize(("column", "line"), BAD_COLUMNS, ids=[c for c, _ in BAD_COLUMNS])
def test_bad_column(column: str, line: str) -> None:
    with pytest.raises(ConfigError) as error:
        columns_of(column)
    assert str(error.value).startswith(line)


def test_edits() -> None:
    config = edit.add_bridge(Config(), Bridge(name="br0"))
    config = edit.add_port(config, "br0", Port(name="vm1", type="tap"))
    assert edit.set_port(config, Port(name="vm1", type="tap", tag=3)).find_port("vm1")[1].tag == 3
    assert edit.del_port(config, "vm1").bridges == (Bridge(name="br0"),)
    assert edit.del_bridge(config, "br0") == Config()
    for wrong, line in (
        (lambda: edit.add_bridge(config, Bridge(name="br0")), "bridge.br0: exists already"),
        (lambda: edit.add_bridge(config, Bridge(name="vm1")), "bridge: two bridges or ports are named vm1"),
        (
            lambda: edit.add_port(config, "br0", Port(name="vm1", type="tap")),
            "port.vm1: exists already on bridge br0",
        ),
        (
            lambda: edit.add_port(config, "br9", Port(name="vm2", type="tap")),
            "bridge.br9: no such bridge; there are: br0",
        ),
        (lambda: edit.del_port(config, "vm2"), "port.vm2: no such port"),
        (lambda: edit.del_bridge(Config(), "br0"), "bridge.br0: no such bridge; there are: none yet"),
    ):
        with pytest.raises(ConfigError) as error:
            wrong()
        assert str(error.value).startswith(line)


def bridge_of(*column: str) -> Bridge:
    return bridge_from_tree("br0", columns.bridge_tree("br0", {}, column))


def test_bridge_columns() -> None:
    bridge = bridge_of(
        "controller=tcp:1.2.3.4:6653,ssl:[::1]",
        "fail_mode=secure",
        "protocols=[OpenFlow10, OpenFlow13]",
        "other_config:datapath-id=00000000000000ab",
        "other-config:disable-in-band=true",
        "datapath_type=netdev",
        "restore-flows=true",
        "flow_limit=1000",
        "table_limits=0:100,5:20:evict",
        "max_backoff=2000",
        "inactivity-probe=0",
        "enable_async_messages=false",
    )
    assert bridge.limits == {0: (100, False), 5: (20, True)}
    assert (bridge.controller_max_backoff, bridge.controller_inactivity_probe) == (2000, 0)
    assert not bridge.controller_async
    assert bridge.controllers == ("tcp:1.2.3.4:6653", "ssl:[::1]")
    assert (bridge.fail_mode, bridge.protocols) == ("secure", ("OpenFlow10", "OpenFlow13"))
    assert (bridge.datapath_id, bridge.restore_flows, bridge.flow_limit) == ("00000000000000ab", True, 1000)
    assert bridge_of("controller=tcp:1.2.3.4", "controller=").controllers == ()
    assert columns_of("ofport_request=7").ofport_request == 7
    assert columns_of("ofport=7").ofport_request == 7
    with pytest.raises(ConfigError, match=r"^bridge\.br0\.restore-flows: expected bool, got 'yes'$"):
        bridge_of("restore_flows=yes")


def test_targets() -> None:
    assert target.parse("tcp:10.0.0.1").port == 6653
    assert (target.parse("ssl:[fe80::1]:7").host, target.parse("ssl:[fe80::1]:7").tls) == ("fe80::1", True)
    assert target.parse("unix:/run/c").path == "/run/c"
    place = target.parse("ptcp:1234:127.0.0.1")
    assert (place.passive, place.host, place.port) == (True, "127.0.0.1", 1234)
    assert (target.parse("pssl:").host, target.parse("pssl:").port) == ("0.0.0.0", 6653)
    assert target.parse("ptcp:0:[::1]").ipv6


@given(st.text(max_size=40) | st.text("tcpsulnix:[].0123456789/", max_size=30))
def test_any_target_is_one_or_an_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert target.parse(text).text == text


def test_local() -> None:
    local = Port(name="br0", type="internal")
    config = edit.add_port(edit.add_bridge(Config(), Bridge(name="br0")), "br0", local)
    assert config.find_port("br0")[1] is local
    with pytest.raises(ConfigError, match="two bridges or ports are named br1"):
        edit.add_port(edit.add_bridge(config, Bridge(name="br1")), "br0", Port(name="br1", type="internal"))


def test_limits_that_no_table_has() -> None:
    with pytest.raises(
        ConfigError, match=r"^bridge\.br0\.table-limits: expected 0\.\.4294967295, got 9999999999"
    ):
        bridge_of("table_limits=0:9999999999")
