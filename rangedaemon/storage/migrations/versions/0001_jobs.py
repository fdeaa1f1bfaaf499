"""The first journal: jobs, how many there are of each state, and a few values of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

APPLICATION_ID = 0x52444A31


def upgrade() -> None:
    op.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    op.create_table(
        "jobs",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("spec", sa.Text, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("started", sa.Float),
        sa.Column("finished", sa.Float),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("retry_at", sa.Float),
        sa.Column("error", sa.Text),
        sa.Column("filename", sa.Text),
        sa.Column("remembered", sa.Text, nullable=False),
        sa.Column("accepts_ranges", sa.Boolean),
        sa.Column("covered", sa.Text, nullable=False),
        sa.Column("refetched", sa.Integer, nullable=False),
        sa.Column("changes", sa.Integer, nullable=False),
        sa.Column("verified", sa.Text),
        sa.Column("digest", sa.Text),
        sqlite_autoincrement=True,
    )
    op.create_index("jobs_by_state", "jobs", ["state", "seq"])
    op.create_index("jobs_by_turn", "jobs", ["state", sa.text("priority DESC"), "seq"])
    op.create_index("jobs_by_retry", "jobs", ["state", "retry_at", "seq"])
    op.create_index("jobs_by_name", "jobs", ["name", "seq"])
    op.create_table(
        "tally",
        sa.Column("state", sa.Text, primary_key=True),
        sa.Column("jobs", sa.Integer, nullable=False),
    )
    op.create_table(
        "meta",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    keep_tally()


def keep_tally() -> None:
    more = (
        "INSERT INTO tally (state, jobs) VALUES (new.state, 1) "
        "ON CONFLICT (state) DO UPDATE SET jobs = jobs + 1;"
    )
    less = "UPDATE tally SET jobs = jobs - 1 WHERE state = old.state;"
    op.execute(f"CREATE TRIGGER jobs_added AFTER INSERT ON jobs BEGIN {more} END")
    op.execute(f"CREATE TRIGGER jobs_removed AFTER DELETE ON jobs BEGIN {less} END")
    op.execute(
        "CREATE TRIGGER jobs_moved AFTER UPDATE OF state ON jobs "
        f"WHEN old.state <> new.state BEGIN {less} {more} END"
    )
