"""Tests for the WebSocket at ``/jsonrpc``: requests, notifications, bounds."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from wsproto import Connection as Frames
from wsproto import ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage

from rangedaemon.control.aria2.dispatch import PENALTY
from rangedaemon.control.intake import MAX_BODY
from rangedaemon.control.tokens import Principal, Scope
from rangedaemon.core.jobs import JobState
from tests.control.wire import TOKEN, Connection, Wire, request

SECRET = f"token:{TOKEN}"
HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Authorization": None,
}


class Socket:
    """A client's end of a WebSocket."""

    def __init__(self, wire: Wire, **fields: str) -> None:
        self.wire = wire
        self.connection: Connection = wire.connect()
        self.connection.send(request("GET", "/jsonrpc", **{**HANDSHAKE, **fields}))
        self.head = self.connection.received()
        self.frames = Frames(ConnectionType.CLIENT)

    @property
    def status(self) -> int:
        """The status of the handshake."""
        return int(self.head[9:12])

    def send(self, event: Any) -> None:
        """Send a frame."""
        self.connection.send(self.frames.send(event))

    def ask(self, method: str, *params: Any, **more: Any) -> None:
        """Send a call."""
        call = {"id": 1, "method": method, "params": [*params], **more}
        self.send(TextMessage(data=json.dumps(call)))

    def events(self) -> list[Any]:
        """What came since."""
        self.frames.receive_data(self.connection.received())
        return list(self.frames.events())

    def messages(self) -> list[Any]:
        """The messages that came since, as JSON."""
        texts = [event for event in self.events() if isinstance(event, TextMessage)]
        return [json.loads(event.data) for event in texts]


class SocketTests(SynchronousTestCase):
    """A WebSocket session."""

    def setUp(self) -> None:
        """A site."""
        self.wire = Wire()

    def socket(self, **fields: str) -> Socket:
        """An open session."""
        socket = Socket(self.wire, **fields)
        self.assertEqual(socket.status, 101, socket.head)
        return socket

    def authorized(self) -> Socket:
        """A session that has shown the token."""
        socket = self.socket()
        socket.ask("aria2.getVersion", SECRET)
        self.assertEqual(len(socket.messages()), 1)
        return socket

    def finish_a_job(self) -> str:
        """A job that starts, and fails."""
        reply = self.wire.ask("POST", "/api/v1/jobs", {"url": "http://h/"})
        gid = str(reply.json()["id"])
        self.wire.jobs.become(gid, state=JobState.PROBING)
        self.wire.jobs.become(gid, state=JobState.ACTIVE)
        self.wire.jobs.become(gid, state=JobState.FAILED)
        return gid

    def test_call(self) -> None:
        """As by POST; in a binary frame too; a batch too."""
        socket = self.socket()
        socket.ask("aria2.saveSession", SECRET)
        socket.send(BytesMessage(data=b'{"id": 2, "method": "system.listMethods"}'))
        socket.send(TextMessage(data='[{"id": 3, "method": "system.listMethods"}]'))
        first, second, third = socket.messages()
        self.assertEqual((first["id"], first["result"]), (1, "OK"))
        self.assertEqual((second["id"], third[0]["id"]), (2, 3))

    def test_broken(self) -> None:
        """What is no call is answered; the session lives on."""
        socket = self.socket()
        for text in ("{", "5", "\x00"):
            socket.send(TextMessage(data=text))
        socket.ask("aria2.saveSession", SECRET)
        codes = [message.get("error", {}).get("code") for message in socket.messages()]
        self.assertEqual(codes, [-32700, -32600, -32700, None])

    def test_in_order(self) -> None:
        """A held-back answer holds back the next ones."""
        socket = self.socket()
        socket.ask("aria2.saveSession", "token:wrong")
        socket.ask("aria2.saveSession", SECRET)
        self.assertEqual(socket.messages(), [])
        self.wire.clock.advance(PENALTY)
        refused, done = socket.messages()
        self.assertEqual(refused["error"]["message"], "Unauthorized")
        self.assertEqual(done["result"], "OK")

    def test_notifications(self) -> None:
        """Start and end of what runs, once each, to who has shown the token."""
        socket, stranger = self.authorized(), self.socket()
        stranger.ask("aria2.getVersion", "token:wrong")
        gid = self.finish_a_job()
        told = socket.messages()
        self.assertEqual(
            [message["method"] for message in told],
            ["aria2.onDownloadStart", "aria2.onDownloadError"],
        )
        self.assertEqual(told[0]["params"], [{"gid": gid}])
        self.assertEqual(stranger.messages(), [])

    def test_revoked(self) -> None:
        """A session whose token is gone is told nothing more, and may do nothing more."""
        socket = self.socket(Authorization=f"Bearer {TOKEN}")
        socket.ask("aria2.getVersion")
        self.assertEqual(len(socket.messages()), 1)
        self.wire.site.change_access(
            [("another-token-another", Principal("x", Scope.ADMIN))], ["127.0.0.1"], ()
        )
        socket.ask("aria2.getVersion")
        self.wire.clock.advance(PENALTY)
        (refused,) = socket.messages()
        self.assertEqual(refused["error"]["message"], "Unauthorized")
        other = {"Authorization": "Bearer another-token-another"}
        self.wire.ask("POST", "/api/v1/jobs", {"url": "http://h/"}, **other)
        gid = next(iter(self.wire.jobs.jobs))
        self.wire.jobs.become(gid, state=JobState.PROBING)
        self.wire.jobs.become(gid, state=JobState.ACTIVE)
        self.assertEqual(socket.messages(), [])

    def test_bearer_is_enough(self) -> None:
        """A token in the handshake's field opens calls and notifications."""
        socket = self.socket(Authorization=f"Bearer {TOKEN}")
        self.finish_a_job()
        socket.ask("aria2.saveSession")
        self.assertEqual(len(socket.messages()), 3)

    def test_strangers_where_configured(self) -> None:
        """``notify_strangers`` tells everybody."""
        self.wire = Wire(options={"notify_strangers": True})
        socket = self.socket()
        self.finish_a_job()
        self.assertEqual(len(socket.messages()), 2)

    def test_every_end(self) -> None:
        """Pause, completion and removal of what runs each have a name."""
        socket = self.authorized()
        for state, word in ((JobState.PAUSED, "Pause"), (JobState.COMPLETE, "Complete")):
            gid = self.wire.ask("POST", "/api/v1/jobs", {"url": "http://h/"}).json()["id"]
            self.wire.jobs.become(gid, state=JobState.ACTIVE)
            self.wire.jobs.become(gid, state=state)
            methods = [message["method"] for message in socket.messages()]
            self.assertEqual(methods, ["aria2.onDownloadStart", f"aria2.onDownload{word}"])
        self.wire.jobs.become(gid, state=JobState.ACTIVE)
        self.wire.ask("DELETE", f"/api/v1/jobs/{gid}")
        self.assertEqual(socket.messages()[-1]["method"], "aria2.onDownloadStop")

    def test_nothing_of_the_queue(self) -> None:
        """Adding, pausing and removing what waits is not told."""
        socket = self.authorized()
        path = self.wire.ask("POST", "/api/v1/jobs", {"url": "http://h/"}).fields["location"]
        self.wire.ask("POST", path + "/pause")
        self.wire.ask("DELETE", path)
        self.assertEqual(socket.messages(), [])

    def test_handshakes(self) -> None:
        """Other versions, other hosts, other pages, no key."""
        for fields, status in (
            ({"Sec-WebSocket-Version": "8"}, 426),
            ({"Host": "evil.example"}, 403),
            ({"Origin": "http://evil.example"}, 403),
            ({"Sec-WebSocket-Key": ""}, 400),
        ):
            self.assertEqual(Socket(self.wire, **fields).status, status, fields)
        self.flushLoggedErrors()

    def test_endless_message(self) -> None:
        """A message without end is cut off at the bound."""
        socket = self.socket()
        part = TextMessage(data="x" * 65536, message_finished=False)
        for _ in range(MAX_BODY // 65536 + 1):
            socket.send(part)
        self.assertTrue(socket.connection.transport.aborted)

    def test_backlog(self) -> None:
        """Whoever asks without waiting for answers is cut off at the bound."""
        socket = self.socket()
        socket.ask("aria2.saveSession", "token:wrong")
        for _ in range(40):
            if not socket.connection.transport.aborted:
                socket.ask("aria2.saveSession", "x" * 200_000)
        self.assertTrue(socket.connection.transport.aborted)

    def test_does_not_read(self) -> None:
        """Requests of a session that does not read wait; a notification cuts it off."""
        socket = self.authorized()
        socket.connection.transport.producer.pauseProducing()
        socket.ask("aria2.saveSession", SECRET)
        self.assertEqual(socket.messages(), [])
        socket.connection.transport.producer.resumeProducing()
        self.assertEqual(len(socket.messages()), 1)
        socket.connection.transport.producer.pauseProducing()
        self.finish_a_job()
        self.assertTrue(socket.connection.transport.aborted)

    def test_ping_and_close(self) -> None:
        """Answered as RFC 6455 wants; afterwards nothing is sent."""
        socket = self.authorized()
        socket.send(Ping(payload=b"x"))
        self.assertEqual(socket.events()[0].payload, b"x")
        socket.send(CloseConnection(code=1000))
        self.assertIsInstance(socket.events()[0], CloseConnection)
        self.finish_a_job()
        self.assertEqual(socket.connection.received(), b"")

    def test_peer_goes(self) -> None:
        """A connection that is lost leaves nothing behind, and no error."""
        socket = self.socket()
        socket.ask("aria2.saveSession", "token:wrong")
        socket.connection.hang_up()
        self.wire.clock.advance(PENALTY)
        self.finish_a_job()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_site_stops(self) -> None:
        """Sessions are closed with 1001, and the jobs are listened to no more."""
        socket = self.authorized()
        self.wire.site.doStart()
        self.wire.site.doStop()
        [closed] = socket.events()
        self.assertEqual(closed.code, 1001)
        self.assertEqual(self.wire.jobs.listeners, [])
