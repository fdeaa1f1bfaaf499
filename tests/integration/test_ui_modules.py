"""The page's modules one by one, in the browser that they are for."""

from __future__ import annotations

from typing import Any

from tests.integration.browser import BrowserCase


class ModuleTests(BrowserCase):
    """What the functions return."""

    def setUp(self) -> None:
        super().setUp()
        self.browser.get(self.page)

    def call(self, module: str, name: str, *arguments: Any) -> Any:
        """What a function of a module returns; undefined is told as such."""
        return self.module(
            """const [file, name, ...rest] = args;
            const value = (await import(`/ui/${file}.js`))[name](...rest);
            return value === undefined ? "undefined" : value;""",
            module, name, *arguments,
        )  # fmt: skip

    def test_sizes(self) -> None:
        """Sizes have three digits and binary units; no step shows 1024 of the one below."""
        for octets, text in {
            0: "0 B", 1023: "1023 B", 1024: "1.00 KiB", 1536: "1.50 KiB", 10239: "10.0 KiB",
            (1 << 20) - 1: "1.00 MiB", 5 << 30: "5.00 GiB", 123 << 20: "123 MiB",
            1 << 60: "1024 PiB",
        }.items():  # fmt: skip
            self.assertEqual(self.call("units", "size", octets), text)

    def test_parsed_sizes(self) -> None:
        """What people write for a limit; null is none, undefined is no size."""
        for text, octets in {
            "": None, " ": None, "5": 5, "2 MiB": 2 << 20, "1.5k": 1536, "1GB": 10**9,
            "500 KiB/s": 500 << 10, "0": "undefined", "-1": "undefined", "many": "undefined",
            "1e9": "undefined", "9" * 15 + "TiB": "undefined",
        }.items():  # fmt: skip
            self.assertEqual(self.call("units", "parseSize", text), octets, text)

    def test_parsed_durations(self) -> None:
        """What people write for a length of time, in seconds; null is none."""
        for text, seconds in {
            "": None, "90": 90, "30 min": 1800, "6h": 21600, "1.5 h": 5400, "2 D": 172800,
            "1 w": 604800, "0": "undefined", "0.5": "undefined", "-1": "undefined",
            "often": "undefined", "6 h 3": "undefined",
        }.items():  # fmt: skip
            self.assertEqual(self.call("units", "parseDuration", text), seconds, text)

    def test_durations(self) -> None:
        """Two units at most."""
        for seconds, text in {
            0: "0 s", 59: "59 s", 60: "1 min", 61: "1 min 1 s", 3725: "1 h 2 min", 90061: "1 d 1 h",
        }.items():  # fmt: skip
            self.assertEqual(self.call("units", "duration", seconds), text)

    def test_percent(self) -> None:
        """100 is for what is whole."""
        for (part, whole), percent in {
            (0, 10): 0, (9999, 10000): 99, (10, 10): 100, (0, 0): 100, (5, None): 0,
        }.items():  # fmt: skip
            self.assertEqual(self.call("units", "percent", part, whole), percent, (part, whole))

    def test_events(self) -> None:
        """Events come out whole wherever the stream is cut, by the rules of the format."""
        stream = (
            ": beat\r\n\r\nid: a-1\nevent: job\ndata: {\ndata: }\n\nid: a-2\n\n"
            "event:x\rdata:1\r\rdata\n\nfoo: bar\ndata: lone\n"
        )
        seen = self.module(
            """const { Parser } = await import("/ui/sse.js");
            return [1, 2, 3, 7, 1000].map((step) => {
              const parser = new Parser(), events = [];
              for (let at = 0; at < args[0].length; at += step)
                events.push(...parser.feed(args[0].slice(at, at + step)));
              return [events.map(({ kind, data }) => [kind, data]), parser.lastId];
            });""",
            stream,
        )
        events = [["job", "{\n}"], ["x", "1"], ["message", ""]]
        self.assertEqual(seen, [[events, "a-2"]] * 5)

    def test_metalinks(self) -> None:
        """Version 3 is read too; folders are kept; what leads elsewhere is left out."""
        v3 = (
            '<metalink xmlns="http://www.metalinker.org/" version="3.0"><files>'
            '<file name="a/b.iso"><size>5</size><verification><hash type="md5">'
            + "A"
            * 32
            + "</hash>"
            '<hash type="sha1">' + "b" * 40 + "</hash></verification><resources>"
            '<url type="http" preference="10">http://h/2</url>'
            '<url type="http" preference="90">http://h/1</url></resources></file>'
            '<file name="../evil"><resources><url>https://h/3</url></resources></file>'
            '<file name="torrent"><resources><url>ftp://h/4</url></resources></file>'
            "</files></metalink>"
        )
        files = self.call("metalink", "readMetalink", v3)
        self.assertEqual(
            [file["wish"] for file in files],
            [
                {"urls": ["http://h/1", "http://h/2"], "directory": "a", "filename": "b.iso",
                 "checksum": "sha-1=" + "b" * 40},
                {"urls": ["https://h/3"]},
            ],
        )  # fmt: skip
        self.assertEqual([file["size"] for file in files], [5, None])

    def test_no_metalinks(self) -> None:
        """Anything else is refused with a sentence; entities are not expanded."""
        for text, why in {
            "<html/>": "no Metalink", "<metalink": "no Metalink", "<metalink/>": "no Metalink",
            '<metalink xmlns="urn:ietf:params:xml:ns:metalink"/>': "no file",
            '<!DOCTYPE m [<!ENTITY a "b">]><m/>': "entities",
        }.items():  # fmt: skip
            with self.assertRaises(AssertionError) as raised:
                self.call("metalink", "readMetalink", text)
            self.assertIn(why, str(raised.exception))
        self.browser.get_log("browser")  # Chromium styles its own report of broken XML, in vain

    def test_rectangles(self) -> None:
        """The map: what is there, what comes and from whom, each at its place."""
        segments = [
            {"start": 0, "end": 25, "received": 25, "state": "done", "url": None},
            {"start": 25, "end": 75, "received": 10, "state": "active", "url": "http://h:1/f"},
            {"start": 75, "end": 100, "received": 0, "state": "missing", "url": None},
        ]
        drawn = self.module(
            """const { rectangles, sourcesOf } = await import("/ui/segments.js");
            return rectangles(args[0], 100, sourcesOf(args[0]))
              .map(({ kind, x, width, source }) => [kind, x, width, source]);""",
            segments,
        )
        wanted = [["done", 0, 250, None], ["active", 250, 500, 0], ["fetched", 250, 100, 0]]
        self.assertEqual(drawn, wanted)

    def test_graph(self) -> None:
        """The line breaks where nothing was known; its top is a round number above the peak."""
        samples = [{"time": at, "value": 10} for at in (295, 296, 310)]
        drawn = self.call("graph", "path", samples, 310, 20, False)
        self.assertEqual((drawn.count("M"), drawn.count("L")), (2, 1))
        for peak, top in {0: 768, 700: 768, 800: 1024, 5 << 20: 6 << 20, 7 << 20: 8 << 20}.items():
            self.assertEqual(self.call("graph", "ceiling", peak), top, peak)
