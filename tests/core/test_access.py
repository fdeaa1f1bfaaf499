"""Tests for `rangedaemon.core.access`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.access import Access, HostPattern, HostRule, Route, TlsTerms
from rangedaemon.core.jobs import Login
from rangedaemon.core.proxies import DIRECT, Proxies, Proxy, basic
from rangedaemon.core.urls import origin_of

HOME = "https://a.test/file"
SQUID = Proxy("http", "squid.test", 3128)


def rule(pattern: str, **said: object) -> HostRule:
    """A section for *pattern*."""
    return HostRule(HostPattern.parse(pattern), **said)  # type: ignore[arg-type]


class PatternTests(SynchronousTestCase):
    """Tests for `HostPattern`."""

    def test_table(self) -> None:
        """Names are whole, ``*.`` is for what is below, scheme and port narrow down."""
        for pattern, inside, outside in (
            ("a.test", ("http://a.test", "https://A.test:8443", "http://a.test."),
             ("http://x.a.test", "http://ba.test")),
            ("*.a.test", ("http://x.a.test", "http://y.x.a.test"),
             ("http://a.test", "http://xa.test", "http://.a.test")),
            ("*", ("http://a.test", "https://[::1]"), ()),
            ("https://a.test", ("https://a.test",), ("http://a.test", "https://a.test:8443")),
            ("a.test:81", ("http://a.test:81", "https://a.test:81"), ("http://a.test",)),
            ("http://[::1]:81", ("http://[::1]:81",), ("http://[::1]", "https://[::1]:81")),
            ("10.0.0.1", ("http://10.0.0.1",), ("http://10.0.0.11",)),
        ):  # fmt: skip
            for url in inside:
                self.assertTrue(HostPattern.parse(pattern).matches(origin_of(url)), (pattern, url))
            for url in outside:
                self.assertFalse(HostPattern.parse(pattern).matches(origin_of(url)), (pattern, url))

    def test_refused(self) -> None:
        """What is no pattern is told so."""
        for text in (
            "",
            "a b",
            "ftp://a",
            "a/x",
            "a:0",
            "a:99999",
            "x.*.test",
            "u@a",
            "**",
            "bücher.test",
        ):
            with self.subTest(text):
                self.assertRaises(ValueError, HostPattern.parse, text)


class FieldTests(SynchronousTestCase):
    """Tests for `Access.fields`."""

    access = Access(
        rules=(
            rule("https://a.test", authorization="Bearer rule", fields={"X-Key": "rule"}),
            rule("*.a.test", fields={"X-Key": "below"}),
            rule("*", authorization="Bearer everybody"),
        ),
        netrc={"n.test": ("u", "netrc"), "x.a.test": ("u", "netrc")},
    )

    def fields(self, url: str, own: dict[str, str] | None = None, *logins: Login) -> dict[str, str]:
        """What goes to *url* for a job of `HOME`."""
        return self.access.fields(url, HOME, own or {}, logins)

    def test_first_match_wins(self) -> None:
        """One section alone speaks for a host, whatever the later ones would add."""
        self.assertEqual(self.fields(HOME), {"X-Key": "rule", "Authorization": "Bearer rule"})
        self.assertEqual(self.fields("http://a.test/"), {"Authorization": "Bearer everybody"})
        self.assertEqual(
            self.fields("https://x.a.test/"),
            {"X-Key": "below", "Authorization": basic("u", "netrc")},
        )

    def test_own_fields_stay_at_home(self) -> None:
        """A job's own fields go to its scheme, host and port only."""
        own = {"X-Own": "secret", "Cookie": "secret"}
        self.assertEqual(self.fields(HOME, own)["X-Own"], "secret")
        for url in ("http://a.test/", "https://a.test:444/", "https://x.a.test/", "https://b/"):
            self.assertNotIn("secret", self.fields(url, own).values(), url)

    def test_nearest_wins(self) -> None:
        """The job's own field, its login, the host's section, in that order."""
        login = Login(str(origin_of(HOME)), "me", "mine")
        self.assertEqual(self.fields(HOME)["Authorization"], "Bearer rule")
        self.assertEqual(self.fields(HOME, {}, login)["Authorization"], basic("me", "mine"))
        own = self.fields(HOME, {"authorization": "own", "x-key": "own"}, login)
        self.assertEqual(own, {"authorization": "own", "x-key": "own"})

    def test_logins_stay_at_home(self) -> None:
        """A login goes to its own origin, be that a mirror's."""
        login = Login(str(origin_of("https://m.test/")), "me", "mine")
        self.assertEqual(
            self.fields("https://m.test/x", {}, login)["Authorization"], basic("me", "mine")
        )
        for url in ("http://m.test/", HOME, "https://m.test:444/"):
            self.assertNotEqual(self.fields(url, {}, login)["Authorization"], basic("me", "mine"))

    def test_nothing_shows(self) -> None:
        """No printed section has a secret in it."""
        for text in (repr(self.access), repr(self.access.rules[0])):
            self.assertNotIn("Bearer", text)
            self.assertNotIn("netrc'", text)


class LeakTests(SynchronousTestCase):
    """What must hold whatever a chain of redirects looks like."""

    origins = st.tuples(
        st.sampled_from(["http", "https"]),
        st.sampled_from(["a.test", "x.a.test", "A.test", "a.test.", "b.test", "[::1]"]),
        st.sampled_from(["", ":80", ":443", ":8443"]),
    ).map(lambda parts: f"{parts[0]}://{parts[1]}{parts[2]}/x")

    @given(origins, origins, st.lists(origins, max_size=3))
    def test_only_to_its_origin(self, home: str, hop: str, others: list[str]) -> None:
        """Own fields and logins reach an address of the same scheme, host and port only."""
        logins = [Login(str(origin_of(url)), "u", url) for url in others]
        sent = Access().fields(hop, home, {"X-Own": "secret"}, logins)
        self.assertEqual("X-Own" in sent, origin_of(hop) == origin_of(home))
        allowed = {basic("u", url) for url in others if origin_of(url) == origin_of(hop)}
        self.assertLessEqual({sent.get("Authorization")} - {None}, allowed)
        self.assertEqual("Authorization" in sent, bool(allowed))


class RouteTests(SynchronousTestCase):
    """Tests for `Access.route`."""

    def test_proxies(self) -> None:
        """A host's own proxy wins, none at all among them; no_proxy is asked each time."""
        access = Access(
            rules=(rule("in.test", proxies=DIRECT), rule("x.test")), proxies=Proxies(SQUID, None)
        )
        self.assertEqual(access.route("http://b.test/", guarded=True), Route(SQUID, None, True))
        self.assertEqual(access.route("http://x.test/", guarded=True), Route(SQUID, None, True))
        self.assertEqual(access.route("https://b.test/", guarded=False), Route())
        self.assertEqual(access.route("http://in.test/", guarded=False), Route())

    def test_tls(self) -> None:
        """Terms for TLS count for https only; connections of other terms are other routes."""
        terms = TlsTerms(ca_file="ca.pem")
        access = Access(rules=(rule("a.test", tls=terms),))
        self.assertEqual(access.route("https://a.test/", guarded=False), Route(tls=terms))
        self.assertEqual(access.route("http://a.test/", guarded=False), Route())
        self.assertNotEqual(
            access.route("https://a.test/", guarded=True),
            access.route("https://a.test/", guarded=False),
        )
