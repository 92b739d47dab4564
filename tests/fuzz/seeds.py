#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seed corpus of the parser's fuzz target, tests/fuzz/corpus/parse/, from parse_cases.inc.

Usage: seeds.py [FOLDER]

A seed is the two bytes that parse_fuzz.cpp takes first (depth L4, the head is the whole frame) and a frame:
the first case of each sequence of headers. The others differ in what a mutation finds at once.
"""

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CASES = HERE.parent / "engine" / "parse_cases.inc"
WHOLE_FRAME_TO_L4 = bytes([0x02, 0x00])


def frames(text: str) -> dict[str, tuple[tuple[str, ...], bytes]]:
    """Description -> (names of the headers, frame) of each case."""
    cases: dict[str, tuple[tuple[str, ...], bytes]] = {}
    for block in re.split(r"^== ", text, flags=re.M)[1:]:
        description, *lines = block.splitlines()
        headers, frame = [], b""
        for line in lines:
            name, *words = line.split() or [""]
            if not words or name == "=>":
                continue
            headers.append(name)
            frame += b"".join(
                bytes.fromhex(digits) * int(times or 1)
                for digits, _, times in (word.partition("*") for word in words)
            )
        cases[description] = (tuple(headers), frame)
    return cases


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "corpus" / "parse"
    folder.mkdir(parents=True, exist_ok=True)
    seen: set[tuple[str, ...]] = set()
    for description, (headers, frame) in frames(CASES.read_text()).items():
        if headers not in seen:
            seen.add(headers)
            name = re.sub(r"[^a-z0-9]+", "-", description.lower())[:48].strip("-")
            (folder / name).write_bytes(WHOLE_FRAME_TO_L4 + frame)


if __name__ == "__main__":
    main()
