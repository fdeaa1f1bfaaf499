"""Which validators are made of a file's time, and what is looked at again behind them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.caution import (
    LEAST_OCTETS,
    MOST_BLOCKS,
    MOST_EDGES,
    SHARE,
    SecondLook,
    made_of_time,
    second_look,
)
from rangedaemon.core.dates import format_http_date
from rangedaemon.core.intervals import EMPTY, ByteRange, IntervalSet
from rangedaemon.core.jobs import Remembered
from rangedaemon.core.overlap import BLOCK_OCTETS, END_OCTETS
from tests.core.test_overlap import COVERED

KIB, MIB = 1024, 1024 * 1024
SIZE = 12_582_912
THEN = 1_700_000_000
DATE = format_http_date(THEN)


def base_36(number: int) -> str:
    """As Go's strconv.FormatInt writes it."""
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    return (base_36(number // 36) if number >= 36 else "") + digits[number % 36]


TAGS: dict[str, Callable[[int, int], str]] = {
    "nginx": lambda time, size: f'"{time:x}-{size:x}"',
    "Apache": lambda time, size: f'"{size:x}-{time * 10**6 + 123_456:x}"',
    "Apache with the inode": lambda time, size: f'"2a51c-{size:x}-{time * 10**6:x}"',
    "Apache, coded": lambda time, size: f'"{size:x}-{time * 10**6:x}-gzip"',
    "Caddy 2.6": lambda time, size: f'"{base_36(time)}{base_36(size)}"',
    "Caddy, newer": lambda time, size: f'"{base_36(time * 10**9 + 17)}{base_36(size)}"',
    "Caddy, apart": lambda time, size: f'"{base_36(time * 10**9 + 17)}-{base_36(size)}"',
    "nanoseconds": lambda time, size: f'"{time * 10**9 + 5:x}-{size:x}"',
    "milliseconds": lambda time, size: f'"{size:x}-{time * 10**3 + 5:x}"',
}


def remembered(etag: str | None, date: str | None = DATE, length: int | None = SIZE) -> Remembered:
    """What an answer said."""
    return Remembered(etag=etag, last_modified=date, date=DATE, length=length)


class MadeOfTimeTests(SynchronousTestCase):
    """The forms of tags."""

    def test_known_forms(self) -> None:
        """The servers that make tags of time and size, with a date beside them and without."""
        for name, tag in TAGS.items():
            for date in (DATE, None):
                with self.subTest(name, date=date):
                    self.assertTrue(made_of_time(remembered(tag(THEN, SIZE), date)))

    def test_of_a_real_server(self) -> None:
        """Tags as nginx 1.22 and Caddy 2.6 sent them for a file."""
        date = "Thu, 01 Jan 2026 00:00:00 GMT"
        for tag in ('"6955b900-2710"', '"t85s007ps"'):
            with self.subTest(tag):
                self.assertTrue(made_of_time(remembered(tag, date, 10_000)))

    def test_other_forms(self) -> None:
        """Digests, versions, other sizes, and what is no time beside the size."""
        for tag in (
            '"v1"',
            '""',
            '"d41d8cd98f00b204e9800998ecf8427e"',
            '"d41d8cd98f00b204e9800998ecf8427e-38"',
            '"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"',
            '"3148091283"',
            f'"{THEN:x}-{SIZE + 1:x}"',
            f'"{SIZE:x}"',
            f'"2-{SIZE:x}"',
            f'"s1-{SIZE:x}"',
            f'"{base_36(SIZE)}"',
        ):
            with self.subTest(tag):
                self.assertFalse(made_of_time(remembered(tag)))

    def test_early_time(self) -> None:
        """A time just behind the epoch is one where Last-Modified says so."""
        tag = TAGS["nginx"](1, SIZE)
        self.assertTrue(made_of_time(remembered(tag, format_http_date(1))))
        self.assertFalse(made_of_time(remembered(tag, DATE)))

    def test_date_alone(self) -> None:
        """Last-Modified is a time, and a weak tag beside it takes nothing from that."""
        self.assertTrue(made_of_time(remembered(None)))
        self.assertTrue(made_of_time(remembered('W/"v1"')))
        self.assertFalse(made_of_time(remembered(None, None)))

    def test_unknown_length(self) -> None:
        """Without the length nobody can tell."""
        self.assertFalse(made_of_time(remembered(TAGS["nginx"](THEN, SIZE), length=None)))

    @given(
        st.sampled_from(sorted(TAGS)),
        st.integers(10**9, 4 * 10**9),
        st.integers(0, 1 << 45),
        st.booleans(),
    )
    def test_any_time_and_size(self, server: str, time: int, size: int, dated: bool) -> None:
        """Whatever the file, its tag is known again."""
        date = format_http_date(time) if dated else None
        self.assertTrue(made_of_time(remembered(TAGS[server](time, size), date, size)))

    @given(st.text(st.characters(min_codepoint=33, max_codepoint=126)), st.integers(0, 1 << 62))
    def test_any_text(self, text: str, size: int) -> None:
        """Whatever stands in a tag, there is an answer."""
        self.assertIn(made_of_time(remembered(f'"{text}"', length=size)), (True, False))


class SecondLookTests(SynchronousTestCase):
    """What is compared."""

    def look(
        self, *pairs: tuple[int, int], end: int, most: int = 64 * KIB, blocks: bool = True
    ) -> SecondLook:
        """What is compared of these octets."""
        covered = IntervalSet.from_pairs(pairs)
        return second_look(covered, end, Random(1), most=most, blocks=blocks)

    def test_one_interval(self) -> None:
        """The octets before the hole, and blocks."""
        look = self.look((0, 100 * MIB), end=200 * MIB)
        self.assertEqual(look.edges, {100 * MIB: END_OCTETS})
        self.assertEqual([len(block) for block in look.blocks], [BLOCK_OCTETS] * MOST_BLOCKS)

    def test_no_blocks(self) -> None:
        """The octets before the hole alone."""
        look = self.look((0, 100 * MIB), end=200 * MIB, blocks=False)
        self.assertEqual((look.edges, [*look.blocks]), ({100 * MIB: END_OCTETS}, []))

    def test_last_octet_is_there(self) -> None:
        """Behind the end of the file nobody asks for anything."""
        look = self.look((0, MIB), (9 * MIB, 10 * MIB), end=10 * MIB)
        self.assertEqual([*look.edges], [MIB])

    def test_many_intervals(self) -> None:
        """Some of them, the first always; they share what there is to spend."""
        pairs = [(n * MIB, n * MIB + MIB // 2) for n in range(100)]
        look = self.look(*pairs, end=100 * MIB)
        self.assertEqual(len(look.edges), MOST_EDGES)
        self.assertEqual(look.edges[MIB // 2], 32 * KIB // MOST_EDGES)

    def test_little_is_there(self) -> None:
        """One octet in a hundred, and no request that is not worth its while."""
        look = self.look((0, 100_000), end=200_000)
        self.assertEqual((look.edges, [*look.blocks]), ({100_000: 500}, []))

    def test_nothing(self) -> None:
        """Nothing where nothing is there, or nothing is to be spent."""
        self.assertEqual(self.look(end=MIB).edges, {})
        look = self.look((0, 100 * MIB), end=200 * MIB, most=0)
        self.assertEqual((look.edges, [*look.blocks]), ({}, []))

    @given(COVERED, st.integers(0, 1 << 20), st.booleans(), st.integers(0, 1000))
    def test_in_bounds(self, covered: IntervalSet, most: int, blocks: bool, chance: int) -> None:
        """Only what is there, each octet once, few requests, and never much."""
        end = covered.reach(max(piece.start for piece in covered))
        look = second_look(covered, end, Random(chance), most=most, blocks=blocks)
        edges = [ByteRange(at - count, at) for at, count in look.edges.items()]
        self.assertTrue(all(covered.covers(piece) for piece in [*edges, *look.blocks]))
        self.assertFalse(IntervalSet(edges) & IntervalSet(look.blocks))
        self.assertTrue(all(a.stop < b.start for a, b in itertools.pairwise(look.blocks)))
        self.assertLessEqual(len(edges), MOST_EDGES)
        self.assertLessEqual(len(look.blocks), MOST_BLOCKS if blocks else 0)
        allowed = min(most, max(LEAST_OCTETS, covered.total // SHARE))
        self.assertLessEqual(sum(map(len, [*edges, *look.blocks])), allowed)

    @given(COVERED, st.integers(0, 1000))
    def test_first_hole(self, covered: IntervalSet, chance: int) -> None:
        """The octets before the first hole are always compared, if there are any."""
        end = max(piece.stop for piece in covered) + 1
        look = second_look(covered, end, Random(chance), most=64 * KIB, blocks=True)
        first = next(iter(covered.gaps(ByteRange(0, end))))
        if first.start == 0:
            first = ByteRange(next(iter(covered)).stop, end)
        self.assertIn(first.start, look.edges)

    def test_nothing_there(self) -> None:
        """Nothing to compare."""
        self.assertEqual(second_look(EMPTY, MIB, Random(1), most=MIB, blocks=True).edges, {})
