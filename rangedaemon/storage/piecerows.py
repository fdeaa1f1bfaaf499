"""
The hashes of a job's pieces, in a table of their own.

They may be a megabyte, and never change once they are known, while a job's row is
written with every checkpoint: SQLite writes a row as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlalchemy import Connection, bindparam, delete, insert, select

from rangedaemon.core.jobs import JobRecord
from rangedaemon.core.pieces import Pieces
from rangedaemon.storage.schema import pieces

_PUT = insert(pieces).prefix_with("OR REPLACE")
_GET = select(pieces).where(pieces.c.job.in_(bindparam("of_jobs", expanding=True)))
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


def with_pieces(connection: Connection, records: Sequence[JobRecord]) -> list[JobRecord]:
    """*records* with the hashes that are kept for them."""
    if not records:
        return []
    rows = connection.execute(_GET, {"of_jobs": [record.id for record in records]})
    known = {row.job: Pieces(row.algorithm, row.length, row.hashes.hex()) for row in rows}
    return [
        replace(record, spec=replace(record.spec, pieces=known[record.id]))
        if record.id in known
        else record
        for record in records
    ]


def drop(connection: Connection, job_id: str) -> None:
    """Forget them with their job."""
    connection.execute(_DROP, {"of_job": job_id})
