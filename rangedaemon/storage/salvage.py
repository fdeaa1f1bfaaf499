"""
A journal that may be damaged: what is wrong with it, and a sound one made of what can be read.

For the command line, on the state directory of a daemon that does not run.  Nothing is thrown
away: a repair first sets a copy of everything aside.  Rows are read one by one where pages are
broken, and kept where they are what we write.  Part files need nothing done to them: what they
hold is proved by their own logs of extents (`rangedaemon.storage.extents`), so a job that is
kept goes on with all of its octets, even where the journal's claims are older.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Table, insert
from sqlalchemy.exc import DBAPIError

from rangedaemon.core.jobs import FINISHED, JobRecord
from rangedaemon.errors import JournalDamaged, JournalLocked, JournalTooNew, NotWritable
from rangedaemon.storage import rows, schema
from rangedaemon.storage.opening import MIGRATIONS, Opened, open_journal, revisions
from rangedaemon.storage.owner import as_owner
from rangedaemon.storage.partfile import part_path, sync_directory
from rangedaemon.storage.sqlfaults import BROKEN, NO_TEXT
from rangedaemon.storage.uploads import rows as upload_rows

_SIDES = ("-wal", "-shm")
_BATCH = 200
_MOST_PROBLEMS = 20

Row = Mapping[str, Any]


@dataclass
class Kept:
    """What became of the rows of one table."""

    kept: int = 0
    lost: int = 0


@dataclass
class Repair:
    """What a repair has done."""

    backup: Path
    """The copy of what was there."""
    source: Path
    """Where the rows were read: the journal, or a backup where nothing of that could be."""
    jobs: Kept = field(default_factory=Kept)
    uploads: Kept = field(default_factory=Kept)
    parts: list[Path] = field(default_factory=list)
    """Part files of jobs that were kept; they go on with what these hold."""
    missing: list[Path] = field(default_factory=list)
    """Part files that jobs speak of and that are not there: these start again."""
    orphans: list[str] = field(default_factory=list)
    """Ids of unfinished jobs of which a part file is there and nothing else."""


def check(path: Path) -> list[str]:
    """
    What is wrong with the journal at *path*; nothing where it is sound.  Nothing is changed.

    :raises JournalLocked: a daemon runs with it.
    :raises NotWritable: there is none.
    """
    with _held(path), closing(_reading(path)) as raw:
        try:
            return list(_problems(raw))[:_MOST_PROBLEMS]
        except BROKEN as error:
            return [NO_TEXT if isinstance(error, UnicodeDecodeError) else f"SQLite says: {error}"]


def _problems(raw: sqlite3.Connection) -> Iterator[str]:
    (application,) = raw.execute("PRAGMA application_id").fetchone()
    if application != schema.APPLICATION_ID:
        yield "it is a database of another program, or empty"
        return
    known = revisions(MIGRATIONS)
    found = raw.execute("SELECT version_num FROM alembic_version").fetchone()
    if found is None or found[0] not in known:
        yield f"its revision is {found and found[0]}; this program knows up to {known[-1]}"
    for (verdict,) in raw.execute(f"PRAGMA integrity_check({_MOST_PROBLEMS})"):
        if verdict != "ok":
            yield f"SQLite says: {verdict}"
    for name, read in _CHECKED.items():
        for number, row in _readable(raw, name):
            if read(row) is None:
                yield f"row {number} of {name} holds what rangedaemon never wrote"


def repair(path: Path) -> Repair:
    """
    Put a sound journal in the place of the one at *path*, with every row that can be read.

    :raises JournalLocked: a daemon runs with it.
    :raises JournalTooNew: a newer program wrote it, which has to repair it.
    :raises NotWritable: there is none.
    """
    with _held(path):
        _refuse_newer(path)
        done = Repair(_set_aside(path), path)
        fresh = path.with_name(path.name + ".repaired")
        _remove(fresh)
        opened = open_journal(fresh)
        try:
            with opened.connection.begin():
                _fill(opened, path, done)
        finally:
            opened.close()
        # A log that belongs to the old file must never be read into the new one.
        for side in _SIDES:
            path.with_name(path.name + side).unlink(missing_ok=True)
        fresh.rename(path)
        fresh.with_name(fresh.name + ".lock").unlink()
        sync_directory(path.parent)
        return done


def _fill(opened: Opened, path: Path, done: Repair) -> None:
    """Copy the rows of the first source that has any; find the part files."""
    for source in (path, *_backups(path)):
        done.source = source
        with closing(_reading(source)) as raw:
            done.jobs = _copy(raw, opened, schema.jobs, _job, lambda job: _find_part(job, done))
            done.uploads = _copy(raw, opened, schema.uploads, _upload)
            _copy(raw, opened, schema.pieces, lambda row: row)
        if done.jobs.kept or done.uploads.kept:
            break
    known = {job for (job,) in opened.connection.exec_driver_sql("SELECT id FROM jobs")}
    logs = (path.parent / "extents").glob("*.log")
    done.orphans = sorted(log.stem for log in logs if log.stem not in known)


def _copy(
    raw: sqlite3.Connection,
    opened: Opened,
    table: Table,
    read: Callable[[Row], Any],
    note: Callable[[Any], None] = lambda _: None,
) -> Kept:
    """Copy what can be read of *table*, and is what *read* takes."""
    kept = Kept()
    columns = {column.name for column in table.columns}
    for _, row in _readable(raw, table.name, kept):
        value = read(row)
        known = {name: row[name] for name in row if name in columns}
        if value is not None and _inserted(opened, table, known):
            note(value)
            kept.kept += 1
        else:
            kept.lost += 1
    return kept


def _inserted(opened: Opened, table: Table, row: Row) -> bool:
    """Whether the table takes *row*: not one whose id it has, or without what must be there."""
    try:
        with opened.connection.begin_nested():
            opened.connection.execute(insert(table), dict(row))
    except DBAPIError:
        return False
    return True


def _readable(
    raw: sqlite3.Connection, table: str, count: Kept | None = None
) -> Iterator[tuple[int, Row]]:
    """
    The rows of *table* that SQLite can read, whatever is broken beside them.

    :param count: where to count those that are there and cannot be read.
    """
    raw.row_factory = sqlite3.Row
    query = f"SELECT rowid AS rowid_, * FROM {table} NOT INDEXED WHERE rowid > ? "  # noqa: S608
    top, at, many = _highest(raw, table), 0, _BATCH
    while at < top:
        try:
            found = raw.execute(f"{query} ORDER BY rowid LIMIT {many}", (at,)).fetchall()
        except BROKEN:
            if many == 1:
                at += 1
                if count is not None and _is_there(raw, table, at):
                    count.lost += 1
            many = 1
            continue
        for row in found:
            yield row["rowid_"], {name: row[name] for name in row.keys()[1:]}
        at = found[-1]["rowid_"] if found else top
        many = _BATCH


def _is_there(raw: sqlite3.Connection, table: str, number: int) -> bool:
    """Whether a row that cannot be read is there at all, as far as an index tells."""
    with suppress(*BROKEN):
        found = raw.execute(f"SELECT count(*) FROM {table} WHERE rowid = ?", (number,))  # noqa: S608
        return bool(found.fetchone()[0])
    return True


def _highest(raw: sqlite3.Connection, table: str) -> int:
    """The last row's number, by whichever part of the file still tells."""
    found = [0]
    for query, values in (
        (f"SELECT max(rowid) FROM {table} NOT INDEXED", ()),  # noqa: S608
        ("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)),
    ):
        with suppress(*BROKEN):
            row = raw.execute(query, values).fetchone()
            found.append(row[0] or 0 if row else 0)
    return max(found)


def _job(row: Row) -> JobRecord | None:
    with suppress(JournalDamaged):
        return rows.from_row({"pushed": None, **row})
    return None


def _upload(row: Row) -> object:
    with suppress(JournalDamaged):
        return upload_rows.from_row(row)
    return None


_CHECKED: Mapping[str, Callable[[Row], object]] = {"jobs": _job, "uploads": _upload}


def _find_part(job: JobRecord, done: Repair) -> None:
    """Look for the part file of a job that is not finished."""
    if job.state in FINISHED or job.filename is None:
        return
    part = part_path(Path(job.spec.directory) / job.filename)
    (done.parts if part.exists() else done.missing).append(part)


# -- files ------------------------------------------------------------------------


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Keep daemons out, as long as this takes, and be who they are."""
    if not path.is_file():
        raise NotWritable(f"there is no journal {path}; give the daemon's state_dir")
    with as_owner(path):
        lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise JournalLocked(f"a rangedaemon runs with {path.parent}: stop it first") from error
        finally:
            os.close(lock)


def _reading(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing, the write-ahead log included."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def _refuse_newer(path: Path) -> None:
    with closing(_reading(path)) as raw, suppress(*BROKEN):
        found = raw.execute("SELECT version_num FROM alembic_version").fetchone()
        known = revisions(MIGRATIONS)
        if found is not None and str(found[0]).isdigit() and str(found[0]) > known[-1]:
            raise JournalTooNew(
                f"the journal {path} has revision {found[0]}, this program knows up to "
                f"{known[-1]}: repair it with the newer rangedaemon that wrote it"
            )


def _set_aside(path: Path) -> Path:
    """A copy of the journal and its log, as they are, under names of their own."""
    number = 1
    while (copy := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    for side in ("", *_SIDES):
        file = path.with_name(path.name + side)
        if file.exists():
            shutil.copy2(file, copy.with_name(copy.name + side))
            with copy.with_name(copy.name + side).open("rb") as written:
                os.fsync(written.fileno())
    sync_directory(path.parent)
    return copy


def _backups(path: Path) -> list[Path]:
    """Copies that migrations have left, the newest first."""
    found = path.parent.glob(f"{path.name}.rev*.bak*")
    return sorted(found, key=lambda file: file.stat().st_mtime, reverse=True)


def _remove(path: Path) -> None:
    """What a repair that was killed has left."""
    for side in ("", ".lock", *_SIDES):
        path.with_name(path.name + side).unlink(missing_ok=True)
