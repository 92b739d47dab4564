# SPDX-License-Identifier: Apache-2.0
"""`dpdk-testpmd` as a fast pseudo-guest (virtio-user ports) or as a forwarder to compare with."""

import itertools
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from turnout.lab import hugepages
from turnout.lab.console import Console, LabError

ForwardMode = Literal[
    "io", "mac", "macswap", "flowgen", "rxonly", "txonly", "csum", "icmpecho", "5tswap", "noisy"
]
_PROMPT = r"^t?e?s?t?p?m?d?>"  # an event may come in the middle of it, or before its last blank
_serial = itertools.count()


def virtio_user(
    socket: str | Path,
    *,
    server: bool = False,
    queues: int = 1,
    mac: str = "",
    packed: bool = False,
    mrg_rxbuf: bool = True,
    queue_size: int = 1024,
    index: int = 0,
) -> str:
    """Devargs of a guest's vhost-user NIC. `server`: the guest owns the socket and the switch connects."""
    options = [
        f"net_virtio_user{index}",
        f"path={socket}",
        f"queues={queues}",
        f"queue_size={queue_size}",
        f"server={int(server)}",
        f"packed_vq={int(packed)}",
        f"mrg_rxbuf={int(mrg_rxbuf)}",
    ]
    return ",".join(options + ([f"mac={mac}"] if mac else []))


@dataclass(frozen=True)
class PortStats:
    """Counters of one port since its last clear, as its driver keeps them."""

    rx_packets: int
    rx_bytes: int
    tx_packets: int
    tx_bytes: int
    rx_missed: int
    rx_errors: int
    rx_nombuf: int
    tx_errors: int


@dataclass(frozen=True)
class ForwardStats:
    """What the forwarding engine moved on one port since `start`; dropped: it could not be sent."""

    rx_packets: int
    rx_dropped: int
    tx_packets: int
    tx_dropped: int


class Testpmd:
    """One `dpdk-testpmd` with `vdevs`; a context manager.

    >>> with Testpmd([virtio_user("/tmp/a.sock")], mode="macswap", core=0) as guest:
    ...     guest.start()
    """

    __test__ = False  # not a test class, whatever its name says to pytest

    def __init__(
        self,
        vdevs: Sequence[str],
        *,
        mode: ForwardMode = "io",
        core: int = 0,
        control_core: int | None = None,
        queues: int = 1,
        burst: int = 32,
        mbufs: int = 16384,
        mtu: int = 1500,
        rx_desc: int = 0,
        tx_desc: int = 0,
        eth_peers: Sequence[str] = (),
        packet_size: int = 64,
        flows: int = 0,
        tso: bool = False,
        extra: Sequence[str] = (),
        memory: int = 0,
        timeout: float = 30,
    ) -> None:
        """Start it (not yet forwarding) and wait at most `timeout` s for the prompt.

        `core` forwards, `control_core` (default: the same) runs the command line. `mtu` in bytes;
        `packet_size` (bytes without FCS) is of what txonly and flowgen make; `flows`: flowgen's count.
        `memory` in MB, 0: as needed. LabError if testpmd does not come up.
        """
        mbuf_size = 2176 if mtu <= 1500 else mtu + 256
        memory = memory or 64 + mbufs * (mbuf_size + 256) // (1 << 20)
        huge = hugepages.reserve(memory)
        control = core if control_core is None else control_core
        argv = [
            "dpdk-testpmd",
            # Two lcores on one physical core keep the command line usable beside the forwarding loop.
            f"--lcores=0@{control},1@{core}",
            "--no-pci",
            "--in-memory",
            "--single-file-segments",  # one memory region: vhost's memory table has room for eight
            f"--file-prefix=lab{os.getpid()}-{next(_serial)}",
            *(["-m", str(memory)] if huge else ["--no-huge", "-m", str(memory)]),
            *(f"--vdev={vdev}" for vdev in vdevs),
            "--",
            "--interactive",
            f"--forward-mode={mode}",
            "--nb-cores=1",
            f"--rxq={queues}",
            f"--txq={queues}",
            f"--burst={burst}",
            f"--total-num-mbufs={mbufs}",
            f"--mbuf-size={mbuf_size}",
            f"--txpkts={packet_size}",
            *([f"--max-pkt-len={mtu + 18}"] if mtu > 1500 else []),
            *([f"--rxd={rx_desc}"] if rx_desc else []),
            *([f"--txd={tx_desc}"] if tx_desc else []),
            *([f"--flowgen-flows={flows}"] if flows else []),
            *(["--tx-offloads=0x803e"] if tso else []),
            *(f"--eth-peer={port},{mac}" for port, mac in enumerate(eth_peers)),
            *extra,
        ]
        self._console = Console("testpmd", argv)
        try:
            self._console.expect(_PROMPT, timeout)
        except BaseException:
            self._console.close()
            raise

    @property
    def pid(self) -> int:
        return self._console.pid

    @property
    def alive(self) -> bool:
        return self._console.alive

    @property
    def log(self) -> str:
        """All that testpmd printed."""
        return self._console.log

    def command(self, line: str, timeout: float = 10) -> str:
        """Run one line of testpmd's command language; returns what it printed. LabError if it is rejected."""
        self._console.send(line + "\n")
        self._console.expect(re.escape(line) + "\n", timeout)
        answer = self._console.read_until(_PROMPT, timeout)
        if re.search(r"^(Command not found|Bad arguments|Ambiguous command)", answer, re.MULTILINE):
            raise LabError(f"testpmd: {line!r}: {answer.strip()}")
        return answer

    def start(self) -> None:
        self.command("start")

    def start_with_burst(self, bursts: int = 1) -> None:
        """Start after sending some bursts from each port: the seed of a closed loop."""
        self.command(f"start tx_first {bursts}")

    def stop(self) -> None:
        self.command("stop")

    def set_mode(self, mode: ForwardMode) -> None:
        """Change the forwarding engine; only while stopped."""
        self.command(f"set fwd {mode}")

    def set_burst(self, packets: int) -> None:
        self.command(f"set burst {packets}")

    def set_eth_peer(self, port: int, mac: str) -> None:
        """Destination MAC of what the `mac`, `txonly` and `flowgen` engines send from `port`."""
        self.command(f"set eth-peer {port} {mac}")

    def set_mtu(self, port: int, mtu: int) -> None:
        self.command(f"port config mtu {port} {mtu}")

    def set_tso(self, port: int, segment_size: int) -> None:
        """Let the csum engine ask for TCP segments of `segment_size` bytes; stops the port meanwhile."""
        for line in (f"port stop {port}", f"csum set tcp hw {port}", f"csum set ip hw {port}",
                     f"tso set {segment_size} {port}", f"port start {port}"):  # fmt: skip
            self.command(line)

    def mac(self, port: int = 0) -> str:
        found = re.search(r"MAC address: ([0-9A-Fa-f:]{17})", self.command(f"show port info {port}"))
        if found is None:
            raise self._console.failure(f"has no MAC address on port {port}")
        return found[1].lower()

    def link_up(self, port: int = 0) -> bool:
        return "Link status: up" in self.command(f"show port info {port}")

    def wait_link(self, port: int = 0, timeout: float = 10) -> None:
        """Wait until the switch's side is connected."""
        deadline = time.monotonic() + timeout
        while not self.link_up(port):
            if time.monotonic() > deadline:
                raise LabError(f"testpmd: port {port} has no link after {timeout:g} s")
            time.sleep(0.02)

    def port_stats(self, port: int = 0) -> PortStats:
        numbers = _numbers(self.command(f"show port stats {port}"))
        return PortStats(
            rx_packets=numbers["RX-packets"],
            rx_bytes=numbers["RX-bytes"],
            tx_packets=numbers["TX-packets"],
            tx_bytes=numbers["TX-bytes"],
            rx_missed=numbers["RX-missed"],
            rx_errors=numbers["RX-errors"],
            rx_nombuf=numbers["RX-nombuf"],
            tx_errors=numbers["TX-errors"],
        )

    def queue_packets(self, direction: Literal["rx", "tx"], port: int = 0) -> list[int]:
        """Packets of each queue, as the driver counts them."""
        pattern = rf"^{direction}_q\d+_?(?:good_)?packets: (\d+)"
        return [int(n) for n in re.findall(pattern, self.command(f"show port xstats {port}"), re.MULTILINE)]

    def forward_stats(self) -> dict[int, ForwardStats]:
        """Per port; counts since `start`."""
        text = self.command("show fwd stats all").split("Accumulated")[0]
        sections = re.split(r"Forward statistics for port (\d+)", text)[1:]
        result = {}
        for port, section in zip(sections[::2], sections[1::2], strict=True):
            numbers = _numbers(section)
            result[int(port)] = ForwardStats(
                rx_packets=numbers["RX-packets"],
                rx_dropped=numbers["RX-dropped"],
                tx_packets=numbers["TX-packets"],
                tx_dropped=numbers["TX-dropped"],
            )
        return result

    def clear_stats(self) -> None:
        self.command("clear port stats all")

    def kill(self) -> None:
        """SIGKILL: a guest that crashes."""
        self._console.kill()

    def close(self) -> None:
        """Quit in order (closing virtio ports cleanly), or be killed after 5 s."""
        try:
            if self._console.alive:
                self._console.send("quit\n")
        except LabError:
            pass  # it left in between
        self._console.close(grace=5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _numbers(text: str) -> dict[str, int]:
    return {name: int(value) for name, value in re.findall(r"([RT]X-\w+):\s+(\d+)", text)}
