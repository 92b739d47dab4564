# SPDX-License-Identifier: Apache-2.0
"""From what is to the columns that tell of it. Pure; an empty list or dict clears a column."""

from collections.abc import Iterable, Mapping
from typing import Any

from turnout.control import host
from turnout.control.netdev import KERNEL, NO_ODDITIES, Netdev
from turnout.control.openflow.manager import TX_DROPS
from turnout.control.ports import TYPES as OURS
from turnout.ovsdb.translate import TYPES
from turnout.results import BridgeView, ControllerView, DropCount, PortStats, PortView

Values = dict[str, Any]

_LOCAL = 0xFFFFFFFE, 65534  # OpenFlow 1.3's number of the bridge's own port, and the database's
_UNKNOWN_SPEED = 0xFFFFFFFF
_VHOST = {"vhost-user": "server", "vhost-user-client": "client"}
# reasons of drops → what Open vSwitch's DPDK ports count them as
_DPDK_DROPS = {
    "tx-full": "ovs_tx_failure_drops",
    "too-long": "ovs_tx_mtu_exceeded_drops",
    "no-segments": "ovs_tx_invalid_hwol_drops",
    "refused": "ovs_tx_invalid_hwol_drops",
}
_NO_DPDK_DROPS = (*_DPDK_DROPS.values(), "ovs_rx_qos_drops", "ovs_tx_qos_drops")
_OF_A_DEVICE = (
    *("mac_in_use", "admin_state", "link_state", "link_speed", "link_resets", "duplex", "mtu", "ifindex"),
)
IFACE_TYPES = sorted({*TYPES, *(set(OURS) - set(TYPES.values()))})


def switch(
    *, ovs_version: str, db_version: str, dpdk_version: str, cur_cfg: int, statistics: Mapping[str, str]
) -> Values:
    """Of the row Open_vSwitch."""
    return {
        "cur_cfg": cur_cfg,
        "ovs_version": ovs_version,
        "db_version": db_version,
        "dpdk_initialized": True,  # the engine is DPDK
        "dpdk_version": dpdk_version,
        "iface_types": IFACE_TYPES,
        "datapath_types": ["netdev", "system"],  # taken both, and both ours
        "statistics": statistics,
    }


def bridge(view: BridgeView) -> Values:
    """Of a row Bridge."""
    return {"datapath_id": view.datapath_id, "datapath_version": "<built-in>"}


def interface(view: PortView | None, netdev: Netdev | None, *, resets: int, error: str) -> Values:
    """Of a row Interface, all but its counters; view: None for one that the switch has not. netdev: the
    kernel's interface behind it. resets: how often its link has come or gone. error: what else is wrong with
    it.
    """
    if view is None or view.error:
        problem = "; ".join(text for text in (view.error if view else "", error) if text)
        empty: Values = {key: [] for key in _OF_A_DEVICE}
        return {**empty, "ofport": -1, "status": {}, "statistics": {}, "error": problem or "not there"}
    speed = netdev.speed if netdev else view.speed_mbps
    duplex = netdev.duplex if netdev else "full" if view.type == "dpdk" and view.link_up else ""
    patch = view.type == "patch"
    return {
        "ofport": _LOCAL[1] if view.ofport == _LOCAL[0] else view.ofport,
        "ifindex": netdev.index if netdev else 0,
        "mac_in_use": view.mac or (host.stable_mac(view.name) if patch else []),
        "admin_state": "up" if netdev is None or netdev.up else "down",
        "link_state": "up" if link_up(view, netdev) else "down",
        "link_speed": [] if speed in (0, _UNKNOWN_SPEED) else speed * 1_000_000,
        "link_resets": resets,
        "duplex": duplex or [],
        "mtu": [] if patch else view.mtu,
        "status": _status(view, netdev),
        "error": error or [],
    }


def link_up(view: PortView, netdev: Netdev | None) -> bool:
    """Whether the port's link is; the kernel knows better than a driver on top of it."""
    return netdev.running if netdev else view.link_up


def _status(view: PortView, netdev: Netdev | None) -> Values:
    if netdev:
        return {
            "driver_name": netdev.driver,
            "driver_version": netdev.version,
            "firmware_version": netdev.firmware,
        }
    found: Values = {"driver_name": view.driver, "n_rxq": str(view.n_rxq)} if view.driver else {}
    if mode := _VHOST.get(view.type):
        found |= {"mode": mode, "status": "connected" if view.link_up else "disconnected"}
    return found


def statistics(
    count: PortStats, drops: Iterable[DropCount], type: str, oddities: Mapping[str, int] = NO_ODDITIES
) -> Values:
    """Of a row Interface, its counters under Open vSwitch's names for that type. What is lost, for any
    reason, is dropped: errors stay 0. oddities: what the kernel counts besides.
    """
    numbers = zeros(type) | {
        "rx_packets": count.rx_packets,
        "rx_bytes": count.rx_bytes,
        "tx_packets": count.tx_packets,
        "tx_bytes": count.tx_bytes,
    }
    if type in KERNEL:
        numbers |= oddities
    for drop in drops if type != "patch" else ():
        numbers["tx_dropped" if drop.reason in TX_DROPS else "rx_dropped"] += drop.packets
        if (name := _DPDK_DROPS.get(drop.reason)) in numbers:
            numbers[name] += drop.packets
    return {"statistics": numbers}


def zeros(type: str) -> dict[str, int]:
    """The counters that Open vSwitch has of a port of that type."""
    names = [f"{way}_{what}" for way in ("rx", "tx") for what in ("packets", "bytes")]
    if type != "patch":
        names += [f"{way}_{what}" for way in ("rx", "tx") for what in ("dropped", "errors")]
    if type in KERNEL:
        names += NO_ODDITIES
    elif type == "dpdk" or type in _VHOST:
        names += _NO_DPDK_DROPS
    if type in _VHOST:
        names.append("ovs_tx_retries")  # none: what a guest does not take at once is dropped
    return dict.fromkeys(names, 0)


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
