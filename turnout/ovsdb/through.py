# SPDX-License-Identifier: Apache-2.0
"""Changes of the desired state that come from elsewhere, the CLI, on their way through the database: each is
checked, becomes one transaction, and is answered when the switch has done it.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from turnout.config import model
from turnout.config.edit import Edit
from turnout.config.tree import non_defaults
from turnout.errors import ConfigError, TurnoutError
from turnout.ovsdb.compose import Bridges, canonical, compose, with_stand_ins
from turnout.ovsdb.rows import Database
from turnout.ovsdb.session import Outcome, Session
from turnout.ovsdb.translate import Check, Desired, Translator

log = logging.getLogger(__name__)

_PATIENCE = 30.0  # s that a change may take
_GRACE = 1.0  # s that it waits for a database that is not there: it may be on its way


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the database says, and the desired state that it means."""

    database: Database
    config: model.Config
    desired: Desired


@dataclass(eq=False)
class _Change:
    """One that is awaited. since: s, monotonic. base: what it was made on. next_cfg: what the database
    counted with it. errors: as `Through` takes them, of its ports, before it.
    """

    edit: Edit
    since: float
    answer: Future[str] = field(default_factory=Future)
    base: Known | None = None
    next_cfg: int = 0
    errors: Mapping[str, str] = field(default_factory=dict)


class Through:
    """The changes under way; those that are to be made wait for each other.

    check: as `translate` takes it. admit: ConfigError for a port, new or changed, that this host does not let
    be. errors: port → what is wrong with it; "" → with the last change as a whole.
    """

    def __init__(
        self,
        session: Session,
        remote: str,
        check: Check,
        admit: Callable[[model.Port], object],
        errors: Callable[[], Mapping[str, str]],
    ) -> None:
        self._session = session
        self._remote = remote
        self._translate = Translator(check)
        self._admit = admit
        self._errors = errors
        self._known: Known | None = None
        self._queue: deque[_Change] = deque()
        self._sent: _Change | None = None
        self._awaited: list[_Change] = []  # the database has them; the switch is at it
        self._reported = 0  # the database's cur_cfg

    def change(self, edit: Edit) -> Future[str]:
        """Makes it so; the answer, "", comes when the switch has done it."""
        change = _Change(edit, time.monotonic())
        self._queue.append(change)
        self._next()
        return change.answer

    def know(self, known: Known | None, *, fresh: bool) -> None:
        """What the database says now; None: it has no row Open_vSwitch. fresh: it may be another one."""
        self._known = known
        if fresh:
            self._reported = 0
            for change in self._awaited:
                if known is None or known.database.next_cfg < change.next_cfg:
                    self._refuse(change, "it has been replaced; nobody knows whether the change is there")
            self._forget()
        self._next()

    def reported(self, cur_cfg: int) -> None:
        """The switch has done all up to that, and the database has it."""
        self._reported = cur_cfg
        if any(change.next_cfg <= cur_cfg for change in self._awaited):
            errors = self._errors()
            for change in self._awaited:
                if change.next_cfg <= cur_cfg:
                    _conclude(change, errors)
            self._forget()

    def tick(self, now: float) -> None:
        """Once a second: nobody waits in vain. now: s, monotonic."""
        trouble = "" if self._session.ready else self._session.trouble
        for changes, what in (
            (list(self._queue), "nothing was changed"),
            ([self._sent] if self._sent else [], "nobody knows whether the change is there"),
            (self._awaited, "the change is there, and the switch will follow"),
        ):
            for change in changes:
                if trouble and now >= change.since + _GRACE:
                    self._refuse(change, f"{trouble}; {what}")
                elif now >= change.since + _PATIENCE:
                    self._refuse(change, f"no answer in {_PATIENCE:.0f} s; {what}")
        self._forget()
        self._next()

    def _next(self) -> None:
        """Sends the next that is to be sent."""
        while self._queue and not self._sent and self._session.ready:
            change = self._queue.popleft()
            try:
                self._send(change)
            except TurnoutError as error:
                change.answer.set_exception(error)
            except Exception as error:
                log.exception("a change failed")
                change.answer.set_exception(TurnoutError(f"internal error: {error!r}; see the daemon's log"))

    def _send(self, change: _Change) -> None:
        """TurnoutError if it cannot be."""
        if (known := self._known) is None:
            raise TurnoutError(f"{self._remote}: no row Open_vSwitch; ovs-vsctl init makes one")
        change.base = known
        before = with_stand_ins(known.database, known.desired.bridges)
        after = change.edit(replace(known.config, bridges=before)).bridges
        old = {port.name: port for bridge in before for port in bridge.ports}
        touched = [port for bridge in after for port in bridge.ports if old.get(port.name) != port]
        for port in touched:
            self._admit(port)
        wanted = compose(known.database, before, after)
        _compare(after, self._translate(wanted), {port.name for port in touched}, known.desired)
        errors = self._errors()
        change.errors = {name: errors.get(name, "") for name in ("", *(port.name for port in touched))}
        if wanted == known.database:
            change.answer.set_result("")
        else:
            self._session.edit(known.database, wanted, self._edited)
            self._sent = change

    def _edited(self, outcome: Outcome) -> None:
        change, self._sent = self._sent, None
        if change is None or change.answer.done():
            pass
        elif outcome.error:
            self._refuse(change, outcome.error)
        elif outcome.again:
            self._queue.appendleft(change)
            if change.base is self._known:
                return  # until there is something new to make it on
        else:
            change.next_cfg = outcome.next_cfg
            self._awaited.append(change)
            self.reported(self._reported)
        self._next()

    def _refuse(self, change: _Change, why: str) -> None:
        if not change.answer.done():
            change.answer.set_exception(TurnoutError(f"{self._remote}: {why}"))

    def _forget(self) -> None:
        """Those that are answered."""
        self._queue = deque(change for change in self._queue if not change.answer.done())
        self._awaited = [change for change in self._awaited if not change.answer.done()]


def _conclude(change: _Change, errors: Mapping[str, str]) -> None:
    """Answers one that is done; what is newly wrong with its ports is an error."""
    wrong = [
        text for port, before in change.errors.items() if (text := errors.get(port, "")) and text != before
    ]
    if wrong:
        change.answer.set_exception(
            TurnoutError(f"{'; '.join(wrong)}; the database has the change, and the switch tries on")
        )
    else:
        change.answer.set_result("")


def _compare(after: Bridges, said: Desired, touched: set[str], before: Desired) -> None:
    """Raises where the database, as it is to be, would not say what is wanted."""
    held = {bridge.name: bridge for bridge in canonical(said.bridges)}
    good = touched | {port.name for bridge in before.bridges for port in bridge.ports}
    for bridge in canonical(after):
        if (found := held.get(bridge.name)) is None:
            notes = (note for note in said.notes if note.startswith(f"bridge.{bridge.name}:"))
            raise TurnoutError(next(notes, f"bridge.{bridge.name}: the database cannot say it"))
        _compare_settings(f"bridge.{bridge.name}", bridge, found)
        ports = {port.name: port for port in found.ports}
        for port in bridge.ports:
            if port.name in ports:
                _compare_settings(f"port.{port.name}", port, ports[port.name])
            elif port.name in good:
                why = said.errors.get(port.name, f"port.{port.name}: the database cannot say it")
                raise TurnoutError(why)


def _compare_settings(where: str, wanted: model.Bridge | model.Port, held: model.Bridge | model.Port) -> None:
    if wanted == held:
        return
    ours, theirs = non_defaults(wanted), non_defaults(held)
    for setting in ours.keys() | theirs.keys():
        if ours.get(setting) != theirs.get(setting):
            raise ConfigError(f"{where}.{setting}", "the database, as it is, cannot say that; use ovs-vsctl")
