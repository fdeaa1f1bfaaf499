"""``rangectl mirror``: a folder that a web server lists, kept up to date here."""

from __future__ import annotations

from typing import Any

import click

from rangedaemon.control.cli.adding import DURATION, HEADER, RATE, common_fields, tell
from rangedaemon.control.cli.exits import Exit
from rangedaemon.control.cli.joblist import Body
from rangedaemon.control.cli.session import Session, json_option, pass_session
from rangedaemon.control.cli.watching import Board


@click.command()
@click.argument("url", metavar="URL")
@click.option(
    "-d", "--into", "directory", metavar="FOLDER", help="Where to, as the daemon sees it."
)
@click.option("--name", help="What the mirror is called.")
@click.option(
    "--include",
    metavar="GLOB",
    multiple=True,
    help="Only such files, as *.iso; with a slash, of the whole path, as updates/*.",
)
@click.option("--exclude", metavar="GLOB", multiple=True, help="No such files and folders.")
@click.option(
    "--depth", type=int, metavar="N", help="Levels of folders to go into; 0 for none at all."
)
@click.option("--delete", is_flag=True, help="Delete files that are not listed any more.")
@click.option(
    "-H", "--header", "headers", type=HEADER, multiple=True, help="Request field to send."
)
@click.option("--user", "username", help="Who we are to the origin; see --password-file.")
@click.option(
    "--password-file",
    "password",
    type=click.File(encoding="utf-8"),
    help="Where that user's password is, on the first line; - is standard input.",
)
@click.option("-s", "--segments", type=int, help="Connections to use at once for each file.")
@click.option("-p", "--priority", type=int, help="Higher runs first.")
@click.option("--limit", "rate_limit", type=RATE, help="Bytes per second of each file, or none.")
@click.option("--paused", is_flag=True, help="Do not start yet.")
@click.option(
    "--at",
    "start_at",
    metavar="TIME",
    help="Not before: 22:00 by the daemon's clock, or 2026-12-24T22:00:00+01:00.",
)
@click.option("--window", metavar="HOURS", help="Only then, such as 22:00-06:00.")
@click.option("--every", type=DURATION, help="Again so long after each end, such as 6h.")
@click.option("--cron", metavar="EXPRESSION", help="Again at these times, as crontab has them.")
@click.option("--versions", type=int, help="Former files to keep as NAME.1 and so on.")
@click.option("-w", "--wait", is_flag=True, help="Show progress until the first round is over.")
@json_option
@pass_session
def mirror(
    session: Session,
    /,
    url: str,
    *,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    delete: bool,
    wait: bool,
    **options: Any,
) -> Exit:
    """
    Mirror a folder: all files that a web server lists there, and in the folders below.

    The listings are HTML of nginx, Apache, Caddy and others, or JSON. Each file is a job of its
    own; in later rounds it costs one conditional request where nothing has changed.
    """
    if wait and options["paused"]:
        raise click.UsageError("--wait would wait for ever for a mirror that is added --paused")
    body: Body = {"kind": "mirror", "url": url, **common_fields(options)}
    patterns = {"include": list(include), "exclude": list(exclude)}
    body |= {name: globs for name, globs in patterns.items() if globs}
    if delete:
        body["delete"] = True
    job = session.client.add(body)
    if wait:
        return session.watch(Board([job["id"]]))
    tell(session, job)
    return Exit.OK
