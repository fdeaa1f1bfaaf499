"""Tests for `rangedaemon.core.metalink_reading`: documents from strangers."""

from __future__ import annotations

import hashlib
from xml.sax.saxutils import escape, quoteattr

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.core.metalink import Hashes, format_metalink
from rangedaemon.core.metalink_reading import (
    MOST_FILES,
    MOST_OCTETS,
    MOST_URLS,
    Described,
    is_metalink,
    parse_metalink,
)
from rangedaemon.core.pieces import Pieces
from rangedaemon.errors import UnusableDocument

URL = "http://o.test/dir/f.meta4"
A, B = "ab" * 32, "cd" * 32


def document(
    inner: str, name: str = "f.bin", root: str = "urn:ietf:params:xml:ns:metalink"
) -> bytes:
    """A version 4 document of one file."""
    return (
        f'<metalink xmlns="{root}"><file name={quoteattr(name)}>{inner}</file></metalink>'.encode()
    )


def one(octets: bytes) -> Described:
    """The only file of a document."""
    (described,) = parse_metalink(octets, URL)
    return described


class VersionFourTests(SynchronousTestCase):
    """RFC 5854."""

    def test_whole_document(self) -> None:
        """Size, the best hash, pieces, addresses by priority; unknown elements are passed over."""
        described = one(
            document(
                f"""<size>2500</size><hash type="md5">{A[:32]}</hash>
                <hash type="sha-256"> {A.upper()} </hash>
                <pieces length="1024" type="sha-1"><hash>{A[:40]}</hash></pieces>
                <pieces length="1024" type="sha-256"><hash>{A}</hash><hash>{B}</hash>
                <hash>{A}</hash></pieces><identity>x</identity><x:url xmlns:x="urn:y">http://no.test/</x:url>
                <url>http://last.test/f</url><url priority="2" location="de">http://b.test/f</url>
                <url priority="1">../f?a=1&amp;b=2</url><url priority="3">ftp://c.test/f</url>
                <metaurl mediatype="torrent">http://t.test/f.torrent</metaurl>"""
            )
        )
        self.assertEqual(
            described,
            Described(
                "f.bin",
                ("http://o.test/f?a=1&b=2", "http://b.test/f", "http://last.test/f"),
                2500,
                f"sha-256={A}",
                Pieces("sha-256", 1024, A + B + A),
            ),
        )

    def test_our_own(self) -> None:
        """What our server writes is what our client reads."""
        content = bytes(range(256)) * 10
        parts = [content[at : at + 1024] for at in range(0, len(content), 1024)]
        hashes = Hashes(
            hashlib.sha256(content).digest(),
            1024,
            tuple(hashlib.sha256(part).digest() for part in parts),
        )
        urls = ["http://o.test/a%20b.bin", "http://p.test/x"]
        described = one(format_metalink("a b.bin", len(content), hashes, urls))
        self.assertEqual((described.name, described.size), ("a b.bin", len(content)))
        self.assertEqual(described.urls, tuple(urls))
        self.assertEqual(described.checksum, f"sha-256={hashlib.sha256(content).hexdigest()}")
        assert described.pieces is not None
        self.assertEqual(described.pieces.amount, 3)
        self.assertEqual(described.pieces.hash_of(2), hashlib.sha256(parts[2]).hexdigest())

    def test_several_files(self) -> None:
        """In the order of the document."""
        octets = document("").replace(b"</metalink>", b'<file name="g"/></metalink>')
        self.assertEqual([file.name for file in parse_metalink(octets, URL)], ["f.bin", "g"])

    def test_names_are_made_safe(self) -> None:
        """No name leaves the directory or hides."""
        table = {"../../etc/passwd": "passwd", "/a/b": "b", ".x": "x", "a\u202eb": "ab"}
        for name, safe in table.items():
            self.assertEqual(one(document("", name)).name, safe, name)

    def test_pieces_that_do_not_fit(self) -> None:
        """Pieces of another file prove nothing: they are left out."""
        hashes = f"<hash>{A}</hash><hash>{B}</hash>"
        for size in (1024, 2049):
            told = f'<size>{size}</size><pieces length="1024" type="sha-256">{hashes}</pieces>'
            self.assertIsNone(one(document(told)).pieces, size)
        for attributes in (
            'length="0" type="sha-256"',
            'length="x" type="sha-256"',
            'length="1024" type="sha-3"',
            'type="sha-256"',
        ):
            told = f"<pieces {attributes}>{hashes}</pieces>"
            self.assertIsNone(one(document(told)).pieces, attributes)


class VersionThreeTests(SynchronousTestCase):
    """The older form."""

    def test_document(self) -> None:
        """Files, verification and resources lie one element deeper, preference is upside down."""
        octets = f"""<?xml version="1.0"?><metalink version="3.0" xmlns="http://www.metalinker.org/">
        <files><file name="f.bin"><size>2000</size><verification><hash type="sha1">{A[:40]}</hash>
        <pieces length="1024" type="sha1"><hash piece="0">{A[:40]}</hash>
        <hash piece="1">{B[:40]}</hash></pieces></verification><resources>
        <url type="http" preference="10">http://b.test/f</url>
        <url type="http" preference="100">http://a.test/f</url></resources></file></files></metalink>"""
        described = one(octets.encode())
        self.assertEqual(described.urls, ("http://a.test/f", "http://b.test/f"))
        self.assertEqual(described.checksum, f"sha-1={A[:40]}")
        self.assertEqual(described.pieces, Pieces("sha-1", 1024, A[:40] + B[:40]))

    def test_pieces_out_of_order(self) -> None:
        """Numbers that do not count up are refused."""
        octets = b"""<metalink xmlns="http://www.metalinker.org/"><files><file name="f">
        <verification><pieces length="1024" type="sha1"><hash piece="1">x</hash></pieces>
        </verification></file></files></metalink>"""
        with self.assertRaises(UnusableDocument):
            one(octets)


class RefusalTests(SynchronousTestCase):
    """What is no document of ours."""

    def assert_refused(self, octets: bytes, why: str) -> None:
        fault = self.assertRaises(UnusableDocument, parse_metalink, octets, URL)
        self.assertIn(why, fault.detail)
        self.assertEqual(fault.url, URL)

    def test_entities(self) -> None:
        """Nothing is ever expanded: the declaration itself is refused."""
        bomb = b'<!DOCTYPE m [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;">]>' + document("&b;")
        self.assert_refused(bomb, "document type")
        self.assert_refused(
            b'<!DOCTYPE m SYSTEM "file:///etc/passwd">' + document(""), "document type"
        )
        self.assert_refused(document("&b;"), "broken")

    def test_bounds(self) -> None:
        """Octets, files, depth and text are bounded; addresses beyond the bound are left out."""
        self.assert_refused(document("") + b" " * MOST_OCTETS, "too large")
        many = b'<file name="f"/>' * (MOST_FILES + 1)
        whole = b'<metalink xmlns="urn:ietf:params:xml:ns:metalink">' + many + b"</metalink>"
        self.assert_refused(whole, "too many files")
        self.assert_refused(document("<a>" * 50 + "</a>" * 50), "too deeply")
        self.assert_refused(document(f"<url>{'x' * 10_000}</url>"), "too long")
        urls = "".join(f"<url>http://a.test/{n}</url>" for n in range(MOST_URLS + 50))
        self.assertEqual(len(one(document(urls)).urls), MOST_URLS)

    def test_no_metalink(self) -> None:
        """A web page, another vocabulary, nothing at all, an empty one, one without a name."""
        self.assert_refused(b"<html><body>login</body></html>", "no metalink")
        self.assert_refused(document("", root="urn:x"), "no metalink")
        self.assert_refused(b"", "broken")
        self.assert_refused(b'<metalink xmlns="urn:ietf:params:xml:ns:metalink"/>', "no file")
        self.assert_refused(document("", name=".."), "usable name")
        self.assert_refused(document("<size>many</size>"), "usable size")

    def test_encodings(self) -> None:
        """An encoding that nobody knows is a broken document, no crash."""
        self.assert_refused(b'<?xml version="1.0" encoding="x-none"?>' + document(""), "broken")

    @given(st.binary(max_size=200))
    def test_any_octets(self, octets: bytes) -> None:
        """No input raises anything but the fault that is declared."""
        try:
            self.assertTrue(parse_metalink(octets, URL))
        except UnusableDocument as fault:
            self.assertTrue(fault.detail)

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(
                    ["size", "hash", "url", "pieces", "verification", "resources", "file"]
                ),
                st.sampled_from(["type", "length", "priority", "preference", "piece", "name"]),
                st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), max_size=20),
                st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), max_size=20),
                st.booleans(),
            ),
            max_size=20,
        )
    )
    def test_any_elements(self, elements: list[tuple[str, str, str, str, bool]]) -> None:
        """Elements in any order and place, with anything in them."""
        opened, inner = [], ""
        for tag, attribute, value, text, deeper in elements:
            inner += f"<{tag} {attribute}={quoteattr(value)}>{escape(text)}"
            opened.append(tag)
            if not deeper:
                inner += f"</{opened.pop()}>"
        inner += "".join(f"</{tag}>" for tag in reversed(opened))
        try:
            files = parse_metalink(document(inner), URL)
        except UnusableDocument:
            return
        for file in files:
            self.assertNotIn("/", file.name)
            self.assertTrue(all(url.startswith(("http:", "https:")) for url in file.urls))


class KindTests(SynchronousTestCase):
    """Which addresses and types mean a document."""

    def test_kinds(self) -> None:
        """By the type of the answer, or by the end of the path."""
        table = {
            ("http://o.test/f.meta4", None): True,
            ("http://o.test/f.METALINK?x#y", None): True,
            ("http://o.test/f?x=.meta4", None): False,
            ("http://o.test/f", "application/metalink4+xml; charset=utf-8"): True,
            ("http://o.test/f", "Application/Metalink+XML"): True,
            ("http://o.test/f", "application/xml"): False,
        }
        for (url, kind), expected in table.items():
            self.assertEqual(is_metalink(url, kind), expected, (url, kind))


class PiecesTests(SynchronousTestCase):
    """The arithmetic of pieces."""

    def test_unsound(self) -> None:
        """Hashes that are cut, not hexadecimal, none, of no known algorithm."""
        for broken in (
            Pieces("sha-256", 1024, A[:-1]),
            Pieces("sha-256", 1024, "xy" * 32),
            Pieces("sha-256", 1024, ""),
            Pieces("sha-3", 1024, A),
            Pieces("sha-256", 1023, A),
        ):
            self.assertRaises(ValueError, broken.checked)

    @given(st.integers(1, 40), st.integers(0, 1023), st.data())
    def test_whole_pieces(self, count: int, short: int, data: st.DataObject) -> None:
        """A piece is whole exactly where every octet of it is there; they tile the file."""
        pieces = Pieces("md5", 1024, "0" * 32 * count).checked()
        size = count * 1024 - short
        self.assertTrue(pieces.fits(size))
        ranges = [pieces.range_of(number, size) for number in range(count)]
        self.assertEqual(list(IntervalSet(ranges)), [ByteRange(0, size)])
        cuts = sorted(data.draw(st.lists(st.integers(0, size), min_size=4, max_size=4)))
        written = IntervalSet([ByteRange(cuts[0], cuts[1]), ByteRange(cuts[2], cuts[3])])
        within = ByteRange(cuts[0], cuts[2])
        expected = [
            n
            for n, r in enumerate(ranges)
            if written.covers(r) and r.start < within.stop and r.stop > within.start and within
        ]
        self.assertEqual(list(pieces.whole_in(written, size, within)), expected)
