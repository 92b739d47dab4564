# SPDX-License-Identifier: Apache-2.0
"""All of Open vSwitch's commands that Turnout answers, by name."""

from turnout.control.appctl import dpctl, dpif, fdb, memory, ofproto, pmd, vlog
from turnout.control.unixctl import Command
from turnout.switch import Switch


def commands(switch: Switch) -> dict[str, Command]:
    """Name → command, each on `switch`."""
    return {
        **dpctl.commands(switch),
        **dpif.commands(switch),
        **fdb.commands(switch),
        **memory.commands(switch),
        **ofproto.commands(switch),
        **pmd.commands(switch),
        **vlog.commands(),
    }
