# SPDX-License-Identifier: Apache-2.0
"""Verbs that print names, one a line, for shells."""

import json
from pathlib import Path

import click

from turnout import __version__
from turnout.cli.options import bridge_names, json_option, query, socket_option
from turnout.errors import TurnoutError


def _print(names: list[str], as_json: bool) -> None:
    for line in [json.dumps(names)] if as_json else names:
        click.echo(line)


@click.command("list-br")
@json_option
@socket_option
def list_br(as_json: bool, socket: Path) -> None:
    """Bridges, one a line: turnout list-br"""
    _print(list(query(socket, "turnout/config")["bridge"]), as_json)


@click.command("list-ports")
@click.argument("bridge", shell_complete=bridge_names)
@json_option
@socket_option
def list_ports(bridge: str, as_json: bool, socket: Path) -> None:
    """Ports of a bridge, but for its own, one a line: turnout list-ports br0"""
    bridges = {view["name"]: view["ports"] for view in query(socket, "turnout/show")["bridges"]}
    if bridge not in bridges:
        raise TurnoutError(f"bridge.{bridge}: no such bridge; there are: {', '.join(bridges) or 'none yet'}")
    _print([port["name"] for port in bridges[bridge] if port["name"] != bridge], as_json)


@click.command()
def version() -> None:
    """Print the version: turnout version"""
    click.echo(f"turnout {__version__}")
