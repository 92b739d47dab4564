# SPDX-License-Identifier: Apache-2.0
"""A database server with a switch that obeys it, twice: Turnout's daemon and Open vSwitch's."""

import contextlib
import json
import os
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.control.conftest import Daemon
from tests.peers.switch import Answer
from turnout.lab.netns import Namespace
from turnout.lab.ovs_netdev import OvsNetdev
from turnout.lab.ovsdb import OvsdbServer

# table → record → column → value, records under names that both sides share
Contents = Mapping[str, Mapping[str, dict[str, Any]]]

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# what a record is called by; others by all that they hold
_NAMED_BY = {
    **dict.fromkeys(("Bridge", "Port", "Interface", "Mirror", "Flow_Table"), "name"),
    **dict.fromkeys(("Controller", "Manager"), "target"),
    "Open_vSwitch": "",
    "QoS": "type",
}


@dataclass
class Peer:
    """A switch and its database."""

    name: str
    remote: str
    namespace: Namespace
    rundir: Path
    configurations: int = 0  # that there had been when the chapter began

    def vsctl(self, *words: str) -> Answer:
        """`ovs-vsctl WORDS`, which waits for the switch: what it says, without what differs from run to
        run.
        """
        done = subprocess.run(
            ["ovs-vsctl", f"--db={self.remote}", "--timeout=20", *words],
            capture_output=True,
            text=True,
            timeout=30,
        )
        return Answer(self._plain(done.stdout), self._plain(done.stderr), done.returncode)

    def begin(self) -> None:
        """Counts configurations anew."""
        self.configurations += self.contents()["Open_vSwitch"][""]["next_cfg"]

    def contents(self) -> Contents:
        """All that the database holds."""
        done = subprocess.run(
            ["ovsdb-client", "dump", "--format=json", self.remote, "Open_vSwitch"],
            capture_output=True,
            text=True,
            check=True,
        )
        tables = _named(_tables(done.stdout))
        for row in tables["Open_vSwitch"].values():
            row |= {key: row[key] - self.configurations for key in ("next_cfg", "cur_cfg")}
        return tables

    def _plain(self, text: str) -> str:
        text = _UUID.sub("UUID", text.replace(str(self.rundir), "RUNDIR"))
        text = re.sub(r"^\d{4}-\d\d-\d\dT[\d:]+Z\|\d+\|", "", text, flags=re.MULTILINE)
        lines = [line for line in text.splitlines() if not line.startswith("    ovs_version: ")]
        return "\n".join(sorted(lines))  # records come in no order


def _tables(text: str) -> dict[str, dict[str, dict[str, Any]]]:
    """table → uuid → column → value."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for line in text.splitlines():
        table = json.loads(line)
        rows = [dict(zip(table["headings"], map(_value, row), strict=True)) for row in table["data"]]
        found[table["caption"].removesuffix(" table")] = {row.pop("_uuid"): row for row in rows}
    return found


def _value(value: Any) -> Any:
    """OVSDB's JSON as Python has it: sets as sorted lists, but for those of one."""
    match value:
        case ["uuid", text]:
            return text
        case ["set", items]:
            return sorted(map(_value, items), key=str)
        case ["map", pairs]:
            return {str(_value(key)): _value(item) for key, item in sorted(pairs, key=str)}
    return value


def _named(tables: dict[str, dict[str, dict[str, Any]]]) -> Contents:
    names: dict[str, str] = {}
    for table, rows in tables.items():
        taken: defaultdict[str, int] = defaultdict(int)
        for uuid, row in sorted(rows.items(), key=lambda it: _UUID.sub("", str(it[1]))):
            column = _NAMED_BY.get(table)
            text = row[column] if column else "" if column == "" else _key(row)
            taken[text] += 1
            names[uuid] = text if taken[text] == 1 else f"{text}#{taken[text]}"
    return {
        table: {names[uuid]: {c: _renamed(v, names) for c, v in row.items()} for uuid, row in rows.items()}
        for table, rows in tables.items()
    }


def _key(row: Mapping[str, Any]) -> str:
    return " ".join(f"{c}={_UUID.sub('', str(v))}" for c, v in row.items() if v not in ([], {}, "", None))


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return sorted(_renamed(item, names) for item in value)
    if isinstance(value, dict):
        return {key: _renamed(item, names) for key, item in value.items()}
    return names.get(value, value) if isinstance(value, str) else value


@contextlib.contextmanager
def turnout(folder: Path) -> Iterator[Peer]:
    with Namespace("vsctl") as namespace, OvsdbServer(folder) as database:
        daemon = Daemon(folder, namespace=namespace.name)
        daemon.start(f"--ovsdb={database.remote}")
        try:
            yield Peer("turnout", database.remote, namespace, folder)
        finally:
            _, log = daemon.stop()
            if where := os.environ.get("VSCTL_LOG"):
                Path(where).write_text(log)


@contextlib.contextmanager
def ovs() -> Iterator[Peer]:
    with OvsNetdev() as switch:
        yield Peer("ovs", f"unix:{switch.rundir}/db.sock", switch.namespace, switch.rundir)
