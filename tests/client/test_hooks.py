"""Tests for hooks in memory: their order and bounds, and webhooks against a scripted receiver."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.internet.error import ConnectError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer
from zope.interface import implementer

from rangedaemon.client.hooks.calls import (
    AT_ONCE,
    IN_LINE,
    PATIENCE_SECONDS,
    Call,
    Hook,
    HookFailed,
    Hooks,
    Left,
)
from rangedaemon.client.hooks.shelf import FileShelf
from rangedaemon.client.hooks.webhook import Means, Receiver, webhook
from rangedaemon.core.jobs import JobEvent, JobRecord, JobSnapshot, JobSpec, JobState
from rangedaemon.core.occasions import Occasion, signature
from rangedaemon.core.retry import RetryPolicy
from rangedaemon.storage.threads import inline

S = JobState
SPEC = JobSpec(("http://h/a",), "/d")
URL = "https://receiver.test/hook"


def described(snapshot: JobSnapshot) -> tuple[dict[str, str], str]:
    """As little of a job as a hook needs."""
    return {"id": snapshot.record.id}, "{}"


class MemoryShelf:
    """A `Shelf` in memory."""

    def __init__(self) -> None:
        self.left: Sequence[Left] = []

    async def take(self) -> Sequence[Left]:
        """As `Shelf.take`."""
        taken, self.left = self.left, []
        return taken

    async def put(self, left: Sequence[Left]) -> None:
        """As `Shelf.put`."""
        self.left = left


class CallsTests(SynchronousTestCase):
    """Tests for `Hooks`."""

    def setUp(self) -> None:
        self.calls: list[tuple[str, str, Deferred[None]]] = []
        self.at_once = False
        self.clock = Clock()
        self.shelf = MemoryShelf()
        self.start(self.hook("a"))

    def start(self, *hooks: Hook) -> None:
        """Have these called instead."""
        self.hooks = Hooks(hooks, described, self.clock, lambda: 0.0, self.shelf)
        self.hooks.startService()
        self.addCleanup(self.stop, self.hooks)

    def stop(self, hooks: Hooks) -> None:
        """Have it stop, however long that takes."""
        stopped = hooks.stopService()
        self.clock.advance(PATIENCE_SECONDS)
        self.successResultOf(stopped)

    def hook(self, name: str, *occasions: Occasion) -> Hook:
        """A hook whose calls the test ends."""

        def act(call: Call) -> Deferred[None]:
            end: Deferred[None] = Deferred()
            self.calls.append((call.job["id"], call.occasion.value, end))
            if self.at_once:
                end.callback(None)
            return end

        return Hook(name, frozenset(occasions or Occasion), act)

    def live(self, job_id: str, *states: JobState) -> None:
        """Let a job go through *states*."""
        for state in states:
            record = JobRecord(job_id, SPEC, state, 0.0, attempts=1)
            self.hooks(JobEvent("job", JobSnapshot(record)))

    def told(self) -> list[tuple[str, str]]:
        """Who was called for what so far."""
        return [(job, occasion) for job, occasion, _ in self.calls]

    def test_in_order_for_each_job(self) -> None:
        """The end of a job is told when its beginning was; other jobs need not wait for that."""
        self.live("x", S.PROBING, S.ACTIVE, S.COMPLETE)
        self.live("y", S.PROBING)
        self.assertEqual(self.told(), [("x", "start"), ("y", "start")])
        self.calls[0][2].callback(None)
        self.assertEqual(self.told()[2:], [("x", "complete")])

    def test_so_many_at_once(self) -> None:
        """More wait in line; each end lets the next one in."""
        for number in range(AT_ONCE + 3):
            self.live(str(number), S.PROBING)
        self.assertEqual(len(self.calls), AT_ONCE)
        self.calls[0][2].callback(None)
        self.assertEqual(len(self.calls), AT_ONCE + 1)

    def test_line_is_bounded(self) -> None:
        """What does not fit is left out and told in the log; the rest is called."""
        for number in range(AT_ONCE + IN_LINE + 5):
            self.live(str(number), S.PROBING)
        while not all(end.called for _, _, end in self.calls):
            for _, _, end in self.calls:
                if not end.called:
                    end.callback(None)
        self.assertEqual(len(self.calls), AT_ONCE + IN_LINE)

    def test_only_what_is_wanted(self) -> None:
        """A hook hears of its occasions alone; without hooks nothing is made of an event."""
        self.start(self.hook("b", Occasion.FAILURE))
        self.live("x", S.PROBING, S.ACTIVE, S.COMPLETE)
        self.live("y", S.PROBING, S.FAILED)
        self.assertEqual(self.told(), [("y", "failure")])

    def test_each_by_itself(self) -> None:
        """A hook that hangs keeps no other one from being called."""
        told: list[str] = []

        async def fast(call: Call) -> None:
            told.append(call.job["id"])

        self.start(self.hook("hangs"), Hook("fast", frozenset(Occasion), fast))
        for number in range(AT_ONCE + IN_LINE + 5):
            self.live(str(number), S.PROBING)
        self.assertEqual((len(self.calls), len(told)), (AT_ONCE, AT_ONCE + IN_LINE + 5))

    def test_calls_that_end_at_once(self) -> None:
        """A full line whose calls end as soon as they begin is worked off in a loop."""
        for number in range(AT_ONCE + IN_LINE):
            self.live(str(number), S.PROBING)
        begun = len(self.calls)
        for _, _, end in self.calls[:begun]:
            self.at_once = True
            end.callback(None)
        self.assertEqual(len(self.calls), AT_ONCE + IN_LINE)

    def test_a_hook_that_fails(self) -> None:
        """Its failure is logged, and the next call is made."""
        self.live("x", S.PROBING, S.FAILED)
        self.calls[0][2].errback(HookFailed("no"))
        self.calls[1][2].errback(ValueError("a bug"))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.live("z", S.PROBING)
        self.assertEqual(self.told()[-1], ("z", "start"))

    def test_stop(self) -> None:
        """A stop waits for calls, those in line too, and hears of nothing new."""
        for number in range(AT_ONCE + 1):
            self.live(str(number), S.PROBING)
        stopped = self.hooks.stopService()
        self.live("late", S.PROBING)
        for at in range(AT_ONCE + 1):
            self.assertNoResult(stopped)
            self.calls[at][2].callback(None)
        self.successResultOf(stopped)
        self.assertEqual((len(self.calls), self.shelf.left), (AT_ONCE + 1, []))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_left_over(self) -> None:
        """What takes too long is cut short, and made after the next start like what was in line."""
        for number in range(AT_ONCE + 2):
            self.live(str(number), S.PROBING)
        self.stop(self.hooks)
        self.assertEqual(len(self.calls), AT_ONCE)
        self.assertEqual(len(self.shelf.left), AT_ONCE + 2)
        self.at_once = True
        self.start(self.hook("b"), self.hook("a"))
        self.assertEqual(sorted(self.told()[AT_ONCE:]), [(str(n), "start") for n in range(6)])
        self.assertEqual(self.shelf.left, [])

    def test_hasten(self) -> None:
        """Who is in a hurry waits for no call."""
        self.live("x", S.PROBING)
        stopped = self.hooks.stopService()
        self.hooks.hasten()
        self.successResultOf(stopped)
        self.assertEqual([left.call.job["id"] for left in self.shelf.left], ["x"])

    def test_other_hooks(self) -> None:
        """Other hooks are called from now on; what was in line of the former is called still."""
        for number in range(AT_ONCE + 1):
            self.live(str(number), S.PROBING)
        self.hooks.change([self.hook("b")])
        self.live("new", S.PROBING)
        self.assertEqual(self.told()[AT_ONCE:], [("new", "start")])
        self.calls[0][2].callback(None)
        self.assertEqual(self.told()[-1], (str(AT_ONCE), "start"))


class FileShelfTests(SynchronousTestCase):
    """Tests for `rangedaemon.client.hooks.shelf`."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.shelf = FileShelf(self.path, inline)

    def take(self) -> list[Left]:
        """What is there."""
        return list(self.successResultOf(ensureDeferred(self.shelf.take())))

    def test_once(self) -> None:
        """What was put there comes back as it was, and once."""
        call = Call(
            Occasion.FAILURE, {"id": "x", "name": "\u2028"}, '{"id":"x","name":"\u2028"}', 1.5
        )
        left = [Left("a", call), Left("b", call)]
        self.successResultOf(ensureDeferred(self.shelf.put(left)))
        self.assertEqual((self.take(), self.take()), (left, []))

    def test_damaged(self) -> None:
        """A line that nobody wrote costs no other one."""
        call = Call(Occasion.START, {}, "{}", 0.0)
        self.successResultOf(ensureDeferred(self.shelf.put([Left("a", call)])))
        self.path.write_text(f"null\n[1, 2\n{self.path.read_text()}")
        self.assertEqual(self.take(), [Left("a", call)])


class Answer:
    """The head of an answer."""

    def __init__(self, code: int) -> None:
        self.code = code

    def deliverBody(self, protocol: object) -> None:
        """Nobody reads it."""


@implementer(IAgent)
class Receiving:
    """An agent that answers one by one what the test says; None: nothing at all."""

    def __init__(self, answers: Sequence[int | Exception | None]) -> None:
        self.answers = list(answers)
        self.posts: list[tuple[bytes, Headers, bytes]] = []

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,  # noqa: N803 - Twisted's interface
    ) -> Deferred[object]:
        """Take a post."""
        assert headers is not None
        assert bodyProducer is not None
        body = bodyProducer._inputFile.read()  # type: ignore[attr-defined]
        self.posts.append((method + b" " + uri, headers, body))
        answer = self.answers.pop(0)
        if answer is None:
            return Deferred()
        if isinstance(answer, Exception):
            failed: Deferred[object] = Deferred()
            failed.errback(Failure(answer))
            return failed
        return succeed(Answer(answer))


class WebhookTests(SynchronousTestCase):
    """Tests for `webhook`."""

    receiver = Receiver(URL, b"s3cret", timeout=10.0, retry=RetryPolicy(3, 1.0, 60.0))

    def setUp(self) -> None:
        self.clock = Clock()

    def call(self, *answers: int | Exception | None) -> Deferred[None]:
        """A call that is answered so."""
        self.agent = Receiving(answers)
        means = Means(self.agent, self.clock, Random(1), lambda: "id-1")
        job = {"id": "x" * 16, "state": "complete"}
        call = Call(Occasion.COMPLETE, job, json.dumps(job), 12.5)
        return ensureDeferred(webhook(self.receiver, means)(call))  # type: ignore[arg-type]

    def test_posted_and_signed(self) -> None:
        """The job as JSON, by POST, with what the receiver needs to trust it."""
        self.successResultOf(self.call(204))
        [(line, headers, body)] = self.agent.posts
        self.assertEqual(line, b"POST " + URL.encode())
        told = json.loads(body)
        self.assertEqual(
            (told["event"], told["time"], told["job"]["id"]), ("complete", 12.5, "x" * 16)
        )
        for name, value in {
            "X-Rangedaemon-Signature": signature(b"s3cret", body),
            "X-Rangedaemon-Event": "complete",
            "X-Rangedaemon-Delivery": "id-1",
            "Content-Type": "application/json",
        }.items():
            self.assertEqual(headers.getRawHeaders(name), [value])

    def test_unsigned(self) -> None:
        """Without a secret there is no signature."""
        self.receiver = replace(self.receiver, secret=None)
        self.successResultOf(self.call(200))
        self.assertFalse(self.agent.posts[0][1].hasHeader("X-Rangedaemon-Signature"))

    def test_tried_again(self) -> None:
        """Who fails or is not there is tried again, later each time, with the same delivery."""
        done = self.call(ConnectError(), 503, 200)
        self.assertNoResult(done)
        self.clock.advance(1.0)
        self.assertEqual((len(self.agent.posts), done.called), (2, False))
        self.clock.advance(2.0)
        self.successResultOf(done)
        self.assertEqual(len({body for _, _, body in self.agent.posts}), 1)

    def test_given_up(self) -> None:
        """After so many tries it has failed, and says why, without a secret."""
        done = self.call(500, None, 502)
        self.clock.pump([1.0, 10.0, 2.0])
        why = str(self.failureResultOf(done, HookFailed).value)
        self.assertEqual((why, len(self.agent.posts)), ("it was answered 502 (try 3)", 3))

    def test_silence(self) -> None:
        """A receiver that says nothing is not waited for."""
        self.receiver = replace(self.receiver, retry=RetryPolicy(1, 1.0, 1.0))
        done = self.call(None)
        self.clock.advance(10.0)
        self.assertIn("no answer within 10 s", str(self.failureResultOf(done, HookFailed).value))

    def test_refused_for_good(self) -> None:
        """What no repetition betters is not repeated; a redirect is not followed."""
        for status in (400, 404, 301):
            why = self.failureResultOf(self.call(status), HookFailed).value
            self.assertIn(f"it was answered {status}", str(why))
            self.assertEqual(len(self.agent.posts), 1)
