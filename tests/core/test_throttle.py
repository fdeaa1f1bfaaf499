"""Tests for `rangedaemon.core.throttle`."""

from __future__ import annotations

import heapq

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.throttle import Bucket

RATE = 1000
BURST = RATE * Bucket.BURST_SECONDS


class TakeTests(SynchronousTestCase):
    """Tests for `Bucket.take`."""

    def test_debt_is_paid_by_waiting(self) -> None:
        """A read of one second's worth is followed by one second of silence."""
        self.assertEqual(Bucket(RATE, 0.0).take(RATE, 0.0), 1.0)

    def test_debts_add_up(self) -> None:
        """Who takes during a debt waits for the others' octets too."""
        bucket = Bucket(RATE, 0.0)
        bucket.take(RATE, 0.0)
        self.assertEqual(bucket.take(RATE, 0.5), 1.5)

    def test_no_limit_never_waits(self) -> None:
        """Without a rate nothing is counted."""
        self.assertEqual(Bucket(None, 0.0).take(10**12, 0.0), 0.0)

    def test_savings_are_bounded(self) -> None:
        """After an hour of silence no more than the burst goes at once."""
        bucket = Bucket(RATE, 0.0)
        self.assertEqual(bucket.take(int(BURST), 3600.0), 0.0)
        self.assertEqual(bucket.take(1, 3600.0), 0.001)

    def test_clock_that_steps_back(self) -> None:
        """A time before the last one pays nothing and costs nothing."""
        bucket = Bucket(RATE, 100.0)
        self.assertEqual(bucket.take(RATE, 90.0), 1.0)

    def test_taking_nothing(self) -> None:
        """No octets, no wait."""
        self.assertEqual(Bucket(RATE, 0.0).take(0, 0.0), 0.0)

    @given(st.lists(st.integers(1, 3000), min_size=1, max_size=40), st.integers(1, 5))
    def test_long_run_rate_is_kept(self, blocks: list[int], connections: int) -> None:
        """However many share it: never more than the rate, a burst and a block for each."""
        bucket = Bucket(RATE, 0.0)
        ready = [(0.0, n) for n in range(connections)]
        sent = 0
        for block in blocks:
            now, who = heapq.heappop(ready)
            self.assertLessEqual(sent, RATE * now + BURST + connections * max(blocks) + 1e-6)
            sent += block
            heapq.heappush(ready, (now + bucket.take(block, now), who))
        paid = max(now for now, _ in ready)
        self.assertGreaterEqual(paid * RATE + BURST + 1e-6, sent)

    @given(st.lists(st.integers(1, 3000), min_size=1, max_size=40))
    def test_rate_is_used_up(self, blocks: list[int]) -> None:
        """One connection that always has octets is held back no longer than it must be."""
        bucket, now = Bucket(RATE, 0.0), 0.0
        for block in blocks:
            now += bucket.take(block, now)
        self.assertAlmostEqual(now, sum(blocks) / RATE)


class SetRateTests(SynchronousTestCase):
    """Tests for `Bucket.set_rate`."""

    def test_debt_stays(self) -> None:
        """A debt is paid at the new rate."""
        bucket = Bucket(RATE, 0.0)
        bucket.take(RATE, 0.0)
        bucket.set_rate(2 * RATE, 0.5)
        self.assertEqual(bucket.take(0, 0.5), 0.25)

    def test_lifting_the_limit_forgives(self) -> None:
        """Without a limit nobody waits, and a limit set later starts without a debt."""
        bucket = Bucket(RATE, 0.0)
        bucket.take(100 * RATE, 0.0)
        bucket.set_rate(None, 0.0)
        self.assertEqual(bucket.take(5, 0.0), 0.0)
        bucket.set_rate(RATE, 1.0)
        self.assertEqual(bucket.take(RATE, 1.0), 1.0)

    def test_rate_is_shown(self) -> None:
        """What was set last can be read."""
        bucket = Bucket(None, 0.0)
        bucket.set_rate(7, 0.0)
        self.assertEqual(bucket.rate, 7)

    def test_silence_without_a_limit_saves_nothing(self) -> None:
        """Time that passed before there was a limit gives no burst."""
        bucket = Bucket(None, 0.0)
        bucket.set_rate(RATE, 3600.0)
        self.assertEqual(bucket.take(100, 3600.0), 0.1)
