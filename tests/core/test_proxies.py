"""Tests for `rangedaemon.core.proxies`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.proxies import (
    DIRECT,
    Proxies,
    Proxy,
    from_environment,
    parse_bypass,
    parse_proxy,
)

SQUID = Proxy("http", "squid.test", 3128)


class AddressTests(SynchronousTestCase):
    """Tests for `parse_proxy`."""

    def test_addresses(self) -> None:
        """Scheme, credentials and port may be left out; SOCKS5 has two names."""
        for text, proxy in (
            ("http://squid.test:3128", SQUID),
            ("squid.test:3128", SQUID),
            ("http://squid.test/", Proxy("http", "squid.test", 8080)),
            ("socks5://[::1]", Proxy("socks5", "::1", 1080)),
            ("socks5h://s.test:9050", Proxy("socks5", "s.test", 9050)),
            ("http://me:p%40ss@squid.test:3128", Proxy("http", "squid.test", 3128, ("me", "p@ss"))),
        ):
            with self.subTest(text):
                self.assertEqual(parse_proxy(text), proxy)

    def test_refused(self) -> None:
        """What is no proxy of ours is refused without repeating it."""
        for text in (
            "https://hunter2@squid.test", "ftp://squid.test", "socks4://squid.test",
            "http://", "http://squid.test:0", "http://squid.test:x", "http://squid.test/pac?x",
            "http://[hunter2", "http://a%3Ab:hunter2@squid.test", "socks5://u@squid.test",
        ):  # fmt: skip
            with self.subTest(text):
                error = self.assertRaises(ValueError, parse_proxy, text)
                self.assertNotIn("hunter2", str(error))

    def test_credentials(self) -> None:
        """They become a field in UTF-8, and no printed proxy has them."""
        proxy = parse_proxy("http://m%C3%A9:hunter2@squid.test")
        self.assertEqual(proxy.authorization, "Basic bcOpOmh1bnRlcjI=")
        self.assertNotIn("hunter2", repr(proxy))
        self.assertIsNone(SQUID.authorization)


class BypassTests(SynchronousTestCase):
    """Tests for `parse_bypass` and `Proxies.proxy_for`."""

    def passes(self, entry: str, url: str) -> bool:
        """Whether *url* goes past the proxy because of *entry*."""
        return Proxies(SQUID, SQUID, (parse_bypass(entry),)).proxy_for(url) is None

    def test_table(self) -> None:
        """Names cover what is below them, networks what is in them, ports narrow down."""
        for entry, inside, outside in (
            ("*", ("http://a.test/", "https://[::1]/"), ()),
            ("a.test", ("http://a.test/", "http://x.A.test:81/", "http://a.test./"),
             ("http://ba.test/", "http://a.test.b/")),
            (".a.test", ("http://a.test/", "http://x.a.test/"), ("http://ba.test/",)),
            ("a.test:81", ("http://x.a.test:81/",), ("http://a.test/",)),
            ("10.0.0.0/8", ("http://10.1.2.3/",), ("http://11.0.0.1/", "http://10.test/")),
            ("10.0.0.1", ("http://10.0.0.1:9/",), ("http://10.0.0.2/",)),
            ("10.0.0.1:9", ("http://10.0.0.1:9/",), ("http://10.0.0.1/",)),
            ("[::1]:9", ("http://[::1]:9/",), ("http://[::1]/",)),
            ("fd00::/8", ("http://[fd12::1]/",), ("http://[fe80::1]/",)),
            ("*:443", ("https://a.test/",), ("http://a.test/",)),
        ):  # fmt: skip
            for url in inside:
                self.assertTrue(self.passes(entry, url), (entry, url))
            for url in outside:
                self.assertFalse(self.passes(entry, url), (entry, url))

    def test_refused(self) -> None:
        """What is no entry is told so."""
        for text in ("", "a b", "a:0", "a:99999", "http://a", "10.0.0.0/99", "a/8"):
            with self.subTest(text):
                self.assertRaises(ValueError, parse_bypass, text)


class EnvironmentTests(SynchronousTestCase):
    """Tests for `from_environment`."""

    def test_variables(self) -> None:
        """Each scheme has its own, all_proxy the rest; HTTP_PROXY is a stranger's word."""
        found = from_environment(
            {"http_proxy": "http://squid.test:3128", "HTTPS_PROXY": "http://two:1",
             "HTTP_PROXY": "http://evil", "no_proxy": "localhost, 10.0.0.0/8  .x.test:81"}
        )  # fmt: skip
        self.assertEqual(found.proxy_for("http://a.test/"), SQUID)
        self.assertEqual(found.proxy_for("https://a.test/"), Proxy("http", "two", 1))
        for url in ("http://localhost/", "http://10.1.1.1/", "http://y.x.test:81/"):
            self.assertIsNone(found.proxy_for(url), url)
        socks = from_environment({"all_proxy": "socks5://s"})
        self.assertEqual(socks.proxy_for("http://a.test/"), Proxy("socks5", "s", 1080))
        self.assertEqual(socks.http, socks.https)

    def test_nothing_said(self) -> None:
        """An empty environment, and one that sets HTTP_PROXY alone, means none."""
        self.assertEqual(from_environment({}), DIRECT)
        self.assertEqual(from_environment({"HTTP_PROXY": "http://evil", "http_proxy": ""}), DIRECT)

    def test_unusable(self) -> None:
        """A proxy that we cannot use is an error that names the variable, not the value."""
        environ = {"https_proxy": "ftp://u:hunter2@x"}
        error = self.assertRaises(ValueError, from_environment, environ)
        self.assertIn("https_proxy", str(error))
        self.assertNotIn("hunter2", str(error))

    def test_foreign_entries(self) -> None:
        """Entries of no_proxy that we do not understand do not hide the others."""
        found = from_environment({"http_proxy": "squid.test:3128", "no_proxy": "http://x,a.test"})
        self.assertIsNone(found.proxy_for("http://a.test/"))
        self.assertEqual(found.proxy_for("http://x/"), SQUID)
