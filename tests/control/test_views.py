"""Tests for `rangedaemon.control.views` and `redaction`: what is shown of a job."""

from __future__ import annotations

from dataclasses import fields, replace

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.control.answers import json_octets
from rangedaemon.control.ports import Totals
from rangedaemon.control.redaction import shown
from rangedaemon.control.views import eta, job_object, moment, status_object
from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.core.jobs import (
    JobError,
    JobRecord,
    JobSnapshot,
    JobSpec,
    JobState,
    Live,
    Remembered,
    Verified,
)
from rangedaemon.core.mirrors import Mirrored, MirrorSpec

SPEC = JobSpec(
    urls=("https://me:secret@example.org/a.iso", "http://mirror.example/a.iso"),
    directory="/srv/d",
    headers={"Cookie": "session=secret"},
)
RECORD = JobRecord(
    id="00000000000000ff",
    spec=SPEC,
    state=JobState.ACTIVE,
    created=1_700_000_000.25,
    filename="a.iso",
    remembered=Remembered(etag='"x"', last_modified="Tue, 14 Nov 2023 22:13:20 GMT", length=1000),
    covered=IntervalSet([ByteRange(0, 100), ByteRange(500, 600)]),
)
FIELDS = [
    "id",
    "seq",
    "kind",
    "name",
    "urls",
    "directory",
    "filename",
    "path",
    "state",
    "size",
    "received",
    "refetched",
    "rate",
    "eta_s",
    "connections",
    "etag",
    "last_modified",
    "accepts_ranges",
    "checksum",
    "verified",
    "error",
    "attempts",
    "retry_at",
    "created",
    "started",
    "finished",
    "priority",
    "rate_limit",
    "segments",
    "start_at",
    "window",
    "repeat",
    "versions",
    "protocol",
    "parent",
    "mirror",
]


class JobObjectTests(SynchronousTestCase):
    """Tests for `job_object`."""

    def test_fields(self) -> None:
        """Exactly the fields of the contract."""
        self.assertEqual([field.name for field in fields(job_object(JobSnapshot(RECORD)))], FIELDS)

    def test_no_secrets(self) -> None:
        """Neither userinfo nor request fields are shown."""
        failed = replace(
            RECORD, error=JobError("timed-out", "https://a:secret@h/ fell silent", SPEC.urls[0])
        )
        text = json_octets(job_object(JobSnapshot(failed))).decode()
        self.assertNotIn("secret", text)
        self.assertIn("https://example.org/a.iso", text)
        self.assertIn("https://h/ fell silent", text)

    def test_mirror(self) -> None:
        """A mirror shows what was asked for and its latest round, its files whose they are."""
        asked = MirrorSpec(("*.iso",), ("old",), 2, delete=True)
        told = Mirrored(began=0.0, folders=3, found=10, unchanged=7, fetched=1, failed=1, left=1)
        spec = replace(SPEC, kind="mirror", mirror=asked)
        shown = job_object(JobSnapshot(replace(RECORD, spec=spec, mirrored=told))).mirror
        assert shown is not None
        assert shown.round is not None
        self.assertEqual(shown.round.began, "1970-01-01T00:00:00.000Z")
        self.assertIsNone(shown.round.ended)
        counts = shown.round.model_dump(exclude={"began", "ended"})
        self.assertEqual(list(counts.values()), [3, 10, 7, 1, 1, 1, 0, 0])
        wishes = shown.model_dump(exclude={"round"})
        self.assertEqual([*wishes.values()], [["*.iso"], ["old"], 2, True])
        before = job_object(JobSnapshot(replace(RECORD, spec=spec))).mirror
        assert before is not None
        self.assertIsNone(before.round)
        file = replace(RECORD, spec=replace(SPEC, parent="ab" * 8))
        self.assertEqual(job_object(JobSnapshot(file)).parent, "ab" * 8)

    def test_path(self) -> None:
        """The finished file's absolute path, once its name is known or was asked for."""
        asked = replace(SPEC, filename="b.iso")
        for spec, name, path in (
            (SPEC, "a.iso", "/srv/d/a.iso"),
            (SPEC, None, None),
            (asked, None, "/srv/d/b.iso"),
            (asked, "b.1.iso", "/srv/d/b.1.iso"),
        ):
            record = replace(RECORD, spec=spec, filename=name)
            self.assertEqual(job_object(JobSnapshot(record)).path, path)

    def test_received_is_what_is_safe(self) -> None:
        """Octets that are not synced yet do not count."""
        job = job_object(JobSnapshot(RECORD, Live(received=900, rate=10.4, connections=3)))
        self.assertEqual((job.received, job.rate, job.connections), (200, 10, 3))

    def test_rate_ends_with_the_octets(self) -> None:
        """What lingers in the average is not shown once nothing comes any more."""
        for state in set(JobState) - {JobState.ACTIVE}:
            record = replace(RECORD, state=state)
            self.assertEqual(job_object(JobSnapshot(record, Live(rate=10.0))).rate, 0)

    def test_complete(self) -> None:
        """A finished file is all there, whatever the journal still knows of its parts."""
        record = replace(
            RECORD,
            state=JobState.COMPLETE,
            covered=IntervalSet(),
            finished=1_700_000_001.0,
            verified=Verified.CHECKSUM,
            digest="sha-256=ab",
        )
        job = job_object(JobSnapshot(record))
        self.assertEqual(
            (job.received, job.finished, job.verified, job.checksum),
            (1000, "2023-11-14T22:13:21.000Z", "checksum", "sha-256=ab"),
        )

    def test_names_that_are_not_utf8(self) -> None:
        """A name on disk that is not UTF-8 is shown with marks, not a fault."""
        record = replace(RECORD, filename="a\udcff")
        self.assertIn(b"/srv/d/a?", json_octets(job_object(JobSnapshot(record))))


class EtaTests(SynchronousTestCase):
    """Tests for `eta`."""

    def test_table(self) -> None:
        """What is missing by the rate, rounded up; unknown without either, or when idle."""
        for record, live, seconds in (
            (RECORD, Live(received=400, rate=100.0), 6),
            (RECORD, Live(received=400, rate=7.0), 86),
            (RECORD, Live(rate=100.0), 8),
            (RECORD, Live(received=400), None),
            (replace(RECORD, remembered=Remembered()), Live(rate=1.0), None),
            (replace(RECORD, state=JobState.PAUSED), Live(rate=1.0), None),
        ):
            self.assertEqual(eta(JobSnapshot(record, live)), seconds)


class MomentTests(SynchronousTestCase):
    """Tests for `moment`."""

    def test_rfc3339(self) -> None:
        """UTC, to the millisecond, with a Z."""
        self.assertEqual(moment(1_700_000_000.2505), "2023-11-14T22:13:20.250Z")
        self.assertEqual(moment(0), "1970-01-01T00:00:00.000Z")
        self.assertIsNone(moment(None))


class StatusObjectTests(SynchronousTestCase):
    """Tests for `status_object`."""

    def test_every_state_is_counted(self) -> None:
        """All eight states are there, those without a job as 0."""
        totals = Totals({JobState.ACTIVE: 2}, 12.6)
        status = status_object(totals, version="1", uptime=1.5, rate_out=0.0, config=None)
        self.assertEqual(set(status.jobs), set(JobState))
        self.assertEqual(sum(status.jobs.values()), 2)
        self.assertEqual(status.rate_in, 13)


class ShownTests(SynchronousTestCase):
    """Tests for `shown`."""

    def test_userinfo(self) -> None:
        """Userinfo goes, wherever an address is in a text; nothing else does."""
        for text, kept in (
            ("http://u:p@h/", "http://h/"),
            ("http://u@h@i/x", "http://i/x"),
            ("http://h/a@b", "http://h/a@b"),
            ("http://h?q=a@b", "http://h?q=a@b"),
            ("got http://a:b@c/ and http://d:e@f/", "got http://c/ and http://f/"),
            ("a@b", "a@b"),
            ("http://ü:ß@h/", "http://h/"),
        ):
            self.assertEqual(shown(text), kept)
