"""What is served where, and what never is."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import Request

from rangedaemon.server import answering
from rangedaemon.server.mounts import Mount, Target, encode_segments, parse_target
from rangedaemon.server.resource import MountsResource
from tests.server.wire import WireTestCase


class TargetTests(SynchronousTestCase):
    """Tests for `parse_target`."""

    def test_paths(self) -> None:
        """Decoded once, after splitting; the query and the authority are not the path's."""
        for uri, wanted in {
            b"/": Target((), True),
            b"/a/b": Target(("a", "b"), False),
            b"/a/b/?x=/../": Target(("a", "b"), True),
            b"/a%2fb%20c": Target(("a/b c",), False),
            b"/%252e": Target(("%2e",), False),
            b"/a//b": Target(("a", "", "b"), False),
            b"http://h:1/a": Target(("a",), False),
            b"HTTPS://h": Target((), True),
            b"/%ff": Target((os.fsdecode(b"\xff"),), False),
        }.items():
            with self.subTest(uri=uri):
                self.assertEqual(parse_target(uri), wanted)

    def test_no_paths(self) -> None:
        """Half an escape, a NUL, something that is no path."""
        for uri in [b"", b"a", b"*", b"/%", b"/%4", b"/%zz", b"/a\0", b"/%00", b"ftp://h/a"]:
            with self.subTest(uri=uri):
                self.assertIsNone(parse_target(uri))

    def test_encoded(self) -> None:
        """What is encoded is decoded to the same."""
        segments = ("a b", "%2e", "?", "#", "\u20ac", os.fsdecode(b"\xff"), "a:b")
        target = parse_target(encode_segments(segments).encode())
        self.assertEqual(target, Target(segments, False))


class OutsideTests(WireTestCase):
    """Nothing but regular files below the root is served."""

    def setUp(self) -> None:
        super().setUp()
        self.put("f", b"inside")
        self.put("dir/g", b"inside too")
        self.put(".hidden", b"hidden")
        secret = self.root.parent / "secret"
        secret.write_bytes(b"secret")
        (self.root / "link").symlink_to(secret)
        (self.root / "inner").symlink_to("f")
        (self.root / "dirlink").symlink_to(self.root.parent)
        os.mkfifo(self.root / "fifo")

    def test_outside(self) -> None:
        """Dots, encoded slashes, backslashes, links, devices: 404, and not a byte of it."""
        for path in [
            "/files/../secret",
            "/files/%2e%2e/secret",
            "/files/..%2fsecret",
            "/files/dir/../../secret",
            "/files/%2e%2e%2fsecret",
            "/files/..%5csecret",
            "/files/..\\secret",
            "/files//f",
            "/files/./f",
            "/files/dir%2fg",
            "/files/f/",
            "/files/f/x",
            "/files/link",
            "/files/inner",
            "/files/dirlink/secret",
            "/files/fifo",
            "/files/.hidden",
            "/files/dir",
            "/files/dir/",
            "/files/",
            "/files",
            "/",
            "/secret",
            "/filesf",
            "/files/" + "x" * 300,
            "/files" + "/d" * 500,
            "//files/f",
            "/files/..%252fsecret",
        ]:
            for method in ["GET", "HEAD"]:
                with self.subTest(path=path, method=method):
                    reply = self.ask(path, method)
                    self.assertEqual(reply.status, 404)
                    self.assertNotIn(b"secret", reply.body)
                    self.assertLess(len(reply.body), 100)

    def test_malformed(self) -> None:
        """What is no path is 400."""
        for path in ["/files/%00f", "/files/f%00.txt", "/files/%", "/files/%zz", "files"]:
            with self.subTest(path=path):
                self.assertEqual(self.ask(path).status, 400)

    def test_absolute_form(self) -> None:
        """The form that proxies send is understood (RFC 9112, 3.2.2)."""
        self.assertEqual(self.ask("http://h/files/f").body, b"inside")

    def test_options_of_the_mount(self) -> None:
        """Hidden files and links are served where the mount says so, but nothing outside."""
        self.serve(hidden_files=True, follow_symlinks=True)
        self.assertEqual(self.ask("/files/.hidden").body, b"hidden")
        self.assertEqual(self.ask("/files/inner").body, b"inside")
        self.assertEqual(self.ask("/files/link").status, 404)
        self.assertEqual(self.ask("/files/dirlink/secret").status, 404)

    def test_host(self) -> None:
        """A request of HTTP/1.1 has one Host (RFC 9112, 3.2)."""
        for hosts in ["", "Host: a\r\nHost: b\r\n"]:
            octets = f"GET /files/f HTTP/1.1\r\n{hosts}\r\n".encode()
            self.assertEqual(self.exchange(octets, "GET")[0].status, 400)

    def test_methods(self) -> None:
        """Others are 405 with what is allowed, and their bodies are dropped."""
        for method in ["POST", "PUT", "DELETE", "PATCH", "BREW"]:
            with self.subTest(method=method):
                head = f"{method} /files/f HTTP/1.1\r\nHost: h\r\nRange: bytes=0-0\r\n"
                octets = f"{head}Content-Length: 200000\r\n\r\n".encode() + b"x" * 200000
                reply = self.exchange(octets, method)[0]
                self.assertEqual(reply.status, 405)
                self.assertEqual(reply.fields["Allow"], "GET, HEAD, OPTIONS")
        self.assertEqual(self.ask("/files/f", "OPTIONS").fields["Allow"], "GET, HEAD, OPTIONS")
        self.assertEqual(self.ask("*", "OPTIONS").status, 204)

    def test_common_fields(self) -> None:
        """Every answer forbids to guess its type, and says who and when."""
        for path, method in [
            ("/files/f", "GET"),
            ("/files/x", "GET"),
            ("/files/f", "PUT"),
            ("/files/%", "GET"),
            ("/files/f", "OPTIONS"),
        ]:
            reply = self.ask(path, method)
            self.assertEqual(reply.fields.get_all("X-Content-Type-Options"), ["nosniff"])
            self.assertEqual(reply.fields["Server"], "rangedaemon")
            self.assertIn("GMT", reply.fields["Date"])


class MountOptionTests(WireTestCase):
    """What a mount says of its files."""

    def test_disposition(self) -> None:
        """The file's own name, inline or as an attachment."""
        self.put("\u20ac.txt", b"")
        path = "/files/%e2%82%ac.txt"
        wanted = "inline; filename=\"_.txt\"; filename*=UTF-8''%E2%82%AC.txt"
        self.assertEqual(self.ask(path).fields["Content-Disposition"], wanted)
        self.serve(disposition="attachment")
        self.assertTrue(self.ask(path).fields["Content-Disposition"].startswith("attachment;"))

    def test_name_without_utf8(self) -> None:
        """A name of other octets is served, and told as well as it can be."""
        name = os.fsdecode(b"caf\xe9.txt")
        self.put(name, b"x")
        reply = self.ask("/files/caf%e9.txt")
        self.assertEqual((reply.status, reply.body), (200, b"x"))
        self.assertTrue(reply.fields["Content-Disposition"].isascii())

    def test_cache_control(self) -> None:
        """On the 200, the 206 and the 304."""
        self.serve(cache_control="public, max-age=60")
        self.put("f", b"abc")
        whole = self.ask("/files/f")
        part = self.ask("/files/f", range="bytes=0-0")
        same = self.ask("/files/f", if_none_match=whole.fields["ETag"])
        for reply, status in [(whole, 200), (part, 206), (same, 304)]:
            self.assertEqual(reply.status, status)
            self.assertEqual(reply.fields["Cache-Control"], "public, max-age=60")

    def test_nested_mounts(self) -> None:
        """The longest prefix counts, and a prefix ends with a segment."""
        self.put("a/f", b"outer")
        self.put("b/f", b"inner")
        inner = Mount("/files/a/", self.root / "b")
        outer = Mount("/", self.root)
        for mounts in [[inner, outer], [outer, inner]]:
            self.site.resource = MountsResource(mounts, self.surroundings)
            self.assertEqual(self.ask("/files/a/f").body, b"inner")
            self.assertEqual(self.ask("/a/f").body, b"outer")
            self.assertEqual(self.ask("/files/ab").status, 404)

    def test_bad_mounts(self) -> None:
        """Two of one path, and a path that is none, are refused at once."""
        for prefixes in [["/a", "/a/"], ["a"]]:
            mounts = [Mount(prefix, self.root) for prefix in prefixes]
            self.assertRaises(ValueError, MountsResource, mounts, self.surroundings)

    def test_failure(self) -> None:
        """A disk that fails is 500 in words, without a word of where it is."""
        self.root.joinpath("f").write_bytes(b"x")
        self.patch(os, "fstat", self.broken)
        reply = self.ask("/files/f")
        self.assertEqual(reply.status, 500)
        self.assertNotIn(str(self.root).encode(), reply.body)

    def test_unexpected_failure(self) -> None:
        """A fault of ours before the first octet is 500, with none of the planned fields."""

        def breaks(*_: object, **__: object) -> None:
            raise OSError(5, "Input/output error", str(self.root))

        self.put("f", b"abc")
        self.patch(answering, "send_body", breaks)
        reply = self.ask("/files/f")
        self.assertEqual((reply.status, reply.body), (500, b"The server failed.\n"))
        self.assertEqual(reply.fields.get_all("Content-Length"), ["19"])
        self.assertNotIn("ETag", reply.fields)
        self.assertEqual(reply.fields["X-Content-Type-Options"], "nosniff")
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_unexpected_failure_midway(self) -> None:
        """After the first octet there is nothing left to say: the connection ends."""

        def breaks(request: Request, *_: object, **__: object) -> None:
            request.write(b"a")
            raise OSError(5, "Input/output error")

        self.put("f", b"abc")
        self.patch(answering, "send_body", breaks)
        protocol, transport = self.connect()
        protocol.dataReceived(b"GET /files/f HTTP/1.1\r\nHost: h\r\n\r\n")
        self.assertTrue(transport.value().endswith(b"\r\n\r\na"))
        self.assertTrue(transport.disconnecting)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def broken(self, *_: object) -> None:
        raise OSError(5, "Input/output error", str(self.root))
