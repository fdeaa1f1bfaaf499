"""What can be wrong with a configuration, and how it is said: ``file:line: key.path: message``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rangedaemon.errors import Fault

KeyPath = tuple[str | int, ...]
"""Where in the document a value is: keys and list indices from the top."""

WHOLE_FILE: KeyPath = ()


@dataclass(frozen=True)
class Problem:
    """One thing wrong, and where."""

    line: int
    """Counted from 1."""
    path: KeyPath
    message: str

    def located(self, file: str) -> str:
        """The problem as one line for people and editors."""
        where = ".".join(map(str, self.path)) or "(file)"
        return f"{file}:{self.line}: {where}: {self.message}"


class ConfigError(Fault):
    """A configuration that cannot be used; carries every problem at once, in file order."""

    code = "bad-configuration"
    title = "The configuration cannot be used"

    def __init__(self, file: str, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: problem.line)
        super().__init__("\n".join(problem.located(file) for problem in self.problems))
