# SPDX-License-Identifier: Apache-2.0
"""A real `ovsdb-server` with an Open_vSwitch database in a folder, and `ovs-vsctl` on it."""

import os
import shlex
import shutil
import signal
from pathlib import Path
from typing import Self

from turnout.lab.console import Console, LabError, run
from turnout.lab.wait import until

_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"


class OvsdbServer:
    """Apart from any system-wide one; a context manager.

    >>> with OvsdbServer(folder) as database:
    ...     database.vsctl("--no-wait", "add-br", "br0")
    """

    def __init__(self, folder: Path) -> None:
        """Makes the database, initialised and empty. Starts nothing yet."""
        self._folder = folder
        self._file = folder / "conf.db"
        self._server: Console | None = None
        self.create()

    @property
    def remote(self) -> str:
        """Where it listens."""
        return f"unix:{self._folder}/db.sock"

    def create(self) -> None:
        """A new database without a row, in place of the old one. LabError while the server runs."""
        if self._server is not None:
            raise LabError("ovsdb-server is running")
        self._file.unlink(missing_ok=True)
        run("ovsdb-tool", "create", str(self._file), _SCHEMA)

    def replace(self, other: "OvsdbServer") -> None:
        """What `other` has written, in place of the old database. LabError while one of the servers runs."""
        self.create()
        if other._server is not None:
            raise LabError("the other ovsdb-server is running")
        shutil.copy(other._file, self._file)

    def start(self, *, init: bool = True) -> None:
        """Start it (again); returns when it listens. LabError if it doesn't within 5 s. init: with a row
        Open_vSwitch, as Open vSwitch's own start does.
        """
        self._server = Console(
            "ovsdb-server",
            ["ovsdb-server", str(self._file), f"--remote=p{self.remote}",
             "--remote=db:Open_vSwitch,Open_vSwitch,manager_options",
             f"--unixctl={self._folder}/ovsdb.ctl", "-vconsole:warn", "-vsyslog:off"],
        )  # fmt: skip
        until(lambda: (self._folder / "db.sock").exists(), "ovsdb-server's socket")
        if init:
            self.vsctl("--no-wait", "init")

    def signal(self, number: signal.Signals) -> None:
        """E.g. SIGSTOP, as a machine that is too busy. LabError if it does not run."""
        if self._server is None:
            raise LabError("ovsdb-server is not running")
        os.kill(self._server.pid, number)

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        if self._server is not None:
            self._server.kill()
            self._server.close()
            self._server = None
            (self._folder / "db.sock").unlink(missing_ok=True)
            (self._folder / ".conf.db.~lock~").unlink(missing_ok=True)

    def vsctl(self, *arguments: str) -> str:
        """`ovs-vsctl ARGUMENTS`: its standard output, stripped. It waits for the switch unless told not to.
        LabError if it fails, or gets no answer within 25 s.
        """
        return run("ovs-vsctl", f"--db={self.remote}", "--timeout=25", *arguments).strip()

    def line(self, text: str) -> str:
        """`vsctl` with the words of a shell's line."""
        return self.vsctl(*shlex.split(text))

    def get(self, table: str, record: str, column: str) -> str:
        """`ovs-vsctl get`, without waiting and without quotes; "" for an empty set."""
        text = self.vsctl("--no-wait", "get", table, record, column).strip('"')
        return "" if text == "[]" else text

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
