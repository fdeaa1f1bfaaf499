"""Tests for `rangedaemon.core.identity`."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.etags import parse_entity_tag
from rangedaemon.core.identity import COARSE_TICK, FINE_TICK, FileStamp

T = 1_700_000_000
FINE = FileStamp(7, 100, T * 10**9 + 5, T * 10**9 + 5)
COARSE = FileStamp(7, 100, T * 10**9, T * 10**9)

stamps = st.builds(
    FileStamp,
    st.integers(0, 2**64),
    st.integers(0, 2**63),
    st.integers(-(2**63), 2**63),
    st.integers(0, 2**62),
)


class EntityTagTests(SynchronousTestCase):
    """Tests for the tag of a file."""

    def test_settled(self) -> None:
        """Strong, the same at any later time, and well-formed."""
        tag = FINE.entity_tag(T + 1)
        self.assertFalse(tag.weak)
        self.assertEqual(tag, FINE.entity_tag(T + 9999.5))
        self.assertEqual(parse_entity_tag(str(tag)), tag)

    def test_every_part_counts(self) -> None:
        """Another inode, size, mtime or ctime is another tag."""
        tags = {str(FINE.entity_tag(T + 60))}
        for field in ["inode", "size", "mtime_ns", "ctime_ns"]:
            tags.add(str(replace(FINE, **{field: getattr(FINE, field) + 1}).entity_tag(T + 60)))
        self.assertEqual(len(tags), 5)

    @given(stamps, stamps)
    def test_no_two_alike(self, one: FileStamp, two: FileStamp) -> None:
        """Different stamps never share a tag."""
        same = one.entity_tag(2**40).weak_equal(two.entity_tag(2**40))
        self.assertEqual(same, one == two)

    def test_unsettled(self) -> None:
        """Weak, and neither the tag of another moment nor the settled one."""
        young = FINE.entity_tag(T + 0.05)
        self.assertTrue(young.weak)
        self.assertFalse(young.weak_equal(FINE.entity_tag(T + 0.06)))
        self.assertFalse(young.weak_equal(FINE.entity_tag(T + 60)))

    def test_ticks(self) -> None:
        """A tenth of a second where the file system keeps fractions, two seconds where not."""
        self.assertAlmostEqual(FINE.settles_in(T), FINE_TICK, places=6)
        self.assertEqual(FINE.settles_in(T + 0.11), 0)
        self.assertAlmostEqual(COARSE.settles_in(T + 0.5), COARSE_TICK - 0.5)
        self.assertEqual(COARSE.settles_in(T + 2), 0)

    def test_times_ahead(self) -> None:
        """A change that is yet to come settles later; an mtime that was set ahead may be."""
        self.assertGreater(FINE.settles_in(T - 100), 100)
        ahead = replace(FINE, mtime_ns=(T + 999) * 10**9)
        self.assertEqual(ahead.settles_in(T + 1), 0)
        self.assertGreater(replace(COARSE, mtime_ns=(T + 999) * 10**9).settles_in(T + 9), 0)


class LastModifiedTests(SynchronousTestCase):
    """Tests for the date of a file."""

    def test_never_ahead(self) -> None:
        """Floored, and never later than now (RFC 9110, 8.8.2.1)."""
        self.assertEqual(replace(FINE, mtime_ns=T * 10**9 + 999_999_999).last_modified(T + 9), T)
        self.assertEqual(FINE.last_modified(T - 5.5), T - 6)
        self.assertEqual(replace(FINE, mtime_ns=-1).last_modified(T), -1)
