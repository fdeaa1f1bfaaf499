"""Tests for `rangedaemon.core.receiving.draft`."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from rangedaemon.core.receiving import draft
from rangedaemon.core.receiving.asks import Ask, Refusal
from tests.core.receiving.test_tus import RefusalCase, ask


class FieldTests(RefusalCase):
    """Structured fields."""

    def test_integers(self) -> None:
        """Integers of at most fifteen digits that are not negative; the rest is ignored."""
        for text, value in {
            "0": 0, "5": 5, "5;x=1": 5, "999999999999999": 999999999999999, None: None, "": None,
            "-1": None, "1.0": None, "?1": None, "1000000000000000": None, "5, 6": None,
            "(5)": None, "5" * 2000: None, "\xe4": None, "@5": None,
        }.items():  # fmt: skip
            with self.subTest(text=text):
                self.assertEqual(draft.read_integer(text), value)

    def test_booleans(self) -> None:
        """?1 and ?0, and nothing that only looks true."""
        for text, value in {"?1": True, "?0": False, "1": None, "true": None, None: None}.items():
            with self.subTest(text=text):
                self.assertEqual(draft.read_boolean(text), value)

    @given(st.text(alphabet=st.characters(max_codepoint=255)))
    def test_any_text(self, text: str) -> None:
        """Whatever octets come, the outcome is a value or None."""
        self.assertIn(draft.read_boolean(text), {True, False, None})
        self.assertLessEqual(0, draft.read_integer(text) or 0)

    def test_limits(self) -> None:
        """Where there is no limit, one says so."""
        self.assertEqual(draft.format_limits(draft.Limits()), "min-size=0")
        self.assertEqual(draft.format_limits(draft.Limits(5, 60)), "max-size=5, max-age=60")


class CreationTests(RefusalCase):
    """Requests with content that begin an upload."""

    def test_lengths(self) -> None:
        """The length by the field, or by a content that is all."""
        for length, fields, expected in [
            (0, {"upload_complete": "?0"}, None),
            (0, {"upload_complete": "?0", "upload_length": "100"}, 100),
            (100, {"upload_complete": "?1"}, 100),
            (100, {"upload_complete": "?1", "upload_length": "100"}, 100),
            (None, {"upload_complete": "?1"}, None),
            (30, {"upload_complete": "?0", "upload_length": "bad"}, None),
        ]:
            with self.subTest(length=length, fields=fields):
                self.assertEqual(
                    draft.read_creation(ask("POST", length, **fields)).length, expected
                )

    def test_contradictions(self) -> None:
        """A content that is all and has another length, or more content than the whole."""
        for length, complete in [(99, "?1"), (101, "?1"), (101, "?0")]:
            asked = ask("POST", length, upload_complete=complete, upload_length="100")
            refusal = self.refused(400, draft.read_creation, asked)
            self.assertIn("inconsistent-upload-length", draft.problem(refusal, "t").decode())
        self.refused(400, draft.read_creation, ask("POST", 5, upload_complete="yes"))

    def test_interim(self) -> None:
        """Interim answers go to those who speak this very version."""
        for version, expected in {"8": True, "7": False, "8.0": False, "x": False}.items():
            asked = ask("POST", 0, upload_complete="?0", upload_draft_interop_version=version)
            self.assertEqual(draft.read_creation(asked).interim, expected)
            self.assertTrue(draft.is_spoken(asked))
        self.assertFalse(draft.is_spoken(Ask("POST")))


class AppendTests(RefusalCase):
    """PATCH of an upload that stands at 70 of 100."""

    def append(
        self, length: int | None = 30, known: int | None = 100, **fields: str
    ) -> draft.Append:
        fields = {
            "content_type": draft.APPENDABLE, "upload_offset": "70", "upload_complete": "?1",
        } | fields  # fmt: skip
        return draft.read_append(ask("PATCH", length, **fields), 70, known)

    def test_fields(self) -> None:
        """Offset and completeness are needed, in the right media type."""
        self.assertEqual(self.append(), draft.Append(70, True, 100, False))
        self.assertEqual(self.append(10, upload_complete="?0").length, 100)
        self.assertEqual(self.append(30, None).length, 100)
        self.assertIsNone(self.append(10, None, upload_complete="?0").length)
        self.assertIsNone(self.append(None, None).length, "the end will tell")
        self.refused(415, self.append, content_type="application/octet-stream")
        self.refused(400, self.append, upload_complete="1")
        self.refused(400, self.append, upload_offset="x")

    def test_mismatch(self) -> None:
        """Another offset: the problem says both, and the field the right one."""
        refusal = self.refused(409, self.append, upload_offset="60")
        told = json.loads(draft.problem(refusal, "Conflict"))
        self.assertEqual((told["expected-offset"], told["provided-offset"]), (70, 60))
        self.assertTrue(told["type"].endswith("#mismatching-upload-offset"))
        self.assertEqual(dict(refusal.fields), {"Upload-Offset": "70", "Upload-Complete": "?0"})

    def test_contradictions(self) -> None:
        """Lengths that cannot all be true."""
        self.assertIsInstance(self.refused(400, self.append, 29), draft.Inconsistent)
        self.refused(400, self.append, 31)
        self.refused(400, self.append, 31, upload_complete="?0")
        self.refused(400, self.append, upload_length="99")
        self.refused(400, self.append, 0, None, upload_complete="?0", upload_length="60")


class AnswerTests(RefusalCase):
    """What is said."""

    def test_interim_answers(self) -> None:
        """Each is a whole head of 104 that names the version."""
        for octets, line in [
            (
                draft.supported("/u/x", draft.Limits(5)),
                b"Location: /u/x\r\nUpload-Limit: max-size=5\r\n",
            ),
            (draft.advanced(70), b"Upload-Offset: 70\r\n"),
        ]:
            self.assertTrue(octets.startswith(b"HTTP/1.1 104 "))
            self.assertIn(b"\r\nUpload-Draft-Interop-Version: 8\r\n" + line, octets)
            self.assertTrue(octets.endswith(b"\r\n\r\n"))
            self.assertEqual(octets.count(b"\r\n\r\n"), 1)

    def test_other_problem(self) -> None:
        """A refusal of no special type."""
        told = json.loads(draft.problem(Refusal(413, "Too much."), "Content Too Large"))
        self.assertEqual(
            told,
            {
                "type": "about:blank",
                "title": "Content Too Large",
                "status": 413,
                "detail": "Too much.",
            },
        )

    def test_standing(self) -> None:
        """Offset, completeness, limits, and the length where it is known."""
        told = dict(draft.standing(70, False, 100, draft.Limits()))
        self.assertEqual(
            told,
            {
                "Upload-Offset": "70", "Upload-Complete": "?0", "Upload-Limit": "min-size=0",
                "Cache-Control": "no-store", "Upload-Length": "100",
            },
        )  # fmt: skip
        self.assertNotIn("Upload-Length", dict(draft.standing(0, False, None, draft.Limits())))
        self.assertEqual(dict(draft.progress(5, True))["Upload-Complete"], "?1")
