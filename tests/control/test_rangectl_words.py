"""The pure parts of ``rangectl``: exit codes, sizes, lists, picking, events."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.control.cli.exits import (
    MEANINGS,
    CommandFault,
    Exit,
    exit_of_problem,
    exit_table,
    sentence_of_problem,
)
from rangedaemon.control.cli.joblist import parse_header, parse_limit, parse_list
from rangedaemon.control.cli.picking import is_id, pick
from rangedaemon.control.cli.sse import LONGEST_LINE, Event, EventReader, MalformedStream
from rangedaemon.control.cli.units import (
    parse_size,
    safe,
    show_percent,
    show_rate,
    show_seconds,
    show_size,
)


class ExitTests(SynchronousTestCase):
    """With which code an answer ends the command."""

    def test_by_status(self) -> None:
        """Each class of error has its own code."""
        table = {
            400: Exit.INVALID, 401: Exit.TOKEN, 403: Exit.TOKEN, 404: Exit.NOT_FOUND,
            409: Exit.CONFLICT, 413: Exit.INVALID, 415: Exit.INVALID, 422: Exit.INVALID,
            500: Exit.SERVER, 503: Exit.SERVER, 507: Exit.SERVER, 302: Exit.SERVER,
        }  # fmt: skip
        for status, code in table.items():
            with self.subTest(str(status)):
                self.assertEqual(exit_of_problem(status, {"status": status, "code": "x"}), code)

    def test_by_code(self) -> None:
        """A directory that is not allowed is bad input, not a wrong token."""
        self.assertEqual(exit_of_problem(403, {"code": "outside-directory"}), Exit.INVALID)
        self.assertEqual(exit_of_problem(404, {"code": "unknown-path"}), Exit.SERVER)

    def test_foreign_answer(self) -> None:
        """Another web server's 404 does not mean that a job is missing."""
        self.assertEqual(exit_of_problem(404, None), Exit.SERVER)
        self.assertIn("URL", sentence_of_problem(404, None))

    def test_sentence(self) -> None:
        """The detail, and every complaint that is not in it already, on one line."""
        problem = {
            "title": "Invalid input",
            "detail": "url: only http",
            "errors": [
                {"loc": "url", "msg": "only http"},
                {"loc": ["body", "segments"], "msg": "too many"},
                {"loc": "", "msg": "give either"},
            ],
        }
        self.assertEqual(
            sentence_of_problem(400, problem),
            "url: only http; body.segments: too many; give either",
        )

    def test_sentence_without_detail(self) -> None:
        """The title, else the status, where the detail is missing."""
        self.assertEqual(sentence_of_problem(409, {"title": "No"}), "No")
        self.assertEqual(sentence_of_problem(500, {}), "HTTP status 500")

    def test_table_is_whole(self) -> None:
        """The help text tells every code."""
        self.assertEqual(set(MEANINGS), set(Exit))
        for code in Exit:
            self.assertIn(f"\n  {int(code):<4} ", exit_table())


class SizeTests(SynchronousTestCase):
    """Sizes, as they are read and shown."""

    def test_read(self) -> None:
        """Units of 1024 and of 1000."""
        table = {
            "65536": 65536, "64KiB": 65536, "64k": 65536, "1.5MiB": 1572864, "2GB": 2 * 10**9,
            "2 MB": 2 * 10**6, "0": 0, "1m": 1 << 20, "7B": 7,
            "123456789012345678": 123456789012345678,
        }  # fmt: skip
        for text, octets in table.items():
            with self.subTest(text):
                self.assertEqual(parse_size(text), octets)

    def test_not_sizes(self) -> None:
        """Anything else is refused."""
        for text in ("", "x", "-1", "1e3", "1XB", "1.MB", ".5M", "٣", "1" * 30):
            with self.subTest(text):
                self.assertRaises(ValueError, parse_size, text)

    def test_shown(self) -> None:
        """Three to five characters and a unit."""
        table = {
            None: "?", 0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB",
            (1 << 20) - 1: "1.0 MiB", 1 << 20: "1.0 MiB", 3 << 30: "3.0 GiB", 1 << 60: "1024.0 PiB",
        }  # fmt: skip
        for octets, text in table.items():
            with self.subTest(text):
                self.assertEqual(show_size(octets), text)

    @given(st.integers(min_value=0, max_value=2**63))
    def test_shown_size_reads_back(self, octets: int) -> None:
        """What is shown means what it stands for, within its last digit."""
        self.assertLessEqual(abs(parse_size(show_size(octets)) - octets), octets * 0.06 + 1)

    def test_rate_and_time(self) -> None:
        """Nothing is shown where nothing is known."""
        self.assertEqual([show_rate(None), show_rate(0), show_rate(2048)], ["", "", "2.0 KiB/s"])
        self.assertEqual(
            [show_seconds(s) for s in (None, 0, 59.6, 61, 3661, 10**9)],
            ["", "0:00", "1:00", "1:01", "1:01:01", ""],
        )

    def test_percent(self) -> None:
        """100 % is only said of what is whole."""
        self.assertEqual(show_percent(999_999, 1_000_000), "99 %")
        self.assertEqual(show_percent(10, 10), "100 %")
        self.assertEqual(show_percent(0, 0), "100 %")
        self.assertEqual(show_percent(5, None), "")

    @given(st.text())
    def test_safe(self, text: str) -> None:
        """No control character, line break or turn of direction gets through."""
        shown = safe(text + "\x1b[31m\n\u202e\x9b")
        self.assertTrue(all(c.isprintable() or c == " " or not c.isascii() for c in shown))
        self.assertFalse(set(shown) & set("\x1b\n\r\u202e\x9b\u2028"))
        self.assertEqual(len(shown), len(text) + 8)


class ListTests(SynchronousTestCase):
    """Lists of jobs in files."""

    def parse(self, text: str) -> list[dict[str, Any]]:
        """The bodies in *text*."""
        return parse_list(text.splitlines(keepends=True), "list.txt")

    def test_plain(self) -> None:
        """One address a line; comments and empty lines say nothing."""
        self.assertEqual(
            self.parse("# two files\nhttp://a/1\n\nhttp://a/2\r\n"),
            [{"url": "http://a/1"}, {"url": "http://a/2"}],
        )

    def test_mirrors(self) -> None:
        """Tabs part the mirrors of one file."""
        self.assertEqual(
            self.parse("http://a/1\thttp://b/1\n"), [{"urls": ["http://a/1", "http://b/1"]}]
        )

    def test_aria2_options(self) -> None:
        """Indented lines are options, by aria2's names."""
        text = (
            "http://a/1\n  out=one.iso\n\tdir=sub\n checksum=sha-256=00ff\n header=A: b\n"
            " header=C: d: e\n split=4\n max-download-limit=1M\n"
            " pause=true\n allow-overwrite=true\n"
            "http://a/2\n auto-file-renaming=false\n allow-overwrite=false\n"
        )
        self.assertEqual(
            self.parse(text),
            [
                {
                    "url": "http://a/1", "filename": "one.iso", "directory": "sub",
                    "checksum": "sha-256=00ff", "headers": {"A": "b", "C": "d: e"}, "segments": 4,
                    "rate_limit": 1 << 20, "paused": True, "on_conflict": "overwrite",
                },
                {"url": "http://a/2", "on_conflict": "fail"},
            ],
        )  # fmt: skip

    def test_our_options(self) -> None:
        """The same by our own names."""
        text = "u\n filename=x\n directory=d\n segments=2\n priority=-3\n limit=none\n paused=no\n"
        self.assertEqual(
            self.parse(text),
            [
                {"url": "u", "filename": "x", "directory": "d", "segments": 2, "priority": -3,
                 "rate_limit": None, "paused": False}
            ],
        )  # fmt: skip

    def test_every_wrong_line(self) -> None:
        """All wrong lines are told at once, each with its number."""
        text = " out=x\nhttp://a\n colour=blue\n nothing\n split=many\n pause=perhaps\n header=x\n"
        fault = self.assertRaises(CommandFault, self.parse, text)
        self.assertEqual(fault.exit_code, Exit.INVALID)
        numbers = [line.split(":")[1] for line in str(fault).split("\n")]
        self.assertEqual(numbers, ["1", "3", "4", "5", "6", "7"])

    def test_header_not_shown(self) -> None:
        """A header that cannot be read is not repeated: it may hold a secret."""
        error = self.assertRaises(ValueError, parse_header, "s3cret")
        self.assertNotIn("s3cret", str(error))

    def test_limit(self) -> None:
        """No limit, in words or as zero."""
        self.assertEqual([parse_limit(t) for t in ("none", "0", "1K")], [None, None, 1024])


def job(job_id: str, name: str | None = None, filename: str | None = None) -> dict[str, Any]:
    """A job object as far as picking looks at it."""
    return {"id": job_id, "name": name, "filename": filename, "urls": ["http://a/f"]}


DEBIAN = job("aa00000000000001", "debian", "debian.iso")
DEVUAN = job("aa00000000000002", "devuan", "devuan.iso")
OTHER = job("bb00000000000003", None, "other [1].bin")
JOBS = [DEBIAN, DEVUAN, OTHER]


class PickTests(SynchronousTestCase):
    """Which jobs words mean."""

    def test_one(self) -> None:
        """Id, unique start of an id, name and file name."""
        for word in ("aa00000000000001", "AA00000000000001", "debian", "debian.iso"):
            with self.subTest(word):
                self.assertEqual(pick([word], JOBS), [DEBIAN])
        self.assertEqual(pick(["b"], JOBS), [OTHER])

    def test_pattern(self) -> None:
        """Patterns go over ids and names; several words make one list without doubles."""
        self.assertEqual(pick(["de*"], JOBS), [DEBIAN, DEVUAN])
        self.assertEqual(pick(["aa*2", "*"], JOBS), [DEVUAN, DEBIAN, OTHER])
        self.assertEqual(pick(["de[vb]*.iso"], JOBS), [DEBIAN, DEVUAN])

    def test_name_before_id(self) -> None:
        """A job that is named so comes before ids that start so."""
        named = job("cc00000000000004", "aa")
        self.assertEqual(pick(["aa"], [*JOBS, named]), [named])

    def test_as_the_list_shows_it(self) -> None:
        """A job without any name goes by the address that stands in its place."""
        urls = ["http://a.example/f?x=[1]", "http://a.example/g"]
        nameless = [
            {**OTHER, "id": f"dd0000000000000{n}", "name": None, "filename": None, "urls": [url]}
            for n, url in enumerate(urls)
        ]
        for url, each in zip(urls, nameless, strict=True):
            self.assertEqual(pick([url], [*JOBS, *nameless]), [each])

    def test_none(self) -> None:
        """A word that means nothing ends it."""
        for word in ("zz", "z*", "", "debia"):
            with self.subTest(word):
                fault = self.assertRaises(CommandFault, pick, ["debian", word], JOBS)
                self.assertEqual(fault.exit_code, Exit.NOT_FOUND)

    def test_ambiguous(self) -> None:
        """The start of several ids is refused, with who it could be."""
        fault = self.assertRaises(CommandFault, pick, ["aa"], JOBS)
        self.assertEqual(fault.exit_code, Exit.USAGE)
        self.assertIn("aa00000000000002 (devuan)", str(fault))

    def test_whole_ids(self) -> None:
        """Only a whole id needs no list."""
        self.assertTrue(is_id("aa00000000000001"))
        self.assertFalse(is_id("aa0000000000000"))
        self.assertFalse(is_id("debian"))


class EventReaderTests(SynchronousTestCase):
    """Server-Sent Events out of lines."""

    def read(self, octets: bytes) -> list[Event]:
        """The events in *octets*."""
        reader = EventReader()
        found = [reader.line(line) for line in octets.splitlines(keepends=True)]
        return [event for event in found if event is not None]

    def test_fields(self) -> None:
        """Kind, data over several lines, id; comments and unknown fields say nothing."""
        text = b": hello\nid: 7\nevent: job\ndata: a\ndata:b\nretry: 3\nfoo\n\ndata: c\r\n\r\n\n"
        self.assertEqual(self.read(text), [Event("job", "a\nb", "7"), Event("message", "c", "7")])

    def test_unfinished(self) -> None:
        """An event that the stream breaks off is none."""
        self.assertEqual(self.read(b"event: job\ndata: a\n"), [])

    def test_bounds(self) -> None:
        """A line or an event without end is refused."""
        self.assertRaises(MalformedStream, EventReader().line, b"x" * (LONGEST_LINE + 1))
        reader = EventReader()
        line = b"data: " + b"x" * (LONGEST_LINE - 10)

        def feed() -> None:
            for _ in range(4):
                reader.line(line)

        self.assertRaises(MalformedStream, feed)

    def test_endless_comments(self) -> None:
        """Heartbeats never add up to an event that is too large."""
        reader = EventReader()
        for _ in range(3):
            self.assertIsNone(reader.line(b":" + b"x" * (LONGEST_LINE - 2) + b"\n"))
        self.assertIsNone(reader.line(b"data: a\n"))
        self.assertEqual(reader.line(b"\n"), Event("message", "a", None))

    def test_not_text(self) -> None:
        """What is not UTF-8 is refused."""
        self.assertRaises(MalformedStream, EventReader().line, b"data: \xff\n")
