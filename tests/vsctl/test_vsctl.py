# SPDX-License-Identifier: Apache-2.0
"""Stock ovs-vsctl prints the same of Turnout as of Open vSwitch, ends with the same code, and leaves the same
database, but for what `differences` lists.
"""

import shlex
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from tests.peers.switch import Answer
from tests.vsctl.cases import CHAPTERS, RESET, Chapter
from tests.vsctl.differences import DIFFERENCES, VOLATILE, Difference
from tests.vsctl.document import PAGE, rendered
from tests.vsctl.peers import Peer
from turnout.lab.wait import until

_seen: set[str] = set()  # differences that were needed
_read: set[str] = set()  # chapters that were run


@dataclass
class Pair:
    """Both switches."""

    ours: Peer
    theirs: Peer
    pool: ThreadPoolExecutor

    def vsctl(self, line: str) -> tuple[Answer, Answer]:
        """The same command to both at once."""
        words = shlex.split(line)
        answers = self.pool.map(lambda peer: peer.vsctl(*words), (self.ours, self.theirs))
        return next(answers), next(answers)


@pytest.fixture
def pair(ours: Peer, theirs: Peer) -> Iterator[Pair]:
    """As each chapter finds them."""
    for peer in (ours, theirs):
        peer.namespace.ip("link", "add", "veth0", "type", "veth", "peer", "name", "veth1")
        peer.begin()
    with ThreadPoolExecutor(2) as pool:
        pair = Pair(ours, theirs, pool)
        try:
            yield pair
        finally:
            for line in RESET:
                for answer in pair.vsctl(line):
                    assert not answer.code, answer.error
            for peer in (ours, theirs):
                peer.namespace.ip("link", "del", "veth0")


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: str(chapter.name))
def test_the_same(pair: Pair, chapter: Chapter) -> None:
    _read.add(chapter.name)
    for line in [*map(str.strip, chapter.commands.strip().splitlines()), ""]:
        if not line:
            _compare_databases(pair)
            continue
        ours, theirs = pair.vsctl(line)
        if ours != theirs:
            expected = [one for one in DIFFERENCES if one.prints(line)]
            assert expected, f"ovs-vsctl {line}\nours: {ours}\ntheirs: {theirs}"
            _note(expected)


def _compare_databases(pair: Pair) -> None:
    """Status comes when it comes: they get some time to become the same."""
    found: dict[tuple[str, str, str], tuple[Any, Any]] = {}

    def same() -> bool:
        found.clear()
        found.update(_differing(pair))
        return all(_expected(cell) for cell in found)

    try:
        until(same, "the same database", timeout=12)
    finally:
        wrong = [cell for cell in found if not _expected(cell)]
        for table, record, column in wrong:
            ours, theirs = found[table, record, column]
            print(f"{table}[{record}].{column}: ours {ours!r}, theirs {theirs!r}")
    for cell in found:
        _note(_expected(cell))


def _differing(pair: Pair) -> Iterator[tuple[tuple[str, str, str], tuple[Any, Any]]]:
    ours, theirs = pair.pool.map(Peer.contents, (pair.ours, pair.theirs))
    for table in sorted({*ours, *theirs}):
        its, their = ours.get(table, {}), theirs.get(table, {})
        for record in sorted({*its, *their}):
            mine, other = its.get(record), their.get(record)
            if mine is None or other is None:
                yield (table, record, "_uuid"), (mine is not None, other is not None)
                continue
            for column in mine:
                values = (_steady(table, column, mine[column]), _steady(table, column, other[column]))
                if values[0] != values[1]:
                    yield (table, record, column), values


def _steady(table: str, column: str, value: Any) -> Any:
    """What of it can be compared."""
    if f"{table}.{column}" not in VOLATILE:
        return value
    if column == "status":
        passing = ("sec_since_connect", "sec_since_disconnect", "state", "last_error", "bound_port")
        return {key: text for key, text in value.items() if key not in passing}
    return sorted(value) if isinstance(value, dict) else bool(value)


def _expected(cell: tuple[str, str, str]) -> list[Difference]:
    return [one for one in DIFFERENCES if one.covers(*cell)]


def _note(differences: list[Difference]) -> None:
    _seen.update(one.what for one in differences)


def test_no_difference_is_listed_that_is_none() -> None:
    if len(_read) < len(CHAPTERS):
        pytest.skip("needs all chapters")
    assert _seen == {one.what for one in DIFFERENCES}


def test_there_are_enough_commands() -> None:
    lines = [line for chapter in CHAPTERS for line in chapter.commands.splitlines() if line.strip()]
    assert len(lines) >= 80


def test_the_page_says_so() -> None:
    """`python -m tests.vsctl.document` writes it."""
    assert PAGE.read_text() == rendered(PAGE.read_text())
