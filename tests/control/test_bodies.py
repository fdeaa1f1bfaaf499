"""Tests for `rangedaemon.control.bodies`."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.control.bodies import MAX_COMPLAINTS, parse_json, validated
from rangedaemon.control.models import NewJob
from rangedaemon.control.problems import MalformedJSON
from rangedaemon.errors import InvalidInput

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=20,
)  # fmt: skip


class ParseJSONTests(SynchronousTestCase):
    """Tests for `parse_json`."""

    def test_refused(self) -> None:
        """What is no JSON text is refused, and the message says what and where."""
        table = [
            (b"", "line 1, column 1"),
            (b'{"url": }', "line 1, column 9"),
            (b'{"a": 1,\n "b" 2}', "line 2, column 6"),
            (b'{"a": 1, "a": 2}', "'a' is there twice"),
            (b'{"x": {"a": 1, "a": 1}}', "twice"),
            (b"NaN", "NaN"),
            (b"-Infinity", "-Infinity"),
            (b"\xff", "not UTF-8 at octet 0"),
            (b'"\\ud800"', "surrogate"),
            (b'{"\\uDfff": 1}', "surrogate"),
            (b'["\\udc00\\ud800"]', "surrogate"),
            (b"1" * 5000, "digits"),
            (b"[" * 200_000, "deep"),
            (b"{} {}", "line 1, column 4"),
        ]
        for octets, told in table:
            with self.subTest(octets=octets[:40]):
                fault = self.assertRaises(MalformedJSON, parse_json, octets)
                self.assertIn(told, str(fault))

    def test_whole_pair_of_surrogates(self) -> None:
        """An escaped pair is one character."""
        self.assertEqual(parse_json(b'"\\ud83d\\ude00"'), "\U0001f600")

    @given(JSON_VALUES)
    def test_reads_what_was_written(self, value: object) -> None:
        """Any JSON value comes back as it was."""
        self.assertEqual(parse_json(json.dumps(value).encode()), value)

    @given(st.binary())
    def test_any_octets(self, octets: bytes) -> None:
        """Any octets are a value or `MalformedJSON`, nothing else."""
        try:
            json.dumps(parse_json(octets), ensure_ascii=False).encode()
        except MalformedJSON as fault:
            self.assertTrue(str(fault))


class ValidatedTests(SynchronousTestCase):
    """Tests for `validated`."""

    def test_everything_at_once(self) -> None:
        """Every fault is told, each with its place."""
        body = {"url": "ftp://x/", "prio": 1, "segments": 0, "paused": 1}
        fault = self.assertRaises(InvalidInput, validated, NewJob, body)
        self.assertEqual(
            {complaint.loc for complaint in fault.complaints},
            {"url", "prio", "segments", "paused"},
        )

    def test_values_are_not_repeated(self) -> None:
        """A message never shows the value, which may be a secret."""
        body = {"url": "http://x/", "headers": {"Cookie": "secret\n"}}
        fault = self.assertRaises(InvalidInput, validated, NewJob, body)
        self.assertNotIn("secret", repr(fault.complaints))

    def test_bounded(self) -> None:
        """A thousand faults are not a thousand complaints."""
        body = {f"x{number}": 1 for number in range(1000)}
        fault = self.assertRaises(InvalidInput, validated, NewJob, body)
        self.assertEqual(len(fault.complaints), MAX_COMPLAINTS)

    def test_not_an_object(self) -> None:
        """Something else than an object is invalid input."""
        for value in (None, 3, "x", []):
            self.assertRaises(InvalidInput, validated, NewJob, value)
