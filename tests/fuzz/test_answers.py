"""Heads of answers of origins, upload servers and proxies; options of aria2's clients."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.client.redirects import next_hop
from rangedaemon.control.aria2.envelope import RpcError
from rangedaemon.control.aria2.options import Defaults, change_of, limits_of, spec_of
from rangedaemon.core.acceptance import Answer, Partial, Unsatisfiable, Whole, judge
from rangedaemon.core.intervals import ByteRange
from rangedaemon.core.jobs import JobSpec, Limits, Remembered
from rangedaemon.core.links import descriptions_of, duplicates_of
from rangedaemon.core.push import answers as pushed
from rangedaemon.core.push import segmented, tus
from rangedaemon.core.push.choosing import chosen
from rangedaemon.core.push.values import PushProtocol
from rangedaemon.core.tunnels import Connect, Greeting, Socks5
from rangedaemon.core.validators import Verdict, compare, is_strong
from rangedaemon.errors import BadRedirect, ClientFault, OriginFault
from tests.fuzz.mutants import as_octets, mutants

URL = "http://origin.test/d/f.bin"
STATUSES = st.sampled_from([200, 204, 206, 301, 401, 404, 409, 416, 429, 500, 503]) | st.integers(
    100, 999
)
DATES = [
    "Sun, 22 Nov 2026 04:00:00 GMT",
    "Sunday, 22-Nov-26 04:00:00 GMT",
    "Sun Nov 22 04:00:00 2026",
]
TEXTS = {
    "content_range": ["bytes 0-9/100", "bytes */100", "bytes 500-999/*"],
    "content_type": ["multipart/byteranges; boundary=x", "text/html", "application/octet-stream"],
    "content_encoding": ["gzip", "identity", "br, gzip"],
    "etag": ['"a"', 'W/"a"', '"', "a"],
    "last_modified": DATES,
    "date": DATES,
    "retry_after": ["120", *DATES],
    "links": ['<f.meta4>; rel=describedby; type="application/metalink4+xml"',
              "<http://b.test/f>; rel=duplicate; pri=1; pref; geo=de"],
    "repr_digest": ["sha-256=:" + "A" * 43 + "=:", "sha-256=:", "md5=1"],
}  # fmt: skip
HEADS = st.builds(
    Answer,
    STATUSES,
    st.just(URL),
    content_length=st.none() | st.integers(0, 2000),
    **{name: st.none() | st.sampled_from(texts) | mutants(texts) for name, texts in TEXTS.items()},
)
FIELDS = {
    "upload-offset": ["0", "70", "-1", "1e9"],
    "upload-limit": ["max-size=100, expires=5", "max-size=?1", "max-size=1.5"],
    "upload-complete": ["?0", "?1", "1"],
    "tus-extension": ["creation,concatenation", ","],
    "tus-resumable": ["1.0.0", "0.2.2"],
    "tus-max-size": ["100", "x"],
    "accept-patch": ["application/partial-upload"],
    "range": ["0-9/100", "0-9/100,50-59/100", "9-0/100", "bytes=0-9"],
    "retry-after": ["5", "x"],
}
UPLOAD_ANSWERS = st.builds(
    pushed.Answer,
    STATUSES,
    st.just(URL),
    st.fixed_dictionaries(
        {}, optional={n: st.sampled_from(texts) | mutants(texts) for n, texts in FIELDS.items()}
    ),
    mutants(["0-9/100", "0-9/100,50-59/100", "<html>"]),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | mutants(["500K", "16", "true", "a.iso", "../x"]),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
OPTIONS = st.dictionaries(
    st.sampled_from([
        "dir", "out", "split", "max-connection-per-server", "max-download-limit", "checksum",
        "header", "pause", "max-concurrent-downloads", "max-overall-download-limit", "user-agent",
        "referer", "http-user", "http-passwd", "gid", "min-split-size",
    ]) | mutants(["out"]), VALUES, max_size=6,
)  # fmt: skip

many = settings(max_examples=400, deadline=None)


class HeadTests(SynchronousTestCase):
    """What origins answer."""

    @many
    @given(HEADS, st.none() | st.tuples(st.integers(0, 999), st.integers(1, 1000)))
    def test_judged(self, answer: Answer, wish: tuple[int, int] | None) -> None:
        """Octets that were asked for, everything, nothing; or a fault of the origin."""
        asked = None if wish is None else ByteRange(wish[0], sum(wish))
        try:
            found = judge(answer, asked, 1500, now=0.0)
        except OriginFault as fault:
            self.assertEqual(fault.url, URL)
            return
        self.assertIsInstance(found, Partial | Whole | Unsatisfiable)
        if isinstance(found, Partial):
            assert asked is not None
            self.assertTrue(asked.start == found.range.start < found.range.stop <= asked.stop)

    @many
    @given(HEADS)
    def test_links(self, answer: Answer) -> None:
        """Mirrors and descriptions are addresses of http or https."""
        for target in (*descriptions_of(answer), *duplicates_of(answer)):
            self.assertIn(urlsplit(target).scheme, ("http", "https"))

    @many
    @given(HEADS, HEADS)
    def test_compared(self, one: Answer, other: Answer) -> None:
        """Each has a verdict; *same* only where something strong was the same."""
        kept, seen = (
            Remembered(etag=a.etag, last_modified=a.last_modified, date=a.date,
                       length=a.content_length)
            for a in (one, other)
        )  # fmt: skip
        if compare(kept, seen).verdict is Verdict.SAME:
            self.assertTrue(is_strong(kept))

    @many
    @given(
        mutants(
            [
                "https://a.test/x",
                "//b.test",
                "/x?y#z",
                "http://u:p@c.test/",
                "ftp://d/",
                "http://[::1",
            ]
        )
    )
    def test_location(self, text: str) -> None:
        """It leads to http or https, never from https to http, and takes nobody's name along."""
        for url in (URL, "https://origin.test/f"):
            try:
                target = urlsplit(next_hop(url, text))
            except BadRedirect:
                continue
            self.assertIn(target.scheme, ("https",) if url[4] == "s" else ("http", "https"))
            self.assertTrue(target.hostname)
            self.assertIsNone(target.username)


class UploadAnswerTests(SynchronousTestCase):
    """What upload servers answer."""

    @many
    @given(UPLOAD_ANSWERS, st.sampled_from(PushProtocol), st.booleans())
    def test_read(self, answer: pushed.Answer, wished: PushProtocol, begun: bool) -> None:
        """Counts of octets, a protocol, or a fault of the server; never more than the file."""
        self.assertIsInstance(pushed.refusal(answer, 0.0, begun=begun), OriginFault)
        for limit in (*pushed.limits_of(answer).values(), tus.most(answer) or 0):
            self.assertGreaterEqual(limit, 0)
        self.assertIn(pushed.flag_of(answer, "upload-complete"), (True, False, None))
        tus.extensions(answer)
        self.assertTrue(
            all(
                0 <= r.start < r.stop <= 100 for r in self.read(segmented.listed, answer, 100) or ()
            )
        )
        self.assertGreaterEqual(self.read(pushed.offset_of, answer) or 0, 0)
        self.read(chosen, wished, answer)

    def read(self, reader: Any, *arguments: Any) -> Any:
        """What it says; None: the server is at fault."""
        try:
            return reader(*arguments)
        except OriginFault:
            return None


class ProxyTests(SynchronousTestCase):
    """What proxies answer, in pieces of any size."""

    @many
    @given(
        as_octets(mutants([
            "HTTP/1.1 200 Fine\r\n\r\nTLS", "HTTP/1.0 407 No\r\nA: b\r\n\r\n", "\x05\x02\x01\x00",
            "\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50TLS", "\x05\x00\x05\x05",
        ])), st.integers(1, 40), st.booleans(),
    )  # fmt: skip
    def test_greetings(self, octets: bytes, size: int, socks: bool) -> None:
        """Let through, with what came behind; still waiting; or a fault that says so."""
        greeting: Greeting
        greeting = Socks5("h", 80, ("u", "p")) if socks else Connect("h", 80, None)
        greeting.begin()
        for at in range(0, len(octets), size):
            try:
                step = greeting.received(octets[at : at + size])
            except OriginFault:
                return
            if step.rest is not None:
                self.assertTrue(octets[: at + size].endswith(step.rest))
                return


class OptionTests(SynchronousTestCase):
    """What clients of aria2 wish."""

    @many
    @given(OPTIONS)
    def test_options(self, options: dict[str, object]) -> None:
        """A job below the folder of downloads, or an error to tell."""
        defaults = Defaults("/srv/downloads")
        try:
            spec = spec_of([URL], options, defaults)
        except (RpcError, ClientFault):
            return
        self.assertTrue(f"{spec.directory}/".startswith("/srv/downloads/"))
        self.assertNotIn("/", spec.filename or "")
        self.assertGreater(spec.segments or 1, 0)

    @many
    @given(OPTIONS)
    def test_changes(self, options: dict[str, object]) -> None:
        """So it is with changes of a job, and of all."""
        spec = JobSpec(urls=(URL,), directory="/srv/downloads")
        for act in (
            lambda: change_of(options, spec, Defaults("/srv/downloads")),
            lambda: limits_of(options, Limits(5, None, None, 8, 0.0)),
        ):
            try:
                act()
            except (RpcError, ClientFault):
                continue
