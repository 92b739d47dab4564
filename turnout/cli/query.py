# SPDX-License-Identifier: Apache-2.0
"""Verbs that ask the daemon and print a table, or with --json what the daemon said."""

from pathlib import Path
from typing import Any

import click
from rich.tree import Tree

from turnout.cli.options import bridge_names, json_option, query, socket_option
from turnout.cli.render import console, print_json, short, table
from turnout.openflow.session.constants import PORT_LOCAL


@click.command()
@json_option
@socket_option
def show(as_json: bool, socket: Path) -> None:
    """Bridges, ports and their devices: turnout show"""
    answer = query(socket, "turnout/show")
    if as_json:
        return print_json(answer)
    used, total = answer["mbufs_in_use"], answer["mbufs_total"]
    cores = ",".join(map(str, answer["cores"]))
    memory = f"{answer['memory']} memory, mbufs {used} of {total} in use"
    tree = Tree(f"turnout {answer['version']}: worker cores {cores}, {memory}", guide_style="dim")
    for bridge in answer["bridges"]:
        branch = tree.add(_bridge_line(bridge))
        for port in bridge["ports"]:
            branch.add(_port_line(port))
    return console().print(tree)


def _bridge_line(bridge: dict[str, Any]) -> str:
    parts = [f"[bold]{bridge['name']}[/]"]
    if bridge["fail_mode"] == "secure":
        parts.append("fail_mode=secure")
    for target, connected in bridge["controllers"].items():
        state = "[green]connected[/]" if connected else "[yellow]not connected[/]"
        parts.append(f"controller {target} {state}")
    return " ".join(parts)


def _port_line(port: dict[str, Any]) -> str:
    ofport = "LOCAL" if port["ofport"] == PORT_LOCAL else port["ofport"]
    parts = [f"[bold]{port['name']}[/] ({ofport})", port["type"]]
    parts += [f"{key}={value}" for key, value in port["options"].items()]
    if port["tag"]:
        parts.append(f"tag={port['tag']}")
    if port["trunks"]:
        parts.append(f"trunks={','.join(map(str, port['trunks']))}")
    if port["vlan_mode"].startswith("native"):
        parts.append(port["vlan_mode"])
    if port["mtu"] != 1500:
        parts.append(f"mtu={port['mtu']}")
    if port["n_rxq"] > 1:
        parts.append(f"n_rxq={port['n_rxq']}")
    parts.append("[green]up[/]" if port["link_up"] else "[yellow]down[/]")
    if port["error"]:
        parts.append(f"[red]error: {port['error']}[/]")
    return " ".join(parts)


@click.command()
@json_option
@socket_option
def stats(as_json: bool, socket: Path) -> None:
    """Packets, bytes, rates and drops of each port: turnout stats

    rx is from the port into the switch. Totals are since the port came, rates over the last second.
    """
    answer = query(socket, "turnout/stats")
    if as_json:
        return print_json(answer)
    keys = (
        "rx_packets",
        "rx_bytes",
        "tx_packets",
        "tx_bytes",
        "drops",
        "rx_pps",
        "rx_bps",
        "tx_pps",
        "tx_bps",
    )
    rows = ([s["bridge"], s["port"], *(short(s[key]) for key in keys)] for s in answer)
    return table(
        "bridge port rx_packets rx_bytes tx_packets tx_bytes drops rx_pps rx_bit/s tx_pps tx_bit/s",
        rows,
        left=2,
    )


@click.command()
@click.argument("bridge", shell_complete=bridge_names, required=False)
@click.option("--flush", is_flag=True, help="Forget them.")
@json_option
@socket_option
def fdb(bridge: str | None, flush: bool, as_json: bool, socket: Path) -> None:
    """Learned MAC addresses of a bridge, or of all.

    \b
    turnout fdb br0
    turnout fdb br0 --flush
    """
    chosen = (bridge,) if bridge else ()
    if flush:
        answer = query(socket, "turnout/flush", *chosen)
        return print_json(answer) if as_json else click.echo(f"{answer['entries']} entries forgotten")
    answer = query(socket, "turnout/fdb", *chosen)
    if as_json:
        return print_json(answer)
    rows = (
        [e["bridge"], e["port"], e["mac"], e["vlan"] or "-", "static" if e["static"] else e["age"]]
        for e in answer
    )
    return table("bridge port MAC VLAN age_(s)", rows, left=3)


@click.command()
@json_option
@socket_option
def workers(as_json: bool, socket: Path) -> None:
    """What each worker core does: turnout workers

    Load, rate and busy cycles per packet are over the last second.
    """
    answer = query(socket, "turnout/workers")
    if as_json:
        return print_json(answer)
    rows = (
        [
            w["core"],
            f"{w['load']:.1%}",
            f"{w['pps'] / 1e6:.3f}",
            f"{w['cycles_per_packet']:.0f}" if w["cycles_per_packet"] else "-",
            short(w["packets"]),
            short(w["sleeps"]),
            " ".join(w["rxqs"]) or "-",
        ]
        for w in answer
    )
    return table("core load Mpps cycles/packet packets sleeps rxqs", rows)


@click.command()
@json_option
@socket_option
def drops(as_json: bool, socket: Path) -> None:
    """Lost packets by port and reason: turnout drops"""
    answer = query(socket, "turnout/drops")
    if as_json:
        return print_json(answer)
    return table("port reason packets", ([d["port"], d["reason"], d["packets"]] for d in answer), left=2)
