"""Wrong tokens at the real site: how long each is held, what becomes of the connections."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.control.tokens import Keyring, Principal, Scope
from rangedaemon.core.patience import FREE, HELD_PER_PEER, LONGEST
from tests.control.aria2.test_sessions import Socket
from tests.control.wire import TOKEN, Connection, Wire, request

WRONG = "Bearer wrong-wrong-wrong-wrong"


class GuessTests(SynchronousTestCase):
    """Guessing tokens is slow, and costs nobody else anything."""

    def setUp(self) -> None:
        """A site where the free mistakes are used up."""
        self.wire = Wire()
        for _ in range(FREE):
            self.assertEqual(
                self.wire.ask("GET", "/api/v1/status", Authorization=WRONG).status, 401
            )

    def guess(self) -> Connection:
        """A wrong token on a connection of its own."""
        connection = self.wire.connect()
        connection.send(request("GET", "/api/v1/status", Authorization=WRONG))
        return connection

    def test_held_back(self) -> None:
        """The refusal comes after a second, the next one after two."""
        for seconds in (1.0, 2.0):
            connection = self.guess()
            self.wire.clock.advance(seconds - 0.01)
            self.assertEqual(connection.transport.value(), b"")
            self.wire.clock.advance(0.01)
            self.assertEqual(connection.reply().status, 401)

    def test_right_token_is_not(self) -> None:
        """While a peer's guesses wait, the right token of the same address is served at once."""
        for _ in range(3 * HELD_PER_PEER):
            self.guess()
        self.assertEqual(self.wire.ask("GET", "/api/v1/status").status, 200)

    def test_missing_token_is_not(self) -> None:
        """Who shows no token guesses nothing."""
        for _ in range(3 * FREE):
            self.assertEqual(self.wire.ask("GET", "/metrics", Authorization=None).status, 401)

    def test_too_many(self) -> None:
        """More at once than are held: 429 with Retry-After, and the connection is closed."""
        for _ in range(HELD_PER_PEER):
            self.guess()
        connection = self.guess()
        reply = connection.reply()
        self.assertEqual((reply.status, reply.json()["code"]), (429, "too-many-failures"))
        self.assertEqual(reply.fields["retry-after"], "30")
        self.assertTrue(connection.transport.disconnecting)

    def test_caller_goes(self) -> None:
        """A guess whose caller hangs up is held no more, and leaves no error."""
        for _ in range(2 * HELD_PER_PEER):
            self.guess().hang_up()
        connection = self.guess()
        self.wire.clock.advance(LONGEST)
        self.assertEqual(connection.reply().status, 401)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_rpc(self) -> None:
        """RPC shares the bound: so many wait for their second, the next one is refused at once."""
        call = json.dumps({"id": 1, "method": "aria2.getVersion", "params": ["token:no"]}).encode()
        for expected in [*[b""] * HELD_PER_PEER, b"HTTP/1.1 429"]:
            connection = self.wire.connect()
            connection.send(request("POST", "/jsonrpc", call, Authorization=None))
            self.assertEqual(connection.transport.value()[:12], expected)
        self.assertTrue(connection.transport.disconnecting)

    def test_sockets(self) -> None:
        """A WebSocket that would be one too many to wait is cut off."""
        sockets = [Socket(self.wire) for _ in range(HELD_PER_PEER + 1)]
        for socket in sockets:
            socket.ask("aria2.getVersion", "token:no")
        aborted = [socket.connection.transport.aborted for socket in sockets]
        self.assertEqual(aborted, [False] * HELD_PER_PEER + [True])


class ScopeTests(SynchronousTestCase):
    """Several tokens at the real site."""

    def test_scopes_and_revocation(self) -> None:
        """Each does what its scope allows; one that is replaced is void at once."""
        reader = Principal("eyes", Scope.READ)
        ring = Keyring([(TOKEN, Principal("all", Scope.ADMIN)), ("r" * 16, reader)])
        wire = Wire(options={"keyring": ring})
        body = {"url": "http://h/"}
        for token, method, status in (
            (TOKEN, "POST", 201), ("r" * 16, "POST", 403), ("r" * 16, "GET", 200),
        ):  # fmt: skip
            fields = {"Authorization": f"Bearer {token}"}
            asked = body if method == "POST" else None
            self.assertEqual(wire.ask(method, "/api/v1/jobs", asked, **fields).status, status)
        ring.replace([(TOKEN, Principal("all", Scope.ADMIN))])
        fields = {"Authorization": f"Bearer {'r' * 16}"}
        self.assertEqual(wire.ask("GET", "/api/v1/jobs", **fields).status, 401)


class EventStreamDoorTests(SynchronousTestCase):
    """The event stream is guarded like everything else."""

    def test_refused(self) -> None:
        """No stream for another Host, another page, or without a token."""
        wire = Wire()
        for fields, status in (
            ({"Host": "evil.example"}, 403),
            ({"Origin": "http://evil.example"}, 403),
            ({"Origin": "null"}, 403),
            ({"Sec_Fetch_Site": "cross-site"}, 403),
            ({"Authorization": None}, 401),
        ):
            reply = wire.ask("GET", "/api/v1/events", **fields)
            self.assertEqual(reply.status, status, fields)
            self.assertEqual(reply.fields["content-type"], "application/problem+json")
