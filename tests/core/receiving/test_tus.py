"""Tests for `rangedaemon.core.receiving.tus`."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha1
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.receiving import tus
from rangedaemon.core.receiving.asks import Ask, Refusal

HELLO = "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0="
"""The protocol's own example."""
KEYS = st.text(
    alphabet=st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters=","),
    min_size=1,
)


def creation(length: int | None = 0, **fields: str) -> tus.Creation:
    return tus.read_creation(ask("POST", length, **fields))


def ask(method: str, length: int | None, **fields: str) -> Ask:
    return Ask(method, {name.replace("_", "-"): value for name, value in fields.items()}, length)


class RefusalCase(SynchronousTestCase):
    """Compares refusals."""

    def refused(self, status: int, step: Any, *args: Any, **named: Any) -> Refusal:
        with self.assertRaises(Refusal) as caught:
            step(*args, **named)
        self.assertEqual(caught.exception.http_status, status, caught.exception.detail)
        return caught.exception


class CreationTests(RefusalCase):
    """What a POST asks for."""

    def test_lengths(self) -> None:
        """One of the two fields tells of the length, never both."""
        self.assertEqual(creation(upload_length="100").length, 100)
        self.assertEqual(creation(upload_length="0").length, 0)
        self.assertIsNone(creation(upload_defer_length="1").length)
        self.refused(400, creation)
        self.refused(400, creation, upload_length="1", upload_defer_length="1")
        self.refused(400, creation, upload_defer_length="0")
        self.refused(400, creation, upload_length="-1")

    def test_content(self) -> None:
        """The first octets may come along, if they say what they are."""
        self.assertFalse(creation(upload_length="5").has_content)
        for length in (5, None):
            asked = creation(length, upload_length="5", content_type=tus.APPENDABLE)
            self.assertTrue(asked.has_content)
        self.refused(415, creation, 5, upload_length="5")
        self.refused(415, creation, 5, upload_length="5", content_type="text/plain")
        asked = creation(11, upload_length="11", content_type=tus.APPENDABLE, upload_checksum=HELLO)
        self.assertEqual(asked.checksum, tus.Checksum("sha1", sha1(b"hello world").digest()))

    def test_concatenation(self) -> None:
        """A part, or the whole of parts that are named by path or whole address."""
        self.assertTrue(creation(upload_length="5", upload_concat="partial").partial)
        asked = creation(upload_concat="final;/files/a https://h/files/b?x")
        self.assertEqual((asked.parts, asked.partial), (("/files/a", "/files/b"), False))
        for text in ["", "final", "final;", "final; ", "other;/a", "partial;/a", "final;http://["]:
            with self.subTest(text=text):
                self.refused(400, creation, upload_concat=text, upload_length="1")
        self.refused(400, creation, upload_concat="final;/a", upload_length="5")
        self.refused(400, creation, upload_concat="final;" + "/a " * 1001)

    def test_names(self) -> None:
        """The names that clients use for the name and the type of the file."""
        asked = creation(
            upload_length="1", upload_metadata="filename w6QudHh0,filetype dGV4dC9wbGFpbg=="
        )
        self.assertEqual((asked.filename, asked.filetype), ("ä.txt", "text/plain"))
        asked = creation(upload_length="1", upload_metadata="name YQ==,type Yg==")
        self.assertEqual((asked.filename, asked.filetype), ("a", "b"))
        asked = creation(upload_length="1", upload_metadata="filename")
        self.assertEqual((asked.filename, asked.filetype), (None, None))
        asked = creation(upload_length="1", upload_metadata="filename /w==")
        self.assertEqual(asked.filename, "\ufffd", "octets that are no text")


class MetadataTests(RefusalCase):
    """`parse_metadata`."""

    def test_examples(self) -> None:
        """Pairs, keys without value, blanks around commas."""
        for text, pairs in {
            "": {},
            "  ": {},
            "a": {"a": b""},
            "a ": {"a": b""},
            "a,b": {"a": b"", "b": b""},
            "filename d29ybGQ=, is_confidential": {"filename": b"world", "is_confidential": b""},
        }.items():
            with self.subTest(text=text):
                self.assertEqual(tus.parse_metadata(text), pairs)

    def test_bad(self) -> None:
        """Bad Base64, keys twice, empty or not printable, and too much of it all."""
        for text in [
            "a !", "a d29ybGQ", "a d29y bGQ=", "a,a", "a d29ybGQ=,a d29ybGQ=", ",", "a,,b",
            " d29ybGQ=,", "\xe4 YQ==", "a\tYQ==", "a YQ==\x00", "a " + "A" * 10_000, "a Y_-=",
        ]:  # fmt: skip
            with self.subTest(text=text[:20]):
                self.refused(400, tus.parse_metadata, text)

    @given(st.dictionaries(KEYS, st.binary(max_size=50), max_size=8))
    def test_round_trip(self, pairs: dict[str, bytes]) -> None:
        """What was written as the protocol says is read as it was."""
        text = ",".join(f"{key} {b64encode(value).decode()}" for key, value in pairs.items())
        self.assertEqual(tus.parse_metadata(text), pairs)

    @given(st.text(alphabet=st.characters(max_codepoint=255)))
    def test_any_text(self, text: str) -> None:
        """Whatever octets come, pairs come out or it is refused."""
        try:
            self.assertNotIn("", tus.parse_metadata(text))
        except Refusal as refusal:
            self.assertEqual(refusal.http_status, 400)


class AppendTests(RefusalCase):
    """What a PATCH asks for."""

    def append(self, **fields: str) -> tus.Append:
        fields = {"content_type": tus.APPENDABLE, "upload_offset": "70"} | fields
        return tus.read_append(ask("PATCH", 30, **fields))

    def test_fields(self) -> None:
        """The offset, and where they are there the length and the checksum."""
        self.assertEqual(self.append(), tus.Append(70, None, None))
        self.assertEqual(self.append(upload_length="100").length, 100)
        self.refused(415, self.append, content_type="application/octet-stream")
        self.refused(400, self.append, upload_offset="x")
        self.refused(400, tus.read_append, ask("PATCH", 1, content_type=tus.APPENDABLE))

    def test_checksums(self) -> None:
        """Known algorithms with a digest of their size."""
        self.assertIsNotNone(self.append(upload_checksum=HELLO).checksum)
        for text in [
            "", "sha1", "sha1 ", "sha1 AAAA", "SHA1 " + HELLO[5:], "crc32 AAAAAA==",
            "sha1 " + "!" * 28, HELLO + ", " + HELLO,
        ]:  # fmt: skip
            with self.subTest(text=text):
                self.refused(400, self.append, upload_checksum=text)

    def test_offset(self) -> None:
        """The upload's own, or 409 that tells it."""
        tus.check_offset(self.append(), 70)
        refusal = self.refused(409, tus.check_offset, self.append(), 60)
        self.assertIn(("Upload-Offset", "60"), refusal.fields)

    def test_length(self) -> None:
        """It is told once; again the same is no matter, another one is."""
        self.assertEqual(tus.agreed_length(self.append(), 100), 100)
        self.assertIsNone(tus.agreed_length(self.append(), None))
        for known in (None, 100):
            self.assertEqual(tus.agreed_length(self.append(upload_length="100"), known), 100)
        self.refused(400, tus.agreed_length, self.append(upload_length="100"), 99)
        self.refused(400, tus.agreed_length, self.append(upload_length="69"), None)


class VersionTests(RefusalCase):
    """Versions and methods."""

    def test_versions(self) -> None:
        """Another version, or none, is told ours."""
        tus.check_version(ask("PATCH", 0, tus_resumable="1.0.0"))
        for version in ["0.2.2", "1.0.0, 1.0.0", ""]:
            refusal = self.refused(412, tus.check_version, ask("PATCH", 0, tus_resumable=version))
            self.assertIn(("Tus-Version", "1.0.0"), refusal.fields)
        self.refused(412, tus.check_version, ask("PATCH", 0))

    def test_override(self) -> None:
        """A POST may stand for PATCH and DELETE, and nothing else for anything."""
        for method, override, effective in [
            ("POST", "PATCH", "PATCH"), ("POST", "delete", "DELETE"), ("POST", "GET", "POST"),
            ("GET", "DELETE", "GET"), ("PATCH", "DELETE", "PATCH"), ("POST", "", "POST"),
        ]:  # fmt: skip
            asked = ask(method, 0, x_http_method_override=override)
            self.assertEqual(tus.effective_method(asked), effective)
        self.assertEqual(tus.effective_method(ask("HEAD", 0)), "HEAD")


class AnswerTests(SynchronousTestCase):
    """What is said."""

    def test_abilities(self) -> None:
        """Every extension, and the largest size where there is one."""
        told = dict(tus.abilities(1000))
        self.assertEqual((told["Tus-Version"], told["Tus-Max-Size"]), ("1.0.0", "1000"))
        self.assertIn("sha1", told["Tus-Checksum-Algorithm"].split(","))
        self.assertIn("concatenation", told["Tus-Extension"].split(","))
        self.assertNotIn("Tus-Max-Size", dict(tus.abilities(None)))

    def test_standing(self) -> None:
        """The offset always; the length, or that it is told later; what was given as it was."""
        none: dict[str, Any] = {"metadata": None, "concat": None, "expires": None}
        told = dict(tus.standing(0, None, **none))
        self.assertEqual((told["Upload-Offset"], told["Upload-Defer-Length"]), ("0", "1"))
        self.assertEqual(told["Cache-Control"], "no-store")
        told = dict(tus.standing(5, 5, metadata="a", concat="partial", expires=0.0))
        self.assertEqual(told["Upload-Expires"], "Thu, 01 Jan 1970 00:00:00 GMT")
        self.assertEqual((told["Upload-Length"], told["Upload-Metadata"]), ("5", "a"))
        self.assertEqual(told["Upload-Concat"], "partial")

    def test_created(self) -> None:
        """The offset is told where octets came along."""
        self.assertNotIn("Upload-Offset", dict(tus.created("/x", None, None)))
        self.assertEqual(dict(tus.created("/x", 3, None))["Upload-Offset"], "3")
