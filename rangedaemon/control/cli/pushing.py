"""``rangectl push``: a file, or each file of a folder, to an upload server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rangedaemon.control.cli.adding import tell
from rangedaemon.control.cli.exits import Exit
from rangedaemon.control.cli.joblist import Body
from rangedaemon.control.cli.options import RATE, access, common_fields, hours
from rangedaemon.control.cli.session import Session, json_option, pass_session
from rangedaemon.control.cli.watching import Board


@click.command()
@click.argument("source", metavar="FILE|DIR")
@click.argument("url", metavar="URL")
@click.option(
    "--protocol",
    type=click.Choice(["auto", "tus", "ietf", "segmented"]),
    help="How to speak with the server; auto asks it.",
)
@click.option("--name", help="What the job is called; before the files' names for a folder.")
@click.option(
    "-m",
    "--metadata",
    metavar="KEY=VALUE",
    multiple=True,
    help="What the server is told besides the file's name; tus only.",
)
@click.option("--checksum", metavar="ALGORITHM=HEX", help="What the local file must have.")
@access("server")
@click.option("-s", "--segments", type=int, help="Connections, where the protocol allows several.")
@click.option("-p", "--priority", type=int, help="Higher runs first.")
@click.option("--limit", "rate_limit", type=RATE, help="Bytes per second, such as 2MiB; or none.")
@click.option("--paused", is_flag=True, help="Do not start yet.")
@click.option(
    "--on-change",
    type=click.Choice(["restart", "fail"]),
    help="What to do where the local file changes after a part of it was pushed.",
)
@hours
@click.option("-w", "--wait", is_flag=True, help="Show progress until every job has ended.")
@json_option
@pass_session
def push(
    session: Session,
    /,
    source: str,
    url: str,
    *,
    metadata: tuple[str, ...],
    wait: bool,
    **options: Any,
) -> Exit:
    """
    Push a local file to an upload server; of a folder each regular file below it.

    It is the daemon that reads the file, from below its pushes.directories.
    """
    if wait and options["paused"]:
        raise click.UsageError("--wait would wait for ever for jobs that are added --paused")
    body: Body = {"kind": "upload", "url": url, **_source(source), **common_fields(options)}
    if metadata:
        body["metadata"] = dict(map(_pair, metadata))
    jobs = session.client.add_all([body])
    if wait:
        return session.watch(Board(job["id"] for job in jobs))
    for job in jobs:
        tell(session, job)
    return Exit.OK


def _source(text: str) -> Body:
    """The daemon may have another working directory: a path is given from the root on."""
    path = Path(text).absolute()
    return {"folder" if path.is_dir() else "file": str(path)}


def _pair(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign:
        raise click.UsageError("metadata is written KEY=VALUE")
    return key, value
