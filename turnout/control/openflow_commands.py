# SPDX-License-Identifier: Apache-2.0
"""The daemon's commands behind `turnout flows` and `turnout trace`; they answer in JSON."""

import json
import time
from typing import Any

from turnout.control.unixctl import Command
from turnout.openflow.flow import FlowStats
from turnout.openflow.text_format import PortNames, format_actions, format_match
from turnout.openflow.values import number
from turnout.switch import Switch


def commands(switch: Switch) -> dict[str, Command]:
    """Name → command."""

    def flows(arguments: list[str]) -> str:
        bridge = switch.bridge(arguments[0])
        table = number(arguments[1], 8, "table") if len(arguments) > 1 else None
        names = bridge.port_names()
        found = bridge.flows.dump(table)
        return json.dumps({"time": time.monotonic(), "flows": [_flow(flow, names) for flow in found]})

    def trace(arguments: list[str]) -> str:
        bridge, packet = arguments
        return json.dumps(switch.bridge(bridge).trace(packet).tree())

    return {
        "turnout/flows": Command(flows, "BRIDGE [TABLE]", 1, 2),
        "turnout/trace": Command(trace, "BRIDGE FLOW|[in_port=PORT,]HEX", 2, 2),
    }


def _flow(flow: FlowStats, names: PortNames) -> dict[str, Any]:
    return {
        "table": flow.table,
        "priority": flow.priority,
        "match": format_match(flow.match, names=names),
        "actions": format_actions(flow.actions, names),
        "cookie": flow.cookie,
        "packets": flow.packets,
        "bytes": flow.bytes,
        "duration": round(flow.duration, 3),
        "idle_timeout": flow.idle_timeout,
        "hard_timeout": flow.hard_timeout,
        "idle_age": flow.idle_age,
        "hard_age": flow.hard_age,
        "importance": flow.importance,
        "flags": sorted(flow.flags),
    }
