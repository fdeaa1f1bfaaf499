"""tus 1.0.0 as its clients see it."""

from __future__ import annotations

from typing import Any

from rangedaemon.server.uploads.arriving import MOST_PAUSES, PAUSE
from tests.server.uploads.case import CONTENT, Peer, UploadsServedCase, b64
from tests.server.wire import Reply

OCTETS = "application/offset+octet-stream"


class TusCase(UploadsServedCase):
    """Speaks tus."""

    def tus(self, method: str, path: str, body: bytes = b"", **fields: str | int) -> Reply:
        """A request of the protocol."""
        return self.request(method, path, body, **{"tus_resumable": "1.0.0"} | fields)

    def create(self, length: int | None = 100, name: str = "f.bin", **fields: Any) -> str:
        """A new upload's address."""
        if length is not None:
            fields = {"upload_length": length} | fields
        told = {"upload_metadata": f"filename {b64(name)}"} | fields
        reply = self.assert_status(self.tus("POST", "/files", **told), 201)
        self.assertEqual(reply.fields["Tus-Resumable"], "1.0.0")
        return self.path_of(reply)

    def path_of(self, reply: Reply) -> str:
        """The path of the address that was told."""
        location = reply.fields["Location"]
        self.assertTrue(location.startswith("http://h/files/.uploads/tus/"), location)
        return str(location.removeprefix("http://h"))

    def patch(self, path: str, offset: int, body: bytes, **fields: str | int) -> Reply:
        """Octets for an upload."""
        fields = {"upload_offset": offset, "content_type": OCTETS} | fields
        return self.tus("PATCH", path, body, **fields)

    def offset(self, path: str) -> int:
        """Where an upload stands."""
        reply = self.assert_status(self.tus("HEAD", path), 200)
        return int(reply.fields["Upload-Offset"])


class CoreTests(TusCase):
    """Creation, PATCH and HEAD."""

    def test_in_two(self) -> None:
        """70 octets, a look, 30 octets; then it is a file, and not before."""
        path = self.create()
        self.assertEqual(self.patch(path, 0, CONTENT[:70]).fields["Upload-Offset"], "70")
        reply = self.tus("HEAD", path)
        told = [reply.fields[name] for name in ("Upload-Offset", "Upload-Length", "Cache-Control")]
        self.assertEqual(told, ["70", "100", "no-store"])
        self.assertEqual(reply.fields["Upload-Metadata"], f"filename {b64('f.bin')}")
        self.assertIsNone(self.file("f.bin"))
        reply = self.assert_status(self.patch(path, 70, CONTENT[70:]), 204)
        self.assertEqual(reply.fields["Upload-Offset"], "100")
        self.assertEqual(self.file("f.bin"), CONTENT)
        self.assertEqual(self.request("GET", "/files/f.bin").body, CONTENT)
        self.assertEqual(self.offset(path), 100, "also when it is finished")
        self.assertEqual([upload.name for upload in self.published], ["f.bin"])

    def test_cut(self) -> None:
        """What came before the connection broke is kept."""
        path = self.create()
        peer = Peer(self)
        peer.head(
            "PATCH", path, tus_resumable="1.0.0", upload_offset=0,
            content_type=OCTETS, content_length=100,
        )  # fmt: skip
        peer.send(CONTENT[:20])
        peer.send(CONTENT[20:41])
        peer.lose()
        self.assertEqual(self.offset(path), 41)
        self.assert_status(self.patch(path, 41, CONTENT[41:]), 204)
        self.assertEqual(self.file("f.bin"), CONTENT)

    def test_head_takes_over(self) -> None:
        """A HEAD ends a request that still writes, so that what it tells stays true."""
        path = self.create()
        peer, other = Peer(self), Peer(self)
        peer.head(
            "PATCH", path, tus_resumable="1.0.0", upload_offset=0,
            content_type=OCTETS, content_length=100,
        )  # fmt: skip
        peer.send(CONTENT[:20])
        other.head("HEAD", path, tus_resumable="1.0.0")
        self.assertEqual(other.heard(), b"", "what is on its way is given a moment")
        peer.send(CONTENT[20:30])
        self.clock.advance(0.05)
        self.assertEqual(other.heard(), b"")
        self.clock.advance(0.05)
        self.assertEqual(other.reply("HEAD").fields["Upload-Offset"], "30")
        peer.send(CONTENT[30:])
        self.assert_status(peer.reply("PATCH"), 409)
        self.assert_status(self.patch(path, 30, CONTENT[30:]), 204)
        self.assertEqual(self.file("f.bin"), CONTENT)

    def test_head_does_not_wait_for_ever(self) -> None:
        """One who goes on sending is ended after a while all the same."""
        path = self.create(10_000)
        peer, other = Peer(self), Peer(self)
        peer.head(
            "PATCH", path, tus_resumable="1.0.0", upload_offset=0,
            content_type=OCTETS, content_length=10_000,
        )  # fmt: skip
        other.head("HEAD", path, tus_resumable="1.0.0")
        for _ in range(MOST_PAUSES):
            self.assertEqual(other.heard(), b"")
            peer.send(CONTENT)
            self.clock.advance(PAUSE)
        offset = other.reply("HEAD").fields["Upload-Offset"]
        self.assertEqual(offset, str(MOST_PAUSES * len(CONTENT)))

    def test_empty(self) -> None:
        """A file of no octets is there when it is created."""
        path = self.create(0)
        self.assertEqual(self.file("f.bin"), b"")
        self.assertEqual(self.offset(path), 0)

    def test_wrong_offset(self) -> None:
        """409 with the right one, and nothing is changed."""
        path = self.create()
        self.patch(path, 0, CONTENT[:70])
        for offset in (0, 60, 71, 100, 10**18):
            reply = self.assert_status(self.patch(path, offset, b"x" * 5), 409)
            self.assertEqual(reply.fields["Upload-Offset"], "70")
        self.assert_status(self.patch(path, 70, CONTENT[70:]), 204)
        self.assertEqual(self.file("f.bin"), CONTENT)

    def test_too_much(self) -> None:
        """More octets than the length: 413, and the upload can go on."""
        path = self.create()
        self.assert_status(self.patch(path, 0, CONTENT + b"x"), 413)
        self.assertEqual(self.offset(path), 0)
        chunks = b"65\r\n" + CONTENT + b"x\r\n0\r\n\r\n"
        self.assert_status(self._chunked(path, chunks), 413)
        self.assertLessEqual(self.offset(path), 100)

    def _chunked(self, path: str, chunks: bytes) -> Reply:
        peer = Peer(self)
        peer.head(
            "PATCH", path, tus_resumable="1.0.0", upload_offset=0, content_type=OCTETS,
            transfer_encoding="chunked",
        )  # fmt: skip
        peer.send(chunks)
        return peer.reply("PATCH")

    def test_chunked(self) -> None:
        """A body of unknown length."""
        path = self.create()
        reply = self._chunked(path, b"46\r\n" + CONTENT[:70] + b"\r\n0\r\n\r\n")
        self.assertEqual(self.assert_status(reply, 204).fields["Upload-Offset"], "70")

    def test_after_the_end(self) -> None:
        """A PATCH of nothing at the end is fine, one with octets is not."""
        path = self.create()
        self.patch(path, 0, CONTENT)
        self.assert_status(self.patch(path, 100, b""), 204)
        self.assert_status(self.patch(path, 99, b""), 409)
        self.assert_status(self.patch(path, 100, b"x"), 403)
        self.assertEqual(self.file("f.bin"), CONTENT)

    def test_unknown(self) -> None:
        """Ids that are none, and paths that are no uploads'."""
        unknown = "/files/.uploads/tus/" + "0" * 32
        for path in [
            unknown,
            "/files/.uploads/tus/x",
            "/files/.uploads/tus/",
            "/files/.uploads/tus",
            unknown + "/x",
            "/files/.uploads/tus/..%2f..%2fetc",
        ]:
            with self.subTest(path=path):
                reply = self.assert_status(self.tus("HEAD", path), 404)
                self.assertNotIn("Upload-Offset", reply.fields)
                self.assert_status(self.patch(path, 0, b"x"), 404)
                self.assert_status(self.tus("DELETE", path), 404)
        self.assert_status(self.tus("GET", self.create()), 405)

    def test_versions(self) -> None:
        """Another version is told ours; HEAD needs none."""
        reply = self.assert_status(self.tus("POST", "/files", tus_resumable="0.2.2"), 412)
        self.assertEqual(reply.fields["Tus-Version"], "1.0.0")
        path = self.create()
        self.assert_status(self.request("HEAD", path), 200)
        self.assert_status(self.request("DELETE", path), 412)

    def test_addresses(self) -> None:
        """Whole addresses, as the client or its proxy calls us; else paths."""
        for fields, begin in [
            ({}, "http://h/"),
            ({"x_forwarded_proto": "https"}, "https://h/"),
            (
                {"x_forwarded_host": "[::1]:8443", "x_forwarded_proto": "https"},
                "https://[::1]:8443/",
            ),
            ({"x_forwarded_host": "a b"}, "/"),
            ({"x_forwarded_host": "evil/path"}, "/"),
            ({"x_forwarded_proto": "ftp"}, "http://h/"),
        ]:
            with self.subTest(fields=fields):
                reply = self.tus("POST", "/files", upload_length=1, **fields)
                self.assertTrue(reply.fields["Location"].startswith(f"{begin}files/.uploads/tus/"))

    def test_names(self) -> None:
        """Names are advice: no directory, no hidden file, and a number where one is taken."""
        for given, made in [
            ("../../etc/passwd", "passwd"), ("/abs/a.txt", "a.txt"), ("a\\b.txt", "b.txt"),
            ("a.txt", "a (1).txt"), ("", "download"), ("x\x00y\r\nz", "xyz"),
        ]:  # fmt: skip
            with self.subTest(given=given):
                self.patch(self.create(name=given), 0, CONTENT)
                self.assertEqual(self.file(made), CONTENT)
        self.assertEqual(len(list(self.root.iterdir())), 6)
        told = {"upload_length": 1, "upload_metadata": f"filename {b64('.ssh')}"}
        self.assert_status(self.tus("POST", "/files", **told), 400)

    def test_bad_metadata(self) -> None:
        """No Base64, or no metadata at all: 400."""
        for text in ["filename !", "filename YQ", "a YQ==,a YQ==", "\xe4 YQ=="]:
            reply = self.tus("POST", "/files", upload_length=1, upload_metadata=text)
            self.assert_status(reply, 400)

    def test_directories(self) -> None:
        """Files go where they are posted to, if that is there and inside."""
        (self.root / "sub dir").mkdir()
        (self.root / "link").symlink_to("/tmp")
        reply = self.tus("POST", "/files/sub%20dir/", upload_length=0)
        self.assert_status(reply, 201)
        self.assertEqual(self.file("sub dir/download"), b"")
        for path in ["/files/missing", "/files/..", "/files/%2e%2e/", "/files/link",
                     "/files/a%2fb", "/files/.hidden"]:  # fmt: skip
            with self.subTest(path=path):
                reply = self.tus("POST", path, upload_length=1)
                self.assertIn(reply.status, {400, 403, 404}, reply.body)

    def test_types(self) -> None:
        """The media type of a PATCH."""
        path = self.create()
        reply = self.tus("PATCH", path, b"x", upload_offset=0, content_type="text/plain")
        self.assert_status(reply, 415)
        self.assert_status(self.tus("PATCH", path, b"x", content_type=OCTETS), 400)
