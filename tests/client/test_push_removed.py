"""Tests for `rangedaemon.client.push.abandoning`: the server of a removed upload is told."""

from __future__ import annotations

from twisted.internet.error import ConnectError

from rangedaemon.client.push.abandoning import LONGEST
from rangedaemon.client.runner import Runner
from rangedaemon.core.jobs import JobRecord
from tests.client.pushcase import CONTENT, IN_ORDER, PushCase
from tests.client.pushworld import KIB, MIB, PushWorld, pattern


class RemovedTests(PushCase):
    """An upload whose job is removed."""

    def world_of(self, **wishes: object) -> tuple[PushWorld, Runner, JobRecord]:
        """A world in which an upload of those wishes has broken off, and a runner."""
        world = PushWorld(self, CONTENT)
        record = self.cut(world, **wishes)
        return world, world.runner(max_active=1), record

    def removed(self, world: PushWorld, runner: Runner, record: JobRecord) -> None:
        """Remove it; nobody waits for the server."""
        world.result(runner.remove(record.id, delete_files=False))
        self.assertNotIn(record.id, world.store.records)

    def test_told(self) -> None:
        """Termination in tus, cancellation in the draft: the server has nothing of it left."""
        for protocol in IN_ORDER:
            with self.subTest(protocol):
                world, runner, record = self.world_of(protocol=protocol)
                begun = [*world.receiver.uploads]
                self.removed(world, runner, record)
                world.clock.pump([0.001] * 20)
                self.assertEqual([s.path for s in world.receiver.asked("DELETE")], begun)
                self.assertEqual(world.receiver.uploads, {})
                self.assertTrue(world.file.exists())

    def test_each_part(self) -> None:
        """All parts of an upload that would have been joined."""
        world = PushWorld(self, pattern(20 * MIB))
        world.receiver.offer = {"Tus-Version": "1.0.0", "Tus-Extension": "concatenation"}
        record = self.cut(world, segments=2)
        self.assertEqual(len(world.receiver.uploads), 2)
        self.removed(world, world.runner(max_active=1), record)
        world.clock.pump([0.001] * 50)
        self.assertEqual(world.receiver.uploads, {})

    def test_while_it_runs(self) -> None:
        """What is on its way stops first."""
        world = PushWorld(self, CONTENT)
        runner = world.runner(max_active=1)
        runner.startService()
        self.addCleanup(runner.stopService)
        [added] = world.result(runner.add([world.spec(rate_limit=100 * KIB)]))
        world.clock.pump([0.001] * 50)
        [begun] = world.receiver.uploads
        self.removed(world, runner, added.record)
        world.clock.pump([0.001] * 50)
        self.assertEqual([s.path for s in world.receiver.asked("DELETE")], [begun])

    def test_nothing_to_tell(self) -> None:
        """Nobody is asked about a finished upload, nor where the protocol has no word for it."""
        world = PushWorld(self, CONTENT)
        runner = world.runner(max_active=1)
        for record in (world.push(), self.cut(world, protocol="segmented")):
            asked = len(world.receiver.seen)
            self.removed(world, runner, record)
            world.clock.pump([0.001] * 20)
            self.assertEqual(len(world.receiver.seen), asked)

    def test_unreachable(self) -> None:
        """The job is gone all the same, and the server is not asked for each part anew."""
        world, runner, record = self.world_of()
        world.receiver.reachable = False
        self.removed(world, runner, record)
        world.clock.pump([0.001] * 20)
        self.assertEqual(world.receiver.asked("DELETE"), [])
        self.assertEqual(self.flushLoggedErrors(ConnectError), [])

    def test_silent(self) -> None:
        """A server that does not answer is given up, and nothing goes on in secret."""
        world, runner, record = self.world_of()
        world.receiver.deaf = True
        self.removed(world, runner, record)
        world.clock.pump([0.001] * 20)
        self.assertEqual(len(runner._farewells._telling), 1)
        world.clock.advance(LONGEST)
        self.assertEqual(len(runner._farewells._telling), 0)

    def test_stopped(self) -> None:
        """The end of the daemon does not wait for it."""
        world, runner, record = self.world_of()
        world.receiver.deaf = True
        self.removed(world, runner, record)
        runner.startService()
        self.successResultOf(runner.stopService())
        self.assertEqual(len(runner._farewells._telling), 0)
