# SPDX-License-Identifier: Apache-2.0
"""Port types: the devargs they become, and the line that says what is wrong."""

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.config.model import Bridge, Config, Port
from turnout.control import host, ports
from turnout.control.ports import Place
from turnout.errors import ConfigError

PLACE = Place(number=3, run_dir=Path("/run/t"), workers=2)


def port(kind: str, n_rxq: int = 1, mtu: int = 1500, **options: str) -> Port:
    given_options = {key.replace("__", "-"): value for key, value in options.items()}
    return Port(name="p", type=kind, options=given_options, n_rxq=n_rxq, mtu=mtu)


DEVARGS = [
    (port("vhost-user"), "net_vhost3,iface=/run/t/p,queues=1,client=0,tso=1,legacy-ol-flags=1"),
    (
        port("vhost-user-client", n_rxq=2, path="/x", tso="0"),
        "net_vhost3,iface=/x,queues=2,client=1,tso=0,legacy-ol-flags=1",
    ),
    (port("af_packet", iface="veth0"), "net_af_packet3,iface=veth0,qpairs=1,framesz=1664,blocksz=53248"),
    (port("af_packet", n_rxq=2, mtu=9000), "net_af_packet3,iface=p,qpairs=2,framesz=9088,blocksz=290816"),
    (
        port("af_xdp", n_rxq=4, start_queue="2"),
        "net_af_xdp3,iface=p,start_queue=2,queue_count=4",
    ),
    (
        port("memif", role="client", id="7", zero__copy="yes"),
        "net_memif3,role=client,id=7,socket=/run/t/p,socket-abstract=no,zero-copy=yes",
    ),
    (port("pcap", rx_pcap="/a.pcap", infinite_rx="1"), "net_pcap3,rx_pcap=/a.pcap,infinite_rx=1"),
    (port("null"), "net_null3,no-rx=1"),
    (port("null", no__rx="0", size="128"), "net_null3,no-rx=0,size=128"),
    (port("dpdk", dpdk__devargs="0000:3b:00.0,x=1"), "0000:3b:00.0,x=1"),
]


@pytest.mark.parametrize(("made_of", "devargs"), DEVARGS, ids=[p.type for p, _ in DEVARGS])
def test_devargs(made_of: Port, devargs: str) -> None:
    device = ports.device(made_of, PLACE)
    assert device is not None
    assert device.devargs == devargs
    assert device.rxqs == made_of.n_rxq
    assert device.txqs == (2 if made_of.type == "dpdk" else made_of.n_rxq)
    assert device.netns == made_of.options.get("netns", "")


def test_tap_is_not_a_dpdk_device() -> None:
    device = ports.device(port("tap", netns="blue", n_rxq=2), PLACE)
    assert device is not None
    assert (device.devargs, device.tap, device.mac) == ("", "p", host.stable_mac("p"))
    assert (device.rxqs, device.netns) == (2, "blue")


def test_a_run_dir_is_checked_like_an_option() -> None:
    with pytest.raises(ConfigError, match=r"^port\.p\.options\.path: '/a,b/p' has ',' in it"):
        ports.device(port("vhost-user"), Place(number=1, run_dir=Path("/a,b"), workers=1))


def test_tap() -> None:
    device = ports.device(port("tap", n_rxq=2, netns="blue"), PLACE)
    assert device is not None
    assert (device.tap, device.mac, device.netns, device.devargs, device.rxqs) == (
        "p",
        host.stable_mac("p"),
        "blue",
        "",
        2,
    )


def test_patch_has_no_device() -> None:
    assert ports.device(port("patch", peer="q"), PLACE) is None


BAD = [
    (port("vhostuser"), "port.p.type: no such port type 'vhostuser'; there are: vhost-user, "),
    (port("tap", path="/x"), "port.p.options.path: no such option of type tap; there are: iface, mac, netns"),
    (port("vhost-user", path="/a,b"), "port.p.options.path: '/a,b' has ',' in it, which DPDK cannot take"),
    (port("vhost-user", path="/a b"), "port.p.options.path: '/a b' has ' ' in it"),
    (port("vhost-user", path="a"), "port.p.options.path: expected an absolute path, got 'a'"),
    (
        port("vhost-user", path="/" + "x" * 107),
        "port.p.options.path: a Unix socket's path has at most 107 bytes",
    ),
    (port("vhost-user", tso="yes"), "port.p.options.tso: expected 0 or 1, got 'yes'"),
    (port("vhost-user", client="1"), "port.p.options.client: no such option of type vhost-user"),
    (port("tap", iface="x" * 16), "port.p.options.iface: expected an interface name of 1..15"),
    (
        port("tap", mac="02:00"),
        "port.p.options.mac: expected a MAC address such as 02:00:00:00:00:01, got '02:00'",
    ),
    (port("tap", mac="03:00:00:00:00:01"), "port.p.options.mac: expected a unicast MAC address"),
    (port("memif", id="70000"), "port.p.options.id: expected 0..65535, got '70000'"),
    (port("memif", role="boss"), "port.p.options.role: expected server or client, got 'boss'"),
    (port("pcap"), "port.p.options: nothing to do; set rx_pcap, tx_pcap or iface"),
    (port("pcap", n_rxq=2, rx_pcap="/x"), "port.p.n-rxq: expected 1..1 for type pcap, got 2"),
    (port("null", copy="1"), "port.p.options: copy needs no-rx=0"),
    (port("patch"), "port.p.options.peer: missing; a port of type patch needs it"),
    (port("dpdk"), "port.p.options.dpdk-devargs: missing; a port of type dpdk needs it"),
]


@pytest.mark.parametrize(("wrong", "line"), BAD, ids=[line.split(":")[0] + p.type for p, line in BAD])
def test_bad_options(wrong: Port, line: str) -> None:
    with pytest.raises(ConfigError) as error:
        ports.device(wrong, PLACE)
    assert str(error.value).startswith(line)


@given(kind=st.sampled_from(["vhost-user", "af_packet", "memif", "pcap"]), value=st.text())
def test_options_never_add_devargs(kind: str, value: str) -> None:
    """Whatever a value holds, the devargs have the keys that the type has, or the port is refused."""
    key = {"vhost-user": "path", "af_packet": "iface", "memif": "socket", "pcap": "rx_pcap"}[kind]
    try:
        device = ports.device(Port(name="p", type=kind, options={key: value}), PLACE)
    except ConfigError:
        return
    assert device is not None
    parts = device.devargs.split(",")
    assert [part.partition("=")[2] for part in parts].count(value) == 1
    assert not any(character.isspace() for character in device.devargs)


def test_two_ports_cannot_claim_one_thing() -> None:
    two = (
        Port(name="a", type="tap", options={"iface": "x"}),
        Port(name="b", type="af_packet", options={"iface": "x"}),
    )
    with pytest.raises(ConfigError, match=r"^bridge\.br0\.port\.b: interface x already belongs to port a$"):
        ports.claims(Config(bridges=(Bridge(name="br0", ports=two),)), PLACE, {})


def test_stable_mac() -> None:
    mac = host.stable_mac("vm1")
    assert mac == host.stable_mac("vm1") != host.stable_mac("vm2")
    assert int(mac[:2], 16) & 3 == 2, "locally administered, unicast"


def test_free_socket(run_dir: Path) -> None:
    path = run_dir / "s"
    assert host.free_socket(str(path)) is None
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        assert host.free_socket(str(path)) == (
            f"socket {path}: taken by a running process; stop it or choose another path"
        )
    assert path.exists()
    assert host.free_socket(str(path)) is None, "nobody listens: left by a dead process"
    assert not path.exists()
    path.write_text("")
    assert "a file that is no socket is in the way" in str(host.free_socket(str(path)))
    assert "is a file, not a socket" in str(host.peer_socket(str(path)))
    assert host.free_socket(f"{run_dir}/none/s") == (
        f"socket {run_dir}/none/s: no such directory {run_dir}/none; create it first"
    )


def test_host_checks(run_dir: Path) -> None:
    assert host.interface("lo", "") is None
    assert host.interface("nosuch0", "") == "no interface nosuch0 on this host; see ip link"
    assert host.interface("lo", "nosuch") == "no network namespace nosuch; ip netns add nosuch"
    assert str(host.tap_possible("lo", "")).startswith("interface lo exists and is no TAP")
    assert host.pcap_files({"rx_pcap": "/none"}) == "rx_pcap /none: No such file or directory"
    (run_dir / "f").write_text("text")
    assert host.pcap_files({"rx_pcap": f"{run_dir}/f"}) == f"rx_pcap {run_dir}/f: not a pcap file"
    assert host.pcap_files({"tx_pcap": f"{run_dir}/none/f"}) == (
        f"tx_pcap {run_dir}/none/f: cannot write to {run_dir}/none"
    )
    assert host.pcap_files({"tx_pcap": "/dev/null"}) is None
    assert host.pci_device("net_null0,x=1") is None
    assert host.pci_device("0000:ff:1f.7") == "no PCI device 0000:ff:1f.7; see lspci -D"


def test_a_nic_that_the_kernel_uses_is_refused() -> None:
    for device in Path("/sys/bus/pci/devices").iterdir():
        if ((device / "driver").exists() and (device / "net").exists()) or list(device.glob("virtio*/net")):
            driver = os.path.basename(os.readlink(device / "driver"))
            assert f"has kernel driver {driver}; dpdk-devbind.py" in str(host.pci_device(device.name))
            return
    pytest.skip("no PCI NIC here")
