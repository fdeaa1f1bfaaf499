"""Tests for `rangedaemon.core.urls`."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.jobs import JobSpec, Login
from rangedaemon.core.urls import apart, login_of, origin_of, without_userinfo

HOME = "https://a.test:443"


class OriginTests(SynchronousTestCase):
    """Tests for `origin_of`."""

    def test_origins(self) -> None:
        """Case and usual ports make no difference; everything else does."""
        self.assertEqual(origin_of("HTTPS://u:p@A.test/x?y#z"), origin_of("https://a.test:443"))
        self.assertEqual(str(origin_of("https://a.test")), HOME)
        self.assertEqual(str(origin_of("http://[::1]:81/")), "http://[::1]:81")
        for other in ("http://a.test:443", "https://a.test:444", "https://b.a.test"):
            self.assertNotEqual(origin_of(HOME), origin_of(other))

    def test_no_address(self) -> None:
        """What has no origin raises; it is never a wrong one."""
        for text in ("http://[bad/", "http://a:99999/", "http://a:x/"):
            self.assertRaises(ValueError, origin_of, text)


class UserinfoTests(SynchronousTestCase):
    """Tests for `without_userinfo` and `login_of`."""

    def test_taken_out(self) -> None:
        """Up to the last @ of the authority, and not an octet of what follows it."""
        for given_as, left in (
            ("http://u:p@a.test/x", "http://a.test/x"),
            ("http://u@a.test", "http://a.test"),
            ("http://u:p@ss@a.test/x@y", "http://a.test/x@y"),
            ("HTTP://:p@a.test?q=http://z@w/", "HTTP://a.test?q=http://z@w/"),
            ("http://a.test/?to=http://u:p@b.test/", "http://a.test/?to=http://u:p@b.test/"),
            ("http://a.test/x@y", "http://a.test/x@y"),
            ("sha-256=https://u:p@a.test/SUMS", "sha-256=https://a.test/SUMS"),
        ):
            with self.subTest(given_as):
                self.assertEqual(without_userinfo(given_as), left)

    def test_what_it_said(self) -> None:
        """User and password are percent-decoded, for the origin of the address."""
        self.assertEqual(login_of("https://m%40e:p%3A%2f@a.test/x"), Login(HOME, "m@e", "p:/"))
        self.assertEqual(login_of("https://me@a.test/"), Login(HOME, "me", ""))
        self.assertIsNone(login_of("https://a.test/x@y"))
        self.assertIsNone(login_of("https://@a.test/"))

    def test_never_shown(self) -> None:
        """Neither a login nor a wish for a job shows a password when it is printed."""
        login = Login(HOME, "me", "hunter2")
        spec = JobSpec(("https://a.test/",), "/d", headers={"Cookie": "hunter2"}, logins=(login,))
        for text in (repr(login), str(login), repr(spec)):
            self.assertNotIn("hunter2", text)

    @given(st.text("ab:@%/?#[]1.\\", max_size=20))
    def test_nothing_is_left(self, text: str) -> None:
        """Whatever an address looks like, taking twice finds nothing more to take."""
        once = without_userinfo(f"http://{text}")
        self.assertEqual(without_userinfo(once), once)
        self.assertNotIn("@", re.split(r"[/?#\\]", once.removeprefix("http://"))[0])


class ApartTests(SynchronousTestCase):
    """Tests for `apart`."""

    def test_logins_by_origin(self) -> None:
        """Each address' credentials become a login of its origin, the lists' too."""
        spec = JobSpec(
            urls=("https://u:1@a.test/x", "https://v:2@b.test:8443/x", "http://c.test/x"),
            directory="/d",
            checksum="sha-256=https://w:3@d.test/SUMS",
            sums="https://x:4@e.test/SUMS",
        )
        found = apart(spec)
        self.assertEqual(
            found.urls, ("https://a.test/x", "https://b.test:8443/x", "http://c.test/x")
        )
        self.assertEqual(found.checksum, "sha-256=https://d.test/SUMS")
        self.assertEqual(found.sums, "https://e.test/SUMS")
        self.assertEqual(
            set(found.logins),
            {
                Login("https://a.test:443", "u", "1"),
                Login("https://b.test:8443", "v", "2"),
                Login("https://d.test:443", "w", "3"),
                Login("https://e.test:443", "x", "4"),
            },
        )

    def test_newer_wins(self) -> None:
        """An address that is given again with another password replaces the login."""
        first = apart(JobSpec(("https://u:1@a.test/x",), "/d"))
        again = apart(JobSpec(("https://u:2@a.test/y",), "/d", logins=first.logins))
        self.assertEqual(again.logins, (Login(HOME, "u", "2"),))

    def test_nothing_to_do(self) -> None:
        """A wish without credentials stays what it is."""
        spec = JobSpec(("https://a.test/x",), "/d", checksum="md5=00")
        self.assertEqual(apart(spec), spec)
