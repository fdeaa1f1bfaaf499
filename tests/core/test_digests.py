"""Tests for `rangedaemon.core.digests` and `rangedaemon.core.metalink`."""

from __future__ import annotations

from base64 import b64decode
from hashlib import sha256
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.digests import format_digest, wanted_algorithm
from rangedaemon.core.metalink import Hashes, format_metalink, piece_length

NAMESPACE = "{urn:ietf:params:xml:ns:metalink}"


class WantedTests(SynchronousTestCase):
    """Tests for `wanted_algorithm`."""

    def test_wishes(self) -> None:
        """The best liked of ours; a weight of 0, a broken field and foreign names give none."""
        for want, algorithm in {
            None: None,
            "": None,
            "sha-256=1": "sha-256",
            "sha-512=3, sha-256=10, md5=0": "sha-256",
            "sha-512=10, sha-256=3": "sha-512",
            "sha-256=5, sha-512=5": "sha-256",
            "sha-256=0": None,
            "md5=10": None,
            "sha-256=11": None,
            "sha-256": None,
            "sha-256=?1": None,
            "sha-256=1.5": None,
            "sha-256=(1 2)": None,
            "sha-256=, x": None,
            "SHA-256=1": None,
            "sha-256=1;" + "a" * 2000: None,
        }.items():
            with self.subTest(want=want):
                self.assertEqual(wanted_algorithm(want), algorithm)

    @given(st.text(alphabet=st.characters(max_codepoint=255)))
    def test_never_fails(self, text: str) -> None:
        """Whatever octets come, an algorithm or None comes out."""
        self.assertIn(wanted_algorithm(text), {None, "sha-256", "sha-512"})

    def test_format(self) -> None:
        """The RFC's own example (RFC 9530, appendix B.1)."""
        digest = b64decode("RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=")
        self.assertEqual(sha256(b'{"hello": "world"}\n').digest(), digest)
        self.assertEqual(
            format_digest("sha-256", digest),
            "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:",
        )


class MetalinkTests(SynchronousTestCase):
    """Tests for `format_metalink`."""

    def test_document(self) -> None:
        """Name, size, whole hash, pieces in order and addresses, as RFC 5854 places them."""
        hashes = Hashes(b"\x01" * 32, 4, (b"\x02" * 32, b"\x03" * 32))
        octets = format_metalink("a&b <\u20ac>", 7, hashes, ["http://h/a?b&c", "http://i/"])
        root = ET.fromstring(octets)
        self.assertEqual(root.tag, f"{NAMESPACE}metalink")
        (file,) = root
        self.assertEqual(file.get("name"), "a&b <\u20ac>")
        self.assertEqual(file.findtext(f"{NAMESPACE}size"), "7")
        whole, pieces = file.find(f"{NAMESPACE}hash"), file.find(f"{NAMESPACE}pieces")
        assert whole is not None
        assert pieces is not None
        self.assertEqual((whole.get("type"), whole.text), ("sha-256", "01" * 32))
        self.assertEqual((pieces.get("type"), pieces.get("length")), ("sha-256", "4"))
        self.assertEqual([hash_.text for hash_ in pieces], ["02" * 32, "03" * 32])
        urls = [(url.get("priority"), url.text) for url in file.findall(f"{NAMESPACE}url")]
        self.assertEqual(urls, [("1", "http://h/a?b&c"), ("2", "http://i/")])

    def test_empty_file(self) -> None:
        """A file without octets has no pieces, and no element for them."""
        octets = format_metalink("f", 0, Hashes(b"\x01" * 32, 4, ()), ["http://h/f"])
        self.assertIsNone(ET.fromstring(octets).find(f".//{NAMESPACE}pieces"))

    def test_names_without_xml(self) -> None:
        """Control characters and octets that are no text cannot be said."""
        for name in ["a\x01", "a\nb", "a\udcff"]:
            self.assertRaises(ValueError, format_metalink, name, 0, Hashes(b"", 1, ()), [])

    @given(st.integers(0, 2**50))
    def test_piece_length(self, size: int) -> None:
        """Not too many pieces, not too small ones."""
        length = piece_length(size)
        self.assertLessEqual(-(-size // length), 2048)
        self.assertTrue(length == 256 * 1024 or size / (length // 2) > 2048)
