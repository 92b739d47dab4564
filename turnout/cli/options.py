# SPDX-License-Identifier: Apache-2.0
"""What several verbs share: the socket, --json, and arguments that complete from the running daemon."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from turnout.control import client, paths
from turnout.errors import TurnoutError

Verb = Callable[..., Any]


def socket_option(verb: Verb) -> Verb:
    """--socket, the daemon's control socket."""
    return click.option(
        "--socket",
        type=click.Path(path_type=Path),
        default=paths.control_socket,
        show_default=str(paths.control_socket()),
        help="The daemon's control socket; also $TURNOUT_SOCKET.",
    )(verb)


def json_option(verb: Verb) -> Verb:
    """--json, for programs."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(verb)


def query(socket: Path, method: str, *arguments: str) -> Any:
    """The daemon's answer to a turnout/ query."""
    return json.loads(client.request(socket, method, *arguments))


def _bridges(ctx: click.Context) -> dict[str, Any]:
    """The daemon's bridges and their ports for completion; none if it does not answer at once."""
    socket = ctx.params.get("socket") or paths.control_socket()
    try:
        bridges = json.loads(client.request(Path(socket), "turnout/show", timeout=1))["bridges"]
        return {bridge["name"]: bridge["ports"] for bridge in bridges}
    except (TurnoutError, ValueError, KeyError):
        return {}


def bridge_names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Completes a bridge that exists."""
    return [name for name in _bridges(ctx) if name.startswith(incomplete)]


def port_names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Completes a port that exists."""
    names = (port["name"] for ports in _bridges(ctx).values() for port in ports)
    return [name for name in names if name.startswith(incomplete)]


def any_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Completes a bridge or a port that exists."""
    return bridge_names(ctx, param, incomplete) + port_names(ctx, param, incomplete)


def words(*known: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Completes one of `known`."""
    return lambda _ctx, _param, incomplete: [word for word in known if word.startswith(incomplete)]
