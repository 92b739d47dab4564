# SPDX-License-Identifier: Apache-2.0
"""The daemon's commands, by the names that `ovs-appctl -t SOCKET NAME …` uses. Those below turnout/ are our
own, and their queries answer in JSON; Open vSwitch's are in `appctl`.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import msgspec

from turnout.config import edit
from turnout.config.columns import bridge_tree, port_tree
from turnout.config.edit import Edit
from turnout.config.model import Bridge, Config, Port
from turnout.config.tree import bridge_from_tree, from_tree, non_defaults, port_from_tree, to_tree
from turnout.control import openflow_commands
from turnout.control.appctl import registry
from turnout.control.appctl.coverage import Coverage
from turnout.control.unixctl import Answer, Command
from turnout.errors import ConfigError, TurnoutError
from turnout.results import SwitchView
from turnout.switch import Switch

MANY = 1000


def _flag(arguments: list[str], flag: str) -> bool:
    """Whether `flag` is among the arguments, which it leaves."""
    found = flag in arguments
    if found:
        arguments.remove(flag)
    return found


class Authority(Protocol):
    """Who keeps the desired state, and is asked for a change of it."""

    own_ports: bool  # whether each bridge has a port of its own that cannot go without it

    def change(self, edit: Edit) -> Answer:
        """Carries out a change and keeps it, or neither. The answer, "", may come later."""

    def show(self) -> SwitchView:
        """What is, and what is wanted and cannot be."""


class Standalone:
    """A switch that nobody else commands. `save` keeps the desired state; a change that it refuses is
    undone.
    """

    own_ports = False

    def __init__(self, switch: Switch, save: Callable[[Config], None]) -> None:
        self._switch = switch
        self._save = save

    def change(self, edit: Edit) -> str:
        """As `Authority` says, at once."""
        before = self._switch.config
        self._switch.apply(edit(before))
        if self._switch.config != before:
            try:
                self._save(self._switch.config)
            except TurnoutError:
                self._switch.apply(before)
                raise
        return ""

    def show(self) -> SwitchView:
        """As `Authority` says."""
        return self._switch.show()


class Commands:
    """What the control socket can ask of a switch. stop: ends the daemon; whether nothing of it may stay
    comes with it. version: what the command of that name answers.
    """

    def __init__(
        self, switch: Switch, authority: Authority, stop: Callable[[bool], None], version: str
    ) -> None:
        self._stop = stop
        self._authority = authority
        self._coverage = Coverage(switch)
        self.table = {
            "turnout/add-br": Command(self._add_br, "[--may-exist] BRIDGE [COLUMN=VALUE…]", 1, MANY),
            "turnout/del-br": Command(self._del_br, "[--if-exists] BRIDGE", 1, 2),
            "turnout/add-port": Command(self._add_port, "[--may-exist] BRIDGE PORT [COLUMN=VALUE…]", 2, MANY),
            "turnout/del-port": Command(self._del_port, "[--if-exists] [BRIDGE] PORT", 1, 3),
            "turnout/set": Command(self._set, "bridge|port NAME COLUMN=VALUE…", 3, MANY),
            "turnout/apply": Command(self._apply, "CONFIG-AS-JSON", 1, 1),
            "turnout/config": Command(lambda _: json.dumps(to_tree(switch.config))),
            "turnout/show": Command(lambda _: _json(authority.show())),
            "turnout/stats": Command(lambda _: _json(switch.stats())),
            "turnout/workers": Command(lambda _: _json(switch.workers())),
            "turnout/drops": Command(lambda _: _json(switch.drops())),
            "turnout/fdb": Command(lambda a: _json(switch.fdb(*a)), "[BRIDGE]", 0, 1),
            "turnout/flush": Command(lambda a: _json({"entries": switch.fdb_flush(*a)}), "[BRIDGE]", 0, 1),
            **openflow_commands.commands(switch),
            **registry.commands(switch),
            **self._coverage.commands(),
            "version": Command(lambda _: version),
            "list-commands": Command(self._list),
            "help": Command(self._list),
            "exit": Command(self._exit, "[--cleanup]", 0, 1),
        }

    def tick(self, now: float) -> None:
        """To be called once a second. now: s, monotonic."""
        self._coverage.tick(now)

    def _add_br(self, arguments: list[str]) -> Answer:
        may_exist = _flag(arguments, "--may-exist")
        name, *columns = arguments

        def change(config: Config) -> Config:
            if may_exist and any(b.name == name for b in config.bridges):
                return edit.set_bridge(config, _bridge(name, columns, config.bridge(name)))
            return edit.add_bridge(config, _bridge(name, columns))

        return self._authority.change(change)

    def _del_br(self, arguments: list[str]) -> Answer:
        if_exists = _flag(arguments, "--if-exists")
        name = arguments[0]

        def change(config: Config) -> Config:
            if if_exists and all(b.name != name for b in config.bridges):
                return config
            return edit.del_bridge(config, name)

        return self._authority.change(change)

    def _add_port(self, arguments: list[str]) -> Answer:
        may_exist = _flag(arguments, "--may-exist")
        bridge, name, *columns = arguments

        def change(config: Config) -> Config:
            for port in config.bridge(bridge).ports:
                if may_exist and port.name == name:
                    return edit.set_port(config, _port(name, columns, port))
            return edit.add_port(config, bridge, _port(name, columns))

        return self._authority.change(change)

    def _del_port(self, arguments: list[str]) -> Answer:
        if_exists = _flag(arguments, "--if-exists")
        *bridge, name = arguments

        def change(config: Config) -> Config:
            if if_exists and all(p.name != name for b in config.bridges for p in b.ports):
                return config
            home, _ = config.find_port(name)
            if bridge and bridge[0] != home.name:
                raise ConfigError(f"port.{name}", f"is on bridge {home.name}, not {bridge[0]}")
            if home.name == name and self._authority.own_ports:
                raise ConfigError(f"port.{name}", "is the bridge's own; it goes with the bridge: use del-br")
            return edit.del_port(config, name)

        return self._authority.change(change)

    def _set(self, arguments: list[str]) -> Answer:
        table, name, *columns = arguments

        def port(config: Config) -> Config:
            return edit.set_port(config, _port(name, columns, config.find_port(name)[1]))

        def bridge(config: Config) -> Config:
            return edit.set_bridge(config, _bridge(name, columns, config.bridge(name)))

        match table.lower():
            case "port" | "interface":
                return self._authority.change(port)
            case "bridge":
                return self._authority.change(bridge)
        raise TurnoutError(f"set {table}: no such table; there are: bridge, port, interface")

    def _apply(self, arguments: list[str]) -> Answer:
        try:
            tree = json.loads(arguments[0])
        except (ValueError, RecursionError) as error:
            raise TurnoutError(f"apply: not JSON: {error}") from None
        wanted = from_tree(tree)
        return self._authority.change(lambda config: edit.replace_bridges(config, wanted))

    def _list(self, _: list[str]) -> str:
        rows = (f"  {name:<23} {command.usage}" for name, command in sorted(self.table.items()))
        return "\n".join(["The available commands are:", *rows])

    def _exit(self, arguments: list[str]) -> str:
        if arguments not in ([], ["--cleanup"]):
            raise TurnoutError(f"exit: {arguments[0]!r}: the only option is --cleanup")
        self._stop(bool(arguments))
        return ""


def _port(name: str, columns: list[str], old: Port | None = None) -> Port:
    """A port with the columns changed, or a new one."""
    return port_from_tree(name, port_tree(name, non_defaults(old) if old else {}, columns))


def _bridge(name: str, columns: list[str], old: Bridge | None = None) -> Bridge:
    """A bridge with the columns changed, or a new one."""
    tree = bridge_tree(name, non_defaults(old) if old else {}, columns)
    return replace(bridge_from_tree(name, tree), ports=old.ports if old else ())


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
