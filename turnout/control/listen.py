# SPDX-License-Identifier: Apache-2.0
"""Unix sockets to listen at: the control socket's, and OpenFlow's."""

import os
import socket
from pathlib import Path

from turnout.control import host
from turnout.errors import TurnoutError

BACKLOG = 64


def listen_unix(path: Path, what: str) -> socket.socket:
    """A non-blocking listener at `path`, for its owner only (mode 0600), in place of a dead process's socket.

    TurnoutError, one line that begins with `what`, if there can't be one.
    """
    if len(os.fsencode(path)) > 107:
        raise TurnoutError(f"{what} socket {path}: longer than the 107 bytes of a Unix socket's path")
    if problem := host.free_socket(str(path)):
        raise TurnoutError(f"{what} {problem}")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.setblocking(False)
    mask = os.umask(0o177)
    try:
        listener.bind(str(path))
    except OSError as error:
        listener.close()
        raise TurnoutError(f"{what} socket {path}: {error.strerror}") from None
    finally:
        os.umask(mask)
    listener.listen(BACKLOG)
    return listener
