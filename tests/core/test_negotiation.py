"""Tests for `rangedaemon.core.negotiation`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.negotiation import parse_weights, preferred_codings, preferred_type

OFFERS = ("text/html", "application/json")


class PreferredTypeTests(SynchronousTestCase):
    """Tests for `preferred_type`."""

    def test_choices(self) -> None:
        """The most specific pattern gives the weight, the first offer wins a tie."""
        for accept, wanted in {
            None: "text/html",
            "": "text/html",
            "*/*": "text/html",
            "application/json": "application/json",
            "Application/JSON;charset=utf-8": "application/json",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": "text/html",
            "application/json, text/html;q=0.9": "application/json",
            "application/json;q=0.5, text/*": "text/html",
            "text/html;q=0, */*": "application/json",
            "image/png": "text/html",
            'x/y;a=",", application/json': "application/json",
        }.items():
            with self.subTest(accept=accept):
                self.assertEqual(preferred_type(accept, OFFERS), wanted)


class PreferredCodingsTests(SynchronousTestCase):
    """Tests for `preferred_codings`."""

    def test_choices(self) -> None:
        """Named codings by weight, ours first in a tie, none that identity is liked better than."""
        for accept, wanted in {
            None: [],
            "": [],
            "identity": [],
            "gzip": ["gzip"],
            "gzip, br": ["br", "gzip"],
            "gzip;q=1.0, br;q=0.5": ["gzip", "br"],
            "GZIP;Q=0.1": ["gzip"],
            "gzip;q=0, *": ["zstd", "br"],
            "*": ["zstd", "br", "gzip"],
            "*;q=0": [],
            "identity;q=1, gzip;q=0.5": [],
            "identity;q=0.5, gzip": ["gzip"],
            "deflate, nonsense;;q=x": [],
            "gzip;q=2": ["gzip"],
        }.items():
            with self.subTest(accept=accept):
                self.assertEqual(preferred_codings(accept, ("zstd", "br", "gzip")), wanted)

    @given(st.text(alphabet=st.characters(max_codepoint=255)))
    def test_never_fails(self, text: str) -> None:
        """Whatever octets come, weights between 0 and 1 come out."""
        self.assertTrue(all(0 <= weight <= 1 for weight in parse_weights(text).values()))
