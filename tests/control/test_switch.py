# SPDX-License-Identifier: Apache-2.0
"""The library on real DPDK devices: what changes, what stays, and that a failure leaves all as it was."""

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

import turnout
from tests.control.conftest import DEADLINE, wait_for
from turnout.config.model import Bridge, Config, Port
from turnout.errors import ConfigError

FRAME = bytes.fromhex("ffffffffffff 020000000001 0800".replace(" ", "")) + bytes(50)


def pcap(path: Path, frames: list[bytes]) -> str:
    """Writes a capture; returns its name."""
    header = bytes.fromhex("d4c3b2a1 0200 0400 00000000 00000000 ffff0000 01000000".replace(" ", ""))
    records = b"".join(bytes(8) + len(f).to_bytes(4, "little") * 2 + f for f in frames)
    path.write_bytes(header + records)
    return str(path)


def running(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_packets_are_counted_learned_and_dropped_by_name(switch: turnout.Switch, run_dir: Path) -> None:
    switch.add_bridge("br0")
    switch.add_port("br0", "sink", type="null", tag=7)
    switch.add_port("br0", "other", type="null", tag=8)
    source = pcap(run_dir / "in.pcap", [FRAME] * 100)
    switch.tick(100.0)
    switch.add_port("br0", "source", type="pcap", options={"rx_pcap": source}, tag=7)
    wait_for(lambda: switch.stats()[2].rx_packets == 100, "100 packets in")
    wait_for(lambda: switch.stats()[0].tx_packets == 100, "100 packets out")
    switch.tick(101.0)
    stats = {s.port: s for s in switch.stats()}
    assert stats["sink"].tx_bytes == 100 * len(FRAME)
    assert stats["other"].tx_packets == 0, "another VLAN"
    assert [(e.bridge, e.port, e.vlan, e.mac) for e in switch.fdb("br0")] == [
        ("br0", "source", 7, "02:00:00:00:00:01")
    ]
    assert switch.fdb_flush() == 1
    assert switch.fdb() == []
    worker = switch.workers()[0]
    assert set(worker.rxqs) == {"sink:0", "other:0", "source:0"}
    assert worker.packets >= 100


def test_rates_are_of_the_last_interval(switch: turnout.Switch, run_dir: Path) -> None:
    switch.add_bridge("br0")
    switch.tick(10.0)
    source = pcap(run_dir / "in.pcap", [FRAME] * 100)
    switch.add_port("br0", "p", type="pcap", options={"rx_pcap": source})
    wait_for(lambda: switch.stats()[0].rx_packets == 100, "100 packets in")
    switch.tick(12.0)
    assert switch.stats()[0].rx_pps == 50
    assert switch.stats()[0].rx_bps == 50 * len(FRAME) * 8
    switch.tick(13.0)
    assert switch.stats()[0].rx_pps == 0


def test_touching_a_port_touches_no_other(switch: turnout.Switch) -> None:
    switch.add_bridge("br0")
    for name in ("a", "b"):
        switch.add_port("br0", name, type="null")
    macs = {p.name: p.mac for p in switch.show().bridges[0].ports}
    switch.set_port("a", "tag=3")
    switch.set_port("a", trunks=[1, 2], tag=None)
    assert {p.name: p.mac for p in switch.show().bridges[0].ports} == macs, "a device made anew has a new MAC"
    switch.set_port("a", "options:size=100")
    switch.add_port("br0", "c", type="null")
    switch.del_port("c")
    after = {p.name: p.mac for p in switch.show().bridges[0].ports}
    assert after["b"] == macs["b"]
    assert after["a"] != macs["a"]


def test_apply_is_whole_or_nothing(switch: turnout.Switch) -> None:
    wanted = Config(
        mbufs=8192,
        hugepages="off",
        bridges=(Bridge(name="br0", ports=(Port(name="a", type="null"), Port(name="b", type="null"))),),
    )
    switch.apply(wanted)
    assert switch.config == wanted
    mbufs = switch.show().mbufs_in_use
    bad = Port(name="x", type="pcap", options={"rx_pcap": "/none.pcap"})
    worse = Config(
        mbufs=8192,
        hugepages="off",
        bridges=(Bridge(name="br0", ports=(Port(name="c", type="null"), bad)), Bridge(name="br1")),
    )
    with pytest.raises(
        turnout.TurnoutError, match=r"^port\.x: rx_pcap /none\.pcap: No such file or directory$"
    ):
        switch.apply(worse)
    assert switch.config == wanted
    assert [p.name for p in switch.show().bridges[0].ports] == ["a", "b"]
    assert switch.show().mbufs_in_use == mbufs
    with pytest.raises(
        turnout.ConfigError, match=r"^mbufs: cannot change while the switch runs; restart it$"
    ):
        switch.apply(Config(mbufs=9999))


def test_a_failed_change_of_a_device_brings_the_old_one_back(switch: turnout.Switch, run_dir: Path) -> None:
    source = pcap(run_dir / "in.pcap", [FRAME])
    switch.add_bridge("br0")
    switch.add_port("br0", "p", type="pcap", options={"rx_pcap": source})
    before = switch.config
    with pytest.raises(turnout.TurnoutError, match=r"^port\.p: rx_pcap /none: "):
        switch.set_port("p", "options:rx_pcap=/none")
    assert switch.config == before
    port = switch.show().bridges[0].ports[0]
    assert (port.error, port.driver) == ("", "net_pcap")
    assert switch.workers()[0].rxqs == ("p:0",)


ERRORS = [
    ({"type": "vhostuser"}, r"^bridge\.br0\.port\.p\.type: no such port type 'vhostuser'; there are: "),
    (
        {"type": "vhost-user", "options": {"path": "/none/s"}},
        r"^port\.p: socket /none/s: no such directory /none; ",
    ),
    ({"type": "vhost-user", "options": {"path": "/etc/passwd"}}, r"a file that is no socket is in the way"),
    ({"type": "dpdk", "options": {"dpdk-devargs": "net_none0"}}, r"^port\.p: net_none0: "),
    ({"type": "dpdk", "options": {"dpdk-devargs": "net_null77,size=x,y"}}, r"^port\.p: net_null77: "),
    ({"type": "dpdk", "options": {"dpdk-devargs": "0000:ff:1f.7"}}, r"^port\.p: no PCI device 0000:ff:1f\.7"),
    ({"type": "af_packet", "options": {"iface": "nosuch0"}}, r"^port\.p: no interface nosuch0 on this host"),
    (
        {"type": "null", "rxq_affinity": "0:999"},
        r"^port\.p\.rxq-affinity: no worker on core 999; workers are on: ",
    ),
    ({"type": "null", "tag": 5000}, r"^port\.p\.tag: expected 0\.\.4095, got 5000"),
]


@pytest.mark.parametrize(
    ("settings", "line"), ERRORS, ids=[str(s["type"]) + str(i) for i, (s, _) in enumerate(ERRORS)]
)
def test_errors_change_nothing(switch: turnout.Switch, settings: dict[str, object], line: str) -> None:
    switch.add_bridge("br0")
    before, mbufs = switch.config, switch.show().mbufs_in_use
    with pytest.raises(turnout.TurnoutError, match=line) as error:
        switch.add_port("br0", "p", **settings)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)
    assert switch.config == before
    assert switch.show().bridges[0].ports == ()
    assert switch.show().mbufs_in_use == mbufs
    switch.add_port("br0", "p", type="null")  # the name and the number are free


def test_sockets(switch: turnout.Switch, run_dir: Path) -> None:
    switch.add_bridge("br0")
    switch.add_port("br0", "vm1", type="vhost-user")
    assert (run_dir / "vm1").is_socket()
    taken = {"path": str(run_dir / "vm1")}
    with pytest.raises(turnout.TurnoutError, match=r"socket .*/vm1 already belongs to port vm1$"):
        switch.add_port("br0", "vm2", type="vhost-user", options=taken)
    switch.set_port("vm1", n_rxq=2)
    assert switch.show().bridges[0].ports[0].n_rxq == 2
    switch.apply(  # another port takes the socket over
        Config(
            hugepages="off",
            mbufs=8192,
            bridges=(Bridge(name="br0", ports=(Port(name="vm2", type="vhost-user", options=taken),)),),
        )
    )
    assert (run_dir / "vm1").is_socket()
    switch.del_port("vm2")
    assert not (run_dir / "vm1").exists()


def test_patch_ports_join_bridges(switch: turnout.Switch, run_dir: Path) -> None:
    for bridge in ("br0", "br1"):
        switch.add_bridge(bridge)
    switch.add_port("br1", "sink", type="null")
    switch.add_port("br0", "to1", type="patch", options={"peer": "to0"})
    switch.add_port("br1", "to0", type="patch", options={"peer": "to1"})
    source = pcap(run_dir / "in.pcap", [FRAME] * 10)
    switch.add_port("br0", "source", type="pcap", options={"rx_pcap": source})
    wait_for(
        lambda: {s.port: s for s in switch.stats()}["sink"].tx_packets == 10, "packets on the other bridge"
    )
    assert {e.bridge for e in switch.fdb()} == {"br0", "br1"}


def test_pinned_queues_run_where_they_are_pinned(run_dir: Path) -> None:
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        pytest.skip("needs two cores")
    with turnout.Switch(hugepages="off", mbufs=8192, cores=cores, run_dir=run_dir, housekeeping=False) as sw:
        sw.add_bridge("br0")
        sw.add_port("br0", "a", type="null", n_rxq=2, rxq_affinity=f"0:{cores[1]},1:{cores[1]}")
        assert [(w.core, w.rxqs) for w in sw.workers()] == [(cores[0], ()), (cores[1], ("a:0", "a:1"))]
        sw.add_port("br0", "b", type="null")
        mac = sw.show().bridges[0].ports[0].mac
        sw.set_port("a", f"other_config:pmd-rxq-affinity=0:{cores[0]}")
        assert [w.rxqs for w in sw.workers()] == [("a:0", "b:0"), ("a:1",)]
        assert sw.show().bridges[0].ports[0].mac == mac, "its device stays"


def test_a_tolerant_start_keeps_and_retries(run_dir: Path) -> None:
    file = run_dir / "late.pcap"
    ports = (Port(name="late", type="pcap", options={"rx_pcap": str(file)}), Port(name="ok", type="null"))
    config = Config(hugepages="off", mbufs=8192, bridges=(Bridge(name="br0", ports=ports),))
    with pytest.raises(turnout.TurnoutError, match=r"^port\.late: rx_pcap "):
        turnout.Switch(config, run_dir=run_dir)
    with turnout.Switch(config, run_dir=run_dir, tolerant=True, housekeeping=False) as sw:
        late, ok = sw.show().bridges[0].ports
        assert late.error == f"port.late: rx_pcap {file}: No such file or directory"
        assert (ok.error, ok.driver) == ("", "net_null")
        sw.add_port("br0", "new", type="null")  # others come and go meanwhile
        sw.set_port("late", tag=7)
        pcap(file, [FRAME])
        sw.tick(1000.0)
        late = sw.show().bridges[0].ports[0]
        assert (late.error, late.driver, late.tag) == ("", "net_pcap", 7)


def test_one_switch_at_a_time(switch: turnout.Switch, run_dir: Path) -> None:
    with pytest.raises(
        turnout.TurnoutError, match=r"^switch: another Switch is open in this process; close it first$"
    ):
        turnout.Switch(hugepages="off", mbufs=8192, run_dir=run_dir)
    switch.add_bridge("br0")
    switch.close()
    switch.close()
    with pytest.raises(turnout.TurnoutError, match=r"^switch: closed; make a new one$"):
        switch.add_bridge("br1")


def test_wrong_settings_take_nothing(run_dir: Path) -> None:
    for wrong, line in (
        ({"cores": [999]}, "^cores: no core 999 for this process; there are: "),
        ({"mbufs": 1}, r"^mbufs: expected 4096\.\.16777216, got 1$"),
        ({"idle": "deep"}, "^idle: no such value"),
    ):
        with pytest.raises(turnout.ConfigError, match=line):
            turnout.Switch(run_dir=run_dir, **wrong)  # type: ignore[arg-type]
    turnout.Switch(hugepages="off", mbufs=8192, run_dir=run_dir).close()


def test_an_exception_inside_with_closes(run_dir: Path) -> None:
    def fail_inside() -> None:
        with turnout.Switch(hugepages="off", mbufs=8192, run_dir=run_dir) as sw:
            sw.add_bridge("br0")
            sw.add_port("br0", "vm1", type="vhost-user")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_inside()
    assert not (run_dir / "vm1").exists()
    turnout.Switch(hugepages="off", mbufs=8192, run_dir=run_dir).close()


def test_answers_are_json(switch: turnout.Switch) -> None:
    switch.add_bridge("br0")
    switch.add_port("br0", "a", type="null")
    for answer in (switch.show(), switch.stats(), switch.workers(), switch.fdb(), switch.drops()):
        assert msgspec.json.decode(msgspec.json.encode(answer)) is not None


TWO = """
import pathlib, sys, turnout
for _ in range(2):
    with turnout.Switch(hugepages="off", mbufs=8192, run_dir=pathlib.Path(sys.argv[1])) as sw:
        sw.add_bridge("br0")
        sw.add_port("br0", "vm1", type="vhost-user")
        sw.add_port("br0", "n", type="null")
        print(sw.show().mbufs_total)
"""


def test_two_switches_one_after_the_other(run_dir: Path) -> None:
    """In a process of its own, whose end is clean as well."""
    process = running(TWO, str(run_dir))
    out, err = process.communicate(timeout=DEADLINE)
    assert (process.returncode, out, err) == (0, "8192\n8192\n", "")
    assert os.listdir(run_dir) == []


# in short naps: a signal that comes right before a sleep is seen after it
NAPS = "for _ in range(1200): time.sleep(0.05)"
WAIT = f"""
import pathlib, signal, sys, time, turnout
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
with turnout.Switch(hugepages="off", mbufs=8192, run_dir=pathlib.Path(sys.argv[1])) as sw:
    sw.add_bridge("br0")
    sw.add_port("br0", "vm1", type="vhost-user")
    print("ready", flush=True)
    {NAPS}
"""


def test_ctrl_c(run_dir: Path) -> None:
    process = running(WAIT, str(run_dir))
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=DEADLINE)
    assert time.monotonic() - started < DEADLINE
    assert process.returncode == -signal.SIGINT
    assert err.splitlines()[-1] == "KeyboardInterrupt"
    assert os.listdir(run_dir) == [], "the port's socket has gone"


def test_a_switch_that_nobody_closes_ends_with_the_process(run_dir: Path) -> None:
    code = WAIT.replace("with ", "").replace(" as sw:", "").replace("    ", "")
    code = code.replace("turnout.Switch(", "sw = turnout.Switch(").replace(NAPS, "")
    process = running(code, str(run_dir))
    out, err = process.communicate(timeout=DEADLINE)
    assert (process.returncode, out, err) == (0, "ready\n", "")
    assert os.listdir(run_dir) == []


def interfaces() -> set[str]:
    return {name for _, name in socket.if_nameindex()}


@pytest.mark.skipif(os.geteuid() != 0, reason="not available here: needs root")
def test_an_internal_port_takes_its_interface_along(switch: turnout.Switch) -> None:
    """However its address is spelled, and whoever made the interface."""
    switch.add_bridge("tdbr0")
    switch.add_port("tdbr0", "tdi0", type="internal", options={"mac": "02:AA:BB:CC:DD:EE"})
    assert "tdi0" in interfaces()
    switch.set_port("tdi0", mtu=1400)
    switch.del_port("tdi0")
    assert "tdi0" not in interfaces()


def test_a_name_that_the_kernel_would_fill_in(switch: turnout.Switch) -> None:
    switch.add_bridge("tdbr0")
    before = interfaces()
    with pytest.raises(ConfigError, match="without / % and :"):
        switch.add_port("tdbr0", "tdi0", type="internal", options={"iface": "tdi%d"})
    assert interfaces() == before


def test_all_bridges_are_replaced_at_once(switch: turnout.Switch) -> None:
    for letter in "abc":
        bridges = tuple(Bridge(name=f"{letter}{number}") for number in range(256))
        switch.apply(replace(switch.config, bridges=bridges))
    assert [bridge.name for bridge in switch.show().bridges[:2]] == ["c0", "c1"]
