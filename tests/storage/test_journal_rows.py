"""Tests for `rangedaemon.storage.rows`."""

from __future__ import annotations

import json
from dataclasses import fields, replace

from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.intervals import EMPTY, ByteRange, IntervalSet
from rangedaemon.core.jobs import JobRecord
from rangedaemon.core.pieces import Pieces
from rangedaemon.core.push.values import LocalStamp, Part, Pushed, PushProtocol, PushSpec
from rangedaemon.errors import JournalDamaged
from rangedaemon.storage.rows import from_row, pack_intervals, to_row, unpack_intervals
from rangedaemon.storage.schema import jobs
from tests.storage.journal_samples import intervals, job, records


class RoundTripTests(SynchronousTestCase):
    """A record comes back from its row as it was."""

    @given(records)
    def test_every_record(self, record: JobRecord) -> None:
        """Whatever a record holds, its row gives the same record back."""
        self.assertEqual(from_row(to_row(record) | {"seq": 7}), replace(record, seq=7))

    def test_row_has_all_columns(self) -> None:
        """A row names every column of the table but the number that the journal gives."""
        self.assertEqual(set(to_row(job(1))) | {"seq"}, {column.name for column in jobs.columns})

    def test_row_holds_the_whole_record(self) -> None:
        """A field that is added to the record must find its column, or it would be lost."""
        copies = {"priority", "name", "parent"}
        names = {field.name for field in fields(JobRecord)}
        self.assertEqual(names - {"seq"}, set(to_row(job(1))) - copies)

    def test_pieces(self) -> None:
        """The hashes of pieces are no part of the row; an older one that has them is read."""
        pieces = Pieces("sha-256", 1 << 20, "ab" * 64)
        record = job(1, pieces=pieces, size=(1 << 20) + 5, metalink="http://o/f.meta4")
        row = to_row(record) | {"seq": 1}
        self.assertNotIn("abab", row["spec"])
        self.assertEqual(from_row(row).spec, replace(record.spec, pieces=None))
        row["spec"] = row["spec"].replace('"pieces":null', f'"pieces":{json.dumps(pieces)}')
        self.assertEqual(from_row(row).spec, record.spec)
        self.assertIsInstance(from_row(row).spec.pieces, Pieces)

    def test_upload(self) -> None:
        """What an upload is asked for, and what it must not forget, come back as they were."""
        push = PushSpec(PushProtocol.TUS, {"caption": "ä"})
        parts = (Part(0, 5, "http://o/u/1"), Part(5, 9, "http://o/u/2"))
        pushed = Pushed(LocalStamp(9, 1_700_000_000_123_456_789, 7, 8), PushProtocol.TUS, parts)
        record = job(1, push=push, kind="upload", pushed=pushed)
        self.assertEqual(from_row(to_row(record) | {"seq": 0}), record)

    def test_wish_that_came_later(self) -> None:
        """A spec written before a wish was known gets that wish's default."""
        row = to_row(job(1, segments=3)) | {"seq": 1}
        row["spec"] = row["spec"].replace('"segments":3,', "")
        self.assertEqual(from_row(row).spec.segments, 8)


class IntervalTests(SynchronousTestCase):
    """Tests for the text of the covered intervals."""

    @given(intervals)
    def test_round_trip(self, covered: IntervalSet) -> None:
        """Every set comes back from its text."""
        self.assertEqual(unpack_intervals(pack_intervals(covered)), covered)

    def test_written_form(self) -> None:
        """Half-open pairs that a person can read; nothing for the empty set."""
        covered = IntervalSet([ByteRange(0, 500), ByteRange(900, 1000)])
        self.assertEqual(pack_intervals(covered), "0-500,900-1000")
        self.assertEqual(pack_intervals(EMPTY), "")


class DamagedRowTests(SynchronousTestCase):
    """A row that we never wrote is damage that names its job."""

    def test_each_column(self) -> None:
        """No column with nonsense in it is taken for something else, or crashes."""
        good = to_row(job(0xABC)) | {"seq": 1}
        for column, nonsense in [
            *(("state", "asleep"), ("spec", "{"), ("spec", "{}"), ("spec", "[]")),
            *(("error", "{}"), ("remembered", '{"wings": 2}'), ("remembered", "7")),
            *(("covered", "5-1"), ("covered", "0-1-2"), ("covered", "x"), ("covered", "-1-5")),
            *(("verified", "hope"), ("filename", "no json")),
        ]:
            with self.subTest(column=column, nonsense=nonsense):
                error = self.assertRaises(JournalDamaged, from_row, good | {column: nonsense})
                self.assertIn("0000000000000abc", str(error))
