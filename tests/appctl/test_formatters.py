# SPDX-License-Identifier: Apache-2.0
"""What no Open vSwitch without DPDK can be asked: ports of DPDK's, several workers, pinned queues."""

from dataclasses import replace

import pytest

from turnout.control.appctl.datapath import port_kind
from turnout.control.appctl.dpif import format_bridges
from turnout.control.appctl.pmd import format_perf, format_queues, format_stats
from turnout.results import BridgeView, PortView, QueueStats, SwitchView, WorkerStats

_PORT = PortView(
    name="vm1",
    number=7,
    ofport=3,
    type="vhost-user-client",
    options={"path": "/run/vm1"},
    tag=None,
    trunks=(),
    vlan_mode="trunk",
    driver="net_vhost",
    mac="02:00:00:00:00:01",
    link_up=True,
    speed_mbps=0,
    mtu=1500,
    n_rxq=2,
    error="",
)
_WORKER = WorkerStats(
    worker=0,
    core=4095,
    load=0.0,
    pps=0.0,
    cycles_per_packet=0.0,
    packets=1000,
    busy_cycles=250_000,
    total_cycles=1_000_000,
    sleeps=3,
    rxqs=(),
)


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("vhost-user-client", "(dpdkvhostuserclient: configured_rx_queues=2, mtu=1500)"),
        ("vhost-user", "(dpdkvhostuser: configured_rx_queues=2, mtu=1500)"),
        ("null", "(dpdk: configured_rx_queues=2, mtu=1500)"),
        ("af_packet", "(system)"),
        ("af_xdp", "(afxdp)"),
        ("internal", "(tap)"),
    ],
)
def test_port_types_have_their_names(type_: str, kind: str) -> None:
    assert port_kind(replace(_PORT, type=type_)) == kind


def test_a_port_without_device_is_nowhere_in_the_datapath() -> None:
    bridge = BridgeView(
        name="br0",
        datapath_id="0000000000000001",
        mac_aging=300,
        mac_table_size=65536,
        controllers={},
        fail_mode="standalone",
        ports=(replace(_PORT, error="no such file"),),
    )
    view = SwitchView(version="", cores=(1,), memory="", mbufs_total=0, mbufs_in_use=0, bridges=(bridge,))
    assert "    vm1 3/none: (dpdkvhostuserclient: " in format_bridges(view, 0)


def test_cycles() -> None:
    assert format_stats(_WORKER).splitlines()[-4:] == [
        "  idle cycles: 750000 (75.00%)",
        "  processing cycles: 250000 (25.00%)",
        "  avg cycles per packet: 1000.00 (1000000/1000)",
        "  avg processing cycles per packet: 250.00 (250000/1000)",
    ]
    assert "avg" not in format_stats(replace(_WORKER, packets=0))
    assert "cycles:" not in format_stats(replace(_WORKER, packets=0, total_cycles=0))


def test_perf() -> None:
    assert format_perf(_WORKER, 3661.5, 2.0).splitlines() == [
        "",
        "Time: 01:01:01.500",
        "Measurement duration: 2.000 s",
        "",
        "pmd thread numa_id 0 core_id 4095:",
        "",
        "  - Used TSC cycles:        250000  ( 25.0 % of total cycles)",
        "  - sleep iterations:            3",
        "  Rx packets:                 1000  (0 Kpps, 250 cycles/pkt)",
    ]


def test_queues() -> None:
    queue = QueueStats(port="vm1", queue=0, core=4095, pinned=True, link_up=False, load=0.25)
    assert format_queues({4095: True, 4094: False}, [queue], {4095: 0.3}) == (
        "pmd thread numa_id 0 core_id 4095:\n"
        "  isolated : true\n"
        "  port: vm1               queue-id:  0 (disabled)  pmd usage: 25 %\n"
        "  overhead:  5 %\n"
        "pmd thread numa_id 0 core_id 4094:\n"
        "  isolated : false\n"
    )
    assert "overhead: NOT AVAIL" in format_queues({4095: False}, [replace(queue, load=None)], {})
