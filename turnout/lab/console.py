# SPDX-License-Identifier: Apache-2.0
"""A child process with a prompt: `dpdk-testpmd` on a pipe, a guest's shell on a serial line."""

import os
import re
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Self


class LabError(RuntimeError):
    """A part of the lab failed; the message says which and ends with what it printed last."""


class Console:
    """Runs `argv` and talks to it line by line; every read has a deadline.

    The child dies with its parent (PR_SET_PDEATHSIG), so that even SIGKILL of the parent leaves nothing.
    """

    def __init__(self, name: str, argv: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.log = ""  # everything printed so far
        self._closed = False
        self._read = 0  # how much of the log `expect` has consumed
        self._process = subprocess.Popen(
            # stdbuf: stdio would hold output back because stdout is a pipe.
            ["setpriv", "--pdeathsig", "KILL", "stdbuf", "-oL", *argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=None if env is None else {**os.environ, **env},
            start_new_session=True,  # Ctrl-C reaches us only; we end the child in order
        )
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def send(self, text: str) -> None:
        """Write `text` to the child's standard input. LabError if it is gone."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(text.encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self.failure("has exited") from None

    def expect(self, pattern: str, timeout: float) -> re.Match[str]:
        """Wait up to `timeout` seconds for `pattern` in what was printed since the last match."""
        deadline = time.monotonic() + timeout
        compiled = re.compile(pattern, re.MULTILINE)
        while True:
            ended = self._drain(min(0.2, max(0.0, deadline - time.monotonic())))
            if match := compiled.search(self.log, self._read):
                self._read = match.end()
                return match
            if ended:
                raise self.failure("has exited")
            if time.monotonic() >= deadline:
                raise self.failure(f"did not print {pattern!r} within {timeout:g} s")

    def read_until(self, pattern: str, timeout: float) -> str:
        """`expect`, returning what was printed before the match."""
        start = self._read
        end = self.expect(pattern, timeout).start()
        return self.log[start:end]

    def kill(self) -> None:
        """SIGKILL, as a crash would; returns when the process is gone. Does nothing if it is already."""
        self._process.kill()
        self._process.wait(10)

    def close(self, grace: float = 0.0) -> None:
        """Give the child `grace` seconds to leave by itself, then kill it; closes the pipes."""
        if self._closed:
            return
        self._closed = True
        try:
            self._process.wait(grace)
        except subprocess.TimeoutExpired:
            self.kill()
        self._drain(0)
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except BrokenPipeError:
                pass  # unsent input of a dead child

    def failure(self, what: str) -> LabError:
        tail = "\n".join(self.log.splitlines()[-15:])
        return LabError(f"{self.name} {what}; it printed last:\n{tail}")

    def _drain(self, timeout: float) -> bool:
        """Move what is readable within `timeout` seconds into the log. True at end of file."""
        assert self._process.stdout is not None
        fd = self._process.stdout.fileno()
        readable, _, _ = select.select([fd], [], [], timeout)
        while readable:
            try:
                data = os.read(fd, 1 << 16)
            except BlockingIOError:
                return False
            if not data:
                return True
            self.log += data.decode(errors="replace").replace("\r", "")
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def run(*argv: str, timeout: float = 30, env: Mapping[str, str] | None = None) -> str:
    """Run a command and return its standard output. LabError if it fails or takes over `timeout` s."""
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=None if env is None else {**os.environ, **env},
        )
    except subprocess.TimeoutExpired as late:
        raise LabError(f"{' '.join(argv)}: no end after {timeout:g} s") from late
    if done.returncode:
        raise LabError(f"{' '.join(argv)}: exit {done.returncode}: {(done.stderr or done.stdout).strip()}")
    return done.stdout
