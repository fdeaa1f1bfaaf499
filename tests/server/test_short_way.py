"""The short way answers as the long one does, octet by octet, and never from an old file."""

from __future__ import annotations

import os
from itertools import product

from rangedaemon.core.dates import format_http_date
from rangedaemon.server import hot
from rangedaemon.server.accesslog import AccessLog
from rangedaemon.server.hot import KEPT_SECONDS
from rangedaemon.storage.threads import inline
from tests.range_table import ROWS
from tests.server.shortway import ShortWayCase
from tests.server.wire import parse_replies


class SameAnswerTests(ShortWayCase):
    """Both ways, side by side."""

    def test_ranges(self) -> None:
        """Every row of the table of ranges, for GET and HEAD."""
        for size in {row.size for row in ROWS}:
            self.put(f"f{size}", bytes(i * 7 % 256 for i in range(size)))
        for row, method in product(ROWS, ["GET", "HEAD"]):
            head = self.head(f"Range: {row.field}", method=method, path=f"/files/f{row.size}")
            if "," in row.field or len(head) > 4096 or row.size > 10_000:
                continue  # these have to go the long way
            with self.subTest(row=row, method=method):
                self.assertEqual(self.short(head), self.long(head))

    def test_conditions(self) -> None:
        """Every condition with every kind of value, with and without Range."""
        path = self.put("f", bytes(10_000))
        tag = parse_replies(self.send(self.head()), ["GET"])[0].fields["ETag"]
        date = format_http_date(path.stat().st_mtime)
        values = [tag, f"W/{tag}", '"other"', "*", f'"a", {tag}', "nonsense", "", date,
                  format_http_date(0), format_http_date(path.stat().st_mtime + 5)]  # fmt: skip
        names = ["If-Match", "If-None-Match", "If-Range", "If-Modified-Since",
                 "If-Unmodified-Since"]  # fmt: skip
        for name, value, wanted, method in product(
            names, values, [(), ("Range: bytes=5-9",)], ["GET", "HEAD"]
        ):
            with self.subTest(name=name, value=value, wanted=wanted, method=method):
                head = self.head(f"{name}: {value}", *wanted, method=method)
                self.assertEqual(self.short(head), self.long(head))

    def test_options_of_mounts(self) -> None:
        """What a mount adds to its answers is there either way."""
        self.put("a%b ü.txt", b"text %d" * 100)
        path = "/files/a%25b%20%C3%BC.txt"
        for options in [
            {"cors": ("*",), "cache_control": "max-age=5, x=%d"},
            {"disposition": "attachment", "metalink": False},
            {"precompressed": False},
        ]:
            self.serve(**options)
            for fields in [(), ("Range: bytes=1-5",), ("Origin: https://x",), ("If-Match: *",)]:
                head = self.head(*fields, path=path)
                self.assertEqual(self.short(head), self.long(head))

    def test_usual_fields(self) -> None:
        """What browsers send besides changes nothing."""
        self.put("f", b"octets")
        head = self.head("User-Agent: x", "accept: */*", "Accept-Encoding: gzip, br", "DNT: 1",
                         "Connection: keep-alive", "Cookie: a=b", "Range: bytes=0-3")  # fmt: skip
        self.assertEqual(self.short(head), self.long(head))

    def test_empty_file(self) -> None:
        """No octets, no parts."""
        self.put("f", b"")
        for fields in [(), ("Range: bytes=0-0",)]:
            self.assertEqual(self.short(self.head(*fields)), self.long(self.head(*fields)))

    def test_keep_alive(self) -> None:
        """Both ways take turns on one connection, also in one piece and in small ones."""
        self.put("f", bytes(range(200)))
        protocol, transport = self.connect()
        heads = [self.head("Range: bytes=0-3"), self.head("X: 1", "Range: bytes=4-5"),
                 self.head("Range: bytes=6-9")]  # fmt: skip
        for head in heads:
            protocol.dataReceived(head)
        protocol.dataReceived(b"".join(heads))
        for head in heads:
            protocol.dataReceived(head[:20])
            protocol.dataReceived(head[20:-1])
            protocol.dataReceived(head[-1:])
        self.clock.pump([0.0] * 20)
        replies = parse_replies(transport.value(), ["GET"] * 9)
        self.assertEqual([list(reply.body) for reply in replies],
                         [[0, 1, 2, 3], [4, 5], [6, 7, 8, 9]] * 3)  # fmt: skip

    def test_access_log(self) -> None:
        """The line is the same but for the time that it took."""
        self.put("f", bytes(100))
        where = self.root.parent / "log"
        self.serve(access_log=AccessLog(where, "combined", inline))
        head = self.head("Range: bytes=0-3", "Referer: r", "User-Agent: a", path="/files/f?x=1")
        self.short(head)
        self.long(head)
        _, short, long = where.read_text().splitlines()
        self.assertEqual(short, long)
        self.assertIn('"GET /files/f HTTP/1.1" 206 4 "r" "a"', short)

    def test_counted(self) -> None:
        """Octets of quick answers count as sent."""
        self.put("f", bytes(100))
        self.send(self.head())
        before = self.site.sent
        self.short(self.head("Range: bytes=0-9"))
        self.assertEqual(self.site.sent - before, 110)


class LongWayTests(ShortWayCase):
    """What is not answered the short way."""

    def test_heads(self) -> None:
        """Whatever is unusual in a head."""
        self.put("f", bytes(100))
        self.send(self.head())
        for head in [
            self.head("Want-Repr-Digest: sha-256=1"),
            self.head("Range: bytes=0-1, 5-6"),
            self.head("Connection: close"),
            self.head("Range: bytes=0-1", "Range: bytes=0-1"),
            self.head("User-Agent: a", "User-Agent: b"),
            self.head("Content-Length: 0"),
            self.head("Authorization: x"),
            b"GET /files/f HTTP/1.0\r\nHost: h\r\n\r\n",
            b"GET http://h/files/f HTTP/1.1\r\nHost: h\r\n\r\n",
        ]:
            with self.subTest(head=head):
                self.went_long(head)

    def test_refused_heads(self) -> None:
        """What twisted.web refuses is not answered either."""
        self.put("f", bytes(100))
        self.send(self.head())
        for head in [
            b"GET /files/f HTTP/1.1\r\n\r\n",
            b"GET /files/f HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n",
            b"GET /files/f  HTTP/1.1\r\nHost: h\r\n\r\n",
            b"GET /files/f HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n",
        ]:
            with self.subTest(head=head):
                self.assertEqual(self.send(head)[:12], b"HTTP/1.1 400")

    def test_mounts(self) -> None:
        """Mounts with a rate, with origins of their own, with links, with variants."""
        self.put("f", bytes(100))
        for options in [
            {"rate_limit": 1000},
            {"rate_limit_total": 1000},
            {"cors": ("https://a",)},
            {"follow_symlinks": True},
        ]:
            self.serve(**options)
            self.went_long(self.head())
            self.went_long(self.head())
        self.serve()
        self.put("f.gz", b"x")
        self.went_long(self.head())
        self.went_long(self.head())

    def test_large(self) -> None:
        """Bodies that could fill memory."""
        self.put("f", bytes(100_000))
        self.went_long(self.head())
        self.went_long(self.head("Range: bytes=0-20000"))

    def test_just_written(self) -> None:
        """A file whose tag is weak."""
        path = self.put("f", bytes(10))
        self.clock.rightNow = path.stat().st_ctime_ns / 1e9 - 5
        for _ in range(2):
            self.went_long(self.head())


class RefusingTests(ShortWayCase):
    """File systems that do not say what of a file is in memory."""

    def setUp(self) -> None:
        super().setUp()
        self.put("f", bytes(range(100)))
        self.patch(hot, "read_cached", lambda _fd, _start, _stop: None)

    def test_of_memory(self) -> None:
        """One that is nothing but memory is read all the same, and asked about once."""
        asked: list[int] = []
        self.patch(hot, "lives_in_memory", lambda fd: asked.append(fd) or True)
        for fields in [(), ("Range: bytes=5-9",), ("Range: bytes=-3",)]:
            head = self.head(*fields)
            self.assertEqual(self.short(head), self.long(head))
        self.assertLessEqual(len(asked), 3)  # each long way opens it anew

    def test_of_something_else(self) -> None:
        """Any other may have to wait for a disk or a network, and is read in a thread."""
        self.patch(hot, "lives_in_memory", lambda _fd: False)
        self.send(self.head())
        self.assertTrue(self.went_long(self.head("Range: bytes=5-9")).endswith(bytes(range(5, 10))))


class FreshTests(ShortWayCase):
    """What becomes of the file in between."""

    def setUp(self) -> None:
        """A file that can be had the short way."""
        super().setUp()
        self.path = self.put("d/f", b"old octets")
        self.asked = self.head("Range: bytes=0-2", path="/files/d/f")
        self.before = self.short(self.asked)
        self.assertTrue(self.before.endswith(b"old"))

    def now(self) -> bytes:
        """What comes now, by the long way, under another tag."""
        octets = self.went_long(self.asked)
        tag = parse_replies(self.before, ["GET"])[0].fields["ETag"].encode()
        self.assertNotIn(tag, octets)
        return octets

    def test_replaced(self) -> None:
        """By a rename."""
        other = self.put("other", b"new octets")
        other.replace(self.path)
        self.assertTrue(self.now().endswith(b"new"))

    def test_edited(self) -> None:
        """In place, with the old size and the old time."""
        times = self.path.stat()
        with self.path.open("r+b") as stream:
            stream.write(b"new")
        os.utime(self.path, ns=(times.st_atime_ns, times.st_mtime_ns))
        self.assertTrue(self.now().endswith(b"new"))

    def test_cut(self) -> None:
        """Shorter."""
        os.truncate(self.path, 1)
        self.assertTrue(self.now().endswith(b"o"))

    def test_gone(self) -> None:
        """Deleted, or its directory moved away."""
        self.path.parent.rename(self.root / "e")
        self.assertEqual(self.now()[:12], b"HTTP/1.1 404")

    def test_link_in_the_way(self) -> None:
        """A link that leads to the very same file is a link all the same, within a second."""
        self.path.parent.rename(self.root / "e")
        self.path.parent.symlink_to("e")
        self.clock.advance(KEPT_SECONDS + 0.01)
        self.assertEqual(self.now()[:12], b"HTTP/1.1 404")

    def test_kept_for_a_second(self) -> None:
        """Then it is opened anew, whatever the stat says; nothing stays open."""
        self.clock.advance(KEPT_SECONDS - 0.01)
        self.send(self.asked)
        held = len(os.listdir("/proc/self/fd"))
        self.clock.advance(0.02)
        self.assertEqual(len(os.listdir("/proc/self/fd")), held - 1)
        self.went_long(self.asked)

    def test_bounded(self) -> None:
        """However many files are asked for, few stay open."""
        before = len(os.listdir("/proc/self/fd"))
        for number in range(100):
            self.put(f"f{number}", b"x")
            self.send(self.head(path=f"/files/f{number}"))
        self.assertLess(len(os.listdir("/proc/self/fd")) - before, 70)
