"""What stops an upload, and how it goes on: cuts, refusals, other files, forgetful servers."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.access import Access
from rangedaemon.core.jobs import JobRecord, JobState, OnChange
from rangedaemon.core.transfer import Trigger
from tests.client.pushworld import KIB, MIB, NAME, URL, PushWorld, pattern
from tests.client.receiver import Receiver

S = JobState
CONTENT = pattern(600 * KIB)
OTHER = pattern(600 * KIB)[::-1]
CUT = 250 * KIB
IN_ORDER = ("tus", "ietf")


class PushCase(SynchronousTestCase):
    """Has shortcuts for uploads that break off."""

    def cut(self, world: PushWorld, after: int = CUT, **wishes: object) -> JobRecord:
        """Push until the connection breaks after so many octets."""
        world.receiver.break_after = after
        record = world.push(**wishes)
        self.assertIs(record.state, S.WAITING)
        assert record.error is not None
        self.assertEqual(record.error.code, "unreachable")
        return record

    def assert_failed(self, record: JobRecord, code: str) -> None:
        """The job has failed for that reason, told with the endpoint's address."""
        self.assertIs(record.state, S.FAILED)
        assert record.error is not None
        self.assertEqual(record.error.code, code)

    def assert_whole(self, world: PushWorld, record: JobRecord, content: bytes) -> None:
        """The job is complete and the server has *content*."""
        self.assertEqual((record.state, record.error), (S.COMPLETE, None))
        self.assertTrue(world.receiver.whole() == [content])


class CutTests(PushCase):
    """A connection that breaks costs hardly an octet."""

    def test_goes_on_where_the_server_is(self) -> None:
        """It is asked for its offset, and no octet goes twice."""
        for protocol in IN_ORDER:
            with self.subTest(protocol):
                world = PushWorld(self, CONTENT)
                record = self.cut(world, protocol=protocol)
                self.assertLess(record.covered.total, len(CONTENT))
                record = world.push(world.again(record))
                self.assert_whole(world, record, CONTENT)
                self.assertEqual(len(world.receiver.asked("HEAD")), 1)
                self.assertEqual(world.receiver.received, len(CONTENT))
                self.assertEqual(len(world.receiver.uploads), 1)

    def test_segments_are_sent_again(self) -> None:
        """A segment that was cut goes again as a whole; those acknowledged do not."""
        content = pattern(9 * MIB)
        world = PushWorld(self, content)
        record = self.cut(world, after=5 * MIB, protocol="segmented")
        self.assertEqual(record.covered.to_pairs(), [(0, MIB)])
        self.assertGreater(record.refetched, 0)
        record = world.push(world.again(record))
        self.assert_whole(world, record, content)
        self.assertEqual(world.receiver.received, len(content) + 4 * MIB)

    def test_parts_go_on_each_at_its_own_offset(self) -> None:
        """All parts are asked for their offsets; those that were done stay."""
        content = pattern(20 * MIB)
        world = PushWorld(self, content)
        world.receiver.offer = {"Tus-Version": "1.0.0", "Tus-Extension": "creation,concatenation"}
        record = self.cut(world, after=13 * MIB, segments=2)
        record = world.push(world.again(record))
        self.assert_whole(world, record, content)
        self.assertEqual(len(world.receiver.asked("HEAD")), 2)
        self.assertEqual(world.receiver.received, len(content))

    def test_server_that_lost_octets(self) -> None:
        """Its offset is believed even where it was further before; what goes again is counted."""
        world = PushWorld(self, CONTENT)
        record = self.cut(world)
        [upload] = world.receiver.uploads.values()
        self.assertEqual(len(upload.octets), CUT)
        del upload.octets[100 * KIB :]
        record = world.push(world.again(record))
        self.assert_whole(world, record, CONTENT)
        self.assertEqual(world.receiver.received, len(CONTENT) + 150 * KIB)

    def test_stop_and_go_on(self) -> None:
        """A pause cuts the sending short; the next run goes on."""
        world = PushWorld(self, CONTENT)
        job, ended = world.begin()
        world.receiver.on_octets = lambda: job.stop(Trigger.PAUSE)
        world.pass_until(ended)
        self.successResultOf(ended)
        self.assertIs(job.record.state, S.PAUSED)
        self.assertLess(world.receiver.received, len(CONTENT))
        world.receiver.on_octets = lambda: None
        record = world.push(world.again(job.record))
        self.assert_whole(world, record, CONTENT)
        self.assertLessEqual(world.receiver.received, len(CONTENT))

    def test_answer_that_got_lost(self) -> None:
        """The last octet arrived, its answer did not: the server says that all is there."""
        for protocol in IN_ORDER:
            with self.subTest(protocol):
                world = PushWorld(self, CONTENT)
                record = self.cut(world, after=len(CONTENT), protocol=protocol)
                record = world.push(world.again(record))
                self.assert_whole(world, record, CONTENT)
                self.assertEqual(world.receiver.received, len(CONTENT))

    def test_server_that_takes_nothing(self) -> None:
        """A peer that takes no octet for too long is given up."""
        world = PushWorld(self, CONTENT)
        job, ended = world.begin()
        world.receiver.on_octets = lambda: setattr(world.receiver, "deaf", True)
        world.pass_until(ended, 1.0)
        world.pass_time(25.0)
        self.successResultOf(ended)
        self.assertIs(job.record.state, S.WAITING)
        assert job.record.error is not None
        self.assertEqual(job.record.error.code, "timed-out")

    def test_server_that_cannot_be_reached(self) -> None:
        """It is tried again later, as often as the policy says."""
        world = PushWorld(self, CONTENT)
        world.receiver.reachable = False
        record = world.push()
        for _ in range(2):
            self.assertIs(record.state, S.WAITING)
            record = world.push(world.again(record))
        self.assert_failed(record, "unreachable")


class RefusalTests(PushCase):
    """What the server says no with."""

    def refused(self, method: str, status: int, **fields: str) -> JobRecord:
        """What becomes of an upload of which one request is refused."""
        world = PushWorld(self, CONTENT)
        told = {name.replace("_", "-"): value for name, value in fields.items()}
        world.receiver.refusals = [(method, status, told)]
        return world.push()

    def test_for_good(self) -> None:
        """No credentials, too large: nobody tries again."""
        for method, status, code in (
            ("POST", 401, "unauthorized"),
            ("POST", 403, "unauthorized"),
            ("POST", 404, "not-found"),
            ("POST", 413, "too-large"),
            ("POST", 412, "no-uploads"),
            ("PATCH", 403, "unauthorized"),
            ("PATCH", 413, "too-large"),
        ):
            with self.subTest(method=method, status=status):
                self.assert_failed(self.refused(method, status), code)

    def test_for_now(self) -> None:
        """Busy, locked, broken: later, and not before the server's own time."""
        for status, code in ((423, "locked"), (429, "throttled"), (500, "server-error")):
            with self.subTest(status):
                record = self.refused("PATCH", status, retry_after="50")
                self.assertIs(record.state, S.WAITING)
                assert record.error is not None
                self.assertEqual(record.error.code, code)
        record = self.refused("PATCH", 503, retry_after="50")
        assert record.retry_at is not None
        assert record.started is not None
        self.assertGreaterEqual(record.retry_at, record.started + 50)

    def test_early_refusal(self) -> None:
        """Who is refused at the head does not send the whole body after it."""
        world = PushWorld(self, pattern(4 * MIB))
        world.receiver.refusals = [("PATCH", 413, {})]
        job, ended = world.begin()
        world.pass_until(ended)
        self.assert_failed(job.record, "too-large")
        self.assertEqual(world.receiver.received, 0)

    def test_conflict(self) -> None:
        """A server that disagrees is asked, and the upload goes on from what it says."""
        for protocol in IN_ORDER:
            with self.subTest(protocol):
                world = PushWorld(self, CONTENT)
                world.receiver.refusals = [("PATCH", 409, {})]
                record = world.push(protocol=protocol)
                self.assert_whole(world, record, CONTENT)
                self.assertEqual(len(world.receiver.asked("HEAD")), 1)

    def test_conflict_without_end(self) -> None:
        """One that disagrees again and again is left alone for a while."""
        world = PushWorld(self, CONTENT)
        world.receiver.refusals = [("PATCH", 409, {})] * 10
        record = world.push()
        self.assertIs(record.state, S.WAITING)
        self.assertEqual(len(world.receiver.asked("PATCH")), 3)

    def test_forgotten_upload(self) -> None:
        """404 and 410 mean another upload; what had been acknowledged is counted."""
        for status in (404, 410):
            for protocol in IN_ORDER:
                with self.subTest(status=status, protocol=protocol):
                    world = PushWorld(self, CONTENT)
                    record = self.cut(world, protocol=protocol)
                    record = world.push(self._halfway(world, record))
                    world.receiver.uploads.clear()
                    world.receiver.refusals = [("HEAD", status, {})]
                    record = world.push(world.again(record))
                    self.assert_whole(world, record, CONTENT)
                    self.assertEqual(len(world.receiver.asked("POST")), 2)
                    self.assertGreater(record.refetched, 0)

    def _halfway(self, world: PushWorld, record: JobRecord) -> JobRecord:
        """The job after another cut, so that octets of it are acknowledged in the journal."""
        world.receiver.break_after = 50 * KIB
        return world.again(record)

    def test_forgotten_without_end(self) -> None:
        """A server that forgets every upload at once is given up in the end."""
        world = PushWorld(self, CONTENT)
        world.receiver.refusals = [("PATCH", 404, {})] * 100
        record = world.push()
        self.assertIs(record.state, S.WAITING)
        self.assertEqual(len(world.receiver.asked("POST")), 4)

    def test_forgotten_whatever_is_sent(self) -> None:
        """Octets that a server takes and then forgets are no progress: it is given up."""
        world = PushWorld(self, pattern(3 * MIB))
        record = world.record()
        for _ in range(3):
            world.receiver.on_octets = lambda: self._lose_after(world, MIB)
            record = world.push(world.again(record))
        self.assert_failed(record, "upload-gone")

    def _lose_after(self, world: PushWorld, count: int) -> None:
        """Every upload is forgotten once it has so many octets."""
        for upload in world.receiver.uploads.values():
            if len(upload.octets) >= count and not world.receiver.refusals:
                world.receiver.refusals = [("PATCH", 404, {})]

    def test_server_that_knows_no_uploads(self) -> None:
        """Nothing is sent to who does not say that it takes uploads."""
        world = PushWorld(self, CONTENT)
        self.assert_failed(world.push(protocol="auto"), "no-uploads")
        self.assertEqual(world.receiver.received, 0)

    def test_server_that_takes_segments_for_files(self) -> None:
        """Two answers that say *whole* in one fresh session are no upload."""
        for segments in (1, 3):
            with self.subTest(segments):
                world = PushWorld(self, pattern(9 * MIB))
                world.receiver.takes_anything = True
                record = world.push(protocol="segmented", segments=segments)
                self.assert_failed(record, "no-uploads")


class ChangedFileTests(PushCase):
    """The local file between, and during, attempts."""

    def touched(self, world: PushWorld, content: bytes) -> None:
        """Write the file anew, at another time."""
        world.file.write_bytes(content)
        os.utime(world.file, ns=(1, 1))

    def test_touched(self) -> None:
        """Where only its time moved the upload goes on."""
        for protocol in IN_ORDER:
            with self.subTest(protocol):
                world = PushWorld(self, CONTENT)
                record = self.cut(world, protocol=protocol)
                self.touched(world, CONTENT)
                record = world.push(world.again(record))
                self.assert_whole(world, record, CONTENT)
                self.assertEqual((record.changes, world.receiver.received), (0, len(CONTENT)))

    def test_replaced_by_the_same(self) -> None:
        """Another file of the same octets is as good."""
        world = PushWorld(self, CONTENT)
        record = self.cut(world)
        copy = world.directory / "copy"
        copy.write_bytes(CONTENT)
        copy.rename(world.file)
        self.assert_whole(world, world.push(world.again(record)), CONTENT)
        self.assertEqual(world.receiver.received, len(CONTENT))

    def test_other_octets(self) -> None:
        """Other octets of the same length mean another upload; the old one is let go of."""
        for protocol in ("tus", "ietf", "segmented"):
            with self.subTest(protocol):
                world = PushWorld(self, CONTENT)
                record = self.cut(world, protocol=protocol)
                first = [*world.receiver.uploads]
                self.touched(world, OTHER)
                record = world.push(world.again(record))
                self.assertEqual((record.state, record.changes), (S.COMPLETE, 1))
                self.assertTrue(world.receiver.whole()[-1] == OTHER)
                if protocol != "segmented":
                    self.assertEqual([s.path for s in world.receiver.asked("DELETE")], first)
                self.assertIn("changed", [event.kind for event in world.events])

    def test_other_tail(self) -> None:
        """Where what was sent is the same and only the rest is other, the upload goes on."""
        content = pattern(8 * MIB)
        world = PushWorld(self, content)
        record = self.cut(world, after=100 * KIB)
        changed = content[: 7 * MIB] + b"!" * MIB
        self.touched(world, changed)
        record = world.push(world.again(record))
        self.assert_whole(world, record, changed)

    def test_other_length(self) -> None:
        """Another length is another file."""
        world = PushWorld(self, CONTENT)
        record = self.cut(world)
        self.touched(world, CONTENT + b"more")
        record = world.push(world.again(record))
        self.assertEqual((record.size, record.changes), (len(CONTENT) + 4, 1))
        self.assertTrue(world.receiver.whole() == [CONTENT + b"more"])

    def test_fail_where_that_is_wanted(self) -> None:
        """A job may rather fail than push another file."""
        world = PushWorld(self, CONTENT)
        record = self.cut(world, on_change=OnChange.FAIL)
        self.touched(world, OTHER)
        self.assert_failed(world.push(world.again(record)), "file-changed")
        self.assertEqual(world.receiver.whole(), [])

    def test_changed_while_it_is_read(self) -> None:
        """What was sent of the old file never becomes whole with octets of the new one."""
        world = PushWorld(self, CONTENT)
        changes = iter([lambda: self.touched(world, OTHER)])
        world.receiver.on_octets = lambda: next(changes, lambda: None)()
        record = world.push()
        self.assertEqual((record.state, record.changes), (S.COMPLETE, 1))
        self.assertTrue(world.receiver.whole() == [OTHER])

    def test_moved_away_while_it_is_read(self) -> None:
        """A file that is gone by now was not meant any more."""
        world = PushWorld(self, CONTENT)
        world.receiver.on_octets = lambda: world.file.rename(world.directory / "elsewhere")
        with self.subTest("at once"):
            record = world.push(segments=1)
            self.assert_failed(record, "file-missing")

    def test_files_that_are_not_pushed(self) -> None:
        """Nothing that is no regular file below an allowed directory."""
        world = PushWorld(self, CONTENT)
        (world.directory / "link").symlink_to(NAME)
        (world.directory / "folder").mkdir()
        os.mkfifo(world.directory / "fifo")
        for name in ("link", "folder", "fifo", "none", "../etc/passwd"):
            with self.subTest(name):
                self.assert_failed(world.push(filename=name), "file-missing")
        self.assertEqual(world.receiver.seen, [])


class SecretTests(PushCase):
    """An upload's own address, and the job's own fields, go where they belong."""

    def test_address_is_told_to_nobody(self) -> None:
        """Neither events nor errors name it, and it is forgotten at the end."""
        world = PushWorld(self, CONTENT)
        world.receiver.location = "/u/capability-{}"
        record = self.cut(world)
        assert record.error is not None
        self.assertEqual(record.error.url, URL)
        self.assertNotIn("capability", repr(world.events))
        self.assertNotIn("capability", repr(record))
        record = world.push(world.again(record))
        assert record.pushed is not None
        self.assertEqual(record.pushed.parts, ())

    def test_other_host_gets_no_fields(self) -> None:
        """Where the upload is at another host the job's fields stay at home."""
        world = PushWorld(self, CONTENT)
        world.receiver.location = "http://other.test/u/{}"
        record = world.push(headers={"Authorization": "Bearer key"})
        self.assert_whole(world, record, CONTENT)
        told = {(seen.host, "authorization" in seen.fields) for seen in world.receiver.seen}
        self.assertEqual(told, {("server.test", True), ("other.test", False)})

    def test_redirect(self) -> None:
        """307 moves the endpoint, addresses are resolved there; others are not followed."""
        world = PushWorld(self, CONTENT)
        world.receiver.refusals = [("POST", 307, {"Location": "http://other.test/uploads"})]
        record = world.push()
        self.assert_whole(world, record, CONTENT)
        self.assertEqual({s.host for s in world.receiver.asked("PATCH")}, {"other.test"})
        world = PushWorld(self, CONTENT)
        world.receiver.refusals = [("POST", 302, {"Location": "http://other.test/uploads"})]
        self.assert_failed(world.push(), "bad-response")


class PaceTests(PushCase):
    """Limits of rate."""

    def test_own_limit(self) -> None:
        """A job keeps its rate."""
        world = PushWorld(self, CONTENT)
        job, ended = world.begin(rate_limit=100 * KIB)
        world.pass_time(2.0, step=0.01)
        self.assertTrue(150 * KIB < self.sent(world.receiver) < 350 * KIB)
        world.pass_time(6.0, step=0.01)
        self.successResultOf(ended)
        self.assertIs(job.record.state, S.COMPLETE)

    def test_shared_limit(self) -> None:
        """Two uploads share theirs."""
        world = PushWorld(self, CONTENT, shared=100 * KIB, access=Access())
        ends = [world.begin()[1], world.begin()[1]]
        world.pass_time(2.0, step=0.01)
        self.assertTrue(150 * KIB < self.sent(world.receiver) < 400 * KIB)
        world.pass_time(14.0, step=0.01)
        for ended in ends:
            self.successResultOf(ended)

    def sent(self, receiver: Receiver) -> int:
        """Octets that have come."""
        return receiver.received
