# SPDX-License-Identifier: Apache-2.0
"""`turnout ovs-compat`: Turnout in the place of /usr/sbin/ovs-vswitchd, as one of Debian's alternatives to
it, beside openvswitch-switch-dpdk's.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click

from turnout.errors import TurnoutError

_LINK, _NAME, _PRIORITY = "/usr/sbin/ovs-vswitchd", "ovs-vswitchd", 200  # Debian's have 50 and 100
_PROGRAM = "/usr/lib/turnout/ovs-vswitchd"
_BEFORE = "/usr/lib/turnout/alternative-before"  # which one the administrator had chosen
_UNIT = "/etc/systemd/system/ovs-vswitchd.service"

_PROGRAM_TEXT = """\
#!{python}
from turnout.cli.vswitchd import main

main()
"""
# Debian's, but for ovs-ctl, which would insist on the kernel's module
_UNIT_TEXT = """\
# Written by turnout ovs-compat install; turnout ovs-compat remove takes it away.
[Unit]
Description=Turnout in the place of ovs-vswitchd
After=ovsdb-server.service network-pre.target systemd-udev-settle.service
Before=network.target networking.service
Requires=ovsdb-server.service
AssertPathIsReadWrite=/run/openvswitch/db.sock
PartOf=openvswitch-switch.service
DefaultDependencies=no

[Service]
Type=forking
Restart=on-failure
LimitNOFILE=1048576
Environment=HOME=/run/openvswitch
EnvironmentFile=-/etc/default/openvswitch-switch
ExecStart=/usr/sbin/ovs-vswitchd unix:/run/openvswitch/db.sock -vconsole:emer -vsyslog:err -vfile:info \\
          --mlockall --no-chdir --log-file --pidfile --detach
ExecStop=/usr/bin/ovs-appctl -T 10 exit
TimeoutSec=300
OOMScoreAdjust=-900
"""

_root = click.option(
    "--root",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path("/"),
    help="Another system's root folder, such as an image's.",
)


@click.group()
def ovs_compat() -> None:
    """Stand in for ovs-vswitchd on this machine, and go again.

    \b
    turnout ovs-compat install && service openvswitch-switch restart
    turnout ovs-compat remove && service openvswitch-switch restart
    """


@ovs_compat.command()
@_root
def install(root: Path) -> None:
    """Make /usr/sbin/ovs-vswitchd Turnout, and give it a systemd unit.

    It becomes an alternative to Open vSwitch's own (update-alternatives --display ovs-vswitchd). A daemon
    that runs is not touched.
    """
    system = _System(root)
    system.check()
    try:
        if (chosen := system.chosen()) and chosen != _PROGRAM:
            system.write(_BEFORE, f"{chosen}\n")
        system.write(_PROGRAM, _PROGRAM_TEXT.format(python=sys.executable), mode=0o755)
        system.write(_UNIT, _UNIT_TEXT)
        system.alternatives("--install", _LINK, _NAME, _PROGRAM, str(_PRIORITY))
        if chosen:
            system.alternatives("--set", _NAME, _PROGRAM)
        system.reload()
    except BaseException:
        with contextlib.suppress(TurnoutError):  # what went wrong first is said
            system.remove()
        raise
    print("installed; now: service openvswitch-switch restart")


@ovs_compat.command()
@_root
def remove(root: Path) -> None:
    """Undo install: /usr/sbin/ovs-vswitchd is what it was. A daemon that runs is not touched."""
    system = _System(root)
    if not system.path(_PROGRAM).exists():
        raise TurnoutError(f"{system.path(_PROGRAM)}: not there; nothing is installed")
    system.check_tool()
    system.remove()
    print("removed; now: service openvswitch-switch restart")


class _System:
    """The one below a root folder."""

    def __init__(self, root: Path) -> None:
        """TurnoutError if it is not ours to change."""
        self._root = root
        if os.geteuid() != 0:
            raise TurnoutError("ovs-compat: changes /usr and /etc; run as root")

    def path(self, name: str) -> Path:
        return self._root / name.lstrip("/")

    def check_tool(self) -> None:
        """TurnoutError if there is no update-alternatives."""
        if shutil.which("update-alternatives") is None:
            raise TurnoutError("ovs-compat: no update-alternatives here; this is for Debian's kind")

    def check(self) -> None:
        """TurnoutError if what is not ours would be overwritten, or if `alternatives` cannot work."""
        self.check_tool()
        link, unit = self.path(_LINK), self.path(_UNIT)
        if link.exists() and not link.is_symlink():
            raise TurnoutError(f"{link}: is a file, no alternative of Debian's; move it away first")
        if unit.exists() and unit.read_text().partition("\n")[0] != _UNIT_TEXT.partition("\n")[0]:
            raise TurnoutError(f"{unit}: is another's; move it away first")

    def write(self, name: str, text: str, mode: int = 0o644) -> None:
        path = self.path(name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(mode)
        except OSError as error:
            raise TurnoutError(f"{path}: cannot write: {error.strerror}") from None

    def alternatives(self, *arguments: str) -> str:
        """What update-alternatives prints."""
        root = [] if self._root == Path("/") else ["--root", str(self._root.absolute())]
        done = subprocess.run(["update-alternatives", *root, *arguments], capture_output=True, text=True)
        if done.returncode:
            raise TurnoutError(f"ovs-compat: {done.stderr.strip() or arguments[0]}")
        return done.stdout

    def chosen(self) -> str:
        """The alternative that somebody chose by hand; "" if it is left to priorities, or there is none."""
        try:
            state = self.alternatives("--query", _NAME)
        except TurnoutError:
            return ""
        value = re.search(r"^Value: (.*)$", state, re.MULTILINE)
        return value[1] if value and "\nStatus: manual\n" in state else ""

    def remove(self) -> None:
        """Everything that `install` makes."""
        before = self.path(_BEFORE)
        chosen = before.read_text().strip() if before.exists() else ""
        for path in map(self.path, (_BEFORE, _PROGRAM, _UNIT)):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise TurnoutError(f"{path}: cannot remove: {error.strerror}") from None
        with contextlib.suppress(OSError):  # not there, or others have something in it
            self.path(_PROGRAM).parent.rmdir()
        self.reload()
        self.alternatives("--remove", _NAME, _PROGRAM)
        if chosen and self.path(chosen).exists():
            self.alternatives("--set", _NAME, chosen)

    def reload(self) -> None:
        """Tells systemd, where it runs."""
        if self._root == Path("/") and Path("/run/systemd/system").exists():
            subprocess.run(["systemctl", "daemon-reload"], check=False)
