# SPDX-License-Identifier: Apache-2.0
"""`ovs-vswitchd`: Turnout as that daemon, with its arguments, folders and files."""

import ctypes
import logging
import os
import pwd
import sys
from pathlib import Path

import ovs.daemon  # type: ignore[import-untyped]
import ovs.stream  # type: ignore[import-untyped]
import ovs.util  # type: ignore[import-untyped]
import ovs.version  # type: ignore[import-untyped]

from turnout import __version__
from turnout.cli.vswitchd_arguments import HELP, Arguments, parse
from turnout.control import daemon, ovs_log
from turnout.errors import TurnoutError
from turnout.ovsdb.report import dpdk_version

log = logging.getLogger("turnout.vswitchd")  # also as a program

NAME = "ovs-vswitchd"
# tools look in the first line, and in DPDK's
VERSION = f"{NAME} (Open vSwitch) {ovs.version.VERSION}\nTurnout {__version__}\n{dpdk_version()}"

_CAPABILITIES = "+net_admin,+net_raw,+net_bind_service,+ipc_lock,+sys_nice"
_ALL_WHEN_TOUCHED = 1 | 2 | 4  # MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT


def main() -> None:
    """Exit status 1, after one line, if the arguments are wrong or the switch cannot start."""
    try:
        arguments = parse(sys.argv[1:])
        if arguments.shows == "help":
            print(HELP)
        elif arguments.shows == "version":
            print(VERSION)
        else:
            _serve(arguments)
    except TurnoutError as error:
        if logging.root.handlers:  # else it would be said twice
            log.error("%s", error)
        print(f"{NAME}: {error}", file=sys.stderr)
        sys.exit(1)
    except Exception:  # a daemon's standard error is nowhere
        log.critical("internal error", exc_info=True)
        raise


def _serve(arguments: Arguments) -> None:
    if arguments.user:
        _become(arguments.user)
    Path("/proc/self/comm").write_text(NAME)  # ovs-ctl looks for it
    ovs_log.start(arguments.log_file, arguments.verbose, arguments.syslog_method, arguments.syslog_target)
    log.info("%s", VERSION.replace("\n", ", "))
    folder = arguments.state.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TurnoutError(f"{folder}: cannot create: {error.strerror}; see OVS_DBDIR") from None
    for option in arguments.ignored:
        log.info("--%s: without effect here", option)
    for setting, file in arguments.tls.items():  # the database's own, too
        getattr(ovs.stream.Stream, f"ssl_set_{setting.replace('-', '_')}_file")(file)
    _detach(arguments)
    if arguments.mlockall and ctypes.CDLL(None, use_errno=True).mlockall(_ALL_WHEN_TOUCHED):
        log.error("mlockall failed: %s", os.strerror(ctypes.get_errno()))
    daemon.serve(
        daemon.Options(
            config=arguments.config,
            state=arguments.state,
            socket=arguments.unixctl or arguments.run_dir / f"{NAME}.{os.getpid()}.ctl",
            overrides=arguments.tls,
            ovsdb=arguments.database,
            run_dir=arguments.run_dir,
            version=VERSION,
            ready=ovs.daemon.daemonize_complete,
            stand_in=True,
        )
    )


def _detach(arguments: Arguments) -> None:
    """Goes on in the daemon's process, with its pid file. The first process ends when the daemon is ready."""
    ovs.util.PROGRAM_NAME = NAME
    if arguments.pid_file:
        ovs.daemon.set_pidfile(str(arguments.pid_file))
    if arguments.overwrite_pidfile:
        ovs.daemon.ignore_existing_pidfile()
    if arguments.no_chdir:
        ovs.daemon.set_no_chdir()
    if arguments.detach:
        ovs.daemon.set_detach()
    if arguments.monitor:
        ovs.daemon.set_monitor()
    ovs.daemon.daemonize_start()


def _become(user: str) -> None:
    """Starts this program again as "USER[:GROUP]", with what a switch may do; goes on if it is that user."""
    name, _, group = user.partition(":")
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise TurnoutError(f"--user: user {name} not found") from None
    if os.geteuid() == entry.pw_uid:
        return
    os.execvp(
        "setpriv",
        [
            *("setpriv", f"--reuid={name}", f"--regid={group or entry.pw_gid}", "--init-groups"),
            *(f"--inh-caps={_CAPABILITIES}", f"--ambient-caps={_CAPABILITIES}"),
            *(sys.executable, "-m", __spec__.name, *sys.argv[1:]),
        ],
    )


if __name__ == "__main__":
    main()
