"""Tests for the routes of the daemon itself, and for the gate, through the real site."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.static import Data

from rangedaemon.control.intake import MAX_BODY, PATIENCE
from rangedaemon.control.models import NewJob
from rangedaemon.control.ports import Place
from rangedaemon.core.jobs import JobState, Live
from tests.control.wire import TOKEN, Wire, request


class DaemonTests(SynchronousTestCase):
    """Health, status, metrics, description, shutdown."""

    def setUp(self) -> None:
        """A fresh site."""
        self.wire = Wire()

    def test_health(self) -> None:
        """200 without a token; 503 while starting or stopping."""
        reply = self.wire.ask("GET", "/healthz", Authorization=None)
        self.assertEqual((reply.status, reply.json()), (200, {"status": "ok"}))
        self.wire.readiness.ready = False
        reply = self.wire.ask("GET", "/healthz", Authorization=None)
        self.assertEqual((reply.status, reply.json()["code"]), (503, "not-ready"))

    def test_status(self) -> None:
        """The contract's five things."""
        self.wire.ask("POST", "/api/v1/jobs", {"url": "http://h/"})
        self.wire.clock.advance(2.5)
        status = self.wire.ask("GET", "/api/v1/status").json()
        self.assertEqual(status["uptime_s"], 2.5)
        self.assertEqual(status["jobs"], {state.value: 0 for state in JobState} | {"queued": 1})
        self.assertEqual((status["rate_in"], status["rate_out"]), (0, 0))
        self.assertEqual(status["config"], "/etc/rangedaemon.yaml")
        self.assertRegex(status["version"], r"^\d+\.\d+")

    def test_places(self) -> None:
        """The served folders, and which of them take uploads."""
        places = [Place("http://h/out"), Place("http://h/in", uploads=True)]
        status = Wire(options={"places": lambda: places}).ask("GET", "/api/v1/status").json()
        self.assertEqual(status["files"], ["http://h/out", "http://h/in"])
        self.assertEqual(status["uploads"], ["http://h/in"])

    def test_metrics(self) -> None:
        """Prometheus' text, with what was answered before."""
        self.wire.ask("POST", "/api/v1/jobs", {"url": "http://h/"})
        self.wire.jobs.become("0" * 15 + "1", state=JobState.ACTIVE, live=Live(rate=7.0))
        self.wire.ask("BREW", "/x")
        reply = self.wire.ask("GET", "/metrics")
        self.assertTrue(reply.fields["content-type"].startswith("text/plain"))
        for line in (
            b'rangedaemon_jobs{state="active"} 1.0',
            b'rangedaemon_jobs{state="queued"} 0.0',
            b'rangedaemon_rate_bytes{direction="in"} 7.0',
            b'rangedaemon_control_requests_total{method="POST",status="201"} 1.0',
            b'rangedaemon_control_requests_total{method="other",status="404"} 1.0',
        ):
            self.assertIn(line + b"\n", reply.body)

    def test_shutdown(self) -> None:
        """202 first, then the stop."""
        reply = self.wire.ask("POST", "/api/v1/shutdown")
        self.assertEqual((reply.status, reply.json()), (202, {"status": "stopping"}))
        self.assertEqual(len(self.wire.shutdowns), 1)

    def test_shutdown_is_not_a_link(self) -> None:
        """GET changes nothing."""
        self.assertEqual(self.wire.ask("GET", "/api/v1/shutdown").status, 405)
        self.assertEqual(self.wire.shutdowns, [])


class GateTests(SynchronousTestCase):
    """What is refused before any route sees it."""

    def setUp(self) -> None:
        """A fresh site."""
        self.wire = Wire()

    def test_without_token(self) -> None:
        """401 says how to ask, and never whether the path is there."""
        for path in ("/api/v1/jobs", "/metrics", "/openapi.json", "/nope"):
            for line in (None, "Bearer wrong-wrong-wrong", f"Basic {TOKEN}"):
                reply = self.wire.ask("GET", path, Authorization=line)
                self.assertEqual((reply.status, reply.json()["code"]), (401, "not-authenticated"))
                self.assertEqual(reply.fields["www-authenticate"], 'Bearer realm="rangedaemon"')

    def test_rebound_name(self) -> None:
        """Another Host is refused, token or not."""
        reply = self.wire.ask("GET", "/healthz", Host="evil.example")
        self.assertEqual((reply.status, reply.json()["code"]), (403, "forbidden"))

    def test_hosts_that_are_ours(self) -> None:
        """Every allowed name reaches the routes."""
        for host in ("localhost:6880", "127.0.0.1", "[::1]:6880", "LOCALHOST."):
            self.assertEqual(self.wire.ask("GET", "/api/v1/jobs", Host=host).status, 200, host)

    def test_any_host(self) -> None:
        """``*`` lets any name in, odd ones too."""
        wire = Wire(options={"allowed_hosts": ["*"]})
        for host in ("a", "x_y.example:1", "a-.b", "xn--.example"):
            self.assertEqual(wire.ask("GET", "/api/v1/jobs", Host=host).status, 200, host)

    def test_page_of_another_site(self) -> None:
        """A browser's request for another page is refused, token or not."""
        for field, value in (("Origin", "http://evil.example"), ("Sec_Fetch_Site", "cross-site")):
            reply = self.wire.ask("POST", "/api/v1/shutdown", **{field: value})
            self.assertEqual(reply.status, 403)
        self.assertEqual(self.wire.shutdowns, [])

    def test_no_cors(self) -> None:
        """No answer invites other origins."""
        reply = self.wire.ask("GET", "/healthz")
        self.assertFalse([name for name in reply.fields if name.startswith("access-control")])
        self.assertEqual(reply.fields["x-content-type-options"], "nosniff")

    def test_large_body(self) -> None:
        """413 for a body beyond the bound; none of it is kept, the connection lives on."""
        connection = self.wire.connect()
        connection.send(request("POST", "/api/v1/jobs", b" " * (MAX_BODY + 1)))
        self.assertEqual(connection.reply().status, 413)
        connection.send(request("GET", "/healthz"))
        self.assertEqual(connection.reply().status, 200)

    def test_large_chunked_body(self) -> None:
        """The same where no length was told."""
        connection = self.wire.connect()
        head = request("POST", "/api/v1/jobs", Transfer_Encoding="chunked")
        block = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        connection.send(head + block * (MAX_BODY // 0x10000 + 1) + b"0\r\n\r\n")
        self.assertEqual(connection.reply().status, 413)

    def test_endless_body(self) -> None:
        """Whoever never stops is cut off."""
        connection = self.wire.connect()
        connection.send(request("POST", "/api/v1/jobs", Transfer_Encoding="chunked"))
        block = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
        for _ in range(PATIENCE * MAX_BODY // 0x100000 + 1):
            connection.send(block)
        self.assertTrue(connection.transport.disconnecting)

    def test_largest_body(self) -> None:
        """A body at the bound is read."""
        body = b'{"url": "http://h/"}'
        reply = self.wire.ask("POST", "/api/v1/jobs", body + b" " * (MAX_BODY - len(body)))
        self.assertEqual(reply.status, 201)

    def test_odd_targets(self) -> None:
        """Targets that are no paths of ours are refused as the caller's fault."""
        for path, status in (
            ("/%FF", 400), ("api/v1/jobs", 400), ("http://localhost/healthz", 400),
            ("/api//v1/jobs", 404), ("/ui/../api/v1/jobs", 404),
            ("/api/v1/jobs/", 200), ("/%00", 404), ("/<x>", 404),
        ):  # fmt: skip
            with self.subTest(path=path):
                self.assertEqual(self.wire.ask("GET", path).status, status)

    def test_two_readings_of_a_path(self) -> None:
        """Where gate and routes might read a path differently, the gate asks for the token."""
        for path in ("//healthz", "//ui/", "/healthz/../api/v1/jobs", "/./healthz"):
            reply = self.wire.ask("GET", path, Authorization=None)
            self.assertIn(reply.status, (401, 404), path)

    def test_branches(self) -> None:
        """Further resources are reached behind the same gate."""
        wire = Wire(options={"branches": {b"ui": _page()}})
        reply = wire.ask("GET", "/ui/app.js", Authorization=None)
        self.assertEqual((reply.status, reply.body), (200, b"script"))
        self.assertEqual(wire.ask("GET", "/ui/app.js", Host="evil").status, 403)


def _page() -> Data:
    page = Data(b"page", "text/html")
    page.putChild(b"app.js", Data(b"script", "text/javascript"))
    return page


VISIBLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=40)
FIELD_TEXT = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=40)
METHODS = st.sampled_from(["GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "OPTIONS", "BREW"])
PATHS = st.sampled_from(
    ["/api/v1/jobs", "/api/v1/jobs/0000000000000001", "/api/v1/jobs/0000000000000001/pause"]
)


JOB_FIELDS = list(NewJob.model_fields)


class AnyInputTests(SynchronousTestCase):
    """No input makes the site fail."""

    def assert_no_failure(self, octets: bytes) -> None:
        """*octets* are answered by something below 500, or by a closed connection."""
        wire = Wire()
        connection = wire.connect()
        connection.send(octets)
        answer = connection.received()
        if answer:
            self.assertLess(int(answer[9:12]), 500, answer[:200])
        self.assertEqual(self.flushLoggedErrors(), [])

    @settings(max_examples=60, deadline=None)
    @given(METHODS, PATHS, st.binary(max_size=200))
    def test_any_body(self, method: str, path: str, body: bytes) -> None:
        """Any octets as a body."""
        self.assert_no_failure(request(method, path, body))

    @settings(max_examples=60, deadline=None)
    @given(METHODS, VISIBLE)
    def test_any_path(self, method: str, path: str) -> None:
        """Any visible characters as a target."""
        self.assert_no_failure(request(method, "/" + path))
        self.assert_no_failure(request(method, path or "/"))

    @settings(max_examples=60, deadline=None)
    @given(VISIBLE)
    def test_any_query(self, query: str) -> None:
        """Any visible characters as a query."""
        self.assert_no_failure(request("GET", "/api/v1/jobs?" + query))
        self.assert_no_failure(request("GET", "/api/v1/jobs?cursor=" + query))

    @settings(max_examples=60, deadline=None)
    @given(FIELD_TEXT, FIELD_TEXT, FIELD_TEXT, FIELD_TEXT)
    def test_any_fields(self, host: str, authorization: str, origin: str, last: str) -> None:
        """Any text in the fields that are looked at."""
        for fields in (
            {"Host": host}, {"Authorization": authorization}, {"Origin": origin},
            {"Content-Type": origin}, {"Sec-Fetch-Site": host}, {"Last-Event-ID": last},
        ):  # fmt: skip
            self.assert_no_failure(request("GET", "/api/v1/events", **fields))

    @settings(max_examples=60, deadline=None)
    @given(st.binary(max_size=300))
    def test_any_octets(self, octets: bytes) -> None:
        """Any octets instead of a request."""
        self.assert_no_failure(octets + b"\r\n\r\n")

    @settings(max_examples=100, deadline=None)
    @given(
        st.dictionaries(
            st.sampled_from(
                JOB_FIELDS
            ),
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.text(max_size=20)
                | st.sampled_from(["http://h/", "sha-256=" + "0" * 64, "rename"]),
                lambda inner: st.lists(inner, max_size=3)
                | st.dictionaries(st.text(max_size=5), inner, max_size=3),
                max_leaves=5,
            ),
        )
    )  # fmt: skip
    def test_any_values(self, body: dict[str, object]) -> None:
        """Any values in the known fields."""
        self.assert_no_failure(request("POST", "/api/v1/jobs", json.dumps(body).encode()))
