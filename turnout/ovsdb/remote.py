# SPDX-License-Identifier: Apache-2.0
"""Where the database is, as Open vSwitch spells it: "unix:FILE", "tcp:IP:PORT", "ssl:IP:PORT", or several of
these with commas between, for a database that more than one server has.
"""

import ipaddress
import re

_INTERNET = re.compile(r"(tcp|ssl):(\[(?P<six>[^\]]+)\]|(?P<any>[^\[\]]+)):(?P<port>[0-9]{1,5})")


def split(text: str) -> list[str]:
    """One each; a comma may be part of a file's name."""
    return re.split(r",(?=[^,]*:)", text)


def valid(text: str, kinds: tuple[str, ...] = ("unix:", "tcp:", "ssl:")) -> bool:
    """Whether each can be, and begins with one of `kinds`."""
    return all(one.startswith(kinds) and _valid(one) for one in split(text))


def _valid(one: str) -> bool:
    if one.startswith("unix:"):
        return len(one) > len("unix:")
    found = _INTERNET.fullmatch(one)
    if not found or not 1 <= int(found["port"]) <= 65535:
        return False
    try:
        address = ipaddress.ip_address(found["six"] or found["any"])
    except ValueError:
        return False
    return address.version == 6 or not found["six"]
