# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, each as one line for a tired operator: what, where, what to do."""


class TurnoutError(Exception):
    """The base of every error that Turnout raises; its text is one line."""


class ConfigError(TurnoutError, ValueError):
    """A desired state that cannot be: `where` is the setting's path, `problem` says what is wrong with it."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}" if where else problem)
        self.where = where
        self.problem = problem

    def within(self, outer: str) -> "ConfigError":
        """The same error seen from an enclosing table."""
        return ConfigError(f"{outer}.{self.where}" if self.where else outer, self.problem)
