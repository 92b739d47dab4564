# SPDX-License-Identifier: Apache-2.0
"""Datapaths come and go, errors leave nothing behind."""

import pytest

from tests.seam.conftest import learning_switch
from turnout import _engine

ATTACH = {"rxqs": 1, "txqs": 1, "rx_desc": 256, "tx_desc": 256, "mtu": 1500, "netns": ""}


def test_one_datapath_after_another() -> None:
    for _ in range(3):
        datapath = _engine.Datapath(cores=[0], mbufs=4095, mtu=1500, spin_us=0)
        device = datapath.attach("net_null0,no-rx=1", **ATTACH)
        assert datapath.device_info(device).driver == "net_null"
        datapath.close()
        datapath.close()
        with pytest.raises(_engine.EngineError, match="closed"):
            datapath.mbufs()


@pytest.mark.parametrize(
    ("devargs", "options", "expected"),
    [
        ("net_nothing0", {}, "net_nothing0: DPDK can't create it"),
        ("net_pcap0,rx_pcap=/nowhere/at.all", {}, "net_pcap0"),
        ("net_null0,bad=1", {}, "net_null0: DPDK can't create it"),
        ("net_null0", {"rxqs": 65}, "queues must be 1 to 64"),
        ("net_tap0,iface=lost", {"netns": "no-such-namespace"}, "ip netns add no-such-namespace"),
        ("0000:ff:1f.7", {}, "0000:ff:1f.7"),
        ("", {}, "DPDK can't create it"),
    ],
)
def test_bad_devargs_leave_nothing(
    datapath: _engine.Datapath, devargs: str, options: dict[str, object], expected: str
) -> None:
    before = datapath.mbufs()
    with pytest.raises(_engine.EngineError, match=expected) as caught:
        datapath.attach(devargs, **ATTACH | options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert datapath.mbufs() == before
    good = datapath.attach("net_null0,no-rx=1", **ATTACH)
    datapath.detach(good)


def test_a_device_is_attached_once(datapath: _engine.Datapath) -> None:
    datapath.attach("net_null0,no-rx=1", **ATTACH)
    with pytest.raises(_engine.EngineError, match="in use already"):
        datapath.attach("net_null0,no-rx=1", **ATTACH)


def test_a_contradictory_topology_changes_nothing(datapath: _engine.Datapath) -> None:
    device = datapath.attach("net_null0,no-rx=1", **ATTACH)
    bridge = _engine.BridgeSpec(number=0, mac_aging=300, mac_table_size=1024)

    def port(number: int, **other: object) -> _engine.PortSpec:
        spec = {
            "bridge": 0,
            "device": device,
            "peer": -1,
            "tag": 0,
            "vlan_mode": "trunk",
            "trunks": [],
        } | other
        return _engine.PortSpec(number=number, **spec)  # type: ignore[arg-type]

    datapath.publish([bridge], [port(1)], [_engine.QueueSpec(port=1, queue=0, worker=0)])
    for ports, queues, expected in [
        ([port(1), port(1)], [], "used once"),
        ([port(0)], [], "from 1 to 4095"),
        ([port(1, bridge=3)], [], "bridge 3 does not exist"),
        ([port(1, device=77)], [], "device 77 does not exist"),
        ([port(1)], [_engine.QueueSpec(port=1, queue=5, worker=0)], "no such queue or worker"),
        ([port(1)], [_engine.QueueSpec(port=1, queue=0, worker=5)], "no such queue or worker"),
    ]:
        with pytest.raises(_engine.EngineError, match=expected):
            datapath.publish([bridge], ports, queues)
    assert [load.port for load in datapath.queue_loads()] == [1]
    with pytest.raises(_engine.EngineError, match="still belongs to a port"):
        datapath.detach(device)
    with pytest.raises(_engine.EngineError, match="one of access, trunk"):
        port(2, vlan_mode="sideways")


def test_queues_move_between_workers_without_loss_or_leak() -> None:
    datapath = _engine.Datapath(cores=[0, 1], mbufs=16383, mtu=1500, spin_us=50)
    source = datapath.attach("net_null0,size=64", **ATTACH)
    sink = datapath.attach("net_null1,no-rx=1", **ATTACH)
    specs = [
        _engine.PortSpec(number=n, bridge=0, device=d, peer=-1, vlan_mode="trunk", tag=0, trunks=[])
        for n, d in ((1, source), (2, sink))
    ]
    bridge = _engine.BridgeSpec(number=0, mac_aging=300, mac_table_size=1024)
    datapath.publish([bridge], [], [])
    learning_switch(datapath, 0)
    for turn in range(200):
        datapath.publish([bridge], specs, [_engine.QueueSpec(port=1, queue=0, worker=turn % 2)])
        assert [load.worker for load in datapath.queue_loads()] == [turn % 2]
    datapath.publish([bridge], specs, [])
    totals = {c.port: c for c in datapath.port_counters()}
    assert totals[1].rx_packets > 0
    # net_null's packets are all zeros: from a station to itself.
    assert [(drop.reason, drop.packets) for drop in datapath.drops()] == [("same-port", totals[1].rx_packets)]
    assert datapath.mbufs()[1] == 0
    datapath.close()
