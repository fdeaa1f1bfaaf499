"""Tests for `rangedaemon.control.wishes`: what may be asked of a new job."""

from __future__ import annotations

import os.path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.config import Job
from rangedaemon.control import wishes
from rangedaemon.control.models import NewJob
from rangedaemon.control.wishes import (
    ALIKE,
    check_checksum,
    check_filename,
    check_headers,
    check_url,
    confined,
    spec_of,
)
from rangedaemon.core.repeats import Repeat
from rangedaemon.errors import InvalidInput, OutsideDirectory


class CheckUrlTests(SynchronousTestCase):
    """Tests for `check_url`."""

    def test_taken(self) -> None:
        """Addresses that are kept as they stand."""
        for url in (
            "http://example.org",
            "https://user:pass@example.org:8443/a%20b?x=1#y",
            "HTTP://[::1]:8080/",
            "http://127.0.0.1/a|b{c}",
        ):
            self.assertEqual(check_url(url), url)

    @given(st.from_regex(wishes._ORDINARY_URL, fullmatch=True))
    def test_ordinary(self, url: str) -> None:
        """What is taken at a glance is what a closer look takes, as it stands."""
        self.assertEqual(wishes._looked_into(url), url)

    def test_most_are_ordinary(self) -> None:
        """The glance knows the usual form."""
        for url in ("http://127.0.0.1:8080/1", "https://example.org/a%20b/c.iso?x=1&y=z"):
            self.assertIsNotNone(wishes._ORDINARY_URL.fullmatch(url))

    def test_beyond_ascii(self) -> None:
        """An IRI is kept as the URI that it means."""
        self.assertEqual(
            check_url("http://bücher.example/ä"), "http://xn--bcher-kva.example/%C3%A4"
        )

    def test_refused(self) -> None:
        """Other schemes, no host, blanks, controls, nonsense."""
        for url in (
            "", "example.org", "//example.org/", "ftp://example.org/", "file:///etc/passwd",
            "javascript:alert(1)", "http://", "http:///x", "http://:80/", "http://h:0/",
            "http://h:99999/", "http://h:x/", "http://[::1", "http://a b/", "http://h/\r\nX: y",
            "http://h/\x00", " http://h/", "http://h\\@evil/", "http://\ud800/",
            "http://" + "ä" * 300 + "/",
        ):  # fmt: skip
            with self.subTest(url=url):
                self.assertRaises(ValueError, check_url, url)

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        """Any text is an ASCII http address or a `ValueError`."""
        try:
            url = check_url("http://" + text)
        except ValueError:
            return
        self.assertTrue(url.isascii())
        self.assertFalse(set(url) & set("\r\n\t \x00"))


class CheckFilenameTests(SynchronousTestCase):
    """Tests for `check_filename`."""

    def test_refused(self) -> None:
        """Separators, dots alone, controls, more octets than a directory takes."""
        for name in ("a/b", "..", ".", "a\\b", "a\x00", "a\nb", "\x7f", "\ud800", "ä" * 126):
            with self.subTest(name=name):
                self.assertRaises(ValueError, check_filename, name)

    def test_taken(self) -> None:
        """Everything else is a name."""
        for name in ("a", "..a", "a b.iso", "ä" * 125, "-rf", ".hidden"):
            self.assertEqual(check_filename(name), name)


class CheckChecksumTests(SynchronousTestCase):
    """Tests for `check_checksum`."""

    def test_taken(self) -> None:
        """Known algorithms with as many digits as they have, in lower case."""
        self.assertEqual(check_checksum("SHA-256=" + "AB" * 32), "sha-256=" + "ab" * 32)
        self.assertEqual(check_checksum("md5=" + "0" * 32), "md5=" + "0" * 32)
        self.assertEqual(check_checksum("blake2b=" + "A" * 128), "blake2b=" + "a" * 128)

    def test_address_of_a_list(self) -> None:
        """An address is kept as it is, with the algorithm where one is named."""
        for text in ("https://o.test/SHA256SUMS", "sha-256=http://o.test/Sums?A=B"):
            self.assertEqual(check_checksum(text), text)
        for text in ("ftp://o.test/SUMS", "crc32=https://o.test/x", "https://", "https://a b/"):
            with self.subTest(text=text):
                self.assertRaises(ValueError, check_checksum, text)

    def test_refused(self) -> None:
        """Unknown, too short, too long, not hexadecimal, no algorithm."""
        for text in ("", "sha-256", "sha-256=", "sha-256=" + "a" * 63, "crc=00", "a" * 64,
                     "sha-256=" + "g" * 64, "sha-256=" + "a" * 65,
                     "md5=" + "\u0660" * 32):  # fmt: skip
            with self.subTest(text=text):
                self.assertRaises(ValueError, check_checksum, text)


class CheckHeadersTests(SynchronousTestCase):
    """Tests for `check_headers`."""

    def test_refused(self) -> None:
        """No splitting of requests, no field that is ours, none twice."""
        for headers in (
            {"A": "b\r\nX: y"}, {"A": "b\x00"}, {"A b": "c"}, {"": "c"}, {"A:": "c"},
            {"Range": "bytes=0-"}, {"HOST": "evil"}, {"transfer-encoding": "chunked"},
            {"A": "1", "a": "2"}, {"A": " padded "}, {"A": "€"},
        ):  # fmt: skip
            with self.subTest(headers=headers):
                self.assertRaises(ValueError, check_headers, headers)

    def test_taken(self) -> None:
        """Credentials and the like go through."""
        headers = {"Authorization": "Basic x", "Cookie": "a=b; c=d", "X-Empty": ""}
        self.assertEqual(check_headers(headers), headers)


class ConfinedTests(SynchronousTestCase):
    """Tests for `confined`."""

    def test_below(self) -> None:
        """Nothing, a relative and an absolute directory below the base."""
        for wanted, path in (
            (None, "/d"), ("a", "/d/a"), ("a/b/", "/d/a/b"), ("/d/a", "/d/a"), ("/d", "/d"),
            (".", "/d"), ("./a//b", "/d/a/b"),
        ):  # fmt: skip
            self.assertEqual(confined("/d", wanted), path)

    def test_outside(self) -> None:
        """Everything else is refused, a way that leads out and back in too."""
        for wanted in ("/", "/etc", "/da", "..", "a/../..", "a/..", "/d/../etc", "//d/../x", "//d"):
            with self.subTest(wanted=wanted):
                self.assertRaises(OutsideDirectory, confined, "/d", wanted)

    def test_root_as_base(self) -> None:
        """A base of ``/`` holds everything."""
        self.assertEqual(confined("/", "a"), "/a")

    @given(st.text(st.characters(codec="utf-8", exclude_characters="\x00")))
    def test_never_outside(self, wanted: str) -> None:
        """Whatever is asked: below the base, or refused."""
        try:
            path = confined("/srv/d", wanted)
        except (OutsideDirectory, InvalidInput):
            return
        self.assertEqual(os.path.commonpath(["/srv/d", path]), "/srv/d")


class SpecOfTests(SynchronousTestCase):
    """Tests for `spec_of`: what the API and the configuration ask for means the same."""

    def test_same_words(self) -> None:
        """The same wishes become the same job, from either side; only its source differs."""
        wishes = {
            "name": "n", "filename": "f", "checksum": f"sha-1={'0' * 40}", "headers": {"a": "b"},
            "priority": 3, "rate_limit": 7, "paused": True, "on_conflict": "fail",
            "on_change": "keep-old", "segments": 2, "directory": "below",
            "start_at": "22:00", "window": "22:00-06:00",
            "repeat": {"cron": "0 3 * * *", "jitter": 5.0}, "versions": 2,
        }  # fmt: skip
        self.assertLessEqual(set(ALIKE), set(wishes))
        asked = NewJob(url="http://h/", **wishes)
        declared = Job(url="http://h/", **wishes)
        specs = [
            spec_of(wish, ("http://h/",), base="/srv", segments=8, source="x")
            for wish in (asked, declared)
        ]
        self.assertEqual(specs[0], specs[1])
        told = {name: getattr(specs[0], name) for name in wishes}
        self.assertEqual(
            told,
            wishes | {"directory": "/srv/below", "repeat": Repeat(cron="0 3 * * *", jitter=5.0)},
        )

    def test_default_segments(self) -> None:
        """Who names no number of connections gets the usual one."""
        spec = spec_of(NewJob(url="http://h/"), ("http://h/",), base="/srv", segments=5)
        self.assertEqual((spec.segments, spec.directory, spec.source), (5, "/srv", "api"))
