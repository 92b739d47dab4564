# SPDX-License-Identifier: Apache-2.0
"""Files that are replaced in one step: after a crash each holds the old content or the new one."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from turnout.errors import TurnoutError


@contextlib.contextmanager
def replacing(path: Path, lost: str) -> Iterator[IO[bytes]]:
    """A file to write, which takes the place of `path` at the end of the block, unless that raises.

    TurnoutError if it cannot be written; `lost` says what that means to the user.
    """
    temporary = ""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = file.name
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            raise TurnoutError(f"{path}: cannot write: {error.strerror}; {lost}") from None
        raise
