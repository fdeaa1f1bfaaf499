"""Tests for room on the disk: claims of all running jobs, a disk that fills up, file attributes."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.client import workfile
from rangedaemon.client.space import DiskRules, Space
from rangedaemon.core.jobs import JobState
from rangedaemon.errors import NeverFits, NoSpace
from rangedaemon.storage.space import Room
from tests.client.scripted import FULL, File
from tests.client.world import EPOCH, World

S = JobState
CONTENT = bytes(range(256)) * 40


def room(free: int, *, device: int = 1, total: int = 1000, allocated: int = 0) -> Room:
    """A file system."""
    return Room(device, free, total, allocated)


class ClaimTests(SynchronousTestCase):
    """Tests for `Space`."""

    def setUp(self) -> None:
        self.space = Space()

    def claim(self, who: str, around: Room, length: int, keep_free: int = 0) -> None:
        """A claim of a file of which nothing comes."""
        self.space.claim(who, around, length, lambda: length - around.allocated, keep_free)

    def test_alone(self) -> None:
        """What fits fits, what is there already counts, what is kept free does not."""
        self.claim("a", room(100), 100)
        self.claim("a", room(40, allocated=60), 100)
        self.claim("a", room(100), 60, keep_free=40)
        self.assertRaises(NoSpace, self.claim, "a", room(100), 101)
        self.assertRaises(NoSpace, self.claim, "a", room(100), 61, 40)

    def test_never(self) -> None:
        """What is larger than the file system is no matter of waiting."""
        self.assertRaises(NeverFits, self.claim, "a", room(100, total=200), 201)
        self.assertRaises(NeverFits, self.claim, "a", room(100, total=200), 161, 40)

    def test_what_to_do(self) -> None:
        """Who reads the fault learns where room is missing, and what helps."""
        for length, words in ((101, "free some on the disk of /srv"), (201, "/srv 200: give")):
            with self.assertRaises(NoSpace) as caught:
                self.space.claim("a", room(100, total=200), length, lambda: 0, where="/srv")
            self.assertIn(words, caught.exception.detail)

    def test_others(self) -> None:
        """Others on the same file system are counted with what they miss, until they end."""
        left = 60
        self.space.claim("a", room(100), 60, lambda: left)
        fault = self.assertRaises(NoSpace, self.claim, "b", room(100), 50)
        self.assertIn("other jobs need 60", str(fault))
        self.claim("c", room(100, device=2), 100)
        left = 10
        self.claim("b", room(50), 40)
        self.assertRaises(NoSpace, self.claim, "d", room(50), 1)
        self.space.release("b")
        self.claim("d", room(50), 40)

    def test_claimed_anew(self) -> None:
        """A second claim of the same job takes the place of its first."""
        self.claim("a", room(100), 80)
        self.claim("a", room(100), 90)

    @given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 120)), max_size=30))
    def test_never_more_than_there_is(self, asked: list[tuple[str, int]]) -> None:
        """Whoever asks for whatever: what was promised to all fits."""
        space, promised = Space(), dict[str, int]()
        for who, length in asked:
            promised.pop(who, None)
            try:
                space.claim(who, room(100), length, lambda length=length: length)
            except NoSpace:
                continue
            promised[who] = length
            self.assertLessEqual(sum(promised.values()), 100)


class JobTests(SynchronousTestCase):
    """Jobs on a disk whose room the test tells."""

    def setUp(self) -> None:
        self.world = World(self)
        self.world.origin.script = File(CONTENT).begin
        self.free = 1 << 30
        self.patch(workfile, "room_of", lambda _: Room(1, self.free, 1 << 40, 0))

    def rules(self, **rules: object) -> None:
        """How files are put on the disk."""
        self.world.habits = replace(self.world.habits, disk=DiskRules(**rules))  # type: ignore[arg-type]

    def test_two_that_fit_one_by_one(self) -> None:
        """The second waits while the first still misses what it needs, and goes on behind it."""
        self.free = len(CONTENT) + 5000
        first, ended = self.world.start(urls=("http://origin.test/first",))
        second = self.world.run(urls=("http://origin.test/second",))
        self.assertEqual((first.record.state, second.state), (S.ACTIVE, S.WAITING))
        self.assertEqual(second.error and second.error.code, "no-space")
        self.assertIn("tried again until", second.error.message if second.error else "")
        self.world.origin.exchanges[0].send(CONTENT).finish()
        self.successResultOf(ended)
        self.world.origin.script = File(CONTENT)
        done = self.world.run(self.world.again(second))
        self.assertEqual(done.state, S.COMPLETE)

    def test_fills_up_meanwhile(self) -> None:
        """Somebody else takes what is to be kept free: the job waits, and keeps what came."""
        self.rules(keep_free=1000)
        job, ended = self.world.start()
        self.world.origin.last.send(CONTENT[:4000])
        self.world.pass_time(6)
        self.assertIs(job.record.state, S.ACTIVE)
        self.free = 999
        self.world.pass_time(6)
        self.successResultOf(ended)
        self.assertEqual((job.record.state, job.record.covered.total), (S.WAITING, 4000))
        asked = len(self.world.origin.exchanges)
        again = self.world.run(self.world.again(job.record))
        self.assertEqual((again.state, len(self.world.origin.exchanges)), (S.WAITING, asked))
        self.free = 1 << 30
        self.world.origin.script = File(CONTENT)
        done = self.world.run(self.world.again(again))
        self.assertEqual((done.state, self.world.octets()), (S.COMPLETE, CONTENT))
        self.assertEqual(self.world.origin.ranges[-1], (4000, len(CONTENT)))

    def test_tried_for_ever(self) -> None:
        """However often there was no room: it is looked again."""
        self.free = 10
        record = self.world.run()
        for _ in range(20):
            record = self.world.run(self.world.again(record))
            self.assertIs(record.state, S.WAITING)
            self.assertLessEqual((record.retry_at or 0) - EPOCH - self.world.clock.seconds(), 60)

    def test_time_and_mode(self) -> None:
        """A finished file has the origin's time and the mode that is configured, where asked."""
        self.world.origin.script = File(CONTENT, modified=FULL)
        plain = self.world.run(urls=("http://origin.test/plain",))
        self.rules(origin_time=True, mode=0o640)
        dressed = self.world.run(urls=("http://origin.test/dressed",))
        self.assertEqual((plain.state, dressed.state), (S.COMPLETE, S.COMPLETE))
        told = (self.world.directory / "dressed").stat()
        self.assertEqual((told.st_mode & 0o777, told.st_mtime), (0o640, 784111777.0))
        self.assertNotEqual((self.world.directory / "plain").stat().st_mtime, 784111777.0)

    def test_preallocated(self) -> None:
        """A file whose blocks were taken before is the same file, resumed too."""
        self.rules(preallocate=True)
        record = self.world.run_cut(File(CONTENT), 5000)
        self.world.origin.script = File(CONTENT)
        done = self.world.run(self.world.again(record))
        self.assertEqual((done.state, self.world.octets()), (S.COMPLETE, CONTENT))
