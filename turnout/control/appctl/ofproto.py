# SPDX-License-Identifier: Apache-2.0
"""ofproto/*: bridges as OpenFlow sees them."""

from turnout.control.appctl.trace import format_trace
from turnout.control.unixctl import Command
from turnout.errors import TurnoutError
from turnout.openflow.flow import FlowError
from turnout.switch import Switch

_ETH_HEADER = 14  # bytes
_NO_EFFECT = {
    "--no-names",
    "-generate",
    "--generate",
}  # a whole packet is always traced, without side effects


def commands(switch: Switch) -> dict[str, Command]:
    """Name → command."""

    def trace(arguments: list[str]) -> str:
        options = {word for word in arguments if word.startswith("-")}
        if unknown := options - _NO_EFFECT - {"--names"}:
            raise TurnoutError(f"{min(unknown)}: unknown option")
        words = [word for word in arguments if word not in options]
        if len(words) < 2:
            raise TurnoutError(f"syntax error at {''.join(words)} (or the bridge name was omitted)")
        if len(words) > 3:
            raise TurnoutError("too many arguments")
        name, named = words[0], "--names" in options
        frame = _frame(words[2]) if len(words) > 2 else None
        bridges = switch.show().bridges
        if name not in {bridge.name for bridge in bridges}:
            raise TurnoutError(f"{name}: unknown bridge")
        try:
            traced = switch.bridge(name).trace(words[1], frame=frame, named=named)
        except FlowError as error:
            raise TurnoutError(f"Bad openflow flow syntax: {error}") from None
        inside = {
            (bridge.name, port.ofport): port.name if named else str(port.number)
            for bridge in bridges
            for port in bridge.ports
        }
        return format_trace(traced, inside)

    return {
        "ofproto/list": Command(lambda _: "\n".join(b.name for b in switch.config.bridges)),
        "ofproto/trace": Command(trace, "bridge br_flow [--names] [-generate|packet]", 1, 100),
    }


def _frame(text: str) -> bytes:
    """Of pairs of hex digits. Raises TurnoutError."""
    try:
        frame = bytes.fromhex(text)
    except ValueError:
        raise TurnoutError("Trailing garbage in packet data") from None
    if len(frame) < _ETH_HEADER:
        raise TurnoutError("Packet data too short for Ethernet")
    return frame
