"""Tests for `rangedaemon.server.watch`: files that change, or seem to, while they are sent."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.server.watch import FileMoved, Watch


class WatchTests(SynchronousTestCase):
    """What is made of the looks at a file."""

    def setUp(self) -> None:
        """Remember the pauses that would have been made."""
        self.pauses: list[float] = []

    def watch(self, *looks: bool) -> Watch:
        """Over a file that looks so, one time after the other."""
        return Watch(iter(looks).__next__, self.pauses.append)

    def test_same(self) -> None:
        """One look is enough, and costs no time."""
        self.watch(True).check()
        self.assertEqual(self.pauses, [])

    def test_being_added_to(self) -> None:
        """A file whose size comes after its new time is given that time."""
        self.watch(False, False, True).check()
        self.assertEqual(len(self.pauses), 2)

    def test_changed(self) -> None:
        """It is another where it stays so; the pauses are short and few."""
        watch = self.watch(False, False, False, False, True)
        self.assertRaises(FileMoved, watch.check)
        self.assertLess(sum(self.pauses), 0.05)

    def test_glance(self) -> None:
        """Who may not wait looks once."""
        self.assertFalse(self.watch(False, True).seems_same())
        self.assertEqual(self.pauses, [])
