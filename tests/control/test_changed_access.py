"""Tokens and hosts that change, a reload that is asked for, the end of the control site."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.control.tokens import Keyring, Principal, Scope
from rangedaemon.errors import BadConfiguration, Complaint
from tests.control.wire import TOKEN, Connection, Wire, request

OTHER = "another-token-another"
OWNER = Principal("control", Scope.ADMIN)
HOSTS = ["127.0.0.1"]


class HoldsTests(SynchronousTestCase):
    """`Keyring.holds`."""

    def test_same_token(self) -> None:
        """Whoever keeps name and token stays known, whatever else changes."""
        ring = Keyring([(TOKEN, OWNER)])
        admitted = ring.admit(TOKEN)
        assert admitted is not None
        ring.replace([(TOKEN, Principal("control", Scope.ADMIN)), (OTHER, OWNER)])
        self.assertTrue(ring.holds(admitted))

    def test_other_token(self) -> None:
        """The same name with another token is somebody else."""
        ring = Keyring([(TOKEN, OWNER)])
        admitted = ring.admit(TOKEN)
        assert admitted is not None
        ring.replace([(OTHER, Principal("control", Scope.ADMIN))])
        self.assertFalse(ring.holds(admitted))
        self.assertFalse(ring.holds(Principal("control", Scope.ADMIN)))


class AccessTests(SynchronousTestCase):
    """`ControlSite.change_access`."""

    def setUp(self) -> None:
        """A site."""
        self.wire = Wire()

    def begin(self, path: str, token: str = TOKEN) -> Connection:
        """An answer that is under way."""
        connection = self.wire.connect()
        connection.send(request("GET", path, Authorization=f"Bearer {token}"))
        self.assertTrue(connection.received())
        return connection

    def test_streams(self) -> None:
        """The stream of a token that is gone is cut, that of another one is not."""
        self.wire.site.change_access([(TOKEN, OWNER), (OTHER, OWNER)], HOSTS, ())
        streams = [self.begin("/api/v1/events", token) for token in (TOKEN, OTHER)]
        self.wire.site.change_access([(OTHER, OWNER)], HOSTS, ())
        self.assertEqual([stream.transport.aborted for stream in streams], [True, False])
        self.assertEqual(
            self.wire.ask("GET", "/api/v1/status", Authorization=f"Bearer {OTHER}").status, 200
        )

    def test_scope(self) -> None:
        """A token that may do less from now on."""
        self.wire.site.change_access([(TOKEN, Principal("control", Scope.READ))], HOSTS, ())
        self.assertEqual(self.wire.ask("GET", "/api/v1/status").status, 200)
        self.assertEqual(self.wire.ask("POST", "/api/v1/reload").status, 403)

    def test_hosts(self) -> None:
        """Names that requests may use."""
        self.wire.site.change_access([(TOKEN, OWNER)], ["Box.example."], ())
        self.assertEqual(self.wire.ask("GET", "/api/v1/status").status, 403)
        reply = self.wire.ask("GET", "/api/v1/status", Host="box.example:1")
        self.assertEqual(reply.status, 200)


class ReloadTests(SynchronousTestCase):
    """``POST /api/v1/reload``."""

    def site(self, answer: Sequence[str] | Exception) -> Wire:
        """A site whose daemon answers so."""

        async def reload() -> Sequence[str]:
            if isinstance(answer, Exception):
                raise answer
            return answer

        return Wire(options={"reload": reload})

    def test_done(self) -> None:
        """What has changed."""
        reply = self.site(["server.mounts"]).ask("POST", "/api/v1/reload")
        self.assertEqual((reply.status, reply.json()), (200, {"changed": ["server.mounts"]}))

    def test_refused(self) -> None:
        """422, and every problem with its place."""
        fault = BadConfiguration([Complaint("server.mounts", "must be a list")])
        reply = self.site(fault).ask("POST", "/api/v1/reload")
        self.assertEqual((reply.status, reply.json()["code"]), (422, "bad-configuration"))
        self.assertEqual(
            reply.json()["errors"], [{"loc": "server.mounts", "msg": "must be a list"}]
        )

    def test_body(self) -> None:
        """It takes none."""
        reply = self.site([]).ask("POST", "/api/v1/reload", {"file": "x"})
        self.assertEqual(reply.status, 400)

    def test_no_file(self) -> None:
        """A daemon without a file has nothing to read again."""
        self.assertEqual(Wire().ask("POST", "/api/v1/reload").status, 409)


class DrainTests(SynchronousTestCase):
    """`ControlSite.drain`."""

    def setUp(self) -> None:
        """A site whose reload takes until the test says so."""
        self.asked: list[Deferred[Any]] = []

        async def reload() -> Sequence[str]:
            waiting: Deferred[Any] = Deferred()
            self.asked.append(waiting)
            await waiting
            return []

        self.wire = Wire(options={"reload": reload})

    def begin(self) -> Connection:
        """A request that is being answered."""
        connection = self.wire.connect()
        connection.send(request("POST", "/api/v1/reload"))
        return connection

    def drain(self) -> Deferred[None]:
        """The end begins."""
        return Deferred.fromCoroutine(self.wire.site.drain(10.0))

    def test_finishes(self) -> None:
        """What was begun is answered, what comes meanwhile is told to come later."""
        connection = self.begin()
        drained = self.drain()
        late = self.wire.ask("GET", "/api/v1/status")
        self.assertEqual((late.status, late.json()["code"]), (503, "not-ready"))
        self.assertIn("retry-after", late.fields)
        self.assertNoResult(drained)
        self.asked[0].callback(None)
        self.assertEqual(connection.reply().status, 200)
        self.successResultOf(drained)

    def test_deadline(self) -> None:
        """Who takes too long is not waited for."""
        self.begin()
        drained = self.drain()
        self.wire.clock.advance(9.9)
        self.assertNoResult(drained)
        self.wire.clock.advance(0.2)
        self.successResultOf(drained)

    def test_hastened(self) -> None:
        """Who is left can be cut off at once."""
        connection = self.begin()
        drained = self.drain()
        self.wire.site.hasten()
        self.assertTrue(connection.transport.aborted)
        connection.hang_up()
        self.successResultOf(drained)

    def test_streams(self) -> None:
        """Streams of events end, and are not waited for."""
        stream = self.wire.connect()
        stream.send(request("GET", "/api/v1/events"))
        self.successResultOf(self.drain())
        self.assertTrue(stream.received().endswith(b"0\r\n\r\n"))
