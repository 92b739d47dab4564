# SPDX-License-Identifier: Apache-2.0
"""Verbs that change the switch: each is one request to the daemon, done whole or not at all."""

from pathlib import Path

import click

from turnout.cli.options import any_names, bridge_names, port_names, socket_option, words
from turnout.control import client

PORT_COLUMN = words(
    *("type=vhost-user", "type=vhost-user-client", "type=tap", "type=af_packet", "type=af_xdp", "type=memif"),
    *(
        "type=pcap",
        "type=null",
        "type=patch",
        "type=dpdk",
        "type=internal",
        "ofport_request=",
        "tag=",
        "trunks=",
        "vlan_mode=",
        "mtu_request=",
        "options:",
        "options:path=",
        "options:n_rxq=",
    ),
    *("options:peer=", "options:iface=", "options:dpdk-devargs=", "other_config:pmd-rxq-affinity="),
)
BRIDGE_COLUMN = words(
    *("other_config:mac-aging-time=", "other_config:mac-table-size=", "other_config:datapath-id="),
    *(
        "controller=",
        "controller=tcp:",
        "fail_mode=secure",
        "protocols=",
        "flow_limit=",
        "overflow_policy=evict",
    ),
    *("controller_rate_limit=", "controller_burst_limit=", "restore_flows=true"),
)

may_exist = click.option("--may-exist", is_flag=True, help="If it exists, change it to what is said instead.")
if_exists = click.option("--if-exists", is_flag=True, help="No error if there is none.")


def _flags(**flags: bool) -> list[str]:
    return [f"--{name.replace('_', '-')}" for name, given in flags.items() if given]


@click.command("add-br")
@click.argument("bridge")
@click.argument("columns", nargs=-1, shell_complete=BRIDGE_COLUMN, metavar="[KEY=VALUE]…")
@may_exist
@socket_option
def add_br(bridge: str, columns: tuple[str, ...], may_exist: bool, socket: Path) -> None:
    """Add a bridge: a learning switch of its own.

    \b
    turnout add-br br0
    turnout add-br br1 other_config:mac-aging-time=60 other_config:mac-table-size=1000000
    turnout add-br br2 controller=tcp:10.0.0.1:6653 fail_mode=secure protocols=OpenFlow13

    ovs-ofctl speaks to it with OVS_RUNDIR set to the folder of the control socket.

    \b
    Keys: other_config:mac-aging-time other_config:mac-table-size other_config:datapath-id
          controller fail_mode protocols controller_rate_limit controller_burst_limit
          max_backoff inactivity_probe enable_async_messages
          flow_limit overflow_policy table_limits restore_flows
    """
    client.request(socket, "turnout/add-br", *_flags(may_exist=may_exist), bridge, *columns)


@click.command("del-br")
@click.argument("bridge", shell_complete=bridge_names)
@if_exists
@socket_option
def del_br(bridge: str, if_exists: bool, socket: Path) -> None:
    """Remove a bridge with its ports: turnout del-br br0"""
    client.request(socket, "turnout/del-br", *_flags(if_exists=if_exists), bridge)


@click.command("add-port")
@click.argument("bridge", shell_complete=bridge_names)
@click.argument("port")
@click.argument("columns", nargs=-1, shell_complete=PORT_COLUMN, metavar="[KEY=VALUE]…")
@may_exist
@socket_option
def add_port(bridge: str, port: str, columns: tuple[str, ...], may_exist: bool, socket: Path) -> None:
    """Add a port to a bridge.

    \b
    A guest; the switch makes the socket (default: beside the control socket):
      turnout add-port br0 vm1 type=vhost-user options:path=/run/turnout/vm1 tag=10
    A guest whose QEMU makes the socket:
      turnout add-port br0 vm2 type=vhost-user-client options:path=/run/vm2.sock options:n_rxq=2
    A kernel interface, made by the switch or there already:
      turnout add-port br0 tap0 type=tap
      turnout add-port br0 veth0 type=af_packet trunks=10,20-29
    A NIC:
      turnout add-port br0 up0 type=dpdk options:dpdk-devargs=0000:3b:00.0

    \b
    Types: vhost-user vhost-user-client tap internal af_packet af_xdp memif pcap null patch dpdk
    Keys:  type tag trunks vlan_mode mtu_request options:NAME options:n_rxq other_config:pmd-rxq-affinity
           ofport_request
    """
    client.request(socket, "turnout/add-port", *_flags(may_exist=may_exist), bridge, port, *columns)


@click.command("del-port")
@click.argument("names", nargs=-1, required=True, shell_complete=port_names, metavar="[BRIDGE] PORT")
@if_exists
@socket_option
def del_port(names: tuple[str, ...], if_exists: bool, socket: Path) -> None:
    """Remove a port: turnout del-port vm1, or turnout del-port br0 vm1"""
    if len(names) > 2:
        raise click.UsageError("expected [BRIDGE] PORT")
    client.request(socket, "turnout/del-port", *_flags(if_exists=if_exists), *names)


@click.command("set")
@click.argument("table", type=click.Choice(["port", "interface", "bridge"], case_sensitive=False))
@click.argument("name", shell_complete=any_names)
@click.argument("columns", nargs=-1, required=True, shell_complete=PORT_COLUMN, metavar="KEY=VALUE…")
@socket_option
def set(table: str, name: str, columns: tuple[str, ...], socket: Path) -> None:
    """Change a port or a bridge; an empty value takes a setting back to its default.

    \b
    turnout set port vm1 tag=20
    turnout set port vm1 tag= trunks=10,20
    turnout set interface vm1 mtu_request=9000 options:n_rxq=2
    turnout set bridge br0 other_config:mac-aging-time=60

    VLANs and pins change without touching a packet; what concerns the device (type, options, MTU, queues)
    makes that port's device anew.
    """
    client.request(socket, "turnout/set", table, name, *columns)
