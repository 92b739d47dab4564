# SPDX-License-Identifier: Apache-2.0
"""Frames in, frames out: learning, flooding, VLAN tags, patch ports, lengths, and a name for each drop."""

import pytest

from tests.seam.conftest import BROADCAST, Bench, frame, mac
from turnout.lab.wait import settled, until

A, B, C = mac(0xA), mac(0xB), mac(0xC)
QUIET = 0.15  # seconds in which nothing must arrive


def test_unknown_floods_known_goes_to_one(bench: Bench) -> None:
    one, two, three = (bench.wire(n) for n in (1, 2, 3))
    hello = frame(B, A, payload=b"hello")
    one.send(hello)
    assert two.receive(hello.__eq__) == hello
    assert three.receive(hello.__eq__) == hello
    answer = frame(A, B, payload=b"answer")
    two.send(answer)
    assert one.receive(answer.__eq__) == answer
    assert three.receive(answer.__eq__, QUIET) is None
    learned = {(entry.mac, entry.port) for entry in bench.datapath.fdb(0)}
    assert learned == {("02:00:00:00:00:0a", 1), ("02:00:00:00:00:0b", 2)}


def test_a_station_moves(bench: Bench) -> None:
    one, two, three = (bench.wire(n) for n in (1, 2, 3))
    one.send(frame(BROADCAST, A))
    assert three.receive(lambda f: f[6:12] == A)
    two.send(frame(BROADCAST, A))
    assert three.receive(lambda f: f[6:12] == A)
    to_a = frame(A, C, payload=b"where?")
    three.send(to_a)
    assert two.receive(to_a.__eq__) == to_a
    assert one.receive(to_a.__eq__, QUIET) is None


@pytest.mark.parametrize(
    ("sent", "port", "received"),
    [
        pytest.param(None, {"mode": "access", "tag": 10}, None, id="access to access: untagged"),
        pytest.param(None, {"mode": "trunk"}, 10, id="access to trunk: tag pushed"),
        pytest.param(None, {"mode": "trunk", "trunks": [20]}, False, id="a trunk without the VLAN"),
        pytest.param(None, {"mode": "native-untagged", "tag": 10}, None, id="native-untagged: none pushed"),
        pytest.param(None, {"mode": "native-tagged", "tag": 10}, 10, id="native-tagged: pushed"),
        pytest.param(0x6000, {"mode": "trunk"}, 0x600A, id="priority tag: VLAN set, priority kept"),
        pytest.param(0x6000, {"mode": "access", "tag": 10}, None, id="priority tag: popped for access"),
    ],
)
def test_vlan_tags_from_an_access_port(
    bench: Bench, sent: int | None, port: dict[str, object], received: int | bool | None
) -> None:
    one = bench.wire(1, mode="access", tag=10)
    two = bench.wire(2, **port)  # type: ignore[arg-type]
    one.send(frame(BROADCAST, A, tci=sent, payload=b"x"))
    got = two.receive(lambda f: f[6:12] == A, QUIET if received is False else 2)
    if received is False:
        assert got is None
        assert bench.drops() == {(1, "no-other-port"): 1}
    else:
        assert got is not None
        size = 60 + 4 * ((received is not None) - (sent is not None))
        assert got == frame(BROADCAST, A, tci=received, payload=b"x", size=size)


def test_trunk_to_access_pops_and_other_vlans_stay_out(bench: Bench) -> None:
    one = bench.wire(1)
    two, three = (bench.wire(n, mode="access", tag=tag) for n, tag in ((2, 10), (3, 20)))
    one.send(frame(BROADCAST, A, tci=10, payload=b"ten"))
    assert two.receive(lambda f: f[6:12] == A) == frame(BROADCAST, A, payload=b"ten", size=56)
    assert three.receive(lambda f: f[6:12] == A, QUIET) is None
    two.send(frame(BROADCAST, B, tci=10))
    assert one.receive(lambda f: f[6:12] == B, QUIET) is None
    assert bench.drops() == {(2, "vlan-not-allowed"): 1}


def test_patch_ports_join_bridges(bench: Bench) -> None:
    bench.bridge(1)
    one, two = bench.wire(1), bench.wire(2, bridge=1, mode="access", tag=7)
    bench.port(10, bridge=0, peer=11)
    bench.port(11, bridge=1, peer=10)
    bench.publish()
    hello = frame(BROADCAST, A, tci=7, payload=b"over")
    one.send(hello)
    assert two.receive(lambda f: f[6:12] == A) == frame(BROADCAST, A, payload=b"over", size=56)
    assert [(e.port, e.vlan) for e in bench.datapath.fdb(1)] == [(11, 7)]
    totals = {c.port: c for c in bench.datapath.port_counters()}
    assert (totals[10].tx_packets, totals[11].rx_packets) == (1, 1)


def test_a_loop_of_patch_ports_ends(bench: Bench) -> None:
    bench.bridge(1)
    one, other = bench.wire(1), bench.wire(2)
    for link in range(3):
        bench.port(10 + link, bridge=0, peer=20 + link)
        bench.port(20 + link, bridge=1, peer=10 + link)
    bench.publish()
    one.send(frame(BROADCAST, A))
    one.send(frame(BROADCAST, B, payload=b"alive"))
    assert other.receive(lambda f: f[6:12] == B)
    until(lambda: any(reason == "patch-loop" for _, reason in bench.drops()), "a drop named patch-loop")


def test_each_drop_has_its_name(bench: Bench) -> None:
    one, two = bench.wire(1, mtu=2000), bench.wire(2)
    bench.port(9, peer=-1)
    bench.publish()
    one.send(frame(bytes.fromhex("0180c2000003"), A))
    assert two.receive(lambda f: f[6:12] == A, QUIET) is None
    one.send(frame(BROADCAST, B))
    assert two.receive(lambda f: f[6:12] == B)
    one.send(frame(B, A))
    one.send(frame(C, A, size=1519))
    one.send(frame(C, A, payload=b"last", size=1518))
    assert two.receive(lambda f: b"last" in f)
    drops = bench.drops()
    assert drops.pop((9, "patch-no-peer")) == 3
    assert drops == {(1, "reserved-multicast"): 1, (1, "same-port"): 1, (2, "too-long"): 1}


def test_jumbo_frames_span_buffers(bench: Bench) -> None:
    one, two = bench.wire(1, mtu=9000), bench.wire(2, mtu=9000)
    big = frame(B, A, payload=bytes(range(256)) * 35, size=9014)
    one.send(big)
    assert two.receive(lambda f: f[6:12] == A) == big
    tagged = frame(B, A, tci=5, payload=bytes(range(256)) * 35, size=9018)
    one.send(tagged)
    assert two.receive(lambda f: f[6:12] == A) == tagged


def test_a_removed_port_is_forgotten_and_leaks_nothing(bench: Bench) -> None:
    one, two, three = (bench.wire(n) for n in (1, 2, 3))
    settled(bench.datapath.mbufs)  # a TAP takes its buffers when it is first polled
    before = bench.datapath.mbufs()
    two.send(frame(BROADCAST, B))
    assert one.receive(lambda f: f[6:12] == B)
    assert len(bench.datapath.fdb(0)) == 1
    bench.unplug(2)
    assert bench.datapath.fdb(0) == []
    one.send(frame(B, A, payload=b"flooded now"))
    assert three.receive(lambda f: b"flooded" in f)
    new = bench.wire(2)
    assert {c.port: c.rx_packets for c in bench.datapath.port_counters()}[2] == 0
    one.send(frame(BROADCAST, A))
    assert new.receive(lambda f: f[6:12] == A)
    until(lambda: bench.datapath.mbufs() == before, "all mbufs back")


def test_aging(bench: Bench) -> None:
    bench.bridge(0, aging=1)
    one, two = bench.wire(1), bench.wire(2)
    one.send(frame(BROADCAST, A))
    assert two.receive(lambda f: f[6:12] == A)
    assert len(bench.datapath.fdb(0)) == 1
    for _ in range(50):
        if not bench.datapath.fdb(0):
            break
        two.receive(lambda _: False, 0.1)
    assert bench.datapath.fdb(0) == []
