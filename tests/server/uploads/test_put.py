"""PUT, whole and in parts, as its clients see it."""

from __future__ import annotations

from pathlib import Path

from rangedaemon.core.jobs import OnConflict
from rangedaemon.core.uploads import UploadProtocol
from tests.server.uploads.case import CONTENT, Peer, UploadsServedCase, head
from tests.server.wire import Reply


class PutTests(UploadsServedCase):
    """Files that are put."""

    def put_part(self, first: int, last: int, length: int = 100) -> Reply:
        """A part of a file."""
        field = f"bytes {first}-{last}/{length}"
        return self.request("PUT", "/files/f", CONTENT[first : last + 1], content_range=field)

    def test_whole(self) -> None:
        """A file, an empty one, and one whose length only its end tells."""
        reply = self.assert_status(self.request("PUT", "/files/f", CONTENT), 201)
        self.assertEqual(reply.fields["Location"], "/files/f")
        self.assertEqual(self.file("f"), CONTENT)
        self.assert_status(self.request("PUT", "/files/empty", content_length=0), 201)
        self.assertEqual(self.file("empty"), b"")
        peer = Peer(self)
        peer.head("PUT", "/files/c", transfer_encoding="chunked")
        peer.send(b"64\r\n" + CONTENT + b"\r\n0\r\n\r\n")
        self.assert_status(peer.reply("PUT"), 201)
        self.assertEqual(self.file("c"), CONTENT)

    def test_conflicts(self) -> None:
        """The mount says what becomes of a name that is taken."""
        self.request("PUT", "/files/f", b"one")
        reply = self.request("PUT", "/files/f", b"two")
        self.assertEqual(reply.fields["Location"], "/files/f%20%281%29")
        self.take(on_conflict=OnConflict.OVERWRITE)
        self.request("PUT", "/files/f", b"three")
        self.assertEqual(self.file("f"), b"three")
        self.take(on_conflict=OnConflict.FAIL)
        self.assert_status(self.request("PUT", "/files/f", b"four"), 409)
        self.assertEqual((self.file("f"), self.file("f (1)")), (b"three", b"two"))

    def test_root_made(self) -> None:
        """A folder that nobody has made yet is made for the first file that lands there."""
        Path(self.root).rmdir()
        self.assert_status(self.request("PUT", "/files/f", CONTENT), 201)
        self.assertEqual(self.file("f"), CONTENT)

    def test_faults_of_the_disk(self) -> None:
        """In each protocol a peer hears that storing failed, and nothing of our paths."""
        Path(self.root).rmdir()
        Path(self.root).write_bytes(b"")
        begun = {"tus_resumable": "1.0.0", "upload_length": 100}
        for method, path, fields in (
            ("PUT", "/files/f", {}),
            ("POST", "/files", {"upload_complete": "?1"}),
            ("POST", "/files", begun | {"content_type": "application/offset+octet-stream"}),
        ):
            with self.subTest(fields):
                reply = self.request(method, path, CONTENT, **fields)
                self.assert_status(reply, 500)
                self.assertIn(b"Not writable at the server", reply.body)
                self.assertNotIn(str(self.root).encode(), reply.body)

    def test_parts(self) -> None:
        """One part behind the other; in between it can be asked what is there."""
        reply = self.assert_status(self.put_part(0, 69), 202)
        self.assertEqual(
            (reply.fields["Range"], reply.fields["Upload-Offset"]), ("bytes=0-69", "70")
        )
        reply = self.request("PUT", "/files/f", content_range="bytes */100", content_length=0)
        self.assertEqual(self.assert_status(reply, 202).fields["Range"], "bytes=0-69")
        self.assertIsNone(self.file("f"))
        self.assert_status(self.put_part(70, 99), 201)
        self.assertEqual(self.file("f"), CONTENT)
        reply = self.request("PUT", "/files/f", content_range="bytes */100", content_length=0)
        self.assert_status(reply, 200)

    def test_cut(self) -> None:
        """A PUT that is cut goes on with the octets that are missing."""
        peer = Peer(self)
        peer.send(head("PUT", "/files/f", content_length=100) + CONTENT[:41])
        peer.lose()
        reply = self.request("PUT", "/files/f", content_range="bytes */100", content_length=0)
        self.assertEqual(reply.fields["Upload-Offset"], "41")
        self.assert_status(self.put_part(41, 99), 201)
        self.assertEqual(self.file("f"), CONTENT)

    def test_begun_anew(self) -> None:
        """A PUT from the first octet on forgets what came before, so nothing is mixed."""
        self.put_part(0, 69)
        other = bytes(100)
        self.assert_status(
            self.request("PUT", "/files/f", other[:50], content_range="bytes 0-49/100"), 202
        )
        self.assert_status(
            self.request("PUT", "/files/f", other[50:], content_range="bytes 50-99/100"), 201
        )
        self.assertEqual(self.file("f"), other)
        self.assert_status(self.put_part(0, 69), 202)

    def test_wrong_parts(self) -> None:
        """A gap, an overlap, another length, nothing to go on with."""
        self.assert_status(self.put_part(70, 99), 404)
        self.put_part(0, 69)
        for first in (60, 71):
            reply = self.assert_status(self.put_part(first, 99), 409)
            self.assertEqual(reply.fields["Range"], "bytes=0-69")
        self.assert_status(self.put_part(70, 98, 99), 409)
        self.assert_status(self.put_part(70, 99), 201)
        self.assertEqual(self.file("f"), CONTENT)
        self.assertIn(self.put_part(70, 99).status, {404, 409})

    def test_cut_without_length(self) -> None:
        """Of a chunked PUT that is cut nothing is left, as nobody could go on with it."""
        peer = Peer(self)
        peer.head("PUT", "/files/c", transfer_encoding="chunked")
        peer.send(b"64\r\n" + CONTENT[:50])
        peer.lose()
        self.assertEqual(list((self.state / "uploads").iterdir()), [])

    def test_targets(self) -> None:
        """A name is needed, in a directory that is there."""
        for path in ["/files", "/files/", "/files/sub/", "/files/missing/f", "/files/../f",
                     "/files/%2e%2e/f", "/files/a%00b", "/files/.f",
                     "/files/.uploads/put/f"]:  # fmt: skip
            with self.subTest(path=path):
                self.assertEqual(self.request("PUT", path, b"x").status // 100, 4)
        (self.root / "sub").mkdir()
        self.assert_status(self.request("PUT", "/files/sub/f", CONTENT), 201)
        self.assertEqual(self.file("sub/f"), CONTENT)
        self.assertEqual([path.name for path in self.root.iterdir()], ["sub"])

    def test_conditions(self) -> None:
        """A file is replaced, or made, only where that is what the client expects."""
        self.take(on_conflict=OnConflict.OVERWRITE)
        self.put("f", b"one")
        tag = self.request("GET", "/files/f").fields["ETag"]
        for status, fields in [
            (412, {"if_none_match": "*"}),
            (412, {"if_match": '"other"'}),
            (412, {"if_none_match": tag}),
            (412, {"if_unmodified_since": "Thu, 01 Jan 1970 00:00:00 GMT"}),
            (201, {"if_match": tag}),
            (412, {"if_match": tag}),
        ]:
            with self.subTest(fields=fields):
                self.assert_status(self.request("PUT", "/files/f", b"two", **fields), status)
        self.assertEqual(self.file("f"), b"two")
        self.assert_status(self.request("PUT", "/files/new", b"x", if_match="*"), 412)
        self.assertIsNone(self.file("new"))
        self.assert_status(self.request("PUT", "/files/new", b"x", if_none_match="*"), 201)
        peer = Peer(self)
        peer.head("PUT", "/files/f", content_length=1 << 30, if_none_match="*")
        self.assert_status(peer.reply("PUT"), 412)

    def test_other_methods(self) -> None:
        """Files are read as ever; what is no upload is refused."""
        self.put("there", b"content")
        self.assertEqual(self.request("GET", "/files/there").body, b"content")
        self.assert_status(self.request("DELETE", "/files/there"), 400)
        self.assert_status(self.request("PATCH", "/files/there", b"x"), 400)
        self.assert_status(self.request("POST", "/files", b"x"), 400)
        self.assertIn("PUT", self.request("OPTIONS", "/files").fields["Allow"])

    def test_protocols(self) -> None:
        """What the mount does not speak is refused."""
        self.take(protocols=(UploadProtocol.TUS,))
        self.assert_status(self.request("PUT", "/files/f", b"x"), 403)
        self.assert_status(self.request("HEAD", "/files/.uploads/ietf/x"), 403)
        self.assertNotIn("Upload-Limit", self.request("OPTIONS", "/files").fields)
        self.take(protocols=(UploadProtocol.PUT,))
        self.assertNotIn("Tus-Version", self.request("OPTIONS", "/files").fields)

    def test_without_uploads(self) -> None:
        """A mount that takes none refuses all of it."""
        self.serve()
        for method in ["PUT", "POST", "PATCH", "DELETE"]:
            self.assert_status(self.request(method, "/files/f", CONTENT), 405)
        self.assert_status(self.request("HEAD", "/files/.uploads/tus/x"), 404)
        self.assertNotIn("Tus-Version", self.request("OPTIONS", "/files").fields)
