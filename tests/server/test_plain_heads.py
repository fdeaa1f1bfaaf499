"""Tests for how short requests are read and their parts are picked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.etags import EntityTag
from rangedaemon.core.intervals import ByteRange
from rangedaemon.core.preconditions import Validators
from rangedaemon.core.ranges import select_ranges
from rangedaemon.core.responses import Representation, RequestFacts, plan_response
from rangedaemon.server.partial import PartialHead, lines, simple_range
from rangedaemon.server.plainheads import HeadReader


class PartialTests(SynchronousTestCase):
    """What is filled in is what would have been planned."""

    @given(st.integers(1, 1 << 62), st.integers(0, 1 << 63), st.integers(0, 1 << 63), st.text())
    def test_planned(self, length: int, first: int, last: int, name: str) -> None:
        """The same edges, the same fields."""
        field = f"bytes={first}-{last}"
        edges = simple_range(field.encode(), length)
        selected = select_ranges(field, length)
        if edges is None:
            return
        self.assertEqual(selected, (ByteRange(*edges),))
        described = (("X-Name", name.encode("ascii", "replace").decode()),)
        found = Representation(length, "a/b%d", Validators(EntityTag("t%s")), (), described)
        head = PartialHead.of(found, [("A", "%b")])
        assert head is not None
        plan = plan_response(RequestFacts("GET", field), found, now=0.0, boundary="")
        self.assertEqual(
            head.fill(b"B: 1\r\n", *edges),
            b"HTTP/1.1 206 Partial Content\r\nB: 1\r\n"
            + lines([("A", "%b"), *plan.fields])
            + b"\r\n",
        )

    def test_simple(self) -> None:
        """First and last in order and inside; the rest is for the ones who know more."""
        for value, length, wanted in [
            (b"bytes=0-0", 1, (0, 1)),
            (b"bytes=5-99", 10, (5, 10)),
            (b"bytes=5-4", 10, None),
            (b"bytes=10-12", 10, None),
            (b"bytes=5-", 10, None),
            (b"bytes=-5", 10, None),
            (b"Bytes=0-1", 10, None),
            (b"bytes=0-1\n", 10, None),
            (b"bytes=0-1 ", 10, None),
        ]:
            self.assertEqual(simple_range(value, length), wanted, value)


class HeadReaderTests(SynchronousTestCase):
    """Which heads are known again."""

    def test_ranges_differ(self) -> None:
        """The same head with another Range is the same head."""
        reader = HeadReader()
        form = b"GET /f HTTP/1.1\r\nHost: h\r\nRange: %b\r\nUser-Agent: a\r\n\r\n"
        first, one = reader.read(form % b"bytes=0-1")
        second, two = reader.read(form % b"bytes=2-3")
        self.assertIs(first, second)
        self.assertEqual((one, two), (b"bytes=0-1", b"bytes=2-3"))
        without, none = reader.read(b"GET /f HTTP/1.1\r\nHost: h\r\nUser-Agent: a\r\n\r\n")
        self.assertEqual((without, none), (first, b""))

    def test_not_plain(self) -> None:
        """Ends of lines, folds and second heads are no part of a value."""
        for head in [
            b"GET /f HTTP/1.1\r\nHost: h\r\nRange: a\nX: b\r\n\r\n",
            b"GET /f HTTP/1.1\r\nHost: h\r\nRange: a\r b\r\n\r\n",
            b"GET /f HTTP/1.1\r\nHost: h\r\nRange: a\r\n b\r\n\r\n",
            b"GET /f HTTP/1.1\r\nHost: h\r\nRange: a\r\n If-Range: b\r\n\r\n",
            b"GET /f HTTP/1.1\r\nHost: h\r\nRange: a\r\nRange: b\r\n\r\n",
            b"GET /f HTTP/1.1\r\nHost: h\r\nRange: a\r\n",
            b"GET /f HTTP/1.1\r\nHost: h\r\nRange: a",
            b"GET /f HTTP/1.1\r\nHost: h\r\nRange: a\r\n\r\nG",
            b"GET /f HTTP/1.1\r\nHost: h\r\n\r\nGET /f HTTP/1.1\r\nHost: h\r\nRange: a\r\n\r\n",
            b"GET /f HTTP/1.1\r\nHost: h\0\r\nRange: a\r\n\r\n",
            b"POST /f HTTP/1.1\r\nHost: h\r\n\r\n",
            b"",
        ]:
            self.assertIsNone(HeadReader().read(head)[0], head)
