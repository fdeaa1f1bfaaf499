"""Tests for `rangedaemon.core.patience`: how wrong tokens are slowed down."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.patience import (
    FORGIVEN_AFTER,
    FREE,
    HELD_IN_ALL,
    HELD_PER_PEER,
    LONGEST,
    PEERS,
    Patience,
    TooManyFailures,
    peer_of,
)


class PatienceTests(SynchronousTestCase):
    """Tests for `Patience`."""

    def setUp(self) -> None:
        """Nobody was wrong yet."""
        self.patience = Patience()

    def told(self, name: str, now: float = 0.0, fixed: float | None = None) -> float:
        """How long a refusal was held back, the next one coming after it was sent."""
        seconds = self.patience.hold(name, now, fixed)
        self.patience.release(name)
        return seconds

    def test_grows(self) -> None:
        """A few mistakes are free, then each costs twice the one before, up to a bound."""
        found = [self.told("a") for _ in range(FREE + 6)]
        self.assertEqual(found, [0.0] * FREE + [1.0, 2.0, 4.0, LONGEST, LONGEST, LONGEST])

    def test_each_by_itself(self) -> None:
        """One peer's mistakes are not another's."""
        for _ in range(20):
            self.told("a")
        self.assertEqual(self.told("b"), 0.0)

    def test_forgiven(self) -> None:
        """Mistakes are forgotten with time."""
        for _ in range(FREE + 1):
            self.told("a")
        self.assertEqual(self.told("a", FORGIVEN_AFTER * (FREE + 1)), 0.0)

    def test_fixed(self) -> None:
        """A protocol with a delay of its own keeps it."""
        self.assertEqual([self.told("a", fixed=1.0) for _ in range(20)], [1.0] * 20)

    def test_few_are_held(self) -> None:
        """So many of a peer wait at once, and no more; then again."""
        for _ in range(HELD_PER_PEER):
            self.patience.hold("a", 0.0)
        self.assertRaises(TooManyFailures, self.patience.hold, "a", 0.0)
        self.patience.hold("b", 0.0)
        self.patience.release("a")
        self.patience.hold("a", 0.0)

    def test_few_are_held_in_all(self) -> None:
        """Many peers together hold no more than so many connections."""
        for number in range(HELD_IN_ALL):
            self.patience.hold(str(number), 0.0)
        self.assertRaises(TooManyFailures, self.patience.hold, "one more", 0.0)

    @given(
        st.lists(
            st.tuples(st.integers(0, 3 * PEERS), st.booleans(), st.floats(0, 1e6)), max_size=200
        )
    )
    def test_bounded(self, steps: list[tuple[int, bool, float]]) -> None:
        """Whoever asks in whatever order: no more are held than may be, none is forgotten."""
        patience, held = Patience(), list[str]()
        for peer, let_go, now in steps:
            if let_go and held:
                patience.release(held.pop())
                continue
            try:
                self.assertTrue(0.0 <= patience.hold(str(peer), now) <= LONGEST)
                held.append(str(peer))
            except TooManyFailures:
                self.assertTrue(len(held) == HELD_IN_ALL or held.count(str(peer)) == HELD_PER_PEER)
        for name in held:
            patience.release(name)

    def test_bounded_memory(self) -> None:
        """Of many peers the ones that were quiet the longest are forgotten, held ones never."""
        for _ in range(FREE + 3):
            self.told("early")
        self.patience.hold("held", 0.0)
        for number in range(PEERS):
            self.told(f"peer {number}")
        self.patience.release("held")
        self.assertEqual(self.told("early"), 0.0)


class PeerTests(SynchronousTestCase):
    """Tests for `peer_of`."""

    def test_table(self) -> None:
        """An IPv4 address, a network of IPv6, and one name for all of a Unix socket."""
        for host, name in (
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("fe80::1%eth0", "fe80::/64"),
            (None, "local"),
            ("", "local"),
        ):
            self.assertEqual(peer_of(host), name)
