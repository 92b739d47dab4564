# SPDX-License-Identifier: Apache-2.0
"""The desired state from a TOML file."""

import tomllib
from pathlib import Path

from turnout.config.model import Config
from turnout.config.tree import from_tree
from turnout.errors import TurnoutError


def load(path: Path) -> Config:
    """Reads the file; TurnoutError, one line that begins with its name, if it or a setting is wrong."""
    try:
        return from_tree(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise TurnoutError(f"{path}: cannot read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TurnoutError(f"{path}: not TOML: {error}") from None
    except TurnoutError as error:
        raise TurnoutError(f"{path}: {error}") from None
