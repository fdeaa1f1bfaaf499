"""The hashes of pieces apart from the jobs, whose rows are written every second.

Hashes that an older journal has among a job's wishes are read there, and move with the
next change of that job.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "pieces",
        sa.Column("job", sa.Text, primary_key=True),
        sa.Column("algorithm", sa.Text, nullable=False),
        sa.Column("length", sa.Integer, nullable=False),
        sa.Column("hashes", sa.LargeBinary, nullable=False),
    )
