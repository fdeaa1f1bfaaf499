"""Several addresses of one file: who may help, who is done without, and why."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.logger import LogEvent, eventAsText, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.jobs import JobState
from tests.client.scripted import Exchange, File
from tests.client.world import World

KIB = 1024
MIB = 1024 * KIB
CONTENT = os.urandom(16 * MIB)
OTHER = bytes(255 - octet for octet in CONTENT)
FIRST, SECOND, THIRD = (f"http://{name}.test/file.bin" for name in ("one", "two", "three"))


def refuse(exchange: Exchange) -> None:
    """Nobody is at home."""
    exchange.refuse(Refused())


class MirrorsTests(SynchronousTestCase):
    """A job with several addresses; bodies come 64 KiB every half second."""

    def setUp(self) -> None:
        self.said: list[str] = []
        globalLogPublisher.addObserver(self.log)
        self.addCleanup(globalLogPublisher.removeObserver, self.log)
        self.world = World(self, connections_per_host=2)
        self.bodies: list[tuple[Exchange, bytes]] = []
        self.world.origin.script = self.script

    def log(self, event: LogEvent) -> None:
        self.said.append(eventAsText(event))

    def script(self, exchange: Exchange) -> None:
        served = self.served[exchange.url]
        if isinstance(served, File):
            piece = served.begin(exchange)
            self.bodies.append((exchange, served.content[piece.start : piece.stop]))
        else:
            served(exchange)

    def fetch(self, served: dict[str, Any], **wishes: Any) -> None:
        """Let a job run to its end."""
        self.served = served
        self.job, self.ended = self.world.start(urls=tuple(served), segments=6, **wishes)
        for _ in range(1000):
            if self.ended.called:
                break
            self.turn()
        self.successResultOf(self.ended)

    def turn(self, count: int = 64 * KIB) -> None:
        """Half a second."""
        bodies, self.bodies = self.bodies, []
        for exchange, octets in bodies:
            if exchange.closed:
                continue
            exchange.send(octets[:count])
            if len(octets) > count:
                self.bodies.append((exchange, octets[count:]))
            else:
                exchange.finish()
        self.world.pass_time(0.5)

    def assert_complete(self, content: bytes = CONTENT) -> None:
        self.assertEqual((self.job.record.error, self.job.record.state), (None, JobState.COMPLETE))
        self.assertEqual(self.world.octets(), content)

    def octets_from(self, url: str) -> int:
        """How much an address was asked for, samples apart."""
        asked = [x.range for x in self.world.origin.exchanges if x.url == url]
        return sum(len(r) for r in asked if r is not None and len(r) > 128 * KIB)

    def test_good_one_joins(self) -> None:
        """Its samples were compared, its own validator is its condition, and it gets work."""
        self.fetch({FIRST: File(CONTENT), SECOND: File(CONTENT, etag='"mirror"')})
        self.assert_complete()
        self.assertGreater(self.octets_from(SECOND), 2 * MIB)
        conditions = {
            x.asked("If-Range")
            for x in self.world.origin.exchanges
            if x.url == SECOND and x.range is not None and len(x.range) > 128 * KIB
        }
        self.assertEqual(conditions, {'"mirror"'})

    def test_other_octets(self) -> None:
        """It is put aside with its reason, and none of its octets are kept."""
        self.fetch({FIRST: File(CONTENT), SECOND: File(OTHER)})
        self.assert_complete()
        self.assertEqual(self.octets_from(SECOND), 0)
        self.assertTrue(any(SECOND in line and "other octets" in line for line in self.said))

    def test_other_length(self) -> None:
        """Another number of octets is another file: one question is enough."""
        self.fetch({FIRST: File(CONTENT), SECOND: File(CONTENT[:-1])})
        self.assert_complete()
        self.assertEqual(len([x for x in self.world.origin.exchanges if x.url == SECOND]), 1)

    def test_no_ranges(self) -> None:
        """A mirror without ranges cannot help."""
        self.fetch({FIRST: File(CONTENT), SECOND: File(CONTENT, ranges=False)})
        self.assert_complete()
        self.assertTrue(any(SECOND in line and "ranges" in line for line in self.said))

    def test_mirror_is_down(self) -> None:
        """Nobody waits for it."""
        self.fetch({FIRST: File(CONTENT), SECOND: refuse, THIRD: File(CONTENT)})
        self.assert_complete()
        self.assertGreater(self.octets_from(THIRD), 0)

    def test_first_is_down(self) -> None:
        """The next address is the first then, under its own validators."""
        self.fetch({FIRST: refuse, SECOND: File(CONTENT, etag='"two"')})
        self.assert_complete()
        self.assertEqual(self.job.record.remembered.asked, SECOND)
        self.assertEqual(self.job.record.remembered.etag, '"two"')

    def test_all_are_down(self) -> None:
        """The first fault is told, and it is tried again later."""
        self.fetch({FIRST: refuse, SECOND: lambda x: x.answer(404, {}, 0).finish()})
        error = self.job.record.error
        assert error is not None
        self.assertEqual((error.code, error.url), ("unreachable", FIRST))
        self.assertEqual(self.job.record.state, JobState.WAITING)

    def test_mirror_changes_later(self) -> None:
        """A mirror that was good and has another file now goes; what it brought stays right."""
        self.served = {FIRST: File(CONTENT), SECOND: File(CONTENT, etag='"m1"')}
        self.job, self.ended = self.world.start(urls=(FIRST, SECOND), segments=6)
        for _ in range(20):
            self.turn()
        before = self.octets_from(SECOND)
        self.assertGreater(before, 0)
        new = File(OTHER, etag='"m2"', modified="Sun, 06 Nov 1994 08:49:37 GMT")
        self.served[SECOND] = new
        for exchange, _ in [b for b in self.bodies if b[0].url == SECOND]:
            exchange.break_off()
        self.bodies = [b for b in self.bodies if b[0].url != SECOND]
        for _ in range(1000):
            if self.ended.called:
                break
            self.turn()
        self.assert_complete()
        self.assertEqual(self.job.record.changes, 0)

    def test_only_good_source_fails(self) -> None:
        """With the mirror aside, the fault of the first address is the job's."""
        self.served = {FIRST: File(CONTENT), SECOND: File(OTHER)}
        self.job, self.ended = self.world.start(urls=(FIRST, SECOND), segments=6)
        for _ in range(20):
            self.turn()
        self.served[FIRST] = self.served[SECOND] = refuse
        for exchange, _ in self.bodies:
            if not exchange.closed:
                exchange.break_off()
        self.bodies.clear()
        self.world.pass_time(60)
        self.successResultOf(self.ended)
        error = self.job.record.error
        assert error is not None
        self.assertEqual((self.job.record.state, error.code), (JobState.WAITING, "unreachable"))
        covered = self.job.record.covered
        part = self.world.octets("file.bin.part")
        for start, stop in covered.to_pairs():
            self.assertEqual(part[start:stop], CONTENT[start:stop])

    def test_volatile_tags(self) -> None:
        """An origin that tags each answer anew is joined by octets, and gets done."""
        count = iter(range(10_000))

        def volatile(exchange: Exchange) -> None:
            served = replace(File(CONTENT), etag=f'"{next(count)}"')
            piece = served.begin(exchange)
            self.bodies.append((exchange, CONTENT[piece.start : piece.stop]))

        self.fetch({FIRST: volatile})
        self.assert_complete()
        self.assertEqual(self.job.record.changes, 0)
