"""What every command of ``rangectl`` shares: the daemon it talks to and where it prints."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click
from click.shell_completion import CompletionItem
from rich.console import Console
from rich.text import Text

from rangedaemon.control.cli.client import ApiClient
from rangedaemon.control.cli.discovery import USUAL_PLACES, Asked, discover
from rangedaemon.control.cli.exits import CommandFault, Exit
from rangedaemon.control.cli.picking import Job, is_id, label, pick
from rangedaemon.control.cli.units import safe
from rangedaemon.control.cli.watching import Board, LineView, LiveView, View, Watch

F = TypeVar("F", bound=Callable[..., Any])
WIDE = 1000
"""Columns where no terminal sets a limit: nothing is cut off in files and pipes."""
COMPLETION_TIMEOUT = 1.0
COMPLETION_LIMIT = 200


class PipedConsole(Console):
    """A console whose reader may go away: ``rangectl list | head``."""

    def on_broken_pipe(self) -> NoReturn:
        """Let `main` end quietly."""
        raise BrokenPipeError


def make_console() -> Console:
    """A console on standard output; its width is the terminal's, or as good as none."""
    width = None if sys.stdout.isatty() or os.environ.get("COLUMNS") else WIDE
    return PipedConsole(highlight=False, markup=False, emoji=False, width=width)


@dataclass
class Session:
    """One run of ``rangectl``."""

    asked: Asked = field(default_factory=Asked)
    as_json: bool = False
    timeout: float | None = None

    @cached_property
    def client(self) -> ApiClient:
        """The daemon's API; looked for at the first use."""
        places = tuple(Path(place).expanduser() for place in USUAL_PLACES)
        target = discover(self.asked, os.environ, places)
        return ApiClient(target, **({"timeout": self.timeout} if self.timeout else {}))

    @cached_property
    def console(self) -> Console:
        """Where results go."""
        return make_console()

    def close(self) -> None:
        """Close what was opened."""
        if "client" in self.__dict__:
            self.client.close()

    # -- what is meant ---------------------------------------------------------

    def jobs(self, words: Sequence[str]) -> list[Job]:
        """
        The jobs that *words* mean; the files of mirrors where they mean nothing else.

        :raises CommandFault: a word means none, or several.
        """
        if all(map(is_id, words)):
            return [self.client.job(word) for word in dict.fromkeys(words)]
        try:
            return pick(words, self.client.jobs(parent="none"))
        except CommandFault as fault:
            if fault.exit_code is not Exit.NOT_FOUND:
                raise
            return pick(words, self.client.jobs())

    # -- what is shown ---------------------------------------------------------

    def show(self, value: object, picture: Callable[[], Text]) -> None:
        """Print *value* as JSON where that is wanted, else its *picture*."""
        if self.as_json:
            self.print_json(value)
        else:
            self.console.print(picture(), soft_wrap=True)

    def print_json(self, value: object) -> None:
        """One JSON text: on one line for programs, indented for people at a terminal."""
        click.echo(json.dumps(value, indent=2 if self.console.is_terminal else None))

    def line(self, text: str) -> None:
        """One line of plain text."""
        self.console.out(text, highlight=False)

    # -- what is done ----------------------------------------------------------

    def each(self, jobs: Iterable[Job], step: Callable[[Job], None]) -> Exit:
        """Do *step* for each job, whatever becomes of the others; how the first fault ends it."""
        ended = Exit.OK
        for job in jobs:
            try:
                step(job)
            except CommandFault as fault:
                if fault.exit_code in {Exit.UNREACHABLE, Exit.TOKEN}:
                    raise
                complain(f"{label(job)}: {fault}")
                ended = ended or fault.exit_code
        return ended

    def watch(self, board: Board, *, screen: bool = False) -> Exit:
        """Show *board* until everything on it has come to its end."""
        view: View
        if self.console.is_terminal and not self.as_json:
            view = LiveView(self.console, board, screen=screen, clock=time.monotonic)
        else:
            view = LineView(self.console, as_json=self.as_json)
        return Watch(self.client, board, view).run()


def complain(message: str) -> None:
    """Say on standard error what is wrong."""
    for line in message.split("\n"):
        click.echo(f"rangectl: {safe(line)}", err=True)


pass_session = click.make_pass_decorator(Session)


def json_option(command: F) -> F:
    """Take ``--json`` behind the command's name too."""
    return click.option(
        "--json",
        is_flag=True,
        expose_value=False,
        callback=_want_json,
        help="Print the API's objects as JSON, one a line.",
    )(command)


def _want_json(context: click.Context, _: click.Parameter, value: bool) -> None:
    """Note that JSON is wanted."""
    if value:
        context.ensure_object(Session).as_json = True


def job_words(*, required: bool = True) -> Callable[[F], F]:
    """The argument that says which jobs are meant."""
    shown = "JOB..." if required else "[JOB]..."
    return click.argument(
        "words", metavar=shown, nargs=-1, required=required, shell_complete=_complete_jobs
    )


def _complete_jobs(
    context: click.Context, _: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Ids and names that begin so; nothing where the daemon cannot be asked."""
    options = context.find_root().params
    session = Session(asked_of(options), timeout=COMPLETION_TIMEOUT)
    items: list[CompletionItem] = []
    try:
        for job in session.client.jobs():
            items += _items(job, incomplete)
            if len(items) >= COMPLETION_LIMIT:
                break
    except CommandFault:
        return []
    return items


def _items(job: Job, incomplete: str) -> list[CompletionItem]:
    """What of *job* begins with *incomplete*."""
    about = f"{label(job)} {safe(job['state'])}"
    names = [str(name) for name in (job.get("name"), job["id"]) if name]
    found = [name for name in names if name.startswith(incomplete) and name == safe(name)]
    return [CompletionItem(name, help=about) for name in found[:1]]


def asked_of(options: dict[str, Any]) -> Asked:
    """What the global options say of the daemon."""
    return Asked(options.get("url"), options.get("token_file"), options.get("config"))
