# SPDX-License-Identifier: Apache-2.0
"""`turnout serve`: the daemon in the foreground, as a service manager wants it."""

import logging
from pathlib import Path

import click

from turnout.cli.options import socket_option
from turnout.control import daemon, paths
from turnout.ovsdb import remote


def _cores(_ctx: click.Context, _param: click.Parameter, text: str | None) -> list[int] | None:
    """ "1,4-7" → [1, 4, 5, 6, 7]."""
    if text is None:
        return None
    try:
        ends = [part.partition("-") for part in text.split(",")]
        cores = [core for low, _, high in ends for core in range(int(low), int(high or low) + 1)]
    except ValueError:
        raise click.BadParameter(f"expected cores such as 1 or 1,4-7, got {text!r}") from None
    return cores


def _idle(_ctx: click.Context, _param: click.Parameter, text: str | None) -> str | int | None:
    return int(text) if text and text.isascii() and text.isdigit() else text


def _remote(_ctx: click.Context, _param: click.Parameter, text: str | None) -> str:
    if text and not remote.valid(text, ("unix:/", "tcp:")):
        raise click.BadParameter(f"expected unix:PATH or tcp:IP:PORT, got {text!r}")
    return text or ""


@click.command()
@click.option("--config", type=click.Path(path_type=Path), help="TOML file with the desired state.")
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    default=paths.state_file,
    show_default=str(paths.state_file()),
    help="Where bridges and ports outlive the daemon.",
)
@click.option("--cores", callback=_cores, help="CPUs that poll, such as 1 or 1,4-7. [default: the last one]")
@click.option("--mbufs", type=int, help="Packet buffers. [default: 65536]")
@click.option("--hugepages", help="auto, require or off. [default: auto]")
@click.option("--idle", callback=_idle, help="Idle workers sleep, spin, or spin MICROSECONDS and then sleep.")
@click.option("--private-key", help="PEM file: our key, for controllers over TLS (ssl:, pssl:).")
@click.option("--certificate", help="PEM file: our certificate.")
@click.option("--ca-cert", help="PEM file: the CA that has signed the controllers' certificates.")
@click.option(
    "--ovsdb", callback=_remote, metavar="unix:PATH", help="Open_vSwitch database that says what there is."
)
@socket_option
def serve(config: Path | None, state: Path, socket: Path, ovsdb: str, **settings: object) -> None:
    """Run the switch until stopped (SIGTERM, Ctrl-C, or ovs-appctl -t SOCKET exit).

    \b
    turnout serve
    turnout serve --cores 2,3 --idle spin
    turnout serve --config /etc/turnout.toml
    turnout serve --ovsdb unix:/run/openvswitch/db.sock

    Bridges and ports that the CLI makes are kept in the state file and come back after a restart or a crash.
    With --config the TOML file says what there is; changes made by the CLI since are kept as long as that
    file stays as it is. Once it has changed, its bridges and ports replace all others at the next start.
    Settings of the switch itself (cores, mbufs, hugepages, idle …) always come from the file and this command
    line, which wins.

    With --ovsdb bridges and ports come from a running ovsdb-server, as ovs-vsctl sets them, and from nowhere
    else; while it is away, the switch goes on with what it said last.

    \b
    cores = [2, 3]
    [bridge.br0.port.vm1]
    type = "vhost-user"
    tag = 10
    """
    logging.basicConfig(level=logging.INFO, format="turnout: %(levelname)s: %(message)s")
    for level in (logging.INFO, logging.WARNING, logging.ERROR):
        logging.addLevelName(level, logging.getLevelName(level).lower())
    overrides = {key.replace("_", "-"): value for key, value in settings.items() if value is not None}
    daemon.serve(daemon.Options(config=config, state=state, socket=socket, overrides=overrides, ovsdb=ovsdb))
