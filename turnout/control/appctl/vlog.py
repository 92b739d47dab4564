# SPDX-License-Identifier: Apache-2.0
"""vlog/*: Open vSwitch's log levels on Python's logging. A module is one of the package's loggers, by its
name without the package's; a destination is a kind of the root logger's handlers.
"""

import logging
import logging.handlers
import re
from functools import cache, partial

from turnout.control.unixctl import Command
from turnout.errors import TurnoutError

_DESTINATIONS = ("console", "syslog", "file")
_LEVELS = {
    "off": logging.CRITICAL + 10,
    "emer": logging.CRITICAL,
    "err": logging.ERROR,
    "warn": logging.WARNING,
    "info": logging.INFO,
    "dbg": logging.DEBUG,
}
_PACKAGE = "turnout"


@cache
def levels() -> "Vlog":
    """The process's own. Its handlers have to be there."""
    return Vlog()


def commands() -> dict[str, Command]:
    """Name → command."""
    vlog = levels()
    return {
        "vlog/list": Command(lambda _: vlog.show()),
        "vlog/set": Command(vlog.set, "spec", 1, 100),
        "vlog/reopen": Command(lambda _: vlog.reopen()),
    }


class Vlog:
    """Levels by module and destination. It leaves logging as it is until the first `set`."""

    def __init__(self) -> None:
        self._handlers = {d: [h for h in logging.root.handlers if _is(h, d)] for d in _DESTINATIONS}
        level = logging.root.level
        self._common = {d: level if self._handlers[d] else _LEVELS["off"] for d in _DESTINATIONS}
        self._own: dict[tuple[str, str], int] = {}
        self._filtering = False

    def level(self, module: str, destination: str) -> int:
        """From which of Python's levels on the module's messages go there."""
        return self._own.get((module, destination), self._common[destination])

    def show(self) -> str:
        names = {level: name.upper() for name, level in _LEVELS.items()}
        lines = [f"{'':17}console    syslog    file", f"{'':17}-------    ------    ------"]
        for module in _modules():
            console, syslog, file = (names[self.level(module, d)] for d in _DESTINATIONS)
            lines.append(f"{module:<16}  {console:>4}       {syslog:>4}       {file:>4}")
        return "\n".join(lines)

    def set(self, specs: list[str]) -> str:
        """Each as "[module][:destination][:level]", in any order; all if not said, and DBG."""
        for module, destination, level in [_parse(spec) for spec in specs]:
            for one in (destination,) if destination else _DESTINATIONS:
                if module:
                    self._own[module, one] = level
                else:
                    self._common[one] = level
                    self._own = {key: value for key, value in self._own.items() if key[1] != one}
        self._tell_loggers()
        return ""

    def reopen(self) -> str:
        files = [h for h in self._handlers["file"] if isinstance(h, logging.handlers.WatchedFileHandler)]
        if not files:
            raise TurnoutError("Logging to file not enabled")
        for handler in files:
            handler.reopenIfNeeded()
        return ""

    def _tell_loggers(self) -> None:
        """A logger lets through what any destination wants; the handlers' filters do the rest."""
        there = [d for d in _DESTINATIONS if self._handlers[d]]
        if not self._filtering:
            self._filtering = True
            for destination in there:
                for handler in self._handlers[destination]:
                    handler.addFilter(partial(self._wanted, destination))
        if there:
            logging.getLogger(_PACKAGE).setLevel(min(self._common[d] for d in there))  # of modules to come
            for module in _modules():
                lowest = min(self.level(module, d) for d in there)
                logging.getLogger(f"{_PACKAGE}.{module}").setLevel(lowest)

    def _wanted(self, destination: str, record: logging.LogRecord) -> bool:
        package, _, module = record.name.partition(".")
        return package != _PACKAGE or record.levelno >= self.level(module, destination)


def _is(handler: logging.Handler, destination: str) -> bool:
    if isinstance(handler, logging.FileHandler):
        return destination == "file"
    if isinstance(handler, logging.handlers.SysLogHandler):
        return destination == "syslog"
    return isinstance(handler, logging.StreamHandler) and destination == "console"


def _modules() -> list[str]:
    loggers = logging.root.manager.loggerDict
    prefix = f"{_PACKAGE}."
    known = (name for name, logger in loggers.items() if isinstance(logger, logging.Logger))
    return sorted(name.removeprefix(prefix) for name in known if name.startswith(prefix))


def _parse(spec: str) -> tuple[str, str, int]:
    """Module and destination ("" for any), and Python's level. Raises TurnoutError."""
    module = destination = level = ""
    for word in re.split(r"[\s,:]+", spec.strip(" \t,:")):
        lower = word.lower()
        if lower in _LEVELS and not level:
            level = lower
        elif lower in _DESTINATIONS and not destination:
            destination = lower
        elif word in _modules() and not module:
            module = word
        elif lower in ("pattern", "facility"):
            raise TurnoutError(f"{word}: the log has one format; only levels can be set")
        elif lower != "any":
            raise TurnoutError(f'no destination, level, or module "{word}"')
    return module, destination, _LEVELS[level or "dbg"]
