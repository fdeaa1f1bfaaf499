"""Compressed siblings, digests and metalinks."""

from __future__ import annotations

import gzip
import hashlib
import os
from base64 import b64encode
from typing import Any
from xml.etree import ElementTree as ET

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from rangedaemon.server.files import DIGEST_PATIENCE, METALINK_PATIENCE
from rangedaemon.server.hot import KEPT_SECONDS
from rangedaemon.server.mounts import Mount
from rangedaemon.server.site import build_site
from tests.server.wire import WireTestCase, parse_replies

TEXT = b"all work and no play " * 500
ZIPPED = gzip.compress(TEXT, mtime=0)
NAMESPACE = "{urn:ietf:params:xml:ns:metalink}"


def sha256_field(content: bytes) -> str:
    """The Repr-Digest of *content*."""
    return f"sha-256=:{b64encode(hashlib.sha256(content).digest()).decode()}:"


class SiblingTests(WireTestCase):
    """A compressed sibling is sent to whoever likes its coding better."""

    def setUp(self) -> None:
        super().setUp()
        self.put("t.txt", TEXT)
        self.put("t.txt.gz", ZIPPED)
        self.put("t.txt.br", b"brotli")
        self.put("alone.txt", TEXT)

    def test_chosen(self) -> None:
        """By Accept-Encoding; the type is the file's own."""
        for accept, coding, body in [
            ("gzip", "gzip", ZIPPED),
            ("gzip, br", "br", b"brotli"),
            ("gzip, br;q=0.1", "gzip", ZIPPED),
            ("identity", None, TEXT),
            ("zstd", None, TEXT),
            ("gzip;q=0", None, TEXT),
        ]:
            with self.subTest(accept=accept):
                reply = self.ask("/files/t.txt", accept_encoding=accept)
                self.assertEqual(reply.fields["Content-Encoding"], coding)
                self.assertEqual(reply.body, body)
                self.assertEqual(reply.fields["Content-Type"], "text/plain; charset=utf-8")
                self.assertEqual(reply.fields["Vary"], "Accept-Encoding")
                self.assertIn('"t.txt"', reply.fields["Content-Disposition"])
        self.assertEqual(self.ask("/files/t.txt").body, TEXT)

    def test_own_tag_and_ranges(self) -> None:
        """Each has its tag; ranges count the coded octets (RFC 9110, 14.1.2)."""
        plain = self.ask("/files/t.txt").fields["ETag"]
        coded = self.ask("/files/t.txt", accept_encoding="gzip").fields["ETag"]
        self.assertNotEqual(plain, coded)
        part = {"range": "bytes=-8", "accept_encoding": "gzip"}
        reply = self.ask("/files/t.txt", if_range=coded, **part)
        self.assertEqual((reply.status, reply.body), (206, ZIPPED[-8:]))
        reply = self.ask("/files/t.txt", if_range=plain, **part)
        self.assertEqual((reply.status, reply.body), (200, ZIPPED))
        reply = self.ask("/files/t.txt", if_none_match=coded, accept_encoding="gzip")
        self.assertEqual((reply.status, reply.fields["Vary"]), (304, "Accept-Encoding"))

    def test_without_siblings(self) -> None:
        """Nothing varies where there is nothing to choose."""
        reply = self.ask("/files/alone.txt", accept_encoding="gzip, br, zstd")
        self.assertEqual((reply.body, reply.fields["Vary"]), (TEXT, None))
        self.assertNotIn("Content-Encoding", reply.fields)

    def test_sibling_itself(self) -> None:
        """Asked for by its own name it is a file as any other."""
        reply = self.ask("/files/t.txt.gz", accept_encoding="gzip")
        self.assertEqual((reply.body, reply.fields["Content-Encoding"]), (ZIPPED, None))
        self.assertEqual(reply.fields["Content-Type"], "application/gzip")

    def test_stale_sibling(self) -> None:
        """One that is older than the file has the content of another version."""
        old = (self.root / "t.txt").stat().st_mtime - 1
        os.utime(self.root / "t.txt.gz", (old, old))
        self.assertEqual(self.ask("/files/t.txt", accept_encoding="gzip").body, TEXT)

    def test_sibling_that_is_not_served(self) -> None:
        """A link or a FIFO in its place is passed over."""
        (self.root / "t.txt.br").unlink()
        (self.root / "t.txt.br").symlink_to("t.txt.gz")
        os.mkfifo(self.root / "t.txt.zst")
        reply = self.ask("/files/t.txt", accept_encoding="zstd, br")
        self.assertEqual((reply.body, reply.fields["Content-Encoding"]), (TEXT, None))

    def test_off(self) -> None:
        """Where the mount says no, the file is sent."""
        self.serve(precompressed=False)
        reply = self.ask("/files/t.txt", accept_encoding="gzip")
        self.assertEqual((reply.body, reply.fields["Vary"]), (TEXT, None))


class DigestTests(WireTestCase):
    """Repr-Digest on Want-Repr-Digest (RFC 9530)."""

    def test_wanted(self) -> None:
        """Of the whole file, the same on 200, 206 and HEAD; absent where it is not wanted."""
        self.put("f", TEXT)
        for method, fields in [("GET", {}), ("GET", {"range": "bytes=0-9"}), ("HEAD", {})]:
            reply = self.ask("/files/f", method, want_repr_digest="sha-256=1", **fields)
            self.assertEqual(reply.fields["Repr-Digest"], sha256_field(TEXT))
        self.assertNotIn("Repr-Digest", self.ask("/files/f").fields)
        self.assertNotIn("Repr-Digest", self.ask("/files/f", want_repr_digest="md5=1").fields)
        reply = self.ask("/files/f", want_repr_digest="sha-512=1")
        wanted = b64encode(hashlib.sha512(TEXT).digest()).decode()
        self.assertEqual(reply.fields["Repr-Digest"], f"sha-512=:{wanted}:")

    def test_of_the_coded(self) -> None:
        """The digest is that of the representation sent, coding included."""
        self.put("f", TEXT)
        self.put("f.gz", ZIPPED)
        reply = self.ask("/files/f", want_repr_digest="sha-256=1", accept_encoding="gzip")
        self.assertEqual(reply.fields["Repr-Digest"], sha256_field(ZIPPED))

    def test_new_content_new_digest(self) -> None:
        """A file that was written anew has no digest of the old."""
        path = self.put("f", TEXT)
        self.ask("/files/f", want_repr_digest="sha-256=1")
        found = path.stat()
        path.write_bytes(TEXT[::-1])
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
        self.at(path, 3600)
        reply = self.ask("/files/f", want_repr_digest="sha-256=1")
        self.assertEqual(reply.fields["Repr-Digest"], sha256_field(TEXT[::-1]))

    def test_always_written(self) -> None:
        """A file whose stamp does not stand for its octets yet gets no digest."""
        self.put("f", TEXT, age=-3600)
        reply = self.ask("/files/f", want_repr_digest="sha-256=1")
        self.assertEqual((reply.body, reply.fields["Repr-Digest"]), (TEXT, None))
        self.assertEqual(self.ask("/files/f.meta4").status, 503)

    def test_empty(self) -> None:
        """Nothing has a digest too."""
        self.put("f", b"")
        reply = self.ask("/files/f", want_repr_digest="sha-256=1")
        self.assertEqual(reply.fields["Repr-Digest"], sha256_field(b""))


class SlowHashingTests(WireTestCase):
    """Hashing that takes its time."""

    def setUp(self) -> None:
        """Only hashing waits for its thread."""
        super().setUp()
        self.jobs: list[tuple[Deferred[Any], Any, tuple[object, ...]]] = []
        self.site = build_site(
            [Mount("/files", self.root)],
            clock=self.clock,
            in_thread=self.in_thread,
            now=self.clock.seconds,
        )
        self.put("f", TEXT)
        self.descriptors = len(os.listdir("/proc/self/fd"))

    def in_thread(self, function: Any, /, *args: object) -> Deferred[Any]:
        if function.__name__ != "_checked":
            return maybeDeferred(function, *args)
        done: Deferred[Any] = Deferred()
        self.jobs.append((done, function, args))
        return done

    def finish_hashing(self) -> None:
        """Let the threads do their work."""
        while self.jobs:
            done, function, args = self.jobs.pop(0)
            maybeDeferred(function, *args).chainDeferred(done)

    def begin(self, path: str, field: str = "X: y") -> Any:
        protocol, transport = self.connect()
        protocol.dataReceived(f"GET {path} HTTP/1.1\r\nHost: h\r\n{field}\r\n\r\n".encode())
        return transport

    def test_digest_comes_in_time(self) -> None:
        """The answer waits for it, and two who want it wait for the same work."""
        transports = [self.begin("/files/f", "Want-Repr-Digest: sha-256=1") for _ in range(2)]
        self.assertEqual(len(self.jobs), 1)
        self.clock.advance(DIGEST_PATIENCE / 2)
        self.finish_hashing()
        for transport in transports:
            (reply,) = parse_replies(transport.value(), ["GET"])
            self.assertEqual(reply.fields["Repr-Digest"], sha256_field(TEXT))
        self.clock.advance(KEPT_SECONDS)
        self.assertEqual(len(os.listdir("/proc/self/fd")), self.descriptors)

    def test_digest_comes_late(self) -> None:
        """The answer goes without it; the next one has it at once."""
        transport = self.begin("/files/f", "Want-Repr-Digest: sha-256=1")
        self.clock.advance(DIGEST_PATIENCE)
        (reply,) = parse_replies(transport.value(), ["GET"])
        self.assertEqual((reply.body, reply.fields["Repr-Digest"]), (TEXT, None))
        self.finish_hashing()
        transport = self.begin("/files/f", "Want-Repr-Digest: sha-256=1")
        (reply,) = parse_replies(transport.value(), ["GET"])
        self.assertEqual(reply.fields["Repr-Digest"], sha256_field(TEXT))
        self.clock.advance(KEPT_SECONDS)
        self.assertEqual(len(os.listdir("/proc/self/fd")), self.descriptors)

    def test_file_changes_while_hashed(self) -> None:
        """No digest, and nothing is remembered."""
        transport = self.begin("/files/f", "Want-Repr-Digest: sha-256=1")
        (self.root / "f").write_bytes(TEXT[::-1])
        self.finish_hashing()
        self.clock.pump([0.0] * 5)
        self.assertNotIn(b"Repr-Digest", transport.value().partition(b"\r\n\r\n")[0])

    def test_peers_leave(self) -> None:
        """Whoever leaves while hashing goes on is not answered, and leaves nothing open."""
        for path in ["/files/f", "/files/f.meta4"]:
            protocol, transport = self.connect()
            head = f"GET {path} HTTP/1.1\r\nHost: h\r\nWant-Repr-Digest: sha-256=1\r\n\r\n"
            protocol.dataReceived(head.encode())
            protocol.connectionLost(Failure(ConnectionLost()))
            self.finish_hashing()
            self.assertEqual(transport.value(), b"")
        self.clock.advance(KEPT_SECONDS)
        self.assertEqual(len(os.listdir("/proc/self/fd")), self.descriptors)

    def test_metalink_comes_late(self) -> None:
        """503 with the time to come back; then it is there."""
        transport = self.begin("/files/f.meta4")
        self.clock.advance(METALINK_PATIENCE)
        (reply,) = parse_replies(transport.value(), ["GET"])
        self.assertEqual((reply.status, reply.fields["Retry-After"]), (503, "20"))
        self.finish_hashing()
        (reply,) = parse_replies(self.begin("/files/f.meta4").value(), ["GET"])
        self.assertEqual(reply.status, 200)
        self.clock.advance(KEPT_SECONDS)
        self.assertEqual(len(os.listdir("/proc/self/fd")), self.descriptors)


class MetalinkTests(WireTestCase):
    """``NAME.meta4`` and what points to it."""

    def test_document(self) -> None:
        """Size, hashes and the address of the file, as XML that says the truth."""
        content = os.urandom(600_000)
        self.put("d/a b.bin", content)
        reply = self.ask("/files/d/a%20b.bin.meta4")
        self.assertEqual(reply.status, 200)
        self.assertEqual(reply.fields["Content-Type"], "application/metalink4+xml")
        (file,) = ET.fromstring(reply.body)
        self.assertEqual(file.get("name"), "a b.bin")
        self.assertEqual(file.findtext(f"{NAMESPACE}size"), "600000")
        self.assertEqual(file.findtext(f"{NAMESPACE}hash"), hashlib.sha256(content).hexdigest())
        pieces = file.find(f"{NAMESPACE}pieces")
        assert pieces is not None
        step = int(pieces.get("length", "0"))
        self.assertEqual(
            [piece.text for piece in pieces],
            [hashlib.sha256(content[n : n + step]).hexdigest() for n in range(0, 600_000, step)],
        )
        self.assertEqual(file.findtext(f"{NAMESPACE}url"), "http://h/files/d/a%20b.bin")

    def test_announced(self) -> None:
        """By a Link that leads there (RFC 6249), on GET and HEAD, not on a coded sibling."""
        self.put("a b:c", TEXT)
        self.put("a b:c.gz", ZIPPED)
        link = '<./a%20b%3Ac.meta4>; rel=describedby; type="application/metalink4+xml"'
        for method in ["GET", "HEAD"]:
            self.assertEqual(self.ask("/files/a%20b%3Ac", method).fields["Link"], link)
        self.assertEqual(self.ask("/files/a%20b%3Ac.meta4").status, 200)
        self.assertNotIn("Link", self.ask("/files/a%20b%3Ac", accept_encoding="gzip").fields)

    def test_conditions(self) -> None:
        """It has a tag, parts and a HEAD as every representation."""
        self.put("f", TEXT)
        whole = self.ask("/files/f.meta4")
        tag = whole.fields["ETag"]
        self.assertEqual(self.ask("/files/f.meta4", if_none_match=tag).status, 304)
        part = self.ask("/files/f.meta4", range="bytes=0-4")
        self.assertEqual((part.status, part.body), (206, whole.body[:5]))
        head = self.ask("/files/f.meta4", "HEAD")
        self.assertEqual(head.all_fields(), whole.all_fields())

    def test_real_file_goes_first(self) -> None:
        """A file of that name is served as it is."""
        self.put("f", TEXT)
        self.put("f.meta4", b"<own/>")
        self.assertEqual(self.ask("/files/f.meta4").body, b"<own/>")

    def test_of_nothing(self) -> None:
        """No file, a directory, a hidden file, no safe Host: 404."""
        self.put("dir/f", TEXT)
        self.put(".hidden", TEXT)
        for name in ["none", "dir", ".hidden", "", "..", "dir/"]:
            with self.subTest(name=name):
                self.assertEqual(self.ask(f"/files/{name}.meta4").status, 404)
        octets = b"GET /files/dir/f.meta4 HTTP/1.1\r\nHost: h/evil\r\n\r\n"
        self.assertEqual(self.exchange(octets, "GET")[0].status, 404)

    def test_of_a_name_without_xml(self) -> None:
        """A name that XML cannot say has no metalink; the file itself is served."""
        self.put("a\x01", TEXT)
        self.assertEqual(self.ask("/files/a%01").status, 200)
        self.assertEqual(self.ask("/files/a%01.meta4").status, 404)

    def test_off(self) -> None:
        """Where the mount says no there is neither document nor link."""
        self.serve(metalink=False)
        self.put("f", TEXT)
        self.assertEqual(self.ask("/files/f.meta4").status, 404)
        self.assertNotIn("Link", self.ask("/files/f").fields)
