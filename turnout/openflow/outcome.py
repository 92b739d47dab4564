# SPDX-License-Identifier: Apache-2.0
"""What a packet's way through the pipeline leaves: outputs, packet-ins, and the steps that explain them."""

from dataclasses import dataclass, field

from turnout.openflow.flow import Flow


@dataclass(frozen=True, slots=True)
class Sent:
    """A frame that leaves by a port (OpenFlow number) of a bridge."""

    port: int
    frame: bytes
    bridge: str = ""


@dataclass(frozen=True, slots=True)
class ToController:
    """A bridge's packet-in. reason: "action", "no_match" …; frame: at most what the action lets through."""

    reason: str
    table: int
    frame: bytes
    controller: int = 0
    userdata: bytes = b""
    bridge: str = ""


@dataclass(slots=True)
class Step:
    """One line of a trace and what it led to. kind: "table", "action", "group", "bucket", "set", "note",
    "bridge" (the text is its name; the way there behind a patch port).

    topic of a note: "sent", "changed", "in-port" (not sent where it came from), "no-port", "port" (it is down
    or doesn't forward), "no-peer" (of a patch port), "ttl", "normal" (NORMAL's choice), "set" (the action
    set), "limit". flow: the rule that matched in a table.
    """

    kind: str
    text: str
    table: int | None = None
    rule: str | None = None
    why: tuple[str, ...] = ()
    topic: str = ""
    flow: Flow | None = None
    steps: "list[Step]" = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Outcome:
    """All of it. dropped: why nothing came out; "" if something did."""

    sent: tuple[Sent, ...]
    to_controller: tuple[ToController, ...]
    dropped: str
    steps: tuple[Step, ...]
