# SPDX-License-Identifier: Apache-2.0
"""The flows of a bridge, for Python: `switch.bridge("br0").flows`.

```python
flows = switch.bridge("br0").flows
flows.add("priority=10,ip,nw_dst=10.0.0.0/24,actions=output:2")
flows.add(Flow(match=parse_match("arp"), actions=(Output(NORMAL),)))
for flow in flows:
    print(flow.packets, flow)
flows.delete("ip,nw_dst=10.0.0.0/24")
flows.replace(["priority=0,actions=NORMAL"])  # all at once: no packet sees half of it
```
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager

from turnout import _engine
from turnout.errors import TurnoutError
from turnout.openflow import wire
from turnout.openflow.flow import FLAGS, Flow, FlowStats, Selection
from turnout.openflow.text import parse, parse_selection
from turnout.openflow.wire_errors import explain

_VERSION = 5  # OpenFlow 1.4: flow_mods as in 1.3, and importance
_ALL_TABLES = 255


def flow_of(record: "_engine.FlowRecord") -> FlowStats:
    """A flow as the engine has it, typed."""
    return FlowStats(
        match=wire.decode_match(record.match),
        actions=wire.decode_instructions(record.instructions),
        priority=record.priority,
        table=record.table,
        cookie=record.cookie,
        idle_timeout=record.idle,
        hard_timeout=record.hard,
        importance=record.importance,
        flags=frozenset(name for name, bit in FLAGS.items() if record.flags & bit),
        packets=record.n_packets,
        bytes=record.n_bytes,
        duration=record.age_ns / 1e9,
        idle_age=record.idle_age,
        hard_age=record.hard_age,
    )


def _plain(flow: Flow) -> Flow:
    """What of a flow was asked for: counters and flags that only concern adding it left out."""
    asked = {name: getattr(flow, name) for name in Flow.__dataclass_fields__}
    flags = flow.flags - {"check_overlap", "reset_counts"}
    return Flow(**{**asked, "table": flow.table or 0, "flags": flags})


class Flows:
    """The flows of one bridge: iterable, changed by text in ovs-ofctl's syntax or by typed flows.

    Each change happens whole or raises TurnoutError (FlowError for bad text), one line. From any thread.
    """

    def __init__(
        self,
        tables: "Callable[[], _engine.Tables]",
        ports: Callable[[], Mapping[str, int]],
        lock: Callable[[], AbstractContextManager[object]],
    ) -> None:
        self._tables = tables
        self._ports = ports
        self._lock = lock

    def __iter__(self) -> Iterator[FlowStats]:
        return iter(self.dump())

    def __len__(self) -> int:
        session = _engine.SessionView(id=0, version=4, format=_engine.FlowFormat.OXM, may_write=False)
        with self._lock():
            replies = self._tables().statistics(wire.table_stats_request(), session)
        return sum(map(wire.active_flows, replies))

    def dump(self, table: int | None = None) -> list[FlowStats]:
        """The flows of a table, or of all: by table, then by priority, the highest first."""
        with self._lock():
            records = self._tables().dump(_ALL_TABLES if table is None else table)
        return sorted(map(flow_of, records), key=lambda flow: (flow.table or 0, -flow.priority))

    def add(self, *flows: str | Flow) -> None:
        """Adds flows, all or none; one with a match and priority that is there takes its place."""
        self._commit([self._mod(flow, wire.ADD) for flow in flows])

    def modify(self, flow: str | Flow, *, strict: bool = False) -> None:
        """Gives the flows that this match covers other actions; strict: that of this match and priority."""
        self._commit([self._mod(flow, wire.MODIFY_STRICT if strict else wire.MODIFY)])

    def delete(self, which: str | Flow | Selection = "", *, strict: bool = False) -> None:
        """Deletes what a match covers, all by default; strict, or a Flow: that of this match and priority."""
        if isinstance(which, str):
            which = parse_selection(which, self._ports(), strict=strict)
        elif isinstance(which, Flow):
            which = _selection(which)
        self._commit([wire.delete_mod(which, version=_VERSION)])

    def replace(self, flows: Iterable[str | Flow]) -> None:
        """Makes these the bridge's flows, at once for every packet; those that stay keep their counters."""
        wanted = {(f.table or 0, f.priority, f.match): _plain(f) for f in map(self._parsed, flows)}
        with self._lock():
            here = {(f.table or 0, f.priority, f.match): _plain(f) for f in self.dump()}
            gone = [_selection(flow) for key, flow in here.items() if key not in wanted]
            new = [flow for key, flow in wanted.items() if here.get(key) != flow]
            messages = [wire.delete_mod(selection, version=_VERSION) for selection in gone]
            self._commit([*messages, *(self._mod(flow, wire.ADD) for flow in new)])

    def _parsed(self, flow: str | Flow) -> Flow:
        return parse(flow, self._ports()) if isinstance(flow, str) else flow

    def _mod(self, flow: str | Flow, command: int) -> bytes:
        return wire.flow_mod(self._parsed(flow), command, version=_VERSION)

    def _commit(self, messages: list[bytes]) -> None:
        if not messages:
            return
        session = _engine.SessionView(id=0, version=_VERSION, format=_engine.FlowFormat.OXM, may_write=True)
        numbered = [m[:4] + struct.pack(">I", xid) + m[8:] for xid, m in enumerate(messages, 1)]
        with self._lock():
            reply = self._tables().commit(numbered, session)
        if reply:
            raise TurnoutError(f"flow refused: {explain(reply)}")


def _selection(flow: Flow) -> Selection:
    return Selection(match=flow.match, table=flow.table or 0, priority=flow.priority, strict=True)
