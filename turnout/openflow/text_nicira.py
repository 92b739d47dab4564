# SPDX-License-Identifier: Apache-2.0
"""The syntax of Nicira's larger actions: learn, multipath, bundle, conjunction, sample, fin_timeout."""

import re

from turnout.openflow import actions as a
from turnout.openflow.actions import Subfield
from turnout.openflow.fields import ANY, BY_NAME, FIELDS
from turnout.openflow.flow import FlowError
from turnout.openflow.text_parts import Context, Parsed, arrow, items, pairs, subfield, writable
from turnout.openflow.values import number, parse_port, parse_value


def fin_timeout(text: str, _: Context) -> Parsed:
    """fin_timeout(idle_timeout=…,hard_timeout=…)"""
    keys = pairs(text, "fin_timeout", "idle_timeout hard_timeout")
    return [
        a.FinTimeout(*(number(keys.get(f"{k}_timeout", "0"), 16, "fin_timeout") for k in ("idle", "hard")))
    ]


def conjunction(text: str, _: Context) -> Parsed:
    """conjunction(ID,CLAUSE/CLAUSES)"""
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


def sample(text: str, ctx: Context) -> Parsed:
    """sample(probability=…,…)"""
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


def multipath(text: str, _: Context) -> Parsed:
    """multipath(FIELDS,BASIS,ALGORITHM,LINKS,ARG,FIELD)"""
    parts = items(text, "multipath")
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


def bundle(text: str, ctx: Context, load: bool = False) -> Parsed:
    """bundle and bundle_load"""
    what = "bundle_load" if load else "bundle"
    head, found, members = re.sub(r"(members|slaves)\s*:", "members:", text).partition("members:")
    parts = items(head, what)
    if not found or len(parts) != 4 + load or parts[3] != "ofport":
        to = "FIELD," if load else ""
        raise FlowError(f"{what}: write {what}(FIELDS,BASIS,ALGORITHM,ofport,{to}members:PORT,…)")
    return [
        a.Bundle(
            _chosen(a.HASH_FIELDS, parts[0], what), number(parts[1], 16, f"{what} basis"),
            _chosen(a.BUNDLE_ALGORITHMS, parts[2], what),
            tuple(parse_port(member, ctx.ports, what) for member in items(members, what)),
            writable(subfield(parts[4], what), what) if load else None,
        )
    ]  # fmt: skip


def learn(text: str, ctx: Context) -> Parsed:
    """learn(…)"""
    keys: dict[str, int] = {}
    flags, result, specs = 0, None, list[a.LearnSpec]()
    numbers = {
        "table": 8, "idle_timeout": 16, "hard_timeout": 16, "fin_idle_timeout": 16, "fin_hard_timeout": 16,
        "priority": 16, "cookie": 64, "limit": 32,
    }  # fmt: skip
    for item in items(text, "learn"):
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
