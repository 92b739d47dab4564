# SPDX-License-Identifier: Apache-2.0
"""Typed flows to text, as `ovs-ofctl dump-flows` prints them."""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from turnout.openflow import actions as a
from turnout.openflow.actions import Action, Subfield
from turnout.openflow.fields import (
    ARP,
    CONTROLLER,
    FIELDS,
    IPV4,
    IPV6,
    MPLS,
    MPLS_MULTICAST,
    PORT_NAMES,
    RARP,
)
from turnout.openflow.flow import DEFAULT_PRIORITY, FLAGS, Flow, FlowStats, Match
from turnout.openflow.values import FRAGMENTS, address_text, flags_text, format_port, format_value, mac_text
from turnout.openflow.values import hex_text as _hex

PortNames = Mapping[int, str]
_NO_NAMES: PortNames = MappingProxyType({})

_IPV4_NAMES = {1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 132: "sctp"}
_IPV6_NAMES = {58: "icmp6", 6: "tcp6", 17: "udp6", 132: "sctp6"}
_TYPE_NAMES = {ARP: "arp", RARP: "rarp", MPLS: "mpls", MPLS_MULTICAST: "mplsm"}

# field, its spelling, its style; in the order in which Open vSwitch prints a match
_BEFORE_PROTOCOL = (("pkt_mark", "hex"), ("conj_id", "decimal"), ("actset_output", "port"))
_METADATA = (
    *((f"reg{i}", "hex") for i in range(16)),
    *(("tun_id", "hex"), ("tun_src", "ipv4"), ("tun_dst", "ipv4"), ("tun_ipv6_src", "ipv6")),
    *(("tun_ipv6_dst", "ipv6"), ("tun_flags", "flags"), ("metadata", "hex"), ("in_port_oxm", "port")),
    *(
        ("in_phy_port", "port"),
        ("vlan_tci", "vlan"),
        ("eth_src", "mac"),
        ("eth_dst", "mac"),
        ("eth_type", "type"),
    ),
)
_NETWORK = (
    *(
        ("ipv6_src", "ipv6"),
        ("ipv6_dst", "ipv6"),
        ("ipv6_label", "label"),
        ("arp_spa", "ipv4"),
        ("arp_tpa", "ipv4"),
    ),
    *(
        ("ip_src", "ipv4"),
        ("ip_dst", "ipv4"),
        ("nw_proto", "decimal"),
        ("arp_op", "decimal"),
        ("arp_sha", "mac"),
    ),
    *(("arp_tha", "mac"), ("ip_dscp", "dscp"), ("nw_ecn", "decimal"), ("nw_ttl", "decimal")),
    *((f"mpls_{part}", "decimal") for part in ("label", "tc", "ttl", "bos")),
    *(("pbb_isid", "decimal"), ("ipv6_exthdr", "hex"), ("ip_frag", "frag")),
    *((f"{p}_{s}", "decimal") for p in ("icmp", "icmpv6") for s in ("type", "code")),
    *(("nd_target", "ipv6"), ("nd_sll", "mac"), ("nd_tll", "mac")),
    *((f"{p}_{s}", "decimal") for p in ("tcp", "udp", "sctp") for s in ("src", "dst")),
    ("tcp_flags", "flags"),
)
_SPELLED = {
    "in_port_oxm": "in_port", "eth_src": "dl_src", "eth_dst": "dl_dst", "eth_type": "dl_type",
    "ip_src": "nw_src",
    "ip_dst": "nw_dst", "ip_frag": "nw_frag", "icmpv6_type": "icmp_type", "icmpv6_code": "icmp_code",
    "ip_dscp": "nw_tos", **{f"{p}_{s}": f"tp_{s}" for p in ("tcp", "udp", "sctp") for s in ("src", "dst")},
}  # fmt: skip


def _vlan(value: int, mask: int) -> list[str]:
    vid, pcp, present = mask & 0xFFF, mask & 0xE000, value & mask & 0x1000
    if present and vid in (0, 0xFFF) and pcp in (0, 0xE000) and (vid or pcp):
        out = [f"dl_vlan={value & 0xFFF}"] if vid else []
        return [*out, f"dl_vlan_pcp={value >> 13}"] if pcp else out
    return [f"vlan_tci={value:#06x}" if mask == 0xFFFF else f"vlan_tci={value:#06x}/{mask:#06x}"]


def _fragments(value: int, mask: int) -> str:
    by_bits = {bits: name for name, bits in FRAGMENTS.items()}
    if mask == 1 and not value:
        return "no"
    return "later" if (value, mask) == (2, 2) else by_bits.get((value, mask), "<error>")


def _one(name: str, style: str, value: int, mask: int, names: PortNames) -> list[str]:
    field, exact = FIELDS[name], mask == FIELDS[name].all_ones
    match style:
        case "vlan":
            return _vlan(value, mask)
        case "type":
            text = f"{value:#06x}"
        case "dscp":
            text = str(value << 2)
        case "label":
            text = f"0x{value:05x}" if exact else f"0x{value:05x}/0x{mask:05x}"
        case "frag":
            text = _fragments(value, mask)
        case "flags":
            text = flags_text(value, mask, field)
        case "port":
            text = format_port(value, names)
        case "ipv4" | "ipv6":
            text = address_text(value, mask, field.bits)
        case "mac":
            text = mac_text(value) if exact else f"{mac_text(value)}/{mac_text(mask)}"
        case "decimal" if exact:
            text = str(value)
        case _:
            text = _hex(value) if exact else f"{_hex(value)}/{mask:#x}"
    return [f"{_SPELLED.get(name, name)}={text}"]


def format_match(match: Match, priority: int = DEFAULT_PRIORITY, names: PortNames = _NO_NAMES) -> str:
    """priority (unless 32768) and match, separated by commas; "" for everything."""
    fields = {entry.field: (entry.value, entry.mask) for entry in match}
    parts = [f"priority={priority}"] if priority != DEFAULT_PRIORITY else []
    for name, style in _BEFORE_PROTOCOL:
        if name in fields:
            parts += _one(name, style, *fields[name], names)
    eth_type, protocol = match.value("eth_type"), match.value("nw_proto")
    if eth_type in (IPV4, IPV6):
        known = _IPV4_NAMES if eth_type == IPV4 else _IPV6_NAMES
        # Open vSwitch spells igmp out in a match on its type alone, which it and we don't have
        shown = known.get(protocol or -1) if protocol != 2 else None
        parts.append(shown or ("ip" if eth_type == IPV4 else "ipv6"))
        fields.pop("eth_type")
        if shown:
            fields.pop("nw_proto")
    elif eth_type in _TYPE_NAMES:
        parts.append(_TYPE_NAMES[eth_type])
        fields.pop("eth_type")
    for name, style in (*_METADATA, *_NETWORK):
        if name in fields:
            parts += _one(name, style, *fields[name], names)
    return ",".join(parts)


def _part(part: Subfield) -> str:
    field = FIELDS[part.field]
    if part.start == 0 and part.bits == field.bits:
        return f"{field.code}[]"
    if part.bits == 1:
        return f"{field.code}[{part.start}]"
    return f"{field.code}[{part.start}..{part.start + part.bits - 1}]"


def _controller(action: a.Controller) -> str:
    parts = []
    if action.reason != 1:
        parts.append(f"reason={a.REASONS[action.reason]}")
    if action.max_len != 0xFFFF:
        parts.append(f"max_len={action.max_len}")
    if action.id:
        parts.append(f"id={action.id}")
    if action.userdata:
        parts.append(f"userdata={action.userdata.hex('.')}")
    if action.pause:
        parts.append("pause")
    if action.meter is not None:
        parts.append(f"meter_id={action.meter}")
    return f"controller({','.join(parts)})"


def _learn_spec(spec: a.LearnSpec) -> str:
    match spec:
        case a.LearnOutput(source):
            return f"output:{_part(source)}"
        case a.LearnLoad(to, Subfield() as source):
            return f"load:{_part(source)}->{_part(to)}"
        case a.LearnLoad(to, int() as value):
            return f"load:{_hex(value)}->{_part(to)}"
        case a.LearnMatch(to, Subfield() as source):
            return _part(to) if source == to else f"{_part(to)}={_part(source)}"
        case a.LearnMatch(to, int() as value):
            field = FIELDS[to.field]
            if to.bits == field.bits:
                return f"{field.name}={format_value(field, value)}"
            return f"{_part(to)}={_hex(value)}"
    raise AssertionError(spec)


def _learn(learn: a.Learn, _: PortNames) -> str:
    parts = [f"table={learn.table}"]
    for name in ("idle_timeout", "hard_timeout", "fin_idle_timeout", "fin_hard_timeout"):
        if value := getattr(learn, name):
            parts.append(f"{name}={value}")
    if learn.priority != DEFAULT_PRIORITY:
        parts.append(f"priority={learn.priority}")
    parts += [name for name, bit in a.LEARN_FLAGS.items() if learn.flags & bit]
    if learn.cookie:
        parts.append(f"cookie={learn.cookie:#x}")
    if learn.limit:
        parts.append(f"limit={learn.limit}")
    if learn.result:
        parts.append(f"result_dst={_part(learn.result)}")
    return f"learn({','.join([*parts, *map(_learn_spec, learn.specs)])})"


def _sample(action: a.Sample, names: PortNames) -> str:
    parts = [
        f"{name}={getattr(action, name)}"
        for name in ("probability", "collector_set_id", "obs_domain_id", "obs_point_id")
    ]
    if action.sampling_port is not None and action.sampling_port != 0xFFFFFFFF:
        parts.append(f"sampling_port={format_port(action.sampling_port, names)}")
    parts += [("ingress", "egress")[action.direction - 1]] if action.direction else []
    return f"sample({','.join(parts)})"


def _bundle(action: a.Bundle, names: PortNames) -> str:
    name = "bundle_load" if action.to else "bundle"
    to = f"{_part(action.to)}," if action.to else ""
    members = ",".join(format_port(member, names) for member in action.members)
    head = f"{a.HASH_FIELDS[action.fields]},{action.basis},{a.BUNDLE_ALGORITHMS[action.algorithm]},ofport"
    return f"{name}({head},{to}members:{members})"


def _multipath(action: a.Multipath, _: PortNames) -> str:
    head = f"{a.HASH_FIELDS[action.fields]},{action.basis},{a.MULTIPATH_ALGORITHMS[action.algorithm]}"
    return f"multipath({head},{action.links},{action.arg},{_part(action.to)})"


def _output(action: a.Output, names: PortNames) -> str:
    if action.port == CONTROLLER:
        return f"CONTROLLER:{action.max_len}"
    port = format_port(action.port, names)
    return port if action.port in PORT_NAMES else f"output:{port}"


def _resubmit(action: a.Resubmit, names: PortNames) -> str:
    port = "" if action.in_port is None else format_port(action.in_port, names)
    if action.table is None:
        return f"resubmit:{port or 'IN_PORT'}"
    return f"resubmit({port},{action.table})"


def _fin_timeout(action: a.FinTimeout) -> str:
    parts = [f"{k}_timeout={getattr(action, k)}" for k in ("idle", "hard") if getattr(action, k)]
    return f"fin_timeout({','.join(parts)})"


def format_action(action: Action, names: PortNames = _NO_NAMES) -> str:
    """One action."""
    match action:
        case a.Output():
            return _output(action, names)
        case a.OutputReg(part):
            return f"output:{_part(part)}"
        case a.OutputTrunc(port, max_len):
            return f"output(port={format_port(port, names)},max_len={max_len})"
        case a.Controller():
            return _controller(action)
        case a.SetField(name, value, mask):
            return f"set_field:{format_value(FIELDS[name], value, mask)}->{name.replace('_oxm', '')}"
        case a.Load(value, to):
            return f"load:{_hex(value)}->{_part(to)}"
        case a.Move(source, to):
            return f"move:{_part(source)}->{_part(to)}"
        case a.Push(part) | a.Pop(part):
            return f"{'push' if isinstance(action, a.Push) else 'pop'}:{_part(part)}"
        case a.PushVlan(kind) | a.PushMpls(kind) | a.PopMpls(kind) | a.PushPbb(kind):
            return f"{_name(action)}:0x{kind:04x}"
        case a.SetMplsTtl(ttl):
            return f"set_mpls_ttl({ttl})"
        case a.SetTtl(ttl):
            return f"mod_nw_ttl:{ttl}"
        case a.DecTtl(tuple() as ids):
            return f"dec_ttl({','.join(map(str, ids))})"
        case a.DecTtl():
            return "dec_ttl"
        case a.Group(number) | a.SetQueue(number) | a.Meter(number) | a.GotoTable(number):
            return f"{_name(action)}:{number}"
        case a.Resubmit():
            return _resubmit(action, names)
        case a.Note(data):
            return f"note:{data.hex('.')}"
        case a.FinTimeout():
            return _fin_timeout(action)
        case a.Conjunction(ident, clause, clauses):
            return f"conjunction({ident},{clause}/{clauses})"
        case a.Sample():
            return _sample(action, names)
        case a.Clone(inner) | a.WriteActions(inner):
            return f"{_name(action)}({format_actions(inner, names) if inner else ''})"
        case a.Multipath():
            return _multipath(action, names)
        case a.Bundle():
            return _bundle(action, names)
        case a.Learn():
            return _learn(action, names)
        case a.WriteMetadata(value, mask):
            return f"write_metadata:{_hex(value)}" + (f"/{mask:#x}" if mask != (1 << 64) - 1 else "")
    return _name(action)


def _name(action: Action) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(action).__name__).lower()


def format_actions(actions: Iterable[Action], names: PortNames = _NO_NAMES) -> str:
    """Actions separated by commas; "drop" for none."""
    return ",".join(format_action(action, names) for action in actions) or "drop"


def _settings(flow: Flow) -> str:
    """Timeouts, flags and importance, each with what separates it from the next; flags have no comma."""
    timeouts = "".join(f"{k}_timeout={v}, " for k in ("idle", "hard") if (v := getattr(flow, f"{k}_timeout")))
    flags = "".join(f"{name} " for name in FLAGS if name in flow.flags)
    return timeouts + flags + (f"importance={flow.importance}, " if flow.importance else "")


def _rule(flow: Flow, names: PortNames) -> str:
    match = format_match(flow.match, flow.priority, names)
    return f"{match}{' ' if match else ''}actions={format_actions(flow.actions, names)}"


def format_flow(flow: Flow, names: PortNames = _NO_NAMES) -> str:
    """A flow as `ovs-ofctl dump-flows --no-stats` prints it, and as parse() takes it."""
    cookie = f"cookie={flow.cookie:#x}, " if flow.cookie else ""
    table = f"table={flow.table}, " if flow.table else ""
    return f"{cookie}{table}{_settings(flow)}{_rule(flow, names)}"


def _duration(seconds: float) -> str:
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{whole}.{thousandths:03}s" if thousandths else f"{whole}s"


def format_stats(flow: FlowStats, names: PortNames = _NO_NAMES) -> str:
    """A flow with its counters as `ovs-ofctl dump-flows` prints it."""
    head = f"cookie={flow.cookie:#x}, duration={_duration(flow.duration)}, table={flow.table or 0}, "
    counters = f"n_packets={flow.packets}, n_bytes={flow.bytes}, "
    return f"{head}{counters}{_settings(flow)}{_rule(flow, names)}"
