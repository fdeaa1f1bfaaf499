"""The tables of ranges and preconditions, on the running server."""

from __future__ import annotations

from email import message_from_bytes
from itertools import product

from rangedaemon.core.dates import format_http_date
from tests.range_table import ROWS
from tests.server.wire import Reply, WireTestCase

CONTENT = bytes(range(251)) * 40
BIG = 2198680


def multipart(reply: Reply) -> list[tuple[str, bytes]]:
    """The parts of a multipart answer: position and octets."""
    head = f"Content-Type: {reply.fields['Content-Type']}\r\n\r\n".encode()
    parts = message_from_bytes(head + reply.body).get_payload()
    return [(p["Content-Range"], p.get_payload(decode=True)) for p in parts]


class RangeTests(WireTestCase):
    """Every row of the table of ranges (RFC 9110, section 14)."""

    def test_table(self) -> None:
        """Status, fields and octets are the table's."""
        for size in {row.size for row in ROWS}:
            self.put(f"f{size}", bytes(i * 7 % 256 for i in range(size)))
        for row in ROWS:
            with self.subTest(row=row):
                content = (self.root / f"f{row.size}").read_bytes()
                reply = self.ask(f"/files/f{row.size}", range=row.field)
                self.assertEqual(int(reply.fields["Content-Length"]), len(reply.body))
                self.assertEqual(reply.fields.get_all("Accept-Ranges"), ["bytes"])
                self.check(row.parts, row.size, content, reply)

    def check(
        self,
        wanted: tuple[tuple[int, int], ...] | None,
        size: int,
        content: bytes,
        reply: Reply,
    ) -> None:
        position = reply.fields["Content-Range"]
        if wanted is None:
            self.assertEqual((reply.status, position, reply.body), (200, None, content))
        elif not wanted:
            self.assertEqual((reply.status, position), (416, f"bytes */{size}"))
        elif len(wanted) == 1:
            first, last = wanted[0]
            self.assertEqual((reply.status, position), (206, f"bytes {first}-{last}/{size}"))
            self.assertEqual(reply.body, content[first : last + 1])
        else:
            self.assertEqual((reply.status, position), (206, None))
            parts = [(f"bytes {a}-{b}/{size}", content[a : b + 1]) for a, b in wanted]
            self.assertEqual(multipart(reply), parts)

    def test_repeated_field(self) -> None:
        """Two Range lines are not legal, and are ignored."""
        self.put("f", CONTENT)
        reply = self.ask("/files/f", range=["bytes=0-9", "bytes=0-9"])
        self.assertEqual((reply.status, reply.body), (200, CONTENT))

    def test_ten_thousand_ranges(self) -> None:
        """However many ranges are asked for, no more than one copy of the file comes."""
        self.put("f", CONTENT)
        for field in ["0-0," * 2000, "1-," * 3000, ",".join(f"{n}-{n}" for n in range(0, 3000, 2))]:
            with self.subTest(field=field[:20]):
                reply = self.ask("/files/f", range=f"bytes={field}")
                self.assertEqual((reply.status, reply.body), (200, CONTENT))

    def test_beyond_four_gib(self) -> None:
        """Offsets that need more than 32 bits, in a sparse file."""
        path = self.put("f", b"")
        with path.open("r+b") as stream:
            stream.seek(5 << 30)
            stream.write(b"end")
        self.at(path, 3600)
        reply = self.ask("/files/f", range=f"bytes={5 << 30}-")
        self.assertEqual((reply.status, reply.body), (206, b"end"))
        self.assertEqual(
            reply.fields["Content-Range"], f"bytes {5 << 30}-{(5 << 30) + 2}/{(5 << 30) + 3}"
        )

    def test_head(self) -> None:
        """HEAD is the GET without Range, in every field, and without a body."""
        self.put("f.txt", CONTENT)
        self.put("empty", b"")
        for name in ["f.txt", "empty", "missing"]:
            with self.subTest(name=name):
                whole = self.ask(f"/files/{name}")
                head = self.ask(f"/files/{name}", "HEAD", range="bytes=0-9")
                self.assertEqual((head.status, head.body), (whole.status, b""))
                self.assertEqual(head.all_fields(), whole.all_fields())

    def test_pipelined(self) -> None:
        """Requests that come at once are answered in their order, each with its own part."""
        self.put("f", CONTENT)
        head = "GET /files/f HTTP/1.1\r\nHost: h\r\nRange: bytes="
        octets = "".join(f"{head}{n}-{n + 99}\r\n\r\n" for n in (0, 500, 100)).encode()
        replies = self.exchange(octets, "GET", "GET", "GET")
        self.assertEqual(
            [reply.body for reply in replies], [CONTENT[n : n + 100] for n in (0, 500, 100)]
        )


class ConditionTests(WireTestCase):
    """The preconditions of RFC 9110, section 13, on the running server."""

    def setUp(self) -> None:
        super().setUp()
        self.put("f", CONTENT)
        first = self.ask("/files/f")
        self.tag = first.fields["ETag"]
        self.date = first.fields["Last-Modified"]
        self.earlier = format_http_date(self.clock.seconds() - 86400)

    def status(self, **fields: str | list[str]) -> int:
        return self.ask("/files/f", **fields).status

    def test_tag_is_strong(self) -> None:
        """An hour after its last change a file has a strong tag."""
        self.assertRegex(self.tag, r'^"v1-[0-9a-f-]+"$')

    def test_if_range(self) -> None:
        """Rows 61 to 63 of the table."""
        part = {"range": "bytes=0-9"}
        for value in [self.tag, self.date]:
            reply = self.ask("/files/f", if_range=value, **part)
            self.assertEqual((reply.status, reply.body), (206, CONTENT[:10]))
            self.assertEqual(reply.fields["ETag"], self.tag)
        for value in ['"x"', f"W/{self.tag}", self.earlier, "garbage", f"{self.tag}, {self.tag}"]:
            for field in ["bytes=0-9", "bytes=20000000-"]:
                with self.subTest(value=value, field=field):
                    reply = self.ask("/files/f", range=field, if_range=value)
                    self.assertEqual((reply.status, reply.body), (200, CONTENT))

    def test_not_modified(self) -> None:
        """Row 64: 304 with the tag, and neither body nor its fields."""
        reply = self.ask("/files/f", range="bytes=0-9", if_none_match=f'"x", W/{self.tag}')
        self.assertEqual((reply.status, reply.body), (304, b""))
        self.assertEqual(reply.fields["ETag"], self.tag)
        for absent in [
            "Content-Type",
            "Content-Length",
            "Content-Range",
            "Last-Modified",
            "Transfer-Encoding",
        ]:
            self.assertNotIn(absent, reply.fields)

    def test_repeated_lines(self) -> None:
        """Several If-None-Match lines are one list."""
        self.assertEqual(self.status(if_none_match=['"x"', self.tag]), 304)

    def test_failed(self) -> None:
        """Row 65: 412 in words."""
        reply = self.ask("/files/f", range="bytes=0-9", if_match='"x"')
        self.assertEqual(reply.status, 412)
        self.assertTrue(reply.fields["Content-Type"].startswith("text/plain"))
        self.assertEqual(self.status(if_match="*"), 200)
        self.assertEqual(self.status(if_match=f"W/{self.tag}"), 412)

    def test_order(self) -> None:
        """All combinations of conditions, with GET and HEAD, come out as 13.2.2 says."""
        tags, dates = [None, self.tag, '"x"'], [None, self.date, self.earlier]
        for im, ius, inm, ims in product(tags, dates, tags, dates):
            fields = {
                "if_match": im,
                "if_unmodified_since": ius,
                "if_none_match": inm,
                "if_modified_since": ims,
            }
            told = {name: value for name, value in fields.items() if value is not None}
            if im == '"x"' or (im is None and ius == self.earlier):
                wanted = 412
            elif inm == self.tag or (inm is None and ims == self.date):
                wanted = 304
            else:
                wanted = 200
            with self.subTest(told=told):
                self.assertEqual(self.status(**told), wanted)
                self.assertEqual(self.ask("/files/f", "HEAD", **told).status, wanted)

    def test_keep_alive_after_304(self) -> None:
        """A 304 has no body, so the next answer follows at once."""
        head = f"GET /files/f HTTP/1.1\r\nHost: h\r\nIf-None-Match: {self.tag}\r\n\r\n".encode()
        replies = self.exchange(head * 2, "GET", "GET")
        self.assertEqual([reply.status for reply in replies], [304, 304])
