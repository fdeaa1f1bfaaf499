"""How ``rangectl watch`` follows jobs through streams that break off and lists that change."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Self, cast

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.control.cli.client import ApiClient, StreamEnded
from rangedaemon.control.cli.exits import CommandFault, Exit
from rangedaemon.control.cli.sse import Event
from rangedaemon.control.cli.watching import DELAYS, Board, Watch


def job(job_id: str, state: str) -> dict[str, Any]:
    """A job object as far as watching looks at it."""
    return {"id": job_id, "state": state}


class Stream:
    """Events, then the end of the stream."""

    def __init__(self, events: Sequence[tuple[str, dict[str, Any]]]) -> None:
        self._events = events

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def __iter__(self) -> Iterator[Event]:
        for kind, value in self._events:
            yield Event(kind, json.dumps(value))
        raise StreamEnded("over")


class Daemon:
    """A daemon as a script: one entry for each time that the events are asked for."""

    def __init__(self, *script: tuple[list[dict[str, Any]], Any]) -> None:
        self._script = list(script)
        self._jobs: list[dict[str, Any]] = []
        self.listings = 0

    def events(self) -> Stream:
        """The next entry's events, or its fault."""
        self._jobs, events = self._script.pop(0)
        if isinstance(events, CommandFault):
            raise events
        return Stream(events)

    def jobs(self) -> Iterator[dict[str, Any]]:
        """The entry's jobs."""
        self.listings += 1
        yield from self._jobs

    def job(self, job_id: str) -> dict[str, Any]:
        """One of them."""
        for value in self._jobs:
            if value["id"] == job_id:
                return value
        raise CommandFault(Exit.NOT_FOUND, "no such job")

    job_of = staticmethod(lambda event: json.loads(event.text))
    removed_id = staticmethod(lambda event: json.loads(event.text)["id"])


class Told:
    """A view that notes what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.well: list[bool] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to leave."""

    def changed(self, value: dict[str, Any]) -> None:
        """A new state."""
        self.lines.append(f"{value['id']} {value['state']}")

    def removed(self, job_id: str) -> None:
        """Gone."""
        self.lines.append(f"{job_id} removed")

    def heard(self, *, well: bool) -> None:
        """Whether the daemon is there."""
        self.well.append(well)


GONE = CommandFault(Exit.UNREACHABLE, "gone")


class WatchTests(SynchronousTestCase):
    """Tests for `Watch`."""

    def watch(self, wanted: Sequence[str] | None, *script: Any) -> tuple[Exit, list[str]]:
        """Watch a scripted daemon; the exit code and what was told."""
        self.pauses: list[float] = []
        self.daemon = Daemon(*script)
        view = Told()
        client = cast("ApiClient", self.daemon)
        code = Watch(client, Board(wanted), view, pause=self.pauses.append).run()
        return code, view.lines

    def test_events(self) -> None:
        """Each new state is told once; progress in the same state is not."""
        events = [("status", {}), ("job", job("a", "active")), ("job", job("a", "active")),
                  ("job", job("b", "failed")), ("job", job("a", "complete"))]  # fmt: skip
        code, told = self.watch(["a"], ([job("a", "queued")], events))
        self.assertEqual((code, told), (Exit.OK, ["a queued", "a active", "a complete"]))

    def test_finished_before_the_stream(self) -> None:
        """What ended before the events were opened is seen in the list."""
        code, told = self.watch(["a"], ([job("a", "failed")], []))
        self.assertEqual((code, told), (Exit.JOB_FAILED, ["a failed"]))

    def test_missed_while_away(self) -> None:
        """What happened between two streams is seen when the list is read again."""
        code, told = self.watch(["a"], ([job("a", "active")], []), ([job("a", "complete")], []))
        self.assertEqual((code, told), (Exit.OK, ["a active", "a complete"]))
        self.assertEqual(self.pauses, [DELAYS[0]])

    def test_restart(self) -> None:
        """A daemon that is away for a while is waited for, longer each time."""
        code, told = self.watch(
            ["a"], ([job("a", "active")], []), ([], GONE), ([], GONE), ([job("a", "complete")], [])
        )
        self.assertEqual((code, told), (Exit.OK, ["a active", "a complete"]))
        self.assertEqual(self.pauses, [DELAYS[0], DELAYS[0], DELAYS[1]])

    def test_heard(self) -> None:
        """Whether it is heard is told each time that this is found out."""
        view = Told()
        script = ([job("a", "active")], []), ([], GONE), ([job("a", "complete")], [])
        client = cast("ApiClient", Daemon(*script))
        Watch(client, Board(["a"]), view, pause=lambda _: None).run()
        self.assertEqual(view.well, [True, False, False, True])

    def test_gone_for_good(self) -> None:
        """It ends where the daemon does not come back."""
        script = [([job("a", "active")], []), *[([], GONE)] * (len(DELAYS) + 1)]
        fault = self.assertRaises(CommandFault, self.watch, ["a"], *script)
        self.assertEqual(fault.exit_code, Exit.UNREACHABLE)
        self.assertEqual(self.pauses, [DELAYS[0], *DELAYS])

    def test_never_there(self) -> None:
        """A daemon that was not there at the beginning is not waited for."""
        self.assertRaises(CommandFault, self.watch, ["a"], ([], GONE))
        self.assertEqual(self.pauses, [])

    def test_token_refused(self) -> None:
        """A token that stops being good is no reason to wait."""
        refused = CommandFault(Exit.TOKEN, "no")
        fault = self.assertRaises(
            CommandFault, self.watch, ["a"], ([job("a", "active")], []), ([], refused)
        )
        self.assertEqual(fault.exit_code, Exit.TOKEN)
        self.assertEqual(len(self.pauses), 1)

    def test_removed(self) -> None:
        """Removed by an event or while nobody listened: told once, and no success."""
        active = [job("a", "active")]
        for script in ([(active, [("removed", {"id": "a"})])], [(active, []), ([], [])]):
            code, told = self.watch(["a"], *script)
            self.assertEqual((code, told), (Exit.JOB_FAILED, ["a active", "a removed"]))

    def test_removed_after_the_end(self) -> None:
        """A job that is removed after it completed did succeed."""
        script = ([job("a", "complete"), job("b", "active")],
                  [("removed", {"id": "a"}), ("job", job("b", "complete"))])  # fmt: skip
        code, _ = self.watch(["a", "b"], script)
        self.assertEqual(code, Exit.OK)

    def test_many(self) -> None:
        """Many jobs are read from one listing."""
        ids = [f"{n:016x}" for n in range(50)]
        script = ([job(job_id, "complete") for job_id in ids], [])
        self.assertEqual(self.watch(ids, script)[0], Exit.OK)
        self.assertEqual(self.daemon.listings, 1)

    def test_follow(self) -> None:
        """Following everything leaves out what had ended, and takes in what is new."""
        fault = CommandFault(Exit.TOKEN, "the end of this script")
        events = [("job", job("c", "queued")), ("removed", {"id": "b"})]
        script = [([job("a", "complete"), job("b", "active")], events), ([], fault)]
        view = Told()
        watch = Watch(cast("ApiClient", Daemon(*script)), Board(None), view, pause=lambda _: None)
        self.assertRaises(CommandFault, watch.run)
        self.assertEqual(view.lines, ["b active", "c queued", "b removed"])
