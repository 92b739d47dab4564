# SPDX-License-Identifier: Apache-2.0
"""The real `ovs-ofctl` as the reference for text and bytes: what it sends for flows, how it prints bytes."""

import contextlib
import socket
import struct
import subprocess
import tempfile
import threading
from pathlib import Path

HEADER = struct.Struct(">BBHI")
VERSION = 4
HELLO, ECHO, FLOW_MOD, MULTIPART, BARRIER = 0, 2, 14, 18, 20
TABLE_FEATURES = 12
TABLE = struct.pack(">H62x", 128) + b"".join(struct.pack(">HH4x", kind, 4) for kind in range(0, 16, 2))


def _serve(listener: socket.socket, sent: list[bytes]) -> None:
    """A switch that says yes to everything and keeps the flow_mods; ovs-ofctl connects more than once."""
    with contextlib.suppress(OSError):  # closed: ovs-ofctl had something to complain about
        while not sent:
            peer, _ = listener.accept()
            with peer:
                _talk(peer, sent)


def _talk(peer: socket.socket, sent: list[bytes]) -> None:
    peer.sendall(HEADER.pack(VERSION, HELLO, 8, 0))
    buffer = b""
    while data := peer.recv(65536):
        buffer += data
        while len(buffer) >= 8:
            _, kind, length, xid = HEADER.unpack_from(buffer)
            if len(buffer) < length:
                break
            message, buffer = buffer[:length], buffer[length:]
            if kind == FLOW_MOD:
                sent.append(message)
            elif kind == ECHO:
                peer.sendall(HEADER.pack(VERSION, ECHO + 1, length, xid) + message[8:])
            elif kind == MULTIPART:  # the names of tables (one, which has none) or ports (there are none)
                body = TABLE if message[9] == TABLE_FEATURES else b""
                peer.sendall(HEADER.pack(VERSION, kind + 1, 16 + len(body), xid) + message[8:16] + body)
            elif kind == BARRIER:
                peer.sendall(HEADER.pack(VERSION, kind + 1, 8, xid))


def flow_mods(lines: list[str], command: str = "add-flows") -> list[bytes]:
    """The OpenFlow 1.3 flow_mods that ovs-ofctl sends for these lines; ValueError says what it refuses."""
    sent: list[bytes] = []
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        path, file = Path(folder) / "switch", Path(folder) / "flows"
        listener.bind(str(path))
        listener.listen(1)
        thread = threading.Thread(target=_serve, args=(listener, sent), daemon=True)
        thread.start()
        file.write_text("".join(f"{line}\n" for line in lines))
        run = ["ovs-ofctl", "-O", "OpenFlow13", "-F", "OXM-OpenFlow13", command, f"unix:{path}", str(file)]
        done = subprocess.run(run, capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise ValueError(done.stderr.strip())
        thread.join(10)
    return sent


def print_message(message: bytes) -> str:
    """How ovs-ofctl prints a message."""
    done = subprocess.run(
        ["ovs-ofctl", "ofp-print", message.hex()], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def print_flows(entries: list[tuple[bytes, bytes]], *options: str) -> list[str]:
    """How `ovs-ofctl dump-flows` prints flows of these matches (OXM entries) and instructions."""
    body = b""
    for match, instructions in entries:
        padded = struct.pack(">HH", 1, 4 + len(match)) + match
        padded += bytes(-len(padded) % 8)
        length = 48 + len(padded) + len(instructions)
        body += (
            struct.pack(">HBxIIHHHH4xQQQ", length, 0, 0, 0, 0x8000, 0, 0, 0, 0, 0, 0) + padded + instructions
        )
    message = HEADER.pack(VERSION, 19, 16 + len(body), 2) + struct.pack(">HHI", 1, 0, 0) + body
    with tempfile.NamedTemporaryFile() as file:
        file.write(message)
        file.flush()
        done = subprocess.run(
            ["ovs-ofctl", *options, "ofp-parse", file.name],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    return [line.strip() for line in done.stdout.splitlines()[1:]]
