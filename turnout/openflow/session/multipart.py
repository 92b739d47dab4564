# SPDX-License-Identifier: Apache-2.0
"""Multipart requests in several parts: collected until whole, bounded in size, number and time."""

from dataclasses import dataclass, field, replace

from turnout.openflow.session.errors import Error, OfError
from turnout.openflow.session.messages import Kind, Message

LARGEST = 4 << 20  # [B] a request; one for table features can be over 1 MB
MOST = 16  # requests that are under way
PATIENCE = 1.0  # s between parts

_IN_PARTS = frozenset((Kind.TABLE_FEATURES_STATS, Kind.FLOW_MONITOR_STATS))  # others have one body


@dataclass(slots=True)
class _Partial:
    kind: Kind
    expires: float
    parts: list[Message] = field(default_factory=list)
    size: int = 0


class Assembler:
    """The requests of one session that are not whole yet, by xid."""

    def __init__(self) -> None:
        self._partial: dict[int, _Partial] = {}

    def add(self, part: Message, now: float) -> Message | None:
        """The whole request, its bodies joined, if `part` is its last part; else None. OfError drops the
        request.
        """
        partial = self._partial.get(part.xid)
        if partial is None:
            if not part.more:
                return part
            if len(self._partial) >= MOST:
                raise OfError(Error.OFPBRC_MULTIPART_BUFFER_OVERFLOW)
            partial = self._partial[part.xid] = _Partial(part.kind, 0.0)
        partial.expires = now + PATIENCE
        partial.size += len(part.data)
        partial.parts.append(part)
        try:
            if partial.kind is not part.kind:
                raise OfError(Error.OFPBRC_BAD_STAT)
            if partial.size > LARGEST:
                raise OfError(Error.OFPBRC_MULTIPART_BUFFER_OVERFLOW)
            if part.more:
                return None
            bodies = [p for p in partial.parts if len(p.data) > p.body] or [part]
            if len(bodies) > 1 and part.kind not in _IN_PARTS:
                raise OfError(Error.OFPBRC_BAD_STAT)
        except OfError:
            del self._partial[part.xid]
            raise
        del self._partial[part.xid]
        first = bodies[0]
        return replace(first, data=first.data + b"".join(p.payload for p in bodies[1:]))

    def expire(self, now: float) -> list[bytes]:
        """Drops the requests that wait for a part for too long; the last part of each."""
        late = [xid for xid, partial in self._partial.items() if now >= partial.expires]
        return [self._partial.pop(xid).parts[-1].data for xid in late]
