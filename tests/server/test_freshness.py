"""Files that change between, before and during answers."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from rangedaemon.core.identity import FINE_TICK
from rangedaemon.server.hot import KEPT_SECONDS
from rangedaemon.server.mounts import Mount
from rangedaemon.server.site import build_site
from rangedaemon.storage.threads import inline
from tests.server.wire import WireTestCase, parse_replies

GET = b"GET /files/f HTTP/1.1\r\nHost: h\r\n\r\n"


class ChangedBetweenTests(WireTestCase):
    """A tag never stands for two versions."""

    def test_replaced_within_a_tick(self) -> None:
        """Another file of equal size and mtime under the same name has another tag."""
        path = self.put("f", b"one")
        tag = self.ask("/files/f").fields["ETag"]
        other = self.root / "other"
        other.write_bytes(b"two")
        found = path.stat()
        os.utime(other, ns=(found.st_atime_ns, found.st_mtime_ns))
        other.replace(path)
        reply = self.ask("/files/f", range="bytes=0-0", if_range=tag)
        self.assertEqual((reply.status, reply.body), (200, b"two"))
        self.assertEqual(self.ask("/files/f", if_none_match=tag).status, 200)
        self.assertEqual(self.ask("/files/f", if_match=tag).status, 412)

    def test_rewritten_with_its_mtime_kept(self) -> None:
        """Written in place, equal size, mtime set back: ctime tells."""
        path = self.put("f", b"one")
        tag = self.ask("/files/f").fields["ETag"]
        found = path.stat()
        with path.open("r+b") as stream:
            stream.write(b"two")
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
        self.at(path, 3600)
        reply = self.ask("/files/f", range="bytes=0-0", if_range=tag)
        self.assertEqual((reply.status, reply.body), (200, b"two"))

    def test_young_date_is_weak(self) -> None:
        """A date under a minute old joins no parts; a minute later it does."""
        path = self.put("f", b"one", age=30)
        date = self.ask("/files/f").fields["Last-Modified"]
        self.assertEqual(self.ask("/files/f", range="bytes=0-0", if_range=date).status, 200)
        self.at(path, 61)
        self.assertEqual(self.ask("/files/f", range="bytes=0-0", if_range=date).status, 206)

    def test_date_never_ahead(self) -> None:
        """A file from the future was last modified now, at the latest."""
        path = self.put("f", b"one")
        os.utime(path, (self.clock.seconds() + 86400,) * 2)
        reply = self.ask("/files/f")
        self.assertEqual(reply.fields["Last-Modified"], reply.fields["Date"])


class WrittenJustNowTests(WireTestCase):
    """A file written a moment ago is answered for once its tick is over."""

    def test_waits_for_the_tick(self) -> None:
        """The answer comes after at most a tenth of a second, with a strong tag."""
        self.put("f", b"one", age=0.01)
        protocol, transport = self.connect()
        protocol.dataReceived(GET)
        self.assertEqual(transport.value(), b"")
        self.clock.advance(FINE_TICK)
        reply = parse_replies(transport.value(), ["GET"])[0]
        self.assertEqual((reply.status, reply.body), (200, b"one"))
        self.assertTrue(reply.fields["ETag"].startswith('"'))

    def test_sends_what_is_there_after_the_wait(self) -> None:
        """A write in the meantime is in the answer, and in its tag."""
        path = self.put("f", b"one", age=0.01)
        protocol, transport = self.connect()
        protocol.dataReceived(GET)
        path.write_bytes(b"other")
        self.clock.rightNow = path.stat().st_ctime_ns / 1e9 + 5
        self.clock.advance(FINE_TICK)
        reply = parse_replies(transport.value(), ["GET"])[0]
        self.assertEqual(reply.body, b"other")
        self.assertEqual(reply.fields["ETag"], self.ask("/files/f").fields["ETag"])

    def test_always_written(self) -> None:
        """A file that never settles is served with a weak tag that nothing is matched by."""
        path = self.put("f", b"one", age=0.01)
        moment = self.clock.seconds()
        self.site = build_site(
            [Mount("/files", self.root)], clock=self.clock, in_thread=inline, now=lambda: moment
        )
        protocol, transport = self.connect()
        protocol.dataReceived(GET)
        self.clock.advance(FINE_TICK)
        tag = parse_replies(transport.value(), ["GET"])[0].fields["ETag"]
        self.serve()
        self.assertTrue(tag.startswith('W/"'), tag)
        self.at(path, 3600)
        self.assertEqual(self.ask("/files/f", if_none_match=tag).status, 200)
        self.assertEqual(self.ask("/files/f", range="bytes=0-0", if_range=tag).status, 200)

    def test_peer_leaves_while_we_wait(self) -> None:
        """Nothing is sent, nothing fails, no descriptor stays open."""
        self.put("f", b"one", age=0.01)
        before = len(os.listdir("/proc/self/fd"))
        protocol, transport = self.connect()
        protocol.dataReceived(GET)
        protocol.connectionLost(_lost())
        self.clock.advance(FINE_TICK)
        self.assertEqual(transport.value(), b"")
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)


def _lost() -> Failure:
    return Failure(ConnectionLost())


class ChangedWhileSentTests(WireTestCase):
    """A file that changes under an answer ends it short; what is sent was promised."""

    def setUp(self) -> None:
        """A thread that works only when it is told to."""
        self.jobs: list[tuple[Deferred[Any], Any, tuple[object, ...]]] = []
        super().setUp()
        self.site = build_site(
            [Mount("/files", self.root)],
            clock=self.clock,
            in_thread=self.later,
            now=self.clock.seconds,
        )
        self.content = os.urandom(1 << 20)
        self.path = self.put("f", self.content)
        self.protocol, self.transport = self.connect()
        self.protocol.dataReceived(GET)

    def later(self, function: Any, /, *args: object) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()
        self.jobs.append((done, function, args))
        return done

    def work(self, most: int = 1000) -> None:
        """Do what the threads have to do."""
        while self.jobs and most:
            most -= 1
            done, function, args = self.jobs.pop(0)
            maybeDeferred(function, *args).chainDeferred(done)

    def until_body(self) -> None:
        """Run until some of the body is out."""
        while len(self.transport.value()) < 5000:
            self.work(1)

    def body(self) -> bytes:
        return bytes(self.transport.value().partition(b"\r\n\r\n")[2])

    def test_undisturbed(self) -> None:
        """All octets, and the connection stays."""
        self.work()
        self.assertEqual(self.body(), self.content)
        self.assertFalse(self.transport.disconnecting)

    def test_truncated(self) -> None:
        """Short, closed, and nothing padded."""
        self.until_body()
        os.truncate(self.path, 100_000)
        self.work()
        self.assertTrue(self.transport.disconnecting)
        self.assertLess(len(self.body()), len(self.content))
        self.assertTrue(self.content.startswith(self.body()))

    def test_rewritten(self) -> None:
        """An edit in place of equal size: the body is not completed."""
        self.until_body()
        with self.path.open("r+b") as stream:
            stream.seek(-10, os.SEEK_END)
            stream.write(b"0123456789")
        self.work()
        self.assertTrue(self.transport.disconnecting)
        self.assertLess(len(self.body()), len(self.content))

    def test_grown(self) -> None:
        """What is added is not sent; what was promised is."""
        self.until_body()
        with self.path.open("ab") as stream:
            stream.write(b"more")
        self.work()
        self.assertEqual(self.body(), self.content)

    def test_replaced(self) -> None:
        """A rename over the name leaves us the old file, whole."""
        self.until_body()
        other = self.root / "other"
        other.write_bytes(b"new")
        other.replace(self.path)
        self.work()
        self.assertEqual(self.body(), self.content)

    def test_peer_leaves(self) -> None:
        """The file is let go of, and nothing fails."""
        before = len(os.listdir("/proc/self/fd"))
        self.until_body()
        self.protocol.connectionLost(_lost())
        self.work()
        self.clock.advance(KEPT_SECONDS)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
