"""Tests for jobs that repeat: `rangedaemon.client.repeating`, through a runner."""

from __future__ import annotations

import hashlib
from typing import Any

from rangedaemon.core.jobs import JobChange, JobRecord, Verified
from rangedaemon.core.repeats import Repeat
from tests.client.scripted import FULL, HOUR_LATER, Exchange, File
from tests.client.test_descriptions import metalink, routes
from tests.client.test_runner import CONTENT, RunnerCase, S
from tests.client.world import EPOCH

OTHER = CONTENT[::-1] + b"more"
HOUR = 3600.0
HOURLY = Repeat(every=HOUR)


class RepeatingCase(RunnerCase):
    """A job that has run once."""

    def serve(self, content: bytes, etag: str = '"1"', date: str = FULL) -> None:
        """Have the origin serve this from now on, to conditional requests too."""
        served = File(content, etag=etag, modified=date or None)

        def script(exchange: Exchange) -> None:
            if etag and exchange.asked("If-None-Match") == etag:
                exchange.answer(304, {"ETag": etag}, 0).finish()
            else:
                served(exchange)

        self.world.origin.script = script

    def add_one(self, **wishes: Any) -> str:
        """A job that has run once."""
        wishes.setdefault("repeat", HOURLY)
        (job,) = self.add("a", **wishes)
        self.assertEqual(self.record(job).state, S.WAITING)
        self.assertEqual(self.world.octets("a"), CONTENT)
        self.asked = len(self.world.origin.exchanges)
        return job

    def record(self, job: str) -> JobRecord:
        """What the journal has."""
        return self.world.store.records[job]

    def new_requests(self) -> list[Exchange]:
        """Those since the first run."""
        return self.world.origin.exchanges[self.asked :]


class UnchangedTests(RepeatingCase):
    """A file that stays what it is."""

    def setUp(self) -> None:
        super().setUp()
        self.serve(CONTENT)

    def test_one_request(self) -> None:
        """It costs one conditional request at its time, and nothing is touched."""
        job = self.add_one()
        before, file = self.record(job), self.world.directory / "a"
        touched = file.stat()
        self.world.clock.advance(HOUR - 1)
        self.assertEqual(self.new_requests(), [])
        self.world.clock.advance(1)
        [request] = self.new_requests()
        self.assertEqual(request.asked("If-None-Match"), '"1"')
        self.assertEqual(request.asked("If-Modified-Since"), FULL)
        after = self.record(job)
        self.assertEqual((after.state, after.verified), (S.WAITING, before.verified))
        self.assertEqual(after.retry_at, (before.retry_at or 0) + HOUR)
        self.assertEqual((after.finished, after.remembered), (before.finished, before.remembered))
        self.assertEqual(file.stat(), touched)
        self.assertFalse(request.closed)

    def test_told(self) -> None:
        """The first end is told as complete, then as waiting; later ones say only the latter."""
        job = self.add_one()
        states = [event.snapshot.record.state for event in self.world.events]
        self.assertEqual(states[-2:], [S.COMPLETE, S.WAITING])
        self.world.events.clear()
        self.world.clock.advance(HOUR)
        states = [event.snapshot.record.state for event in self.world.events]
        self.assertEqual(states, [S.QUEUED, S.PROBING, S.WAITING])
        self.assertEqual(self.record(job).attempts, 0)

    def test_origin_without_conditions(self) -> None:
        """Where a 206 comes instead, its validators tell; no more than an octet was asked for."""
        self.serve(CONTENT, etag="")
        self.world.origin.script = File(CONTENT, etag='"1"', modified=FULL)
        job = self.add_one()
        self.world.clock.advance(HOUR)
        [request] = self.new_requests()
        self.assertEqual(request.asked("Range"), "bytes=0-0")
        self.assertEqual(self.record(job).state, S.WAITING)

    def test_missed_turns(self) -> None:
        """Turns that were missed while the daemon was down are made up for once."""
        self.add_one()
        self.world.clock.advance(0)
        self.world.result(self.runner.stopService())
        self.world.clock.advance(10 * HOUR)
        self.runner.startService()
        self.world.clock.advance(1)
        self.assertEqual(len(self.new_requests()), 1)

    def test_other_turns(self) -> None:
        """When the next turn is can be changed while it waits; without turns it looks once more."""
        job = self.add_one()
        for repeat, seconds in ((Repeat(every=60), 60.0), (Repeat(every=2 * HOUR), 2 * HOUR)):
            self.world.result(self.runner.change(job, JobChange(calendar={"repeat": repeat})))
            self.assertEqual(self.record(job).retry_at, EPOCH + seconds)
        self.world.result(self.runner.change(job, JobChange(calendar={"repeat": None})))
        self.world.clock.advance(0)
        self.assertEqual((self.record(job).state, len(self.new_requests())), (S.COMPLETE, 1))
        self.world.result(
            self.runner.change(job, JobChange(calendar={"repeat": HOURLY, "versions": 2}))
        )
        after = self.record(job)
        self.assertEqual((after.state, after.retry_at), (S.WAITING, EPOCH + HOUR))
        self.assertEqual(after.spec.versions, 2)

    def test_local_file_gone(self) -> None:
        """A file that is not there, or of another size, is fetched anew."""
        job = self.add_one()
        for harm in (lambda file: file.unlink(), lambda file: file.write_bytes(b"x")):
            harm(self.world.directory / "a")
            self.world.clock.advance(HOUR)
            self.assertEqual(self.world.octets("a"), CONTENT)
            self.assertEqual((self.record(job).state, self.record(job).filename), (S.WAITING, "a"))
        self.assertEqual(self.world.names(), ["a"])


class MetalinkTests(RepeatingCase):
    """A job for a metalink."""

    META = "http://origin.test/a.meta4"

    def describe(self, content: bytes, name: str, etag: str) -> None:
        """Have the metalink describe this file, which is under that name now."""
        digest = hashlib.sha256(content).hexdigest()
        text = metalink(
            f"http://origin.test/{name}",
            name="a",
            size=len(content),
            more=f'<hash type="sha-256">{digest}</hash>',
        )
        document = File(text)
        files = routes({self.META: document})
        self.serve(content, etag)
        served = self.world.origin.script

        def script(exchange: Exchange) -> None:
            if exchange.url == f"http://origin.test/{name}":
                served(exchange)
            else:
                files(exchange)

        self.world.origin.script = script

    def test_read_again(self) -> None:
        """At each turn it is read again: what it describes by then is what is fetched."""
        self.describe(CONTENT, "first", '"1"')
        (job,) = self.add("a.meta4", repeat=HOURLY)
        self.assertEqual(self.world.octets("a"), CONTENT)
        self.asked = len(self.world.origin.exchanges)
        self.world.clock.advance(HOUR)
        urls = [request.url for request in self.new_requests()]
        self.assertEqual(urls, [self.META, "http://origin.test/first"])
        self.assertEqual(self.new_requests()[-1].asked("If-None-Match"), '"1"')
        self.describe(OTHER, "second", '"2"')
        self.world.clock.advance(HOUR)
        self.assertEqual(self.record(job).error, None)
        self.assertEqual((self.world.octets("a"), self.world.names()), (OTHER, ["a"]))
        self.assertEqual(self.record(job).verified, Verified.CHECKSUM)
        self.world.origin.script = lambda exchange: exchange.answer(404, {}, 0).finish()
        self.world.clock.advance(HOUR)
        error = self.record(job).error
        self.assertEqual(error and error.code, "not-found")
        self.assertEqual(self.world.octets("a"), OTHER)


class ChangedTests(RepeatingCase):
    """A file that is another one by and by."""

    def setUp(self) -> None:
        super().setUp()
        self.serve(CONTENT)

    def test_replaced(self) -> None:
        """The new file takes the name of the old one, which is there until then."""
        job = self.add_one()
        self.world.origin.script = File(OTHER, etag='"2"', modified=HOUR_LATER).begin
        self.world.clock.advance(HOUR)
        self.assertEqual(self.record(job).state, S.ACTIVE)
        self.assertEqual(self.world.octets("a"), CONTENT)
        self.world.origin.last.send(OTHER)
        self.world.origin.last.finish()
        self.assertEqual(self.record(job).state, S.WAITING)
        self.assertEqual((self.world.octets("a"), self.world.names()), (OTHER, ["a"]))
        self.assertEqual(self.record(job).remembered.etag, '"2"')

    def test_cut_in_the_middle(self) -> None:
        """What came of the new file survives a pause; the old one stays meanwhile."""
        job = self.add_one()
        self.world.origin.script = File(OTHER, etag='"2"', modified=HOUR_LATER).begin
        self.world.clock.advance(HOUR)
        self.world.origin.last.send(OTHER[:1000])
        self.world.result(self.runner.pause(job))
        self.assertEqual(self.world.octets("a"), CONTENT)
        self.world.result(self.runner.resume(job))
        self.assertEqual(self.world.origin.ranges[-1], (1000, len(OTHER)))
        self.world.origin.last.send(OTHER[1000:])
        self.world.origin.last.finish()
        self.assertEqual(self.record(job).error, None)
        self.assertEqual((self.world.octets("a"), self.world.names()), (OTHER, ["a"]))

    def test_versions(self) -> None:
        """So many former files stay, the youngest as NAME.1."""
        self.add_one(versions=2)
        contents = [CONTENT, b"second", b"third", b"fourth"]
        for number, content in enumerate(contents[1:], 2):
            self.serve(content, f'"{number}"', "")
            self.world.clock.advance(HOUR)
            self.assertEqual(self.world.octets("a"), content)
        self.assertEqual(self.world.names(), ["a", "a.1", "a.2"])
        self.assertEqual(self.world.octets("a.1"), b"third")
        self.assertEqual(self.world.octets("a.2"), b"second")

    def test_strangers_file(self) -> None:
        """A file that was there before the first run is not ours to replace, then or later."""
        (self.world.directory / "a").write_bytes(b"mine")
        (job,) = self.add("a", repeat=HOURLY)
        name = self.record(job).filename
        self.assertNotEqual(name, "a")
        self.serve(OTHER, '"2"', HOUR_LATER)
        self.world.clock.advance(HOUR)
        self.assertEqual(self.world.octets("a"), b"mine")
        self.assertEqual((self.record(job).filename, self.world.octets(name or "")), (name, OTHER))

    def test_failure(self) -> None:
        """A run that fails is told of, and the next turn comes all the same."""
        job = self.add_one()
        self.world.origin.script = lambda exchange: exchange.answer(404, {}, 0).finish()
        self.world.events.clear()
        self.world.clock.advance(HOUR)
        states = [event.snapshot.record.state for event in self.world.events]
        self.assertEqual(states[-2:], [S.FAILED, S.WAITING])
        error = self.record(job).error
        assert error is not None
        self.assertEqual(error.code, "not-found")
        self.serve(CONTENT)
        self.world.clock.advance(HOUR)
        self.assertEqual((self.record(job).state, self.record(job).error), (S.WAITING, None))
        self.assertEqual(self.world.octets("a"), CONTENT)

    def test_checksum_of_the_old_file(self) -> None:
        """A digest in the wishes is for what comes, not for what once came."""
        digest = f"sha-256={hashlib.sha256(CONTENT).hexdigest()}"
        job = self.add_one(checksum=digest)
        self.serve(OTHER, '"2"', HOUR_LATER)
        self.world.clock.advance(HOUR)
        error = self.record(job).error
        assert error is not None
        self.assertEqual(error.code, "checksum-mismatch")
        self.assertEqual(self.world.octets("a"), CONTENT)
