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
    # A number once given is never given again, or a cursor could skip a newer job.
    sqlite_autoincrement=True,
)

Index("jobs_by_state", jobs.c.state, jobs.c.seq)
Index("jobs_by_turn", jobs.c.state, jobs.c.priority.desc(), jobs.c.seq)
Index("jobs_by_retry", jobs.c.state, jobs.c.retry_at, jobs.c.seq)
Index("jobs_by_name", jobs.c.name, jobs.c.seq)

tally = Table(
    "tally",
    metadata,
    Column("state", Text, primary_key=True),
    Column("jobs", Integer, nullable=False),
)
"""How many jobs are in each state, kept by triggers: counting 100,000 rows takes too long."""

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
    for name, rule in _ON.items():
        connection.exec_driver_sql(f"CREATE TRIGGER {name} {rule}")
    alembic_version.create(connection)
    connection.execute(insert(alembic_version), {"version_num": revision})
