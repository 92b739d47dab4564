# SPDX-License-Identifier: Apache-2.0
"""One desired state from another, a bridge or port at a time. Pure; ConfigError if that makes no sense."""

from collections.abc import Callable
from dataclasses import replace

from turnout.config.model import Bridge, Config, Port
from turnout.config.tree import non_defaults
from turnout.errors import ConfigError

Edit = Callable[[Config], Config]


def replace_bridges(config: Config, wanted: Config) -> Config:
    """`config` with the bridges and ports of `wanted`, whose own settings may not differ."""
    for key, value in non_defaults(replace(wanted, bridges=())).items():
        if value != non_defaults(config).get(key):
            raise ConfigError(key, "cannot change while the switch runs; restart it")
    return replace(config, bridges=wanted.bridges)


def add_bridge(config: Config, bridge: Bridge) -> Config:
    """`config` with one more bridge."""
    if any(b.name == bridge.name for b in config.bridges):
        raise ConfigError(f"bridge.{bridge.name}", "exists already; --may-exist accepts that")
    return replace(config, bridges=(*config.bridges, bridge))


def set_bridge(config: Config, bridge: Bridge) -> Config:
    """`config` with `bridge` in place of the one of its name."""
    config.bridge(bridge.name)
    return replace(config, bridges=tuple(bridge if b.name == bridge.name else b for b in config.bridges))


def del_bridge(config: Config, name: str) -> Config:
    """`config` without the bridge and its ports."""
    gone = config.bridge(name)
    return replace(config, bridges=tuple(b for b in config.bridges if b is not gone))


def add_port(config: Config, bridge: str, port: Port) -> Config:
    """`config` with one more port on `bridge`."""
    home = config.bridge(bridge)
    for other in config.bridges:
        if any(p.name == port.name for p in other.ports):
            raise ConfigError(f"port.{port.name}", f"exists already on bridge {other.name}; use set port")
    return set_bridge(config, replace(home, ports=(*home.ports, port)))


def set_port(config: Config, port: Port) -> Config:
    """`config` with `port` in place of the one of its name."""
    home, _ = config.find_port(port.name)
    return set_bridge(
        config, replace(home, ports=tuple(port if p.name == port.name else p for p in home.ports))
    )


def del_port(config: Config, name: str) -> Config:
    """`config` without the port."""
    home, gone = config.find_port(name)
    return set_bridge(config, replace(home, ports=tuple(p for p in home.ports if p is not gone)))
