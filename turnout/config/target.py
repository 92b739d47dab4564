# SPDX-License-Identifier: Apache-2.0
"""Where controllers are, as `ovs-vsctl set-controller` spells it (ovsdb(7), OpenFlow connection methods)."""

import ipaddress
import re
from dataclasses import dataclass

PORT = 6653  # OpenFlow's, of IANA

_ACTIVE = re.compile(r"(\[(?P<six>[^\]]+)\]|(?P<four>[^:\[\]]+))(:(?P<port>\d{1,5}))?")
_PASSIVE = re.compile(r"(?P<port>\d{1,5})?(:(\[(?P<six>[^\]]+)\]|(?P<four>[^:\[\]]+)))?")
_METHODS = "tcp:IP[:PORT], ssl:IP[:PORT], unix:PATH, ptcp:[PORT][:IP], pssl:[PORT][:IP] or punix:PATH"


@dataclass(frozen=True, slots=True)
class Target:
    """A place to connect to, or (passive) to listen at: a Unix socket's path, or an address and a TCP
    port.
    """

    text: str
    passive: bool
    tls: bool
    path: str = ""
    host: str = ""
    port: int = PORT

    @property
    def ipv6(self) -> bool:
        """Whether the address is one of IPv6."""
        return ":" in self.host


def parse(text: str) -> Target:
    """ValueError says what is wrong with `text`."""
    method, _, rest = text.partition(":")
    passive = method.startswith("p")
    match method.removeprefix("p"):
        case "unix":
            if not rest.startswith("/") or len(rest.encode()) > 107:
                raise ValueError(
                    f"expected an absolute path of at most 107 bytes after {method}:, got {rest!r}"
                )
            return Target(text, passive, tls=False, path=rest)
        case "tcp" | "ssl" as kind:
            found = (_PASSIVE if passive else _ACTIVE).fullmatch(rest)
            if not found:
                raise ValueError(f"expected {_METHODS}, got {text!r}")
            host = found["six"] or found["four"] or "0.0.0.0"
            port = int(found["port"] or PORT)
            try:
                address = ipaddress.ip_address(host)
            except ValueError:
                raise ValueError(f"expected an IP address, got {host!r}") from None
            if (address.version == 6) != bool(found["six"]) and found["six"]:
                raise ValueError(f"only IPv6 addresses go into brackets, got {host!r}")
            if not (0 if passive else 1) <= port <= 65535:
                raise ValueError(f"expected a port of 1..65535, got {port}")
            return Target(text, passive, tls=kind == "ssl", host=host, port=port)
    raise ValueError(f"expected {_METHODS}, got {text!r}")
