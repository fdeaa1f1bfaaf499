"""What can be wrong with a configuration, and how it is said: ``file:line: key.path: message``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from rangedaemon.errors import BadConfiguration, Complaint

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

    @property
    def place(self) -> str:
        """The keys that lead there, ``server.mounts.0.path``."""
        return ".".join(map(_step, self.path)) or "(file)"

    def located(self, file: str) -> str:
        """The problem as one line for people and editors."""
        return f"{file}:{self.line}: {self.place}: {_visible(self.message, 500)}"


def _step(step: str | int) -> str:
    """A key as it stands in a path: in quotes where it would be hard to tell apart."""
    text = _visible(str(step), 60)
    return text if re.fullmatch(r"[^\s.:]+", text) else f'"{text}"'


def _visible(text: str, longest: int) -> str:
    """*text* with control characters and the like escaped, and cut where it is too long."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) <= longest else f"{shown[:longest]}…"


class ConfigError(BadConfiguration):
    """A configuration that cannot be used; carries every problem at once, in file order."""

    def __init__(self, file: str, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: problem.line)
        super().__init__([Complaint(each.place, each.message) for each in self.problems])
        self.args = ("\n".join(problem.located(file) for problem in self.problems),)
