# SPDX-License-Identifier: Apache-2.0
"""Actions and instructions as typed values; names and meanings are those of ovs-actions(7).

As in ovs-ofctl's text, a flow has one sequence of them: what stands by itself is applied, and instructions
(`Meter`, `ClearActions`, `WriteActions`, `WriteMetadata`, `GotoTable`) are its items too.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from turnout.openflow.fields import BY_NAME


@dataclass(frozen=True, slots=True)
class Subfield:
    """Bits `start` … `start + bits - 1` of a field, counted from its least significant bit."""

    field: str
    start: int
    bits: int

    @classmethod
    def whole(cls, name: str) -> "Subfield":
        """All bits of the field of this name."""
        found = BY_NAME[name]
        return cls(found.name, 0, found.bits)


@dataclass(frozen=True, slots=True)
class Output:
    """max_len: how many bytes go to a controller; elsewhere without meaning."""

    port: int
    max_len: int = 0


@dataclass(frozen=True, slots=True)
class OutputReg:
    """Output to the port whose number the subfield holds."""

    port: Subfield
    max_len: int = 0xFFFF


@dataclass(frozen=True, slots=True)
class OutputTrunc:
    """Output of the first max_len bytes."""

    port: int
    max_len: int


@dataclass(frozen=True, slots=True)
class Controller:
    """To the controllers with this id. reason: OFPR_* as Open vSwitch counts them, 1 is "action"."""

    max_len: int = 0xFFFF
    id: int = 0
    reason: int = 1
    meter: int | None = None
    userdata: bytes = b""
    pause: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    group: int


@dataclass(frozen=True, slots=True)
class SetQueue:
    queue: int


@dataclass(frozen=True, slots=True)
class PopQueue:
    pass


@dataclass(frozen=True, slots=True)
class SetField:
    """Bits of the field in `mask` become those of `value`; mask None: all."""

    field: str
    value: int
    mask: int | None = None


@dataclass(frozen=True, slots=True)
class Load:
    value: int
    to: Subfield


@dataclass(frozen=True, slots=True)
class Move:
    source: Subfield
    to: Subfield


@dataclass(frozen=True, slots=True)
class Push:
    source: Subfield


@dataclass(frozen=True, slots=True)
class Pop:
    to: Subfield


@dataclass(frozen=True, slots=True)
class PushVlan:
    eth_type: int = 0x8100


@dataclass(frozen=True, slots=True)
class PopVlan:
    pass


@dataclass(frozen=True, slots=True)
class PushMpls:
    eth_type: int = 0x8847


@dataclass(frozen=True, slots=True)
class PopMpls:
    eth_type: int


@dataclass(frozen=True, slots=True)
class PushPbb:
    eth_type: int = 0x88E7


@dataclass(frozen=True, slots=True)
class PopPbb:
    pass


@dataclass(frozen=True, slots=True)
class SetMplsTtl:
    ttl: int


@dataclass(frozen=True, slots=True)
class DecMplsTtl:
    pass


@dataclass(frozen=True, slots=True)
class SetTtl:
    """IPv4's TTL or IPv6's hop limit."""

    ttl: int


@dataclass(frozen=True, slots=True)
class DecTtl:
    """controllers: ids of those that hear of a TTL that ends; None: OpenFlow's own spelling, id 0."""

    controllers: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class CopyTtlOut:
    pass


@dataclass(frozen=True, slots=True)
class CopyTtlIn:
    pass


@dataclass(frozen=True, slots=True)
class Resubmit:
    """in_port None: unchanged; table None: this flow's."""

    in_port: int | None = None
    table: int | None = None


@dataclass(frozen=True, slots=True)
class Note:
    data: bytes


@dataclass(frozen=True, slots=True)
class Exit:
    pass


@dataclass(frozen=True, slots=True)
class FinTimeout:
    """In seconds; 0: none."""

    idle: int = 0
    hard: int = 0


@dataclass(frozen=True, slots=True)
class Conjunction:
    """clause counts from 1."""

    id: int
    clause: int
    clauses: int


@dataclass(frozen=True, slots=True)
class Sample:
    """Does nothing in Turnout. direction: 0 unknown, 1 ingress, 2 egress."""

    probability: int
    collector_set_id: int = 0
    obs_domain_id: int = 0
    obs_point_id: int = 0
    sampling_port: int | None = None
    direction: int = 0


@dataclass(frozen=True, slots=True)
class Clone:
    actions: tuple["Action", ...]


@dataclass(frozen=True, slots=True)
class Multipath:
    """fields, algorithm: Nicira's numbers (HASH_FIELDS, MULTIPATH_ALGORITHMS name them)."""

    fields: int
    basis: int
    algorithm: int
    links: int
    arg: int
    to: Subfield


@dataclass(frozen=True, slots=True)
class Bundle:
    """to None: outputs to the chosen member; else loads its number."""

    fields: int
    basis: int
    algorithm: int
    members: tuple[int, ...]
    to: Subfield | None = None


@dataclass(frozen=True, slots=True)
class LearnMatch:
    """A match field of the learned flow: from the packet's `source`, or an immediate."""

    to: Subfield
    source: Subfield | int


@dataclass(frozen=True, slots=True)
class LearnLoad:
    to: Subfield
    source: Subfield | int


@dataclass(frozen=True, slots=True)
class LearnOutput:
    source: Subfield


LearnSpec: TypeAlias = LearnMatch | LearnLoad | LearnOutput


@dataclass(frozen=True, slots=True, kw_only=True)
class Learn:
    """Adds a flow made from the packet. flags: LEARN_FLAGS' bits."""

    table: int = 1
    idle_timeout: int = 0
    hard_timeout: int = 0
    fin_idle_timeout: int = 0
    fin_hard_timeout: int = 0
    priority: int = 0x8000
    cookie: int = 0
    flags: int = 0
    limit: int = 0
    result: Subfield | None = None
    specs: tuple[LearnSpec, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Meter:
    meter: int


@dataclass(frozen=True, slots=True)
class ClearActions:
    pass


@dataclass(frozen=True, slots=True)
class WriteActions:
    actions: tuple["Action", ...]


@dataclass(frozen=True, slots=True)
class WriteMetadata:
    value: int
    mask: int = 0xFFFFFFFFFFFFFFFF


@dataclass(frozen=True, slots=True)
class GotoTable:
    table: int


Action: TypeAlias = (
    Output
    | OutputReg
    | OutputTrunc
    | Controller
    | Group
    | SetQueue
    | PopQueue
    | SetField
    | Load
    | Move
    | Push
    | Pop
    | PushVlan
    | PopVlan
    | PushMpls
    | PopMpls
    | PushPbb
    | PopPbb
    | SetMplsTtl
    | DecMplsTtl
    | SetTtl
    | DecTtl
    | CopyTtlOut
    | CopyTtlIn
    | Resubmit
    | Note
    | Exit
    | FinTimeout
    | Conjunction
    | Sample
    | Clone
    | Multipath
    | Bundle
    | Learn
    | Meter
    | ClearActions
    | WriteActions
    | WriteMetadata
    | GotoTable
)
INSTRUCTIONS = (Meter, ClearActions, WriteActions, WriteMetadata, GotoTable)
"""In the order in which they run; applied actions stand between the first two."""

HASH_FIELDS = (
    "eth_src", "symmetric_l4", "symmetric_l3l4", "symmetric_l3l4+udp", "nw_src", "nw_dst", "symmetric_l3",
)  # fmt: skip
MULTIPATH_ALGORITHMS = ("modulo_n", "hash_threshold", "hrw", "iter_hash")
BUNDLE_ALGORITHMS = ("active_backup", "hrw")
REASONS = ("no_match", "action", "invalid_ttl", "action_set", "group", "packet_out")
LEARN_FLAGS = {"send_flow_rem": 1, "delete_learned": 2}
LEARN_RESULT = 4  # NX_LEARN_F_WRITE_RESULT
