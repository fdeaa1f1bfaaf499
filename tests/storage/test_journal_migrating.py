"""Tests for bringing an older journal forward, and for refusing a newer one."""

from __future__ import annotations

import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

from rangedaemon.core.jobs import JobState
from rangedaemon.errors import JournalTooNew
from rangedaemon.storage.journal import Journal
from rangedaemon.storage.opening import MIGRATIONS, open_journal, revisions
from rangedaemon.storage.threads import inline
from tests.storage.journal_samples import OpeningTestCase, job

NEWEST = revisions(MIGRATIONS)[-1]
NEXT = f"{int(NEWEST) + 1:04}"
FURTHER = f"""
from alembic import op
revision = "{NEXT}"
down_revision = "{NEWEST}"
def upgrade():
    op.execute("ALTER TABLE jobs ADD COLUMN colour TEXT")
    {{then}}
"""
BACKUP = f"journal.sqlite.rev{NEWEST}.bak"


class MigrationTests(OpeningTestCase):
    """Tests for bringing an older journal forward."""

    def setUp(self) -> None:
        super().setUp()
        self.migrations = self.directory / "migrations"
        shutil.copytree(MIGRATIONS, self.migrations)

    def add_further(self, then: str) -> None:
        """Make a newer program, whose further migration does *then* at its end."""
        script = self.migrations / "versions" / f"{NEXT}_colour.py"
        script.write_text(FURTHER.format(then=then))

    def columns(self, path: Path) -> list[str]:
        """The columns of ``jobs``."""
        with closing(sqlite3.connect(path)) as connection:
            return [row[1] for row in connection.execute("PRAGMA table_info(jobs)")]

    def test_forward_with_backup(self) -> None:
        """The jobs are there after it, and the journal as it was lies beside it."""
        journal = self.opened()
        self.now(journal.add([job(1, state=JobState.PAUSED)]))
        self.now(journal.close())
        self.add_further("pass")
        open_journal(self.path, self.migrations).close()
        self.assertIn("colour", self.columns(self.path))
        backup = self.path.with_name(BACKUP)
        self.assertNotIn("colour", self.columns(backup))
        self.assertEqual(stat.S_IMODE(backup.stat().st_mode), 0o600)
        self.path = backup
        self.assertEqual(self.now(self.opened().counts()), {JobState.PAUSED: 1})

    def test_back_is_refused(self) -> None:
        """The old program on the new journal is told to find the new one or the backup."""
        self.add_further("pass")
        open_journal(self.path, self.migrations).close()
        self.assertIn(NEXT, self.refused(JournalTooNew))

    def test_backup_is_never_replaced(self) -> None:
        """An older backup of the same revision stays."""
        older = self.path.with_name(BACKUP)
        older.write_bytes(b"precious")
        self.add_further("pass")
        open_journal(self.path, self.migrations).close()
        self.assertEqual(older.read_bytes(), b"precious")
        self.assertNotIn("colour", self.columns(older.with_name(older.name + ".1")))

    def test_failing_step_changes_nothing(self) -> None:
        """A migration that fails in its middle leaves the journal at its old revision."""
        self.add_further("raise RuntimeError('no')")
        self.assertRaises(RuntimeError, open_journal, self.path, self.migrations)
        self.assertNotIn("colour", self.columns(self.path))
        self.assertEqual(self.now(self.opened().counts()), {})

    def test_quiet(self) -> None:
        """A migration logs nothing that a daemon's log would show."""
        self.add_further("pass")
        with self.assertNoLogs("alembic"):
            open_journal(self.path, self.migrations).close()
        self.assertIn("colour", self.columns(self.path))

    def test_percent_in_path(self) -> None:
        """A state directory and migrations under a name with ``%`` in it are fine."""
        self.add_further("pass")
        odd = self.migrations.rename(self.directory / "100%s")
        self.path = self.path.parent.rename(self.directory / "50%(x)s") / self.path.name
        journal = self.now(Journal.open(self.path, in_thread=inline, migrations=odd))
        self.now(journal.close())
        self.assertIn("colour", self.columns(self.path))
