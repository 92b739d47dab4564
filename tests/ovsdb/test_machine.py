# SPDX-License-Identifier: Apache-2.0
"""What is told of the host."""

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from tests.control.conftest import Daemon, wait_for
from turnout.lab.ovsdb import OvsdbServer
from turnout.ovsdb.machine import Machine, statistics


def test_as_the_kernel_says() -> None:
    found = statistics()
    assert found["cpu"] == str(os.cpu_count())
    total, used, cached, *swap = map(int, found["memory"].split(","))
    assert 0 < used < total > cached > 0
    assert len(swap) == 2
    for one in found["file_systems"].split():
        _, size, taken = one.split(",")
        assert 0 <= int(taken) <= int(size)


def test_any_name_of_a_file_system(tmp_path: Path) -> None:
    """The database takes valid text only; words end at spaces, and fields at commas."""
    folder = os.fsencode(tmp_path) + b"/\xff \v,\x85\xc2\x85\n\xc3\xa4"
    os.mkdir(folder)
    code = "from turnout.ovsdb.machine import statistics; print(ascii(statistics()['file_systems']))"
    script = 'mount --bind /usr "$1" && exec "$2" -c "$3"'
    command = ["unshare", "--mount", "sh", "-c", script, "sh", folder, sys.executable, code]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert f"{tmp_path}/_______\\xe4," in found


def test_a_look_that_hangs_is_left_alone() -> None:
    answers, looks = threading.Event(), []

    def read() -> Mapping[str, str]:
        looks.append(1)
        answers.wait()
        return {"cpu": str(len(looks))}

    machine, before = Machine(read), threading.active_count()
    machine.look()
    machine.look()
    assert machine.statistics == {}
    answers.set()
    wait_for(lambda: machine.statistics == {"cpu": "1"}, "the first look's end")
    wait_for(lambda: threading.active_count() == before, "its thread's end")
    machine.look()
    wait_for(lambda: machine.statistics == {"cpu": "2"}, "another look")


def test_settings_of_statistics(database: OvsdbServer, daemon: Daemon) -> None:
    """They are told at once, and no longer when they are not wanted; a time that cannot be is passed over."""
    for digits in (400, 5000):
        keys = f"other_config:stats-update-interval={'9' * digits}", "other_config:enable-statistics=true"
        database.vsctl("--no-wait", "set", "Open_vSwitch", ".", *keys)
        daemon.start(f"--ovsdb={database.remote}")
        wait_for(lambda: "cpu=" in database.get("Open_vSwitch", ".", "statistics"), "statistics of the host")
        database.vsctl("set", "Open_vSwitch", ".", "other_config:enable-statistics=false")
        wait_for(lambda: database.get("Open_vSwitch", ".", "statistics") == "{}", "none of them")
        assert daemon.stop()[0] == 0
