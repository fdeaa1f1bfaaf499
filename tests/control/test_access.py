"""Tests for `rangedaemon.control.access`: who is let in."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.control.access import Asked, Rules, host_name, host_names, judge
from rangedaemon.control.problems import (
    Forbidden,
    MalformedRequest,
    NotAuthenticated,
    WrongMediaType,
)
from rangedaemon.control.tokens import Keyring, Principal, Scope
from rangedaemon.errors import ClientFault

TOKEN = "0123456789abcdef"
READER = "reader-reader-reader"
ADDER = "adder-adder-adder"
RING = Keyring(
    [
        (TOKEN, Principal("all", Scope.ADMIN)),
        (READER, Principal("eyes", Scope.READ)),
        (ADDER, Principal("hand", Scope.ADD)),
    ]
)
RULES = Rules(
    RING, host_names(["localhost", "127.0.0.1", "[::1]", "nas.local."]), {"https://ariang.example"}
)
ASKED = Asked("GET", "/api/v1/jobs", ["localhost:6880"], authorizations=[f"Bearer {TOKEN}"])


class HostTests(SynchronousTestCase):
    """The Host field, against DNS rebinding."""

    def test_ours(self) -> None:
        """Port, brackets, capitals and a last dot make no difference."""
        for host in (
            "localhost", "LOCALHOST:1", "localhost.", "localhost.:6880", "127.0.0.1:6880",
            "[::1]", "[0:0:0:0:0:0:0:1]:80", "nas.local", "NAS.local.:80", "localhost:",
        ):  # fmt: skip
            with self.subTest(host=host):
                self.assertIsNotNone(judge(ASKED._replace(hosts=[host]), RULES))

    def test_not_ours(self) -> None:
        """Any other name or spelling is refused, before the token is looked at."""
        for host in (
            "evil.example", "127.0.0.1.evil.example", "127.0.0.2", "localhost@evil", "::1",
            "localhost:80:80", "localhost/", "[::2]", "[::1", "", " ", "127.1", "2130706433",
            "localhost:x", "locälhost", "localhost..", ".localhost", "[127.0.0.1]:80",
        ):  # fmt: skip
            with self.subTest(host=host):
                asked = ASKED._replace(hosts=[host], authorizations=[])
                self.assertRaises(Forbidden, judge, asked, RULES)

    def test_one_host(self) -> None:
        """No Host, or two, is no request (RFC 9112, 3.2)."""
        for hosts in ([], ["localhost", "localhost"]):
            self.assertRaises(MalformedRequest, judge, ASKED._replace(hosts=hosts), RULES)

    def test_open_doors_too(self) -> None:
        """The health check and the page are not for other names either."""
        for path in ("/healthz", "/ui/", "/jsonrpc", "/"):
            asked = Asked("GET", path, ["evil.example"])
            self.assertRaises(Forbidden, judge, asked, RULES)

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        """Any text is a host in lower case, or none."""
        name = host_name(text)
        if name is not None:
            self.assertEqual(name, name.lower())


class PageTests(SynchronousTestCase):
    """What a browser says about the page that asks."""

    def test_our_page(self) -> None:
        """Our own origin, a listed one, or none at all."""
        for origins, sites in (
            ([], []),
            (["http://localhost:6880"], ["same-origin"]),
            (["https://ariang.example"], ["cross-site"]),
            ([], ["none"]),
            ([], ["same-origin"]),
        ):
            asked = ASKED._replace(origins=origins, fetch_sites=sites)
            self.assertIsNotNone(judge(asked, RULES))

    def test_other_pages(self) -> None:
        """Other origins, opaque ones, other ports of the same host, other sites."""
        for origins, sites in (
            (["http://evil.example"], []),
            (["null"], []),
            ([""], []),
            (["http://localhost:6881"], []),
            (["http://localhost"], []),
            (["http://localhost:6880", "http://evil.example"], []),
            ([], ["cross-site"]),
            ([], ["same-site"]),
            ([], ["same-origin", "cross-site"]),
        ):
            with self.subTest(origins=origins, sites=sites):
                asked = ASKED._replace(origins=origins, fetch_sites=sites)
                self.assertRaises(Forbidden, judge, asked, RULES)

    def test_any_page(self) -> None:
        """``*`` lets any page ask, with a token."""
        rules = replace(RULES, allowed_origins=["*"])
        asked = ASKED._replace(origins=["http://evil.example"])
        self.assertIsNotNone(judge(asked, rules))
        self.assertRaises(NotAuthenticated, judge, asked._replace(authorizations=[]), rules)

    def test_rpc_from_other_pages(self) -> None:
        """The RPC checks tokens itself; pages of others may not even try."""
        asked = Asked("POST", "/jsonrpc", ["localhost"], origins=["http://evil.example"])
        self.assertRaises(Forbidden, judge, asked, RULES)

    def test_link_to_the_page(self) -> None:
        """A link on another site may lead to the page."""
        asked = Asked("GET", "/ui/", ["localhost"], fetch_sites=["cross-site"])
        self.assertIsNone(judge(asked, RULES))


class TokenTests(SynchronousTestCase):
    """The bearer token."""

    def test_without(self) -> None:
        """Everything but the open doors needs it, paths that do not exist too."""
        for path in ("/api/v1/jobs", "/metrics", "/openapi.json", "/nope", "/healthzz", "/UI/"):
            for method in ("GET", "HEAD", "POST", "FOO"):
                asked = Asked(method, path, ["localhost"])
                self.assertRaises(NotAuthenticated, judge, asked, RULES)

    def test_open(self) -> None:
        """The health check and the page do not."""
        for path in ("/healthz", "/", "/ui", "/ui/app.js"):
            self.assertIsNone(judge(Asked("GET", path, ["localhost"]), RULES))

    def test_wrong(self) -> None:
        """Other tokens, other schemes, two fields, other spellings."""
        for lines in (
            [f"Bearer {TOKEN}x"], ["Bearer"], ["Bearer "], [f"Basic {TOKEN}"], [TOKEN],
            [f"Bearer {TOKEN}", f"Bearer {TOKEN}"], [f"Bearer\t{TOKEN}"], [f"Bearer {TOKEN} x"],
            [f"Bearer {TOKEN.upper()}"], ["Bearer \xff"],
        ):  # fmt: skip
            with self.subTest(lines=lines):
                asked = ASKED._replace(authorizations=lines)
                self.assertRaises(NotAuthenticated, judge, asked, RULES)

    def test_scheme_in_any_case(self) -> None:
        """The scheme's name is case-insensitive (RFC 9110, 11.1)."""
        self.assertIsNotNone(judge(ASKED._replace(authorizations=[f"bEaReR {TOKEN}"]), RULES))

    def test_scopes(self) -> None:
        """A token does what its scope includes, no more."""
        job = "/api/v1/jobs/0000000000000001"
        for token, method, path, allowed in (
            (READER, "GET", "/api/v1/jobs", True),
            (READER, "POST", "/api/v1/jobs", False),
            (READER, "DELETE", job, False),
            (ADDER, "GET", "/api/v1/jobs", True),
            (ADDER, "POST", "/api/v1/jobs", True),
            (ADDER, "POST", job + "/pause", False),
            (ADDER, "POST", "/api/v1/shutdown", False),
            (TOKEN, "POST", "/api/v1/shutdown", True),
        ):
            with self.subTest(token=token, method=method, path=path):
                asked = Asked(method, path, ["localhost"], authorizations=[f"Bearer {token}"])
                if allowed:
                    self.assertIsNotNone(judge(asked, RULES))
                else:
                    self.assertRaises(Forbidden, judge, asked, RULES)


class MediaTypeTests(SynchronousTestCase):
    """Bodies that a form could send are refused."""

    def test_bodies(self) -> None:
        """A change with a body needs application/json, parsed, once."""
        for kinds, allowed in (
            (["application/json"], True),
            (["Application/JSON; charset=utf-8"], True),
            ([], False),
            (["text/plain"], False),
            (["application/jsonp"], False),
            (["text/plain; x=application/json"], False),
            (["application/json", "text/plain"], False),
        ):
            asked = ASKED._replace(method="POST", content_types=kinds, has_body=True)
            if allowed:
                self.assertIsNotNone(judge(asked, RULES))
            else:
                self.assertRaises(WrongMediaType, judge, asked, RULES)

    def test_without_a_body(self) -> None:
        """Where there is no body there is no type to ask for."""
        self.assertIsNotNone(judge(ASKED._replace(method="POST"), RULES))


LINES = st.lists(st.text(max_size=30), max_size=3)


class JudgeTests(SynchronousTestCase):
    """Tests for `judge` as a whole."""

    @given(st.text(), st.text(), LINES, LINES, LINES, LINES, LINES, st.booleans())
    def test_total(self, method, path, hosts, origins, sites, tokens, kinds, body) -> None:  # type: ignore[no-untyped-def]
        """Whatever is asked: let in by an open door, or refused as the client's fault."""
        asked = Asked(method, path, hosts, origins, sites, tokens, kinds, body)
        try:
            self.assertIsNone(judge(asked, RULES))
        except ClientFault as fault:
            self.assertIn(fault.status, (400, 401, 403, 415))
