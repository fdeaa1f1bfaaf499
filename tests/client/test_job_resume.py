"""Stories of a job that was cut and comes back: never a wrong octet, hardly one twice."""

from __future__ import annotations

import os
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.intervals import IntervalSet
from rangedaemon.core.jobs import JobState, OnChange
from tests.client.scripted import FULL, HOUR_LATER, Exchange, File
from tests.client.world import World

KIB = 1024
OLD = b"".join(n.to_bytes(4, "big") for n in range(64 * KIB))
NEW = bytes(reversed(OLD))
HALF = 100_000

S = JobState


class SameFileTests(SynchronousTestCase):
    """The origin still has the same representation."""

    def test_only_the_rest_is_fetched(self) -> None:
        """The second request begins where the first one ended, under its validator."""
        world, served = World(self), File(OLD)
        record = world.run_cut(served, HALF)
        self.assertEqual(record.covered.to_pairs(), [(0, HALF)])
        world.origin.script = served
        record = world.run(world.again(record))
        self.assertEqual((record.state, record.refetched), (S.COMPLETE, 0))
        self.assertEqual(world.octets(), OLD)
        last = world.origin.last
        self.assertEqual(last.asked("Range"), f"bytes={HALF}-{len(OLD) - 1}")
        self.assertEqual(last.asked("If-Range"), '"v1"')

    def test_strong_date(self) -> None:
        """Where there is no tag, a strong date is the condition."""
        world, served = World(self), File(OLD, etag=None, modified=FULL)
        record = world.run_cut(served, HALF)
        world.origin.script = served
        record = world.run(world.again(record))
        self.assertEqual((record.state, record.refetched), (S.COMPLETE, 0))
        self.assertEqual(world.origin.last.asked("If-Range"), FULL)

    def test_date_left_out_of_the_206(self) -> None:
        """A 206 to If-Range need not repeat the date (RFC 9110 15.3.7): no change."""
        world = World(self)
        record = world.run_cut(File(OLD, etag=None, modified=FULL), HALF)
        silent = File(OLD, etag=None)

        def script(exchange: Exchange) -> None:
            exchange.headers.removeHeader("If-Range")
            silent(exchange)

        world.origin.script = script
        record = world.run(world.again(record))
        self.assertEqual((record.state, record.changes), (S.COMPLETE, 0))
        self.assertEqual(world.octets(), OLD)

    def test_host_that_honours_only_the_date(self) -> None:
        """200 to the tag, 206 to the date: the next rung of the ladder, and no octet lost."""
        world, served = World(self), File(OLD, modified=FULL)
        record = world.run_cut(served, HALF)

        def script(exchange: Exchange) -> None:
            if exchange.asked("If-Range") == '"v1"':
                replace(served, ranges=False).begin(exchange)
            else:
                served(exchange)

        world.origin.script = script
        record = world.run(world.again(record))
        self.assertEqual((record.state, record.refetched), (S.COMPLETE, 0))
        self.assertEqual(world.origin.last.asked("If-Range"), FULL)

    def test_tag_of_another_node(self) -> None:
        """The tag moved but the octets did not: proved by an overlap, nothing is lost."""
        world = World(self)
        record = world.run_cut(File(OLD, etag='"n1"'), HALF)
        world.origin.script = File(OLD, etag='"n2"')
        record = world.run(world.again(record))
        self.assertEqual((record.state, record.changes), (S.COMPLETE, 0))
        self.assertEqual(world.octets(), OLD)
        self.assertEqual(record.remembered.etag, '"n2"')

    def test_ranges_were_lost(self) -> None:
        """An origin without ranges any more sends everything; what it sends is right."""
        world, served = World(self), File(OLD)
        record = world.run_cut(served, HALF)
        world.origin.script = replace(served, ranges=False)
        record = world.run(world.again(record))
        self.assertEqual((record.state, record.changes), (S.COMPLETE, 0))
        self.assertEqual(world.octets(), OLD)

    def test_never_had_ranges(self) -> None:
        """Nothing tells whether a plain stream is the same: begun again, and not called changed."""
        for modified in (None, HOUR_LATER):
            with self.subTest(modified):
                world, served = World(self), File(OLD, etag=None, modified=modified, ranges=False)
                record = world.run_cut(served, HALF, on_change=OnChange.FAIL)
                world.origin.script = served
                record = world.run(world.again(record))
                self.assertEqual((record.state, record.changes), (S.COMPLETE, 0))
                self.assertEqual((record.refetched, record.error), (HALF, None))
                self.assertEqual(world.octets(), OLD)

    def test_everything_was_there(self) -> None:
        """Killed between the last octet and the rename: nothing more is asked."""
        world = World(self)
        record = world.run_cut(File(OLD), len(OLD) - 1)
        part = world.directory / "file.bin.part"
        part.write_bytes(OLD)
        whole = replace(world.again(record), covered=IntervalSet.from_pairs([(0, len(OLD))]))
        asked = len(world.origin.exchanges)
        record = world.run(whole)
        self.assertEqual(record.state, S.COMPLETE)
        self.assertEqual(world.octets(), OLD)
        self.assertEqual(len(world.origin.exchanges), asked)

    def test_416_without_length(self) -> None:
        """416 that tells nothing: the whole is asked for, and nothing is called changed."""
        world, served = World(self), File(OLD)
        record = world.run_cut(served, HALF)

        def script(exchange: Exchange) -> None:
            if exchange.range is None:
                served(exchange)
            else:
                exchange.answer(416, {}, 0)

        world.origin.script = script
        record = world.run(world.again(record))
        self.assertEqual((record.state, record.changes), (S.COMPLETE, 0))
        self.assertEqual(world.octets(), OLD)


class ChangedFileTests(SynchronousTestCase):
    """The origin has another representation now."""

    def changed(self, world: World, new: File, **wishes: object) -> None:
        """A part of the old one, then the new one."""
        record = world.run_cut(File(OLD, modified=FULL), HALF, **wishes)
        world.origin.script = new
        self.record = world.run(world.again(record))

    def test_begins_again(self) -> None:
        """Every octet of the old one is thrown away, counted and told."""
        for name, new in (
            ("other tag, other date", File(NEW, etag='"v2"', modified=HOUR_LATER)),
            ("other length", File(NEW[:-5], etag='"v2"')),
            ("shorter than what we have", File(NEW[:50], etag='"v2"')),
            ("other tag, no date", File(NEW, etag='"v2"')),
            ("no ranges any more", File(NEW, etag='"v2"', modified=HOUR_LATER, ranges=False)),
            ("no validators any more", File(NEW, etag=None)),
            ("empty now", File(b"", etag='"v2"')),
        ):
            with self.subTest(name):
                world = World(self)
                self.changed(world, new)
                self.assertEqual(self.record.error, None)
                self.assertEqual((self.record.state, self.record.changes), (S.COMPLETE, 1))
                self.assertEqual(world.octets(), new.content)
                self.assertEqual(self.record.refetched, HALF)
                told = [e for e in world.events if e.kind == "changed"]
                self.assertEqual(len(told), 1)

    def test_same_tag_on_other_octets(self) -> None:
        """A tag that stays while date and octets move does not fool it."""
        world = World(self)
        self.changed(world, File(NEW, modified=HOUR_LATER))
        self.assertEqual((self.record.state, self.record.changes), (S.COMPLETE, 1))
        self.assertEqual(world.octets(), NEW)

    def test_killed_while_it_begins_again(self) -> None:
        """At no step does the journal claim what was cut, or take old octets for new ones."""
        world = World(self)
        record = world.run_cut(File(OLD, modified=FULL), HALF)
        claimed, cut = [], os.ftruncate

        def ftruncate(descriptor: int, length: int) -> None:
            of_the_file = os.readlink(f"/proc/self/fd/{descriptor}").endswith(".part")
            if length == 0 and of_the_file:
                claimed.append(world.store.records[record.id].covered.total)
            cut(descriptor, length)

        self.patch(os, "ftruncate", ftruncate)
        before = len(world.store.saved)
        world.origin.script = File(NEW, etag='"v2"', modified=HOUR_LATER)
        self.assertEqual(world.run(world.again(record)).state, S.COMPLETE)
        self.assertEqual(set(claimed), {0})
        for saved in world.store.saved[before:]:
            self.assertEqual(saved.changes, int(saved.remembered.etag != '"v1"'))

    def test_policy_fail(self) -> None:
        """With ``fail`` the job ends, and what it had stays."""
        world = World(self)
        self.changed(world, File(NEW, etag='"v2"', modified=HOUR_LATER), on_change=OnChange.FAIL)
        assert self.record.error is not None
        self.assertEqual((self.record.state, self.record.error.code), (S.FAILED, "changed"))
        self.assertEqual(world.octets("file.bin.part")[:HALF], OLD[:HALF])
        self.assertEqual(self.record.covered.total, HALF)

    def test_unstable_source(self) -> None:
        """An origin with another file at each request is given up, in bounds."""
        world = World(self)
        count = iter(range(1000))

        def script(exchange: Exchange) -> None:
            served = File(OLD, etag=f'"{next(count)}"', modified=None)
            fields = {"Last-Modified": FULL.replace("06", f"{1 + next(count) % 28:02}")}
            replace(served, extra=fields).up_to(1000)(exchange)

        world.origin.script = script
        record = world.run()
        for _ in range(20):
            if record.state is S.FAILED:
                break
            record = world.run(world.again(record))
        self.assertEqual(record.state, S.FAILED)
        self.assertLess(len(world.origin.exchanges), 100)
        self.assertNotIn("file.bin", world.names())


class PartFileTests(SynchronousTestCase):
    """Somebody was at the part file."""

    def test_gone(self) -> None:
        """A part file that is gone is made again, and everything fetched again."""
        world, served = World(self), File(OLD)
        record = world.run_cut(served, HALF)
        (world.directory / "file.bin.part").unlink()
        world.origin.script = served
        record = world.run(world.again(record))
        self.assertEqual(record.error, None)
        self.assertEqual((record.state, record.refetched), (S.COMPLETE, HALF))
        self.assertEqual(world.octets(), OLD)

    def test_cut(self) -> None:
        """Octets that were cut off are fetched again."""
        world, served = World(self), File(OLD)
        record = world.run_cut(served, HALF)
        with (world.directory / "file.bin.part").open("r+b") as part:
            part.truncate(10)
        world.origin.script = served
        record = world.run(world.again(record))
        self.assertEqual(record.state, S.COMPLETE)
        self.assertEqual(world.octets(), OLD)

    def test_edited(self) -> None:
        """Octets that somebody wrote over are found by their hashes and fetched again."""
        world, served = World(self), File(OLD)
        record = world.run_cut(served, HALF)
        with (world.directory / "file.bin.part").open("r+b") as part:
            part.seek(5000)
            part.write(b"vandal")
        world.origin.script = served
        record = world.run(world.again(record))
        self.assertEqual(record.state, S.COMPLETE)
        self.assertEqual(world.octets(), OLD)

    def test_link_in_its_place(self) -> None:
        """A symbolic link is not followed: nothing behind it is touched."""
        world, served = World(self), File(OLD)
        record = world.run_cut(served, HALF)
        precious = world.directory / "precious"
        precious.write_bytes(b"precious")
        part = world.directory / "file.bin.part"
        part.unlink()
        part.symlink_to(precious)
        world.origin.script = served
        record = world.run(world.again(record))
        self.assertEqual(precious.read_bytes(), b"precious")
        self.assertEqual(record.state, S.COMPLETE)
        assert record.filename is not None
        self.assertEqual(world.octets(record.filename), OLD)
