"""Fields of HTTP that peers send: every text has a meaning, or none; none is a surprise."""

from __future__ import annotations

from hypothesis import given, settings
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.credentials import basic_of, bearer_of
from rangedaemon.core.dates import parse_http_date
from rangedaemon.core.digests import wanted_algorithm
from rangedaemon.core.disposition import filename_from_url, parse_disposition, safe_filename
from rangedaemon.core.etags import parse_entity_tag, parse_tag_list
from rangedaemon.core.links import parse_links
from rangedaemon.core.negotiation import preferred_codings, preferred_type
from rangedaemon.core.preconditions import Conditions, Validators, evaluate
from rangedaemon.core.promises import parse_content_md5, parse_digest_field, parse_legacy_digest
from rangedaemon.core.ranges import parse_content_range, parse_range, select_ranges
from rangedaemon.core.retry import parse_retry_after
from tests.fuzz.mutants import mutants

NOW = 1_800_000_000.0
RANGES = ["bytes=0-499", "bytes=-500", "bytes=500-", "bytes=0-0,-1", "bytes=500-600,601-999"]
CONTENT_RANGES = ["bytes 0-499/1234", "bytes */1234", "bytes 0-0/*", "bytes 0-499/0"]
DATES = [
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT",
    "Sun Nov  6 08:49:37 1994",
]
TAGS = ['"xyzzy"', 'W/"xyzzy"', "*", '"a", W/"b"', '""']
DISPOSITIONS = [
    'attachment; filename="a b.iso"',
    "attachment; filename*=UTF-8''%e2%82%ac%20rates.txt",
    "inline; filename=../../etc/passwd",
    'attachment; filename="a\\"b"; filename*=iso-8859-1\'en\'%A3',
]
LINKS = [
    "<http://m.test/a>; rel=duplicate; pri=1; geo=de",
    '</a.meta4>; rel="describedby"; type="application/metalink4+xml"',
]
DIGESTS = [
    "sha-256=:d435Qo+nKZ+gLcUHn7GQtQ72hiBVAgqoLsZnZPiTGPk=:",
    "sha-512=:AAAA:, sha-256=:AAAA:;a=1",
    "SHA-256=AAAA=,md5=AAAA",
    "Q2hlY2sgSW50ZWdyaXR5IQ==",
]
RETRIES = ["120", "Fri, 31 Dec 1999 23:59:59 GMT", "-1", "1.5"]
ACCEPTS = ["text/html;q=0.8, application/json", "gzip, br;q=0.5, *;q=0", "*/*;q=1.0000"]
LOGINS = ["Bearer abc.def~ghi", "Basic dXNlcjpwYXNz", "Basic !!!!"]

many = settings(max_examples=300, deadline=None)


class FieldTests(SynchronousTestCase):
    """One parser after the other."""

    @many
    @given(mutants(RANGES))
    def test_range(self, text: str) -> None:
        """What is selected lies in the representation, in order, and is not more than it."""
        specs = parse_range(text)
        chosen = select_ranges(text, 1000)
        if specs is None:
            self.assertIsNone(chosen)
        for piece in chosen or ():
            self.assertTrue(0 <= piece.start < piece.stop <= 1000)

    @many
    @given(mutants(CONTENT_RANGES))
    def test_content_range(self, text: str) -> None:
        """A range that was understood is one, and lies below the length."""
        told = parse_content_range(text)
        if told is not None and told.range is not None:
            self.assertLess(told.range.start, told.range.stop)
            if told.complete_length is not None:
                self.assertLessEqual(told.range.stop, told.complete_length)

    @many
    @given(mutants(DATES))
    def test_date(self, text: str) -> None:
        """Whole seconds, or no date."""
        self.assertIsInstance(parse_http_date(text, now=NOW), int | None)

    @many
    @given(mutants(TAGS))
    def test_tags(self, text: str) -> None:
        """A tag that was understood is written as it was read."""
        tag = parse_entity_tag(text)
        if tag is not None:
            self.assertEqual(parse_entity_tag(str(tag)), tag)
        parse_tag_list(text)

    @many
    @given(mutants([*TAGS, *DATES]), mutants(DATES))
    def test_preconditions(self, tags: str, date: str) -> None:
        """Every mixture of conditions has a verdict."""
        asked = Conditions(tags, date, tags, date, tags)
        for method in ("GET", "PUT"):
            evaluate(method, asked, Validators(parse_entity_tag('"a"'), 5), now=NOW)

    @many
    @given(mutants(DISPOSITIONS))
    def test_disposition(self, text: str) -> None:
        """No name leads out of a directory, whatever a peer calls a file."""
        for name in (parse_disposition(text), filename_from_url(f"http://h.test/{text}")):
            safe = safe_filename(name) if name is not None else None
            if safe is not None:
                self.assertNotIn("/", safe)
                self.assertNotIn("\x00", safe)
                self.assertNotIn(safe, (".", ".."))
                self.assertLessEqual(len(safe.encode("utf-8", "surrogateescape")), 255)

    @many
    @given(mutants(LINKS))
    def test_links(self, text: str) -> None:
        """What a link leads to is an address of http or https."""
        for link in parse_links(text, "http://h.test/dir/file"):
            self.assertTrue(link.target.startswith(("http://", "https://")), link)

    @many
    @given(mutants(DIGESTS))
    def test_digests(self, text: str) -> None:
        """Octets by algorithm, or nothing."""
        for parse in (parse_digest_field, parse_legacy_digest, parse_content_md5):
            for digest in parse(text).values():
                self.assertIsInstance(digest, bytes)
        wanted_algorithm(text)

    @many
    @given(mutants(RETRIES))
    def test_retry_after(self, text: str) -> None:
        """Seconds to wait, never in the past."""
        seconds = parse_retry_after(text, now=NOW)
        if seconds is not None:
            self.assertGreaterEqual(seconds, 0)

    @many
    @given(mutants(ACCEPTS))
    def test_negotiation(self, text: str) -> None:
        """One of what is offered."""
        self.assertIn(
            preferred_type(text, ["text/html", "application/json"]),
            ["text/html", "application/json"],
        )
        self.assertLessEqual(
            set(preferred_codings(text, ["br", "gzip"])), {"br", "gzip", "identity"}
        )

    @many
    @given(mutants(LOGINS))
    def test_logins(self, text: str) -> None:
        """A token, a user with a password, or nobody."""
        bearer_of(text)
        basic_of(text)
