"""Tests for what the answers of upload servers mean, in each protocol."""

from __future__ import annotations

import contextlib
from base64 import b64decode

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.intervals import ByteRange
from rangedaemon.core.push import segmented, tus
from rangedaemon.core.push.answers import Answer, flag_of, limits_of, offset_of, refusal
from rangedaemon.core.push.choosing import chosen
from rangedaemon.core.push.values import PushProtocol as P
from rangedaemon.errors import (
    BadResponse,
    Locked,
    Missing,
    NoUploads,
    OffsetConflict,
    Refused,
    ServerError,
    Throttled,
    TimedOut,
    TooLarge,
    Unauthorized,
    UploadGone,
)

URL = "http://server.test/uploads"


def answer(status: int = 200, body: str = "", **fields: str) -> Answer:
    return Answer(status, URL, {n.replace("_", "-"): v for n, v in fields.items()}, body)


class RefusalTests(SynchronousTestCase):
    """Every status has its fault, and every fault says whether to try again."""

    def test_statuses(self) -> None:
        """What is for good, what may pass, what means another upload."""
        for status, begun, kind, again in (
            (400, True, Refused, False),
            (401, True, Unauthorized, False),
            (403, True, Unauthorized, False),
            (404, False, Missing, False),
            (404, True, UploadGone, True),
            (408, True, TimedOut, True),
            (409, True, OffsetConflict, True),
            (410, True, UploadGone, True),
            (412, True, NoUploads, False),
            (413, True, TooLarge, False),
            (415, True, Refused, False),
            (423, True, Locked, True),
            (429, True, Throttled, True),
            (460, True, BadResponse, True),
            (500, True, ServerError, True),
            (501, True, Refused, False),
            (503, True, Throttled, True),
            (507, True, ServerError, True),
        ):
            with self.subTest(status=status, begun=begun):
                fault = refusal(answer(status), 0.0, begun=begun)
                self.assertEqual((type(fault), fault.retryable), (kind, again))
                self.assertEqual(fault.url, URL)

    def test_retry_after(self) -> None:
        """The server's own time is kept."""
        fault = refusal(answer(503, retry_after="7"), 0.0, begun=True)
        assert isinstance(fault, Throttled)
        self.assertEqual(fault.retry_after, 7.0)


class FieldTests(SynchronousTestCase):
    """Reading fields that a server may have written badly."""

    def test_offset(self) -> None:
        """A number of octets, and nothing that Python would take for one besides."""
        self.assertEqual(offset_of(answer(upload_offset="70")), 70)
        for text in ("", "-1", "+1", "1_0", "1.0", "abc", "9" * 19, "\u0663"):
            with self.subTest(text):
                self.assertRaises(BadResponse, offset_of, answer(upload_offset=text))
        self.assertRaises(BadResponse, offset_of, answer())

    def test_flags(self) -> None:
        """A structured boolean; anything else is none."""
        self.assertIs(flag_of(answer(upload_complete="?1"), "upload-complete"), True)
        self.assertIs(flag_of(answer(upload_complete="?0"), "upload-complete"), False)
        for text in ("1", "true", "", "?2"):
            self.assertIsNone(flag_of(answer(upload_complete=text), "upload-complete"))
        self.assertIsNone(flag_of(answer(), "upload-complete"))

    def test_limits(self) -> None:
        """Integers by name; the wrong type voids one, a broken field all."""
        told = answer(upload_limit="max-size=10, max-append-size=5, odd=?1, more=a, x=-1")
        self.assertEqual(limits_of(told), {"max-size": 10, "max-append-size": 5})
        self.assertEqual(limits_of(answer(upload_limit="=,")), {})
        self.assertEqual(limits_of(answer()), {})

    @given(st.text(max_size=60))
    def test_whatever_comes(self, text: str) -> None:
        """No text of a peer's raises anything but a fault of ours."""
        told = answer(upload_offset=text, upload_limit=text, upload_complete=text, range=text)
        limits_of(told)
        flag_of(told, "upload-complete")
        segmented.listed(told, 10)
        tus.extensions(told)
        with contextlib.suppress(BadResponse):
            self.assertGreaterEqual(offset_of(told), 0)


class SegmentedTests(SynchronousTestCase):
    """The nginx upload module's words."""

    def test_segment(self) -> None:
        """First and last octet, inclusive, of the whole."""
        self.assertEqual(
            segmented.format_segment(ByteRange(51201, 102402), 511920),
            "bytes 51201-102401/511920",
        )

    def test_listed(self) -> None:
        """From the field or the body; of another total nothing is believed."""
        text = "0-51200/511920,102402-153602/511920"
        for told in (answer(201, range=text), answer(201, body=text)):
            self.assertEqual(
                segmented.listed(told, 511920).to_pairs(), [(0, 51201), (102402, 153603)]
            )
        self.assertFalse(segmented.listed(answer(201, body="0-5/10,7-8/11"), 10))
        self.assertFalse(segmented.listed(answer(201, body="5-4/10"), 10))
        self.assertFalse(segmented.listed(answer(201, body="0-10/10"), 10))
        self.assertFalse(segmented.listed(answer(201, body="<html>"), 10))


class TusTests(SynchronousTestCase):
    """What tus servers get and tell."""

    def test_metadata(self) -> None:
        """Keys as they are, values in Base64 of UTF-8, an empty one left out."""
        text = tus.format_metadata({"filename": "ä b.txt", "flag": ""})
        self.assertEqual(text, "filename w6QgYi50eHQ=,flag")
        self.assertEqual(b64decode(text.split()[1].split(",")[0]).decode(), "ä b.txt")

    def test_keys(self) -> None:
        """No blanks and commas, and ASCII only."""
        for text, good in (
            ("a", True),
            ("a-b.c", True),
            ("", False),
            ("a b", False),
            ("a,b", False),
            ("ä", False),
        ):
            self.assertEqual(tus.is_metadata_key(text), good)

    def test_offer(self) -> None:
        """Extensions and the largest size."""
        told = answer(204, tus_extension="creation, concatenation,", tus_max_size="1073741824")
        self.assertEqual(tus.extensions(told), {"creation", "concatenation"})
        self.assertEqual(tus.most(told), 1 << 30)
        self.assertIsNone(tus.most(answer(tus_max_size="much")))

    def test_joining(self) -> None:
        """The parts in the order of the file."""
        self.assertEqual(tus.format_final(["/files/a", "/files/b"]), "final;/files/a /files/b")


class ChoosingTests(SynchronousTestCase):
    """Which protocol a server is spoken to with."""

    def test_by_what_it_says(self) -> None:
        """The one of tus first, then the draft; a wish goes before both."""
        both = answer(
            204, tus_resumable="1.0.0", tus_version="1.0.0,0.2.2", upload_limit="min-size=0"
        )
        draft = answer(204, upload_limit="min-size=0")
        self.assertIs(chosen(P.AUTO, both), P.TUS)
        self.assertIs(chosen(P.AUTO, draft), P.IETF)
        self.assertIs(chosen(P.SEGMENTED, both), P.SEGMENTED)

    def test_by_nothing(self) -> None:
        """Octets go to nobody who does not say that they are welcome."""
        for told in (answer(405), answer(204, tus_version="0.2.2")):
            self.assertRaises(NoUploads, chosen, P.AUTO, told)
