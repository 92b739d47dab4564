# SPDX-License-Identifier: Apache-2.0
"""The reference for behaviour: a private, plain Open vSwitch (Debian's) on its user-space datapath, no DPDK.
Or Turnout in the place of its daemon.

It lives in a folder and in a network namespace of its own, where its TAP ports appear.
"""

import contextlib
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from turnout.lab.console import Console, LabError, run
from turnout.lab.netns import Namespace
from turnout.lab.wait import until

_VSWITCHD = ("/usr/lib/openvswitch-switch/ovs-vswitchd",)  # not an alternative
TURNOUT = (sys.executable, "-m", "turnout.cli.vswitchd")
_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"


class OvsNetdev:
    """`ovsdb-server` and `ovs-vswitchd`; a context manager.

    >>> with OvsNetdev() as ovs:
    ...     ovs.add_bridge("br0")
    ...     ovs.add_tap("br0", "p1", 1)
    """

    def __init__(self, vswitchd: Sequence[str] = _VSWITCHD) -> None:
        """vswitchd: the daemon's command. Starts nothing yet."""
        self._vswitchd = vswitchd
        self._folder = tempfile.TemporaryDirectory(prefix="turnout-ovs-")
        self.rundir = Path(self._folder.name)
        self.env = dict.fromkeys(
            ("OVS_RUNDIR", "OVS_DBDIR", "OVS_LOGDIR", "OVS_SYSCONFDIR"), self._folder.name
        )
        self._stack = contextlib.ExitStack()
        self.namespace = self._stack.enter_context(Namespace("ovs"))

    def start(self) -> None:
        """LabError if the switch doesn't come up within 30 s."""
        run("ovsdb-tool", "create", f"{self.rundir}/conf.db", _SCHEMA)
        remotes = f"punix:{self.rundir}/db.sock", "db:Open_vSwitch,Open_vSwitch,manager_options"
        self._run("ovsdb-server", f"{self.rundir}/conf.db", *(f"--remote={remote}" for remote in remotes))
        self.vsctl("--no-wait", "init")
        self._run("ovs-vswitchd", f"unix:{self.rundir}/db.sock", "--disable-system", command=self._vswitchd)
        # A change makes ovs-vsctl wait until the switch has applied all of the database.
        self.vsctl("set", "Open_vSwitch", ".", f"external_ids:lab-start={time.monotonic_ns()}")

    def stop(self) -> None:
        """End both daemons; the namespace takes its interfaces along."""
        self._stack.close()
        self._folder.cleanup()

    def vsctl(self, *args: str) -> str:
        """`ovs-vsctl ARGS`: its standard output. LabError if it fails."""
        return run("ovs-vsctl", f"--db=unix:{self.rundir}/db.sock", "--timeout=30", *args, env=self.env)

    def appctl(self, *args: str) -> str:
        """`ovs-appctl ARGS` on ovs-vswitchd: its standard output. LabError if it fails."""
        return run("ovs-appctl", f"--target={self.rundir}/ovs-vswitchd.ctl", *args, env=self.env)

    def add_bridge(self, name: str) -> None:
        self.vsctl("add-br", name, "--", "set", "bridge", name, "datapath_type=netdev", "protocols=[]")

    def add_tap(self, bridge: str, name: str, ofport: int) -> None:
        """A TAP port; its interface is in `namespace`, up."""
        self.vsctl(
            *("add-port", bridge, name, "--", "set", "interface", name, "type=tap"),
            f"ofport_request={ofport}",
        )
        if error := self.vsctl("get", "interface", name, "error").strip().strip('[]"'):
            raise LabError(f"OVS port {name}: {error}")
        self.namespace.up(name)

    def _run(self, name: str, *args: str, command: Sequence[str] = ()) -> None:
        control = self.rundir / f"{name}.ctl"
        process = self._stack.enter_context(
            Console(
                name,
                ["ip", "netns", "exec", self.namespace.name, *(command or [name]), *args,
                 f"--unixctl={control}", f"--log-file={self.rundir}/{name}.log", "-vconsole:off"],
                env=self.env,
            )
        )  # fmt: skip
        until(lambda: control.exists() or not process.alive, f"{name} up", timeout=30)
        if not process.alive:
            raise process.failure("has exited")

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
