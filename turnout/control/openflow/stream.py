# SPDX-License-Identifier: Apache-2.0
"""A byte stream that never waits: TCP or Unix, plain or TLS with both sides' certificates checked."""

import contextlib
import errno
import os
import socket
import ssl
from collections import deque
from dataclasses import dataclass
from itertools import islice

from turnout.config.target import Target
from turnout.control.loop import READ, WRITE
from turnout.errors import TurnoutError

_CHUNKS = 64  # pieces of output handed to the kernel at once
_TLS_CHUNK = 16 * 1024  # [B] a TLS record


@dataclass(frozen=True, slots=True)
class Keys:
    """Paths of PEM files, as `ovs-vsctl set-ssl` takes them."""

    private_key: str
    certificate: str
    ca_cert: str

    def context(self, *, server: bool) -> ssl.SSLContext:
        """TLS 1.2 or later; the peer must show a certificate that the CA has signed. TurnoutError if a file
        is wrong.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False  # a controller's certificate says who signed it, not where it is
        context.verify_mode = ssl.CERT_REQUIRED
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.certificate, self.private_key)
            context.load_verify_locations(self.ca_cert)
        except (OSError, ssl.SSLError) as error:
            files = f"{self.private_key}, {self.certificate}, {self.ca_cert}"
            raise TurnoutError(f"ssl: cannot use {files}: {error.strerror or error}") from None
        return context


class Stream:
    """A connected socket, or one that is about to be. OSError from any call: it is broken; close it."""

    def __init__(
        self, sock: socket.socket, *, connected: bool, context: ssl.SSLContext | None = None
    ) -> None:
        sock.setblocking(False)
        self.sock = sock
        self._connected = connected
        self._context = context
        self._server = connected  # we accepted it
        self._handshaken = context is None
        self._wants = READ if connected and context else WRITE
        if connected:
            self._secure()

    @property
    def open(self) -> bool:
        """Whether bytes can be read and written."""
        return self._connected and self._handshaken

    @property
    def opening(self) -> int:
        """What to wait for while it is not open."""
        return self._wants

    @property
    def buffered(self) -> bool:
        """Whether bytes wait that no descriptor tells of."""
        return isinstance(self.sock, ssl.SSLSocket) and self._handshaken and self.sock.pending() > 0

    def advance(self) -> None:
        """Goes on with opening it, after what it waited for."""
        if not self._connected:
            if problem := self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(problem, os.strerror(problem))
            self._connected = True
            self._secure()
        if not self._handshaken and isinstance(self.sock, ssl.SSLSocket):
            try:
                self.sock.do_handshake()
                self._handshaken = True
            except ssl.SSLWantReadError:
                self._wants = READ
            except ssl.SSLWantWriteError:
                self._wants = WRITE

    def read(self, most: int) -> bytes | None:
        """What has come, b"" if the peer has hung up, None if nothing has come."""
        try:
            return self.sock.recv(most)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None
        except ssl.SSLEOFError:
            return b""

    def write(self, chunks: deque[bytes]) -> int:
        """Sends as much of the chunks as goes at once; how many bytes that was."""
        try:
            if isinstance(self.sock, ssl.SSLSocket):
                return self.sock.send(chunks[0][:_TLS_CHUNK])
            return self.sock.sendmsg(list(islice(chunks, _CHUNKS)))
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0

    def close(self) -> None:
        """Again: does nothing."""
        self.sock.close()

    def _secure(self) -> None:
        with contextlib.suppress(OSError):
            if self.sock.family != socket.AF_UNIX:
                self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context is not None:
            self.sock = self._context.wrap_socket(
                self.sock,
                server_side=self._server,
                do_handshake_on_connect=False,
                suppress_ragged_eofs=False,
            )


def connect(target: Target, context: ssl.SSLContext | None) -> Stream:
    """Begins to connect. OSError if that fails at once."""
    family = socket.AF_UNIX if target.path else socket.AF_INET6 if target.ipv6 else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)
    result = sock.connect_ex(target.path or (target.host, target.port))
    if result not in (0, errno.EINPROGRESS):
        sock.close()
        raise OSError(result, os.strerror(result))
    return Stream(sock, connected=False, context=context)


def listen(target: Target) -> socket.socket:
    """A listening TCP socket. OSError if there can't be one."""
    sock = socket.socket(socket.AF_INET6 if target.ipv6 else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((target.host, target.port))
        sock.listen(64)
    except OSError:
        sock.close()
        raise
    return sock
