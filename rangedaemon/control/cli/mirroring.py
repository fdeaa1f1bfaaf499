"""``rangectl mirror``: a folder that a web server lists, kept up to date here."""

from __future__ import annotations

from typing import Any

import click

from rangedaemon.control.cli.adding import tell
from rangedaemon.control.cli.exits import Exit
from rangedaemon.control.cli.joblist import Body
from rangedaemon.control.cli.options import RATE, access, common_fields, hours
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
@access("origin")
@click.option("-s", "--segments", type=int, help="Connections to use at once for each file.")
@click.option("-p", "--priority", type=int, help="Higher runs first.")
@click.option("--limit", "rate_limit", type=RATE, help="Bytes per second of each file, or none.")
@click.option("--paused", is_flag=True, help="Do not start yet.")
@hours
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
