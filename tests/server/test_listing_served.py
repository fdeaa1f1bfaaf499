"""Tests for listings and shared resources of mounts, as a client sees them."""

from __future__ import annotations

import json

from tests.server.wire import WireTestCase


class SharingTests(WireTestCase):
    """Cross-origin reading."""

    def test_off(self) -> None:
        """Without cors no page of another origin is told anything."""
        self.put("f", b"abc")
        reply = self.ask("/files/f", origin="https://a.example")
        self.assertNotIn("Access-Control-Allow-Origin", reply.fields)
        self.assertNotIn("Vary", reply.fields)

    def test_everyone(self) -> None:
        """A star, the range and validator fields readable, on errors too."""
        self.serve(cors=("*",))
        self.put("f", b"abc")
        for path, fields in [
            ("/files/f", {}),
            ("/files/x", {}),
            ("/files/f", {"range": "bytes=9-"}),
            ("/files/f", {"if_match": '"x"'}),
        ]:
            reply = self.ask(path, origin="https://a.example", **fields)
            self.assertEqual(reply.fields.get_all("Access-Control-Allow-Origin"), ["*"])
            exposed = reply.fields["Access-Control-Expose-Headers"].split(", ")
            self.assertLessEqual({"ETag", "Content-Range", "Accept-Ranges"}, set(exposed))

    def test_some(self) -> None:
        """A listed origin is named, another is not, and caches keep them apart."""
        self.serve(cors=("https://a.example",))
        self.put("f", b"abc")
        for origin, granted in [
            ("https://a.example", "https://a.example"),
            ("https://b.example", None),
            ("null", None),
        ]:
            reply = self.ask("/files/f", origin=origin)
            self.assertEqual(reply.fields["Access-Control-Allow-Origin"], granted)
            self.assertEqual(reply.fields["Vary"], "Origin")
        self.assertEqual(self.ask("/files/f").fields["Vary"], "Origin")

    def test_preflight(self) -> None:
        """Range and the conditions may be sent; nobody else is told so."""
        self.serve(cors=("https://a.example",))
        ask = {"access_control_request_method": "GET", "access_control_request_headers": "range"}
        reply = self.ask("/files/f", "OPTIONS", origin="https://a.example", **ask)
        self.assertEqual((reply.status, reply.body), (204, b""))
        self.assertEqual(reply.fields["Access-Control-Allow-Methods"], "GET, HEAD, OPTIONS")
        self.assertIn("If-Range", reply.fields["Access-Control-Allow-Headers"])
        other = self.ask("/files/f", "OPTIONS", origin="https://b.example", **ask)
        self.assertNotIn("Access-Control-Allow-Methods", other.fields)


class ListingTests(WireTestCase):
    """Directories for people and programs."""

    def setUp(self) -> None:
        super().setUp()
        self.serve(listing=True)
        self.put("b<i>.txt", b"x" * 1536)
        self.put("sub dir/a:b", b"")
        self.put(".hidden", b"")

    def test_page(self) -> None:
        """A page with a link for each entry, directories first, names made harmless."""
        reply = self.ask("/files/")
        self.assertEqual(reply.status, 200)
        self.assertEqual(reply.fields["Content-Type"], "text/html; charset=utf-8")
        page = reply.body.decode()
        self.assertLess(page.index('href="./sub%20dir/"'), page.index('href="./b%3Ci%3E.txt"'))
        self.assertIn("b&lt;i&gt;.txt", page)
        self.assertIn("1.5 KiB", page)
        self.assertNotIn("<i>", page)
        self.assertNotIn("hidden", page)
        self.assertNotIn("../", page)
        self.assertIn('href="../"', self.ask("/files/sub%20dir/").body.decode())
        self.assertIn('href="./a%3Ab"', self.ask("/files/sub%20dir/").body.decode())

    def test_way_up(self) -> None:
        """The heading leads to each directory above, up to the mount's; all is counted."""
        self.put("sub dir/<deep>/x", b"x" * 2048)
        page = self.ask("/files/sub%20dir/%3Cdeep%3E/").body.decode()
        trail = '<a href="../../">/files/</a><a href="../">sub dir/</a>&lt;deep&gt;/'
        self.assertIn(f"<h1>{trail}</h1>", page)
        self.assertIn("<p>1 file, 2.0 KiB</p>", page)
        self.assertIn('title="2,048 bytes"', page)
        self.assertIn("<p>1 folder, 1 file, 0 B</p>", self.ask("/files/sub%20dir/").body.decode())
        self.assertIn("<h1>/files/</h1>", self.ask("/files/").body.decode())

    def test_json(self) -> None:
        """The same for programs, by Accept."""
        reply = self.ask("/files/", accept="application/json")
        self.assertEqual(reply.fields["Content-Type"], "application/json")
        self.assertEqual(reply.fields["Vary"], "Accept")
        listed = json.loads(reply.body)
        self.assertEqual(listed["path"], "/files/")
        self.assertEqual([e["name"] for e in listed["entries"]], ["sub dir", "b<i>.txt"])
        self.assertEqual([e["size"] for e in listed["entries"]], [None, 1536])
        self.assertEqual(self.ask("/files/" + listed["entries"][1]["href"][2:]).status, 200)

    def test_head_range_and_conditions(self) -> None:
        """A page is a representation as any other: HEAD, a part, not modified."""
        whole = self.ask("/files/")
        head = self.ask("/files/", "HEAD", range="bytes=0-0")
        self.assertEqual(head.all_fields(), whole.all_fields())
        tag = whole.fields["ETag"]
        part = self.ask("/files/", range="bytes=-7", if_range=tag)
        self.assertEqual((part.status, part.body), (206, b"</html>\n"[-7:]))
        self.assertEqual(self.ask("/files/", if_none_match=tag).status, 304)
        self.put("new", b"")
        self.assertEqual(self.ask("/files/", if_none_match=tag).status, 200)

    def test_slash(self) -> None:
        """A directory without its slash is redirected, with the query, on this host only."""
        for path, wanted in {
            "/files": "/files/",
            "/files/sub%20dir?a=b": "/files/sub%20dir/?a=b",
        }.items():
            reply = self.ask(path)
            self.assertEqual((reply.status, reply.fields["Location"]), (301, wanted))
        self.serve(listing=True, prefix="/")
        (self.root / "evil.example").mkdir()
        self.assertEqual(self.ask("//evil.example").status, 404)

    def test_empty(self) -> None:
        """A directory without entries says so."""
        (self.root / "empty").mkdir()
        self.assertIn(b"Nothing here", self.ask("/files/empty/").body)
        reply = self.ask("/files/empty/", accept="application/json")
        self.assertEqual(json.loads(reply.body)["entries"], [])

    def test_missing(self) -> None:
        """No directory of that name, or a file: 404."""
        self.assertEqual(self.ask("/files/none/").status, 404)
        self.assertEqual(self.ask("/files/b%3Ci%3E.txt/").status, 404)
