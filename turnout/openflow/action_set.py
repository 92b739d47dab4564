# SPDX-License-Identifier: Apache-2.0
"""The action set: what a packet has coming at the pipeline's end, or in a bucket (OpenFlow 1.3.5, 5.10)."""

from collections.abc import Iterable
from typing import Final

from turnout.openflow import actions as a
from turnout.openflow.actions import Action

_BEFORE: Final = (
    a.CopyTtlIn, a.PopVlan, a.PopMpls, a.PopPbb, a.PushMpls, a.PushPbb, a.PushVlan,
    a.CopyTtlOut, a.DecTtl, a.DecMplsTtl,
)  # fmt: skip
_SETS: Final = (a.SetField, a.Load, a.Move, a.SetTtl, a.SetMplsTtl)
_LAST: Final = (a.Group, a.Output, a.Resubmit)


class ActionSet:
    """At most one action of each kind, the latest; fields are set in the order of writing."""

    def __init__(self) -> None:
        self._one: dict[type, Action] = {}
        self._fields: list[Action] = []

    def copy(self) -> "ActionSet":
        """An independent one."""
        new = ActionSet()
        new._one, new._fields = dict(self._one), list(self._fields)
        return new

    def clear(self) -> None:
        """Empties it."""
        self._one.clear()
        self._fields.clear()

    def write(self, actions: Iterable[Action]) -> None:
        """Merges actions in."""
        for action in actions:
            if isinstance(action, _SETS):
                self._fields.append(action)
            else:
                self._one[type(action)] = action

    def ordered(self) -> list[Action]:
        """In the order in which they are carried out; only one of group, output and resubmit is."""
        out = [self._one[kind] for kind in _BEFORE if kind in self._one]
        out += self._fields
        if a.SetQueue in self._one:
            out.append(self._one[a.SetQueue])
        others = [kind for kind in _LAST if kind in self._one]
        return [*out, self._one[others[0]]] if others else []
