"""
``rangectl``: the command line that steers a daemon through its control API.

Here are the global options and the way out: every end of a command becomes an
exit code of `rangedaemon.control.cli.exits`, and every fault one line.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from rangedaemon import __version__
from rangedaemon.control.cli import (
    adding,
    journal,
    looking,
    mirroring,
    planning,
    pushing,
    steering,
)
from rangedaemon.control.cli.discovery import DEFAULT_URL, USUAL_PLACES
from rangedaemon.control.cli.exits import CommandFault, Exit, exit_table
from rangedaemon.control.cli.session import Session, asked_of, complain

_EPILOG = f"""
Jobs go by id, by the start of an id, by name, or by a pattern over both: rangectl pause 'deb*'

\b
The daemon is found by the first of these that is given:
  --url, with --token-file, or the token of -c's configuration
  -c CONF: control.listen and control.token_file of the daemon's configuration
  RANGEDAEMON_URL and RANGEDAEMON_TOKEN_FILE
  {USUAL_PLACES[0]}
  {USUAL_PLACES[1]}
  {DEFAULT_URL}

{exit_table()}

NO_COLOR turns colours off. Completion: rangectl completion --help
"""


class OutputClosed(Exception):
    """Nobody reads what we print any more."""


class Commands(click.Group):
    """The commands; a reader that goes away is no error (click would end with 1)."""

    def invoke(self, ctx: click.Context) -> Any:
        """
        Run the command.

        :raises OutputClosed: in the place of a `BrokenPipeError`.
        """
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise OutputClosed from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, epilog=_EPILOG)
@click.option("--url", help="The daemon's address: http://…, https://… or unix:/path.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    help="The file that holds the token.",
)
@click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path),
    help="The daemon's configuration file.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the API's objects as JSON.")
@click.version_option(__version__, prog_name="rangectl")
@click.pass_context
def cli(
    context: click.Context,
    *,
    url: str | None,
    token_file: Path | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """Steer a running rangedaemon: add downloads, watch them, change and end them."""
    asked = asked_of({"url": url, "token_file": token_file, "config": config})
    context.obj = Session(asked, as_json)
    context.call_on_close(context.obj.close)


for _command in (
    adding.add,
    pushing.push,
    mirroring.mirror,
    looking.list_jobs,
    looking.show,
    steering.pause,
    steering.resume,
    steering.retry,
    steering.remove,
    steering.change,
    looking.watch,
    looking.status,
    looking.segments,
    looking.cat,
    looking.events,
    looking.metrics,
    steering.limits,
    steering.reload,
    planning.plan,
    steering.shutdown,
    journal.journal,
    looking.completion,
):
    cli.add_command(_command)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    try:
        ended = cli.main(arguments, prog_name="rangectl", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as fault:
        fault.show()
        return Exit.USAGE
    except (click.Abort, KeyboardInterrupt):
        return Exit.INTERRUPTED
    except CommandFault as fault:
        complain(str(fault))
        return fault.exit_code
    except (OutputClosed, BrokenPipeError):
        _forget_output()
        return Exit.OK
    return int(ended or 0)


def _forget_output() -> None:
    """Keep the interpreter from failing once more where it flushes what nobody reads."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main() -> None:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    sys.exit(run())
