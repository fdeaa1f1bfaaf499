"""``rangectl journal``: look after the journal of a daemon that does not run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from rangedaemon.control.cli.discovery import USUAL_PLACES, read_config
from rangedaemon.control.cli.exits import CommandFault, Exit
from rangedaemon.control.cli.session import Session, complain, pass_session
from rangedaemon.errors import JournalLocked, StorageFault
from rangedaemon.storage.opening import JOURNAL_FILE
from rangedaemon.storage.salvage import Repair, check, repair

T = TypeVar("T")

_place = click.option(
    "--state-dir",
    type=click.Path(path_type=Path),
    help="The daemon's state_dir; by default that of its configuration.",
)


@click.group()
def journal() -> None:
    """
    Check and repair the journal of a daemon that is stopped.

    They work on the state directory, as the daemon's user: run them as that, or as root.
    """


@journal.command(name="check")
@_place
@pass_session
def check_journal(session: Session, state_dir: Path | None) -> Exit:
    """Look for damage, and change nothing; ends with 0 where there is none, else with 9."""
    path = _journal(session, state_dir)
    found = _named(lambda: check(path))
    for problem in found:
        complain(problem)
    if found:
        complain("rangectl journal repair keeps what can be kept")
        return Exit.DAMAGED
    session.line(f"{path} is sound")
    return Exit.OK


@journal.command(name="repair")
@_place
@pass_session
def repair_journal(session: Session, state_dir: Path | None) -> Exit:
    """Keep every job and upload that can be read; what was there is set aside first."""
    path = _journal(session, state_dir)
    done = _named(lambda: repair(path))
    for line in _told(done, path):
        session.line(line)
    return Exit.OK


def _told(done: Repair, path: Path) -> list[str]:
    lines = [f"set aside   {done.backup}"]
    if done.source != path:
        lines.append(f"read from   {done.source}, as nothing of the journal could be read")
    lines.append(f"jobs        {done.jobs.kept} kept, {done.jobs.lost} lost")
    lines.append(f"uploads     {done.uploads.kept} kept, {done.uploads.lost} lost")
    lines.append(f"part files  {len(done.parts)} go on with what they hold")
    lines += [f"missing     {part}: its job starts again" for part in done.missing]
    lines += [f"without job {job}: add it again under its old name" for job in done.orphans]
    return lines


def _journal(session: Session, state_dir: Path | None) -> Path:
    """The journal's file.

    :raises CommandFault: nobody says where it is.
    """
    if state_dir is None:
        named = [session.asked.config] if session.asked.config else map(Path, USUAL_PLACES)
        there = [file.expanduser() for file in named if file.expanduser().exists()]
        if not there:
            raise CommandFault(Exit.USAGE, "say where it is: --state-dir, or -c CONF before it")
        state_dir = read_config(there[0], os.environ).state_dir
    return state_dir / JOURNAL_FILE


def _named(act: Callable[[], T]) -> T:
    """:raises CommandFault: in the place of our own faults."""
    try:
        return act()
    except JournalLocked as fault:
        raise CommandFault(Exit.CONFLICT, fault.detail) from fault
    except StorageFault as fault:
        raise CommandFault(Exit.USAGE, fault.detail) from fault
    except OSError as error:
        raise CommandFault(Exit.USAGE, f"{error.filename}: {error.strerror}") from error
