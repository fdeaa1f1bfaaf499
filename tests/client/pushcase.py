"""A push to a server that can be told to fail."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.jobs import JobRecord, JobState
from tests.client.pushworld import KIB, PushWorld, pattern

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
