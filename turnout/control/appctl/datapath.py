# SPDX-License-Identifier: Apache-2.0
"""The one datapath and its ports, under the names that Open vSwitch has for them."""

from turnout.errors import TurnoutError
from turnout.openflow.fields import LOCAL
from turnout.results import BridgeView, PortView, SwitchView

DATAPATH = "netdev@ovs-netdev"  # what scripts call the user-space datapath
_TYPES = {
    "vhost-user": "dpdkvhostuser",
    "vhost-user-client": "dpdkvhostuserclient",
    "internal": "tap",  # on Open vSwitch's user-space datapath it is one as well
    "af_packet": "system",
    "af_xdp": "afxdp",
    # DPDK's virtual devices, which Open vSwitch makes with options:dpdk-devargs
    "memif": "dpdk",
    "null": "dpdk",
    "pcap": "dpdk",
}


def bridge_of(view: SwitchView, name: str) -> BridgeView:
    """The bridge called `name`. Raises TurnoutError."""
    for bridge in view.bridges:
        if bridge.name == name:
            return bridge
    raise TurnoutError("no such bridge")


def check_datapath(name: str, error: str) -> None:
    """Raises TurnoutError, `error`, if there is no such datapath."""
    if name not in (DATAPATH, DATAPATH.partition("@")[2]):
        raise TurnoutError(error)


def port_kind(port: PortView) -> str:
    """Its type and configuration in brackets, as "(patch: peer=p2)"."""
    kind = _TYPES.get(port.type, port.type)
    config: dict[str, object] = {}
    if kind == "patch":
        config = {"peer": port.options.get("peer", "")}
    elif kind.startswith("dpdk"):
        config = {"configured_rx_queues": port.n_rxq, "mtu": port.mtu}
    text = ", ".join(f"{key}={value}" for key, value in config.items())
    return f"({kind}: {text})" if text else f"({kind})"


def ofport_text(ofport: int) -> str:
    """An OpenFlow port in a table of them."""
    return "LOCAL" if ofport == LOCAL else str(ofport)
