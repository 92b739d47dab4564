# SPDX-License-Identifier: Apache-2.0
"""The state file is the old one or the new one, never a part; a damaged one is one line."""

import os
from pathlib import Path

import pytest

from turnout.config import state
from turnout.config.model import Bridge, Port
from turnout.control import daemon
from turnout.errors import TurnoutError

BRIDGES = (Bridge(name="br0", ports=(Port(name="vm1", type="tap", tag=7),)),)


def test_round_trip(tmp_path: Path) -> None:
    file = tmp_path / "s.json"
    assert state.load(file) is None
    state.save(file, state.State(bridges=BRIDGES, config_digest="d"))
    assert state.load(file) == state.State(bridges=BRIDGES, config_digest="d")
    assert os.listdir(tmp_path) == ["s.json"]
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failed_save_leaves_the_old_state(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "s.json"
    state.save(file, state.State(bridges=BRIDGES))

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(
        TurnoutError, match=r"s\.json: cannot write: No space left on device; changes would not"
    ):
        state.save(file, state.State())
    monkeypatch.undo()
    assert state.load(file) == state.State(bridges=BRIDGES)
    assert os.listdir(tmp_path) == ["s.json"]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TurnoutError, match="cannot write: No such file or directory"):
        state.save(tmp_path / "none" / "s.json", state.State())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not a state file"),
        ("{", "not a state file"),
        ("[]", "not a state file"),
        ("{}", "not a state file"),
        ("[" * 100_000, "not a state file"),
        (
            '{"config-digest": "", "bridge": {"br0": {"port": {"p": {"tag": 1}}}}}',
            "bridge.br0.port.p.type: missing",
        ),
        ('{"config-digest": "", "bridge": [', "not a state file"),
    ],
)
def test_damaged(text: str, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "s.json"
    file.write_text(text)
    with pytest.raises(TurnoutError) as error:
        state.load(file)
    assert str(error.value).startswith(f"{file}: damaged: {reason}")
    assert str(error.value).endswith("; move it away to start empty")
    assert "\n" not in str(error.value)


def test_toml_and_state_combine(tmp_path: Path) -> None:
    """An unchanged TOML file keeps what the CLI changed since; a changed one wins."""
    file, saved = tmp_path / "t.toml", tmp_path / "s.json"
    file.write_text("cores = [1]\n[bridge.br1]\n")
    options = daemon.Options(
        config=file, state=saved, socket=tmp_path / "s", overrides={"cores": [0], "mbufs": 8192}
    )
    config, digest, ports = daemon.initial(options)
    assert ports == {}
    assert (config.bridges, config.cores, config.mbufs) == ((Bridge(name="br1"),), (0,), 8192)
    kept = {"p": state.PortMemory(3, 1)}
    state.save(saved, state.State(bridges=BRIDGES, config_digest=digest, ports=kept))
    assert daemon.initial(options)[2] == kept
    assert daemon.initial(options)[0].bridges == BRIDGES
    file.write_text("[bridge.br2]\n")
    assert daemon.initial(options)[0].bridges == (Bridge(name="br2"),)
    without = daemon.Options(config=None, state=saved, socket=tmp_path / "s", overrides={})
    assert daemon.initial(without) == (daemon.Config(bridges=BRIDGES), "", kept)
