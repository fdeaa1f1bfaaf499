"""Jobs without a name, and those that wait for no hour, are left out of two indexes.

Nearly every new job is such a one, and each index is a page more to write and sync.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.drop_index("jobs_by_retry", "jobs")
    op.drop_index("jobs_by_name", "jobs")
    op.create_index(
        "jobs_by_retry",
        "jobs",
        ["state", "retry_at", "seq"],
        sqlite_where=sa.text("retry_at IS NOT NULL"),
    )
    op.create_index(
        "jobs_by_name", "jobs", ["name", "seq"], sqlite_where=sa.text("name IS NOT NULL")
    )
