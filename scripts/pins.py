#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the requirements pinned in pyproject.toml, one a line: `pins.py build run dev bench`."""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())
groups = {
    "build": project["build-system"]["requires"],
    "run": project["project"]["dependencies"],
    **project["project"]["optional-dependencies"],
}
for group in sys.argv[1:]:
    print("\n".join(groups[group]))
