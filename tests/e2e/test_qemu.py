# SPDX-License-Identifier: Apache-2.0
"""Emulated Linux guests: on vhost-user in both roles, and on e1000 and virtio over plain kernel TAPs."""

import contextlib
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import HostFactory
from turnout.lab.console import run
from turnout.lab.daemon import Daemon
from turnout.lab.qemu import Guest, Tap, VhostUser
from turnout.lab.wait import until

pytestmark = pytest.mark.timeout(400)  # the first run downloads a kernel of 70 MB


@pytest.fixture
def pair() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


def boot(stack: contextlib.ExitStack, *nics: VhostUser | Tap) -> list[Guest]:
    """A guest for each NIC, at 10.0.1.1, 10.0.1.2 … in 10.0.0.0/16; they boot side by side."""
    guests = [stack.enter_context(Guest([nic], wait=False)) for nic in nics]
    for number, guest in enumerate(guests, start=1):
        guest.booted()
        guest.address("eth0", f"10.0.1.{number}/16")
    return guests


def test_guests_on_vhost_user(switch: Daemon, host: HostFactory, pair: contextlib.ExitStack) -> None:
    near = host("near")
    near.namespace.ip("addr", "replace", "10.0.0.1/16", "dev", "eth0")
    ours, theirs = switch.rundir / "ours.sock", switch.rundir / "theirs.sock"
    switch.add_port("br0", "ours", "type=vhost-user", f"options:path={ours}")
    switch.add_port("br0", "theirs", "type=vhost-user-client", f"options:path={theirs}")
    a, b = boot(pair, VhostUser(ours), VhostUser(theirs, server=True))
    a.ping("10.0.1.2")
    b.ping("10.0.0.1")
    near.namespace.ping("10.0.1.1", wait=5)

    # TSO: what one guest leaves unsegmented the other gets unsegmented.
    before = switch.stats("ours")
    b.run("iperf3 --server --daemon --one-off")
    a.run("iperf3 --client 10.0.1.2 --time 3", timeout=60)
    after = switch.stats("ours")
    mean = (after.rx_bytes - before.rx_bytes) / (after.rx_packets - before.rx_packets)
    assert mean > 3000, "frames longer than the MTU crossed"
    assert sum(switch.drops().values()) < 100

    # To a TAP, which can't take it, it is segmented and its checksums are completed.
    server = near.namespace.popen("iperf3", "--server", "--one-off")
    until(lambda: ":5201 " in near.namespace.run("ss", "-Hltn"), "iperf3 listens")
    a.run("iperf3 --client 10.0.0.1 --bytes 4M", timeout=60)
    server.communicate(timeout=10)
    assert server.returncode == 0

    # Guests survive the switch.
    switch.kill()
    switch.start()
    until(lambda: a.try_run("/tools/ping -c 1 -W 1 10.0.1.2")[1] == 0, "guests reach each other again", 20)


def test_guests_on_taps(switch: Daemon, host: HostFactory, pair: contextlib.ExitStack) -> None:
    near = host("near")
    near.namespace.ip("addr", "replace", "10.0.0.1/16", "dev", "eth0")
    names = [f"qtap{switch.pid}{end}" for end in "ab"]
    for name in names:
        run("ip", "tuntap", "add", "dev", name, "mode", "tap")
        pair.callback(run, "ip", "link", "delete", name)
        run("ip", "link", "set", name, "up")
        switch.add_port("br0", name, "type=af_packet")
        pair.callback(switch.del_port, name)
    a, b = boot(pair, Tap(names[0], model="e1000"), Tap(names[1]))
    assert "driver: e1000" in a.run("ethtool -i eth0")
    assert "driver: virtio_net" in b.run("ethtool -i eth0")
    a.ping("10.0.1.2")
    b.ping("10.0.0.1")
    near.namespace.ping("10.0.1.1", wait=5)
    b.run("iperf3 --server --daemon --one-off")
    a.run("iperf3 --client 10.0.1.2 --bytes 2M", timeout=60)
