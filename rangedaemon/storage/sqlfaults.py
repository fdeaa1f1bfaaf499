"""
SQLite's error codes in the words of `rangedaemon.errors`.

The only place that knows them (https://www.sqlite.org/rescode.html).
"""

from __future__ import annotations

import errno
import os
import resource
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from rangedaemon.errors import JournalDamaged, JournalLocked, NoSpace, NotWritable, StorageFault

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""No space on the disk, in the quota, under the limit of file sizes."""

BROKEN = (sqlite3.DatabaseError, UnicodeDecodeError)
"""What reading a damaged journal raises: where names are no text any more the standard library
fails to decode what SQLite says of them."""

REFUSALS = (DBAPIError, sqlite3.Error)
"""What a statement raises: by SQLAlchemy, or by the driver itself."""

NO_TEXT = "what should be text in it is none"

_PROBE = bytes(1 << 16)
_FRAME = 24 + 4096
"""What one page adds to the write-ahead log."""


@contextmanager
def named_faults(path: Path) -> Iterator[None]:
    """Turn what the system or SQLite raises about the journal at *path* into our faults."""
    try:
        yield
    except OSError as error:
        raise of_system(error, path) from error
    except DBAPIError as error:
        raise of_sqlite(error.orig, path) from error
    except sqlite3.Error as error:
        raise of_sqlite(error, path) from error
    except UnicodeDecodeError as error:
        raise damaged(path, NO_TEXT) from error


def of_system(error: OSError, path: Path) -> StorageFault:
    """The fault for what the system said of *path* or its directory."""
    if error.errno in FULL:
        return _no_space(path)
    return NotWritable(
        f"cannot use {error.filename or path}: {error.strerror}; "
        "let the daemon's user write there, or set another state_dir"
    )


def of_sqlite(error: BaseException | None, path: Path) -> StorageFault:
    """The fault for what SQLite said of the journal at *path*."""
    # The low octet is the primary code; the rest says more than we tell apart.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(path)):
        return _no_space(path)
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return damaged(path, str(error))
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return NotWritable(
            f"cannot write the journal {path}: {error}; let the daemon's user write it and its "
            "directory, or set another state_dir"
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return JournalLocked(
            f"another program holds the journal {path} ({error}); end it, then try again"
        )
    return StorageFault(f"the journal {path} failed: {error}; see the system's log for disk errors")


def damaged(path: Path, what: str) -> JournalDamaged:
    """The fault of a journal that is broken, or none."""
    return JournalDamaged(
        f"{path} is not a journal of rangedaemon, or it is damaged: {what}. It was left as it is; "
        "rangectl journal check looks closer, rangectl journal repair keeps what can be kept; or "
        "put a backup in its place, or move it aside to start with an empty one"
    )


def _no_space(path: Path) -> NoSpace:
    return NoSpace(
        f"no space left for the journal {path}: free some on its disk, or raise the quota or "
        "file-size limit of the daemon's user"
    )


def _is_full(path: Path) -> bool:
    """
    Whether writing fails for want of space.

    SQLite tells ENOSPC apart, but hides EDQUOT and EFBIG behind the same code as a
    broken disk, so we look for ourselves.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if limit != resource.RLIM_INFINITY and _largest(path) + _FRAME > limit:
        return True
    try:
        with tempfile.TemporaryFile(dir=path.parent) as probe:
            os.pwrite(probe.fileno(), _PROBE, 0)
            os.fsync(probe.fileno())
    except OSError as error:
        return error.errno in FULL
    return False


def _largest(path: Path) -> int:
    files = (path, path.with_name(path.name + "-wal"))
    return max((file.stat().st_size for file in files if file.exists()), default=0)
