# SPDX-License-Identifier: Apache-2.0
"""ovs-actions(7)'s syntax to actions."""

import re
from collections.abc import Callable
from typing import Final

from turnout.openflow import actions as a
from turnout.openflow import text_nicira as nicira
from turnout.openflow.actions import Action, Subfield
from turnout.openflow.consistency import check_actions
from turnout.openflow.fields import ANY, BY_NAME, FIELDS, IN_PORT, LOCAL, PORTS
from turnout.openflow.flow import FlowError, Match, l4_prefix
from turnout.openflow.text_parts import (
    Context,
    Parsed,
    arrow,
    hex_bytes,
    items,
    pairs,
    split,
    subfield,
    writable,
)
from turnout.openflow.values import Ports, number, parse_field, parse_port, parse_value


def _output(text: str, ctx: Context) -> Parsed:
    if "max_len" in text:
        keys = pairs(text, "output", "port max_len")
        if set(keys) != {"port", "max_len"}:
            raise FlowError("output: write output(port=2,max_len=100)")
        length = number(keys["max_len"], 32, "output max_len")
        if length < 14:
            raise FlowError(f"output: max_len {length} is below 14, an Ethernet header")
        return [a.OutputTrunc(parse_port(keys["port"], ctx.ports, "output"), length)]
    name = text.partition("[")[0]
    if name in BY_NAME and name not in ("in_port", *ctx.ports):
        return [a.OutputReg(subfield(text, "output"))]
    return [_to_port(parse_port(text, ctx.ports, "output"))]


def _to_port(port: int) -> Action:
    if port == ANY:
        raise FlowError("output: NONE is no port to output to")
    return a.Output(port, 0xFFFF if port == PORTS["CONTROLLER"] else 0)


def _controller(text: str, _: Context) -> Parsed:
    if re.fullmatch(r"\w*", text):
        length = number(text, 16, "controller") if text else 0xFFFF
        return [a.Output(PORTS["CONTROLLER"], length)]
    keys = pairs(text, "controller", "max_len reason id userdata pause meter_id")
    reason = keys.get("reason", "action")
    if reason not in a.REASONS:
        raise FlowError(f"controller: no reason {reason!r}; there are: {' '.join(a.REASONS)}")
    meter = number(keys["meter_id"], 32, "controller meter_id") if "meter_id" in keys else None
    made = a.Controller(
        number(keys.get("max_len", "65535"), 16, "controller max_len"),
        number(keys.get("id", "0"), 16, "controller id"),
        a.REASONS.index(reason),
        meter,
        hex_bytes(keys.get("userdata", ""), "controller userdata"),
        "pause" in keys,
    )
    if made == a.Controller(max_len=made.max_len):
        return [a.Output(PORTS["CONTROLLER"], made.max_len)]
    return [made]


def _enqueue(text: str, ctx: Context) -> Parsed:
    port, _, queue = text.replace(",", ":").partition(":")
    to = parse_port(port, ctx.ports, "enqueue")
    if to >= 0xFFFFFF00 and to not in (IN_PORT, LOCAL):
        raise FlowError(f"enqueue: {port} is no port with queues")
    return [a.SetQueue(number(queue, 32, "enqueue queue")), a.Output(to, 0xFFFF), a.PopQueue()]


def _set_field(text: str, _: Context) -> Parsed:
    value, name = arrow(text, "set_field")
    field = parse_field(name, "set_field")
    writable(Subfield.whole(field.name), "set_field")
    number_, mask = parse_value(field, value, f"set_field {name}")
    full = mask & field.all_ones == field.all_ones
    if field.name == "vlan_vid" and full and not number_ & 0x1000:
        raise FlowError(
            f"set_field {name}: {value} lacks the bit that says there is a tag; add 4096 to the VLAN"
        )
    if field.name == "nw_tos" and number_ & 3:
        raise FlowError(f"set_field {name}: {value} is no multiple of 4; the low two bits are nw_ecn's")
    if not full and not field.maskable:
        raise FlowError(f"set_field: {name} takes no mask")
    return [a.SetField(field.name, number_, None if full else mask)]


def _load(text: str, _: Context) -> Parsed:
    value, name = arrow(text, "load")
    to = writable(subfield(name, "load"), "load")
    return [a.Load(number(value, min(to.bits, 64), f"load to {name}"), to)]


def _move(text: str, _: Context) -> Parsed:
    source_text, to_text = arrow(text, "move")
    source, to = subfield(source_text, "move"), writable(subfield(to_text, "move"), "move")
    if source.bits != to.bits:
        raise FlowError(f"move: source has {source.bits} bits, destination {to.bits}; they must be as many")
    return [a.Move(source, to)]


def _mod(name: str) -> Callable[[str, Context], Parsed]:
    def parse(text: str, ctx: Context) -> Parsed:
        what = name
        if name in ("mod_tp_src", "mod_tp_dst"):
            prefix = l4_prefix(ctx.match)
            if prefix not in ("tcp", "udp", "sctp"):
                raise FlowError(f"{what}: needs tcp, udp or sctp in the match")
            field = FIELDS[prefix + name[-4:]]
        else:
            field = FIELDS[_LEGACY[name]]
        value, mask = parse_value(field, text, what)
        if mask != (0x1FFF if field.name == "vlan_vid" else field.all_ones):
            raise FlowError(f"{what}: takes no mask")
        if name == "mod_nw_tos":
            if value & 3:
                raise FlowError(f"{what}: {value} is no multiple of 4; the low two bits are mod_nw_ecn's")
            return [a.SetField("ip_dscp", value >> 2)]
        if not name.startswith("mod_vlan"):
            return [a.SetField(field.name, value)]
        if name == "mod_vlan_vid":
            value = (value & 0xFFF) | 0x1000
        push: Parsed = [] if ctx.has_vlan else [a.PushVlan(0x8100)]
        return [*push, a.SetField(field.name, value)]

    return parse


_LEGACY: Final = {
    "mod_vlan_vid": "vlan_vid", "mod_vlan_pcp": "vlan_pcp", "mod_dl_src": "eth_src", "mod_dl_dst": "eth_dst",
    "mod_nw_src": "ip_src", "mod_nw_dst": "ip_dst", "mod_nw_tos": "nw_tos", "mod_nw_ecn": "nw_ecn",
    "mod_tp_src": "", "mod_tp_dst": "", "set_mpls_label": "mpls_label", "set_mpls_tc": "mpls_tc",
    "set_tunnel": "tun_id", "set_tunnel64": "tun_id",
}  # fmt: skip


def _resubmit(text: str, ctx: Context) -> Parsed:
    port, _, table = (part.strip() for part in text.partition(","))
    if not port and not table:
        raise FlowError("resubmit: give a port, a table or both, such as resubmit(,2)")
    in_port = parse_port(port, ctx.ports, "resubmit") if port and port.lower() != "in_port" else None
    return [a.Resubmit(in_port, number(table, 8, "resubmit table") if table else None)]


def _dec_ttl(text: str, _: Context) -> Parsed:
    return [a.DecTtl(tuple(number(i, 16, "dec_ttl") for i in items(text, "dec_ttl")) or None)]


def _nested(make: Callable[[tuple[Action, ...]], Action]) -> Callable[[str, Context], Parsed]:
    def parse(text: str, ctx: Context) -> Parsed:
        return [make(parse_actions(text, ctx.match, ctx.ports, inner=True))]

    return parse


def _number(make: Callable[[int], Action], bits: int, what: str) -> Callable[[str, Context], Parsed]:
    return lambda text, _: [make(number(text, bits, what))]


def _plain(action: Action) -> Callable[[str, Context], Parsed]:
    return lambda _, __: [action]


def _write_metadata(text: str, _: Context) -> Parsed:
    value, slash, mask = text.partition("/")
    wide = (1 << 64) - 1
    bits = number(mask, 64, "write_metadata") if slash else wide
    return [a.WriteMetadata(number(value, 64, "write_metadata") & bits, bits)]


_SYNTAX: Final[dict[str, Callable[[str, Context], Parsed]]] = {
    "output": _output,
    "controller": _controller,
    "enqueue": _enqueue,
    "set_field": _set_field,
    "load": _load,
    "move": _move,
    "push": lambda text, _: [a.Push(subfield(text, "push"))],
    "pop": lambda text, _: [a.Pop(writable(subfield(text, "pop"), "pop"))],
    "resubmit": _resubmit,
    "dec_ttl": _dec_ttl,
    "fin_timeout": nicira.fin_timeout,
    "conjunction": nicira.conjunction,
    "sample": nicira.sample,
    "multipath": nicira.multipath,
    "bundle": nicira.bundle,
    "bundle_load": lambda text, ctx: nicira.bundle(text, ctx, load=True),
    "learn": nicira.learn,
    "clone": _nested(a.Clone),
    "write_actions": _nested(a.WriteActions),
    "write_metadata": _write_metadata,
    "note": lambda text, _: [a.Note(hex_bytes(text, "note"))],
    "group": _number(a.Group, 32, "group"),
    "set_queue": _number(a.SetQueue, 32, "set_queue"),
    "push_vlan": _number(a.PushVlan, 16, "push_vlan"),
    "push_mpls": _number(a.PushMpls, 16, "push_mpls"),
    "pop_mpls": _number(a.PopMpls, 16, "pop_mpls"),
    "push_pbb": _number(a.PushPbb, 16, "push_pbb"),
    "set_mpls_ttl": _number(a.SetMplsTtl, 8, "set_mpls_ttl"),
    "mod_nw_ttl": _number(a.SetTtl, 8, "mod_nw_ttl"),
    "meter": _number(a.Meter, 32, "meter"),
    "goto_table": _number(a.GotoTable, 8, "goto_table"),
    "pop_vlan": _plain(a.PopVlan()),
    "strip_vlan": _plain(a.PopVlan()),
    "pop_pbb": _plain(a.PopPbb()),
    "pop_queue": _plain(a.PopQueue()),
    "dec_mpls_ttl": _plain(a.DecMplsTtl()),
    "copy_ttl_out": _plain(a.CopyTtlOut()),
    "copy_ttl_in": _plain(a.CopyTtlIn()),
    "exit": _plain(a.Exit()),
    "clear_actions": _plain(a.ClearActions()),
    **{name: _mod(name) for name in _LEGACY},
}


def parse_actions(text: str, match: Match, ports: Ports, *, inner: bool = False) -> tuple[Action, ...]:
    """The actions of a flow with this match; inner: those of a set, a clone or a bucket. Raises FlowError."""
    if text.strip() in ("drop", ""):
        return ()
    tci = match["vlan_tci"]
    has_vlan = bool(tci and tci.mask & tci.value & 0x1000)
    out: list[Action] = []
    for name, argument in split(text):
        key = name.lower()
        if key == "drop":
            raise FlowError("actions: drop stands alone")
        if key in _SYNTAX:
            out += _SYNTAX[key](argument, Context(match, ports, has_vlan))
        elif key in ("normal", "flood", "all", "in_port", "local", "table") or name in ports or key.isdigit():
            out.append(_to_port(parse_port(name, ports, "output")))
        else:
            raise FlowError(f"actions: no action {name!r}; ovs-actions(7) lists them")
        last = out[-1]
        has_vlan = (has_vlan or any(isinstance(x, a.PushVlan) for x in out)) and not isinstance(
            last, a.PopVlan
        )
    _check_order(out, inner)
    if not inner:
        check_actions(out, match)
    return tuple(out)


def _check_order(actions: list[Action], inner: bool) -> None:
    """Instructions at most once, in order, and not inside of anything (ovs-actions(7), Instructions)."""
    last, last_name = -1, ""
    for action in actions:
        place = _PLACES.get(type(action), 1)
        if place != 1 and inner:
            raise FlowError(f"actions: {_spelled(action)} cannot be inside of other actions")
        if place < last or (place == last and place != 1):
            raise FlowError(f"actions: {_spelled(action)} cannot follow {last_name}")
        last, last_name = place, _spelled(action)


_PLACES: Final = {kind: (0, 2, 3, 4, 5)[index] for index, kind in enumerate(a.INSTRUCTIONS)}


def _spelled(action: Action) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(action).__name__).lower()
