# SPDX-License-Identifier: Apache-2.0
"""ovs-ofctl's flow syntax: text to typed flows. `text_format` has the way back.

>>> parse("priority=10,ip,nw_dst=10.0.0.0/24,actions=output:2").priority
10
"""

import re
from collections.abc import Mapping

from turnout.openflow.actions import GotoTable
from turnout.openflow.fields import PROTOCOLS
from turnout.openflow.flow import (
    FLAGS,
    FieldMatch,
    Flow,
    FlowError,
    Match,
    Selection,
    check_prerequisites,
    l4_prefix,
)
from turnout.openflow.text_actions import parse_actions
from turnout.openflow.text_format import format_flow, format_stats
from turnout.openflow.values import NO_PORTS, Ports, number, parse_field, parse_port, parse_value
from turnout.openflow.wire import store

_NUMBERS = {
    "table": 8, "priority": 16, "idle_timeout": 16, "hard_timeout": 16, "importance": 16,
}  # fmt: skip
_IGNORED = (
    "duration",
    "n_packets",
    "n_bytes",
    "idle_age",
    "hard_age",
)  # so that dumped flows can be added again


def parse(text: str, ports: Ports = NO_PORTS) -> Flow:
    """A flow. `ports` maps names to OpenFlow port numbers. Raises FlowError, one line."""
    head, actions = _split_actions(text)
    if actions is None:
        raise FlowError(
            f"flow {_short(text)}: actions are missing; end it with actions=drop or actions=output:2"
        )
    settings, match = _parse_head(head, ports)
    for name in ("out_port", "out_group", "cookie_mask"):
        if name in settings:
            raise FlowError(
                f"flow {_short(text)}: {name.replace('_mask', '/mask')} selects flows; leave it out here"
            )
    flags = frozenset(name for name in FLAGS if name in settings)
    numbers = {name: value for name, value in settings.items() if name not in FLAGS}
    if numbers.get("table") == 255:
        raise FlowError("table=255: tables are 0 to 254")
    parsed = parse_actions(actions, match, ports)
    table = numbers.get("table", 0)
    for action in parsed:
        if isinstance(action, GotoTable) and action.table <= table:
            raise FlowError(f"goto_table:{action.table}: must lead to a later table than {table}")
    return Flow(match=match, flags=flags, actions=parsed, **numbers)


def parse_match(text: str, ports: Ports = NO_PORTS) -> Match:
    """A match alone. Raises FlowError."""
    settings, match = _parse_head(text, ports)
    if settings:
        raise FlowError(f"match: {next(iter(settings))} is no field")
    return match


def parse_selection(text: str, ports: Ports = NO_PORTS, *, strict: bool = False) -> Selection:
    """Which flows to delete or list, as `ovs-ofctl del-flows` and `dump-flows` take it. Raises FlowError."""
    head, actions = _split_actions(text)
    if actions is not None:
        raise FlowError(f"flow {_short(text)}: actions do not select flows; leave them out")
    settings, match = _parse_head(head, ports)
    settings.setdefault("cookie_mask", (1 << 64) - 1 if "cookie" in settings else 0)
    known = ("table", "cookie", "cookie_mask", "out_port", "out_group", "priority")
    for name in settings:
        if name not in known:
            raise FlowError(f"{name}: does not select flows; leave it out")
    if "priority" in settings and not strict:
        raise FlowError("priority: selects flows only with strict=True")
    settings["table"] = settings.get("table", 255)
    table = None if settings["table"] == 255 else settings["table"]
    return Selection(match=match, strict=strict, **{**settings, "table": table})  # type: ignore[arg-type]


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}…")


def _split_actions(text: str) -> tuple[str, str | None]:
    found = re.search(r"(?:^|[\s,])actions?\s*=", text)
    return (text, None) if not found else (text[: found.start()], text[found.end() :])


def _parse_head(text: str, ports: Ports) -> tuple[dict[str, int], Match]:
    """All before the actions: settings, and the match."""
    settings: dict[str, int] = {}
    found: dict[str, tuple[int, int]] = {}
    fields: list[tuple[str, str]] = []
    for item in re.split(r"[\s,]+", text.strip(" \t\n,")):
        name, equals, value = item.partition("=")
        if not item:
            continue
        if name in PROTOCOLS and not equals:
            eth_type, protocol = PROTOCOLS[name]
            found["eth_type"] = (eth_type, 0xFFFF)
            if protocol is not None:
                found["nw_proto"] = (protocol, 0xFF)
        elif name in FLAGS and not equals:
            settings[name] = 1
        elif name in _IGNORED:
            continue
        elif not equals:
            raise FlowError(f"{name}: no such field or flag; ovs-fields(7) lists them")
        elif not value:
            raise FlowError(f"{name}=: the value is missing")
        elif name in _NUMBERS:
            settings[name] = number(value, _NUMBERS[name], name)
        elif name == "cookie":
            cookie, slash, mask = value.partition("/")
            settings["cookie"] = number(cookie, 64, name)
            if slash:
                settings["cookie_mask"] = number(mask, 64, name)
        elif name == "out_port":
            settings[name] = parse_port(value, ports, name)
        elif name == "out_group":
            settings[name] = number(value, 32, name)
        else:
            fields.append((name, value))
    for name, value in fields:  # protocols first: what nw_src or tp_src mean hangs on them
        _parse_field(found, name, value, ports)
    return settings, _resolve(found)


def _parse_field(found: dict[str, tuple[int, int]], name: str, text: str, ports: Ports) -> None:
    if name == "dl_vlan":
        vid = number(text, 16, name)
        if vid == 0xFFFF:
            store(found, "vlan_tci", 0, 0x1FFF)
        elif vid > 4095:
            raise FlowError(f"dl_vlan={text}: VLANs are 0 to 4095; 0xffff means no tag")
        else:
            store(found, "vlan_tci", vid | 0x1000, 0x1FFF)
        return
    field = parse_field(name, f"{name}={text}")
    value, mask = parse_value(field, text, name, ports)
    full = field.all_ones
    if mask & full != full and not field.maskable:
        raise FlowError(f"{name}={text}: this field takes no mask")
    store(found, field.name, value, mask)


_SHARED = ("src", "dst")


def _resolve(found: Mapping[str, tuple[int, int]]) -> Match:
    """Fields by their own names: nw_src with arp is arp_spa, tp_src with udp is udp_src."""
    probe = Match.of(FieldMatch(n, *found[n]) for n in ("eth_type", "nw_proto") if n in found)
    renamed: dict[str, str] = {}
    if probe.value("eth_type") in (0x0806, 0x8035):
        renamed = {"ip_src": "arp_spa", "ip_dst": "arp_tpa", "nw_proto": "arp_op"}
    if prefix := l4_prefix(probe):
        if prefix == "icmpv6":
            renamed |= {"icmp_type": "icmpv6_type", "icmp_code": "icmpv6_code"}
        elif prefix in ("udp", "sctp"):
            renamed |= {f"tcp_{side}": f"{prefix}_{side}" for side in _SHARED}
    fields = {renamed.get(name, name): bits for name, bits in found.items()}
    if "arp_op" in fields and "nw_proto" in renamed:
        value, _ = fields["arp_op"]
        fields["arp_op"] = (value, 0xFFFF)
    match = Match.of(FieldMatch(name, *bits) for name, bits in fields.items())
    check_prerequisites(match)
    return match


__all__ = ["format_flow", "format_stats", "parse", "parse_match", "parse_selection"]
