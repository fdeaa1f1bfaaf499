"""Tests for `rangedaemon.core.indexes`: listings as real servers make them, and hostile ones."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote, unquote, urljoin, urlsplit

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core import indexes
from rangedaemon.core.indexes import Entry, parse_index
from rangedaemon.errors import UnusableDocument
from rangedaemon.server.listing import HTML, JSON, render
from rangedaemon.storage.tree import Entry as Listed

URL = "https://h.test/pub/"
RECORDED = Path(__file__).parent / "listings"
FILES = {
    *("a.txt", "B & b <i>.bin", "blank name.iso", "100%.txt", "what?.txt", "hash#1.txt"),
    *("quote\"'.txt", "semi;colon:x.txt", "äö世.txt", ".hidden", "README.md"),
    f"long-{'x' * 80}.tar.gz",
}
SEGMENTS = st.binary(min_size=1, max_size=20).filter(
    lambda name: name not in (b".", b"..") and not set(name) & {*range(32), 127, *b"/\\"}
)


def entries(page: str | bytes, url: str = URL, kind: str = "text/html") -> list[Entry]:
    """What *page* lists."""
    octets = page.encode() if isinstance(page, str) else page
    return parse_index(octets, kind, url)


class RecordedTests(SynchronousTestCase):
    """Pages of nginx 1.22, Apache 2.4, Caddy 2.6, Python 3.11, all of the same folder."""

    def test_recorded(self) -> None:
        """Each file once under its whole name, the folder as a folder, nothing of the rest."""
        for file in sorted(RECORDED.iterdir()):
            kind = "application/json" if file.suffix == ".json" else "text/html; charset=utf-8"
            found = entries(file.read_bytes(), kind=kind)
            hidden = {".hidden"} if file.name.startswith("nginx") else set()
            self.assertEqual({e.name for e in found if not e.is_folder}, FILES - hidden, file.name)
            self.assertEqual([e.name for e in found if e.is_folder], ["sub folder"], file.name)
            self.assertEqual(len(found), len(FILES) + 1 - len(hidden), file.name)

    def test_one_spelling(self) -> None:
        """Whatever server lists it, an entry has the same segment: it is known again by that."""
        spelled = {
            frozenset(entries(file.read_bytes()))
            for file in RECORDED.glob("*.html")
            if not file.name.startswith("nginx")
        }
        self.assertEqual(len(spelled), 1)

    @given(st.sets(SEGMENTS, max_size=5))
    def test_our_own(self, names: set[bytes]) -> None:
        """What our own server lists is found, as HTML and as JSON, whatever the octets."""
        listed = [Listed(name.decode("utf-8", "surrogateescape"), False, 1, 0) for name in names]
        for kind in (HTML, JSON):
            found = entries(render(kind, ["pub"], [], listed), kind=kind)
            spelled = {quote(name, safe=indexes._PCHAR) for name in names}
            self.assertEqual({entry.segment for entry in found}, spelled)


class LinkTests(SynchronousTestCase):
    """Which links are entries."""

    def test_table(self) -> None:
        """What lies directly below the listing's own address, and nothing besides."""
        table: dict[str, Entry | None] = {
            "a": Entry("a"),
            "./a": Entry("a"),
            "a/": Entry("a", True),
            "/pub/a": Entry("a"),
            "/p%75b/a/": Entry("a", True),
            "https://h.test/pub/a": Entry("a"),
            "https://H.test:443/pub/a": Entry("a"),
            "//h.test/pub/a": Entry("a"),
            "./a:b": Entry("a:b"),
            "%61": Entry("a"),
            "a%20b": Entry("a%20b"),
            "a b": Entry("a%20b"),
            "a;b": Entry("a%3Bb"),
            "ä": Entry("%C3%A4"),
            "x/../a": Entry("a"),
            "%252e%252e": Entry("%252e%252e"),
            "..%2f": None,
            "a%2fb": None,
            "a%5Cb": None,
            "a\\b": None,
            "%2e%2e": None,
            "%2e%2e/": None,
            "%2e/": None,
            "../": None,
            "..": None,
            "./": None,
            ".": None,
            "": None,
            "/": None,
            "/pub/": None,
            "/other/a": None,
            "/pub/../a": None,
            "a/b": None,
            "//pub/a": None,
            "a%00": None,
            "a%0Ab": None,
            "%7f": None,
            "?C=N;O=D": None,
            "a?C=N": None,
            "a#top": None,
            "http://h.test/pub/a": None,
            "https://h.test:8443/pub/a": None,
            "https://other.test/pub/a": None,
            "https://h.test@other.test/pub/a": None,
            "https://[/pub/a": None,
            "javascript:alert(1)": None,
            "data:text/html,a": None,
            "mailto:a": None,
        }
        for href, entry in table.items():
            found = entries(f'<a href="{href}">x</a>')
            self.assertEqual(found, [] if entry is None else [entry], href)

    def test_forms_of_anchors(self) -> None:
        """Quotes of both kinds and none, upper case, other attributes, entities."""
        for page in (
            "<a href='a&amp;b'>",
            "<A HREF=a&amp;b>",
            '<a class="x" title="1"\n href = "a&#38;b" >',
            '<!-- <a href="c"> --><script>"<a href=d>"</script><a href="a&b">',
        ):
            self.assertEqual(entries(page), [Entry("a&b")], page)

    def test_no_anchors(self) -> None:
        """Images, styles, other attributes that end alike."""
        page = '<img src="a"><link href="b"><a data-href="c"><area href="d"><a name="e">'
        self.assertEqual(entries(page), [])

    def test_below_what(self) -> None:
        """A page of its own name lists its neighbours; a host's root its children."""
        page = '<a href="a">'
        for url in ("https://h.test/pub/index.html", "https://h.test", "https://h.test/pub/?q"):
            self.assertEqual(entries(page, url), [Entry("a")], url)

    def test_file_and_folder(self) -> None:
        """One link twice is one entry; a file and a folder of one name are two."""
        page = '<a href="a"><a href="./a"><a href="a/"><a href="/pub/a/">'
        self.assertEqual(entries(page), [Entry("a"), Entry("a", True)])

    @given(SEGMENTS)
    def test_spelling(self, name: bytes) -> None:
        """However a name is encoded in a link, it comes to the same segment, which leads there."""
        plain = quote(name, safe="")
        whole = "".join(f"%{octet:02x}" for octet in name)
        [one] = entries(f'<a href="{plain}">')
        self.assertEqual([one], entries(f'<a href="{whole}">'))
        path = urlsplit(urljoin(URL, f"./{one.segment}")).path
        self.assertEqual(unquote(path, "latin-1"), f"/pub/{name.decode('latin-1')}")


class JsonTests(SynchronousTestCase):
    """JSON listings."""

    def test_forms(self) -> None:
        """Ours, Caddy's and nginx'; a name alone is no link: it is encoded first."""
        table = [
            ({"entries": [{"name": "b", "href": "./a", "type": "directory"}]}, Entry("a", True)),
            ([{"name": "a/", "url": "./a/", "is_dir": True}], Entry("a", True)),
            ([{"name": "100%.txt", "type": "file"}], Entry("100%25.txt")),
            ([{"name": "a:b", "type": "directory"}], Entry("a:b", True)),
        ]
        for told, entry in table:
            self.assertEqual(entries(json.dumps(told), kind="application/json"), [entry])

    def test_no_listing(self) -> None:
        """Other JSON is refused rather than taken for an empty folder."""
        for text in ("{}", "3", '{"entries": {}}', "[3]", "[{}]", '[{"name": 3}]', "[", "[" * 9999):
            with self.assertRaises(UnusableDocument, msg=text):
                entries(text, kind="application/json")


class BoundTests(SynchronousTestCase):
    """What a peer may make us do."""

    def test_too_many(self) -> None:
        """More entries, links or objects than anybody has are refused."""
        self.patch(indexes, "MOST_ENTRIES", 10)
        self.patch(indexes, "_MOST_PARTS", 40)
        self.assertEqual(len(entries("".join(f"<a href=f{n}>" for n in range(10)))), 10)
        for page in ("".join(f"<a href=f{n}>" for n in range(11)), "<a href=../>" * 50):
            with self.assertRaises(UnusableDocument):
                entries(page)
        with self.assertRaises(UnusableDocument):
            entries("[" + "{}," * 50 + "{}]", kind="application/json")

    def test_other_types(self) -> None:
        """What is neither HTML nor JSON is no listing, be it full of links."""
        for kind in ("text/plain", "application/octet-stream", "", None):
            with self.assertRaises(UnusableDocument):
                parse_index(b"<a href=a>", kind, URL)
