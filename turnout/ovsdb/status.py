# SPDX-License-Identifier: Apache-2.0
"""From what is to the columns that tell of it. Pure; an empty list or dict clears a column."""

from collections.abc import Iterable
from typing import Any

from turnout.control.openflow.manager import TX_DROPS
from turnout.control.ports import TYPES as OURS
from turnout.ovsdb.translate import TYPES
from turnout.results import BridgeView, ControllerView, DropCount, PortStats, PortView

Values = dict[str, Any]

_LOCAL = 0xFFFFFFFE, 65534  # OpenFlow 1.3's number of the bridge's own port, and the database's
_UNKNOWN_SPEED = 0xFFFFFFFF
_ZEROS = {f"{way}_{what}": 0 for way in ("rx", "tx") for what in ("packets", "bytes", "dropped", "errors")}
NO_COUNT: Values = {"statistics": _ZEROS}  # of a port that has only just come
IFACE_TYPES = sorted({*TYPES, *(set(OURS) - set(TYPES.values()))})


def switch(*, ovs_version: str, db_version: str, dpdk_version: str, cur_cfg: int) -> Values:
    """Of the row Open_vSwitch."""
    return {
        "cur_cfg": cur_cfg,
        "ovs_version": ovs_version,
        "db_version": db_version,
        "dpdk_initialized": True,  # the engine is DPDK
        "dpdk_version": dpdk_version,
        "iface_types": IFACE_TYPES,
        "datapath_types": ["netdev", "system"],  # taken both, and both ours
    }


def bridge(view: BridgeView) -> Values:
    """Of a row Bridge."""
    return {"datapath_id": view.datapath_id, "datapath_version": "<built-in>"}


def interface(view: PortView | None, *, admin_up: bool, error: str) -> Values:
    """Of a row Interface, all but its counters; view: None for one that the switch has not. error: what else
    is wrong with it.
    """
    if view is None or view.error:
        problem = "; ".join(text for text in (view.error if view else "", error) if text)
        empty: Values = {key: [] for key in ("mac_in_use", "admin_state", "link_state", "link_speed", "mtu")}
        return {**empty, "ofport": -1, "status": {}, "error": problem or "not there"}
    speed = view.speed_mbps
    return {
        "ofport": _LOCAL[1] if view.ofport == _LOCAL[0] else view.ofport,
        "mac_in_use": view.mac or [],
        "admin_state": "up" if admin_up else "down",
        "link_state": "up" if view.link_up else "down",
        "link_speed": [] if speed in (0, _UNKNOWN_SPEED) else speed * 1_000_000,
        "mtu": view.mtu,
        "status": {"driver_name": view.driver} if view.driver else {},
        "error": error or [],
    }


def statistics(count: PortStats, drops: Iterable[DropCount]) -> Values:
    """Of a row Interface, its counters under Open vSwitch's names. What is lost, for any reason, is dropped:
    errors stay 0.
    """
    rx = tx = 0
    for drop in drops:
        if drop.reason in TX_DROPS:
            tx += drop.packets
        else:
            rx += drop.packets
    numbers = {
        "rx_packets": count.rx_packets,
        "rx_bytes": count.rx_bytes,
        "rx_dropped": rx,
        "tx_packets": count.tx_packets,
        "tx_bytes": count.tx_bytes,
        "tx_dropped": tx,
    }
    return {"statistics": {**_ZEROS, **numbers}}


def controller(view: ControllerView | None) -> Values:
    """Of a row Controller; None: one that the switch has not."""
    if view is None:
        return {"is_connected": False, "role": [], "status": {}}
    known = {
        "state": view.state,
        "sec_since_connect": view.since_connect,
        "sec_since_disconnect": view.since_disconnect,
        "last_error": view.last_error,
    }
    return {
        "is_connected": view.connected,
        "role": view.role or [],
        "status": {key: str(value) for key, value in known.items() if value not in (None, "")},
    }
