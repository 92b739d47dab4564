# SPDX-License-Identifier: Apache-2.0
"""ofproto/*: bridges as OpenFlow sees them."""

from turnout.control.unixctl import Command
from turnout.switch import Switch


def commands(switch: Switch) -> dict[str, Command]:
    """Name → command."""
    return {"ofproto/list": Command(lambda _: "\n".join(b.name for b in switch.config.bridges))}
