"""Which connections are given up for being slow."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.laggards import GRACE_SECONDS, SLOW_SHARE, Pulse, laggards

MIB = 1024 * 1024


def pulse(
    rate: float, *, age: float = 60.0, left: int = 100 * MIB, held_back: bool = False
) -> Pulse:
    """A connection that has been at work for a while and has much to do."""
    return Pulse(age, rate, left, held_back)


FAST = pulse(1.0 * MIB)
PULSES = st.lists(
    st.builds(
        Pulse,
        age=st.floats(0, 100),
        rate=st.floats(0, 1e9),
        left=st.integers(0, 1 << 40),
        held_back=st.just(False) | st.booleans(),
    ),
    max_size=16,
)


class LaggardsTests(SynchronousTestCase):
    """Far behind the mean of all, and nobody's fault but the connection's."""

    def test_table(self) -> None:
        """One case for each reason to give up or to keep."""
        for name, pulses, expected in (
            ("nobody", [], []),
            ("alone", [pulse(1.0)], []),
            ("all alike", [FAST] * 8, []),
            ("one at a fiftieth", [FAST] * 7 + [pulse(0.02 * MIB)], [7]),
            ("silent", [FAST, FAST, pulse(0.0)], [2]),
            ("two of them", [pulse(1.0), FAST, FAST, FAST, pulse(1.0)], [0, 4]),
            ("a third of the mean is enough", [FAST] * 7 + [pulse(0.33 * MIB)], []),
            ("too young", [FAST] * 7 + [pulse(1.0, age=GRACE_SECONDS - 0.1)], []),
            ("old enough", [FAST] * 7 + [pulse(1.0, age=GRACE_SECONDS)], [7]),
            ("as good as done", [FAST] * 7 + [pulse(1000.0, left=2999)], []),
            ("not quite done", [FAST] * 7 + [pulse(1000.0, left=3001)], [7]),
            ("a limit of ours", [FAST] * 6 + [pulse(1.0), pulse(1.0, held_back=True)], []),
            ("nobody is fast", [pulse(0.0), pulse(0.0)], []),
        ):
            with self.subTest(name):
                self.assertEqual(laggards(pulses), expected)

    @given(PULSES)
    def test_never_all(self, pulses: list[Pulse]) -> None:
        """Somebody always goes on; who is given up is slower than everybody who is measured."""
        slow = set(laggards(pulses))
        self.assertTrue(not slow or len(slow) < len(pulses))
        for at in slow:
            kept = [p for i, p in enumerate(pulses) if i not in slow and p.age >= GRACE_SECONDS]
            self.assertTrue(any(pulses[at].rate < SLOW_SHARE * p.rate for p in kept))
