# SPDX-License-Identifier: Apache-2.0
"""One client of ovsdb-server, on the daemon's loop: it never blocks, and connects again for ever."""

import json
import logging
import select
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import ovs.db.idl  # type: ignore[import-untyped]
import ovs.timeval  # type: ignore[import-untyped]

from turnout.control.loop import READ, WRITE, HasFileno, Loop, Timer
from turnout.ovsdb import schema, transaction
from turnout.ovsdb.read import Reader
from turnout.ovsdb.rows import Database

log = logging.getLogger(__name__)

LOCK = "ovs_vswitchd"  # whoever has it is the switch


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What has become of a transaction. next_cfg: what it has counted that up to; 0: there was nothing to do.
    again: it was made on what the database had ceased to say. error: why it failed; "": it did not.
    """

    next_cfg: int = 0
    again: bool = False
    error: str = ""


_Transaction = ovs.db.idl.Transaction
_DONE = (_Transaction.SUCCESS, _Transaction.UNCHANGED)


class _Waits:
    """What the library asks its poller to wait for, put to our loop."""

    def __init__(self) -> None:
        self.events: dict[int, int] = {}
        self.seconds: float | None = None

    def fd_wait(self, fd: int | HasFileno, events: int) -> None:
        number = fd if isinstance(fd, int) else fd.fileno()
        ours = (READ if events & select.POLLIN else 0) | (WRITE if events & select.POLLOUT else 0)
        self.events[number] = self.events.get(number, 0) | ours

    def timer_wait(self, msec: int) -> None:
        self.seconds = min(msec / 1000, self.seconds if self.seconds is not None else msec / 1000)

    def timer_wait_until(self, msec: int) -> None:
        self.timer_wait(max(0, msec - ovs.timeval.msec()))

    def immediate_wake(self) -> None:
        self.seconds = 0.0


class _Idl(ovs.db.idl.Idl):  # type: ignore[misc]
    """Remembers whose columns have changed, but for those that we write: of these the library tells nothing
    by `change_seqno`, which counts our own writes as well.
    """

    def __init__(self, remote: str, helper: Any) -> None:
        self.changed: set[UUID] = set()
        super().__init__(remote, helper, leader_only=False)

    def notify(self, event: str, row: Any, updates: Any = None) -> None:
        if event == ovs.db.idl.ROW_UPDATE and updates is not None:
            written = schema.WRITTEN.get(row._table.name, ())
            if all(column in written for column in updates._data):
                return
        self.changed.add(row.uuid)


class Session:
    """Follows the database and writes to it.

    changed: called with what the database says, when that is new, or we have become the switch; whether it
    may be another database than the last time comes with it. written: called with whether what `write` sent
    is in the database.
    """

    def __init__(
        self,
        remote: str,
        loop: Loop,
        changed: Callable[[Database | None, bool], None],
        written: Callable[[bool], None],
    ) -> None:
        """TurnoutError if there is no schema."""
        description = schema.load()
        self.version = str(description["version"])
        helper = ovs.db.idl.SchemaHelper(schema_json=description)
        for table, names in schema.columns(description).items():
            helper.register_columns(table, names)
        self._idl: Any = _Idl(remote, helper)
        for table, written_names in schema.WRITTEN.items():
            for name in written_names:
                self._idl.tables[table].columns[name].alert = False  # a value that is there is not sent again
        self._idl.set_lock(LOCK)
        self._remote = remote
        self._loop = loop
        self._changed = changed
        self._written = written
        self._report: Any = None  # what `write` has sent
        self._edit: Any = None  # what `edit` has sent
        self._edit_on = -1  # the connection that it went out on
        self._edited: Callable[[Outcome], None] = lambda _: None
        self._reader = Reader()
        self._obeyed = -1  # the connection, by the library's count, that `changed` was called for
        self._said = ""
        self._watched: list[int] = []
        self._timer: Timer | None = None
        self._closed = False
        loop.soon(self._run)

    @property
    def ready(self) -> bool:
        """Whether we know the database and are its switch: then, and only then, it is to be obeyed."""
        idl = self._idl
        return bool(self._connected and idl.state == idl.IDL_S_MONITORING and idl.has_lock)

    @property
    def trouble(self) -> str:
        """Why it is not `ready`."""
        if self._connected and self._idl.is_lock_contended:
            return "another process is the switch of this database"
        return "no database there"

    @property
    def _connected(self) -> bool:
        return bool(self._idl._session.is_connected())  # the library has no public word for it

    @property
    def writing(self) -> bool:
        """Whether an answer to `write` is awaited."""
        return self._report is not None

    def write(self, changes: Mapping[str, Mapping[Any, Mapping[str, Any]]]) -> None:
        """Sends table → row → column → value, in one transaction; rows that are gone are passed over."""
        report = _Transaction(self._idl)
        for table, rows in changes.items():
            known = self._idl.tables[table].rows
            for uuid, values in rows.items():
                if (row := known.get(uuid)) is not None:
                    for column, value in values.items():
                        setattr(row, column, value)  # how the library takes them
        self._report = report
        self._commit()  # at once: the library cannot go on with one that is not sent
        self._loop.soon(self._run)

    def edit(self, old: Database, new: Database, done: Callable[[Outcome], None]) -> None:
        """Sends what makes `old`, which `changed` was called with last, `new`, and counts next_cfg up. One at
        a time; `done` is called once, of a lost connection when there is another. TurnoutError: a value that
        the schema does not allow.
        """
        edit = _Transaction(self._idl)
        try:
            transaction.fill(edit, self._idl.tables, old, new)
        except BaseException:
            edit.abort()
            raise
        self._edit, self._edited, self._edit_on = edit, done, self._idl._session.get_seqno()
        edit.commit()
        self._loop.soon(self._run)

    def close(self) -> None:
        """Hangs up; the database gives the lock to the next."""
        self._closed = True
        self._unwatch()
        self._idl.close()

    def _run(self) -> None:
        if self._closed:
            return
        self._unwatch()  # a descriptor may be closed, and its number another's, after the next line
        self._idl.run()
        self._commit()
        self._say()
        self._obey()
        self._conclude()
        waits = _Waits()
        self._idl.wait(waits)
        self._watched = list(waits.events)
        for number, events in waits.events.items():
            self._loop.watch(number, events, lambda _: self._run())
        if waits.seconds == 0.0:
            self._loop.soon(self._run)
        elif waits.seconds is not None:
            self._timer = self._loop.at(time.monotonic() + waits.seconds, self._run)

    def _obey(self) -> None:
        """Tells what is new."""
        connection = self._idl._session.get_seqno()
        if not self.ready:
            self._obeyed = -1
            self._idl.changed.clear()  # all is read then
        elif (fresh := connection != self._obeyed) or self._idl.changed:
            changed, self._idl.changed = self._idl.changed, set()
            self._obeyed = connection
            self._changed(self._reader.read(self._idl.tables, None if fresh else changed), fresh)

    def _commit(self) -> None:
        """Sends what is to be sent, or looks for the answer."""
        if self._report and (status := self._report.commit()) != _Transaction.INCOMPLETE:
            if status == _Transaction.ERROR:
                log.error("%s: cannot write: %s", self._remote, _reason(self._report))
            self._report = None
            self._written(status in _DONE)

    def _conclude(self) -> None:
        """Looks what has become of an edit, after what it has changed has been told."""
        if self._edit and (status := self._edit.commit()) != _Transaction.INCOMPLETE:
            edit, self._edit = self._edit, None
            self._edited(self._outcome(edit, status))

    def _outcome(self, edit: Any, status: str) -> Outcome:
        if status == _Transaction.SUCCESS:
            return Outcome(next_cfg=edit.get_increment_new_value())
        if self._edit_on != self._idl._session.get_seqno():
            return Outcome(error="the connection was lost; nobody knows whether the change is there")
        if status == _Transaction.TRY_AGAIN:
            return Outcome(again=True)
        if status == _Transaction.UNCHANGED:
            return Outcome()
        why = self.trouble if status == _Transaction.NOT_LOCKED else _reason(edit)
        return Outcome(error=f"{why}; nothing was changed")

    def _say(self) -> None:
        """One line for each turn of fate."""
        if self.ready:
            text = "connected"
        elif self._connected and self._idl.is_lock_contended:
            text = f"{self.trouble}; forwarding as before until it has gone"
        elif not self._connected and self._idl._session.stream is None:  # nor a try under way
            text = f"{self.trouble}; forwarding as before, trying on"
        else:
            return
        if text != self._said:
            (log.info if self.ready else log.warning)("%s: %s", self._remote, text)
            self._said = text

    def _unwatch(self) -> None:
        for number in self._watched:
            self._loop.unwatch(number)
        self._watched = []
        if self._timer:
            self._timer.cancel()
            self._timer = None


def _reason(failed: Any) -> str:
    """Why a transaction has failed."""
    try:
        return str(json.loads(failed.get_error())["details"])
    except (ValueError, KeyError, TypeError):
        return str(failed.get_error())
