"""Tests for `rangedaemon.core.receiving.asks`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.receiving.asks import LARGEST, Ask, Refusal


class AskTests(SynchronousTestCase):
    """The head of a request."""

    def test_media_types(self) -> None:
        """The type without its parameters, in lower case; what is none is None."""
        for text, kind in {
            "text/plain": "text/plain",
            " Text/PLAIN ; charset=utf-8": "text/plain",
            "application/offset+octet-stream": "application/offset+octet-stream",
            "": None,
            "text": None,
            "text/": None,
            "text/plain x": None,
            "a/b, c/d": None,
        }.items():
            with self.subTest(text=text):
                self.assertEqual(Ask("POST", {"content-type": text}).media_type, kind)
        self.assertIsNone(Ask("POST").media_type)

    def test_numbers(self) -> None:
        """Digits alone are a number, up to what files can have."""
        for text, number in {"0": 0, "007": 7, str(LARGEST): LARGEST, " 5 ": 5}.items():
            with self.subTest(text=text):
                self.assertEqual(
                    Ask("PATCH", {"upload-offset": text}).number("upload-offset"), number
                )
        self.assertIsNone(Ask("PATCH").number("upload-offset"))
        for text in [
            "",
            "-1",
            "+1",
            "1_0",
            "1.0",
            "0x1",
            "5, 5",
            "٣",
            str(LARGEST + 1),
            "9" * 5000,
        ]:
            with self.subTest(text=text), self.assertRaises(Refusal) as caught:
                Ask("PATCH", {"upload-offset": text}).number("upload-offset")
            self.assertEqual(caught.exception.http_status, 400)

    @given(st.text(alphabet=st.characters(max_codepoint=255)))
    def test_any_text(self, text: str) -> None:
        """Whatever octets come, the outcome is a number or a refusal."""
        try:
            self.assertLessEqual(0, Ask("PATCH", {"n": text}).number("n") or 0)
        except Refusal as refusal:
            self.assertEqual(refusal.http_status, 400)
