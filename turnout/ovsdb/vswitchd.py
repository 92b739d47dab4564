# SPDX-License-Identifier: Apache-2.0
"""The part of ovs-vswitchd: what the database says becomes the switch, and what the switch is goes back into
the database (`report.py`).
"""

import logging
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import replace

from turnout.config.edit import Edit
from turnout.config.model import Bridge, Config
from turnout.control.loop import Loop
from turnout.control.netdev import Netdevs
from turnout.control.ports import af_packet_mtu
from turnout.errors import TurnoutError
from turnout.ovsdb import mtu
from turnout.ovsdb.report import Report
from turnout.ovsdb.rows import Database, Tls
from turnout.ovsdb.session import Session
from turnout.ovsdb.through import Known, Through
from turnout.ovsdb.translate import Desired, Translator
from turnout.ovsdb.view import view
from turnout.results import SwitchView
from turnout.switch import Switch

log = logging.getLogger(__name__)


class Vswitchd:
    """Lives on the daemon's loop."""

    own_ports = True  # each bridge has one, with or without a row

    def __init__(self, switch: Switch, loop: Loop, remote: str) -> None:
        """TurnoutError if there is no schema. The database need not be there yet."""
        self._switch = switch
        self.started = False  # whether the database has been obeyed once, be it empty
        self._database: Database | None = None
        self._desired = Desired()
        self._translate = Translator(switch.check_port)
        self._own_tls = _tls_of(switch.config)
        self._failure = ""  # of the last change as a whole
        self._said: set[str] = set()
        self._netdevs = Netdevs()
        self._kernel_mtus: Mapping[str, int] = {}  # that ports have taken over; 0: there is no interface yet
        self._session = Session(remote, loop, self._changed, self._written)
        self._report = Report(switch, self._session, self._netdevs)
        self._through = Through(
            self._session,
            remote,
            check=switch.check_port,
            admit=lambda port: switch.check_port(port, host=True),
            errors=self._errors,
        )

    def tick(self, now: float) -> None:
        """Once a second. now: s, monotonic."""
        self._through.tick(now)
        if not self._session.ready or self._database is None:
            return
        if any(self._netdevs.mtu(name) not in (None, was) for name, was in self._kernel_mtus.items()):
            self._changed(self._database, fresh=False)
        self._report.tick(now)

    def change(self, edit: Edit) -> Future[str]:
        """Makes a change of the desired state through the database; the answer, "", comes when the switch has
        done it.
        """
        return self._through.change(edit)

    def show(self) -> SwitchView:
        """The switch, with the rows that cannot be, and with what is wrong with others."""
        actual = self._switch.show()
        return view(actual, self._database, self._desired) if self._database else actual

    def _errors(self) -> dict[str, str]:
        """Port → what is wrong with its device; "" → with the last change as a whole."""
        ports = (port for bridge in self._switch.show().bridges for port in bridge.ports)
        return {"": self._failure} | {port.name: port.error for port in ports}

    def close(self) -> None:
        """Leaves the database as it is, and the lock to others."""
        self._session.close()
        self._netdevs.close()

    def _changed(self, database: Database | None, fresh: bool) -> None:
        self.started = True
        if fresh:
            self._report.forget()
        if database is None:
            self._database = None
            self._log(
                {"the database has no row Open_vSwitch; ovs-vsctl init makes one; forwarding as before"}
            )
            self._through.know(None, fresh=fresh)
            return
        self._database = database
        self._failure = ""
        try:
            self._obey(database)
        except TurnoutError as error:
            self._failure = str(error)
            log.error("%s", error)
        except Exception as error:  # forwarding goes on
            self._failure = f"internal error: {error!r}; see the log"
            log.exception("the database could not be obeyed")
        self._through.know(
            Known(database=database, config=self._switch.config, desired=self._desired), fresh=fresh
        )
        self._report.changed(database, self._desired, self._failure)

    def _obey(self, database: Database) -> None:
        self._desired = self._translate(database)
        bridges = self._settle_mtus(database)
        self._set_tls(database.tls)
        self._log({*self._desired.notes, *self._desired.errors.values()})
        wanted = replace(self._switch.config, bridges=bridges)
        if wanted != self._switch.config:
            self._switch.apply(wanted, tolerant=True)

    def _written(self, done: bool) -> None:
        if cur_cfg := self._report.written(done):
            self._through.reported(cur_cfg)

    def _settle_mtus(self, database: Database) -> tuple[Bridge, ...]:
        """The desired bridges with all MTUs; what the database means stays as it is."""
        requested = {
            interface.name
            for row in database.bridges
            for port in row.ports
            for interface in port.interfaces
            if interface.mtu_request is not None
        }
        largest = af_packet_mtu(self._switch.config.mtu)
        settled = mtu.settle(self._desired.bridges, requested, self._netdevs.mtu, largest)
        errors = self._desired.errors
        for name, text in settled.errors.items():
            errors = {**errors, name: "; ".join(filter(None, (errors.get(name), text)))}
        self._desired = replace(self._desired, errors=errors)
        self._kernel_mtus = settled.kernel
        return settled.bridges

    def _set_tls(self, wanted: Tls | None) -> None:
        """Those of the database, else those that the switch was started with."""
        files = (wanted.private_key, wanted.certificate, wanted.ca_cert) if wanted else self._own_tls
        if files != _tls_of(self._switch.config):
            try:
                self._switch.set_tls(private_key=files[0], certificate=files[1], ca_cert=files[2])
            except TurnoutError as error:
                log.error("%s", error)

    def _log(self, lines: set[str]) -> None:
        """Each once, until it has been put right and is wrong again."""
        for line in sorted(lines - self._said):
            log.warning("%s", line)
        self._said = lines


def _tls_of(config: Config) -> tuple[str, str, str]:
    return config.private_key, config.certificate, config.ca_cert
