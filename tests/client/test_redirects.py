"""Tests for `rangedaemon.client.redirects`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.client.redirects import fields_for, next_hop
from rangedaemon.core.urls import origin_of
from rangedaemon.errors import BadRedirect

HERE = "http://a.test/dir/file?x=1#part"


class NextHopTests(SynchronousTestCase):
    """Tests for `next_hop`."""

    def test_where_it_leads(self) -> None:
        """Each form of Location is resolved against the address that sent it."""
        for location, target in (
            ("other", "http://a.test/dir/other"),
            ("/top", "http://a.test/top"),
            ("//b.test/x", "http://b.test/x"),
            ("https://b.test/x", "https://b.test/x"),
            ("?y=2", "http://a.test/dir/file?y=2"),
            ("../up", "http://a.test/up"),
            (" /blanks ", "http://a.test/blanks"),
            ("/x#fragment", "http://a.test/x"),
            ("HTTP://b.test:8080/x", "HTTP://b.test:8080/x"),
        ):
            with self.subTest(location):
                self.assertEqual(next_hop(HERE, location).lower(), target.lower())

    def test_what_is_not_followed(self) -> None:
        """No Location, another scheme, no host, no address: each is a bad redirect."""
        for location in (
            None,
            "",
            "ftp://a.test/x",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "http://a.test:port/",
            "http://a.test:99999/",
            "http://[bad/",
            "//[::1",
        ):
            with self.subTest(location):
                fault = self.assertRaises(BadRedirect, next_hop, HERE, location)
                self.assertEqual(fault.url, HERE)

    def test_never_from_https_to_http(self) -> None:
        """A secure address does not lead to an insecure one."""
        self.assertRaises(BadRedirect, next_hop, "https://a.test/", "http://a.test/")
        self.assertEqual(next_hop("https://a.test/", "//b.test/"), "https://b.test/")

    def test_allowed_down(self) -> None:
        """Who allows it is led there."""
        target = next_hop("https://a.test/", "http://a.test/", allow_downgrade=True)
        self.assertEqual(target, "http://a.test/")

    def test_credentials_of_others(self) -> None:
        """Userinfo in a Location is never taken over."""
        self.assertEqual(next_hop(HERE, "http://u:p@b.test/x@y"), "http://b.test/x@y")


class FieldsForTests(SynchronousTestCase):
    """Tests for `fields_for` and `origin_of`."""

    def test_only_at_home(self) -> None:
        """A job's fields go to the same scheme, host and port, and nowhere else."""
        fields = {"Authorization": "secret"}
        for url, sent in (
            ("http://a.test/other", fields),
            ("http://A.TEST:80/other", fields),
            ("https://a.test/", {}),
            ("http://a.test:8080/", {}),
            ("http://b.a.test/", {}),
            ("http://a.test.evil/", {}),
        ):
            with self.subTest(url):
                self.assertEqual(fields_for(url, HERE, fields), sent)

    def test_origin(self) -> None:
        """Scheme, host and port, the default ports named."""
        self.assertEqual(origin_of("HTTPS://A.Test/x"), ("https", "a.test", 443))
        self.assertEqual(origin_of("http://[::1]:81/"), ("http", "::1", 81))
