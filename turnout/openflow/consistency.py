# SPDX-License-Identifier: Apache-2.0
"""Whether a flow's actions fit the packets that its match lets through (ovs-actions(7), Inconsistencies).

OpenFlow 1.1 and later refuse a flow that sets a field which its packets may lack. As ovs-ofctl does, written
actions are held to the match as well.
"""

from collections.abc import Iterable

from turnout.openflow import actions as a
from turnout.openflow.actions import Action, Subfield
from turnout.openflow.flow import FieldMatch, FlowError, Match, missing


def check_actions(actions: Iterable[Action], match: Match) -> None:
    """Raises FlowError for the first action that does not fit."""
    for action in actions:
        match action:
            case a.Clone(inner):
                check_actions(inner, match)
            case a.WriteActions(inner):  # only fields: whether there is a TTL or a tag then, is not known now
                check_actions([x for x in inner if _touched(x)], match)
            case a.PushVlan():
                match = _with(match, "vlan_tci", 0x1000, 0x1000)
            case a.PopVlan():
                _need(match, "vlan_pcp", "pop_vlan")
                match = _with(match, "vlan_tci", 0, 0)
            case a.PushMpls(kind) | a.PopMpls(kind):
                if isinstance(action, a.PopMpls):
                    _need(match, "mpls_label", "pop_mpls")
                match = _with(match, "eth_type", kind, 0xFFFF)
            case a.DecTtl() | a.SetTtl():
                _need(match, "nw_ttl", "dec_ttl" if isinstance(action, a.DecTtl) else "mod_nw_ttl")
            case a.SetMplsTtl() | a.DecMplsTtl():
                _need(
                    match, "mpls_ttl", "dec_mpls_ttl" if isinstance(action, a.DecMplsTtl) else "set_mpls_ttl"
                )
            case a.FinTimeout():
                _need(match, "tcp_src", "fin_timeout")
            case _:
                for name, what in _touched(action):
                    _need(match, name, what)
                match = _after_set(action, match)


def _with(match: Match, name: str, value: int, mask: int) -> Match:
    others = [entry for entry in match if entry.field != name]
    return Match.of([*others, FieldMatch(name, value, mask)])


def _after_set(action: Action, match: Match) -> Match:
    """What is known once a field of the match is set: a VLAN's presence."""
    if isinstance(action, a.SetField) and action.field in ("vlan_tci", "vlan_vid") and action.value & 0x1000:
        return _with(match, "vlan_tci", 0x1000, 0x1000)
    return match


def _touched(action: Action) -> list[tuple[str, str]]:
    match action:
        case a.SetField(name, _, _):
            return [(name, "set_field")]
        case a.Load(_, to):
            return [(to.field, "load")]
        case a.Move(source, to):
            return [(source.field, "move"), (to.field, "move")]
        case a.Push(part):
            return [(part.field, "push")]
        case a.Pop(part):
            return [(part.field, "pop")]
        case a.OutputReg(part):
            return [(part.field, "output")]
        case a.Learn(specs=specs):
            return [(spec.source.field, "learn") for spec in specs if isinstance(spec.source, Subfield)]
    return []


def _need(match: Match, name: str, what: str) -> None:
    name = "vlan_pcp" if name == "vlan_vid" and what != "push" else name
    if problem := missing(match, name):
        field = "" if what in ("pop_vlan", "pop_mpls", "dec_ttl", "mod_nw_ttl", "fin_timeout") else f" {name}"
        raise FlowError(f"{what}{field}: needs {problem} in the match, for other packets have no such field")
