"""Preconditions in their odder forms, and names told, on the running server (RFC 9110, 6266)."""

from __future__ import annotations

import time
from urllib.parse import quote

from rangedaemon.core.dates import format_http_date
from tests.server.wire import WireTestCase

CONTENT = bytes(range(200))


class FormsTests(WireTestCase):
    """Lists of tags and dates as peers may write them."""

    def setUp(self) -> None:
        super().setUp()
        self.put("f", CONTENT)
        first = self.ask("/files/f")
        self.tag = first.fields["ETag"]
        self.date = first.fields["Last-Modified"]
        self.changed = self.clock.seconds() - 3600

    def status(self, **fields: str | list[str]) -> int:
        return self.ask("/files/f", **fields).status

    def test_lists_of_tags(self) -> None:
        """Commas in quotes, empty elements, weak tags; what is no list matches nothing."""
        table = [
            (f'"a,b", {self.tag}', 200, 304),
            (f'"a,{self.tag[1:]}', 412, 200),
            (f", ,{self.tag},", 200, 304),
            (f"W/{self.tag}", 412, 304),
            (f"w/{self.tag}", 412, 200),
            ("*", 200, 304),
            (f"*, {self.tag}", 412, 200),
            (self.tag.strip('"'), 412, 200),
            ('""', 412, 200),
        ]
        for value, match, none_match in table:
            with self.subTest(value=value):
                self.assertEqual(self.status(if_match=value), match)
                self.assertEqual(self.status(if_none_match=value), none_match)

    def forms(self, moment: float) -> list[str]:
        """The three forms of a date."""
        fields = time.gmtime(moment)
        return [
            format_http_date(moment),
            time.strftime("%A, %d-%b-%y %H:%M:%S GMT", fields),
            time.asctime(fields),
        ]

    def test_dates(self) -> None:
        """Each form counts; one second makes the difference; a later date is as good."""
        for seconds, since, unmodified in [(-1, 200, 412), (0, 304, 200), (1, 304, 200)]:
            for date in self.forms(int(self.changed) + seconds):
                with self.subTest(date=date):
                    self.assertEqual(self.status(if_modified_since=date), since)
                    self.assertEqual(self.status(if_unmodified_since=date), unmodified)

    def test_date_in_if_range(self) -> None:
        """It has to be the very second."""
        for seconds, wanted in [(-1, 200), (0, 206), (1, 200)]:
            for date in self.forms(int(self.changed) + seconds):
                with self.subTest(date=date):
                    self.assertEqual(self.status(range="bytes=0-9", if_range=date), wanted)

    def test_no_dates(self) -> None:
        """What is no date, or more than one, is no condition."""
        for value in ["", "yesterday", "Sun, 31 Feb 2021 10:00:00 GMT", [self.date, self.date]]:
            with self.subTest(value=value):
                self.assertEqual(self.status(if_modified_since=value), 200)
                self.assertEqual(self.status(if_unmodified_since=value), 200)

    def test_if_range_without_range(self) -> None:
        """It means nothing then, whatever it says."""
        self.assertEqual(self.status(if_range=self.tag), 200)
        self.assertEqual(self.status(if_range='"x"'), 200)


class NameTests(WireTestCase):
    """Content-Disposition for names that need care."""

    def test_table(self) -> None:
        """A plain name first; the whole one where the plain cannot say it."""
        for name, plain, whole in [
            ("a b.txt", "a b.txt", None),
            ('say "hi".txt', "say _hi_.txt", "say%20%22hi%22.txt"),
            ("100%41.txt", "100_41.txt", "100%2541.txt"),
            ("a;b=c", "a;b=c", None),
            ("\u20ac rates", "_ rates", "%E2%82%AC%20rates"),
        ]:
            with self.subTest(name=name):
                self.put(name, b"x")
                reply = self.ask(f"/files/{quote(name)}")
                more = "" if whole is None else f"; filename*=UTF-8''{whole}"
                self.assertEqual(
                    reply.fields["Content-Disposition"], f'inline; filename="{plain}"{more}'
                )

    def test_line_ends(self) -> None:
        """A name with the end of a line in it adds no field."""
        name = "a\r\nSet-Cookie: b"
        self.put(name, b"x")
        reply = self.ask(f"/files/{quote(name)}")
        self.assertEqual((reply.status, reply.body), (200, b"x"))
        self.assertNotIn("Set-Cookie", reply.fields)
        told = reply.fields["Content-Disposition"]
        self.assertTrue(told.startswith('inline; filename="a__Set-Cookie: b"; '), told)
