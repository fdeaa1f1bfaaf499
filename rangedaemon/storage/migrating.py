"""Running the migrations with a connection that is there already, without ``alembic.ini``."""

from __future__ import annotations

import logging
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


def upgrade(connection: Connection, migrations: Path) -> None:
    """Bring the journal to the newest revision, within the caller's transaction."""
    # One line per step at level INFO says nothing to whoever runs a daemon.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    command.upgrade(configuration(connection, migrations), "head")


def configuration(connection: Connection | None, migrations: Path) -> Config:
    """What ``alembic.ini`` would say."""
    config = Config()
    # Config reads its values with % interpolation.
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
