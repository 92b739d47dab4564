# SPDX-License-Identifier: Apache-2.0
"""Pieces of the action syntax: lists, key=value pairs, subfields, and what actions depend on."""

import re
from dataclasses import dataclass

from turnout.openflow.actions import Action, Subfield
from turnout.openflow.fields import FIELDS
from turnout.openflow.flow import FlowError, Match
from turnout.openflow.values import Ports, parse_field


def split(text: str, what: str = "actions") -> list[tuple[str, str]]:
    """ "output:2,clone(a,b)" → [("output", "2"), ("clone", "a,b")]; brackets and parentheses nest."""
    out: list[tuple[str, str]] = []
    for item in items(text, what):
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


def items(text: str, what: str) -> list[str]:
    """What commas or spaces outside of parentheses separate."""
    out, depth, start = [], 0, 0
    for index, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth < 0:
            raise FlowError(f"{what}: ')' without '(' at character {index + 1}")
        if not depth and (char == "," or char.isspace()):
            out.append(text[start:index])
            start = index + 1
    if depth:
        raise FlowError(f"{what}: '(' without ')' in {text!r}")
    out.append(text[start:])
    return [item for item in out if item.strip()]


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
    for item in items(text, what):
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


def hex_bytes(text: str, what: str) -> bytes:
    """Pairs of hex digits."""
    try:
        return bytes.fromhex(text.replace(".", ""))
    except ValueError:
        raise FlowError(f"{what}: {text!r} is not pairs of hex digits, such as aa.bb.cc") from None
