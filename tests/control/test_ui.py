"""Tests for `rangedaemon.control.ui`: what a browser gets, and what it could never do with it."""

from __future__ import annotations

import gzip
import re
from html.parser import HTMLParser

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.control.ui import FILES, branches, read_assets
from tests.control.wire import Reply, Wire

TYPES = {
    "index.html": "text/html; charset=utf-8",
    "base.css": "text/css; charset=utf-8",
    "main.js": "text/javascript; charset=utf-8",
    "worker.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
POLICY = {
    "default-src": ["'none'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "connect-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "media-src": ["'self'"],
    "base-uri": ["'none'"],
    "form-action": ["'none'"],
    "frame-ancestors": ["'none'"],
}


class PageCase(SynchronousTestCase):
    """A control site with the page, asked without a token."""

    def setUp(self) -> None:
        """A fresh site."""
        self.wire = Wire(options={"branches": branches()})

    def get(self, path: str, method: str = "GET", **fields: str | None) -> Reply:
        """One request as a browser without a token sends it."""
        return self.wire.ask(method, path, **{"Authorization": None, **fields})


class ServedTests(PageCase):
    """The answers."""

    def test_page(self) -> None:
        """``/ui/`` is the page, with its length and no token needed."""
        reply = self.get("/ui/")
        self.assertEqual((reply.status, reply.body), (200, (FILES / "index.html").read_bytes()))
        self.assertEqual(reply.fields["content-length"], str(len(reply.body)))

    def test_media_types(self) -> None:
        """Each file has its media type, and nothing may be taken for another."""
        for name, media_type in TYPES.items():
            reply = self.get(f"/ui/{name}")
            self.assertEqual((reply.status, reply.fields["content-type"]), (200, media_type), name)
            self.assertEqual(reply.fields["x-content-type-options"], "nosniff")

    def test_policy(self) -> None:
        """Every answer has the strict policy: whatever gets in runs nothing and reaches nobody."""
        for path in ("/ui/", "/ui/main.js", "/ui/worker.js", "/ui/nothing", "/ui"):
            directives = [part.split() for part in _policy(self.get(path)).split(";")]
            self.assertEqual({name: list(rest) for name, *rest in directives}, POLICY, path)

    def test_doorstep(self) -> None:
        """``/`` and ``/ui`` lead to the page by relative addresses; proxies may add a prefix."""
        for path in ("/", "/ui"):
            reply = self.get(path)
            self.assertEqual((reply.status, reply.fields["location"]), (308, "ui/"), path)

    def test_unknown(self) -> None:
        """Other names are not there, in the API's form, whatever they try."""
        for name in ("nothing", "main.js/", "../site.py", "%2e%2e/site.py", "INDEX.HTML", "%ff"):
            reply = self.get(f"/ui/{name}")
            self.assertIn(reply.status, (400, 404), name)
            self.assertEqual(reply.fields["content-type"], "application/problem+json")

    def test_methods(self) -> None:
        """It is only read."""
        for path in ("/ui/", "/"):
            reply = self.get(path, "POST")
            self.assertEqual((reply.status, reply.fields["allow"]), (405, "GET, HEAD"), path)

    def test_head(self) -> None:
        """HEAD has the fields of GET and no body."""
        head, get = self.get("/ui/main.js", "HEAD"), self.get("/ui/main.js")
        self.assertEqual((head.status, head.body), (200, b""))
        for name in ("content-length", "etag", "content-type"):
            self.assertEqual(head.fields[name], get.fields[name])

    def test_host(self) -> None:
        """By a name that is not ours nobody gets even the page (DNS rebinding)."""
        self.assertEqual(self.get("/ui/", Host="evil.example").status, 403)

    def test_link_from_elsewhere(self) -> None:
        """A link on another page may lead here."""
        self.assertEqual(self.get("/ui/", Sec_Fetch_Site="cross-site").status, 200)


class CachedTests(PageCase):
    """Codings and revalidation."""

    def test_compressed(self) -> None:
        """Who takes gzip gets it; the octets are the same, the tag is another."""
        plain, packed = self.get("/ui/main.js"), self.get("/ui/main.js", Accept_Encoding="br, gzip")
        self.assertEqual(packed.fields["content-encoding"], "gzip")
        self.assertEqual(gzip.decompress(packed.body), plain.body)
        self.assertNotEqual(packed.fields["etag"], plain.fields["etag"])
        for reply in (plain, packed):
            self.assertEqual(reply.fields["vary"], "Accept-Encoding")
        self.assertNotIn("content-encoding", plain.fields)

    def test_revalidated(self) -> None:
        """A browser asks each time, and gets 304 for what it has; after an update, the new file."""
        first = self.get("/ui/main.js", Accept_Encoding="gzip")
        self.assertEqual(first.fields["cache-control"], "no-cache")
        tag = first.fields["etag"]
        again = self.get("/ui/main.js", Accept_Encoding="gzip", If_None_Match=f'"old", {tag}')
        self.assertEqual((again.status, again.body, again.fields["etag"]), (304, b"", tag))
        self.assertNotIn("content-encoding", again.fields)
        other = self.get("/ui/main.js", If_None_Match=tag)
        self.assertEqual(other.status, 200)

    def test_weight(self) -> None:
        """The whole page is under 100 KiB compressed."""
        total = sum(len(asset.compressed.body) for asset in read_assets().values())
        self.assertLess(total, 100 * 1024)


class Markup(HTMLParser):
    """What of a page could run or load something."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.attributes: set[str] = set()
        self.inline: list[str] = []
        self._in: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note attributes and addresses."""
        self.attributes |= {name for name, _ in attrs}
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        self._in = tag if tag in ("script", "style") else None

    def handle_endtag(self, tag: str) -> None:
        """Nothing is inside any more."""
        self._in = None

    def handle_data(self, data: str) -> None:
        """Note the text of scripts and styles."""
        if self._in and data.strip():
            self.inline.append(data)


class FilesTests(SynchronousTestCase):
    """The files themselves keep what the policy asks for."""

    def test_markup(self) -> None:
        """Nothing inline, and every address is a file beside the page."""
        markup = Markup()
        markup.feed((FILES / "index.html").read_text("utf-8"))
        self.assertEqual(markup.inline, [])
        self.assertEqual({name for name in markup.attributes if name.startswith("on")}, set())
        self.assertNotIn("style", markup.attributes)
        names = {file.name for file in FILES.iterdir()}
        self.assertLessEqual(set(markup.addresses), names)

    def test_modules(self) -> None:
        """Modules import files beside them only, and no text is ever parsed as HTML."""
        names = {file.name for file in FILES.iterdir()}
        for file in FILES.glob("*.js"):
            source = file.read_text("utf-8")
            imported = re.findall(r'(?:from|import)\s*\(?\s*"([^"]+)"', source)
            self.assertLessEqual({name.removeprefix("./") for name in imported}, names, file.name)
            self.assertNotRegex(source, r"innerHTML|outerHTML|insertAdjacentHTML|document\.write")
            self.assertNotRegex(source, r"\beval\(|new Function")

    def test_everything_is_served(self) -> None:
        """No file of the folder is left out for want of a media type."""
        self.assertEqual(set(read_assets()), {file.name for file in FILES.iterdir()})


def _policy(reply: Reply) -> str:
    return reply.fields["content-security-policy"]
