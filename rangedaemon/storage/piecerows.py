"""
The hashes of a job's pieces, in a table of their own.

They may be a megabyte, and never change once they are known, while a job's row is
written with every checkpoint: SQLite writes a row as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sqlalchemy import Connection, bindparam, delete, insert, select

from rangedaemon.core.jobs import JobRecord
from rangedaemon.core.pieces import Pieces
from rangedaemon.storage.schema import pieces

_PUT = insert(pieces).prefix_with("OR REPLACE")
_GET = select(pieces).where(pieces.c.job == bindparam("of_job"))
_DROP = delete(pieces).where(pieces.c.job == bindparam("of_job"))


def put(connection: Connection, records: Iterable[JobRecord]) -> None:
    """Keep the hashes that *records* carry, in place of older ones; none deletes nothing."""
    rows = [_row(record.id, record.spec.pieces) for record in records if record.spec.pieces]
    if rows:
        connection.execute(_PUT, rows)


def _row(job_id: str, known: Pieces) -> dict[str, object]:
    hashes = bytes.fromhex(known.hashes)
    return {
        "job": job_id,
        "algorithm": known.algorithm,
        "length": known.length,
        "hashes": hashes,
    }


def with_pieces(connection: Connection, record: JobRecord) -> JobRecord:
    """*record* with the hashes that are kept for it."""
    row = connection.execute(_GET, {"of_job": record.id}).first()
    if row is None:
        return record
    known = Pieces(row.algorithm, row.length, row.hashes.hex())
    return replace(record, spec=replace(record.spec, pieces=known))


def drop(connection: Connection, job_id: str) -> None:
    """Forget them with their job."""
    connection.execute(_DROP, {"of_job": job_id})
