# SPDX-License-Identifier: Apache-2.0
"""A running daemon; hosts (network namespaces behind TAPs) and guests (testpmd on vhost-user) around it."""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from turnout.lab.daemon import Daemon
from turnout.lab.frames import FrameSocket
from turnout.lab.netns import Namespace
from turnout.lab.testpmd import ForwardMode, Testpmd, virtio_user
from turnout.lab.wait import until

WORKER_CORE, GUEST_CORE = 1, 0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of this needs root: namespaces, TAPs, hugepages."""
    if os.geteuid() != 0:
        for item in items:
            if "e2e" in item.path.parts:
                item.add_marker(pytest.mark.skip(reason="not available here: needs root"))


@pytest.fixture
def switch() -> Iterator[Daemon]:
    """A daemon with one worker and one bridge, br0."""
    with Daemon(cores=[WORKER_CORE]) as daemon:
        daemon.add_bridge("br0")
        yield daemon


@dataclass(frozen=True)
class Host:
    """A namespace whose eth0 is the TAP of the port `port`, at `address`."""

    port: str
    address: str
    namespace: Namespace

    @property
    def mac(self) -> str:
        return self.namespace.mac("eth0")

    def reaches(self, other: "Host") -> bool:
        return self.namespace.reaches(other.address, wait=0.5)


HostFactory = Callable[..., Host]


@pytest.fixture
def host(switch: Daemon) -> Iterator[HostFactory]:
    """Makes hosts: `host("a")`, `host("a", "tag=10", bridge="br1", mtu=9000)`; addresses 10.0.0.1, .2 …"""
    with contextlib.ExitStack() as stack:
        count = 0

        def make(name: str, *columns: str, bridge: str = "br0", mtu: int = 1500) -> Host:
            nonlocal count
            count += 1
            address = f"10.0.0.{count}"
            namespace = stack.enter_context(Namespace(name))
            switch.add_port(
                bridge,
                name,
                *("type=tap", "options:iface=eth0", f"options:netns={namespace.name}", f"mtu={mtu}"),
                *columns,
            )
            namespace.up("eth0", f"{address}/24")
            return Host(name, address, namespace)

        yield make
        for bridge in switch.show().bridges:
            for port in bridge.ports:
                switch.del_port(port.name)


FramesFactory = Callable[[Host], FrameSocket]


@pytest.fixture
def frames() -> Iterator[FramesFactory]:
    """Opens raw sockets on hosts' eth0."""
    with contextlib.ExitStack() as stack:
        yield lambda host: stack.enter_context(FrameSocket(host.namespace))


GuestFactory = Callable[..., Testpmd]


@pytest.fixture
def guest(switch: Daemon) -> Iterator[GuestFactory]:
    """Makes guests with one vhost-user NIC each: `guest("g1")` is on port g1 with MAC 02:00:00:00:00:01 …

    With `server=True` the guest owns the socket and the port is of type vhost-user-client.
    """
    with contextlib.ExitStack() as stack:
        count = 0

        def make(
            name: str,
            *columns: str,
            mode: ForwardMode = "macswap",
            peer: str = "",
            server: bool = False,
            queues: int = 1,
            new_port: bool = True,
            mac: str = "",
            burst: int = 32,
        ) -> Testpmd:
            nonlocal count
            count += 1
            path = switch.rundir / f"{name}.sock"
            if new_port:
                kind = "vhost-user-client" if server else "vhost-user"
                settings = (f"type={kind}", f"options:path={path}", f"n_rxq={queues}", *columns)
                switch.add_port("br0", name, *settings)
            if server:
                path.unlink(missing_ok=True)  # a dead guest's: DPDK, unlike QEMU, does not replace it
            mac = mac or f"02:00:00:00:00:{count:02x}"
            device = virtio_user(path, server=server, queues=queues, mac=mac)
            peers = [peer] if peer else []
            made = stack.enter_context(
                Testpmd([device], mode=mode, core=GUEST_CORE, queues=queues, eth_peers=peers, burst=burst)
            )
            made.wait_link()
            until(lambda: switch.port(name).link_up, f"port {name} up")
            return made

        yield make
