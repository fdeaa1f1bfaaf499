"""
The journal's tables, as the newest migration leaves them.

Only what a query asks for is a column of its own and indexed; the wishes of a job
are one JSON text, so that a new wish with a default needs no migration.

A new journal is made from here, an older one is brought here by the migrations; a
test holds that both ways end at the same tables.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    insert,
)

APPLICATION_ID = 0x52444A31
"""``RDJ1`` in the file's header: tells our journal from any other SQLite file."""

metadata = MetaData()

jobs = Table(
    "jobs",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("state", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("name", Text),
    Column("spec", Text, nullable=False),
    Column("created", Float, nullable=False),
    Column("started", Float),
    Column("finished", Float),
    Column("attempts", Integer, nullable=False),
    Column("retry_at", Float),
    Column("error", Text),
    Column("filename", Text),
    Column("remembered", Text, nullable=False),
    Column("accepts_ranges", Boolean),
    Column("covered", Text, nullable=False),
    Column("refetched", Integer, nullable=False),
    Column("changes", Integer, nullable=False),
    Column("verified", Text),
    Column("digest", Text),
    Column("pushed", Text),
    Column("parent", Text),
    Column("mirrored", Text),
    # A number once given is never given again, or a cursor could skip a newer job.
    sqlite_autoincrement=True,
)

Index("jobs_by_state", jobs.c.state, jobs.c.seq)
Index("jobs_by_turn", jobs.c.state, jobs.c.priority.desc(), jobs.c.seq)
# A page less to write for each job that has none of it, as nearly every new one.
Index(
    "jobs_by_retry",
    jobs.c.state,
    jobs.c.retry_at,
    jobs.c.seq,
    sqlite_where=jobs.c.retry_at.is_not(None),
)
Index("jobs_by_name", jobs.c.name, jobs.c.seq, sqlite_where=jobs.c.name.is_not(None))
_CHILDREN = jobs.c.parent.is_not(None)
Index("jobs_by_parent", jobs.c.parent, jobs.c.seq, sqlite_where=_CHILDREN)
Index("jobs_by_family", jobs.c.parent, jobs.c.state, jobs.c.finished, sqlite_where=_CHILDREN)

tally = Table(
    "tally",
    metadata,
    Column("state", Text, primary_key=True),
    Column("jobs", Integer, nullable=False),
)
"""How many jobs are in each state, kept by triggers: counting 100,000 rows takes too long."""

uploads = Table(
    "uploads",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("mount", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("wish", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("length", Integer),
    Column("reserved", Integer, nullable=False),
    Column("arrived", Text, nullable=False),
    Column("created", Float, nullable=False),
    Column("expires", Float, nullable=False),
    Column("path", Text),
)

Index("uploads_by_expiry", uploads.c.state, uploads.c.expires, uploads.c.seq)
Index("uploads_by_mount", uploads.c.mount, uploads.c.state, uploads.c.seq)

upload_tally = Table(
    "upload_tally",
    metadata,
    Column("mount", Text, primary_key=True),
    Column("owner", Text, primary_key=True),
    Column("unfinished", Integer, nullable=False),
    Column("octets", Integer, nullable=False),
)
"""What counts against quotas, kept by triggers, so that no number of uploads makes it slow."""

pieces = Table(
    "pieces",
    metadata,
    Column("job", Text, primary_key=True),
    Column("algorithm", Text, nullable=False),
    Column("length", Integer, nullable=False),
    Column("hashes", LargeBinary, nullable=False),
)
"""What the pieces of a job's file hash to (`storage.piecerows`)."""

meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

_ONE_MORE = (
    "INSERT INTO tally (state, jobs) VALUES (new.state, 1) "
    "ON CONFLICT (state) DO UPDATE SET jobs = jobs + 1;"
)
_ONE_LESS = "UPDATE tally SET jobs = jobs - 1 WHERE state = old.state;"

_ON = {
    "jobs_added": f"AFTER INSERT ON jobs BEGIN {_ONE_MORE} END",
    "jobs_removed": f"AFTER DELETE ON jobs BEGIN {_ONE_LESS} END",
    "jobs_moved": "AFTER UPDATE OF state ON jobs WHEN old.state <> new.state "
    f"BEGIN {_ONE_LESS} {_ONE_MORE} END",
}

_ON_UPLOADS = {
    "uploads_added": """AFTER INSERT ON uploads BEGIN
        INSERT INTO upload_tally (mount, owner, unfinished, octets)
        VALUES (new.mount, new.owner, new.state IN ('open', 'publishing'), new.reserved)
        ON CONFLICT (mount, owner) DO UPDATE SET
        unfinished = unfinished + excluded.unfinished, octets = octets + excluded.octets; END""",
    "uploads_removed": """AFTER DELETE ON uploads BEGIN
        UPDATE upload_tally SET octets = octets - old.reserved,
        unfinished = unfinished - (old.state IN ('open', 'publishing'))
        WHERE mount = old.mount AND owner = old.owner; END""",
    "uploads_moved": """AFTER UPDATE OF state, reserved ON uploads BEGIN
        UPDATE upload_tally SET octets = octets - old.reserved + new.reserved,
        unfinished = unfinished - (old.state IN ('open', 'publishing'))
        + (new.state IN ('open', 'publishing'))
        WHERE mount = old.mount AND owner = old.owner; END""",
}

alembic_version = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""Alembic's own table: the revision that the tables are at."""


def create(connection: Connection, revision: str) -> None:
    """
    Make all tables in an empty file and say that they are at *revision*.

    Running all migrations would do as well, but a daemon would carry Alembic in its
    memory ever after.
    """
    connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
    metadata.create_all(connection, checkfirst=False)
    for name, rule in (_ON | _ON_UPLOADS).items():
        connection.exec_driver_sql(f"CREATE TRIGGER {name} {rule}")
    alembic_version.create(connection)
    connection.execute(insert(alembic_version), {"version_num": revision})
