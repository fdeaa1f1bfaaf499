"""The hashes of pieces in the journal: kept once, not with every checkpoint."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from rangedaemon.core.intervals import IntervalSet
from rangedaemon.core.jobs import JobRecord, JobState
from rangedaemon.core.pieces import MOST_PIECES, Pieces
from tests.storage.journal_samples import JournalTestCase, job

MOST = Pieces("sha-256", 1 << 20, "0123456789abcdef" * 4 * MOST_PIECES)
FEW = Pieces("md5", 1 << 20, "ab" * 48)


class PiecesTests(JournalTestCase):
    """A job with as many pieces as there may be."""

    def kept(self, record: JobRecord) -> Pieces | None:
        """What a journal that was opened anew says."""
        journal = self.opened()
        found = self.now(journal.get(record.id))
        self.now(journal.close())
        assert found is not None
        return found.spec.pieces

    def test_kept(self) -> None:
        """From the addition, of one or of several, or from a later change."""
        journal = self.opened()
        self.now(journal.add([job(1, pieces=FEW)]))
        self.now(journal.add([job(2, pieces=MOST), job(3), job(4)]))
        [later] = [
            r for r in self.now(journal.page(state=None, limit=9, before=None)) if r.seq == 3
        ]
        self.now(journal.save(replace(later, spec=replace(later.spec, pieces=FEW))))
        self.now(journal.close())
        kept = [self.kept(job(number)) for number in (1, 2, 3, 4)]
        self.assertEqual(kept, [FEW, MOST, FEW, None])

    def test_for_those_who_run(self) -> None:
        """Whoever is given out to run has them."""
        journal = self.opened()
        self.now(journal.add([job(1, pieces=FEW)]))
        start = partial(replace, state=JobState.PROBING)
        agenda = journal.agenda(now=0.0, most_woken=0, free=5, without=(), begin=start)
        [record] = self.now(agenda).begun
        self.assertEqual(record.spec.pieces, FEW)

    def test_record_without_them(self) -> None:
        """What came from a listing is saved without their loss."""
        journal = self.opened()
        self.now(journal.add([job(1, pieces=FEW)]))
        [listed] = self.now(journal.page(state=None, limit=9, before=None))
        self.assertIsNone(listed.spec.pieces)
        self.now(journal.save(replace(listed, state=JobState.PAUSED)))
        self.now(journal.close())
        self.assertEqual(self.kept(listed), FEW)

    def test_other_ones(self) -> None:
        """New hashes take the place of old ones, while it runs too."""
        journal = self.opened()
        [record] = self.now(journal.add([job(1, pieces=FEW, state=JobState.ACTIVE)]))
        for pieces in (FEW, MOST):
            record = replace(record, spec=replace(record.spec, pieces=pieces))
            self.now(journal.save(record))
        self.now(journal.close())
        self.assertEqual(self.kept(record), MOST)

    def test_given_up(self) -> None:
        """A job that runs and has none any more is not given the old ones again."""
        journal = self.opened()
        [record] = self.now(journal.add([job(1, pieces=FEW, state=JobState.ACTIVE)]))
        self.now(journal.save(record))
        self.now(journal.save(replace(record, spec=replace(record.spec, pieces=None))))
        self.now(journal.close())
        self.assertIsNone(self.kept(record))

    def test_deleted_with_the_job(self) -> None:
        """Another job under the same id has none of them."""
        journal = self.opened()
        [record] = self.now(journal.add([job(1, pieces=FEW, state=JobState.ACTIVE)]))
        self.now(journal.save(record))
        self.now(journal.delete(record.id))
        self.now(journal.add([job(1)]))
        self.now(journal.close())
        self.assertIsNone(self.kept(record))

    def test_octets_of_a_checkpoint(self) -> None:
        """The second save of a running job writes a few pages, however many pieces there are."""
        journal = self.opened()
        [record] = self.now(journal.add([job(1, pieces=MOST, state=JobState.ACTIVE)]))
        self.now(journal.save(record))
        log = Path(f"{self.path}-wal")
        before = log.stat().st_size
        self.assertGreater(before, len(MOST.hashes) // 2)
        for count in range(1, 11):
            covered = IntervalSet.from_pairs([(0, count << 20)])
            self.now(journal.save(replace(record, covered=covered)))
        self.assertLess((log.stat().st_size - before) / 10, 32 * 1024)
