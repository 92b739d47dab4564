# SPDX-License-Identifier: Apache-2.0
"""The incumbent: a private Open vSwitch with DPDK (Debian's), apart from any system-wide one."""

import contextlib
import os
import tempfile
import time
from pathlib import Path
from typing import Self

from turnout.lab import hugepages
from turnout.lab.console import Console, LabError, run

_VSWITCHD = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"


class OvsDpdk:
    """`ovsdb-server` and `ovs-vswitchd-dpdk` in a folder of their own (`rundir`), one PMD thread.

    >>> with OvsDpdk() as ovs:
    ...     ovs.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev")
    """

    def __init__(self, worker_core: int = 1, control_core: int = 0, socket_mem: int = 1024) -> None:
        """`socket_mem` is in MB of hugepages. Starts nothing yet; `with` or `start()` does."""
        self.worker_core, self.control_core, self.socket_mem = worker_core, control_core, socket_mem
        self._folder = tempfile.TemporaryDirectory(prefix="turnout-ovs-")
        self.rundir = Path(self._folder.name)
        self._database: Console | None = None
        self._switch: Console | None = None

    @property
    def pid(self) -> int:
        """The process ID of ovs-vswitchd."""
        if self._switch is None:
            raise LabError("ovs-vswitchd is not running")
        return self._switch.pid

    @property
    def log(self) -> str:
        """What ovs-vswitchd logged so far (its log file)."""
        path = self.rundir / "vswitchd.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Start both daemons; LabError if the switch doesn't come up within 30 s."""
        if not hugepages.reserve(self.socket_mem + 64):
            raise LabError(f"OVS-DPDK needs {self.socket_mem} MB of free 2 MB hugepages")
        run("ovsdb-tool", "create", str(self.rundir / "conf.db"), _SCHEMA)
        self._database = Console(
            "ovsdb-server",
            ["ovsdb-server", str(self.rundir / "conf.db"), f"--remote=punix:{self.rundir}/db.sock",
             f"--unixctl={self.rundir}/ovsdb.ctl", f"--log-file={self.rundir}/ovsdb.log", "-vconsole:off"],
            env=self._env,
        )  # fmt: skip
        _wait_for(self.rundir / "db.sock", self._database)
        self.vsctl("--no-wait", "init")
        self.vsctl(
            "--no-wait", "set", "Open_vSwitch", ".",
            "other_config:dpdk-init=true",
            f"other_config:dpdk-socket-mem={self.socket_mem}",
            f"other_config:pmd-cpu-mask={1 << self.worker_core:#x}",
            f"other_config:dpdk-lcore-mask={1 << self.control_core:#x}",
            # --in-memory: no hugetlbfs mount needed, no files shared with other DPDK processes.
            f'other_config:dpdk-extra="--no-pci --in-memory --file-prefix=ovs{os.getpid()}"',
        )  # fmt: skip
        self.start_switch()

    def start_switch(self) -> None:
        """Start ovs-vswitchd (again); returns when it has applied the database."""
        assert self._database is not None
        self._switch = Console(
            "ovs-vswitchd",
            [_VSWITCHD, f"unix:{self.rundir}/db.sock", f"--unixctl={self.rundir}/vswitchd.ctl",
             f"--log-file={self.rundir}/vswitchd.log", "-vconsole:off"],
            env=self._env,
        )  # fmt: skip
        _wait_for(self.rundir / "vswitchd.ctl", self._switch)
        # A change makes ovs-vsctl wait until the switch has applied all of the database.
        self.vsctl("set", "Open_vSwitch", ".", f"external_ids:lab-start={time.monotonic_ns()}")
        if self.vsctl("get", "Open_vSwitch", ".", "dpdk_initialized").strip() != "true":
            raise LabError(f"OVS-DPDK did not initialise DPDK:\n{self.log[-1500:]}")

    def kill_switch(self) -> None:
        """SIGKILL ovs-vswitchd only, as a crash would."""
        if self._switch is not None:
            self._switch.kill()
            self._switch.close()
            (self.rundir / "vswitchd.ctl").unlink(missing_ok=True)
            self._switch = None

    def stop(self) -> None:
        """End both daemons, and the kernel interfaces that bridges have: they would outlive a kill."""
        if self._switch is not None:
            with contextlib.suppress(LabError):  # it may have crashed
                self.appctl("exit", "--cleanup")
                self._switch.close(grace=5)
        for process in (self._switch, self._database):
            if process is not None:
                process.close()
        self._switch = self._database = None
        self._folder.cleanup()

    def vsctl(self, *args: str) -> str:
        """`ovs-vsctl ARGS`: its standard output. LabError if it fails."""
        return run("ovs-vsctl", f"--db=unix:{self.rundir}/db.sock", "--timeout=30", *args, env=self._env)

    def appctl(self, *args: str) -> str:
        """`ovs-appctl ARGS` on ovs-vswitchd: its standard output. LabError if it fails."""
        return run("ovs-appctl", f"--target={self.rundir}/vswitchd.ctl", *args, env=self._env)

    def ofctl(self, *args: str) -> str:
        """`ovs-ofctl -O OpenFlow13 ARGS` (bridges by name): its standard output. LabError if it fails."""
        return run("ovs-ofctl", "-O", "OpenFlow13", *args, env=self._env, timeout=120)

    def add_bridge(self, name: str) -> None:
        """A userspace-datapath bridge, without the kernel interface's need of an address."""
        self.vsctl("add-br", name, "--", "set", "bridge", name, "datapath_type=netdev", "protocols=[]")

    def add_port(self, bridge: str, name: str, type: str, number: int = 0, **options: str) -> None:
        """Add a port; `options` keys use `_` for OVS's `-`, e.g. `dpdk_devargs="net_null0,no-rx=1"`.

        `number` is its OpenFlow port number, 0 for the next free one.
        """
        settings = [f"options:{key.replace('_', '-')}={value}" for key, value in options.items()]
        if number:
            settings.append(f"ofport_request={number}")
        self.vsctl("add-port", bridge, name, "--", "set", "interface", name, f"type={type}", *settings)
        if error := self.vsctl("get", "interface", name, "error").strip().strip('[]"'):
            raise LabError(f"OVS-DPDK port {name}: {error}")

    @property
    def _env(self) -> dict[str, str]:
        where = str(self.rundir)
        return {"OVS_RUNDIR": where, "OVS_DBDIR": where, "OVS_LOGDIR": where, "OVS_SYSCONFDIR": where}

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _wait_for(path: Path, process: Console, timeout: float = 30) -> None:
    deadline = time.monotonic() + timeout
    while not path.exists():
        if not process.alive:
            raise process.failure("has exited")
        if time.monotonic() > deadline:
            raise process.failure(f"did not create {path} within {timeout:g} s")
        time.sleep(0.02)
