# SPDX-License-Identifier: Apache-2.0
"""The daemon's commands, by the names that `ovs-appctl -t SOCKET NAME …` uses. Those below turnout/ are our
own, and their queries answer in JSON; Open vSwitch's are in `appctl`.
"""

import json
from collections.abc import Callable

import msgspec

from turnout.config.model import Config
from turnout.config.tree import from_tree, to_tree
from turnout.control import openflow_commands
from turnout.control.appctl import registry
from turnout.control.appctl.coverage import Coverage
from turnout.control.unixctl import Command
from turnout.errors import ConfigError, TurnoutError
from turnout.switch import Switch

MANY = 1000


def _flag(arguments: list[str], flag: str) -> bool:
    """Whether `flag` is among the arguments, which it leaves."""
    found = flag in arguments
    if found:
        arguments.remove(flag)
    return found


class Commands:
    """What the control socket can ask of a switch. `save` keeps the desired state; a change it refuses is
    undone. stop: ends the daemon; whether nothing of it may stay comes with it. authority: the database that
    alone may change bridges and ports; "": there is none.
    """

    def __init__(
        self,
        switch: Switch,
        save: Callable[[Config], None],
        stop: Callable[[bool], None],
        authority: str = "",
    ) -> None:
        self._switch = switch
        self._save = save
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
            "turnout/show": Command(lambda _: _json(switch.show())),
            "turnout/stats": Command(lambda _: _json(switch.stats())),
            "turnout/workers": Command(lambda _: _json(switch.workers())),
            "turnout/drops": Command(lambda _: _json(switch.drops())),
            "turnout/fdb": Command(lambda a: _json(switch.fdb(*a)), "[BRIDGE]", 0, 1),
            "turnout/flush": Command(lambda a: _json({"entries": switch.fdb_flush(*a)}), "[BRIDGE]", 0, 1),
            **openflow_commands.commands(switch),
            **registry.commands(switch),
            **self._coverage.commands(),
            "list-commands": Command(self._list),
            "help": Command(self._list),
            "exit": Command(self._exit, "[--cleanup]", 0, 1),
        }

    def tick(self, now: float) -> None:
        """To be called once a second. now: s, monotonic."""
        self._coverage.tick(now)

    def _change(self, act: Callable[[], None]) -> str:
        """Carries out a change and keeps it, or neither."""
        if self._authority:
            raise TurnoutError(
                f"bridges and ports come from the database; use ovs-vsctl --db={self._authority}"
            )
        before = self._switch.config
        act()
        if self._switch.config != before:
            try:
                self._save(self._switch.config)
            except TurnoutError:
                self._switch.apply(before)
                raise
        return ""

    def _add_br(self, arguments: list[str]) -> str:
        may_exist = _flag(arguments, "--may-exist")
        name, *columns = arguments
        if may_exist and any(b.name == name for b in self._switch.config.bridges):
            return self._change(lambda: self._switch.set_bridge(name, *columns))
        return self._change(lambda: self._switch.add_bridge(name, *columns))

    def _del_br(self, arguments: list[str]) -> str:
        if_exists = _flag(arguments, "--if-exists")
        name = arguments[0]
        if if_exists and all(b.name != name for b in self._switch.config.bridges):
            return ""
        return self._change(lambda: self._switch.del_bridge(name))

    def _add_port(self, arguments: list[str]) -> str:
        may_exist = _flag(arguments, "--may-exist")
        bridge, name, *columns = arguments
        if may_exist and any(p.name == name for p in self._switch.config.bridge(bridge).ports):
            return self._change(lambda: self._switch.set_port(name, *columns))
        return self._change(lambda: self._switch.add_port(bridge, name, *columns))

    def _del_port(self, arguments: list[str]) -> str:
        if_exists = _flag(arguments, "--if-exists")
        *bridge, name = arguments
        if if_exists and all(p.name != name for b in self._switch.config.bridges for p in b.ports):
            return ""
        home, _ = self._switch.config.find_port(name)
        if bridge and bridge[0] != home.name:
            raise ConfigError(f"port.{name}", f"is on bridge {home.name}, not {bridge[0]}")
        return self._change(lambda: self._switch.del_port(name))

    def _set(self, arguments: list[str]) -> str:
        table, name, *columns = arguments
        match table.lower():
            case "port" | "interface":
                return self._change(lambda: self._switch.set_port(name, *columns))
            case "bridge":
                return self._change(lambda: self._switch.set_bridge(name, *columns))
        raise TurnoutError(f"set {table}: no such table; there are: bridge, port, interface")

    def _apply(self, arguments: list[str]) -> str:
        try:
            tree = json.loads(arguments[0])
        except (ValueError, RecursionError) as error:
            raise TurnoutError(f"apply: not JSON: {error}") from None
        config = from_tree(tree)
        return self._change(lambda: self._switch.apply(config))

    def _list(self, _: list[str]) -> str:
        rows = (f"  {name:<23} {command.usage}" for name, command in sorted(self.table.items()))
        return "\n".join(["The available commands are:", *rows])

    def _exit(self, arguments: list[str]) -> str:
        if arguments not in ([], ["--cleanup"]):
            raise TurnoutError(f"exit: {arguments[0]!r}: the only option is --cleanup")
        self._stop(bool(arguments))
        return ""


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
