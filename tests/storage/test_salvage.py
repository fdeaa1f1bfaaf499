"""Checking and repairing damaged journals: what is kept, and that nothing is thrown away."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest

from rangedaemon.core.jobs import JobState
from rangedaemon.errors import JournalDamaged, JournalLocked, JournalTooNew, NotWritable
from rangedaemon.storage.opening import open_journal
from rangedaemon.storage.salvage import check, repair
from tests.storage.journal_samples import JournalTestCase, job

PAGE = 4096
NOBODY = 65534


class SalvageCase(JournalTestCase):
    """A journal with jobs, closed."""

    count = 300

    def setUp(self) -> None:
        """Fill it."""
        super().setUp()
        journal = self.opened()
        self.records = self.now(journal.add([job(number) for number in range(1, self.count + 1)]))
        self.now(journal.close())
        self.pristine = self.path.read_bytes()

    def pages_of(self, kind: bytes) -> list[int]:
        """The numbers of pages that begin with that octet (13: leaves of tables)."""
        octets = self.path.read_bytes()
        return [n for n in range(1, len(octets) // PAGE) if octets[n * PAGE : n * PAGE + 1] == kind]

    def break_page(self, number: int) -> None:
        """Overwrite a page with nonsense."""
        with self.path.open("r+b") as file:
            file.seek(number * PAGE)
            file.write(b"\xff" * PAGE)

    def execute(self, statement: str, *values: object) -> None:
        """Run one statement on the closed journal."""
        with closing(sqlite3.connect(self.path)) as raw, raw:
            raw.execute(statement, values)

    def jobs(self) -> list[Any]:
        """The jobs of the journal, oldest first, and all of its invariants hold."""
        self.assertEqual(check(self.path), [])
        journal = self.opened()
        page = self.now(journal.page(state=None, limit=10_000, before=None))
        counts = self.now(journal.counts())
        self.assertEqual(sum(counts.values()), len(page))
        self.now(journal.close())
        return sorted(page, key=lambda each: each.seq)


class CheckTests(SalvageCase):
    """`check`."""

    def test_sound(self) -> None:
        """Nothing is wrong, and nothing is changed."""
        before = self.path.read_bytes()
        self.assertEqual(check(self.path), [])
        self.assertEqual(self.path.read_bytes(), before)

    def test_broken_page(self) -> None:
        """What SQLite finds is told."""
        self.break_page(self.pages_of(b"\x0d")[-1])
        self.assertTrue(check(self.path))

    def test_strange_row(self) -> None:
        """Rows that SQLite finds sound and we did not write."""
        self.execute("UPDATE jobs SET covered = 'x' WHERE seq = 5")
        self.assertEqual(check(self.path), ["row 5 of jobs holds what rangedaemon never wrote"])

    def test_no_database(self) -> None:
        """Something else."""
        self.path.write_bytes(b"no database" * 1000)
        (problem,) = check(self.path)
        self.assertIn("not a database", problem)

    def test_other_program(self) -> None:
        """A database of another program."""
        self.execute("PRAGMA application_id = 5")
        (problem,) = check(self.path)
        self.assertIn("another program", problem)

    def test_in_use(self) -> None:
        """A daemon runs with it: neither is done."""
        opened = open_journal(self.path)
        self.assertRaises(JournalLocked, check, self.path)
        self.assertRaises(JournalLocked, repair, self.path)
        opened.close()

    def test_none(self) -> None:
        """There is none, and none is made."""
        other = self.path.with_name("other")
        self.assertRaises(NotWritable, check, other)
        self.assertEqual(list(self.path.parent.glob("other*")), [])


class RepairTests(SalvageCase):
    """`repair`."""

    def test_sound(self) -> None:
        """A sound one keeps all, the order too; the copy is what was there."""
        before = self.path.read_bytes()
        done = repair(self.path)
        self.assertEqual((done.jobs.kept, done.jobs.lost), (self.count, 0))
        self.assertEqual(done.backup.read_bytes(), before)
        self.assertEqual(self.jobs(), self.records)

    def test_broken_leaf(self) -> None:
        """One page of a table: its rows are lost and counted, all others are kept."""
        self.break_page(self.pages_of(b"\x0d")[-2])
        done = repair(self.path)
        kept = self.jobs()
        self.assertEqual((len(kept), done.source), (done.jobs.kept, self.path))
        self.assertGreater(len(kept), self.count * 0.8)
        self.assertLess(len(kept), self.count)
        self.assertEqual(done.jobs.kept + done.jobs.lost, self.count)
        by_id = {each.id: each for each in self.records}
        self.assertTrue(all(by_id[each.id] == each for each in kept))

    def test_broken_index(self) -> None:
        """Pages of indexes: nothing is lost."""
        for number in self.pages_of(b"\x0a"):
            self.break_page(number)
        self.assertTrue(check(self.path))
        self.assertEqual(repair(self.path).jobs.kept, self.count)
        self.assertEqual(self.jobs(), self.records)

    def test_strange_row(self) -> None:
        """A row that we did not write is left behind."""
        self.execute("UPDATE jobs SET spec = '{}' WHERE seq = 5")
        done = repair(self.path)
        self.assertEqual((done.jobs.kept, done.jobs.lost), (self.count - 1, 1))
        self.assertNotIn(5, [each.seq for each in self.jobs()])

    def test_unreadable(self) -> None:
        """Nothing can be read and there is no backup: an empty journal, and the copy."""
        self.path.write_bytes(b"no database" * 1000)
        done = repair(self.path)
        self.assertEqual((done.jobs.kept, self.jobs()), (0, []))
        self.assertEqual(done.backup.read_bytes(), b"no database" * 1000)

    def test_backup(self) -> None:
        """Nothing can be read, but a migration has left a copy: its jobs are kept."""
        backup = self.path.with_name(self.path.name + ".rev0001.bak")
        backup.write_bytes(self.path.read_bytes())
        self.path.write_bytes(b"no database" * 1000)
        self.assertEqual(repair(self.path).source, backup)
        self.assertEqual(self.jobs(), self.records)

    def test_parts(self) -> None:
        """Part files of unfinished jobs are named, those that are there and those that are not."""
        journal = self.opened()
        place = self.directory / "downloads"
        place.mkdir()
        for number, state in ((1, JobState.PAUSED), (2, JobState.QUEUED), (3, JobState.COMPLETE)):
            record = self.records[number - 1]
            spec = replace(record.spec, directory=str(place))
            self.now(journal.save(replace(record, spec=spec, state=state, filename=f"f{number}")))
        self.now(journal.close())
        (place / "f1.part").touch()
        extents = self.path.parent / "extents"
        extents.mkdir()
        for name in (f"{1:016x}", "feedfeedfeedfeed"):
            (extents / f"{name}.log").touch()
        done = repair(self.path)
        self.assertEqual((done.parts, done.missing), ([place / "f1.part"], [place / "f2.part"]))
        self.assertEqual(done.orphans, ["feedfeedfeedfeed"])

    def test_killed_before(self) -> None:
        """What a repair that was killed has left is no hindrance; each copy has its own name."""
        self.path.with_name(self.path.name + ".repaired").write_bytes(b"half")
        first = repair(self.path)
        second = repair(self.path)
        self.assertNotEqual(first.backup, second.backup)
        self.assertEqual(list(self.path.parent.glob("*.repaired*")), [])

    def test_newer(self) -> None:
        """The journal of a newer program is for that to repair."""
        self.execute("UPDATE alembic_version SET version_num = '9999'")
        before = self.path.read_bytes()
        self.assertRaises(JournalTooNew, repair, self.path)
        self.assertEqual(self.path.read_bytes(), before)

    def test_unfolded_log(self) -> None:
        """What only the write-ahead log of a killed daemon holds is kept too."""
        opened = open_journal(self.path)
        with opened.connection.begin():
            opened.connection.exec_driver_sql("UPDATE jobs SET attempts = 9 WHERE seq = 7")
        sides = {side: Path(f"{self.path}{side}").read_bytes() for side in ("", "-wal")}
        opened.close()
        for side, octets in sides.items():
            Path(f"{self.path}{side}").write_bytes(octets)
        self.assertEqual(repair(self.path).jobs.kept, self.count)
        self.assertEqual(self.jobs()[6].attempts, 9)

    def test_no_text(self) -> None:
        """Names that are no text any more are damage like any other."""
        octets = bytearray(self.pristine)
        octets[octets.index(b"alembic_version") + 3] = 0x80
        self.path.write_bytes(octets)
        self.assertRaises(JournalDamaged, open_journal, self.path)
        self.assertIn("text", " ".join(check(self.path)))
        repair(self.path)
        self.assertEqual(check(self.path), [])

    @settings(max_examples=25, deadline=None)
    @given(st.data())
    def test_any_damage(self, data: st.DataObject) -> None:
        """Whatever octets are overwritten, there is a sound journal afterwards."""
        octets = bytearray(self.pristine)
        for _ in range(data.draw(st.integers(1, 5))):
            at = data.draw(st.integers(0, len(octets) - 1))
            piece = data.draw(st.binary(min_size=1, max_size=300))
            octets[at : at + len(piece)] = piece
        self.path.write_bytes(bytes(octets[: len(self.pristine)]))
        try:
            repair(self.path)
        except JournalTooNew:
            return
        self.assertLessEqual(len(self.jobs()), self.count)
        for name in os.listdir(self.path.parent):
            if "damaged" in name:
                (self.path.parent / name).unlink()


class MessageTests(SalvageCase):
    """The way to the repair."""

    def test_named_at_start(self) -> None:
        """A daemon that cannot open it names the commands."""
        self.path.write_bytes(b"no database" * 1000)
        fault = self.assertRaises(JournalDamaged, open_journal, self.path)
        self.assertIn("rangectl journal repair", str(fault))


class OwnerTests(SalvageCase):
    """Root at work on the journal of a daemon that is not root."""

    count = 3

    def setUp(self) -> None:
        """The state directory is somebody else's."""
        super().setUp()
        if os.geteuid() != 0:
            raise SkipTest("only root works on files of others")
        for place in (self.path.parent, *self.path.parent.iterdir()):
            os.chown(place, NOBODY, NOBODY)
        self.directory.chmod(0o755)

    def test_files_stay_his(self) -> None:
        """Whatever a check or a repair makes is the daemon's; we are root again afterwards."""
        for act in (check, repair, check):
            act(self.path)
            owners = {(f.stat().st_uid, f.stat().st_gid) for f in self.path.parent.iterdir()}
            self.assertEqual(owners, {(NOBODY, NOBODY)})
            self.assertEqual((os.geteuid(), os.getegid()), (0, 0))
