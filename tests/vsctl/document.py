# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/ovsdb.md, from what code and tests say; `python -m tests.vsctl.document` writes them."""

import re
from collections.abc import Iterable
from pathlib import Path

from tests.vsctl.differences import DIFFERENCES, VOLATILE
from turnout.ovsdb import schema

PAGE = Path(__file__).parents[2] / "docs/ovsdb.md"


def _columns() -> Iterable[str]:
    yield "| table | read | written | reported when set |"
    yield "|---|---|---|---|"
    for table in dict.fromkeys([*schema.READ, *schema.WRITTEN, *schema.NOT_YET]):
        groups = (schema.READ, schema.WRITTEN, schema.NOT_YET)
        yield f"| {table} | " + " | ".join(", ".join(group.get(table, ())) for group in groups) + " |"


def _differences() -> Iterable[str]:
    yield "| what | why |"
    yield "|---|---|"
    yield from (f"| {one.what} | {one.why} |" for one in DIFFERENCES)


def _volatile() -> Iterable[str]:
    yield "| column | why |"
    yield "|---|---|"
    yield from (f"| {column} | {why} |" for column, why in VOLATILE.items())


_TABLES = {"columns": _columns, "differences": _differences, "not compared": _volatile}


def rendered(page: str) -> str:
    """The page with its tables as they have to be."""
    for name, lines in _TABLES.items():
        table = "\n".join(lines())
        page = re.sub(
            rf"(<!-- {name} -->\n).*?(<!-- end -->)",
            lambda found, table=table: f"{found[1]}{table}\n{found[2]}",
            page,
            flags=re.DOTALL,
        )
    return page


if __name__ == "__main__":
    PAGE.write_text(rendered(PAGE.read_text()))
