"""Tests for `rangedaemon.core.disposition`."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.disposition import (
    filename_from_url,
    format_disposition,
    numbered_filename,
    parse_disposition,
    safe_filename,
)


class FormatTests(SynchronousTestCase):
    """Tests for `format_disposition`."""

    def test_forms(self) -> None:
        """A quoted ASCII form always, the extended form only where it is needed."""
        for name, wanted in {
            "a.txt": 'attachment; filename="a.txt"',
            "a b;c.txt": 'attachment; filename="a b;c.txt"',
            "100%.txt": 'attachment; filename="100%.txt"',
            "\u20ac rates": "attachment; filename=\"_ rates\"; filename*=UTF-8''%E2%82%AC%20rates",
            'a"b\\c': "attachment; filename=\"a_b_c\"; filename*=UTF-8''a%22b%5Cc",
            "a%20b": "attachment; filename=\"a_20b\"; filename*=UTF-8''a%2520b",
            "a\r\nX: y": "attachment; filename=\"a__X: y\"; filename*=UTF-8''a%0D%0AX%3A%20y",
        }.items():
            with self.subTest(name=name):
                self.assertEqual(format_disposition("attachment", name), wanted)

    @given(st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs"])))
    def test_round_trip(self, name: str) -> None:
        """Every name arrives, and the field is one line of ASCII."""
        field = format_disposition("inline", name)
        self.assertTrue(field.isascii() and field.isprintable())
        self.assertEqual(parse_disposition(field), name)


class ParseTests(SynchronousTestCase):
    """Tests for `parse_disposition`."""

    def test_names(self) -> None:
        """The extended form wins wherever it stands; a broken one falls back."""
        for field, wanted in {
            'attachment; filename="a.txt"': "a.txt",
            "attachment;filename=a.txt": "a.txt",
            "ATTACHMENT ; FileName = a.txt ": "a.txt",
            "inline; filename=a b.txt": "a b.txt",
            'attachment; filename="a\\"b\\\\c;d,e"': 'a"b\\c;d,e',
            "attachment; filename*=UTF-8''%e2%82%ac; filename=x": "\u20ac",
            "attachment; filename=x; filename*=utf-8'en'%E2%82%AC": "\u20ac",
            "attachment; filename*=ISO-8859-1''%A3": "\xa3",
            "attachment; filename=x; filename*=UTF-8''%ff": "x",
            "attachment; filename=x; filename*=UTF-8''%f": "x",
            "attachment; filename=x; filename*=koi8-r''a": "x",
            "attachment; filename=x; filename*=\"UTF-8''y\"": "x",
            'attachment; filename="\xe2\x82\xac"': "\u20ac",
            'attachment; filename="\xa3"': "\xa3",
            'attachment; filename="%41"': "%41",
            "foo; filename=x; size=5;": "x",
        }.items():
            with self.subTest(field=field):
                self.assertEqual(parse_disposition(field), wanted)

    def test_no_name(self) -> None:
        """No name, no type, a parameter twice, an open quote: the field says nothing."""
        for field in [
            "",
            "attachment",
            "inline;",
            "attachment; filename=",
            'attachment; filename=""',
            "filename=x",
            "attachment; filename=x; filename=y",
            'attachment; filename="x',
            "attachment, filename=x",
            "attachment; filename*=UTF-8''",
            '"x"; filename=y',
        ]:
            with self.subTest(field=field):
                self.assertIsNone(parse_disposition(field))

    @given(st.text(alphabet=st.characters(max_codepoint=255)))
    def test_never_fails(self, tail: str) -> None:
        """Whatever octets come, a name or None comes out."""
        name = parse_disposition("attachment;" + tail)
        self.assertTrue(name is None or len(name) > 0)


class SafeFilenameTests(SynchronousTestCase):
    """Tests for `safe_filename` and what stands on it."""

    def test_names(self) -> None:
        """What is dangerous is cut off, replaced or refused."""
        for name, wanted in {
            "a.txt": "a.txt",
            "../../etc/passwd": "passwd",
            "C:\\dir\\a.txt": "a.txt",
            "a/": None,
            "": None,
            ".": None,
            "..": None,
            " . ": None,
            "\x00\x1f\x85": None,
            ".bashrc": "bashrc",
            "-rf": "_rf",
            "~root": "_root",
            "a\u202egpj.exe": "agpj.exe",
            'a<b>c:d"e|f?g*h': "a_b_c_d_e_f_g_h",
            "CON": "_CON",
            "con.txt": "_con.txt",
            "Lpt9.tar.gz": "_Lpt9.tar.gz",
            "COM10": "COM10",
            "e\u0301": "\xe9",
            "a\ud800b": "ab",
            "name. . ": "name",
            "name\u3000.\u2003": "name",
            "CONIN$.txt": "_CONIN$.txt",
            "com\u00b9": "_com\u00b9",
            "lpt0.x": "_lpt0.x",
            "a\u200fb\u061cc\u00adb\ufeff": "abcb",
            "e\u202e\u0301": "\xe9",
            "\u0915\u094d\u200d\u0937": "\u0915\u094d\u200d\u0937",
            "\u200d.a": "a",
            "a\u2028b": "ab",
        }.items():
            with self.subTest(name=name):
                self.assertEqual(safe_filename(name), wanted)

    def test_length(self) -> None:
        """255 octets with ``.part`` behind it, the extension kept, no character cut in two."""
        name = safe_filename("\u20ac" * 300 + ".iso") or ""
        self.assertTrue(name.endswith("\u20ac.iso"))
        self.assertIn(len(f"{name}.part".encode()), range(253, 256))
        self.assertEqual(len(safe_filename("x" * 999) or ""), 250)

    @given(st.text())
    def test_always_safe(self, name: str) -> None:
        """Whatever comes out can be created in a directory, and is safe itself."""
        safe = safe_filename(name)
        if safe is None:
            return
        self.assertFalse(set(safe) & set('/\\\x00\n<>:"|?*'))
        self.assertNotIn(safe[0], ".~- ")
        self.assertNotIn(safe[-1], ". \u200d")
        self.assertEqual(unicodedata.normalize("NFC", safe), safe)
        self.assertFalse({unicodedata.category(c) for c in safe} & {"Cc", "Cs", "Zl", "Zp"})
        self.assertLessEqual(len(safe.encode()), 250)
        self.assertEqual(safe_filename(safe), safe)

    def test_numbered(self) -> None:
        """The number stands before the extension and makes no name too long."""
        self.assertEqual(numbered_filename("a.tar.gz", 2), "a.tar (2).gz")
        self.assertEqual(numbered_filename("README", 1), "README (1)")
        self.assertEqual(len(numbered_filename("x" * 250, 10)), 250)

    def test_from_url(self) -> None:
        """The last segment, decoded once; a word of our own where there is none."""
        for url, wanted in {
            "https://h/a/b.iso?x=1#y": "b.iso",
            "https://h/a%20b": "a b",
            "https://h/%e2%82%ac": "\u20ac",
            "https://h/%ff": "\xff",
            "https://h/a%2Fb": "b",
            "https://h/dir/": "dir",
            "https://h/a%2500": "a%00",
            "https://h": "download",
            "https://h/..": "download",
            "https://[/x": "download",
        }.items():
            with self.subTest(url=url):
                self.assertEqual(filename_from_url(url), wanted)
