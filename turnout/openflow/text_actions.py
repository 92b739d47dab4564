# SPDX-License-Identifier: Apache-2.0
"""ovs-actions(7)'s syntax to actions."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from turnout.openflow import actions as a
from turnout.openflow.actions import Action, Subfield
from turnout.openflow.consistency import check_actions
from turnout.openflow.fields import ANY, BY_NAME, FIELDS, IN_PORT, LOCAL, PORTS
from turnout.openflow.flow import FlowError, Match, l4_prefix
from turnout.openflow.values import Ports, number, parse_field, parse_port, parse_value


def split(text: str, what: str = "actions") -> list[tuple[str, str]]:
    """ "output:2,clone(a,b)" → [("output", "2"), ("clone", "a,b")]; brackets and parentheses nest."""
    out: list[tuple[str, str]] = []
    for item in _items(text, what):
        found = re.match(r"\s*([^:=()\s]+)\s*(.*?)\s*$", item, re.S)
        if not found:
            raise FlowError(f"{what}: {item!r} has no name")
        name, rest = found.groups()
        if rest.startswith("(") and _closing(rest) == len(rest) - 1:
            rest = rest[1:-1]
        elif rest[:1] in (":", "="):
            rest = rest[1:]
        out.append((name, rest.strip()))
    return out


def _closing(text: str) -> int:
    depth = 0
    for index, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if not depth:
            return index
    return -1


def _items(text: str, what: str) -> list[str]:
    items, depth, start = [], 0, 0
    for index, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth < 0:
            raise FlowError(f"{what}: ')' without '(' at character {index + 1}")
        if not depth and (char == "," or char.isspace()):
            items.append(text[start:index])
            start = index + 1
    if depth:
        raise FlowError(f"{what}: '(' without ')' in {text!r}")
    items.append(text[start:])
    return [item for item in items if item.strip()]


def subfield(text: str, what: str) -> Subfield:
    """field, field[], field[bit] or field[first..last]."""
    found = re.fullmatch(r"\s*([A-Za-z0-9_]+)\s*(?:\[\s*(?:(\d+)(?:\s*\.\.\s*(\d+))?)?\s*\])?\s*", text)
    if not found:
        raise FlowError(f"{what}: {text!r} is no field; write reg0[], reg0[3] or reg0[0..7]")
    name, first, last = found.groups()
    field = parse_field(name, what)
    if first is None:
        return Subfield(field.name, 0, field.bits)
    start, end = int(first), int(last if last is not None else first)
    if start > end or end >= field.bits:
        raise FlowError(f"{what}: bits {start}..{end} of {name}; it has bits 0..{field.bits - 1}")
    return Subfield(field.name, start, end - start + 1)


def writable(part: Subfield, what: str) -> Subfield:
    """The same, if an action may change it."""
    if not FIELDS[part.field].writable:
        raise FlowError(f"{what}: {part.field} is read-only")
    return part


def arrow(text: str, what: str) -> tuple[str, str]:
    """value->field."""
    value, found, to = text.partition("->")
    if not found:
        raise FlowError(f"{what}:{text}: the destination is missing; write {what}:VALUE->FIELD")
    return value.strip(), to.strip()


def pairs(text: str, what: str, known: str) -> dict[str, str]:
    """key=value,key,… as a dict."""
    out = {}
    for item in _items(text, what):
        key, _, value = item.partition("=")
        if key.strip() not in known.split():
            raise FlowError(f"{what}: no argument {key.strip()!r}; there are: {known}")
        out[key.strip()] = value.strip()
    return out


@dataclass(frozen=True)
class Context:
    """What the meaning of actions hangs on beside their text."""

    match: Match
    ports: Ports
    has_vlan: bool  # as far as the match and the actions before say


Parsed = list[Action]


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
        _hex(keys.get("userdata", ""), "controller userdata"),
        "pause" in keys,
    )
    if made == a.Controller(max_len=made.max_len):
        return [a.Output(PORTS["CONTROLLER"], made.max_len)]
    return [made]


def _hex(text: str, what: str) -> bytes:
    try:
        return bytes.fromhex(text.replace(".", ""))
    except ValueError:
        raise FlowError(f"{what}: {text!r} is not pairs of hex digits, such as aa.bb.cc") from None


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
    return [a.DecTtl(tuple(number(i, 16, "dec_ttl") for i in _items(text, "dec_ttl")) or None)]


def _fin_timeout(text: str, _: Context) -> Parsed:
    keys = pairs(text, "fin_timeout", "idle_timeout hard_timeout")
    return [
        a.FinTimeout(*(number(keys.get(f"{k}_timeout", "0"), 16, "fin_timeout") for k in ("idle", "hard")))
    ]


def _conjunction(text: str, _: Context) -> Parsed:
    found = re.fullmatch(r"\s*(\w+)\s*,\s*(\d+)\s*/\s*(\d+)\s*", text)
    if not found:
        raise FlowError(
            f"conjunction({text}): write conjunction(ID,CLAUSE/CLAUSES), such as conjunction(5,1/2)"
        )
    ident, clause, clauses = number(found[1], 32, "conjunction"), int(found[2]), int(found[3])
    if not 2 <= clauses <= 64 or not 1 <= clause <= clauses:
        raise FlowError(
            f"conjunction({text}): the clause must be 1 to the number of clauses, which is 2 to 64"
        )
    return [a.Conjunction(ident, clause, clauses)]


def _sample(text: str, ctx: Context) -> Parsed:
    names = "probability collector_set_id obs_domain_id obs_point_id"
    keys = pairs(text, "sample", f"{names} sampling_port ingress egress")
    probability, collectors, domain, point = (
        number(keys.get(n, "0"), 16 if n == "probability" else 32, f"sample {n}") for n in names.split()
    )
    if not probability:
        raise FlowError("sample: needs probability=1 to 65535")
    direction = 1 if "ingress" in keys else 2 if "egress" in keys else 0
    port = parse_port(keys["sampling_port"], ctx.ports, "sample") if "sampling_port" in keys else None
    port = ANY if port is None and direction else port
    return [a.Sample(probability, collectors, domain, point, port, direction)]


def _chosen(names: tuple[str, ...], text: str, what: str) -> int:
    if text not in names:
        raise FlowError(f"{what}: {text!r} is none of: {' '.join(names)}")
    return names.index(text)


def _multipath(text: str, _: Context) -> Parsed:
    parts = _items(text, "multipath")
    if len(parts) != 6:
        raise FlowError("multipath: write multipath(FIELDS,BASIS,ALGORITHM,LINKS,ARG,FIELD)")
    fields, basis, algorithm, links, arg, to = parts
    count = number(links, 17, "multipath links")
    to_part = writable(subfield(to, "multipath"), "multipath")
    if not 1 <= count <= min(1 << 16, 1 << to_part.bits):
        raise FlowError(f"multipath: {links} links do not fit into {to}")
    return [
        a.Multipath(
            _chosen(a.HASH_FIELDS, fields, "multipath"), number(basis, 16, "multipath basis"),
            _chosen(a.MULTIPATH_ALGORITHMS, algorithm, "multipath"), count,
            number(arg, 32, "multipath arg"), to_part,
        )
    ]  # fmt: skip


def _bundle(text: str, ctx: Context, load: bool = False) -> Parsed:
    what = "bundle_load" if load else "bundle"
    head, found, members = re.sub(r"(members|slaves)\s*:", "members:", text).partition("members:")
    parts = _items(head, what)
    if not found or len(parts) != 4 + load or parts[3] != "ofport":
        to = "FIELD," if load else ""
        raise FlowError(f"{what}: write {what}(FIELDS,BASIS,ALGORITHM,ofport,{to}members:PORT,…)")
    return [
        a.Bundle(
            _chosen(a.HASH_FIELDS, parts[0], what), number(parts[1], 16, f"{what} basis"),
            _chosen(a.BUNDLE_ALGORITHMS, parts[2], what),
            tuple(parse_port(member, ctx.ports, what) for member in _items(members, what)),
            writable(subfield(parts[4], what), what) if load else None,
        )
    ]  # fmt: skip


def _learn(text: str, ctx: Context) -> Parsed:
    keys: dict[str, int] = {}
    flags, result, specs = 0, None, list[a.LearnSpec]()
    numbers = {
        "table": 8, "idle_timeout": 16, "hard_timeout": 16, "fin_idle_timeout": 16, "fin_hard_timeout": 16,
        "priority": 16, "cookie": 64, "limit": 32,
    }  # fmt: skip
    for item in _items(text, "learn"):
        name, equals, value = (part.strip() for part in item.partition("="))
        if name in numbers:
            keys[name] = number(value, numbers[name], f"learn {name}")
        elif name in a.LEARN_FLAGS:
            flags |= a.LEARN_FLAGS[name]
        elif name == "result_dst":
            result = writable(subfield(value, "learn"), "learn")
        elif item.startswith("load:"):
            source, to_text = arrow(item[5:], "load")
            to = writable(subfield(to_text, "learn"), "learn")
            specs.append(a.LearnLoad(to, _learn_source(source, to, ctx)))
        elif item.startswith("output:"):
            specs.append(a.LearnOutput(subfield(item[7:], "learn")))
        else:
            to = subfield(name, "learn")
            specs.append(a.LearnMatch(to, _learn_source(value, to, ctx) if equals else to))
    made = a.Learn(**keys, flags=flags, result=result, specs=tuple(specs))
    if made.table in (254, 255):
        raise FlowError(f"learn: table {made.table} cannot be learned into")
    return [made]


def _learn_source(text: str, to: Subfield, ctx: Context) -> Subfield | int:
    """A field of the packet, or a value in the field's own syntax or as a number."""
    if text.partition("[")[0].strip() in BY_NAME:
        source = subfield(text, "learn")
        if source.bits != to.bits:
            raise FlowError(f"learn: {text} has {source.bits} bits, {to.field} takes {to.bits}")
        return source
    field = FIELDS[to.field]
    if to.bits == field.bits:
        try:
            return parse_value(field, text, "learn", ctx.ports)[0] & field.all_ones
        except FlowError:
            if not text[:1].isdigit():
                raise
    return number(text, to.bits, f"learn {to.field}")


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
    "fin_timeout": _fin_timeout,
    "conjunction": _conjunction,
    "sample": _sample,
    "multipath": _multipath,
    "bundle": _bundle,
    "bundle_load": lambda text, ctx: _bundle(text, ctx, load=True),
    "learn": _learn,
    "clone": _nested(a.Clone),
    "write_actions": _nested(a.WriteActions),
    "write_metadata": _write_metadata,
    "note": lambda text, _: [a.Note(_hex(text, "note"))],
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
