"""
The documents' own commands: blocks of ``.. code-block:: console``, run as they stand.

A line that begins with ``$`` is a command, and has to end with 0.  Lines below it are what it
prints, as `doctest` compares them: ``...`` stands for anything, white space for white space.
Without such lines it may print what it likes.
"""

from __future__ import annotations

import doctest
import os
import re
import select
import signal
import subprocess
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.integration.daemon import environment
from tests.integration.waiting import until

_BLOCK = re.compile(r"^( *)\.\. code-block:: console\n\n((?:(?:\1    .*)?\n)+)", re.MULTILINE)
_LIKE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
_MARK = "=== the command is over, its status is"
_ENOUGH = 300.0
"""Seconds for any command; one of them installs everything, perhaps on a busy machine."""


@dataclass(frozen=True)
class Step:
    """A command, and what it prints; empty where that is not told."""

    command: str
    printed: str


def steps_of(page: Path) -> list[Step]:
    """Every command of a document, in its order."""
    text = page.read_text(encoding="utf-8")
    return [step for _, block in _BLOCK.findall(text) for step in _steps(textwrap.dedent(block))]


def _steps(block: str) -> Iterator[Step]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        lines = part.rstrip("\n").split("\n")
        more = next((i for i, line in enumerate(lines[1:], 1) if line[:2] != "> "), len(lines))
        command = [lines[0], *(line[2:] for line in lines[1:more])]
        yield Step("\n".join(command), "".join(f"{line}\n" for line in lines[more:]))


def is_like(told: str, printed: str) -> bool:
    """Whether a program printed what the document tells."""
    return doctest.OutputChecker().check_output(told, printed, _LIKE)


class Shell:
    """One bash that runs the commands of a page; what they set and where they go stays."""

    def __init__(self, directory: Path, env: Mapping[str, str], within: Sequence[str]) -> None:
        """:param within: the command that bash is an argument of, for another namespace."""
        self._bash = subprocess.Popen(
            [*within, "bash"], cwd=directory, env={**env, "NO_COLOR": "1"},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        self.run("shopt -s expand_aliases")

    def run(self, command: str) -> str:
        """What *command* prints.

        :raises AssertionError: it ended with another status than 0.
        """
        assert self._bash.stdin is not None
        self._bash.stdin.write(f"{command}\nprintf '\\n{_MARK} %d\\n' $?\n".encode())
        self._bash.stdin.flush()
        printed, _, status = self._until_mark(command).rpartition(f"\n{_MARK} ")
        if status.strip() != "0":
            raise AssertionError(f"$ {command}\n{printed}\nended with {status}")
        return printed

    def _until_mark(self, command: str) -> str:
        assert self._bash.stdout is not None
        pipe, came, ends = self._bash.stdout.fileno(), b"", time.monotonic() + _ENOUGH
        while not re.search(rf"{_MARK} \d+\n\Z".encode(), came):
            ready, _, _ = select.select([pipe], [], [], max(0, ends - time.monotonic()))
            octets = os.read(pipe, 65536) if ready else b""
            if not octets:
                raise AssertionError(f"$ {command}\n{came.decode()}\nhas not ended")
            came += octets
        return came.decode()

    def close(self) -> None:
        """End it, and what it began."""
        if self._bash.poll() is None:
            os.killpg(self._bash.pid, signal.SIGKILL)
        self._bash.communicate()


class Foreground:
    """A command that goes on in a terminal of its own."""

    def __init__(self, step: Step, directory: Path, env: Mapping[str, str]) -> None:
        self.log = directory / "foreground.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                ["bash", "-c", step.command], cwd=directory, env=env, stdout=log,
                stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        told = f"{step.printed.rstrip()}..."
        try:
            until(lambda: is_like(told, self.log.read_text()), step.command, _ENOUGH)
        except TimeoutError as error:
            self.close()
            raise AssertionError(f"expected:\n{told}\ngot:\n{self.log.read_text()}") from error

    def interrupt(self, last_words: str) -> str:
        """Ctrl-C; all that it printed, once its *last_words* are there."""
        os.killpg(self.process.pid, signal.SIGINT)
        until(lambda: last_words in self.log.read_text(), last_words, _ENOUGH)
        return self.log.read_text()

    def close(self) -> None:
        """End it in any case."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Page:
    """A document that is followed line by line, with other names for what is not there."""

    def __init__(
        self,
        page: Path,
        directory: Path,
        names: Sequence[tuple[str, str]] = (),
        env: Mapping[str, str] | None = None,
        within: Sequence[str] = (),
    ) -> None:
        self._steps = steps_of(page)
        self._names = names
        self._directory = directory
        self._env = environment() if env is None else env
        self.shell = Shell(directory, self._env, within)
        self.foreground: Foreground | None = None
        """The last command that goes on."""

    def follow(self, goes_on: str = "") -> None:
        """
        Run everything.

        :param goes_on: the command that does not end by itself; the others follow once it has
            printed what the document tells.
        :raises AssertionError: something is not as the document says.
        """
        for step in self._steps:
            told = Step(self._named(step.command), self._named(step.printed))
            if step.command == goes_on:
                self._end_foreground()
                self.foreground = Foreground(told, self._directory, self._env)
            else:
                self._compare(told, self.shell.run(told.command))

    def _named(self, text: str) -> str:
        for here, there in self._names:
            text = text.replace(here, there)
        return text

    def _compare(self, told: Step, printed: str) -> None:
        if told.printed and not is_like(told.printed, printed):
            raise AssertionError(
                f"$ {told.command}\nexpected:\n{told.printed}\ngot:\n{printed}\n{self._log()}"
            )

    def _log(self) -> str:
        return self.foreground.log.read_text()[-4000:] if self.foreground else ""

    def close(self) -> None:
        """End everything that was begun."""
        self.shell.close()
        self._end_foreground()

    def _end_foreground(self) -> None:
        if self.foreground is not None:
            self.foreground.close()
