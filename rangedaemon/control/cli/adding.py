"""``rangectl add``: new jobs from addresses and lists of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TextIO

import click

from rangedaemon.control.cli.exits import CommandFault, Exit
from rangedaemon.control.cli.joblist import Body, addressed, parse_list
from rangedaemon.control.cli.options import RATE, access, common_fields, hours
from rangedaemon.control.cli.picking import Job
from rangedaemon.control.cli.render import state_line
from rangedaemon.control.cli.session import Session, complain, json_option, pass_session
from rangedaemon.control.cli.units import safe
from rangedaemon.control.cli.watching import Board

BATCH = 100
"""Jobs in one request: they come in together, or not at all."""


@click.command()
@click.argument("urls", metavar="[URL]...", nargs=-1)
@click.option(
    "-i",
    "--input",
    "lists",
    type=click.File(encoding="utf-8"),
    multiple=True,
    help="Read jobs from this file, one a line; - is standard input.",
)
@click.option("--mirror", "mirrors", metavar="URL", multiple=True, help="Another URL of the file.")
@click.option("--name", help="What the job is called.")
@click.option("-d", "--dir", "directory", help="Where to, as the daemon sees it.")
@click.option("-o", "--filename", help="The file's final name.")
@click.option(
    "--checksum",
    metavar="ALGORITHM=HEX|URL",
    help="Digest, such as sha-256=…; or the address of a list of them, such as SHA256SUMS.",
)
@access("origin")
@click.option("-s", "--segments", type=int, help="Connections to use at once.")
@click.option("-p", "--priority", type=int, help="Higher runs first.")
@click.option("--limit", "rate_limit", type=RATE, help="Bytes per second, such as 2MiB; or none.")
@click.option("--paused", is_flag=True, help="Do not start yet.")
@click.option(
    "--on-conflict",
    type=click.Choice(["rename", "overwrite", "fail"]),
    help="What to do where the file is there already.",
)
@click.option(
    "--on-change",
    type=click.Choice(["restart", "keep-old", "fail"]),
    help="What to do where the file changes at the origin meanwhile.",
)
@hours
@click.option("--versions", type=int, help="Former files to keep as NAME.1 and so on.")
@click.option("-w", "--wait", is_flag=True, help="Show progress until every job has ended.")
@json_option
@pass_session
def add(
    session: Session,
    /,
    urls: tuple[str, ...],
    lists: tuple[TextIO, ...],
    mirrors: tuple[str, ...],
    *,
    wait: bool,
    **options: Any,
) -> Exit:
    """
    Add a job for each URL, and for each line of the lists.

    A list has one URL a line (several, parted by tabs, are mirrors of one file); indented lines
    below it are options of that job, such as "  filename=a.iso" or aria2's "  out=a.iso". Lines
    that start with # are comments.
    """
    if wait and options["paused"]:
        raise click.UsageError("--wait would wait for ever for jobs that are added --paused")
    bodies = _from_urls(urls, mirrors, options) + _from_lists(lists, common_fields(options))
    if not bodies:
        raise click.UsageError("no URL; give some, or a list by -i")
    jobs, ended = _add_all(session, bodies)
    if wait:
        waited = session.watch(Board(job["id"] for job in jobs))
        return ended or waited
    for job in jobs:
        tell(session, job)
    return ended


def tell(session: Session, job: Job) -> None:
    """Show a job that was added."""
    if session.as_json:
        session.print_json(job)
    else:
        session.line(state_line(job))


def _from_urls(urls: Sequence[str], mirrors: Sequence[str], options: Body) -> list[Body]:
    """The bodies for the addresses on the command line."""
    single = [option for option in ("name", "filename", "checksum") if options[option] is not None]
    single += ["mirror"] if mirrors else []
    if single and len(urls) != 1:
        raise click.UsageError(f"--{single[0]} is for one URL; there are {len(urls)}")
    common = common_fields(options)
    return [{**common, **addressed([url, *mirrors])} for url in urls]


def _from_lists(lists: Sequence[TextIO], common: Body) -> list[Body]:
    """The bodies for the lines of the lists; what a line says comes before *common*."""
    bodies = []
    for file in lists:
        name = getattr(file, "name", "list")
        try:
            bodies += parse_list(file, str(name))
        except (OSError, UnicodeDecodeError) as error:
            raise CommandFault(Exit.USAGE, f"{name}: {error}") from error
    return [{**common, **body} for body in bodies]


def _add_all(session: Session, bodies: list[Body]) -> tuple[list[Job], Exit]:
    """Add them in batches; those that are refused are told of and do not hold up the others."""
    jobs: list[Job] = []
    ended = Exit.OK
    for start in range(0, len(bodies), BATCH):
        batch = bodies[start : start + BATCH]
        if len(batch) > 1:
            try:
                jobs += session.client.add_all(batch)
                continue
            except CommandFault as fault:
                if fault.exit_code not in {Exit.INVALID, Exit.CONFLICT}:
                    raise
        added, trouble = _add_singly(session, batch)
        jobs += added
        ended = ended or trouble
    return jobs, ended


def _add_singly(session: Session, bodies: list[Body]) -> tuple[list[Job], Exit]:
    """Add one after the other, so that each fault has its address."""
    jobs: list[Job] = []
    ended = Exit.OK
    for body in bodies:
        try:
            jobs.append(session.client.add(body))
        except CommandFault as fault:
            if fault.exit_code not in {Exit.INVALID, Exit.CONFLICT}:
                raise
            complain(f"{safe(body.get('url') or body['urls'][0])}: {fault}")
            ended = ended or fault.exit_code
    return jobs, ended
