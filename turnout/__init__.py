# SPDX-License-Identifier: Apache-2.0
"""Turnout: a user-space virtual switch for cloud hosts.

```python
import turnout

with turnout.Switch(cores=[1]) as sw:
    sw.add_bridge("br0")
    sw.add_port("br0", "vm1", type="vhost-user", tag=10)
    print(sw.stats())
```

The names below are the public API. They load on first use, so that the CLI's short verbs start without DPDK.
"""

import importlib
from typing import TYPE_CHECKING

from turnout.errors import ConfigError, TurnoutError

if TYPE_CHECKING:
    from turnout.config.model import Bridge, Config, Port
    from turnout.openflow.flow import Flow, FlowError, FlowStats, Match, Selection
    from turnout.results import (
        BridgeView,
        DropCount,
        FdbEntry,
        PortStats,
        PortView,
        SwitchView,
        WorkerStats,
    )
    from turnout.switch import Switch

__version__ = "0.1.0"

__all__ = [
    "Bridge",
    "BridgeView",
    "Config",
    "ConfigError",
    "DropCount",
    "FdbEntry",
    "Flow",
    "FlowError",
    "FlowStats",
    "Match",
    "Port",
    "PortStats",
    "PortView",
    "Selection",
    "Switch",
    "SwitchView",
    "TurnoutError",
    "WorkerStats",
    "__version__",
]

_HOME = {
    **dict.fromkeys(("Bridge", "Config", "Port"), "turnout.config.model"),
    **dict.fromkeys(
        ("BridgeView", "DropCount", "FdbEntry", "PortStats", "PortView", "SwitchView", "WorkerStats"),
        "turnout.results",
    ),
    **dict.fromkeys(("Flow", "FlowError", "FlowStats", "Match", "Selection"), "turnout.openflow.flow"),
    "Switch": "turnout.switch",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'turnout' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
