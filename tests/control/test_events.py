"""Tests for `rangedaemon.control.events` and `sse`: the stream of events."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.control.events import PROGRESS_INTERVAL, EventHub, EventLog
from rangedaemon.control.sse import BATCH, STALL, TICK, place_after
from rangedaemon.core.jobs import JobSpec, JobState, Live
from tests.control.memory_jobs import MemoryJobs
from tests.control.wire import Connection, Wire, request

SPEC = JobSpec(urls=("http://h/",), directory="/d")
FIRST = f"{1:016x}"


def added(jobs: MemoryJobs) -> str:
    """A new job's id."""
    coroutine = jobs.add([SPEC])
    try:
        coroutine.send(None)
    except StopIteration as done:
        [snapshot] = done.value
    return str(snapshot.record.id)


class HubTests(SynchronousTestCase):
    """Tests for `EventHub`: which events there are."""

    def setUp(self) -> None:
        """A hub over one running job."""
        self.jobs, self.clock = MemoryJobs(), Clock()
        self.hub = EventHub(self.jobs, self.clock, capacity=8)
        self.job = added(self.jobs)
        self.jobs.become(self.job, state=JobState.ACTIVE)

    def told(self) -> list[tuple[str, str, int | None]]:
        """Every event that is still in the log."""
        events = self.hub.log.since(self.hub.log.tail, 1000)
        return [(e.kind, e.snapshot.record.state.value, e.snapshot.live.received) for e in events]

    def test_states_at_once(self) -> None:
        """Every change of state is an event at once."""
        self.jobs.become(self.job, state=JobState.VERIFYING)
        self.jobs.become(self.job, state=JobState.COMPLETE)
        states = [state for _, state, _ in self.told()]
        self.assertEqual(states, ["queued", "active", "verifying", "complete"])

    def test_progress_is_thinned(self) -> None:
        """However often a job tells its progress, it is one event a second, the newest."""
        for received in range(10):
            self.jobs.become(self.job, live=Live(received=received))
            self.clock.advance(PROGRESS_INTERVAL / 4)
        progress = [received for _, _, received in self.told() if received is not None]
        self.assertEqual(progress, [3, 7])

    def test_state_overtakes_progress(self) -> None:
        """Progress that was held back never comes after the state that followed it."""
        self.jobs.become(self.job, live=Live(received=5))
        self.jobs.become(self.job, state=JobState.PAUSED)
        self.clock.advance(PROGRESS_INTERVAL * 2)
        self.assertEqual([state for _, state, _ in self.told()], ["queued", "active", "paused"])

    def test_removed(self) -> None:
        """A removal is an event of its own kind, and no progress follows it."""
        self.jobs.become(self.job, live=Live(received=5))
        self.jobs.happen("removed", self.jobs.jobs[self.job])
        self.clock.advance(PROGRESS_INTERVAL * 2)
        self.assertEqual([kind for kind, _, _ in self.told()], ["job", "job", "removed"])

    def test_bounded(self) -> None:
        """The log never holds more than its capacity; numbers go on."""
        for _ in range(20):
            added(self.jobs)
        self.assertEqual((self.hub.log.tail, self.hub.log.head), (14, 22))

    def test_stop(self) -> None:
        """A stopped hub listens to nothing and waits for nothing."""
        self.jobs.become(self.job, live=Live(received=5))
        self.hub.stop()
        self.assertEqual((self.jobs.listeners, self.clock.getDelayedCalls()), ([], []))


class PlaceTests(SynchronousTestCase):
    """Tests for `place_after` and `EventLog`."""

    def test_table(self) -> None:
        """Right after what was seen; None where that is gone, or of another run."""
        for last, place in (
            (None, 30), ("ab-19", 20), ("ab-20", 21), ("ab-29", 30), ("ab-18", None),
            ("ab-30", None), ("ac-20", None), ("20", None), ("", None), ("ab-", None),
            ("ab--1", None), ("ab-٢٠", None),
        ):  # fmt: skip
            self.assertEqual(place_after(last, "ab", 20, 30), place, last)

    @given(st.integers(1, 10), st.integers(0, 30), st.integers(0, 40), st.integers(1, 5))
    def test_since(self, capacity: int, many: int, start: int, limit: int) -> None:
        """From any place in the log on: the events in order, none left out."""
        log, snapshot = EventLog(capacity), MemoryJobs()._added(SPEC)
        for _ in range(many):
            log.append("job", snapshot)
        if log.tail <= start <= log.head:
            numbers = [event.number for event in log.since(start, limit)]
            self.assertEqual(numbers, list(range(start, min(start + limit, log.head))))


def events_in(octets: bytes) -> list[tuple[str, str | None, Any]]:
    """The events of a stream: kind, id, payload (chunked coding undone)."""
    text = b""
    while octets:
        size, _, rest = octets.partition(b"\r\n")
        text += rest[: int(size, 16)]
        octets = rest[int(size, 16) + 2 :]
    found = []
    for block in text.decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
        if "event" in lines:
            found.append((lines["event"], lines.get("id"), json.loads(lines["data"])))
    return found


class StreamTests(SynchronousTestCase):
    """Tests for ``GET /api/v1/events``."""

    def setUp(self) -> None:
        """A site with one running job."""
        self.wire = Wire()
        added(self.wire.jobs)
        self.wire.jobs.become(FIRST, state=JobState.ACTIVE)

    def open(self, last: str | None = None) -> tuple[Connection, list[Any]]:
        """A new reader, and what it got to begin with."""
        connection = self.wire.connect()
        connection.send(request("GET", "/api/v1/events", Last_Event_ID=last))
        head, _, body = connection.received().partition(b"\r\n\r\n")
        self.assertIn(b"200 OK", head)
        self.assertIn(b"Content-Type: text/event-stream", head)
        return connection, events_in(body)

    def news(self, connection: Connection) -> list[Any]:
        """What came since."""
        self.wire.clock.advance(0)
        return events_in(connection.received())

    def test_begins_with_the_status(self) -> None:
        """A new reader learns the status, and nothing of the past."""
        _, events = self.open()
        self.assertEqual([kind for kind, _, _ in events], ["status"])
        self.assertEqual(events[0][2]["jobs"]["active"], 1)

    def test_jobs(self) -> None:
        """The job object on a change of state; ids go up by one."""
        connection, _ = self.open()
        self.wire.jobs.become(FIRST, state=JobState.PAUSED)
        self.wire.jobs.become(FIRST, state=JobState.QUEUED)
        events = self.news(connection)
        self.assertEqual([(kind, job["state"]) for kind, _, job in events],
                         [("job", "paused"), ("job", "queued")])  # fmt: skip
        self.assertEqual([number for _, number, _ in events], ["0-2", "0-3"])

    def test_status_and_heartbeat(self) -> None:
        """The status comes every few seconds, after a comment."""
        connection, _ = self.open()
        self.wire.clock.advance(TICK)
        octets = connection.received()
        self.assertTrue(octets.startswith(b"2\r\n:\n\r\n"))
        self.assertEqual([kind for kind, _, _ in events_in(octets)], ["status"])

    def test_replay(self) -> None:
        """A reader that comes back gets what it missed, each event once."""
        _, events = self.open("0-0")
        self.assertEqual([number for _, number, _ in events], ["0-1", None])

    def test_lost_place(self) -> None:
        """Of another run, or too long ago: told to ask the listing again."""
        for last in ("ff-0", "nonsense", "0-99"):
            connection, events = self.open(last)
            self.assertEqual(events[0][0::2], ("resync", {}))
            self.assertEqual(self.news(connection), [])

    def test_resync_id(self) -> None:
        """Coming back with the id of the resync goes on from there."""
        _, events = self.open("nonsense")
        self.wire.jobs.become(FIRST, state=JobState.PAUSED)
        _, events = self.open(events[0][1])
        self.assertEqual([number for _, number, _ in events], ["0-2", None])

    def test_slow_reader_waits(self) -> None:
        """A reader that reads nothing is sent nothing, and goes on where it stopped."""
        connection, _ = self.open()
        connection.transport.producer.pauseProducing()
        for state in (JobState.PAUSED, JobState.QUEUED):
            self.wire.jobs.become(FIRST, state=state)
            self.assertEqual(self.news(connection), [])
        connection.transport.producer.resumeProducing()
        self.assertEqual([number for _, number, _ in self.news(connection)], ["0-2", "0-3"])

    def test_stalled_reader_is_dropped(self) -> None:
        """After a while without reading the connection is cut."""
        connection, _ = self.open()
        connection.transport.producer.pauseProducing()
        self.wire.clock.pump([TICK] * int(STALL / TICK - 1))
        self.assertFalse(connection.transport.aborted)
        self.wire.clock.advance(TICK)
        self.assertTrue(connection.transport.aborted)
        self.assertEqual(connection.received(), b"")

    def test_overtaken_reader_is_dropped(self) -> None:
        """A reader whose place was overwritten is cut, not skipped ahead."""
        connection, _ = self.open()
        connection.transport.producer.pauseProducing()
        for _ in range(3000):
            added(self.wire.jobs)
        self.wire.clock.advance(0)
        connection.transport.producer.resumeProducing()
        self.assertTrue(connection.transport.aborted)

    def test_many_events(self) -> None:
        """More events than fit one write arrive complete and in order."""
        connection, _ = self.open()
        for _ in range(3 * BATCH + 1):
            added(self.wire.jobs)
        numbers = [int(number[2:]) for _, number, _ in self.news(connection)]
        self.assertEqual(numbers, list(range(2, 3 * BATCH + 3)))

    def test_reader_goes(self) -> None:
        """Nothing of a reader is left once it has gone."""
        connection, _ = self.open()
        connection.hang_up()
        self.wire.jobs.become(FIRST, state=JobState.PAUSED)
        self.wire.clock.advance(TICK * 3)
        self.assertEqual(self.wire.clock.getDelayedCalls(), [])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_end(self) -> None:
        """When the site stops, every stream ends properly."""
        connection, _ = self.open()
        self.wire.site.doStart()
        self.wire.site.doStop()
        self.assertTrue(connection.received().endswith(b"0\r\n\r\n"))
        self.assertEqual(self.wire.jobs.listeners, [])

    def test_head(self) -> None:
        """HEAD shows the type and ends."""
        reply = self.wire.ask("HEAD", "/api/v1/events")
        self.assertEqual(reply.fields["content-type"], "text/event-stream")

    def test_journal_fails(self) -> None:
        """A status that cannot be had is logged; the stream lives on."""
        connection, _ = self.open()

        async def fail() -> None:
            raise ZeroDivisionError

        self.wire.jobs.totals = fail  # type: ignore[assignment]
        self.wire.clock.advance(TICK)
        self.assertEqual(connection.received(), b"2\r\n:\n\r\n")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.wire.jobs.become(FIRST, state=JobState.PAUSED)
        self.assertEqual(len(self.news(connection)), 1)
