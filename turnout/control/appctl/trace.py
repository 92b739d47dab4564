# SPDX-License-Identifier: Apache-2.0
"""A trace in the shape of ofproto/trace's: the way through the tables, the packet at its end, what
becomes of it.

There is no line "Megaflow:", since no wildcarded flow is cached here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from turnout.control.appctl.trace_actions import format_datapath_actions
from turnout.control.appctl.trace_flow import format_packet
from turnout.openflow.flow import Flow
from turnout.openflow.outcome import Step
from turnout.openflow.text_format import format_match
from turnout.openflow.trace import Traced

_WARNINGS = {  # Open vSwitch's words for a note
    "in-port": "skipping output to input port",
    "no-port": "Nonexistent output port",
    "ttl": "IPv4 decrement TTL exception",
}


@dataclass(frozen=True, slots=True)
class _Line:
    """opens: a table, the action set or a bridge, whose own lines go on at its level if it is the last.
    title: of a bridge.
    """

    text: str
    below: "tuple[_Line, ...]" = ()
    opens: bool = False
    title: bool = False


_Names = Mapping[str, Mapping[int, str]]  # of ports, by bridge and number


def format_trace(traced: Traced, inside: Mapping[tuple[str, int], str]) -> str:
    """inside: the datapath's name or number of each port, by bridge and OpenFlow number."""
    before, after = (format_packet(p, traced.names[traced.bridge]) for p in (traced.before, traced.after))
    lines = [f"Flow: {before}"]
    lines += _indented([_bridge(traced.bridge, traced.outcome.steps, traced.names)], 0)
    lines += ["", f"Final flow: {'unchanged' if after == before else after}"]
    lines.append(f"Datapath actions: {format_datapath_actions(traced.frame, traced.outcome, inside)}")
    return "\n".join(lines)


def _indented(lines: Sequence[_Line], level: int) -> Iterator[str]:
    """As Open vSwitch saves width: what comes last is not indented further if it only goes on elsewhere."""
    for index, line in enumerate(lines):
        deeper = level + (index < len(lines) - 1 or not line.opens)
        indent = " " * 4 * deeper
        if line.title:
            yield ""
        yield indent + line.text
        if line.title:
            yield indent + "-" * len(line.text)
        yield from _indented(line.below, 2 * deeper - level)


def _bridge(bridge: str, steps: Sequence[Step], names: _Names) -> _Line:
    """The first table with all below it; the action set is told at its end."""
    lines = tuple(_lines(steps, bridge, names))
    if len(lines) == 2 and lines[1].opens:
        first, last = lines
        lines = (_Line(first.text, (*first.below, last), opens=True),)
    return _Line(f'bridge("{bridge}")', lines, opens=True, title=True)


def _lines(steps: Iterable[Step], bridge: str, names: _Names) -> Iterator[_Line]:
    for step in steps:
        match step.kind:
            case "table":
                below = tuple(_lines(step.steps, bridge, names))
                if step.flow is None or not step.flow.actions:
                    below = (_Line("drop"), *below)
                yield _Line(f"{step.table:2}. {_rule(step.flow, names[bridge])}", below, opens=True)
            case "set":
                yield _Line("--. Executing action set:", tuple(_lines(step.steps, bridge, names)), opens=True)
            case "bucket":
                yield _Line(step.text, tuple(_lines(step.steps, bridge, names)))
            case "bridge":
                yield _bridge(step.text, step.steps, names)
            case "note":
                yield from _note(step)
            case _:
                yield _Line(step.text)
                yield from _lines(step.steps, bridge, names)


def _rule(flow: Flow | None, names: Mapping[int, str]) -> str:
    if flow is None:
        return "No match."
    cookie = f"cookie {flow.cookie:#x}" if flow.cookie else ""
    match = format_match(flow.match, names=names)
    return ", ".join(part for part in (match, f"priority {flow.priority}", cookie) if part)


def _note(step: Step) -> Iterator[_Line]:
    """Open vSwitch says nothing of what an action does as it says."""
    if step.topic in ("normal", "set"):
        yield _Line(f" -> {step.text}")
    elif step.topic not in ("sent", "changed", "no-peer"):
        yield _Line(f" >> {_WARNINGS.get(step.topic, step.text)}")
