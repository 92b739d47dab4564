# SPDX-License-Identifier: Apache-2.0
"""What an error reply to a flow_mod or group_mod says, for people (OpenFlow 1.4, 7.5.4)."""

import struct
from typing import Final

_REASONS: Final = {
    (1, 5): "not permitted",
    (1, 8): "packets are not buffered here",
    (1, 9): "no such table",
    (2, 0): "unknown action",
    (2, 1): "an action's length is wrong",
    (2, 4): "no such output port",
    (2, 5): "an action's argument is out of range",
    (2, 7): "too many actions",
    (2, 9): "no such group",
    (2, 10): "an action does not fit the match",
    (2, 12): "tags in an order that is not supported",
    (2, 13): "an action's field cannot be set",
    (2, 14): "a field's length in an action is wrong",
    (2, 15): "an action's argument does not fit its field",
    (3, 0): "unknown instruction",
    (3, 1): "instruction not supported",
    (3, 2): "goto_table leads to no later table",
    (3, 7): "an instruction comes twice",
    (4, 6): "unknown field",
    (4, 7): "a field's value is out of range",
    (4, 8): "a mask is not supported",
    (4, 9): "a field's prerequisite is missing",
    (4, 10): "a field comes twice",
    (5, 1): "the table is full",
    (5, 2): "no such table",
    (5, 3): "overlaps a flow of the same priority",
    (5, 6): "unknown command",
    (5, 7): "unknown flags",
    (6, 0): "the group exists already",
    (6, 4): "groups chained in a loop",
    (6, 7): "groups chained in a loop",
    (6, 8): "no such group",
    (12, 1): "the meter exists already",
    (12, 3): "no such meter",
}
_TYPES: Final = ("hello", "request", "action", "instruction", "match", "flow_mod", "group_mod")


def explain(reply: bytes) -> str:
    """One line for an error message: which of the messages (numbered by xid), and why."""
    if len(reply) < 12 or reply[1] != 1:
        return "an answer that is no error"
    xid, kind, code = struct.unpack_from(">IHH", reply, 4)
    text = _REASONS.get((kind, code))
    if text is None:
        name = _TYPES[kind] if kind < len(_TYPES) else "error"
        text = f"OpenFlow error {kind} ({name}), code {code}"
    return f"{text} (number {xid})" if xid > 1 else text
