"""A journal that takes nothing down for a while."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.client.queue import REST_SECONDS
from rangedaemon.core.jobs import JobRecord, JobState
from rangedaemon.errors import NoSpace
from tests.client.scripted import File
from tests.client.world import World

CONTENT = bytes(range(256)) * 2000


class JournalFullTests(SynchronousTestCase):
    """Its disk is full, and is not any more."""

    def test_goes_on_by_itself(self) -> None:
        """A job whose end could not be written down is queued again once it can be."""
        world = World(self)
        world.origin.script = File(CONTENT).up_to(1000)
        full = [False]

        def save(record: JobRecord) -> None:
            full[0] = full[0] or record.state is JobState.WAITING
            if full[0]:
                raise NoSpace("the journal's disk is full")

        runner = world.runner()
        [snapshot] = world.result(runner.add([world.spec()]))
        world.store.before_save = save
        runner.startService()
        self.addCleanup(runner.stopService)
        world.pass_time(REST_SECONDS * 2.5)
        self.assertEqual(len(self.flushLoggedErrors(NoSpace)), 3)
        job_id = snapshot.record.id
        self.assertNotIn(world.store.records[job_id].state, (JobState.WAITING, JobState.COMPLETE))
        world.store.before_save = lambda _record: None
        world.origin.script = File(CONTENT)
        world.pass_time(REST_SECONDS * 2)
        self.assertIs(world.store.records[job_id].state, JobState.COMPLETE)
        self.assertEqual(world.octets(), CONTENT)
