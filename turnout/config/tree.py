# SPDX-License-Identifier: Apache-2.0
"""The desired state as a tree of tables, the shape that TOML and JSON share, with kebab-case keys:

{"cores": [1], "bridge": {"br0": {"mac-aging": 300, "port": {"vm1": {"type": "vhost-user", "tag": 10}}}}}
"""

import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, replace
from typing import Any, TypeVar

import msgspec

from turnout.config.model import Bridge, Config, Port
from turnout.errors import ConfigError

T = TypeVar("T", Config, Bridge, Port)
Tree = dict[str, Any]

_PATH = re.compile(r" - at `\$\.?(.*)`$")
_NOT_SETTINGS = {"name", "bridges", "ports"}  # said by a table's place in the tree


def _kebab(key: str) -> str:
    return key.replace("_", "-")


def _settings(cls: type[Config | Bridge | Port]) -> list[Field[Any]]:
    return [f for f in fields(cls) if f.name not in _NOT_SETTINGS]


def from_tree(tree: object) -> Config:
    """The Config that `tree` says. Raises ConfigError that names the first setting that is wrong."""
    top = _table(tree, "")
    bridges = _table(top.pop("bridge", {}), "bridge")
    config = _build(Config, top, "", "bridge")
    return replace(config, bridges=tuple(bridge_from_tree(name, data) for name, data in bridges.items()))


def to_tree(config: Config) -> Tree:
    """The smallest tree that `from_tree` turns into `config`: defaults are left out."""
    tree = non_defaults(config)
    tree["bridge"] = {
        b.name: {**non_defaults(b), "port": {p.name: non_defaults(p) for p in b.ports}}
        for b in config.bridges
    }
    return tree


def bridge_from_tree(name: str, data: object) -> Bridge:
    """The Bridge that the table `data` says."""
    where = f"bridge.{name}"
    table = _table(data, where)
    ports = _table(table.pop("port", {}), f"{where}.port")
    bridge = _build(Bridge, table, where, "port", name=name)
    try:
        return replace(bridge, ports=tuple(port_from_tree(port, data) for port, data in ports.items()))
    except ConfigError as error:
        raise error.within(where) from None


def port_from_tree(name: str, data: object) -> Port:
    """The Port that the table `data` says."""
    where = f"port.{name}"
    table = _table(data, where)
    if "type" not in table:
        raise ConfigError(f"{where}.type", 'missing; say what the port is, such as "vhost-user" or "tap"')
    options = _table(table.get("options", {}), f"{where}.options")
    table["options"] = {key: _text(value) for key, value in options.items()}
    return _build(Port, table, where, name=name)


def _text(value: object) -> object:
    """An option's value as a string; TOML users write numbers and booleans as such."""
    if isinstance(value, bool):
        return str(int(value))
    return str(value) if isinstance(value, int) else value


def _table(data: object, where: str) -> Tree:
    if not isinstance(data, Mapping):
        raise ConfigError(where, f"expected a table, got {data!r}")
    return dict(data)


def _build(cls: type[T], table: Tree, where: str, *tables: str, **given: str) -> T:
    known: list[str] = [_kebab(f.name) for f in _settings(cls)]
    for key in table:
        if key not in known:
            raise ConfigError(
                f"{where}.{key}".lstrip("."), f"no such setting; there are: {', '.join([*known, *tables])}"
            )
    try:
        return msgspec.convert({**{k.replace("-", "_"): v for k, v in table.items()}, **given}, cls)
    except msgspec.ValidationError as error:
        if isinstance(error.__cause__, ConfigError):
            raise error.__cause__ from None
        raise _translate(str(error), table, where) from None


def _translate(message: str, table: Tree, where: str) -> ConfigError:
    """msgspec's "Expected `int | null`, got `str` - at `$.tag`" in our words, with the value."""
    path = m[1] if (m := _PATH.search(message)) else ""
    setting = _kebab(re.split(r"[.\[]", path)[0])
    problem = _PATH.sub("", message).replace(" | null", "").replace("`", "")
    problem = re.sub(r", got \w+$", "", problem)
    problem = problem[:1].lower() + problem[1:]
    if problem.startswith("invalid enum value"):
        problem = f"no such value; there are: {', '.join(_choices(setting))}"
    return ConfigError(f"{where}.{setting}".strip("."), f"{problem}, got {table.get(setting)!r}")


def _choices(setting: str) -> list[str]:
    return {
        "vlan-mode": ["access", "trunk", "native-tagged", "native-untagged"],
        "hugepages": ["auto", "require", "off"],
        "fail-mode": ["standalone", "secure"],
        "overflow-policy": ["refuse", "evict"],
        "protocols": ["OpenFlow10", "OpenFlow13", "OpenFlow14"],
        "idle": ["sleep", "spin", "or microseconds"],
    }[setting]


def non_defaults(value: Config | Bridge | Port) -> Tree:
    """The value's own settings that differ from their defaults, without the tables inside it."""
    tree: Tree = {}
    for f in _settings(type(value)):
        default = f.default_factory() if f.default_factory is not MISSING else f.default
        if (current := getattr(value, f.name)) != default:
            tree[_kebab(f.name)] = list(current) if isinstance(current, tuple) else current
    return tree
