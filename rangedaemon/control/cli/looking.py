"""Commands of ``rangectl`` that only look: list, show, status, segments, watch, cat and others."""

from __future__ import annotations

import json
import sys
from functools import partial

import click
from click.shell_completion import get_completion_class
from rich.text import Text

from rangedaemon.control.cli.client import StreamEnded
from rangedaemon.control.cli.exits import CommandFault, Exit
from rangedaemon.control.cli.picking import Job, pick
from rangedaemon.control.cli.render import STYLES, details, jobs_table, segments_view, status_view
from rangedaemon.control.cli.session import Session, job_words, json_option, pass_session
from rangedaemon.control.cli.watching import FINISHED, Board

RESTING = FINISHED | {"paused"}


@click.command(name="list")
@job_words(required=False)
@click.option("--state", type=click.Choice(list(STYLES)), help="Only jobs in this state.")
@click.option("-n", "--limit", type=click.IntRange(min=1), help="The newest so many only.")
@click.option("--files", "mirror", metavar="JOB", help="The files of this mirror.")
@json_option
@pass_session
def list_jobs(
    session: Session,
    words: tuple[str, ...],
    *,
    state: str | None,
    limit: int | None,
    mirror: str | None,
) -> Exit:
    """
    List jobs, newest first: all, or those that JOB... means.

    The files of mirrors are left out, but for those that --files means.
    """
    found: list[Job] = []
    parent = "none" if mirror is None else _one(session, mirror)["id"]
    for job in session.client.jobs(state=state, parent=parent):
        found.append(job)
        if limit is not None and len(found) >= limit and not words:
            break
    if words:
        found = pick(words, found)[:limit]
    width = session.console.width
    session.show(
        {"jobs": found, "next": None},
        lambda: jobs_table(found, width) if found else Text("no jobs"),
    )
    return Exit.OK


@click.command()
@job_words()
@json_option
@pass_session
def show(session: Session, words: tuple[str, ...]) -> Exit:
    """Show everything about jobs."""
    for place, job in enumerate(session.jobs(words)):
        if place and not session.as_json:
            session.line("")
        session.show(job, partial(details, job))
    return Exit.OK


@click.command()
@json_option
@pass_session
def status(session: Session) -> Exit:
    """Show how the daemon is."""
    answer = session.client.status()
    session.show(answer, lambda: status_view(answer))
    return Exit.OK


@click.command()
@click.argument("word", metavar="JOB")
@json_option
@pass_session
def segments(session: Session, word: str) -> Exit:
    """Show which bytes of a job are there, being fetched and missing."""
    job = _one(session, word)
    answer = session.client.segments(job["id"])
    session.show(answer, lambda: segments_view(answer["segments"], session.console.width))
    return Exit.OK


def _one(session: Session, word: str) -> Job:
    """The one job that *word* means."""
    jobs = session.jobs([word])
    if len(jobs) > 1:
        raise CommandFault(Exit.USAGE, f"{word!r} means {len(jobs)} jobs; give one")
    return jobs[0]


@click.command()
@job_words(required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on for ever, new jobs too (Ctrl-C ends).")
@click.option("-F", "--full-screen", is_flag=True, help="Use the whole screen.")
@json_option
@pass_session
def watch(session: Session, words: tuple[str, ...], *, follow: bool, full_screen: bool) -> Exit:
    """
    Show live progress until jobs have ended: all that are under way, or those that JOB... means.

    Ends with 0 where all are complete. Where the output is no terminal, prints one line for each
    change of state instead of bars.
    """
    if follow and words:
        raise click.UsageError("--follow shows every job; it takes no JOB")
    if follow:
        return session.watch(Board(None), screen=full_screen)
    if words:
        wanted = session.jobs(words)
    else:
        wanted = [job for job in session.client.jobs() if job["state"] not in RESTING]
    if not wanted:
        if not session.as_json:
            session.line("no job is under way")
        return Exit.OK
    return session.watch(Board(job["id"] for job in wanted), screen=full_screen)


@click.command()
@click.argument("word", metavar="JOB")
@pass_session
def cat(session: Session, word: str) -> Exit:
    """Write a job's file to standard output; what is missing is fetched first."""
    job = _one(session, word)
    out = sys.stdout.buffer
    for block in session.client.content(job["id"]):
        out.write(block)
    out.flush()
    return Exit.OK


@click.command()
@pass_session
def events(session: Session) -> Exit:
    """Print the daemon's events as they come, each as JSON on one line."""
    with session.client.events() as stream:
        try:
            for event in stream:
                value = {"event": event.kind, "id": event.id, "data": json.loads(event.text)}
                click.echo(json.dumps(value))
        except StreamEnded as ended:
            raise CommandFault(Exit.UNREACHABLE, f"the events ended: {ended}") from ended
        except ValueError as error:
            raise CommandFault(Exit.SERVER, f"an event is not JSON: {error}") from error
    return Exit.OK


@click.command()
@pass_session
def metrics(session: Session) -> Exit:
    """Print the daemon's metrics in Prometheus' text format."""
    click.echo(session.client.text("/metrics"), nl=False)
    return Exit.OK


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> Exit:
    """
    Print the script that makes a shell complete rangectl.

    \b
    bash:  eval "$(rangectl completion bash)"      in ~/.bashrc
    zsh:   eval "$(rangectl completion zsh)"       in ~/.zshrc, after compinit
    fish:  rangectl completion fish > ~/.config/fish/completions/rangectl.fish
    """  # noqa: D301 - click's sign for lines to keep is a real backspace
    made_by = get_completion_class(shell)
    if made_by is None:
        raise CommandFault(Exit.USAGE, f"no completion for {shell}")
    command = context.find_root().command
    click.echo(made_by(command, {}, "rangectl", "_RANGECTL_COMPLETE").source())
    return Exit.OK
