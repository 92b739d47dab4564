# SPDX-License-Identifier: Apache-2.0
"""Where a switch keeps its sockets and state, for root and for others."""

import os
from pathlib import Path


def run_dir() -> Path:
    """Sockets and the pid file: /run/turnout for root, else $XDG_RUNTIME_DIR/turnout."""
    if os.geteuid() == 0:
        return Path("/run/turnout")
    return Path(os.environ.get("XDG_RUNTIME_DIR") or f"/tmp/turnout-{os.geteuid()}") / "turnout"


def control_socket() -> Path:
    """The daemon's control socket; $TURNOUT_SOCKET overrides it."""
    return Path(os.environ.get("TURNOUT_SOCKET") or run_dir() / "turnout.ctl")


def state_file() -> Path:
    """What outlives the daemon: /var/lib/turnout/state.json for root, else below $XDG_STATE_HOME."""
    if os.geteuid() == 0:
        return Path("/var/lib/turnout/state.json")
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    return Path(home) / "turnout/state.json"
