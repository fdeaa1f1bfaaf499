"""
Opening the journal: who may, and whether what is there can be trusted.

In this order, each step refusing before the next one could hurt: the directory, the
lock, the file's header, its revision, its integrity, a backup, the migration.
Blocking; `rangedaemon.storage.journal` calls it in its thread.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import StaticPool

from rangedaemon.errors import JournalLocked, JournalTooNew
from rangedaemon.storage.partfile import sync_directory
from rangedaemon.storage.schema import APPLICATION_ID, create
from rangedaemon.storage.sqlfaults import damaged, named_faults

MIGRATIONS = Path(__file__).parent / "migrations"
JOURNAL_FILE = "journal.sqlite"
"""In the state directory."""

_BUSY_SECONDS = 5
_WHOLE_CHECK_LIMIT = 256 << 20
"""Octets up to which a check after an unclean stop takes under a second or two."""
_QUICK_CHECK_LIMIT = 16 << 20
"""Octets up to which it takes too little to be left out after a clean stop."""

_SET_META = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = ?"


@dataclass(frozen=True)
class Opened:
    """An open journal: the one connection to it and the lock that keeps others out."""

    path: Path
    engine: Engine
    connection: Connection
    lock: int
    was_clean: bool
    """Whether the one before us closed it; a new journal counts as closed."""

    def close(self) -> None:
        """Mark it as closed cleanly, fold the write-ahead log in, give the lock back."""
        try:
            with named_faults(self.path), self.connection.begin():
                _mark(self.connection, clean=True)
        finally:
            # The last connection to close checkpoints the log and removes it.
            self.connection.close()
            self.engine.dispose()
            os.close(self.lock)


def open_journal(path: Path, migrations: Path = MIGRATIONS) -> Opened:
    """
    Open the journal at *path*, making or migrating it where that is due.

    :raises NotWritable: its directory or file is not ours to write.
    :raises NoSpace: no room to make or migrate it.
    :raises JournalLocked: another daemon has this directory.
    :raises JournalTooNew: a newer program wrote it.
    :raises JournalDamaged: it is broken, or no journal of ours.
    """
    with named_faults(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = _take_lock(path)
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            sync_directory(path.parent)
            return _open_locked(path, lock, migrations)
        except BaseException:
            os.close(lock)
            raise


def _take_lock(path: Path) -> int:
    """The kernel drops the lock with the process, however that ends."""
    lock_path = path.with_name(path.name + ".lock")
    lock = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(lock)
        raise JournalLocked(
            f"another rangedaemon (process {holder}) uses the state directory {path.parent}; "
            "stop it, or give this one a state_dir of its own"
        ) from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, b"%d\n" % os.getpid(), 0)
    return lock


def _open_locked(path: Path, lock: int, migrations: Path) -> Opened:
    engine = _engine(path)
    connection = engine.connect()
    try:
        was_clean = _prepare(connection, path, migrations)
    except BaseException:
        connection.close()
        engine.dispose()
        raise
    return Opened(path, engine, connection, lock, was_clean)


def _engine(path: Path) -> Engine:
    engine = create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(
            path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        ),
        poolclass=StaticPool,
    )
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    # The driver's own implicit BEGIN comes too late for DDL and savepoints; a statement of
    # SQLAlchemy's would cost more than all that SQLite does for a job that is posted alone.
    driver(connection).execute("BEGIN")


def _prepare(connection: Connection, path: Path, migrations: Path) -> bool:
    raw = driver(connection)
    known = revisions(migrations)
    revision = _recognise(raw, path, known)
    was_clean = revision is None or _was_clean(raw)
    _check(raw, path, _QUICK_CHECK_LIMIT if was_clean else _WHOLE_CHECK_LIMIT)
    raw.execute("PRAGMA journal_mode = WAL")
    raw.execute("PRAGMA synchronous = FULL")
    raw.execute("PRAGMA journal_size_limit = 16777216")
    raw.execute("PRAGMA wal_autocheckpoint = 4000")
    if revision is not None and revision != known[-1]:
        back_up(raw, path, revision)
        _migrate(connection, migrations)
    with connection.begin():
        if revision is None:
            create(connection, known[-1])
        _mark(connection, clean=False)
    return was_clean


def driver(connection: Connection) -> sqlite3.Connection:
    """What *connection* speaks to SQLite by, for the few statements that are run for each job."""
    raw: Any = connection.connection.dbapi_connection
    assert isinstance(raw, sqlite3.Connection)  # noqa: S101 - for mypy; ours since _engine
    return raw


def revisions(migrations: Path) -> list[str]:
    """
    The ids of all migrations, oldest first, by the names of their files.

    Alembic would tell as well, but importing it costs a start that has nothing to migrate.
    """
    return sorted(file.name[:4] for file in (migrations / "versions").glob("[0-9]*_*.py"))


def _recognise(raw: sqlite3.Connection, path: Path, known: list[str]) -> str | None:
    """The journal's revision, None where it is empty still."""
    tables = {name for (name,) in raw.execute("SELECT name FROM sqlite_master")}
    if not tables:
        return None
    (application,) = raw.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID or "alembic_version" not in tables:
        raise damaged(path, "it is a database of another program")
    row = raw.execute("SELECT version_num FROM alembic_version").fetchone()
    if row is None:
        raise damaged(path, "it does not say its revision")
    revision = str(row[0])
    if revision not in known:
        raise JournalTooNew(
            f"the journal {path} has revision {revision}, this program knows up to {known[-1]}: "
            "run the newer rangedaemon that wrote it, or put back the backup beside it"
        )
    return revision


def _was_clean(raw: sqlite3.Connection) -> bool:
    row = raw.execute("SELECT value FROM meta WHERE key = 'clean'").fetchone()
    return row is not None and row[0] == "yes"


def _mark(connection: Connection, *, clean: bool) -> None:
    value = "yes" if clean else "no"
    connection.exec_driver_sql(_SET_META, ("clean", value, value))


def _check(raw: sqlite3.Connection, path: Path, most: int) -> None:
    """
    Look through a file of at most *most* octets.

    A clean stop leaves nothing half done, but a disk may break at any time, and a daemon
    that starts and then cannot start a job helps nobody.  A huge journal takes long to
    read; its damage is found by whoever reads the damaged page, as the same fault.
    """
    if path.stat().st_size <= most:
        (verdict,) = raw.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise damaged(path, str(verdict))


def back_up(raw: sqlite3.Connection, path: Path, revision: str) -> Path:
    """A whole copy of the journal beside it, named by its revision; it never replaces one."""
    target = _free_name(path.with_name(f"{path.name}.rev{revision}.bak"))
    descriptor = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with closing(sqlite3.connect(target)) as copy:
            raw.backup(copy)
        os.fsync(descriptor)
    except BaseException:
        target.unlink()
        raise
    finally:
        os.close(descriptor)
    sync_directory(path.parent)
    return target


def _free_name(wanted: Path) -> Path:
    name, number = wanted, 1
    while name.exists():
        name, number = wanted.with_name(f"{wanted.name}.{number}"), number + 1
    return name


def _migrate(connection: Connection, migrations: Path) -> None:
    # Some 12 MB of memory that only few starts need.
    from rangedaemon.storage.migrating import upgrade  # noqa: PLC0415

    with connection.begin():
        upgrade(connection, migrations)
