"""Tests for the routes that list, show, change, steer and remove jobs, through the real site."""

from __future__ import annotations

from typing import Any

from rangedaemon.core.jobs import JobSnapshot, JobState, SegmentSnapshot
from rangedaemon.errors import JournalFault, NoSpace
from tests.control.api_case import JOBS, PROBLEM, UNKNOWN, URL, ApiTestCase
from tests.control.wire import Reply


class ListTests(ApiTestCase):
    """``GET /api/v1/jobs``."""

    def test_pages(self) -> None:
        """Newest first; the cursor leads through all of them, once."""
        for number in range(5):
            self.added(name=str(number))
        names, path = [], JOBS + "?limit=2"
        while True:
            page = self.wire.ask("GET", path).json()
            names.append([job["name"] for job in page["jobs"]])
            if page["next"] is None:
                break
            path = f"{JOBS}?limit=2&cursor={page['next']}"
        self.assertEqual(names, [["4", "3"], ["2", "1"], ["0"]])

    def test_by_state(self) -> None:
        """Only those of the state asked for."""
        self.added(name="runs")
        self.added(name="rests", paused=True)
        page = self.wire.ask("GET", JOBS + "?state=paused").json()
        self.assertEqual([job["name"] for job in page["jobs"]], ["rests"])

    def test_bad_query(self) -> None:
        """Unknown, repeated and impossible parameters."""
        for query, loc in (
            ("state=running", "query.state"),
            ("state=", "query.state"),
            ("limit=0", "query.limit"),
            ("limit=1001", "query.limit"),
            ("limit=-1", "query.limit"),
            ("limit=1_0", "query.limit"),
            ("limit=%D9%A1", "query.limit"),
            ("limit=1&limit=2", "query.limit"),
            ("cursor=nonsense", "cursor"),
            ("page=2", "query.page"),
            ("%FF=2", "query.\ufffd"),
        ):
            with self.subTest(query=query):
                reply = self.wire.ask("GET", f"{JOBS}?{query}")
                problem = self.assert_problem(reply, 400, "invalid-input")
                self.assertEqual([error["loc"] for error in problem["errors"]], [loc])


class OneJobTests(ApiTestCase):
    """What is asked of one job."""

    def test_show(self) -> None:
        """The job; HEAD has its fields without it."""
        path = self.added(name="x")
        self.assertEqual(self.wire.ask("GET", path).json()["name"], "x")
        head = self.wire.ask("HEAD", path)
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertGreater(int(head.fields["content-length"]), 100)

    def test_unknown(self) -> None:
        """404, whatever is asked of it, and however odd its id."""
        for path in (UNKNOWN, JOBS + "/x", JOBS + "/%00", JOBS + "/FFFFFFFFFFFFFFFF"):
            for method, tail, body in (
                ("GET", "", None), ("PATCH", "", {}), ("DELETE", "", None),
                ("POST", "/pause", None), ("POST", "/resume", None), ("POST", "/retry", None),
                ("GET", "/segments", None), ("GET", "/content", None),
            ):  # fmt: skip
                with self.subTest(path=path, method=method, tail=tail):
                    reply = self.wire.ask(method, path + tail, body)
                    self.assert_problem(reply, 404, "unknown-job")

    def test_change(self) -> None:
        """What is there changes, null is a meaning, the rest stays."""
        path = self.added(priority=1, rate_limit=10, segments=2)
        for body, wishes in (
            ({"priority": 7}, (7, 10, 2)),
            ({"rate_limit": None, "segments": 4}, (7, None, 4)),
            ({"rate_limit": 99}, (7, 99, 4)),
            ({}, (7, 99, 4)),
        ):
            job = self.wire.ask("PATCH", path, body).json()
            self.assertEqual((job["priority"], job["rate_limit"], job["segments"]), wishes)

    def test_change_addresses(self) -> None:
        """Other addresses, each once."""
        path = self.added()
        urls = ["http://a.example/2", "http://b.example/2", "http://a.example/2"]
        job = self.wire.ask("PATCH", path, {"urls": urls}).json()
        self.assertEqual(job["urls"], urls[:2])
        for bad in ([], ["ftp://a/"], "http://a/"):
            self.assert_problem(self.wire.ask("PATCH", path, {"urls": bad}), 400, "invalid-input")

    def test_change_mirror(self) -> None:
        """What a mirror keeps of its folder, field by field."""
        path = self.added(kind="mirror", include=["*.iso"], delete=True)
        for body in ({"exclude": ["old"], "depth": 2}, {"delete": False}, {"depth": None}):
            self.assertEqual(self.wire.ask("PATCH", path, body).status, 200)
        told = self.wire.ask("GET", path).json()["mirror"]
        del told["round"]
        self.assertEqual(
            told, {"include": ["*.iso"], "exclude": ["old"], "depth": None, "delete": False}
        )
        for bad in ({"include": ["/"]}, {"depth": 33}, {"delete": None}, {"exclude": None}):
            self.assert_problem(self.wire.ask("PATCH", path, bad), 400, "invalid-input")

    def test_bad_change(self) -> None:
        """Other fields, and values that cannot be."""
        path = self.added()
        for body in ({"url": URL}, {"priority": None}, {"segments": None}, {"segments": 1.5}, []):
            self.assert_problem(self.wire.ask("PATCH", path, body), 400, "invalid-input")

    def test_steer(self) -> None:
        """Each verb answers with the job after the change; an empty object is no harm."""
        path = self.added()
        for verb, state in (("pause", "paused"), ("resume", "queued")):
            reply = self.wire.ask("POST", f"{path}/{verb}", {})
            self.assertEqual((reply.status, reply.json()["state"]), (200, state))
        self.wire.jobs.become(path.rpartition("/")[2], state=JobState.FAILED)
        self.assertEqual(self.wire.ask("POST", path + "/retry").json()["state"], "queued")

    def test_forbidden_by_state(self) -> None:
        """409 where the state forbids it."""
        path = self.added()
        for verb in ("resume", "retry"):
            self.assert_problem(self.wire.ask("POST", f"{path}/{verb}"), 409, "state-forbids")

    def test_steer_with_fields(self) -> None:
        """Verbs have no fields."""
        reply = self.wire.ask("POST", self.added() + "/pause", {"force": True})
        self.assert_problem(reply, 400, "invalid-input")

    def test_remove(self) -> None:
        """204 and gone; the files go only where that is asked for."""
        for query, deleted in (("", False), ("?files=keep", False), ("?files=delete", True)):
            path = self.added()
            reply = self.wire.ask("DELETE", path + query)
            self.assertEqual((reply.status, reply.body), (204, b""))
            self.assertNotIn("content-type", reply.fields)
            self.assertEqual(self.wire.jobs.deleted[-1][1], deleted)
            self.assertEqual(self.wire.ask("GET", path).status, 404)

    def test_remove_with_a_bad_word(self) -> None:
        """Anything else than keep or delete removes nothing."""
        path = self.added()
        self.assert_problem(self.wire.ask("DELETE", path + "?files=all"), 400, "invalid-input")
        self.assertEqual(self.wire.jobs.deleted, [])

    def test_segments(self) -> None:
        """Offsets, end exclusive, the address without userinfo."""
        path = self.added()
        self.wire.jobs.parts[path.rpartition("/")[2]] = [
            SegmentSnapshot(0, 10, 10, "done"),
            SegmentSnapshot(10, 30, 4, "active", "http://u:p@h/"),
        ]
        self.assertEqual(
            self.wire.ask("GET", path + "/segments").json(),
            {
                "segments": [
                    {"start": 0, "end": 10, "received": 10, "state": "done", "url": None},
                    {"start": 10, "end": 30, "received": 4, "state": "active", "url": "http://h/"},
                ]
            },
        )

    def test_methods(self) -> None:
        """405 names what the path takes."""
        for path, allowed in (
            (UNKNOWN, "DELETE, GET, HEAD, PATCH"),
            (UNKNOWN + "/pause", "POST"),
            (JOBS, "GET, HEAD, POST"),
        ):
            for method in ("PUT", "BREW", "OPTIONS"):
                reply = self.wire.ask(method, path)
                self.assert_problem(reply, 405, "method-not-allowed")
                self.assertEqual(reply.fields["allow"], allowed)


class FaultTests(ApiTestCase):
    """What goes wrong below."""

    def failing(self, fault: Exception) -> Reply:
        """The answer where the journal fails like this."""

        async def fail(specs: Any) -> list[JobSnapshot]:
            raise fault

        self.wire.jobs.add = fail  # type: ignore[method-assign]
        return self.wire.ask("POST", JOBS, {"url": URL})

    def test_storage(self) -> None:
        """A fault of ours has its own status and word."""
        self.assert_problem(self.failing(NoSpace("the disk is full")), 507, "no-space")
        self.assert_problem(self.failing(JournalFault("broken")), 500, "journal")

    def test_unforeseen(self) -> None:
        """What nobody foresaw is logged with its traceback; the caller sees none of it."""
        reply = self.failing(ZeroDivisionError("secret"))
        self.assertEqual((reply.status, reply.fields["content-type"]), (500, PROBLEM))
        self.assertNotIn(b"secret", reply.body)
        self.assertNotIn(b"Zero", reply.body)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
