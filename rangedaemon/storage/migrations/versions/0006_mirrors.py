"""Which mirror a job belongs to, and what became of a mirror's latest round."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

CHILDREN = sa.text("parent IS NOT NULL")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("parent", sa.Text))
    op.add_column("jobs", sa.Column("mirrored", sa.Text))
    op.create_index("jobs_by_parent", "jobs", ["parent", "seq"], sqlite_where=CHILDREN)
    op.create_index(
        "jobs_by_family", "jobs", ["parent", "state", "finished"], sqlite_where=CHILDREN
    )
