#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of the OpenFlow decoders' fuzz target: the messages that the codec's tests read.

Usage: openflow_seeds.py FOLDER

Made anew for each run: they are tests/engine/openflow-messages.jsonl and openflow-flows.txt in other words.
"""

import hashlib
import json
import sys
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "engine"


def messages() -> set[bytes]:
    """What controllers sent to switches."""
    lines = (DATA / "openflow-messages.jsonl").read_text().splitlines()
    collected = [entry["hex"] for entry in map(json.loads, lines) if entry["dir"] == "to_switch"]
    flows = (DATA / "openflow-flows.txt").read_text().splitlines()
    return {bytes.fromhex(digits) for digits in collected} | {
        bytes.fromhex(line.removeprefix("mod ")) for line in flows if line.startswith("mod ")
    }


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for message in messages():
        (folder / hashlib.sha256(message).hexdigest()[:16]).write_bytes(message)


if __name__ == "__main__":
    main()
