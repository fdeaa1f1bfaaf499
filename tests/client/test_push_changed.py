"""Tests for pushes whose file changes, whose secrets stay hidden, and whose pace is held."""

from __future__ import annotations

import os

from rangedaemon.core.access import Access
from rangedaemon.core.jobs import OnChange
from tests.client.pushcase import CONTENT, IN_ORDER, OTHER, PushCase, S
from tests.client.pushworld import KIB, MIB, NAME, URL, PushWorld, pattern
from tests.client.receiver import Receiver


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
