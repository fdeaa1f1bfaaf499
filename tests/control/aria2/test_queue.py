"""Tests for `rangedaemon.control.aria2.queue`: places in a queue of priorities."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.control.aria2.queue import new_priorities


class NewPrioritiesTests(SynchronousTestCase):
    """Tests for `new_priorities`."""

    @given(st.lists(st.integers(-3, 3), max_size=8), st.integers(-3, 3), st.data())
    def test_ends_up_there(self, priorities: list[int], own: int, data: st.DataObject) -> None:
        """After the changes the job is at its place, and the others kept their order."""
        age = data.draw(st.integers(0, len(priorities)))
        jobs = [*((str(n + (n >= age)), p) for n, p in enumerate(priorities))]
        jobs.sort(key=lambda job: (-job[1], int(job[0])))
        place = data.draw(st.integers(0, len(jobs)))
        after = dict([*jobs, (str(age), own)])
        after.update(new_priorities(jobs, str(age), place))
        order = sorted(after, key=lambda job: (-after[job], int(job)))
        expected = [job for job, _ in jobs]
        expected.insert(place, str(age))
        self.assertEqual(order, expected)
