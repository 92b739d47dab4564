# SPDX-License-Identifier: Apache-2.0
"""One request to the daemon: unixctl's client side. Standard library only, since every verb of the CLI waits
for it.
"""

import json
import socket
from pathlib import Path

from turnout.errors import TurnoutError

TIMEOUT = 60.0  # s; making a device can take a while


def request(path: Path, method: str, *arguments: str, timeout: float = TIMEOUT) -> str:
    """The daemon's reply to `method`. TurnoutError is its refusal, or says why it cannot be reached."""
    message = json.dumps({"id": 0, "method": method, "params": arguments}).encode()
    received = bytearray()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout)
        try:
            sock.connect(str(path))
            sock.sendall(message)
            while True:
                if not (data := sock.recv(65536)):
                    raise TurnoutError(f"{path}: the daemon closed the connection; see its log")
                received += data
                if data.rstrip().endswith(b"}") and (reply := _decode(received)) is not None:
                    break
        except TimeoutError:
            raise TurnoutError(f"{path}: no reply from the daemon in {timeout:.0f} s") from None
        except PermissionError:
            raise TurnoutError(f"{path}: no permission; run as the user who started the daemon") from None
        except (FileNotFoundError, ConnectionRefusedError):
            raise TurnoutError(f"{path}: no daemon there; start one with: turnout serve") from None
        except OSError as error:
            raise TurnoutError(f"{path}: {error}") from None
    if reply["error"] is not None:
        raise TurnoutError(str(reply["error"]).rstrip("\n"))
    return str(reply["result"])


def _decode(data: bytearray) -> dict[str, object] | None:
    """The reply, None while it is incomplete."""
    try:
        reply = json.loads(data)
    except ValueError:
        return None
    return reply if isinstance(reply, dict) and "result" in reply else None
