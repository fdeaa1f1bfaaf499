"""Tests for `rangedaemon.core.responses`: the answer to every row of the tables."""

from __future__ import annotations

from dataclasses import replace
from email import message_from_bytes

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.dates import format_http_date
from rangedaemon.core.etags import EntityTag
from rangedaemon.core.intervals import ByteRange
from rangedaemon.core.preconditions import Conditions, Validators
from rangedaemon.core.responses import (
    Representation,
    RequestFacts,
    ResponsePlan,
    plan_error,
    plan_response,
)
from tests.range_table import ROWS

MODIFIED = 784111777
NOW = MODIFIED + 3600.0
FILE = Representation(
    10000,
    "text/plain",
    Validators(EntityTag("t"), MODIFIED),
    kept=(("Cache-Control", "no-cache"), ("Vary", "Accept-Encoding")),
    described=(("Content-Disposition", 'inline; filename="f"'),),
)


def plan(
    range_field: str | None = None,
    file: Representation = FILE,
    method: str = "GET",
    **conditions: str,
) -> ResponsePlan:
    """The plan for one request."""
    facts = RequestFacts(method, range_field, Conditions(**conditions))
    return plan_response(facts, file, now=NOW, boundary="BOUNDARY")


def octets(answer: ResponsePlan, content: bytes) -> bytes:
    """The body that a sender would make of the plan."""
    return b"".join(
        content[part.start : part.stop] if isinstance(part, ByteRange) else part
        for part in answer.parts
    )


class PlanTests(SynchronousTestCase):
    """Tests for `plan_response`."""

    def assertExact(self, answer: ResponsePlan) -> dict[str, str]:
        """No field twice, and a Content-Length that is the body's."""
        fields = dict(answer.fields)
        self.assertEqual(len(fields), len(answer.fields))
        self.assertEqual(int(fields["Content-Length"]), answer.body_length)
        return fields

    def test_table(self) -> None:
        """Every row of the table of ranges has its status, fields and octets."""
        for row in ROWS:
            with self.subTest(row=row):
                answer = plan(row.field, replace(FILE, length=row.size))
                fields = self.assertExact(answer)
                slices = [p for p in answer.parts if isinstance(p, ByteRange)]
                if row.parts is None:
                    self.assertEqual((answer.status, answer.body_length), (200, row.size))
                    self.assertNotIn("Content-Range", fields)
                elif not row.parts:
                    self.assertEqual(answer.status, 416)
                    self.assertEqual(fields["Content-Range"], f"bytes */{row.size}")
                else:
                    self.assertEqual(answer.status, 206)
                    self.assertEqual(slices, [ByteRange(a, b + 1) for a, b in row.parts])
                    self.assertEqual("Content-Range" in fields, len(row.parts) == 1)

    def test_fields_of_the_whole(self) -> None:
        """The 200 says all that there is to say."""
        self.assertEqual(
            dict(plan().fields),
            {
                "Accept-Ranges": "bytes",
                "ETag": '"t"',
                "Last-Modified": format_http_date(MODIFIED),
                "Cache-Control": "no-cache",
                "Vary": "Accept-Encoding",
                "Content-Disposition": 'inline; filename="f"',
                "Content-Type": "text/plain",
                "Content-Length": "10000",
            },
        )

    def test_fields_of_a_part(self) -> None:
        """A single 206 has all fields of the 200, its own length and its position."""
        wanted = dict(plan().fields) | {
            "Content-Length": "10",
            "Content-Range": "bytes 5-14/10000",
        }
        self.assertEqual(dict(plan("bytes=5-14").fields), wanted)
        self.assertEqual(dict(plan("bytes=5-14", if_range='"t"').fields), wanted)

    def test_check_value_of_multipart(self) -> None:
        """The body of RFC 9110's two-octet example, counted by hand: 170 octets."""
        answer = plan("bytes=0-0,-1")
        fields = self.assertExact(answer)
        self.assertEqual(fields["Content-Type"], "multipart/byteranges; boundary=BOUNDARY")
        self.assertNotIn("Content-Range", fields)
        self.assertEqual(
            octets(answer, b"a" + b"-" * 9998 + b"z"),
            b"--BOUNDARY\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-0/10000\r\n\r\na"
            b"\r\n--BOUNDARY\r\nContent-Type: text/plain\r\n"
            b"Content-Range: bytes 9999-9999/10000\r\n\r\nz\r\n--BOUNDARY--\r\n",
        )
        self.assertEqual(answer.body_length, 170)

    @given(
        st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=2, max_size=6),
        st.binary(min_size=100, max_size=100),
    )
    def test_multipart_is_mime(self, pairs: list[tuple[int, int]], content: bytes) -> None:
        """A MIME parser finds the parts that were planned, with the file's own octets."""
        field = "bytes=" + ",".join(f"{min(p)}-{max(p)}" for p in pairs)
        answer = plan(field, replace(FILE, length=100))
        fields = self.assertExact(answer)
        kind = fields["Content-Type"]
        if answer.status != 206 or not kind.startswith("multipart"):
            return
        head = f"Content-Type: {kind}\r\n\r\n".encode()
        body = octets(answer, content.hex()[:100].encode())
        for part in message_from_bytes(head + body).get_payload():
            first, last = part["Content-Range"].split()[1].split("/")[0].split("-")
            wanted = content.hex()[int(first) : int(last) + 1]
            self.assertEqual(part.get_payload(), wanted)

    def test_head(self) -> None:
        """HEAD has the fields of the GET without Range, and no octet."""
        answer = plan("bytes=0-9", method="HEAD")
        self.assertEqual((answer.status, answer.parts), (200, ()))
        self.assertEqual(answer.fields, plan().fields)

    def test_if_range(self) -> None:
        """Rows 61 to 63: another validator drops the Range, satisfiable or not."""
        same = format_http_date(MODIFIED)
        self.assertEqual(plan("bytes=0-9", if_range='"t"').status, 206)
        self.assertEqual(plan("bytes=0-9", if_range=same).status, 206)
        for other in ['"x"', 'W/"t"', format_http_date(MODIFIED - 1), "garbage"]:
            for field in ["bytes=0-9", "bytes=20000-"]:
                with self.subTest(other=other, field=field):
                    answer = plan(field, if_range=other)
                    self.assertEqual((answer.status, answer.body_length), (200, 10000))
        self.assertEqual(plan("bytes=20000-", if_range='"t"').status, 416)
        self.assertEqual(plan(if_range='"t"').status, 200)

    def test_not_modified(self) -> None:
        """Row 64: 304 goes before the range, repeats what a cache needs and nothing else."""
        answer = plan("bytes=0-9", if_none_match='"t"')
        self.assertEqual((answer.status, answer.parts), (304, ()))
        self.assertEqual(
            dict(answer.fields),
            {"ETag": '"t"', "Cache-Control": "no-cache", "Vary": "Accept-Encoding"},
        )

    def test_not_modified_without_tag(self) -> None:
        """Where there is no ETag the 304 has the date."""
        file = replace(FILE, validators=Validators(None, MODIFIED), kept=())
        answer = plan(None, file, if_modified_since=format_http_date(MODIFIED))
        self.assertEqual(answer.status, 304)
        self.assertEqual(answer.fields, (("Last-Modified", format_http_date(MODIFIED)),))

    def test_precondition_failed(self) -> None:
        """Row 65: 412 goes before the range, and says why in words."""
        answer = plan("bytes=0-9", if_match='"x"')
        self.assertEqual(answer.status, 412)
        self.assertExact(answer)
        self.assertGreater(answer.body_length, 0)

    def test_empty(self) -> None:
        """An empty representation is sent whole, without a part that holds nothing."""
        answer = plan("bytes=0-", replace(FILE, length=0))
        self.assertEqual((answer.status, answer.parts), (200, ()))

    def test_error(self) -> None:
        """An error is a sentence of text, with fields of its own first."""
        answer = plan_error(405, "No.", [("Allow", "GET")])
        self.assertEqual(self.assertExact(answer)["Allow"], "GET")
        self.assertEqual(answer.parts, (b"No.\n",))
