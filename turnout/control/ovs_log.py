# SPDX-License-Identifier: Apache-2.0
"""A log in Open vSwitch's format, to where its daemons send theirs: console, syslog, a file."""

import contextlib
import itertools
import logging
import logging.handlers
import time
from collections.abc import Iterable
from pathlib import Path

from turnout.control.appctl import vlog
from turnout.errors import TurnoutError

log = logging.getLogger(__name__)

_LEVELS = {"CRITICAL": "EMER", "ERROR": "ERR", "WARNING": "WARN", "INFO": "INFO", "DEBUG": "DBG"}
_count = itertools.count(1)


class Format(logging.Formatter):
    """ "2026-01-31T12:00:00.000Z|00001|control.daemon|INFO|text"; for syslog "ovs|00001|…"."""

    def __init__(self, *, syslog: bool = False) -> None:
        begin = "ovs" if syslog else "%(asctime)s.%(msecs)03dZ"
        super().__init__(f"{begin}|%(number)05d|%(module_)s|%(level_)s|%(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))

    def format(self, record: logging.LogRecord) -> str:
        if not hasattr(record, "number"):  # a message has one, wherever it goes
            record.number = next(_count)
            record.module_ = record.name.removeprefix("turnout.")
            record.level_ = _LEVELS.get(record.levelname, record.levelname)
        return super().format(record)


def start(file: Path | None, specs: Iterable[str], syslog: str, target: str) -> None:
    """Sends the log to the console, to syslog and to `file`, all from level INFO on.

    specs: of levels, such as "file:dbg"; one that cannot be is only said. syslog: "libc" (/dev/log),
    "unix:FILE", "udp:IP:PORT" or "null". target: "HOST:PORT" of one more. TurnoutError if these are no such.
    """
    logging.raiseExceptions = False  # where a log cannot be written, nothing can be said of it
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    for method in (syslog, target and f"udp:{target}"):
        if address := _address(method):
            with contextlib.suppress(OSError):  # nobody listens
                handlers.append(_syslog(address))
    trouble = ""
    if file:
        try:
            handlers.append(logging.handlers.WatchedFileHandler(file))
        except OSError as error:
            trouble = f"failed to open {file} for logging: {error.strerror}"
    for handler in handlers:
        handler.setFormatter(Format(syslog=isinstance(handler, logging.handlers.SysLogHandler)))
        logging.root.addHandler(handler)
    logging.root.setLevel(logging.INFO)
    for spec in specs:
        try:
            vlog.levels().set([spec])
        except TurnoutError as error:
            log.warning("--verbose=%s: without effect: %s", spec, error)
    if trouble:
        log.warning("%s", trouble)
    elif file:
        log.info("opened log file %s", file)


def _address(method: str) -> str | tuple[str, int] | None:
    """What logging's SysLogHandler takes; None for no syslog."""
    kind, _, rest = method.partition(":")
    host, _, port = rest.rpartition(":")
    match kind:
        case "" | "null":
            return None
        case "libc" if not rest:
            return "/dev/log"
        case "unix" if rest:
            return rest
        case "udp" if host and port.isascii() and port.isdigit() and int(port) < 65536:
            return host.strip("[]"), int(port)
    raise TurnoutError(f"unsupported syslog method '{method}'")


def _syslog(address: str | tuple[str, int]) -> logging.Handler:
    handler = logging.handlers.SysLogHandler(address, logging.handlers.SysLogHandler.LOG_DAEMON)
    handler.ident = "ovs-vswitchd: "
    return handler
