# SPDX-License-Identifier: Apache-2.0
"""How verbs print: tables, numbers, JSON."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

_PREFIXES = ("", "K", "M", "G", "T", "P")


def short(number: float) -> str:
    """12345678 → "12.3M"."""
    for prefix in _PREFIXES:
        if abs(number) < 999.5 or prefix == _PREFIXES[-1]:
            return f"{number:.3g}{prefix}" if prefix else f"{number:.0f}"
        number /= 1000
    raise AssertionError


def console() -> Console:
    """Where results go."""
    made = Console(highlight=False, emoji=False)
    if not made.is_terminal:
        made.width = 200  # a pipe has no edge to wrap at
    return made


def table(columns: str, rows: Iterable[Iterable[object]], *, left: int = 1, text: Sequence[str] = ()) -> None:
    """Prints rows under space-separated headers; the first `left` columns and `text` are text."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for index, column in enumerate(columns.split()):
        is_text = index < left or column in text
        made.add_column(column.replace("_", " "), justify="left" if is_text else "right", overflow="fold")
    for row in rows:
        made.add_row(*(str(cell) for cell in row))
    console().print(made)


def print_json(answer: Any) -> None:
    """For --json."""
    click.echo(json.dumps(answer, indent=1))
