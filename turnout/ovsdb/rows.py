# SPDX-License-Identifier: Apache-2.0
"""Rows of the Open_vSwitch database as values: what a user has set. Columns have the database's names and
units; one that is empty is None, "" or an empty collection.

not_yet: the columns that are set and have no effect yet.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID


@dataclass(frozen=True, kw_only=True)
class Interface:
    """A row of table Interface."""

    uuid: UUID
    name: str
    type: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    other_config: Mapping[str, str] = field(default_factory=dict)
    mac: str = ""
    mtu_request: int | None = None
    ofport_request: int | None = None
    not_yet: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Port:
    """A row of table Port. uuid: None of one that is still to be made."""

    name: str
    uuid: UUID | None = None
    interfaces: tuple[Interface, ...] = ()
    tag: int | None = None
    trunks: tuple[int, ...] = ()
    vlan_mode: str = ""
    fake_bridge: bool = False
    other_config: Mapping[str, str] = field(default_factory=dict)
    not_yet: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Controller:
    """A row of table Controller. Limits: packets a second, and at once. Times in ms."""

    uuid: UUID
    target: str
    rate_limit: int | None = None
    burst_limit: int | None = None
    max_backoff: int | None = None
    inactivity_probe: int | None = None
    enable_async: bool | None = None
    not_yet: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FlowTable:
    """A row of table Flow_Table, as table `number` of a bridge."""

    number: int
    flow_limit: int | None = None
    overflow_policy: str = ""
    not_yet: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Bridge:
    """A row of table Bridge."""

    uuid: UUID
    name: str
    ports: tuple[Port, ...] = ()
    controllers: tuple[Controller, ...] = ()
    fail_mode: str = ""
    protocols: tuple[str, ...] = ()
    flow_tables: tuple[FlowTable, ...] = ()
    other_config: Mapping[str, str] = field(default_factory=dict)
    not_yet: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Tls:
    """A row of table SSL: paths of PEM files."""

    private_key: str
    certificate: str
    ca_cert: str
    not_yet: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Database:
    """The one row of table Open_vSwitch, and what hangs on it. Bridges and ports are in the order of their
    names.
    """

    uuid: UUID
    bridges: tuple[Bridge, ...] = ()
    next_cfg: int = 0
    tls: Tls | None = None
    other_config: Mapping[str, str] = field(default_factory=dict)
    not_yet: tuple[str, ...] = ()
