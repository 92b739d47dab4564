# SPDX-License-Identifier: Apache-2.0
"""os-ken's controllers drive real traffic between namespaces; TLS, restarts, fail modes."""

import json
import socket
import ssl
import urllib.request

import pytest

from tests.controllers.conftest import Controller, ControllerFactory, Host, Pki, free_port
from tests.peers import wire
from tests.peers.switch import BRIDGE, Peer
from turnout.lab.wait import until


def _flows(peer: Peer) -> str:
    return peer.must("-O", "OpenFlow13", "dump-flows", BRIDGE)


def _started(controller: ControllerFactory, app: str, port: int, **environment: str) -> Controller:
    made = controller(
        app, "--ofp-tcp-listen-port", str(port), "--ofp-listen-host", "127.0.0.1", **environment
    )
    made.wait_listening(port)
    return made


@pytest.mark.parametrize(("app", "protocol"), [("switch13", "OpenFlow13"), ("switch10", "OpenFlow10")])
def test_learning_switch(
    peer: Peer, hosts: list[Host], controller: ControllerFactory, app: str, protocol: str
) -> None:
    """The controller learns from packet-ins; once it has set flows, nothing goes up to it."""
    peer.reset()
    port = free_port()
    running = _started(controller, app, port)
    peer.set_bridge("fail_mode", "secure")
    peer.set_bridge("protocols", ",".join(sorted({protocol, "OpenFlow13"})))
    peer.set_controller(f"tcp:127.0.0.1:{port}")
    one, two, three = hosts
    until(lambda: one.reaches(two), f"traffic through {app}: {running.log}", timeout=20)
    assert two.reaches(one)
    assert three.reaches(one)
    until(lambda: one.reaches(two) and _flows(peer).count("dl_dst=") >= 4, "flows of both directions")
    before = running.log.count("packet in")
    one.namespace.ping(two.address, count=20, interval=0.01)
    ups = running.log[before:].count(f"packet in {one.namespace.mac('eth0')} {two.namespace.mac('eth0')}")
    assert ups <= 2
    assert "error" not in running.log.lower(), running.log


def _rest(port: int, method: str, path: str, body: object = None) -> object:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def test_firewall(peer: Peer, hosts: list[Host], controller: ControllerFactory) -> None:
    """Rules that come and go by REST let traffic pass and stop it; their counters are the switch's."""
    if peer.name == "ovs":
        pytest.skip("its controllers are in a namespace, out of REST's reach")
    peer.reset()
    port, rest = free_port(), free_port()
    running = _started(controller, "firewall", port, FIREWALL_PORT=str(rest))
    peer.set_bridge("fail_mode", "secure")
    peer.set_controller(f"tcp:127.0.0.1:{port}")
    until(lambda: "connected" in running.log, "the switch at the controller", timeout=20)
    until(lambda: "arp" in _flows(peer), "the firewall's first flow")
    one, two, three = hosts
    assert not one.reaches(two)
    there = _rest(rest, "POST", "/rules", {"nw_src": one.address, "nw_dst": two.address, "nw_proto": 1})
    back = _rest(rest, "POST", "/rules", {"nw_src": two.address, "nw_dst": one.address, "nw_proto": 1})
    assert isinstance(there, dict)
    assert isinstance(back, dict)
    until(lambda: one.reaches(two), "what the rules allow")
    assert not one.reaches(three)
    packets = [rule["packets"] for rule in _rest(rest, "GET", "/rules")]  # type: ignore[attr-defined]
    assert packets[0] >= 1
    assert packets[1] >= 1
    _rest(rest, "DELETE", f"/rules/{back['id']}")
    until(lambda: not one.reaches(two), "the rule's end")


def _tls(controller: ControllerFactory, port: int, pki: Pki, authority: str) -> Controller:
    files = "--ctl-privkey", pki.key("ctl"), "--ctl-cert", pki.certificate("ctl"), "--ca-certs", authority
    made = controller(
        "switch13", "--ofp-ssl-listen-port", str(port), "--ofp-listen-host", "127.0.0.1", *files
    )
    made.wait_listening(port)
    return made


def test_tls(peer: Peer, hosts: list[Host], controller: ControllerFactory, pki: Pki) -> None:
    """Certificates on both sides, as `ovs-pki` makes them."""
    peer.reset()
    port = free_port()
    running = _tls(controller, port, pki, pki.authority("switch"))
    peer.set_bridge("fail_mode", "secure")
    peer.set_controller(f"ssl:127.0.0.1:{port}")
    until(lambda: "connected" in running.log, "the switch at the controller", timeout=20)
    until(lambda: hosts[0].reaches(hosts[1]), "traffic", timeout=20)


class _Listener:
    """A controller's end of TLS, which tells how each attempt of the switch ended."""

    def __init__(self, port: int, pki: Pki, authority: str) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pki.certificate("ctl"), pki.key("ctl"))
        self._context.load_verify_locations(authority)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._socket = socket.create_server(("127.0.0.1", port))
        self._socket.settimeout(20)

    def attempt(self) -> tuple[str, bytes]:
        """Why the handshake failed ("" if it didn't), and the first bytes of OpenFlow."""
        connection, _ = self._socket.accept()
        with connection:
            connection.settimeout(10)
            try:
                with self._context.wrap_socket(connection, server_side=True) as secure:
                    return "", secure.recv(8)
            except ssl.SSLError as error:
                return str(error), b""

    def close(self) -> None:
        self._socket.close()


@pytest.mark.parametrize("wrong", ["controller", "switch"])
def test_a_certificate_of_another_authority_is_refused(
    peer: Peer, pki: Pki, wrong_pki: Pki, wrong: str
) -> None:
    """Neither side takes the other's; no OpenFlow is spoken, the switch tries again and stays whole."""
    if peer.name == "ovs":
        pytest.skip("its controllers are in a namespace, out of this listener's reach")
    peer.reset()
    port = free_port()
    theirs = wrong_pki if wrong == "controller" else pki
    trusted = (wrong_pki if wrong == "switch" else pki).authority("switch")
    listener = _Listener(port, theirs, trusted)
    try:
        peer.set_bridge("fail_mode", "secure")
        peer.set_controller(f"ssl:127.0.0.1:{port}")
        for _ in range(2):
            why, spoken = listener.attempt()
            assert why
            assert not spoken
    finally:
        listener.close()
    peer.must("-O", "OpenFlow13", "add-flow", BRIDGE, "actions=normal")
    right = _Listener(port, pki, pki.authority("switch"))
    try:
        why, spoken = right.attempt()
        assert not why
        assert spoken[1] == wire.HELLO
    finally:
        right.close()


def test_a_controller_that_comes_back_is_found_again(
    peer: Peer, hosts: list[Host], controller: ControllerFactory
) -> None:
    """Flows go on while it is away (fail mode secure); new ones are learnt when it is back."""
    peer.reset()
    port = free_port()
    first = _started(controller, "switch13", port)
    peer.set_bridge("fail_mode", "secure")
    peer.set_controller(f"tcp:127.0.0.1:{port}")
    one, two, three = hosts
    until(
        lambda: one.reaches(two) and _flows(peer).count("dl_dst=") >= 2,
        "flows of both directions",
        timeout=20,
    )
    first.kill()
    # Addresses are known already (ARP): the flows alone carry this.
    assert one.reaches(two)
    second = _started(controller, "switch13", port)
    until(lambda: "connected" in second.log, "the switch at the second controller", timeout=30)
    until(lambda: three.reaches(two), "traffic that only the second can have allowed", timeout=20)


def test_fail_mode_standalone(peer: Peer, hosts: list[Host]) -> None:
    """Without a controller that answers, the switch comes to learn and forward by itself."""
    peer.reset()
    peer.set_bridge("fail_mode", "standalone")
    peer.set_controller(f"tcp:127.0.0.1:{free_port()}")
    until(lambda: hosts[0].reaches(hosts[1]), "traffic without a controller", timeout=60)


def test_fail_mode_secure(peer: Peer, hosts: list[Host]) -> None:
    """Without a controller that answers, only flows say what passes."""
    peer.reset()
    peer.set_bridge("fail_mode", "secure")
    peer.set_controller(f"tcp:127.0.0.1:{free_port()}")
    peer.reset()
    assert not hosts[0].reaches(hosts[1])
    peer.must("-O", "OpenFlow13", "add-flow", BRIDGE, "actions=normal")
    until(lambda: hosts[0].reaches(hosts[1]), "what the flow allows")


def test_two_controllers(peer: Peer, hosts: list[Host], controller: ControllerFactory) -> None:
    """Both are connected; both hear of packets, as equals."""
    peer.reset()
    ports = [free_port(), free_port()]
    # One learns, the other only listens: two learning switches would send each packet twice.
    learning = _started(controller, "switch13", ports[0])
    with peer.session() as listening:
        listening.send(wire.message(wire.OF13, wire.SET_CONFIG, b"\0\0\xff\xff"))
        peer.set_bridge("fail_mode", "secure")
        peer.set_controller(f"tcp:127.0.0.1:{ports[0]}", f"tcp:127.0.0.1:{ports[1]}")
        until(lambda: hosts[0].reaches(hosts[1]), f"traffic: {learning.log}", timeout=20)
        assert any(message.type == wire.PACKET_IN for message in listening.ask())
