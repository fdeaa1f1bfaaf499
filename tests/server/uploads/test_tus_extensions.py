"""The extensions of tus 1.0.0 as clients see them."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha1, sha256

from rangedaemon.server.uploads.rules import Rules
from tests.server.uploads.case import CONTENT, b64
from tests.server.uploads.test_tus import OCTETS, TusCase


class ExtensionTests(TusCase):
    """What comes on top."""

    def test_options(self) -> None:
        """What we can; Tus-Resumable is not needed."""
        self.take(rules=Rules(max_size=1000))
        reply = self.assert_status(self.request("OPTIONS", "/files"), 204)
        self.assertEqual(reply.fields["Tus-Version"], "1.0.0")
        self.assertEqual(reply.fields["Tus-Max-Size"], "1000")
        self.assertIn("creation-with-upload", reply.fields["Tus-Extension"])
        self.assertIn("sha1", reply.fields["Tus-Checksum-Algorithm"])
        self.assertIn("PATCH", reply.fields["Allow"])
        self.assert_status(self.tus("POST", "/files", upload_length=1001), 413)
        self.assert_status(self.tus("POST", "/files", upload_length=1 << 64), 400)

    def test_creation_with_upload(self) -> None:
        """The first octets come along."""
        reply = self.tus(
            "POST", "/files", CONTENT[:70], upload_length=100, content_type=OCTETS,
            upload_metadata=f"filename {b64('f')}",
        )  # fmt: skip
        self.assertEqual(self.assert_status(reply, 201).fields["Upload-Offset"], "70")
        self.assert_status(self.patch(self.path_of(reply), 70, CONTENT[70:]), 204)
        self.assertEqual(self.file("f"), CONTENT)

    def test_deferred_length(self) -> None:
        """Told later, once."""
        path = self.create(None, upload_defer_length=1)
        self.assertEqual(self.tus("HEAD", path).fields["Upload-Defer-Length"], "1")
        self.patch(path, 0, CONTENT[:70])
        self.assert_status(self.patch(path, 70, b"", upload_length=60), 400)
        self.assert_status(self.patch(path, 70, CONTENT[70:90], upload_length=100), 204)
        self.assert_status(self.patch(path, 90, b"", upload_length=101), 400)
        self.assertEqual(self.tus("HEAD", path).fields["Upload-Length"], "100")
        self.assert_status(self.patch(path, 90, CONTENT[90:], upload_length=100), 204)
        self.assertEqual(self.file("f.bin"), CONTENT)

    def test_deferred_to_the_end(self) -> None:
        """The length may come with nothing else, when all is there."""
        path = self.create(None, upload_defer_length=1)
        self.patch(path, 0, CONTENT)
        self.assertIsNone(self.file("f.bin"))
        self.assert_status(self.patch(path, 100, b"", upload_length=100), 204)
        self.assertEqual(self.file("f.bin"), CONTENT)

    def test_checksum(self) -> None:
        """Octets that are not what they should be are dropped: 460; the right ones count."""
        path = self.create()
        wrong = f"sha1 {b64encode(sha1(b'other').digest()).decode()}"
        right = f"sha1 {b64encode(sha1(CONTENT[:70]).digest()).decode()}"
        self.assert_status(self.patch(path, 0, CONTENT[:70], upload_checksum=wrong), 460)
        self.assertEqual(self.offset(path), 0)
        self.assert_status(self.patch(path, 0, CONTENT[:70], upload_checksum=right), 204)
        right = f"sha256 {b64encode(sha256(CONTENT[70:]).digest()).decode()}"
        self.assert_status(self.patch(path, 70, CONTENT[70:], upload_checksum=right), 204)
        self.assertEqual(self.file("f.bin"), CONTENT)
        self.assert_status(self.patch(path, 0, b"x", upload_checksum="crc32 AAAA"), 400)

    def test_expiry(self) -> None:
        """The date is told; afterwards the upload is gone (410)."""
        self.take(rules=Rules(expire=3600.0))
        path = self.create()
        reply = self.patch(path, 0, CONTENT[:70])
        self.assertEqual(reply.fields["Upload-Expires"], "Tue, 14 Nov 2023 23:13:20 GMT")
        self.clock.advance(3601)
        self.assert_status(self.tus("HEAD", path), 410)
        self.assert_status(self.patch(path, 70, CONTENT[70:]), 410)

    def test_termination(self) -> None:
        """Gone at once; the finished file stays."""
        path = self.create()
        self.patch(path, 0, CONTENT[:70])
        self.assert_status(self.tus("DELETE", path), 204)
        self.assert_status(self.tus("HEAD", path), 410)
        path = self.create()
        self.patch(path, 0, CONTENT)
        self.assert_status(self.tus("POST", path, x_http_method_override="DELETE"), 204)
        self.assertEqual(self.file("f.bin"), CONTENT)

    def test_override(self) -> None:
        """PATCH as POST, for whoever cannot."""
        path = self.create()
        reply = self.tus(
            "POST", path, CONTENT, x_http_method_override="PATCH",
            upload_offset=0, content_type=OCTETS,
        )  # fmt: skip
        self.assert_status(reply, 204)
        self.assertEqual(self.file("f.bin"), CONTENT)


class ConcatenationTests(TusCase):
    """Uploads of which others are made."""

    def parts(self) -> list[str]:
        """Two parts that are whole."""
        paths = []
        for piece in (CONTENT[:60], CONTENT[60:]):
            path = self.create(len(piece), upload_concat="partial")
            self.patch(path, 0, piece)
            paths.append(path)
        return paths

    def test_joined(self) -> None:
        """Two parts, by path and by whole address, become one file; parts never do."""
        one, two = self.parts()
        self.assertEqual(list(self.root.iterdir()), [])
        self.assertEqual(self.tus("HEAD", one).fields["Upload-Concat"], "partial")
        concat = f"final;{one} http://h{two}"
        path = self.create(None, "whole", upload_concat=concat)
        self.assertEqual(self.file("whole"), CONTENT)
        reply = self.tus("HEAD", path)
        self.assertEqual(reply.fields["Upload-Concat"], concat)
        self.assertEqual(
            (reply.fields["Upload-Offset"], reply.fields["Upload-Length"]), ("100",) * 2
        )
        self.assert_status(self.patch(path, 100, b""), 403)
        self.assert_status(self.patch(path, 0, b"x"), 403)

    def test_asked_again(self) -> None:
        """Whoever lost the answer to the last request makes no second file by repeating it."""
        concat = "final;" + " ".join(self.parts())
        first = self.create(None, "whole", upload_concat=concat)
        self.assertEqual(self.create(None, "whole", upload_concat=concat), first)
        self.assertEqual([path.name for path in self.root.iterdir()], ["whole"])
        other = self.create(None, "other", upload_concat=concat)
        self.assertNotEqual(other, first)
        self.assertEqual(self.file("other"), CONTENT)

    def test_refused(self) -> None:
        """Parts that are not whole, are none, are elsewhere or unknown."""
        one, _ = self.parts()
        unfinished = self.create(10, upload_concat="partial")
        ordinary = self.create(10)
        for part, statuses in [
            (unfinished, {400}), (ordinary, {403}), ("/files/.uploads/tus/" + "0" * 32, {404}),
            ("/other/x", {400}), ("/files/.uploads/tus/../x", {400, 404}),
        ]:  # fmt: skip
            with self.subTest(part=part):
                reply = self.tus("POST", "/files", upload_concat=f"final;{one} {part}")
                self.assertIn(reply.status, statuses, reply.body)
        self.assertEqual(list(self.root.iterdir()), [])
