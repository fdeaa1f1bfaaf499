"""Tests for ``POST /api/v1/jobs``, through the real site."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from rangedaemon.core.jobs import JobSnapshot
from rangedaemon.core.urls import origin_of
from tests.control.api_case import JOBS, URL, ApiTestCase
from tests.control.wire import request


class AddTests(ApiTestCase):
    """``POST /api/v1/jobs``."""

    def test_minimal(self) -> None:
        """201, where the job is, and the job."""
        reply = self.wire.ask("POST", JOBS, {"url": URL})
        self.assertEqual(reply.status, 201)
        job = reply.json()
        self.assertEqual(reply.fields["location"], f"{JOBS}/{job['id']}")
        self.assertEqual(
            (job["urls"], job["state"], job["directory"], job["segments"], job["priority"]),
            ([URL], "queued", "/srv/downloads", 8, 0),
        )

    def test_everything(self) -> None:
        """Every field of the contract arrives in the job's spec."""
        body = {
            "urls": [URL, "https://mirror.example/a.iso", URL],
            "name": "an image",
            "directory": "images",
            "filename": "b.iso",
            "checksum": "sha-256=" + "AB" * 32,
            "headers": {"Cookie": "a=b"},
            "segments": 3,
            "priority": -5,
            "rate_limit": 65536,
            "paused": True,
            "on_conflict": "fail",
        }
        reply = self.wire.ask("POST", JOBS, body)
        self.assertEqual((reply.status, reply.json()["state"]), (201, "paused"))
        [snapshot] = self.wire.jobs.jobs.values()
        spec = snapshot.record.spec
        self.assertEqual(spec.urls, (URL, "https://mirror.example/a.iso"))
        self.assertEqual(
            (spec.name, spec.directory, spec.filename, spec.checksum, spec.headers),
            (
                "an image",
                "/srv/downloads/images",
                "b.iso",
                "sha-256=" + "ab" * 32,
                {"Cookie": "a=b"},
            ),
        )
        self.assertEqual(
            (spec.segments, spec.priority, spec.rate_limit, spec.on_conflict),
            (3, -5, 65536, "fail"),
        )

    def test_credentials(self) -> None:
        """They arrive for the origin of the first address, and no answer repeats them."""
        body = {"urls": [URL, "http://mirror.example/"], "username": "me", "password": "hunter2"}
        reply = self.wire.ask("POST", JOBS, body)
        self.assertEqual(reply.status, 201)
        [snapshot] = self.wire.jobs.jobs.values()
        [login] = snapshot.record.spec.logins
        self.assertEqual((login.user, login.password), ("me", "hunter2"))
        self.assertEqual(login.origin, str(origin_of(URL)))
        self.assertTrue(snapshot.record.spec.guarded)
        self.assertNotIn(b"hunter2", reply.body)

    def test_invalid(self) -> None:
        """Each fault is told with its place, and no job is there."""
        for body, loc in (
            ({}, ""),
            ({"url": URL, "urls": [URL]}, ""),
            ({"urls": []}, "urls"),
            ({"urls": [URL, "ftp://x/"]}, "urls.1"),
            ({"url": "ftp://example.org/"}, "url"),
            ({"url": 5}, "url"),
            ({"url": URL, "colour": "red"}, "colour"),
            ({"url": URL, "filename": "a/b"}, "filename"),
            ({"url": URL, "filename": "a\x01"}, "filename"),
            ({"url": URL, "directory": "a\x00b"}, "directory"),
            ({"url": URL, "checksum": "md5=1"}, "checksum"),
            ({"url": URL, "headers": {"A": "b\nc"}}, "headers"),
            ({"url": URL, "headers": {"A": 1}}, "headers.A"),
            ({"url": URL, "username": "a:b"}, "username"),
            ({"url": URL, "username": "a", "password": "hunter\n2"}, "password"),
            ({"url": URL, "password": "hunter2"}, ""),
            ({"url": URL, "segments": 0}, "segments"),
            ({"url": URL, "segments": "4"}, "segments"),
            ({"url": URL, "segments": True}, "segments"),
            ({"url": URL, "priority": 10**30}, "priority"),
            ({"url": URL, "rate_limit": 0}, "rate_limit"),
            ({"url": URL, "paused": "yes"}, "paused"),
            ({"url": URL, "on_conflict": "ask"}, "on_conflict"),
            ([], ""),
            ("x", ""),
            (None, ""),
        ):
            with self.subTest(body=body):
                octets = b"null" if body is None else body
                problem = self.assert_problem(
                    self.wire.ask("POST", JOBS, octets), 400, "invalid-input"
                )
                self.assertEqual([error["loc"] for error in problem["errors"]], [loc])
        self.assertEqual(self.wire.jobs.jobs, {})

    def test_outside(self) -> None:
        """A directory elsewhere is refused."""
        for directory in ("/etc", "../x", "a/../../x"):
            reply = self.wire.ask("POST", JOBS, {"url": URL, "directory": directory})
            self.assert_problem(reply, 403, "outside-directory")

    def test_not_json(self) -> None:
        """The fault's place is told."""
        problem = self.assert_problem(
            self.wire.ask("POST", JOBS, b'{"url": \n!}'), 400, "malformed-json"
        )
        self.assertIn("line 2, column 1", problem["detail"])

    def test_no_body(self) -> None:
        """No body is no JSON."""
        self.assert_problem(self.wire.ask("POST", JOBS), 400, "malformed-json")

    def test_form(self) -> None:
        """What a form can send is refused."""
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            reply = self.wire.ask("POST", JOBS, {"url": URL}, Content_Type=kind)
            self.assert_problem(reply, 415, "wrong-media-type")
        self.assertEqual(self.wire.jobs.jobs, {})

    def test_list(self) -> None:
        """A list of jobs is added as a whole, in its order."""
        reply = self.wire.ask("POST", JOBS, [{"url": URL, "name": n} for n in "abc"])
        self.assertEqual(reply.status, 201)
        self.assertEqual([job["name"] for job in reply.json()["jobs"]], ["a", "b", "c"])

    def test_list_with_a_fault(self) -> None:
        """One fault and none is added; its place says which."""
        reply = self.wire.ask("POST", JOBS, [{"url": URL}, {"url": URL, "segments": 0}])
        problem = self.assert_problem(reply, 400, "invalid-input")
        self.assertEqual(problem["errors"][0]["loc"], "1.segments")
        self.assertEqual(self.wire.jobs.jobs, {})

    def test_caller_hangs_up(self) -> None:
        """A job whose caller goes while it is journalled is added all the same."""
        journal: Deferred[None] = Deferred()
        add = self.wire.jobs.add

        async def slow_add(specs: Any) -> list[JobSnapshot]:
            await journal
            return await add(specs)

        self.wire.jobs.add = slow_add  # type: ignore[method-assign]
        connection = self.wire.connect()
        connection.send(request("POST", JOBS, b'{"url": "http://h/"}'))
        connection.hang_up()
        journal.callback(None)
        self.assertEqual(len(self.wire.jobs.jobs), 1)
        self.assertEqual(connection.received(), b"")
        self.assertEqual(self.flushLoggedErrors(), [])
