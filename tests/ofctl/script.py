# SPDX-License-Identifier: Apache-2.0
"""Runs a script of ovs-ofctl commands and makes its output comparable."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.peers.switch import Peer


@dataclass(frozen=True)
class Script:
    """Commands as one would type them behind `ovs-ofctl`, one a line, all of whose outputs count.

    `@name` in a command is a file with the text `files[name]`. With "" in `versions` no `-O` is given.
    `differs` says why Turnout's answer rightly is another one; the script is then only run, not compared.
    """

    name: str
    commands: str
    versions: tuple[str, ...] = ("", "OpenFlow13")
    files: Mapping[str, str] = field(default_factory=dict)
    ordered: bool = False  # the order of records is part of the answer
    differs: str = ""


_REPLACED = [
    (r"\(xid=0x[0-9a-f]+\)", "(xid)"),
    (r"\bduration=[\d.]+s", "duration"),
    (r"\bduration:?[\d.]+s", "duration"),
    (r"\b(idle_age|hard_age)=\d+", r"\1"),
    (r"dpid:[0-9a-f]{16}", "dpid"),
    (r"addr:[0-9a-f:]{17}", "addr"),
    (r"\b((?:rx |tx )?(?:pkts|bytes|drop|errs|frame|over|crc|coll))=\d+", r"\1"),
    (r"(lookup|matched|max_entries)=\d+", r"\1"),
    (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "time"),
]


def comparable(text: str, rundir: Path, ordered: bool) -> str:
    """Without transaction ids, times, addresses, port counters, and paths; records in order of their text."""
    text = text.replace(str(rundir), "RUNDIR")
    for pattern, replacement in _REPLACED:
        text = re.sub(pattern, replacement, text)
    return text if ordered else "\n".join(_sorted(text.splitlines()))


def _sorted(lines: list[str]) -> list[str]:
    """Lines without indentation stay in place; the records between them, which may span lines, are sorted."""
    result: list[str] = []
    records: list[str] = []
    depth = 0
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if not indent:
            result += [*sorted(records), line]
            records = []
        elif records and indent > depth:
            records[-1] += "\n" + line
        else:
            depth = indent
            records.append(line)
    return result + sorted(records)


def run(peer: Peer, script: Script, version: str, folder: Path) -> str:
    """Everything that the script's commands print, each with its exit code."""
    folder.mkdir(exist_ok=True)
    for name, text in script.files.items():
        (folder / name).write_text("".join(line.strip() + "\n" for line in text.strip().splitlines()))
    options = ["-O", version] if version else []
    printed = ""
    for line in script.commands.strip().splitlines():
        words = [str(folder / word[1:]) if word.startswith("@") else word for word in shlex.split(line)]
        if "-O" not in words:
            words = options + words
        answer = peer.ofctl(*words)
        text = (answer.out + answer.error).replace(str(folder), "FOLDER")
        printed += f"$ {line.strip()}\n{comparable(text, peer.rundir, script.ordered)}\n= {answer.code}\n"
    return printed
