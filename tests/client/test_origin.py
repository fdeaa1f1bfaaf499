"""Tests for `rangedaemon.client.origin`: real treq over an agent in memory."""

from __future__ import annotations

from http.cookiejar import Cookie, CookieJar

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.error import DNSLookupError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseNeverReceived

from rangedaemon.client.agent import IdentityAgent
from rangedaemon.client.cookies import MOST_COOKIES, jars
from rangedaemon.client.network import OneAgent
from rangedaemon.client.origin import Origin, Reply, Request
from rangedaemon.client.redirects import RedirectRules
from rangedaemon.core.access import Access, HostPattern, HostRule
from rangedaemon.core.intervals import ByteRange
from rangedaemon.core.jobs import Login
from rangedaemon.core.proxies import basic
from rangedaemon.errors import (
    BadRedirect,
    BadResponse,
    OriginFault,
    TimedOut,
    TooManyRedirects,
    Unreachable,
)
from tests.client.scripted import Exchange, Script, ScriptedOrigin

URL = "http://a.test/file"


class OriginCase(SynchronousTestCase):
    """An origin over a scripted agent."""

    def setUp(self) -> None:
        """Nothing is answered yet."""
        self.clock = Clock()
        self.agent = ScriptedOrigin(self.clock)
        self.origin = Origin(OneAgent(IdentityAgent(self.agent)), self.clock, head_timeout=30.0)

    def ask(self, script: Script | None = None, **request: object) -> Deferred[Reply]:
        """Send a request."""
        self.agent.script = script
        fields = {"X-Key": "secret"}
        asked = Request(**{"url": URL, "fields": fields, **request})  # type: ignore[arg-type]
        return ensureDeferred(self.origin.get(asked))


class GetTests(OriginCase):
    """Tests for `Origin.get`."""

    def test_request(self) -> None:
        """Range, condition, coding and the job's fields, each once."""
        self.ask(range=ByteRange(5, 10), if_range='"a"')
        sent = self.agent.last
        self.assertEqual(sent.url, URL)
        for name, value in (
            ("Range", "bytes=5-9"),
            ("If-Range", '"a"'),
            ("Accept-Encoding", "identity"),
            ("X-Key", "secret"),
        ):
            self.assertEqual(sent.headers.getRawHeaders(name), [value])

    def test_addresses(self) -> None:
        """Literal IPv6 addresses are asked, and what is not ASCII goes out encoded."""
        for url, sent in (
            ("http://[::1]:81/x?y=%20", "http://[::1]:81/x?y=%20"),
            ("https://[fe80::1]/\xe4", "https://[fe80::1]/%C3%A4"),
            ("http://a.test/\xe4", "http://a.test/%C3%A4"),
            ("http://b\xfccher.test/", "http://xn--bcher-kva.test/"),
        ):
            with self.subTest(url):
                self.ask(url=url)
                self.assertEqual(self.agent.last.url, sent)

    def test_no_condition_without_a_range(self) -> None:
        """If-Range without Range is never sent (RFC 9110 13.1.5)."""
        self.ask(if_range='"a"')
        self.assertIsNone(self.agent.last.asked("If-Range"))

    def test_answer(self) -> None:
        """What the head says reaches the judge, coding included, undecoded."""
        fields = {"ETag": '"a"', "Content-Range": "bytes 0-1/2", "Content-Encoding": "gzip"}
        reply = self.successResultOf(self.ask(lambda x: x.answer(206, fields, 2)))
        told = reply.answer
        self.assertEqual((told.status, told.url, told.content_length), (206, URL, 2))
        self.assertEqual((told.etag, told.content_range), ('"a"', "bytes 0-1/2"))
        self.assertEqual(told.content_encoding, "gzip")

    def test_dropped_answer(self) -> None:
        """Doing without a body closes its connection."""
        self.successResultOf(self.ask(lambda x: x.answer(200, {}, 9))).drop()
        self.assertTrue(self.agent.last.closed)

    def test_silence(self) -> None:
        """No head within the limit is a time-out, and the request is given up."""
        asked = self.ask()
        self.clock.advance(29)
        self.assertNoResult(asked)
        self.clock.advance(2)
        self.failureResultOf(asked, TimedOut)
        self.assertTrue(self.agent.last.closed)

    def test_foreign_failures(self) -> None:
        """Whatever the network raises is a fault of ours, with its address."""
        for error, fault in (
            (Refused(), Unreachable),
            (DNSLookupError(), Unreachable),
            (ResponseNeverReceived([Failure(Refused())]), Unreachable),
            (OSError("no route"), Unreachable),
        ):
            with self.subTest(type(error).__name__):
                asked = self.ask(lambda x, error=error: x.refuse(error))
                raised = self.failureResultOf(asked, fault).value
                self.assertIsInstance(raised, OriginFault)
                self.assertEqual(getattr(raised, "url", None), URL)

    def test_words_of_the_network(self) -> None:
        """What the system said is told once, without what Twisted wraps round it."""
        refusal = Refused(111, "Connection refused")
        for error in (refusal, ResponseNeverReceived([Failure(refusal)])):
            asked = self.ask(lambda x, error=error: x.refuse(error))
            raised = self.failureResultOf(asked, Unreachable).value
            self.assertEqual(raised.detail, "Connection refused")


class CookieTests(OriginCase):
    """Tests for the cookies that requests of one job share."""

    def ask_with(self, jar: CookieJar | None, **request: object) -> str | None:
        """The Cookie field of a request whose answer sets a cookie."""
        self.successResultOf(
            self.ask(lambda x: x.answer(200, {"Set-Cookie": "s=1; Path=/"}, 0), jar=jar, **request)
        )
        return self.agent.last.asked("Cookie")

    def test_kept_for_the_job(self) -> None:
        """What an answer sets, the next request of that job sends, and no other job's."""
        one, other = jars()(), jars()()
        self.assertIsNone(self.ask_with(one))
        self.assertEqual(self.ask_with(one), "s=1")
        self.assertIsNone(self.ask_with(other))
        self.assertIsNone(self.ask_with(one, url="http://b.test/"))

    def test_other_ports(self) -> None:
        """Another port of the host is another origin; http and https at their own are not."""
        jar = jars()()
        self.ask_with(jar)
        self.assertEqual(self.ask_with(jar, url="https://a.test/"), "s=1")
        self.assertIsNone(self.ask_with(jar, url="http://a.test:81/"))
        self.assertEqual(self.ask_with(jar, url="http://a.test:81/"), "s=1")

    def test_without_a_jar(self) -> None:
        """Redirects may set a cookie, which is forgotten with the request."""
        self.assertIsNone(self.ask_with(None))
        self.assertIsNone(self.ask_with(None))

    def test_operators_own(self) -> None:
        """Each jar begins with the operator's cookies, and changes to them stay in it."""
        make = jars([cookie("a.test", "s", "mine")])
        self.assertEqual(self.ask_with(make()), "s=mine")
        self.assertEqual(self.ask_with(make()), "s=mine")

    def test_secure(self) -> None:
        """A cookie for https does not go out over http."""
        jar = jars([cookie("a.test", "s", "mine", secure=True)])()
        self.assertIsNone(self.ask_with(jar))
        self.assertEqual(self.ask_with(jar, url="https://a.test/"), "s=mine")
        self.assertEqual(self.ask_with(jar, url="https://a.test/"), "s=1")

    def test_secure_from_http(self) -> None:
        """Who answers over http sets nothing that is for https."""
        jar = jars()()
        for fields in ({"Set-Cookie": "s=evil; Secure"}, {}):
            self.successResultOf(self.ask(lambda x, f=fields: x.answer(200, f, 0), jar=jar))
        self.assertEqual(len(jar), 0)

    def test_flood(self) -> None:
        """An origin that sets cookies without end fills no memory."""
        jar = jars()()
        for n in range(MOST_COOKIES + 9):
            fields = {"Set-Cookie": f"c{n}=1"}
            self.successResultOf(self.ask(lambda x, f=fields: x.answer(200, f, 0), jar=jar))
        self.assertEqual(len(jar), MOST_COOKIES)


class CredentialTests(OriginCase):
    """Tests for what goes along to which hop."""

    def test_each_hop_its_own(self) -> None:
        """Logins go to their origins alone; what the operator gave a host is sent there."""
        rule = HostRule(HostPattern.parse("b.test"), authorization="Bearer b")
        agents = OneAgent(IdentityAgent(self.agent))
        self.origin = Origin(agents, self.clock, head_timeout=30.0, access=Access((rule,)))
        hops = iter(("http://b.test/", "http://c.test/", "http://u:p@a.test/again"))

        def script(exchange: Exchange) -> None:
            location = next(hops, None)
            exchange.answer(302 if location else 200, {"Location": location or ""}, 0)

        login = Login("http://a.test:80", "me", "mine")
        self.successResultOf(self.ask(script, logins=(login,)))
        sent = [(x.url, x.asked("Authorization")) for x in self.agent.exchanges]
        mine = basic("me", "mine")
        self.assertEqual(
            sent,
            [
                (URL, mine),
                ("http://b.test/", "Bearer b"),
                ("http://c.test/", None),
                ("http://a.test/again", mine),
            ],
        )

    def test_asked_elsewhere_than_given_for(self) -> None:
        """The fields of a job do not go to its mirrors on other hosts."""
        self.ask(given_for="http://other.test/")
        self.assertIsNone(self.agent.last.asked("X-Key"))
        self.ask(given_for="http://a.test/other")
        self.assertEqual(self.agent.last.asked("X-Key"), "secret")

    def test_nothing_shows(self) -> None:
        """A printed request has no secret in it."""
        request = Request(URL, {"X": "hunter2"}, logins=(Login("o", "u", "hunter2"),))
        self.assertNotIn("hunter2", repr(request))


def cookie(domain: str, name: str, value: str, *, secure: bool = False) -> Cookie:
    """A cookie as a cookie file has it."""
    return Cookie(
        0, name, value, None, False, domain, False, False, "/", True, secure, None, True, None,
        None, {},
    )  # fmt: skip


class RedirectTests(OriginCase):
    """Tests for the redirects that `Origin.get` follows."""

    def lead(self, *locations: str) -> Deferred[Reply]:
        """Answer with one redirect after the other, then with 200."""
        left = iter(locations)

        def script(exchange: Exchange) -> None:
            location = next(left, None)
            if location is None:
                exchange.answer(200, {}, 0)
            else:
                exchange.answer(302, {"Location": location}, 0)

        return self.ask(script)

    def test_relative_to_each_hop(self) -> None:
        """A later relative Location is resolved against the hop that sent it."""
        reply = self.successResultOf(self.lead("/a/start", "/b/mid", "end"))
        self.assertEqual(reply.answer.url, "http://a.test/b/end")

    def test_secrets_stay_at_home(self) -> None:
        """The job's fields do not go to another host, and come back with it."""
        self.successResultOf(self.lead("http://b.test/", "http://a.test/"))
        sent = [x.asked("X-Key") for x in self.agent.exchanges]
        self.assertEqual(sent, ["secret", None, "secret"])

    def test_range_goes_along(self) -> None:
        """Range and condition are sent to each hop."""
        self.agent.script = None
        asked = self.ask(
            lambda x: (
                x.answer(302, {"Location": "http://b.test/"}, 0)
                if len(self.agent.exchanges) == 1
                else x.answer(206, {}, 1)
            ),
            range=ByteRange(0, 1),
            if_range='"a"',
        )
        self.successResultOf(asked)
        self.assertEqual(self.agent.last.asked("Range"), "bytes=0-0")
        self.assertEqual(self.agent.last.asked("If-Range"), '"a"')

    def test_circle(self) -> None:
        """A chain that bites its tail ends at once."""
        self.failureResultOf(self.lead("/x", "/file"), TooManyRedirects)
        self.assertEqual(len(self.agent.exchanges), 2)

    def test_endless_chain(self) -> None:
        """A chain that never ends is cut."""
        hops = [f"/{n}" for n in range(100)]
        self.failureResultOf(self.lead(*hops), TooManyRedirects)
        self.assertEqual(len(self.agent.exchanges), RedirectRules().most + 1)

    def test_hostile_locations(self) -> None:
        """What is no address of ours is a fault of the origin, never a crash."""
        for location in ("ftp://a.test/", "http://[bad/", "http://a.test:99999/", ""):
            with self.subTest(location):
                self.failureResultOf(self.lead(location), BadRedirect)

    def test_address_that_cannot_be_asked(self) -> None:
        """A host name that no lookup takes is a fault of the origin, never a crash."""
        for location in ("http://\xff\xfe/", "http://\x80/"):
            with self.subTest(location):
                self.failureResultOf(self.lead(location), BadResponse)

    def test_bodies_of_redirects_are_closed(self) -> None:
        """No connection hangs on to a redirect's body."""
        self.successResultOf(self.lead("/x"))
        self.assertTrue(self.agent.exchanges[0].closed)
