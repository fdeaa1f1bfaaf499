"""Tests for `rangedaemon.core.promises`: the digests that an answer promises."""

from __future__ import annotations

import hashlib
from base64 import b64encode

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.acceptance import Answer
from rangedaemon.core.promises import (
    LENGTHS,
    best,
    is_active,
    parse_content_md5,
    parse_digest_field,
    parse_legacy_digest,
    promised_content,
    promised_whole,
)

HELLO = b'{"hello": "world"}\n'
SHA256 = "RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg="
PART = "jjcgBDWNAtbYUXI37CVG3gRuGOAjaaDRGpIUFsdyepQ="
"""Of octets 10 to 18 (RFC 9530, appendix B.2)."""
HEX256 = hashlib.sha256(HELLO).hexdigest()
HEX_PART = hashlib.sha256(HELLO[10:19]).hexdigest()
MD5 = b64encode(hashlib.md5(HELLO).digest()).decode()
HEX_MD5 = hashlib.md5(HELLO).hexdigest()


def whole(**fields: str) -> Answer:
    """A 200."""
    return Answer(200, "http://o.test/f", **fields)


def part(**fields: str) -> Answer:
    """A 206 of octets 10 to 18 of 19."""
    return Answer(206, "http://o.test/f", content_range="bytes 10-18/19", **fields)


class FieldTests(SynchronousTestCase):
    """Each field by itself."""

    def test_structured(self) -> None:
        """RFC 9530 writes digests as byte sequences; unknown algorithms are passed over."""
        text = f"sha-256=:{SHA256}:, unixsum=:AAA=:, md5=:{MD5}:"
        self.assertEqual(best(parse_digest_field(text)), f"sha-256={HEX256}")
        self.assertEqual(set(parse_digest_field(text)), {"sha-256", "md5"})

    def test_structured_is_not_legacy(self) -> None:
        """Unquoted base64 is no byte sequence: the field says nothing."""
        for text in (None, "", f"sha-256={SHA256}", "sha-256=:AAAA:", "sha-256=?1", "((", "é"):
            self.assertEqual(parse_digest_field(text), {}, text)

    def test_legacy(self) -> None:
        """RFC 3230 knows names in any case and ``SHA`` for SHA-1."""
        sha1 = hashlib.sha1(HELLO).digest()
        text = f"SHA={b64encode(sha1).decode()} , Sha-256={SHA256},unixsum=30637"
        self.assertEqual(
            parse_legacy_digest(text), {"sha-1": sha1, "sha-256": bytes.fromhex(HEX256)}
        )

    def test_content_md5(self) -> None:
        """Sixteen octets in base64, nothing else."""
        self.assertEqual(best(parse_content_md5(f" {MD5}")), f"md5={HEX_MD5}")
        self.assertEqual(parse_content_md5("AAAA"), {})
        self.assertEqual(parse_content_md5(None), {})

    def test_best(self) -> None:
        """Active algorithms go before deprecated ones."""
        octets = {name: bytes(length) for name, length in LENGTHS.items()}
        self.assertEqual(best(octets), "sha-256=" + "00" * 32)
        del octets["sha-256"]
        self.assertEqual(best(octets), "sha-512=" + "00" * 64)
        self.assertEqual(best({"md5": bytes(16)}), "md5=" + "00" * 16)
        self.assertIsNone(best({}))

    def test_active(self) -> None:
        """Only what RFC 9530 calls active vouches for anything."""
        table = {"sha-256=ab": True, "sha-512=ab": True, "md5=ab": False, "sha-1=a": False}
        for digest, expected in table.items():
            self.assertEqual(is_active(digest), expected, digest)
        self.assertFalse(is_active(None))

    @given(st.text(st.characters(max_codepoint=0x100), max_size=300))
    def test_any_text(self, text: str) -> None:
        """Whatever a peer sends, what comes out has the right length."""
        for parse in (parse_digest_field, parse_legacy_digest, parse_content_md5):
            for algorithm, octets in parse(text).items():
                self.assertEqual(len(octets), LENGTHS[algorithm])

    @given(st.dictionaries(st.sampled_from(sorted(LENGTHS)), st.binary(max_size=70)))
    def test_only_whole_digests(self, members: dict[str, bytes]) -> None:
        """A digest counts exactly where it has its algorithm's length."""
        text = ", ".join(f"{k}=:{b64encode(v).decode()}:" for k, v in members.items())
        sound = {k: v for k, v in members.items() if len(v) == LENGTHS[k]}
        self.assertEqual(parse_digest_field(text), sound)


class PromiseTests(SynchronousTestCase):
    """What a whole head promises."""

    def test_whole(self) -> None:
        """Of a 200 every field tells of the whole, the newest first."""
        structured, legacy = f"sha-256=:{SHA256}:", f"SHA-256={SHA256}"
        self.assertEqual(promised_whole(whole(repr_digest=structured)), f"sha-256={HEX256}")
        self.assertEqual(promised_whole(whole(digest=legacy)), f"sha-256={HEX256}")
        self.assertEqual(promised_whole(whole(content_digest=structured)), f"sha-256={HEX256}")
        self.assertEqual(promised_whole(whole(content_md5=MD5)), f"md5={HEX_MD5}")
        self.assertEqual(
            promised_whole(whole(repr_digest=structured, content_md5=MD5)), f"sha-256={HEX256}"
        )
        self.assertIsNone(promised_whole(whole()))

    def test_part(self) -> None:
        """In a part's answer ``Repr-Digest`` alone tells of the whole."""
        structured, legacy = f"sha-256=:{SHA256}:", f"SHA-256={SHA256}"
        self.assertEqual(promised_whole(part(repr_digest=structured)), f"sha-256={HEX256}")
        for fields in ({"digest": legacy}, {"content_digest": structured}, {"content_md5": MD5}):
            self.assertIsNone(promised_whole(part(**fields)), fields)

    def test_part_with_duplicates(self) -> None:
        """Beside links to duplicates ``Digest`` is the whole file's (RFC 6249, 6)."""
        answer = part(digest=f"SHA-256={SHA256}", links="<http://m.test/f>; rel=duplicate")
        self.assertEqual(promised_whole(answer), f"sha-256={HEX256}")

    def test_part_that_is_everything(self) -> None:
        """A 206 of all octets is as good as a 200."""
        answer = Answer(206, "u", content_range="bytes 0-18/19", digest=f"SHA-256={SHA256}")
        self.assertEqual(promised_whole(answer), f"sha-256={HEX256}")

    def test_content(self) -> None:
        """``Content-Digest`` is of the octets of this very answer."""
        answer = part(content_digest=f"sha-256=:{PART}:", repr_digest=f"sha-256=:{SHA256}:")
        self.assertEqual(promised_content(answer), f"sha-256={HEX_PART}")
        self.assertEqual(promised_whole(answer), f"sha-256={HEX256}")
        self.assertIsNone(promised_content(part(repr_digest=f"sha-256=:{SHA256}:")))

    def test_content_that_is_the_whole(self) -> None:
        """The whole file's digest as that of a part is a known mistake, not a promise."""
        field = f"sha-256=:{SHA256}:"
        self.assertIsNone(promised_content(part(content_digest=field, repr_digest=field)))

    def test_content_of_everything(self) -> None:
        """The content of a whole answer is the whole: its digest is checked as such."""
        answer = whole(content_digest=f"sha-256=:{SHA256}:")
        self.assertIsNone(promised_content(answer))
        self.assertEqual(promised_whole(answer), f"sha-256={HEX256}")
