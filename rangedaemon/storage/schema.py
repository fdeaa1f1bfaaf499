"""
The journal's tables, as the newest migration leaves them.

Only what a query asks for is a column of its own and indexed; the wishes of a job
are one JSON text, so that a new wish with a default needs no migration.  The
migrations create the tables; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, Integer, MetaData, Table, Text

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
