# SPDX-License-Identifier: Apache-2.0
"""OpenFlow's verbs: a bridge's flows with their rates, and the way of a packet through them."""

import time
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.tree import Tree

from turnout.cli.options import bridge_names, json_option, query, socket_option
from turnout.cli.render import console, print_json, short, table
from turnout.errors import TurnoutError
from turnout.openflow.pcap import pcap_frame

_INTERVAL = 1.0  # s between the two looks that rates come from


def _key(flow: dict[str, Any]) -> tuple[Any, ...]:
    return flow["table"], flow["priority"], flow["match"]


@click.command()
@click.argument("bridge", shell_complete=bridge_names)
@click.argument("number", metavar="[TABLE]", required=False)
@json_option
@socket_option
def flows(bridge: str, number: str | None, as_json: bool, socket: Path) -> None:
    """OpenFlow flows of a bridge, with packet rates over a second.

    \b
    turnout flows br0
    turnout flows br0 3        of table 3
    """
    arguments = (bridge, *([number] if number else []))
    before = query(socket, "turnout/flows", *arguments)
    time.sleep(_INTERVAL)
    after = query(socket, "turnout/flows", *arguments)
    passed = max(after["time"] - before["time"], 1e-6)
    old = {_key(flow): flow for flow in before["flows"]}
    for flow in after["flows"]:
        was = old.get(_key(flow), flow)
        flow["pps"] = max(0.0, flow["packets"] - was["packets"]) / passed
        flow["bps"] = max(0.0, flow["bytes"] - was["bytes"]) * 8 / passed
    if as_json:
        return print_json(after["flows"])
    rows = (
        [
            flow["table"],
            flow["priority"],
            escape(flow["match"]) or "any",
            escape(flow["actions"]),
            _timeouts(flow),
            short(flow["packets"]),
            short(flow["pps"]),
            short(flow["bps"]),
        ]
        for flow in after["flows"]
    )
    return table(
        "table priority match actions timeouts packets pps bit/s", rows, text=("match", "actions", "timeouts")
    )


def _timeouts(flow: dict[str, Any]) -> str:
    parts = [f"{kind} {flow[f'{kind}_timeout']}s" for kind in ("idle", "hard") if flow[f"{kind}_timeout"]]
    return ", ".join(parts) or "-"


@click.command()
@click.argument("bridge", shell_complete=bridge_names)
@click.argument("packet", metavar="[FLOW]", required=False)
@click.option("--hex", "frame", metavar="HEX", help="The frame, in hex digits.")
@click.option(
    "--pcap", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="File with the frame."
)
@click.option(
    "--packet", "index", type=click.IntRange(1), default=1, show_default=True, help="Which of the pcap."
)
@json_option
@socket_option
def trace(
    bridge: str,
    packet: str | None,
    frame: str | None,
    pcap: Path | None,
    index: int,
    as_json: bool,
    socket: Path,
) -> None:
    """What would become of a packet, and why; nothing is sent.

    \b
    turnout trace br0 in_port=vm1,tcp,nw_dst=10.0.0.1,tp_dst=80
    turnout trace br0 in_port=vm1 --hex 0200…
    turnout trace br0 in_port=vm1 --pcap dump.pcap --packet 3
    """
    if pcap is not None:
        frame = pcap_frame(pcap.read_bytes(), index).hex()
    what = ",".join(part for part in (packet, frame) if part)
    if not what:
        raise TurnoutError("trace: which packet? give a flow such as in_port=1,ip, or --hex, or --pcap")
    answer = query(socket, "turnout/trace", bridge, what)
    if as_json:
        return print_json(answer)
    shown = answer["frame"] if len(answer["frame"]) <= 128 else f"{answer['frame'][:128]}…"
    root = Tree(f"packet from port [bold]{escape(answer['in_port'])}[/]: {shown}", guide_style="dim")
    for step in answer["steps"]:
        _branch(root, step)
    for sent in answer["outputs"]:
        changed = "" if sent["frame"] == answer["frame"] else f", as {sent['frame']}"
        root.add(f"[green]sent to {escape(sent['port'])}[/]{changed}")
    for up in answer["to_controller"]:
        of = "" if up["bridge"] == bridge else f" of {escape(up['bridge'])}"
        root.add(f"[green]sent to controller {up['controller']}{of}[/] ({up['reason']}, table {up['table']})")
    if answer["dropped"]:
        root.add(f"[red]dropped[/]: {escape(answer['dropped'])}")
    return console().print(root)


def _branch(tree: Tree, step: dict[str, Any]) -> None:
    if step["kind"] == "table" and step["rule"]:
        branch = tree.add(f"[bold]table {step['table']}[/]: {escape(step['rule'])}")
        branch.add(f"[dim]because {escape(', '.join(step['why']))}[/]")
    elif step["kind"] == "table":
        branch = tree.add(f"[bold]{escape(step['text'])}[/]")
    elif step["kind"] == "bridge":
        branch = tree.add(f"[bold]bridge {escape(step['text'])}[/]")
    else:
        branch = tree.add(
            escape(step["text"]) if step["kind"] != "note" else f"[dim]{escape(step['text'])}[/]"
        )
    for inner in step.get("steps", []):
        _branch(branch, inner)
