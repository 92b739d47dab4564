# SPDX-License-Identifier: Apache-2.0
"""The desired state as keyword arguments of the library, typed; what each means is said in
`turnout.config.model`.
"""

from collections.abc import Mapping
from typing import Literal, TypedDict

from turnout.config.model import FailMode, Hugepages, OverflowPolicy, Protocol, VlanMode


class Settings(TypedDict, total=False):
    """What `Switch` takes beside its bridges; see `turnout.Config`."""

    cores: tuple[int, ...] | list[int]
    mbufs: int
    mtu: int
    hugepages: Hugepages
    idle: Literal["sleep", "spin"] | int
    rebalance: int
    private_key: str
    certificate: str
    ca_cert: str


class BridgeSettings(TypedDict, total=False):
    """What a bridge takes beside its name; see `turnout.Bridge`."""

    mac_aging: int
    mac_table_size: int
    controllers: tuple[str, ...] | list[str]
    fail_mode: FailMode
    protocols: tuple[Protocol, ...] | list[Protocol]
    datapath_id: str
    flow_limit: int
    overflow_policy: OverflowPolicy
    table_limits: str
    controller_rate_limit: int
    controller_burst_limit: int
    controller_max_backoff: int
    controller_inactivity_probe: int
    controller_async: bool
    restore_flows: bool


class PortSettings(TypedDict, total=False):
    """What a port takes beside its name; see `turnout.Port`."""

    type: str
    options: Mapping[str, str]
    tag: int | None
    trunks: tuple[int, ...] | list[int]
    vlan_mode: VlanMode | None
    mtu: int
    n_rxq: int
    n_rxq_desc: int
    n_txq_desc: int
    rxq_affinity: str
    ofport_request: int
