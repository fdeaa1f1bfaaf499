"""Tests for ``GET /api/v1/jobs/{id}/content``, through the real site."""

from __future__ import annotations

import os
import time
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.jobs import JobState, Verified
from tests.control.wire import Reply, Wire, request

OCTETS = bytes(range(200))
LONG_AGO = 1_600_000_000


class ContentTests(SynchronousTestCase):
    """The job's file."""

    def setUp(self) -> None:
        """A finished job with its file."""
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.wire = Wire(
            clock=Clock(),
            options={
                "download_directory": str(self.directory),
                "wall": lambda: time.time() + 60,  # the file is not from a moment ago
            },
        )
        reply = self.wire.ask("POST", "/api/v1/jobs", {"url": "http://h/page.html"})
        self.path = reply.fields["location"]
        self.file = self.directory / "page.html"
        self.file.write_bytes(OCTETS)
        os.utime(self.file, (LONG_AGO, LONG_AGO))
        self.become(JobState.COMPLETE, "page.html")

    def become(self, state: JobState, filename: str | None, **changes: object) -> None:
        """The job's state and settled name."""
        job = self.path.rpartition("/")[2]
        self.wire.jobs.become(job, state=state, filename=filename, **changes)

    def content(self, method: str = "GET", **fields: str) -> Reply:
        """The answer."""
        connection = self.wire.connect()
        connection.send(request(method, self.path + "/content", **fields))
        return connection.reply(head=method == "HEAD")

    def test_whole(self) -> None:
        """All octets, the length, a validator, the name to save it under."""
        reply = self.content()
        self.assertEqual((reply.status, reply.body), (200, OCTETS))
        self.assertEqual(reply.fields["accept-ranges"], "bytes")
        self.assertEqual(reply.fields["content-disposition"], 'attachment; filename="page.html"')
        self.assertIn("etag", reply.fields)

    def test_ranges(self) -> None:
        """Part of it, none of it, and its head."""
        part = self.content(Range="bytes=10-19")
        self.assertEqual((part.status, part.body), (206, OCTETS[10:20]))
        self.assertEqual(part.fields["content-range"], "bytes 10-19/200")
        none = self.content(Range="bytes=200-")
        self.assertEqual((none.status, none.fields["content-range"]), (416, "bytes */200"))
        head = self.content("HEAD")
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual(head.fields["content-length"], "200")

    def test_conditions(self) -> None:
        """What the caller has already is not sent again."""
        tag = self.content().fields["etag"]
        self.assertEqual(self.content(If_None_Match=tag).status, 304)
        self.assertEqual(self.content(If_Match='"other"').status, 412)

    def test_never_a_page_of_ours(self) -> None:
        """A downloaded page may run nothing on the origin that the token belongs to."""
        fields = self.content().fields
        self.assertTrue(fields["content-security-policy"].startswith("sandbox;"))
        self.assertEqual(fields["x-content-type-options"], "nosniff")

    def test_not_finished(self) -> None:
        """409 for a job whose file is not finished."""
        for state in set(JobState) - {JobState.COMPLETE}:
            self.become(state, "page.html")
            reply = self.content()
            self.assertEqual((reply.status, reply.json()["code"]), (409, "state-forbids"))

    def test_between_two_turns(self) -> None:
        """A job that repeats has its file, whatever it does, until it fetches another."""
        for state in JobState:
            self.become(state, "page.html", verified=Verified.LENGTH)
            reply = self.content()
            self.assertEqual((reply.status, reply.body), (200, OCTETS), state)

    def test_gone(self) -> None:
        """404 where the file was taken away, or a link was put in its place."""
        self.file.unlink()
        reply = self.content()
        self.assertEqual((reply.status, reply.json()["code"]), (404, "not-found"))
        self.file.symlink_to("/etc/passwd")
        self.assertEqual(self.content().status, 403)

    def test_without_token(self) -> None:
        """401, like everything else."""
        self.assertEqual(self.content(Authorization="Bearer x").status, 401)
