"""Tests for `rangedaemon.core.plan`."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.intervals import EMPTY, ByteRange, IntervalSet
from rangedaemon.core.plan import OPEN_END, SMALLEST_THEFT, Claim, Plan

KIB = 1024
MIB = 1024 * KIB


class TakeTests(SynchronousTestCase):
    """Tests for `Plan.take`: which piece a free connection gets."""

    def test_first_claim_is_the_start(self) -> None:
        """The first claim begins with the first octet and leaves work for the others."""
        plan = Plan(64 * MIB, EMPTY, smallest=MIB)
        claim = plan.take(8)
        assert claim is not None
        self.assertEqual((claim.start, claim.stop), (0, 4 * MIB))

    def test_pieces_shrink_towards_the_end(self) -> None:
        """Later claims are never larger than earlier ones, and none is below the smallest."""
        plan = Plan(64 * MIB, EMPTY, smallest=MIB)
        sizes = []
        while plan.holes:
            claim = plan.take(4)
            assert claim is not None
            sizes.append(claim.left)
            plan.advance(claim, claim.left)
            plan.release(claim)
        self.assertEqual(sizes, sorted(sizes, reverse=True))
        self.assertGreaterEqual(min(sizes), MIB // 2)
        self.assertEqual(sum(sizes), 64 * MIB)

    def test_no_crumb_is_left(self) -> None:
        """A rest below half the smallest size goes along with the claim before it."""
        plan = Plan(MIB + 100, EMPTY, smallest=MIB)
        claim = plan.take(8)
        assert claim is not None
        self.assertEqual(claim.stop, MIB + 100)

    def test_covered_octets_are_not_claimed(self) -> None:
        """Only what is missing is handed out."""
        plan = Plan(100, IntervalSet([ByteRange(0, 40), ByteRange(60, 100)]), smallest=MIB)
        claim = plan.take(8)
        assert claim is not None
        self.assertEqual((claim.start, claim.stop), (40, 60))

    def test_focus_is_served_first(self) -> None:
        """Somebody waits for an offset: the next claim begins there."""
        plan = Plan(64 * MIB, EMPTY, smallest=MIB)
        plan.focus(33 * MIB)
        claim = plan.take(8)
        assert claim is not None
        self.assertEqual(claim.start, 33 * MIB)

    def test_focus_behind_the_last_hole_starts_over(self) -> None:
        """Where nothing is missing behind the focus, the first hole is next."""
        plan = Plan(100, IntervalSet([ByteRange(50, 100)]), smallest=1)
        plan.focus(70)
        claim = plan.take(1)
        assert claim is not None
        self.assertEqual(claim.start, 0)

    def test_unknown_length_is_one_claim(self) -> None:
        """A representation without a known length cannot be divided."""
        plan = Plan(None, EMPTY, smallest=MIB)
        claim = plan.take_all()
        self.assertEqual((claim.start, claim.stop), (0, OPEN_END))
        plan.advance(claim, 5)
        plan.end_at(5)
        self.assertTrue(plan.done)


class TheftTests(SynchronousTestCase):
    """Tests for what happens when no hole is left."""

    def setUp(self) -> None:
        """One slow claim over everything."""
        self.plan = Plan(8 * MIB, EMPTY, smallest=8 * MIB)
        victim = self.plan.take(1)
        assert victim is not None
        self.victim = victim

    def test_back_half_is_taken_over(self) -> None:
        """At equal rates the thief gets the back half."""
        thief = self.plan.take(2)
        assert thief is not None
        self.assertEqual((thief.start, thief.stop), (4 * MIB, 8 * MIB))
        self.assertEqual(self.victim.stop, 4 * MIB)

    def test_slow_victim_keeps_little(self) -> None:
        """A victim at a small part of the mean rate keeps its share by time, not by half."""
        self.victim.rate = 10.0
        fast = Claim(0, 0)
        fast.rate = 990.0
        self.plan.claims.append(fast)
        thief = self.plan.take(2)
        assert thief is not None
        self.assertLess(self.victim.left, MIB)

    def test_victim_drops_what_is_no_longer_its_own(self) -> None:
        """Octets behind the new end are not counted for the victim."""
        self.plan.take(2)
        self.assertEqual(self.plan.advance(self.victim, 5 * MIB), 4 * MIB)

    def test_slowest_is_the_victim(self) -> None:
        """Of two claims the one that would end later is split."""
        second = self.plan.take(2)
        assert second is not None
        self.victim.rate, second.rate = 100.0, 1.0
        third = self.plan.take(2)
        assert third is not None
        self.assertGreater(third.start, second.start)

    def test_what_is_under_way_is_not_taken(self) -> None:
        """Octets on their way to the disk, not counted yet, stay their fetcher's."""
        self.victim.ahead = 6 * MIB
        thief = self.plan.take(2)
        assert thief is not None
        self.assertGreaterEqual(thief.start, 6 * MIB)
        self.assertEqual((self.victim.stop, thief.stop), (thief.start, 8 * MIB))

    def test_nothing_is_left_but_what_is_under_way(self) -> None:
        """A claim whose last octets are being put away needs no help."""
        self.victim.ahead = 8 * MIB
        self.assertIsNone(self.plan.take(2))

    def test_no_race_for_what_is_under_way(self) -> None:
        """Who has octets on their way to the disk is not slow: nobody fetches them again."""
        self.plan.advance(self.victim, 8 * MIB - SMALLEST_THEFT)
        self.victim.ahead = SMALLEST_THEFT // 2
        self.assertIsNone(self.plan.take(2))
        self.victim.ahead = 0
        self.assertIsNotNone(self.plan.take(2))

    def test_tail_is_raced(self) -> None:
        """A remainder too small to split is fetched twice, and the first wins."""
        self.plan.advance(self.victim, 8 * MIB - SMALLEST_THEFT)
        racer = self.plan.take(2)
        assert racer is not None
        self.assertEqual(racer.remainder, self.victim.remainder)
        self.plan.advance(racer, SMALLEST_THEFT)
        self.assertEqual(self.victim.left, 0)
        self.assertTrue(self.plan.done)

    def test_one_race_for_each_claim(self) -> None:
        """A third connection finds nothing to do in the tail of two."""
        self.plan.advance(self.victim, 8 * MIB - 10)
        self.assertIsNotNone(self.plan.take(3))
        self.assertIsNone(self.plan.take(3))

    def test_released_rival_leaves_no_hole(self) -> None:
        """What the other one of a race still fetches is not missing."""
        self.plan.advance(self.victim, 8 * MIB - 10)
        racer = self.plan.take(2)
        assert racer is not None
        self.plan.release(racer)
        self.assertFalse(self.plan.holes)
        self.plan.release(self.victim)
        self.assertEqual(self.plan.holes.total, 10)


class WholeTests(SynchronousTestCase):
    """Tests for `Plan.keep_whole`: answers that are judged as a whole are left whole."""

    def setUp(self) -> None:
        self.plan = Plan(64 * MIB, EMPTY, smallest=MIB)

    def test_nobody_divides_or_races(self) -> None:
        """Where no hole is left a free connection gets nothing."""
        self.plan.take_all()
        self.plan.keep_whole()
        self.assertIsNone(self.plan.take(8))

    def test_reader_cuts_nothing(self) -> None:
        """Nor does somebody who waits for an octet in the middle."""
        claim = self.plan.take_all()
        self.plan.keep_whole()
        self.assertFalse(self.plan.focus(32 * MIB))
        self.assertEqual(claim.stop, 64 * MIB)

    def test_claims_are_small(self) -> None:
        """A bad answer costs a bounded number of octets, however large the file is."""
        plan = Plan(64 << 30, EMPTY, smallest=MIB)
        plan.keep_whole()
        claim = plan.take(1)
        assert claim is not None
        self.assertEqual(claim.left, 16 * MIB)


class CutTests(SynchronousTestCase):
    """Tests for `Plan.cut`: an answer that brings less than was asked for."""

    def test_rest_is_a_hole_again(self) -> None:
        """The octets behind the answer's end are to be asked for again."""
        plan = Plan(100, EMPTY, smallest=100)
        claim = plan.take(1)
        assert claim is not None
        plan.cut(claim, 30)
        self.assertEqual(claim.left, 30)
        self.assertEqual(plan.holes.to_pairs(), [(30, 100)])


class PlanMachine(RuleBasedStateMachine):
    """The plan against the slowest model there is: a set of octets that came."""

    LENGTH = 4 * SMALLEST_THEFT

    @initialize(covered=st.sets(st.integers(0, 7)))
    def begin(self, covered: set[int]) -> None:
        """Some eighths are there already."""
        step = self.LENGTH // 8
        there = IntervalSet(ByteRange(n * step, (n + 1) * step) for n in covered)
        self.came = there
        self.plan = Plan(self.LENGTH, there, smallest=SMALLEST_THEFT // 2)
        self.open: list[Claim] = []

    @rule(connections=st.integers(1, 9))
    def take(self, connections: int) -> None:
        """A connection is free."""
        claim = self.plan.take(connections)
        if claim is not None:
            self.open.append(claim)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), count=st.integers(1, 2 * SMALLEST_THEFT))
    def receive(self, data: st.DataObject, count: int) -> None:
        """Octets come; what the plan keeps has come."""
        claim = data.draw(st.sampled_from(self.open))
        at = claim.position
        kept = self.plan.advance(claim, count)
        self.came = self.came.add(ByteRange(at, at + kept))

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def cut(self, data: st.DataObject) -> None:
        """An answer is shorter than what was asked for."""
        claim = data.draw(st.sampled_from(self.open))
        self.plan.cut(claim, claim.position + claim.left // 2)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        """A connection is gone."""
        claim = data.draw(st.sampled_from(self.open))
        self.open.remove(claim)
        self.plan.release(claim)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), ahead=st.integers(0, 3 * SMALLEST_THEFT))
    def haul(self, data: st.DataObject, ahead: int) -> None:
        """Octets are on their way to the disk, or have arrived there."""
        data.draw(st.sampled_from(self.open)).ahead = ahead

    @precondition(lambda self: self.open)
    @rule(data=st.data(), rate=st.floats(0, 1e9))
    def measure(self, data: st.DataObject, rate: float) -> None:
        """A connection's rate is known."""
        data.draw(st.sampled_from(self.open)).rate = rate

    @invariant()
    def nothing_is_forgotten(self) -> None:
        """Each octet has come, is claimed, or is a hole; no hole has come."""
        claimed = IntervalSet(claim.remainder for claim in self.plan.claims)
        everything = self.came | claimed | self.plan.holes
        assert everything == IntervalSet([ByteRange(0, self.LENGTH)])
        assert not self.plan.holes & self.came
        assert not self.plan.holes & claimed

    @invariant()
    def done_means_done(self) -> None:
        """The plan is done when, and only when, every octet has come."""
        assert self.plan.done == (self.came.total == self.LENGTH)


class PlanModelTests(PlanMachine.TestCase):  # type: ignore[name-defined, misc]
    """The machine as a test."""

    settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


class LeftTests(SynchronousTestCase):
    """Tests for `Plan.left`."""

    @given(st.integers(1, 50), st.integers(0, 100))
    def test_left_counts_down(self, connections: int, received: int) -> None:
        """What is left is the length less what came."""
        plan = Plan(100, EMPTY, smallest=10)
        claim = plan.take(connections)
        assert claim is not None
        kept = plan.advance(claim, received)
        self.assertEqual(plan.left, 100 - kept)


class CutRaceTests(SynchronousTestCase):
    """Tests for a race in which one answer is shorter than what was asked for."""

    def test_longer_rival_keeps_its_rest(self) -> None:
        """The octets behind the shorter answer's end stay with the rival."""
        plan = Plan(1000, EMPTY, smallest=1000)
        first = plan.take(1)
        second = plan.take(2)
        assert first is not None
        assert second is not None
        plan.cut(first, 400)
        plan.advance(first, 400)
        plan.release(first)
        self.assertFalse(plan.done)
        self.assertEqual(second.remainder, ByteRange(0, 1000))
