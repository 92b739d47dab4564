# SPDX-License-Identifier: Apache-2.0
"""What a TAP leaves to be done (checksums, segmentation) is done on the way to a port that does neither."""

import sys

import pytest

from tests.seam.conftest import Bench
from turnout import _engine
from turnout.lab.console import run
from turnout.lab.netns import Namespace, VethPair
from turnout.lab.wait import until

SIZE = 1 << 24  # bytes
NETS = [pytest.param("10.9.0.{}/24", id="IPv4"), pytest.param("fd00:9::{}/64", id="IPv6")]

RECEIVE = """
import hashlib, socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
with socket.create_server((sys.argv[1], 5000), family=family) as listener:
    print("listens", flush=True)
    connection, _ = listener.accept()
with connection:
    digest = hashlib.sha256()
    while part := connection.recv(1 << 20):
        digest.update(part)
print(digest.hexdigest())
"""

SEND = """
import hashlib, random, socket, sys
data = random.Random(1).randbytes(int(sys.argv[2]))
with socket.create_connection((sys.argv[1], 5000), timeout=20) as connection:
    connection.sendall(data)
print(hashlib.sha256(data).hexdigest())
"""


def attach(bench: Bench, interface: str) -> int:
    """AF_PACKET on a kernel interface: a driver that neither checksums nor segments."""
    name = f"net_af_packet_{interface}"
    devargs = f"{name},iface={interface},framesz=2048,blocksz=4096,framecnt=512"
    return bench.datapath.attach(devargs, rxqs=1, txqs=1, rx_desc=256, tx_desc=256, mtu=1500, netns="")


def tap(bench: Bench, namespace: Namespace) -> int:
    """A TAP, eth0 in `namespace`, whose kernel leaves checksums and segmentation to us."""
    return bench.datapath.attach_tap("eth0", mac="", queues=1, mtu=1500, netns=namespace.name)


def poll_all(bench: Bench) -> None:
    bench.queues = {port: _engine.QueueSpec(port=port, queue=0, worker=0) for port in bench.ports}
    bench.publish()


def set_up(namespace: Namespace, address: str) -> None:
    namespace.run("sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=0")
    namespace.ip("addr", "add", address, "dev", "eth0", *(["nodad"] if ":" in address else []))
    namespace.ip("link", "set", "eth0", "up")


def kernel_counter(namespace: Namespace, name: str) -> int:
    """One of nstat's."""
    return int(namespace.run("nstat", "-asz", name).splitlines()[1].split()[1])


def transfer(near: Namespace, host: Namespace, net: str) -> None:
    """TCP and UDP from the first address of `net`, in `near`, to the second, in `host`."""
    set_up(near, net.format(1))
    set_up(host, net.format(2))
    to, v6 = net.format(2).partition("/")[0], "6" if ":" in net else ""

    receiver = host.popen(sys.executable, "-c", RECEIVE, to)
    assert receiver.stdout
    assert receiver.stdout.readline() == "listens\n"
    sent = near.run(sys.executable, "-c", SEND, to, str(SIZE))
    assert receiver.communicate(timeout=30)[0] == sent
    assert kernel_counter(host, "TcpInCsumErrors") == 0

    near.run("bash", "-c", f"printf odd > /dev/udp/{to}/9")
    # Counted once its checksum was found right.
    until(lambda: kernel_counter(host, f"Udp{v6}NoPorts") == 1, "UDP arrives")
    assert kernel_counter(host, f"Udp{v6}InCsumErrors") == 0


def check_cut(bench: Bench, tap: int, cable: int) -> None:
    """Super-packets came in by port `tap` and left in segments by port `cable`."""
    totals = {counters.port: counters for counters in bench.datapath.port_counters()}
    assert totals[tap].rx_bytes / totals[tap].rx_packets > 2 * 1514
    assert totals[cable].tx_bytes / totals[cable].tx_packets < 1518
    assert not {reason for _, reason in bench.drops()} & {"no-segments", "too-long"}


@pytest.mark.parametrize("net", NETS)
def test_from_a_tap_to_a_veth(bench: Bench, net: str) -> None:
    with Namespace("far") as host, VethPair() as cable:
        host.take(cable.inner)
        # AF_PACKET does not tell of checksums and segments left to do: the host must do its own.
        host.run("ethtool", "-K", cable.inner, "tx", "off")
        host.ip("link", "set", cable.inner, "down")
        host.ip("link", "set", cable.inner, "name", "eth0")
        bench.port(1, device=tap(bench, bench.namespace))
        bench.port(2, device=attach(bench, cable.outer))
        poll_all(bench)
        transfer(bench.namespace, host, net)
        check_cut(bench, 1, 2)
        bench.datapath.close()


@pytest.mark.parametrize("net", NETS)
def test_tagged_between_two_bridges(bench: Bench, net: str) -> None:
    """TAP, bridge, cable, bridge, TAP: what crosses the cable is tagged."""
    bench.bridge(1)
    with Namespace("far") as host, VethPair() as cable:
        run("ip", "link", "set", cable.inner, "up")
        bench.port(1, device=tap(bench, bench.namespace), mode="access", tag=20)
        bench.port(2, device=attach(bench, cable.outer))
        bench.port(3, device=attach(bench, cable.inner), bridge=1)
        bench.port(4, device=tap(bench, host), bridge=1, mode="access", tag=20)
        poll_all(bench)
        transfer(bench.namespace, host, net)
        check_cut(bench, 1, 2)
        bench.datapath.close()
