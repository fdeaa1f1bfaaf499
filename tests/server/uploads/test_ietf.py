"""Resumable Uploads for HTTP (the IETF draft) as its clients see it."""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256

from rangedaemon.server.uploads.rules import Rules
from tests.server.uploads.case import CONTENT, Peer, UploadsServedCase, head
from tests.server.wire import Reply, parse_replies

PARTIAL = "application/partial-upload"
NAMED = 'inline; filename="f.bin"'


def digest(octets: bytes) -> str:
    """A field of RFC 9530."""
    return f"sha-256=:{b64encode(sha256(octets).digest()).decode()}:"


class IetfCase(UploadsServedCase):
    """Speaks the draft."""

    def ietf(self, method: str, path: str, body: bytes = b"", **fields: str | int) -> Reply:
        """A request of the protocol."""
        return self.request(method, path, body, **{"upload_draft_interop_version": 8} | fields)

    def create(self, length: int | None = 100, **fields: str | int) -> str:
        """A new upload without octets, and its address."""
        told = {} if length is None else {"upload_length": length}
        told |= {"upload_complete": "?0", "content_disposition": NAMED} | fields
        reply = self.assert_status(self.ietf("POST", "/files", **told), 201)
        self.assertEqual(reply.fields["Upload-Complete"], "?0")
        return str(reply.fields["Location"])

    def append(
        self, path: str, offset: int, body: bytes, complete: bool, **fields: str | int
    ) -> Reply:
        """Octets for an upload."""
        told = {"upload_offset": offset, "upload_complete": f"?{int(complete)}"}
        return self.ietf("PATCH", path, body, content_type=PARTIAL, **told | fields)

    def standing(self, path: str) -> tuple[str, str]:
        """Offset and completeness."""
        reply = self.assert_status(self.ietf("HEAD", path), 204)
        self.assertEqual(reply.fields["Cache-Control"], "no-store")
        return reply.fields["Upload-Offset"], reply.fields["Upload-Complete"]

    def assert_problem(self, reply: Reply, status: int, kind: str) -> dict[str, object]:
        """A problem of that type."""
        self.assert_status(reply, status)
        self.assertEqual(reply.fields["Content-Type"], "application/problem+json")
        told: dict[str, object] = json.loads(reply.body)
        self.assertEqual(str(told["type"]).rpartition("#")[2], kind)
        return told


class StoryTests(IetfCase):
    """From creation to completion."""

    def test_in_two(self) -> None:
        """Created empty, brought in two, complete when the client says so."""
        path = self.create()
        reply = self.assert_status(self.append(path, 0, CONTENT[:70], complete=False), 204)
        self.assertEqual(reply.fields["Upload-Complete"], "?0")
        self.assertEqual(self.standing(path), ("70", "?0"))
        reply = self.assert_status(self.append(path, 70, CONTENT[70:], complete=True), 201)
        told = [reply.fields[name] for name in ("Upload-Complete", "Location")]
        self.assertEqual(told, ["?1", "/files/f.bin"])
        self.assertEqual(self.file("f.bin"), CONTENT)
        self.assertEqual(self.standing(path), ("100", "?1"))

    def test_completed_by_nothing(self) -> None:
        """All octets are not enough; an empty PATCH that says so completes."""
        path = self.create()
        self.append(path, 0, CONTENT, complete=False)
        self.assertEqual(self.standing(path), ("100", "?0"))
        self.assertIsNone(self.file("f.bin"))
        self.assert_status(self.append(path, 100, b"", complete=True), 201)
        self.assertEqual(self.file("f.bin"), CONTENT)

    def test_at_once(self) -> None:
        """A creation that brings all, to a target or to a folder; any method with content."""
        reply = self.ietf(
            "POST", "/files", CONTENT, upload_complete="?1", content_disposition=NAMED
        )
        self.assertEqual(self.assert_status(reply, 201).fields["Upload-Complete"], "?1")
        self.assertEqual(self.file("f.bin"), CONTENT)
        self.assert_status(self.ietf("PUT", "/files/g.bin", CONTENT, upload_complete="?1"), 201)
        self.assertEqual(self.file("g.bin"), CONTENT)
        self.assert_status(self.ietf("PUT", "/files/", CONTENT, upload_complete="?1"), 400)

    def test_cut(self) -> None:
        """The interim answer tells where to go on after the connection broke."""
        peer = Peer(self)
        peer.head(
            "POST", "/files", upload_complete="?1", upload_draft_interop_version=8,
            content_disposition=NAMED, content_length=100,
        )  # fmt: skip
        interim = peer.heard().decode()
        self.assertTrue(interim.startswith("HTTP/1.1 104 "), interim)
        path = next(line[10:] for line in interim.split("\r\n") if line.startswith("Location: "))
        peer.send(CONTENT[:70])
        peer.lose()
        self.assertEqual(self.standing(path), ("70", "?0"))
        self.assert_status(self.append(path, 70, CONTENT[70:], complete=True), 201)
        self.assertEqual(self.file("f.bin"), CONTENT)

    def test_progress(self) -> None:
        """Interim answers tell what is safe, and the final one comes after them."""
        path = self.create()
        peer = Peer(self)
        peer.head(
            "PATCH", path, upload_complete="?1", upload_draft_interop_version=8, upload_offset=0,
            content_type=PARTIAL, content_length=100,
        )  # fmt: skip
        peer.send(CONTENT[:70])
        self.clock.pump([0.5] * 6)
        interim, _, rest = peer.heard().rpartition(b"\r\n\r\n")
        self.assertIn(b"HTTP/1.1 104 Upload Resumption Supported\r\n", interim)
        self.assertIn(b"\r\nUpload-Offset: 70", interim)
        self.assertNotIn(b"Location", interim.rpartition(b"HTTP/1.1 104")[2])
        self.assertEqual(rest, b"")
        peer.send(CONTENT[70:])
        octets = peer.heard()
        final = octets[octets.rindex(b"HTTP/1.1 201") :]
        self.assertEqual(parse_replies(final, ["PATCH"])[0].fields["Upload-Complete"], "?1")

    def test_other_versions(self) -> None:
        """Who speaks another version, or HTTP/1.0, hears no interim answers."""
        for version in ["7", "9", "?1"]:
            peer = Peer(self)
            peer.head(
                "POST", "/files", upload_complete="?1", content_length=100,
                upload_draft_interop_version=version,
            )  # fmt: skip
            self.assertEqual(peer.heard(), b"")
            peer.lose()
        old = head(
            "POST", "/files", upload_complete="?1", upload_draft_interop_version=8,
            content_length=100,
        ).replace(b"HTTP/1.1", b"HTTP/1.0")  # fmt: skip
        peer = Peer(self)
        peer.send(old)
        self.assertEqual(peer.heard(), b"")

    def test_unknown_length(self) -> None:
        """Chunked and without a length: the end of what is complete tells it."""
        peer = Peer(self)
        peer.head(
            "POST", "/files", upload_complete="?1", transfer_encoding="chunked",
            content_disposition=NAMED,
        )  # fmt: skip
        peer.send(b"64\r\n" + CONTENT + b"\r\n0\r\n\r\n")
        self.assert_status(peer.reply(), 201)
        self.assertEqual(self.file("f.bin"), CONTENT)

    def test_cancel(self) -> None:
        """DELETE, and the upload is gone."""
        path = self.create()
        self.assert_status(self.ietf("DELETE", path), 204)
        self.assert_status(self.ietf("HEAD", path), 410)
        self.assert_status(self.ietf("PUT", path, b"x"), 405)

    def test_options(self) -> None:
        """The limits are told, at creation too."""
        self.take(rules=Rules(max_size=1000, expire=60.0))
        reply = self.request("OPTIONS", "/files")
        self.assertEqual(reply.fields["Upload-Limit"], "max-size=1000, max-age=60")
        reply = self.ietf("POST", "/files", upload_complete="?0")
        self.assertEqual(reply.fields["Upload-Limit"], "max-size=1000, max-age=60")


class RefusalTests(IetfCase):
    """What goes wrong, and that the upload can go on."""

    def test_offset(self) -> None:
        """409 with both offsets; nothing is changed."""
        path = self.create()
        self.append(path, 0, CONTENT[:70], complete=False)
        for offset in (0, 69, 71, 101):
            reply = self.append(path, offset, b"x", complete=False)
            told = self.assert_problem(reply, 409, "mismatching-upload-offset")
            self.assertEqual((told["expected-offset"], told["provided-offset"]), (70, offset))
            told_by_field = reply.fields["Upload-Offset"], reply.fields["Upload-Complete"]
            self.assertEqual(told_by_field, ("70", "?0"))
        self.assert_status(self.append(path, 70, CONTENT[70:], complete=True), 201)
        self.assertEqual(self.file("f.bin"), CONTENT)

    def test_lengths(self) -> None:
        """Lengths that contradict each other: 400, before an octet is taken."""
        path = self.create()
        for body, complete, fields in [
            (CONTENT[:99], True, {}),
            (CONTENT + b"x", False, {}),
            (CONTENT[:50], False, {"upload_length": 99}),
        ]:
            reply = self.append(path, 0, body, complete, **fields)
            self.assert_problem(reply, 400, "inconsistent-upload-length")
        self.assertEqual(self.standing(path), ("0", "?0"))
        reply = self.ietf("POST", "/files", CONTENT, upload_complete="?1", upload_length=101)
        self.assert_problem(reply, 400, "inconsistent-upload-length")
        path = self.create(None)
        self.append(path, 0, CONTENT[:70], complete=False)
        reply = self.append(path, 70, b"", complete=False, upload_length=60)
        self.assert_problem(reply, 400, "inconsistent-upload-length")
        self.assertEqual(self.standing(path), ("70", "?0"))

    def test_fields(self) -> None:
        """Fields that are missing or none, and another media type."""
        path = self.create()
        self.assert_problem(self.ietf("PATCH", path, b"x"), 415, "about:blank")
        reply = self.append(path, 0, b"x", complete=False, upload_offset="x")
        self.assert_problem(reply, 400, "about:blank")
        reply = self.append(path, 0, b"x", complete=False, upload_complete="yes")
        self.assert_problem(reply, 400, "about:blank")
        self.assert_problem(self.ietf("POST", "/files", b"x"), 400, "about:blank")

    def test_digests(self) -> None:
        """Of one request's content, and of the whole."""
        path = self.create()
        reply = self.append(path, 0, CONTENT[:70], complete=False, content_digest=digest(b"other"))
        self.assert_problem(reply, 400, "about:blank")
        self.assertEqual(self.standing(path), ("0", "?0"))
        reply = self.append(
            path, 0, CONTENT[:70], complete=False, content_digest=digest(CONTENT[:70])
        )
        self.assert_status(reply, 204)
        path = self.create(repr_digest=digest(b"other"))
        self.assert_problem(self.append(path, 0, CONTENT, complete=True), 400, "about:blank")
        self.assert_status(self.ietf("HEAD", path), 410)
        self.assertEqual(list(self.root.iterdir()), [])
        path = self.create(repr_digest=digest(CONTENT))
        self.assert_status(self.append(path, 0, CONTENT, complete=True), 201)

    def test_after_completion(self) -> None:
        """It takes nothing more."""
        path = self.create()
        self.append(path, 0, CONTENT, complete=True)
        reply = self.append(path, 100, b"x", complete=False)
        self.assertEqual(reply.status // 100, 4)
        self.assertEqual(self.file("f.bin"), CONTENT)

    def test_too_large(self) -> None:
        """Above what the mount takes: 413."""
        self.take(rules=Rules(max_size=99))
        reply = self.ietf("POST", "/files", upload_complete="?0", upload_length=100)
        self.assert_problem(reply, 413, "about:blank")
        reply = self.ietf("POST", "/files", CONTENT, upload_complete="?1")
        self.assert_problem(reply, 413, "about:blank")
