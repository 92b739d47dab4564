# SPDX-License-Identifier: Apache-2.0
"""The compiled engine equals the interpreter on random rules and packets; `make fuzz` runs it for longer."""

import subprocess
import sys

import pytest


@pytest.mark.timeout(600)
def test_the_engine_equals_the_interpreter() -> None:
    # A process of its own: DPDK starts once in a process, here on ordinary memory.
    command = [sys.executable, "-m", "tests.openflow.property", "--packets", "100000", "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=580, check=False)
    assert done.returncode == 0, done.stderr
