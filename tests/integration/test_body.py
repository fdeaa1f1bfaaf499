"""Bodies on real sockets: what a peer gets, and when it is told that it did not get all."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable

from twisted.internet.defer import DeferredList
from twisted.internet.threads import deferToThread
from twisted.web.server import Site

from rangedaemon.server import body, sendfile, shift
from rangedaemon.server.body import FileSlice
from rangedaemon.server.shift import Slots, send_for_a_while
from tests.integration.body_case import MIB, BodyCase, reactor, read_to_end


class WholeTests(BodyCase):
    """Peers that get everything."""

    async def test_whole_file(self) -> None:
        """Every octet arrives, in order."""
        self.assertEqual(await deferToThread(self.fetch), self.octets)
        self.assertEqual(await self.outcome(), "sent")

    async def test_several_at_once(self) -> None:
        """Connections do not disturb each other."""
        bodies = await DeferredList([deferToThread(self.fetch) for _ in range(4)])
        self.assertEqual([octets == self.octets for _, octets in bodies], [True] * 4)

    async def test_not_in_memory(self) -> None:
        """A file that the kernel has forgotten is read anew."""
        descriptor = os.open(self.path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
        self.assertEqual(await deferToThread(self.fetch), self.octets)

    async def test_parts_in_order(self) -> None:
        """Octets between slices, and slices large and small, keep their places."""
        edges = [(5, 9 * MIB + 1), (23 * MIB, 23 * MIB + 70_000), (3, 4), (10 * MIB, 20 * MIB)]
        self.choose = lambda opened: (
            [
                part
                for start, stop in edges
                for part in (b"--%d--" % start, FileSlice(opened.fd, start, stop))
            ]
            + [b"--end--"]
        )
        wanted = b"".join(b"--%d--" % a + self.octets[a:b] for a, b in edges) + b"--end--"
        self.assertEqual(await deferToThread(self.fetch), wanted)

    async def test_pipelined(self) -> None:
        """Answers to requests that came together follow each other on one connection."""
        (self.root / "small").write_bytes(b"small octets")

        def peer() -> bytes:
            with self.connect() as connection:
                for path in ("/f", "/small", "/f"):
                    self.ask(connection, path, close=False)
                self.ask(connection, "/small")
                return read_to_end(connection)

        replies = (await deferToThread(peer)).split(b"HTTP/1.1 200 OK\r\n")[1:]
        bodies = [reply.partition(b"\r\n\r\n")[2] for reply in replies]
        self.assertEqual([len(body) for body in bodies], [24 * MIB, 12, 24 * MIB, 12])
        self.assertEqual(bodies, [self.octets, b"small octets"] * 2)

    async def test_beyond_4_gib(self) -> None:
        """Offsets have no limit of 32 bits."""
        at = 5 * 1024 * MIB
        with self.path.open("r+b") as file:
            file.truncate(at + 1_000_000)
            file.seek(at)
            file.write(self.octets[:300_000])
        self.choose = lambda opened: [FileSlice(opened.fd, at - 7, at + 300_000)]
        self.assertEqual(await deferToThread(self.fetch), bytes(7) + self.octets[:300_000])

    async def test_empty(self) -> None:
        """Nothing is sent of an empty file, and the answer ends."""
        self.path.write_bytes(b"")
        self.assertEqual(await deferToThread(self.fetch), b"")
        self.assertEqual(await self.outcome(), "sent")

    async def test_log_counts_all(self) -> None:
        """The access log gets the octets that were sent, whatever way they went."""
        seen: list[int] = []
        self.patch(Site, "log", lambda _self, request: seen.append(request.sentLength))
        await deferToThread(self.fetch)
        self.assertEqual(seen, [len(self.octets)])


class MovingFileTests(BodyCase):
    """Files that do not hold still."""

    async def test_cut_short(self) -> None:
        """A file that is truncated ends the answer short, without padding."""
        await self.assert_cut(lambda: os.truncate(self.path, 20 * MIB))

    async def test_rewritten(self) -> None:
        """Octets written over old ones never complete an answer."""

        def overwrite() -> None:
            with self.path.open("r+b") as file:
                file.write(b"new")

        await self.assert_cut(overwrite)

    async def test_written_anew_and_longer(self) -> None:
        """A file that was emptied and is now longer has not grown: it is another."""
        await self.assert_cut(lambda: self.path.write_bytes(os.urandom(25 * MIB)))

    async def test_rewritten_with_old_time(self) -> None:
        """Setting the time back hides nothing."""

        def overwrite() -> None:
            before = self.path.stat()
            with self.path.open("r+b") as file:
                file.seek(23 * MIB)
                file.write(b"new")
            os.utime(self.path, ns=(before.st_atime_ns, before.st_mtime_ns))

        await self.assert_cut(overwrite)

    async def test_grown(self) -> None:
        """A file that is added to is sent as it was."""

        def append() -> None:
            with self.path.open("ab") as file:
                file.write(b"more")

        got = await deferToThread(self.meddled, append)
        self.assertEqual(await self.outcome(), "sent")
        self.assertEqual(got, self.octets)

    async def test_replaced(self) -> None:
        """A file that another was renamed over is sent to its end."""

        def replace() -> None:
            fresh = self.root / "fresh"
            fresh.write_bytes(os.urandom(len(self.octets)))
            fresh.replace(self.path)

        self.assertEqual(await deferToThread(self.meddled, replace), self.octets)
        self.assertEqual(await self.outcome(), "sent")


class PeerTests(BodyCase):
    """Peers that do not read to the end."""

    async def test_gone(self) -> None:
        """A peer that leaves ends the sending."""

        def peer() -> None:
            with self.connect() as connection:
                self.ask(connection)
                connection.recv(65536)

        await deferToThread(peer)
        self.assertIn("cut: the peer has gone", await self.outcome())

    async def test_silent(self) -> None:
        """A peer that takes nothing for too long is given up."""
        self.options["patience"] = 0.3
        connection = await deferToThread(self.connect)
        self.addCleanup(connection.close)
        await deferToThread(self.ask, connection)
        with contextlib.suppress(OSError):  # that may have come to pass by now
            await deferToThread(connection.recv, 1)
        self.assertIn("cut: the peer took nothing", await self.outcome())

    async def test_pause(self) -> None:
        """Where nothing is read, little is kept in our own memory."""
        connection = await deferToThread(self.connect)
        self.addCleanup(connection.close)
        await deferToThread(self.ask, connection)
        await deferToThread(connection.recv, 1)
        (descriptor,) = (d for d in reactor.getReaders() if getattr(d, "server", None) is self.port)
        self.assertLess(len(descriptor.dataBuffer) + descriptor._tempDataLen, 300_000)
        await deferToThread(connection.close)
        await self.outcome()

    async def test_rate(self) -> None:
        """A limited connection gets its octets whole, and not faster than allowed."""
        self.options["rate_limit"] = 2 * MIB
        self.choose = lambda opened: [FileSlice(opened.fd, 0, MIB)]
        began = reactor.seconds()
        self.assertEqual(await deferToThread(self.fetch), self.octets[:MIB])
        self.assertGreater(reactor.seconds() - began, 0.3)


class CopyingMixin:
    """The same on a system without sendfile."""

    def setUp(self) -> None:
        """Pretend that there is none."""
        super().setUp()
        self.patch(body, "can_sendfile", lambda _transport: False)  # type: ignore[attr-defined]


class RefusedTests(WholeTests):
    """A file system where sendfile to a socket does not work."""

    def setUp(self) -> None:
        """It refuses, from the second window on."""
        super().setUp()
        real = os.sendfile

        def refuse(out: int, fd: int, at: int, count: int) -> int:
            if at >= MIB:
                raise OSError(errno.EINVAL, "no")
            return real(out, fd, at, count)

        self.patch(os, "sendfile", refuse)


class ShiftMixin:
    """The same where every peer counts as quick, so that threads do the sending."""

    def setUp(self) -> None:
        """Have a thread try at every turn, and count how often."""
        super().setUp()
        self.shifts = 0
        self.patch(sendfile, "_TELLING", 0)  # type: ignore[attr-defined]
        self.patch(sendfile, "_QUICK", 0)  # type: ignore[attr-defined]
        self.patch(sendfile, "send_for_a_while", self._counted)  # type: ignore[attr-defined]

    def _counted(
        self, own: int, fd: int, start: int, stop: int, **told: Callable[[], bool]
    ) -> tuple[int, bool]:
        self.shifts += 1
        return send_for_a_while(own, fd, start, stop, **told)


class ShiftWholeTests(ShiftMixin, WholeTests):
    """Whole bodies that threads send."""

    async def test_by_threads(self) -> None:
        """It is threads that send, as many at once as may."""
        slots = Slots(1)
        self.patch(sendfile, "_slots", slots)
        await DeferredList([deferToThread(self.fetch) for _ in range(3)])
        self.assertGreater(self.shifts, 0)
        self.assertTrue(slots.free())

    async def test_no_slot(self) -> None:
        """Where too many threads send already, the reactor does."""
        self.patch(sendfile, "_slots", Slots(0))
        self.assertEqual(await deferToThread(self.fetch), self.octets)
        self.assertEqual(self.shifts, 0)

    async def test_long(self) -> None:
        """A body takes as many shifts as it needs."""
        self.patch(shift, "_LENGTH_ALONE", 0)
        self.patch(shift, "_MOST_AT_ONCE", MIB)
        self.assertEqual(await deferToThread(self.fetch), self.octets)


class ShiftMovingFileTests(ShiftMixin, MovingFileTests):
    """Moving files that threads send."""


class ShiftPeerTests(ShiftMixin, PeerTests):
    """Unwilling peers, at first served by threads."""


class ShiftRefusedTests(ShiftMixin, RefusedTests):
    """Threads on a file system where sendfile does not work."""


class CopiedWholeTests(CopyingMixin, WholeTests):
    """Whole bodies without sendfile."""


class CopiedMovingFileTests(CopyingMixin, MovingFileTests):
    """Moving files without sendfile."""


class CopiedPeerTests(CopyingMixin, PeerTests):
    """Unwilling peers without sendfile."""
