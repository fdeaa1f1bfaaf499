"""Tests for `rangedaemon.core.sums`: lists of checksums."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.sums import Entry, address_of, find_sum, parse_sums
from rangedaemon.errors import UnusableDocument

URL = "https://o.test/dir/SHA256SUMS"
A, B = "ab" * 32, "cd" * 32
LONG = "0f" * 64


class ParseTests(SynchronousTestCase):
    """The forms of a line."""

    def test_forms(self) -> None:
        """Coreutils in text and binary mode, BSD, a bare hash; all hashes in lower case."""
        table = {
            f"{A}  f.bin": Entry("sha-256", A, "f.bin"),
            f"{A.upper()} *f.bin": Entry("sha-256", A, "f.bin"),
            f"{A}\tf.bin\r": Entry("sha-256", A, "f.bin"),
            f"SHA256 (f (1).bin) = {A}": Entry("sha-256", A, "f (1).bin"),
            f"BLAKE2b (f) = {LONG}": Entry("blake2b", LONG, "f"),
            f"\\{A}  a\\\\b\\nc": Entry("sha-256", A, "a\\b\nc"),
            f"  {A}  ": Entry("sha-256", A, None),
            f"\ufeff{LONG}  ./f": Entry("sha-512", LONG, "./f"),
            f"{A[:32]}  f": Entry("md5", A[:32], "f"),
            f"{A[:40]}  f": Entry("sha-1", A[:40], "f"),
        }
        for line, entry in table.items():
            self.assertEqual(list(parse_sums(line)), [entry], line)

    def test_no_lines(self) -> None:
        """Comments, signatures and hashes of no known length are passed over."""
        for line in ("# x", "", "-----BEGIN PGP-----", f"{A}0  f", f"SHA256 (f) = {A}0", f"{A}f x"):
            self.assertEqual(list(parse_sums(line)), [], line)

    @given(st.binary(max_size=300) | st.text().map(lambda t: f"{A}  {t}\n".encode()))
    def test_any_octets(self, octets: bytes) -> None:
        """Whatever a list holds: a digest, or the fault that says why not."""
        try:
            found = find_sum(octets, "f.bin", URL)
        except UnusableDocument as fault:
            self.assertEqual(fault.url, URL)
        else:
            self.assertRegex(found, r"^[a-z0-9-]+=[0-9a-f]{32,128}$")


class FindTests(SynchronousTestCase):
    """The line of one file."""

    def find(self, text: str, name: str = "f.bin", url: str = URL, **more: str) -> str:
        return find_sum(text.encode(), name, url, **more)

    def test_named(self) -> None:
        """The file's own line, whatever stands around it."""
        self.assertEqual(self.find(f"{B}  other\n{A}  f.bin\n"), f"sha-256={A}")
        self.assertEqual(self.find(f"{B}  g.bin\n{A} *./f.bin"), f"sha-256={A}")
        self.assertEqual(self.find(f"{B}  g.bin\n{A}  pool/main/f.bin"), f"sha-256={A}")

    def test_nearer_name_wins(self) -> None:
        """A file of that name in a directory does not hide the one that is beside the list."""
        self.assertEqual(self.find(f"{B}  old/f.bin\n{A}  f.bin\n"), f"sha-256={A}")

    def test_bare(self) -> None:
        """``f.bin.sha256`` may hold nothing but the hash."""
        self.assertEqual(self.find(f"{A}\n"), f"sha-256={A}")

    def test_longest(self) -> None:
        """Of several algorithms the longest; or the one that was asked for."""
        text = f"{A}  f.bin\nSHA512 (f.bin) = {LONG}\n"
        self.assertEqual(self.find(text), f"sha-512={LONG}")
        self.assertEqual(self.find(text, algorithm="sha-256"), f"sha-256={A}")

    def test_blake2_by_name(self) -> None:
        """``B2SUMS`` has hashes as long as SHA-512's."""
        self.assertEqual(self.find(f"{LONG}  f.bin", url="http://o.test/B2SUMS"), f"blake2b={LONG}")
        self.assertEqual(
            self.find(f"{LONG}  f.bin", url="http://o.test/club2.sha512"), f"sha-512={LONG}"
        )

    def test_refused(self) -> None:
        """No line, none of that algorithm, a list that contradicts itself."""
        for text in ("", f"{A}  g.bin", f"{A}\n{B}\n", f"{A}  f.bin\n{B}  f.bin"):
            with self.assertRaises(UnusableDocument, msg=text):
                self.find(text)
        with self.assertRaises(UnusableDocument):
            self.find(f"{A}  f.bin", algorithm="sha-512")


class AddressTests(SynchronousTestCase):
    """Checksums that are addresses."""

    def test_addresses(self) -> None:
        """An address with or without its algorithm; a digest is none."""
        table = {
            "https://o.test/SHA256SUMS": (None, "https://o.test/SHA256SUMS"),
            "sha-256=https://o.test/x": ("sha-256", "https://o.test/x"),
            "SHA-256=HTTP://o.test/x": ("sha-256", "HTTP://o.test/x"),
            f"sha-256={A}": None,
            None: None,
        }
        for checksum, expected in table.items():
            self.assertEqual(address_of(checksum), expected, checksum)
