"""Tests for what the journal knows of mirrors and the jobs of their files."""

from __future__ import annotations

from rangedaemon.core.jobs import JobState
from rangedaemon.core.mirrors import Family, Mirrored, MirrorSpec
from tests.storage.journal_samples import JournalTestCase, job

S = JobState
PARENT, OTHER = f"{90:016x}", f"{91:016x}"


class FamilyTests(JournalTestCase):
    """Tests for `Families`."""

    def setUp(self) -> None:
        """A mirror with a file in each state, and jobs that are none of its files."""
        super().setUp()
        self.journal = self.opened()
        self.files = [
            job(number, parent=PARENT, state=state, finished=float(number))
            for number, state in enumerate(S)
        ]
        mirror = job(90, kind="mirror", mirror=MirrorSpec(("*.iso",), ("x",), 3, True))
        others = [job(50, parent=OTHER), job(51), mirror]
        self.now(self.journal.add([*self.files, *others]))

    def states(self) -> dict[str, JobState]:
        """Of all jobs."""
        records = self.now(self.journal.page(state=None, limit=99, before=None))
        return {record.id: record.state for record in records}

    def test_children(self) -> None:
        """By pages, in the order they came, and no others."""
        page = self.now(self.journal.children(PARENT, after=0, limit=5))
        self.assertEqual([record.id for record in page], [f.id for f in self.files[:5]])
        rest = self.now(self.journal.children(PARENT, after=page[-1].seq, limit=500))
        self.assertEqual([record.id for record in rest], [f.id for f in self.files[5:]])
        self.assertEqual(self.now(self.journal.children(PARENT, after=rest[-1].seq, limit=5)), [])

    def test_pages(self) -> None:
        """A listing can be of one mirror's files, of all that are none, or of everything."""
        for parent, count in ((PARENT, len(self.files)), (OTHER, 1), ("", 2), (None, 11)):
            records = self.now(self.journal.page(state=None, limit=99, before=None, parent=parent))
            self.assertEqual(len(records), count, parent)

    def test_family(self) -> None:
        """Who is still at it, who failed, who was finished since; who is paused is nobody's."""
        complete = float([*S].index(S.COMPLETE))
        for since, fetched in ((complete, 1), (complete + 0.5, 0)):
            family = self.now(self.journal.family(PARENT, since=since))
            self.assertEqual(family, Family(pending=5, failed=1, fetched=fetched))
        self.assertEqual(self.now(self.journal.family("f" * 16, since=0.0)), Family())

    def test_pause_and_resume(self) -> None:
        """Those that wait are paused, those that are paused queued; nobody else's, no others."""
        before = self.states()
        self.now(self.journal.pause_children(PARENT))
        waits = {f.id for f in self.files if f.state in (S.QUEUED, S.WAITING)}
        self.assertEqual(self.states(), before | dict.fromkeys(waits, S.PAUSED))
        counts = self.now(self.journal.counts())
        self.assertEqual(counts[S.PAUSED], 3)
        self.now(self.journal.resume_children(PARENT))
        paused = waits | {f.id for f in self.files if f.state is S.PAUSED}
        self.assertEqual(self.states(), before | dict.fromkeys(paused, S.QUEUED))
        self.assertNotIn(S.PAUSED, self.now(self.journal.counts()))

    def test_requeue(self) -> None:
        """Only who has ended is changed: others do something else by now."""
        before = self.states()
        again = [job(n, parent=PARENT, state=S.QUEUED, attempts=7) for n in range(len(self.files))]
        self.now(self.journal.requeue(again))
        ended = {f.id for f in self.files if f.state in (S.COMPLETE, S.FAILED)}
        self.assertEqual(self.states(), before | dict.fromkeys(ended, S.QUEUED))

    def test_delete_all(self) -> None:
        """They are forgotten together, and counted no more."""
        gone = [self.files[0].id, self.files[3].id, "f" * 16]
        self.now(self.journal.delete_all(gone))
        self.assertEqual(set(gone) & set(self.states()), set())
        self.assertEqual(sum(self.now(self.journal.counts()).values()), 9)

    def test_round(self) -> None:
        """What a mirror is asked for, and its latest round, come back as they were."""
        told = Mirrored(began=5.5, ended=6.5, folders=2, found=9, unchanged=8, fetched=1, gone=3)
        record = job(70, kind="mirror", mirror=MirrorSpec(("*",), (), 0), mirrored=told)
        self.now(self.journal.add([record]))
        known = self.now(self.journal.get(record.id))
        assert known is not None
        self.assertEqual((known.mirrored, known.spec.mirror), (told, record.spec.mirror))
