"""Commands of ``rangectl`` that change something: pause, resume, retry, remove, set, shutdown."""

from __future__ import annotations

import sys
from typing import Any

import click
from rich.text import Text

from rangedaemon.control.cli.exits import CommandFault, Exit
from rangedaemon.control.cli.joblist import Body
from rangedaemon.control.cli.options import (
    DEPTH,
    RATE,
    SCHEDULE,
    common_fields,
    hours,
    login,
)
from rangedaemon.control.cli.picking import Job, label
from rangedaemon.control.cli.render import limits_view, state_line
from rangedaemon.control.cli.session import Session, job_words, json_option, pass_session


def _tell(session: Session, job: Job) -> None:
    """Show a job after its change."""
    if session.as_json:
        session.print_json(job)
    else:
        session.line(state_line(job))


def _act(session: Session, words: tuple[str, ...], verb: str) -> Exit:
    """Have *verb* done to the jobs meant."""
    return session.each(
        session.jobs(words), lambda job: _tell(session, session.client.act(job["id"], verb))
    )


@click.command()
@job_words()
@json_option
@pass_session
def pause(session: Session, words: tuple[str, ...]) -> Exit:
    """Stop jobs and keep what came."""
    return _act(session, words, "pause")


@click.command()
@job_words()
@json_option
@pass_session
def resume(session: Session, words: tuple[str, ...]) -> Exit:
    """Let paused jobs go on."""
    return _act(session, words, "resume")


@click.command()
@job_words()
@json_option
@pass_session
def retry(session: Session, words: tuple[str, ...]) -> Exit:
    """Try failed or waiting jobs again at once."""
    return _act(session, words, "retry")


@click.command()
@job_words()
@click.option(
    "--delete-files", is_flag=True, help="Delete the part file and the finished file too."
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask before files are deleted.")
@json_option
@pass_session
def remove(session: Session, words: tuple[str, ...], *, delete_files: bool, yes: bool) -> Exit:
    """
    Forget jobs; their files stay unless --delete-files is given.

    Asks before it deletes files where it is used at a terminal.
    """
    jobs = session.jobs(words)
    if delete_files and not yes and sys.stdin.isatty():
        _confirm(jobs)

    def step(job: Job) -> None:
        session.client.remove(job["id"], delete_files=delete_files)
        if not session.as_json:
            session.line(f"{job['id']} removed {label(job)}")

    return session.each(jobs, step)


def _confirm(jobs: list[Job]) -> None:
    """Ask whether the files of *jobs* may go."""
    names = ", ".join(label(job) for job in jobs[:5]) + (", …" if len(jobs) > 5 else "")
    if not click.confirm(f"Delete the files of {len(jobs)} job(s): {names}?", err=True):
        raise CommandFault(Exit.USAGE, "nothing was removed")


@click.command(name="set")
@job_words()
@click.option("-p", "--priority", type=int, help="Higher runs first.")
@click.option("--limit", "rate_limit", type=RATE, help="Bytes per second, such as 2MiB; or none.")
@click.option("-s", "--segments", type=int, help="Connections to use at once.")
@click.option("--url", "urls", metavar="URL", multiple=True, help="In place of all that it has.")
@login("origin")
@hours
@click.option("--versions", type=int, help="Former files to keep as NAME.1 and so on.")
@click.option("--include", metavar="GLOB", multiple=True, help="Of a mirror: only such files.")
@click.option("--exclude", metavar="GLOB", multiple=True, help="No such files and folders.")
@click.option("--depth", type=DEPTH, help="Levels of folders to go into, or all.")
@click.option("--delete/--keep", default=None, help="What to do with files that are not listed.")
@json_option
@pass_session
def change(
    session: Session,
    /,
    words: tuple[str, ...],
    *,
    depth: tuple[int | None] | None,
    **options: Any,
) -> Exit:
    """
    Change what is wished for jobs, while they run too.

    What is not given stays. "none" takes a limit, a time, a window or a repetition away (--at,
    --window, --cron), and every pattern of a mirror (--include, --exclude).
    """
    wishes = _wishes(options)
    if depth is not None:
        wishes["depth"] = depth[0]
    if not wishes:
        raise click.UsageError("nothing to set; rangectl set --help names what can be")
    return session.each(
        session.jobs(words), lambda job: _tell(session, session.client.change(job["id"], wishes))
    )


def _wishes(options: dict[str, Any]) -> Body:
    """The fields of the API's request that *options* mean."""
    lists = {name: list(options.pop(name)) for name in ("urls", "include", "exclude")}
    wishes = common_fields(options)
    for name in ("start_at", "window"):
        if wishes.get(name) == "none":
            wishes[name] = None
    if wishes.get("repeat") == {"cron": "none"}:
        wishes["repeat"] = None
    given = {name: [] if values == ["none"] else values for name, values in lists.items() if values}
    return wishes | given


@click.command()
@click.option("--max-active", type=click.IntRange(min=1), help="Jobs that run at once.")
@click.option("--limit", "rate_limit", type=SCHEDULE, help="Bytes per second over all jobs.")
@click.option("--host-limit", "rate_limit_per_host", type=SCHEDULE, help="… from each host.")
@click.option("--host-connections", "connections_per_host", type=click.IntRange(min=1),
              help="Connections to each host.")  # fmt: skip
@json_option
@pass_session
def limits(session: Session, /, **given: Any) -> Exit:
    """
    Show what all jobs may take together, or change it until the daemon ends.

    A limit is a size such as 2MiB, none, or goes by the hour, as in "08:00-18:00 2MiB" and
    "mon-fri 22:00-06:00 20MiB; default 5MiB". With a lower --max-active the jobs beyond it go back
    to the queue and keep what came.
    """
    wishes = {name: value for name, value in given.items() if value is not None}
    for name in ("rate_limit", "rate_limit_per_host"):
        if name in wishes:
            wishes[name] = wishes[name][0]
    answer = session.client.limits(wishes)
    session.show(answer, lambda: limits_view(answer))
    return Exit.OK


@click.command()
@json_option
@pass_session
def reload(session: Session) -> Exit:
    """
    Have the daemon read its configuration again, without dropping a transfer.

    One that cannot be used is refused whole, and what was in force stays so.
    """
    answer = session.client.reload()
    changed = ", ".join(answer.get("changed", [])) or "nothing"
    session.show(answer, lambda: Text(f"changed: {changed}"))
    return Exit.OK


@click.command()
@pass_session
def shutdown(session: Session) -> Exit:
    """Stop the daemon cleanly; it takes up its jobs at the next start."""
    session.client.shutdown()
    if not session.as_json:
        session.line("the daemon is stopping")
    return Exit.OK
