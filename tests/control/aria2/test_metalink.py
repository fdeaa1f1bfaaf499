"""Tests for ``aria2.addMetalink``."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from tests.control.aria2.rpc_case import URL, RpcTestCase

SHA = "ab" * 32


def file(name: str, *urls: str, more: str = "") -> str:
    """A ``file`` element."""
    listed = "".join(f"<url>{url}</url>" for url in urls)
    return f'<file name="{name}">{more}{listed}</file>'


def document(*files: str) -> str:
    """A document, as the method takes it."""
    text = f'<metalink xmlns="urn:ietf:params:xml:ns:metalink">{"".join(files)}</metalink>'
    return b64encode(text.encode()).decode()


class MetalinkTests(RpcTestCase):
    """Files that a document describes."""

    def add(self, octets: str, *params: Any) -> list[str]:
        """The GIDs."""
        gids: list[str] = self.call("aria2.addMetalink", octets, *params)
        return gids

    def test_described(self) -> None:
        """A job for each file, with its name, its mirrors, its size and its hash."""
        proved = f'<size>7</size><hash type="sha-256">{SHA}</hash>'
        gids = self.add(document(file("a", URL, "http://m/a", more=proved), file("b", URL)))
        specs = [self.wire.jobs.jobs[gid].record.spec for gid in gids]
        self.assertEqual([spec.filename for spec in specs], ["a", "b"])
        self.assertEqual(specs[0].urls, (URL, "http://m/a"))
        self.assertEqual((specs[0].size, specs[0].checksum), (7, f"sha-256={SHA}"))
        self.assertEqual((specs[1].size, specs[1].checksum), (None, None))

    def test_options(self) -> None:
        """Options hold for every file; a name, a digest or a GID for all of them cannot."""
        options = {"dir": "sub", "pause": "true", "out": "x", "gid": "0" * 15 + "f"}
        gids = self.add(document(file("a", URL), file("b", URL)), options)
        specs = [self.wire.jobs.jobs[gid].record.spec for gid in gids]
        told = [(spec.directory, spec.filename, spec.paused) for spec in specs]
        self.assertEqual(told, [("/srv/downloads/sub", name, True) for name in "ab"])

    def test_position(self) -> None:
        """At a place in the queue they come in the order of the document."""
        first = self.added()
        gids = self.add(document(file("a", URL), file("b", URL)), {}, 0)
        waiting = self.call("aria2.tellWaiting", 0, 9, ["gid"])
        self.assertEqual([struct["gid"] for struct in waiting], [*gids, first])

    def test_refused(self) -> None:
        """What is no base64, no document, or has nothing to fetch; nothing is added."""
        for octets in (
            "?", "\u00e9", b64encode(b"<metalink>").decode(), document(file("a", "ftp://h/a")),
            document(),
        ):  # fmt: skip
            with self.subTest(octets=octets):
                self.assertTrue(self.refused("aria2.addMetalink", octets))
        self.assertEqual(self.wire.jobs.jobs, {})

    def test_unsafe(self) -> None:
        """A name that leads elsewhere is made safe; an address that is none is passed over."""
        [gid] = self.add(document(file("../../etc/x", "ftp://h/a", "http://h/a b", URL)))
        record = self.wire.jobs.jobs[gid].record
        self.assertEqual(record.spec.directory, "/srv/downloads")
        self.assertNotIn("/", record.spec.filename or "/")
        self.assertEqual(record.spec.urls[-1], URL)
