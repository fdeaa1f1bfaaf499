"""What an upload must not forget: the local file that it is of, and its place at the server."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("pushed", sa.Text))
