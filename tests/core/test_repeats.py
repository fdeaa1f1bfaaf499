"""Tests for `rangedaemon.core.repeats`."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.repeats import Repeat, check_cron, check_repeat, next_turn

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> float:
    """Seconds since the epoch of an instant."""
    return datetime.fromisoformat(text).timestamp()


class NextTurnTests(SynchronousTestCase):
    """When a job runs again."""

    def turn(self, cron: str, now: str) -> str:
        """The next turn by the clock of Berlin."""
        due = next_turn(Repeat(cron=cron), None, at(now), BERLIN, 0.0)
        assert due is not None
        return datetime.fromtimestamp(due, BERLIN).isoformat()

    def test_cron(self) -> None:
        """The next time that fits, never the present one."""
        for cron, now, expected in (
            ("0 3 * * *", "2026-11-22T02:59:59+01:00", "2026-11-22T03:00:00+01:00"),
            ("0 3 * * *", "2026-11-22T03:00:00+01:00", "2026-11-23T03:00:00+01:00"),
            ("*/15 8-18 * * mon-fri", "2026-11-20T18:45:01+01:00", "2026-11-23T08:00:00+01:00"),
            # The hour that is left out: at once after it.  The one that comes twice: once.
            ("30 2 * * *", "2026-03-28T12:00:00+01:00", "2026-03-29T03:00:00+02:00"),
            ("30 2 * * *", "2026-10-24T12:00:00+02:00", "2026-10-25T02:30:00+02:00"),
            ("30 2 * * *", "2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"),
        ):
            self.assertEqual(self.turn(cron, now), expected, (cron, now))

    @given(st.floats(0, 4e9), st.floats(1, 1e6), st.floats(0, 1e4), st.floats(0, 0.999))
    def test_every(self, now: float, every: float, jitter: float, chance: float) -> None:
        """So much later, and by chance up to the jitter more."""
        due = next_turn(Repeat(every=every, jitter=jitter), None, now, UTC, chance)
        assert due is not None
        self.assertTrue(now + every <= due <= now + every + jitter)

    @given(st.floats(0, 4e9))
    def test_cron_is_later(self, now: float) -> None:
        """A turn by the clock is to come, and within a day where it is daily."""
        due = next_turn(Repeat(cron="0 3 * * *"), None, now, BERLIN, 0.0)
        assert due is not None
        self.assertTrue(now < due <= now + 25 * 3600)

    def test_window(self) -> None:
        """A turn in a closed window waits for its opening."""
        due = next_turn(Repeat(every=3600), "22:00-06:00", at("2026-11-22T12:00Z"), UTC, 0.0)
        self.assertEqual(due, at("2026-11-22T22:00Z"))

    def test_none(self) -> None:
        """No repetition, no turn."""
        self.assertIsNone(next_turn(None, None, 0.0, UTC, 0.0))


class CheckTests(SynchronousTestCase):
    """What is refused."""

    def test_cron(self) -> None:
        """Told what would do."""
        self.assertEqual(check_cron(" 0  3 * * * "), "0 3 * * *")
        for text in ("", "@daily", "61 * * * *", "0 0 30 2 *"):
            self.assertIn("such as", str(self.assertRaises(ValueError, check_cron, text)), text)

    def test_one_of_them(self) -> None:
        """Both or none is too much or too little."""
        self.assertRaises(ValueError, check_repeat, None, None)
        self.assertRaises(ValueError, check_repeat, 1.0, "0 3 * * *")
