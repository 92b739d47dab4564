# SPDX-License-Identifier: Apache-2.0
"""A database server and a daemon that obeys it, each real, in one folder."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.control.conftest import Daemon, run_dir, turnout_cli
from turnout.lab.netns import Namespace
from turnout.lab.ovsdb import OvsdbServer

__all__ = ["run_dir", "turnout_cli"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A bridge has a TAP of its own, which takes root."""
    if os.geteuid() != 0:
        for item in items:
            if "ovsdb" in item.path.parts:
                item.add_marker(pytest.mark.skip(reason="not available here: needs root"))


@pytest.fixture(scope="module", autouse=True)
def namespace() -> Iterator[Namespace]:
    """Where all of a module's interfaces are, so that others on this host can have the same names."""
    with Namespace("ovsdb") as namespace, namespace.entered():
        yield namespace


@pytest.fixture
def database(run_dir: Path) -> Iterator[OvsdbServer]:
    with OvsdbServer(run_dir) as server:
        yield server


@pytest.fixture
def daemon(run_dir: Path, namespace: Namespace) -> Iterator[Daemon]:
    """Ended in order: its TAPs would outlive a kill."""
    daemon = Daemon(run_dir, namespace=namespace.name)
    yield daemon
    if daemon.process:
        daemon.stop()


@pytest.fixture
def switch(database: OvsdbServer, daemon: Daemon) -> Daemon:
    """`turnout serve --ovsdb` on the database."""
    return daemon.start(f"--ovsdb={database.remote}")
