"""Tests for `rangedaemon.core.calendar`: against the clock looked at minute by minute."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.calendar import (
    check_start,
    check_window,
    closing_of,
    first_turn,
    hour_of,
    opening_of,
    start_of,
)
from rangedaemon.core.timetable import Window, parse_window

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [UTC, BERLIN, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Antarctica/Troll")]
DAY = 86400.0


def at(text: str) -> float:
    """Seconds since the epoch of an instant."""
    return datetime.fromisoformat(text).timestamp()


def slow(window: Window, now: float, zone: ZoneInfo, *, opens: bool) -> float | None:
    """The clock looked at minute by minute for two days."""
    moment = now
    while moment < now + 2 * DAY:
        if window.holds(hour_of(moment, zone)) is opens:
            return moment
        moment = (moment // 60 + 1) * 60
    return None


MINUTE = st.integers(0, 1439)
# Both changes of the clocks of 2026, and what lies around them, in every zone above.
MOMENT = st.one_of(
    st.floats(at("2026-03-28T00:00Z"), at("2026-03-30T00:00Z")),
    st.floats(at("2026-04-03T00:00Z"), at("2026-04-06T00:00Z")),
    st.floats(at("2026-10-02T00:00Z"), at("2026-10-05T00:00Z")),
    st.floats(at("2026-10-24T00:00Z"), at("2026-10-26T00:00Z")),
)


class SearchTests(SynchronousTestCase):
    """When windows open and close."""

    @settings(max_examples=60, deadline=None)
    @given(MINUTE, MINUTE, MOMENT, st.sampled_from(ZONES))
    def test_as_the_clock_shows(self, start: int, stop: int, now: float, zone: ZoneInfo) -> None:
        """Opening and closing are what one sees who looks at the clock each minute."""
        window = Window(start, stop)
        opening = slow(window, now, zone, opens=True)
        self.assertIsNotNone(opening)
        self.assertEqual(opening_of(window, now, zone), opening)
        closing = slow(window, now, zone, opens=False)
        if closing is None:  # start and stop are the same: it never closes
            self.assertIsNone(closing_of(window, now, zone))
        else:
            self.assertEqual(closing_of(window, now, zone), closing)

    def test_days(self) -> None:
        """A window of the weekend opens on the next one."""
        window = parse_window("sat 22:00-06:00")
        opening = opening_of(window, at("2026-11-22T12:00+01:00"), BERLIN)
        self.assertEqual(opening, at("2026-11-28T22:00+01:00"))
        self.assertEqual(closing_of(window, opening, BERLIN), at("2026-11-29T06:00+01:00"))

    def test_never_closed(self) -> None:
        """All day is always."""
        self.assertIsNone(closing_of(parse_window("00:00-24:00"), at("2026-11-22T12:00Z"), UTC))

    def test_in_the_hour_left_out(self) -> None:
        """A window in the hour that is left out opens on the next day."""
        window = parse_window("02:10-02:20")
        opening = opening_of(window, at("2026-03-29T00:30+01:00"), BERLIN)
        self.assertEqual(opening, at("2026-03-30T02:10+02:00"))


class StartTests(SynchronousTestCase):
    """At what time a job begins."""

    def test_time_of_the_day(self) -> None:
        """Today where it is still to come or now, else tomorrow."""
        now = at("2026-11-22T12:00:30+01:00")
        self.assertEqual(start_of("22:00", now, BERLIN), at("2026-11-22T22:00+01:00"))
        self.assertEqual(start_of("9:15", now, BERLIN), at("2026-11-23T09:15+01:00"))
        self.assertEqual(start_of("12:00", now - 30, BERLIN), now - 30)

    def test_changed_clocks(self) -> None:
        """In the hour left out an hour later; in the one that comes twice, the first time."""
        spring, autumn = at("2026-03-28T23:00+01:00"), at("2026-10-24T23:00+02:00")
        self.assertEqual(start_of("02:30", spring, BERLIN), at("2026-03-29T03:30+02:00"))
        self.assertEqual(start_of("02:30", autumn, BERLIN), at("2026-10-25T02:30+02:00"))

    def test_instants(self) -> None:
        """RFC 3339, in either case."""
        self.assertEqual(start_of("2026-12-24t22:00:00z", 0, BERLIN), at("2026-12-24T22:00Z"))
        self.assertEqual(start_of("2026-12-24T22:00:00.5+01:00", 0, UTC) % 1, 0.5)

    def test_bad(self) -> None:
        """What is neither is refused, and told what would do."""
        for text in (
            "24:00",
            "22",
            "tomorrow",
            "2026-12-24",
            "2026-12-24T22:00:00",
            "\u0661\u0662:00",
        ):
            with self.subTest(text=text):
                self.assertIn("such as", str(self.assertRaises(ValueError, check_start, text)))
        for text in ("2026-02-30T22:00:00Z", "2026-12-24T25:00:00Z"):
            self.assertIn("no such", str(self.assertRaises(ValueError, check_start, text)))
        self.assertRaises(ValueError, check_window, "22:00")
        self.assertEqual(check_window(" 22:00-06:00 "), "22:00-06:00")

    def test_first_turn(self) -> None:
        """A past start is no hindrance; a start in a closed window waits for its opening."""
        now = at("2026-11-22T12:00Z")
        self.assertEqual(first_turn(None, None, now, UTC), now)
        self.assertEqual(first_turn("2020-01-01T00:00:00Z", None, now, UTC), now)
        self.assertEqual(first_turn("13:00", "22:00-06:00", now, UTC), at("2026-11-22T22:00Z"))
