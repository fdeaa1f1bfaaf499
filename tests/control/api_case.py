"""Requests to the REST API of the real control site."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.control.wire import Reply, Wire

URL = "http://example.org/a.iso"
JOBS = "/api/v1/jobs"
UNKNOWN = JOBS + "/ffffffffffffffff"


class ApiTestCase(SynchronousTestCase):
    """A site, and a first job where one is needed."""

    def setUp(self) -> None:
        """A fresh site."""
        self.wire = Wire()

    def added(self, **body: Any) -> str:
        """The path of a new job."""
        reply = self.wire.ask("POST", JOBS, {"url": URL, **body})
        self.assertEqual(reply.status, 201, reply.body)
        return reply.fields["location"]

    def assert_problem(self, reply: Reply, status: int, code: str) -> Any:
        """A problem object of that status, in full."""
        self.assertEqual((reply.status, reply.fields["content-type"]), (status, PROBLEM))
        problem = reply.json()
        self.assertEqual((problem["status"], problem["code"]), (status, code))
        self.assertTrue(problem["type"] and problem["title"] and problem["detail"])
        return problem


PROBLEM = "application/problem+json"
