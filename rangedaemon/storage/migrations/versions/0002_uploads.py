"""Uploads that arrive, and what they take of quotas."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "uploads",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("mount", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("wish", sa.Text, nullable=False),
        sa.Column("file", sa.Text, nullable=False),
        sa.Column("length", sa.Integer),
        sa.Column("reserved", sa.Integer, nullable=False),
        sa.Column("arrived", sa.Text, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("expires", sa.Float, nullable=False),
        sa.Column("path", sa.Text),
    )
    op.create_index("uploads_by_expiry", "uploads", ["state", "expires", "seq"])
    op.create_index("uploads_by_mount", "uploads", ["mount", "state", "seq"])
    op.create_table(
        "upload_tally",
        sa.Column("mount", sa.Text, primary_key=True),
        sa.Column("owner", sa.Text, primary_key=True),
        sa.Column("unfinished", sa.Integer, nullable=False),
        sa.Column("octets", sa.Integer, nullable=False),
    )
    keep_tally()


def keep_tally() -> None:
    op.execute(
        """CREATE TRIGGER uploads_added AFTER INSERT ON uploads BEGIN
        INSERT INTO upload_tally (mount, owner, unfinished, octets)
        VALUES (new.mount, new.owner, new.state IN ('open', 'publishing'), new.reserved)
        ON CONFLICT (mount, owner) DO UPDATE SET
        unfinished = unfinished + excluded.unfinished, octets = octets + excluded.octets; END"""
    )
    op.execute(
        """CREATE TRIGGER uploads_removed AFTER DELETE ON uploads BEGIN
        UPDATE upload_tally SET octets = octets - old.reserved,
        unfinished = unfinished - (old.state IN ('open', 'publishing'))
        WHERE mount = old.mount AND owner = old.owner; END"""
    )
    op.execute(
        """CREATE TRIGGER uploads_moved AFTER UPDATE OF state, reserved ON uploads BEGIN
        UPDATE upload_tally SET octets = octets - old.reserved + new.reserved,
        unfinished = unfinished - (old.state IN ('open', 'publishing'))
        + (new.state IN ('open', 'publishing'))
        WHERE mount = old.mount AND owner = old.owner; END"""
    )
