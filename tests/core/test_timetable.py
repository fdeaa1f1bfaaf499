"""Tests for `rangedaemon.core.timetable`."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.timetable import (
    MINUTES_OF_DAY,
    Hour,
    Timetable,
    Window,
    parse_entries,
    parse_window,
    rate_at,
    timetable,
    told,
)

MON, SAT, SUN = 0, 5, 6


def at(weekday: int, clock: str) -> Hour:
    """That weekday at that time."""
    hours, minutes = clock.split(":")
    return Hour(weekday, int(hours) * 60 + int(minutes))


class WindowTests(SynchronousTestCase):
    """Tests for `parse_window` and `Window.holds`."""

    def test_table(self) -> None:
        """Half-open, over midnight too; days are those on which a window begins."""
        for text, inside, outside in (
            ("08:00-18:00", [(MON, "08:00"), (SUN, "17:59")], [(MON, "07:59"), (MON, "18:00")]),
            ("22:00-06:00", [(MON, "22:00"), (MON, "00:00"), (MON, "05:59")], [(MON, "06:00")]),
            ("fri 22:00-06:00", [(4, "22:00"), (SAT, "05:59")], [(4, "05:59"), (SAT, "22:00")]),
            ("sun 22:00-06:00", [(SUN, "23:00"), (MON, "05:59")], [(SUN, "05:59")]),
            ("sat,sun 00:00-24:00", [(SAT, "00:00"), (SUN, "23:59")], [(MON, "00:00")]),
            ("sat-mon 8:00-9:00", [(SAT, "08:30"), (MON, "08:30")], [(1, "08:30"), (4, "08:30")]),
            ("12:00-12:00", [(MON, "12:00"), (MON, "11:59")], []),
            ("MON-Fri 24:00-01:00", [(MON, "00:59"), (4, "00:00")], [(SAT, "00:00")]),
        ):
            window = parse_window(text)
            for weekday, clock in inside:
                self.assertTrue(window.holds(at(weekday, clock)), (text, weekday, clock))
            for weekday, clock in outside:
                self.assertFalse(window.holds(at(weekday, clock)), (text, weekday, clock))

    def test_refused(self) -> None:
        """What is no window says what one looks like."""
        for text in (
            "", "8-18", "08:00", "08:00-25:00", "08:60-09:00", "24:01-01:00", "day 08:00-09:00",
            "mon- 08:00-09:00", "08:00 - 09:00", "\u0660\u0668:00-09:00",
        ):  # fmt: skip
            error = self.assertRaises(ValueError, parse_window, text)
            self.assertIn("08:00-18:00", str(error))

    @settings(max_examples=20, deadline=None)
    @given(
        st.integers(0, MINUTES_OF_DAY - 1),
        st.integers(1, MINUTES_OF_DAY),
        st.frozensets(st.integers(0, 6), min_size=1),
    )
    def test_length(self, start: int, stop: int, days: frozenset[int]) -> None:
        """Over a week it is open for as many minutes as it says, once for each of its days."""
        window = Window(start, stop, days)
        week = (Hour(n // MINUTES_OF_DAY, n % MINUTES_OF_DAY) for n in range(7 * MINUTES_OF_DAY))
        length = (stop - start) % MINUTES_OF_DAY or MINUTES_OF_DAY
        self.assertEqual(sum(window.holds(hour) for hour in week), length * len(days))


class TimetableTests(SynchronousTestCase):
    """Tests for `timetable`, `rate_at` and the words they are told in."""

    def test_first_that_holds(self) -> None:
        """The first window counts, the default outside; no limit is a limit too."""
        table = timetable({"default": 9, "sat,sun 00:00-24:00": None, "08:00-18:00": 2})
        for hour, rate in ((at(MON, "09:00"), 2), (at(SAT, "09:00"), None), (at(MON, "19:00"), 9)):
            self.assertEqual(rate_at(table, hour), rate)
        self.assertEqual([rate_at(rate, at(MON, "00:00")) for rate in (None, 7)], [None, 7])

    def test_refused(self) -> None:
        """No window at all, or one that is none."""
        for entries in ({}, {"default": 1}, {"night": 1}):
            self.assertRaises(ValueError, timetable, entries)

    def test_entries(self) -> None:
        """One line of text holds a whole table."""
        found = parse_entries("mon-fri 08:00-18:00 2MiB;  22:00-06:00   10MiB; default none")
        self.assertEqual(
            found, {"mon-fri 08:00-18:00": "2MiB", "22:00-06:00": "10MiB", "default": "none"}
        )
        for text in ("", "08:00-18:00", "08:00-18:00 1; 08:00-18:00 2", "08:00-18:00 1;"):
            self.assertRaises(ValueError, parse_entries, text)

    @given(
        st.lists(
            st.tuples(
                st.integers(0, MINUTES_OF_DAY - 1),
                st.integers(1, MINUTES_OF_DAY),
                st.frozensets(st.integers(0, 6), min_size=1),
                st.none() | st.integers(1),
            ),
            min_size=1,
            max_size=5,
            unique_by=lambda entry: entry[:3],
        ),
        st.none() | st.integers(1),
    )
    def test_told_is_taken(
        self, windows: list[tuple[int, int, frozenset[int], int | None]], default: int | None
    ) -> None:
        """What is told of a table makes that table again."""
        table = Timetable(
            tuple((Window(start, stop, days), rate) for start, stop, days, rate in windows), default
        )
        words = told(table)
        assert isinstance(words, dict)
        self.assertEqual(timetable(words), table)

    def test_nights_of_changed_clocks(self) -> None:
        """A window in the hour that is left out never opens, in the one that comes twice twice."""
        table, zone = timetable({"02:00-03:00": 1}), ZoneInfo("Europe/Berlin")
        for midnight, minutes in (("2026-03-29", 0), ("2026-10-25", 120), ("2026-06-01", 60)):
            begin = datetime.fromisoformat(midnight).replace(tzinfo=zone).timestamp()
            seen = (datetime.fromtimestamp(begin + 60 * n, zone) for n in range(8 * 60))
            rates = [rate_at(table, Hour(t.weekday(), t.hour * 60 + t.minute)) for t in seen]
            self.assertEqual(rates.count(1), minutes, midnight)
