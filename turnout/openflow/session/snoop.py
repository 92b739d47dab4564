# SPDX-License-Identifier: Apache-2.0
"""Whoever snoops (`ovs-ofctl snoop`) gets copies of what a controller and the switch say to each other."""

from typing import TYPE_CHECKING

from turnout.openflow.session import session

if TYPE_CHECKING:
    from turnout.openflow.session.bridge import Bridge

UNREAD = 1 << 20  # [B] beyond which copies are left out


class Snooper(session.Session):
    """A session that says hello, and from then on only listens."""

    def __init__(self, bridge: "Bridge", *, versions: frozenset[int]) -> None:
        super().__init__(bridge, {}, number=0, versions=versions, service=True, name="snooper")

    def receive(self, data: bytes, now: float) -> bool:
        """Takes its hello; what it says later is not for us."""
        if self.version:
            return False
        return super().receive(data, now)

    def copy(self, message: bytes) -> None:
        """Queues a copy, unless it reads too slowly."""
        if self.version and self.unsent < UNREAD:
            self.output.append(message)
            self.unsent += len(message)
