"""Which jobs ran a moment ago."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.client.lately import SECONDS, Lately


class LatelyTests(SynchronousTestCase):
    """A word that holds for a while."""

    def test_for_a_while(self) -> None:
        """It is known until so many seconds have gone by, from the last time on."""
        lately = Lately()
        self.assertFalse(lately.knows("a", 0.0))
        lately.note("a", 0.0)
        lately.note("b", 10.0)
        lately.note("a", 20.0)
        for now, known in ((20.0, "ab"), (9.0 + SECONDS, "ab"), (19.0 + SECONDS, "a")):
            self.assertEqual("".join(job for job in "abc" if lately.knows(job, now)), known)
        self.assertFalse(lately.knows("a", 20.0 + SECONDS))

    def test_clock_set_back(self) -> None:
        """A word from the time to come is none."""
        lately = Lately()
        lately.note("a", 1000.0)
        self.assertFalse(lately.knows("a", 0.0))
        lately.note("b", 0.0)
        self.assertTrue(lately.knows("b", 0.0))

    def test_forgets(self) -> None:
        """What is too old is not kept."""
        lately = Lately()
        for number in range(1000):
            lately.note(str(number), number)
        self.assertLessEqual(len(lately), SECONDS)
