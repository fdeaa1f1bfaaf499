"""What stops an upload, and how it goes on: cuts, refusals, other files, forgetful servers."""

from __future__ import annotations

from rangedaemon.core.jobs import JobRecord
from rangedaemon.core.transfer import Trigger
from tests.client.pushcase import CONTENT, CUT, IN_ORDER, PushCase, S
from tests.client.pushworld import KIB, MIB, PushWorld, pattern


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
