# SPDX-License-Identifier: Apache-2.0
"""ovs-vswitchd's command line and environment as values."""

import getopt
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from turnout.errors import TurnoutError
from turnout.ovsdb import remote

RUN_DIR, LOG_DIR, STATE_DIR = "/var/run/openvswitch", "/var/log/openvswitch", "/var/lib/openvswitch"
CONFIG, STATE = "turnout.toml", "turnout.json"
_TLS = ("private-key", "certificate", "ca-cert")

HELP = f"""\
ovs-vswitchd: Turnout in the place of the Open vSwitch daemon
usage: ovs-vswitchd [OPTIONS] [DATABASE]
where DATABASE is a socket on which ovsdb-server is listening
      (default: "unix:{RUN_DIR}/db.sock"): unix:FILE, tcp:IP:PORT or ssl:IP:PORT

  -p, --private-key=FILE  file with private key
  -c, --certificate=FILE  file with certificate for private key
  -C, --ca-cert=FILE      file with peer CA certificate
  --detach                run in background; returns when the switch is ready
  --monitor               creates a process that starts this daemon again if it crashes
  --user=USER[:GROUP]     changes the effective user and group
  --no-chdir              do not chdir to '/'
  --pidfile[=FILE]        create pidfile (default: {RUN_DIR}/ovs-vswitchd.pid)
  --overwrite-pidfile     with --pidfile, start even if already running
  --mlockall              keep memory from being swapped out
  -v[SPEC], --verbose[=SPEC]  set logging levels, all of them if not said
  --log-file[=FILE]       log to FILE (default: {LOG_DIR}/ovs-vswitchd.log)
  --syslog-method=(libc|unix:FILE|udp:IP:PORT|null)
  --syslog-target=HOST:PORT  also send syslog msgs to HOST:PORT via UDP
  --unixctl=SOCKET        control socket (default: {RUN_DIR}/ovs-vswitchd.PID.ctl)
  -h, --help              display this help message
  -V, --version           display version information

OVS_RUNDIR, OVS_LOGDIR and OVS_DBDIR say where these files are. CPUs come from the database
(other_config:pmd-cpu-mask) when the daemon starts, other settings of the switch from
/etc/openvswitch/turnout.toml, if it is there."""

_IGNORED = (
    *("disable-system", "disable-system-route", "no-self-confinement", "peer-ca-cert="),
    *("ssl-protocols=", "ssl-ciphers="),
)
_MAYBE = ("--pidfile", "--log-file", "--verbose")  # with a value or without one
_OPTIONS = (
    *("help", "version", "detach", "monitor", "no-chdir", "overwrite-pidfile", "mlockall", "dpdk"),
    *("private-key=", "certificate=", "ca-cert=", "bootstrap-ca-cert="),
    *("user=", "syslog-method=", "syslog-target=", "unixctl="),
    *(f"{name[2:]}=" for name in _MAYBE),
    *_IGNORED,
)
_SHORT = {"-h": "help", "-V": "version", "-p": "private-key", "-c": "certificate", "-C": "ca-cert"}


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What was asked. shows: "help", "version", or "" to serve. config: the TOML file, if it is there. state:
    the state file. tls: settings → files. ignored: options that mean nothing here.
    """

    shows: str = ""
    database: str
    run_dir: Path
    config: Path | None
    state: Path
    log_file: Path | None = None
    pid_file: Path | None = None
    unixctl: Path | None = None
    detach: bool = False
    monitor: bool = False
    no_chdir: bool = False
    overwrite_pidfile: bool = False
    mlockall: bool = False
    user: str = ""
    verbose: tuple[str, ...] = ()
    syslog_method: str = "libc"
    syslog_target: str = ""
    tls: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()


def parse(words: Sequence[str]) -> Arguments:
    """TurnoutError, one line, for what ovs-vswitchd refuses, too, and for what Turnout must not pass over."""
    try:
        options, rest = getopt.gnu_getopt([_spelled(word) for word in words], "hVp:c:C:", _OPTIONS)
    except getopt.GetoptError as error:
        raise TurnoutError(f"{error}; use --help for help") from None
    if len(rest) > 1:
        raise TurnoutError("at most one non-option argument accepted; use --help for usage")
    named = [(_SHORT.get(option, option.removeprefix("--")), value) for option, value in options]
    given = dict(named)
    if "dpdk" in given:
        raise TurnoutError("Using --dpdk to configure DPDK is not supported.")
    if "bootstrap-ca-cert" in given:
        raise TurnoutError("--bootstrap-ca-cert: not implemented; name the file with --ca-cert")
    run_dir, etc = _folder("OVS_RUNDIR", RUN_DIR), _folder("OVS_SYSCONFDIR", "/etc") / "openvswitch"
    config = etc / CONFIG
    database = rest[0] if rest else f"unix:{run_dir}/db.sock"
    tls = {name: given[name] for name in _TLS if name in given}
    if not remote.valid(database):
        raise TurnoutError(f"DATABASE: expected unix:FILE, tcp:IP:PORT or ssl:IP:PORT, got {database!r}")
    if len(tls) < len(_TLS) and any(one.startswith("ssl:") for one in remote.split(database)):
        raise TurnoutError(f"DATABASE: {database} needs --private-key, --certificate and --ca-cert")
    return Arguments(
        shows=next((name for name in ("help", "version") if name in given), ""),
        database=database,
        run_dir=run_dir,
        config=config if config.exists() else None,
        state=_folder("OVS_DBDIR", str(etc) if "OVS_SYSCONFDIR" in os.environ else STATE_DIR) / STATE,
        log_file=_file(given.get("log-file"), _folder("OVS_LOGDIR", LOG_DIR), "ovs-vswitchd.log"),
        pid_file=_file(given.get("pidfile"), run_dir, "ovs-vswitchd.pid"),
        unixctl=_file(given.get("unixctl"), run_dir, ""),
        detach="detach" in given,
        monitor="monitor" in given,
        no_chdir="no-chdir" in given,
        overwrite_pidfile="overwrite-pidfile" in given,
        mlockall="mlockall" in given,
        user=given.get("user", ""),
        verbose=tuple(value or "any" for name, value in named if name == "verbose"),
        syslog_method=given.get("syslog-method") or os.environ.get("OVS_SYSLOG_METHOD") or "libc",
        syslog_target=given.get("syslog-target", ""),
        tls=tls,
        ignored=tuple(name for name, _ in named if name in _IGNORED or f"{name}=" in _IGNORED),
    )


def _spelled(word: str) -> str:
    """getopt knows no value that may be missing: it gets an empty one."""
    if word.startswith("-v"):
        return f"--verbose={word[2:]}"
    return f"{word}=" if word in _MAYBE else word


def _folder(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or default)


def _file(value: str | None, folder: Path, default: str) -> Path | None:
    return None if value is None else folder / (value or default)
