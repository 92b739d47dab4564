# SPDX-License-Identifier: Apache-2.0
"""vlog/*: what is set is shown, and done."""

import logging
import logging.handlers
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.appctl.conftest import Appctl
from turnout.control.appctl.vlog import Vlog
from turnout.lab.daemon import Daemon
from turnout.lab.wait import until


def _levels(appctl: Appctl) -> dict[str, list[str]]:
    _, _, *lines = appctl.must("vlog/list").splitlines()
    return {module: levels for module, *levels in map(str.split, lines)}


@pytest.fixture(autouse=True)
def _as_before(ours: Appctl, theirs: Appctl) -> Iterator[None]:
    yield
    ours.must("vlog/set", "info")
    theirs.must("vlog/set", "info")


def test_list(ours: Appctl, theirs: Appctl) -> None:
    head = ours.must("vlog/list").splitlines()[:2]
    assert head == theirs.must("vlog/list").splitlines()[:2]
    assert _levels(ours)["control.daemon"][0] == "INFO"
    for appctl, module in ((ours, "control.daemon"), (theirs, "daemon")):
        appctl.must("vlog/set", "info")
        assert f"{module:<16}  INFO       INFO       INFO" in appctl.must("vlog/list").splitlines()


@pytest.mark.parametrize(
    ("spec", "changed"),
    [
        ("{module}:console:warn", ["WARN", "INFO", "INFO"]),
        ("console {module} Off", ["OFF", "INFO", "INFO"]),
        ("{module}", ["DBG", "DBG", "DBG"]),
        ("ANY:file:err", ["INFO", "INFO", "ERR"]),
        ("emer", ["EMER", "EMER", "EMER"]),
        ("syslog", ["INFO", "DBG", "INFO"]),
    ],
)
def test_set(ours: Appctl, theirs: Appctl, spec: str, changed: list[str]) -> None:
    for appctl, module in ((ours, "control.daemon"), (theirs, "bridge")):
        appctl.must("vlog/set", "info")
        appctl.must("vlog/set", spec.format(module=module))
        assert _levels(appctl)[module] == changed


@pytest.mark.parametrize("spec", ["nosuch:file:dbg", "ANY:console:loud"])
def test_set_refuses(ours: Appctl, theirs: Appctl, spec: str) -> None:
    assert ours("vlog/set", spec) == theirs("vlog/set", spec)


def test_levels_are_obeyed(ours: Appctl) -> None:
    """A client that sends no JSON is worth a warning."""
    assert isinstance(ours.peer.of, Daemon)
    daemon, complaint = ours.peer.of, "a client was dropped"

    def provoke() -> None:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(daemon.socket))
            client.sendall(b"}")
            assert client.recv(1) == b""

    before = daemon.log.count(complaint)
    ours.must("vlog/set", "control.unixctl:console:err")
    provoke()
    assert daemon.log.count(complaint) == before
    ours.must("vlog/set", "control.unixctl:console:warn")
    provoke()
    until(lambda: daemon.log.count(complaint) == before + 1, "the warning")


def test_a_file_is_filtered_and_reopened(tmp_path: Path) -> None:
    path, logger = tmp_path / "log", logging.getLogger("turnout.control.daemon")
    handler = logging.handlers.WatchedFileHandler(path)
    logging.root.addHandler(handler)
    try:
        vlog = Vlog()
        vlog.set(["control.daemon:file:warn"])
        logger.info("quiet")
        logger.warning("first")
        path.rename(tmp_path / "old")
        vlog.reopen()
        logger.warning("second")
        vlog.set(["control.daemon:file:off"])
        logger.error("third")
    finally:
        logging.root.removeHandler(handler)
        handler.close()
        logger.setLevel(logging.NOTSET)
    assert ((tmp_path / "old").read_text(), path.read_text()) == ("first\n", "second\n")


def test_reopen_without_a_file(ours: Appctl) -> None:
    answer = ours("vlog/reopen")
    assert (answer.code, answer.error.splitlines()[0]) == (2, "Logging to file not enabled")
