# SPDX-License-Identifier: Apache-2.0
"""The state file: the bridges and ports that outlive the daemon, as JSON, replaced in one step, with the
OpenFlow number and config of each port.

It also keeps the digest of the TOML file that the daemon was started with ("" for none): while that file
stays as it was, changes made since by the CLI are kept; when it has changed, it wins.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from turnout.config.model import Bridge, Config
from turnout.config.replace import replacing
from turnout.config.tree import from_tree, to_tree
from turnout.errors import TurnoutError


@dataclass(frozen=True, slots=True)
class PortMemory:
    """What a port keeps beside its settings: its OpenFlow number, and the OFPPC_* bits that a controller
    set.
    """

    ofport: int
    config: int = 0


@dataclass(frozen=True, kw_only=True)
class State:
    """What a state file holds. ports: by name."""

    bridges: tuple[Bridge, ...] = ()
    config_digest: str = ""
    ports: Mapping[str, PortMemory] = field(default_factory=dict)


def digest(path: Path) -> str:
    """What tells one version of a file from another."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load(path: Path) -> State | None:
    """The state in `path`, None if there is no such file; TurnoutError, one line, if it is damaged."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        bridges = from_tree({"bridge": data["bridge"]}).bridges
        ports = msgspec.convert(data.get("openflow-ports", {}), dict[str, PortMemory])
        return State(bridges=bridges, config_digest=str(data["config-digest"]), ports=ports)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TurnoutError(f"{path}: cannot read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        reason = str(error) if isinstance(error, TurnoutError) else "not a state file"
        raise TurnoutError(f"{path}: damaged: {reason}; move it away to start empty") from None


def save(path: Path, state: State) -> None:
    """Replaces `path` in one step. TurnoutError, one line, if it cannot."""
    data = {
        "config-digest": state.config_digest,
        "bridge": to_tree(Config(bridges=state.bridges))["bridge"],
        "openflow-ports": msgspec.to_builtins(state.ports),
    }
    with replacing(path, "changes would not survive a restart") as file:
        file.write(json.dumps(data, indent=1).encode())
