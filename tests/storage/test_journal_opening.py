"""Tests for `rangedaemon.storage.opening`: who may open the journal, and what is refused."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from rangedaemon.errors import (
    JournalDamaged,
    JournalLocked,
    JournalTooNew,
    NoSpace,
    NotWritable,
)
from rangedaemon.storage import opening
from rangedaemon.storage.journal import Journal
from rangedaemon.storage.migrating import configuration, upgrade
from rangedaemon.storage.opening import MIGRATIONS, revisions
from rangedaemon.storage.schema import APPLICATION_ID, metadata
from rangedaemon.storage.sqlfaults import of_system
from rangedaemon.storage.threads import inline
from tests.storage.journal_samples import JournalTestCase, OpeningTestCase, job


class NewJournalTests(JournalTestCase):
    """Tests for opening where nothing is there yet."""

    def test_private(self) -> None:
        """The directory is made for its owner alone, and so is every file in it."""
        previous = os.umask(0)
        self.addCleanup(os.umask, previous)
        journal = self.opened()
        self.now(journal.add([job(1)]))
        self.assertEqual(stat.S_IMODE(self.path.parent.stat().st_mode), 0o700)
        modes = {f.name: stat.S_IMODE(f.stat().st_mode) for f in self.path.parent.iterdir()}
        names = ("", "-wal", "-shm", ".lock")
        self.assertEqual(modes, {f"journal.sqlite{name}": 0o600 for name in names})

    def test_durable(self) -> None:
        """The journal syncs its write-ahead log at every commit."""
        pragma = self.opened()._opened.connection.connection.execute
        self.assertEqual(pragma("PRAGMA journal_mode").fetchone(), ("wal",))
        self.assertEqual(pragma("PRAGMA synchronous").fetchone(), (2,))

    def test_empty_file(self) -> None:
        """An empty file, as a crash in the first moment leaves it, becomes a journal."""
        self.path.parent.mkdir()
        self.path.touch()
        self.assertEqual(self.now(self.opened().counts()), {})


class RevisionTests(JournalTestCase):
    """Tests for `revisions` and the migrations of the package."""

    def test_agrees_with_alembic(self) -> None:
        """The ids taken from the files' names are Alembic's, in its order."""
        script = ScriptDirectory.from_config(configuration(None, MIGRATIONS))
        by_alembic = [step.revision for step in script.walk_revisions()][::-1]
        self.assertEqual(revisions(MIGRATIONS), by_alembic)

    def test_both_ways_to_the_newest(self) -> None:
        """A journal that is made new is the one that all migrations lead to, to the letter."""
        by_migrations = self.directory / "migrated.sqlite"
        engine = create_engine(f"sqlite:///{by_migrations}")
        self.addCleanup(engine.dispose)
        with engine.begin() as connection:
            upgrade(connection, MIGRATIONS)
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            self.assertEqual(compare_metadata(context, metadata), [])
        self.now(self.opened().close())
        self.assertEqual(self.described(by_migrations), self.described(self.path))

    def described(self, path: Path) -> tuple[object, ...]:
        """All that SQLite says of the structure of a database."""
        with closing(sqlite3.connect(path)) as connection:
            made = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name")
            structure = [(name, sql and " ".join(sql.split())) for name, sql in made]
            revision = connection.execute("SELECT version_num FROM alembic_version").fetchall()
            return structure, revision, connection.execute("PRAGMA application_id").fetchone()

    def test_application_id(self) -> None:
        """The file says in its header that it is a journal."""
        self.now(self.opened().close())
        header = self.path.read_bytes()[68:72]
        self.assertEqual(int.from_bytes(header, "big"), APPLICATION_ID)

    def test_new_journal_without_alembic(self) -> None:
        """A start that has nothing to migrate does not load Alembic."""
        script = (
            "import sys, pathlib; from rangedaemon.storage.opening import open_journal\n"
            "open_journal(pathlib.Path(sys.argv[1])).close(); print('alembic' in sys.modules)"
        )
        command = [sys.executable, "-c", script, self.path]
        for _ in ("new", "there already"):
            said = subprocess.run(command, capture_output=True, text=True, check=True)
            self.assertEqual(said.stdout, "False\n")


class LockTests(OpeningTestCase):
    """Tests for two daemons on one state directory."""

    def test_second_is_refused(self) -> None:
        """The second is told who has it, and the first goes on."""
        journal = self.opened()
        message = self.failing(Journal.open(self.path, in_thread=inline), JournalLocked)
        self.assertIn(f"process {os.getpid()}", message)
        self.assertIn("state_dir", message)
        self.assertEqual(len(self.now(journal.add([job(1)]))), 1)

    def test_free_after_close(self) -> None:
        """The lock goes with the close."""
        self.now(self.opened().close())
        self.assertTrue(self.opened().was_clean)

    def test_free_after_refusal(self) -> None:
        """Who was refused for another reason leaves no lock behind."""
        good = self.path.read_bytes()
        self.path.write_bytes(b"not a database, but long enough to be taken for one" * 50)
        self.refused(JournalDamaged)
        self.path.write_bytes(good)
        self.assertEqual(self.now(self.opened().counts()), {})

    def test_held_by_other_process(self) -> None:
        """The lock holds between processes too."""
        self.opened()
        script = (
            "import sys, pathlib; from rangedaemon.storage.opening import open_journal\n"
            "try: open_journal(pathlib.Path(sys.argv[1]))\n"
            "except Exception as error: print(type(error).__name__)"
        )
        said = subprocess.run(
            [sys.executable, "-c", script, self.path], capture_output=True, text=True, check=True
        )
        self.assertEqual(said.stdout, "JournalLocked\n")


class RefusalTests(OpeningTestCase):
    """Tests for journals that must not be touched."""

    def test_newer(self) -> None:
        """A journal of a revision that we don't know is a newer program's."""
        self.execute("UPDATE alembic_version SET version_num = '9999'")
        message = self.refused(JournalTooNew)
        self.assertIn("9999", message)
        self.assertIn(revisions(MIGRATIONS)[-1], message)

    def test_no_database(self) -> None:
        """A file that is no database is named, left alone, and the way out is told."""
        self.path.write_bytes(b"GIF89a" + bytes(5000))
        message = self.refused(JournalDamaged)
        self.assertIn(str(self.path), message)
        self.assertIn("move it aside", message)

    def test_other_program(self) -> None:
        """A database of another program is not taken over."""
        self.execute("PRAGMA application_id = 7")
        self.assertIn("another program", self.refused(JournalDamaged))

    def test_no_revision(self) -> None:
        """A journal that lost its revision is damaged."""
        self.execute("DELETE FROM alembic_version")
        self.assertIn("revision", self.refused(JournalDamaged))

    def test_cut(self) -> None:
        """A journal that was cut in the middle is damaged, even where its head is whole."""
        self.now(self.opened().close())
        self.execute("UPDATE meta SET value = 'no' WHERE key = 'clean'")
        self.path.write_bytes(self.path.read_bytes()[: 4096 * 4])
        self.refused(JournalDamaged)

    def test_broken_page_after_unclean_stop(self) -> None:
        """After an unclean stop all pages are looked at, not only those that a start reads."""
        journal = self.opened()
        self.now(journal.add([job(n, name="x" * 500) for n in range(200)]))
        self.now(journal.close())
        self.execute("UPDATE meta SET value = 'no' WHERE key = 'clean'")
        octets = bytearray(self.path.read_bytes())
        octets[-4096:-3000] = b"\xff" * 1096
        self.path.write_bytes(octets)
        self.refused(JournalDamaged)

    def test_broken_page_after_clean_stop(self) -> None:
        """So they are after a clean one, unless that would take long."""
        self.break_pages()
        self.refused(JournalDamaged)

    def test_broken_page_of_a_huge_journal(self) -> None:
        """Damage that no start looks for is the same fault when it is met."""
        self.break_pages()
        self.patch(opening, "_QUICK_CHECK_LIMIT", 4096)
        answer = self.opened().page(state=None, limit=500, before=None)
        self.failing(answer, JournalDamaged)

    def break_pages(self) -> None:
        """Damage those of a journal that was closed well."""
        self.now(self.opened().close())
        tables = self.path.stat().st_size // 4096
        journal = self.opened()
        self.now(journal.add([job(n, name="x" * 500) for n in range(200)]))
        self.now(journal.close())
        octets = bytearray(self.path.read_bytes())
        for page in range(tables, len(octets) // 4096):
            octets[page * 4096 : page * 4096 + 100] = b"\xff" * 100
        self.path.write_bytes(octets)


class NotWritableTests(JournalTestCase):
    """Tests for state directories that cannot be used."""

    def test_no_directory(self) -> None:
        """A file where the directory should be is told by name."""
        self.path.parent.write_text("in the way")
        message = self.failing(Journal.open(self.path, in_thread=inline), NotWritable)
        self.assertIn(str(self.path.parent), message)
        self.assertIn("state_dir", message)

    def test_without_permission(self) -> None:
        """A directory of someone else is told by name, and nothing is made in it."""
        self.directory.chmod(0o500)
        if os.geteuid() == 0:
            os.seteuid(65534)
            self.addCleanup(os.seteuid, 0)
        message = self.failing(Journal.open(self.path, in_thread=inline), NotWritable)
        self.assertIn("Permission denied", message)

    def test_read_only_file(self) -> None:
        """A journal that we may read and not write is refused at the start, not later."""
        self.now(self.opened().close())
        self.path.chmod(0o400)
        if os.geteuid() == 0:
            for path in (self.directory, self.path.parent, *self.path.parent.iterdir()):
                os.chown(path, 65534, -1)
            os.seteuid(65534)
            self.addCleanup(os.seteuid, 0)
        message = self.failing(Journal.open(self.path, in_thread=inline), NotWritable)
        self.assertIn("Permission denied", message)

    def test_full(self) -> None:
        """A disk or quota that is full is not a matter of permission."""
        for number in (28, 122, 27):
            fault = of_system(OSError(number, os.strerror(number)), self.path)
            self.assertIsInstance(fault, NoSpace)


class CleanStopTests(OpeningTestCase):
    """Tests for `Journal.was_clean`."""

    def test_new(self) -> None:
        """A new journal counts as closed cleanly."""
        self.path.unlink()
        self.assertTrue(self.opened().was_clean)

    def test_closed(self) -> None:
        """After `close` it is clean."""
        self.now(self.opened().close())
        self.assertTrue(self.opened().was_clean)

    def test_died(self) -> None:
        """Without `close`, as after SIGKILL, it is not; the next close mends that."""
        script = (
            "import sys, os, pathlib; from rangedaemon.storage.opening import open_journal\n"
            "open_journal(pathlib.Path(sys.argv[1])); os._exit(0)"
        )
        subprocess.run([sys.executable, "-c", script, self.path], check=True)
        journal = self.opened()
        self.assertFalse(journal.was_clean)
        self.now(journal.close())
        self.assertTrue(self.opened().was_clean)
