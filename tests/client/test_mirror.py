"""Tests for `rangedaemon.client.mirror`: rounds of mirrors, and how they are steered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from twisted.internet.defer import ensureDeferred

from rangedaemon.client.mirror import job
from rangedaemon.core.jobs import JobChange, JobRecord
from rangedaemon.core.mirrors import MirrorSpec
from rangedaemon.core.repeats import Repeat
from rangedaemon.errors import StateForbids
from tests.client.mirrorworld import MirrorCase, S, lose, send_page
from tests.client.scripted import Exchange, File


class RoundTests(MirrorCase):
    """What a round asks for, and makes of the answers."""

    def test_first(self) -> None:
        """Every file arrives, by a job of its own."""
        self.start()
        self.assertIs(self.mirror.state, S.COMPLETE, self.mirror.error)
        self.assertEqual(self.counts(), {"folders": 3, "found": 3, "fetched": 3})
        self.assertEqual(self.here(), {name: name.encode() for name in self.listed.files})
        self.assertEqual({r.state for r in self.children().values()}, {S.COMPLETE})

    def test_one_slot(self) -> None:
        """A mirror that waits for its files does not take the one slot that they need."""
        self.start(max_active=1)
        self.assertIs(self.mirror.state, S.COMPLETE)
        self.assertEqual(len(self.here()), 3)

    def test_unchanged(self) -> None:
        """One request for each file, one for each listing, and nothing is written of the files."""
        self.start()
        saved = [r for r in self.world.store.saved if r.spec.parent]
        self.again()
        self.assertEqual(self.counts(), {"folders": 3, "found": 3, "unchanged": 3})
        self.assertEqual(
            Counter(self.listed.asked),
            Counter(["", "sub/", "sub/deep/", "a", "sub/b", "sub/deep/c d"]),
        )
        self.assertEqual([r for r in self.world.store.saved if r.spec.parent], saved)

    def test_changed(self) -> None:
        """A changed file, and one that is gone here, are fetched to their names; others stay."""
        self.start()
        self.listed.files["a"] = File(b"other", etag='"other"')
        (self.base / "sub" / "b").unlink()
        self.again()
        self.assertEqual(self.counts(), {"folders": 3, "found": 3, "unchanged": 1, "fetched": 2})
        self.assertEqual(self.here()["a"], b"other")
        self.assertEqual(self.here()["sub/b"], b"sub/b")
        self.assertEqual(len(self.here()), 3)

    def test_filters(self) -> None:
        """Folders that are not wanted are not even listed."""
        self.start(include=("b", "c*"), exclude=("deep",))
        self.assertEqual(list(self.here()), ["sub/b"])
        self.assertNotIn("sub/deep/", self.listed.asked)

    def test_failed_file(self) -> None:
        """One that fails is told of, and tried again in the next round; the others are here."""
        self.listed.instead["a"] = 404
        self.start()
        self.assertIs(self.mirror.state, S.FAILED)
        assert self.mirror.error is not None
        self.assertEqual(self.mirror.error.code, "incomplete")
        self.assertIn("1 of 3 files failed", self.mirror.error.message)
        self.assertEqual(self.counts(), {"folders": 3, "found": 3, "fetched": 2, "failed": 1})
        del self.listed.instead["a"]
        self.again()
        self.assertIs(self.mirror.state, S.COMPLETE)
        self.assertEqual(self.counts(), {"folders": 3, "found": 3, "fetched": 1, "unchanged": 2})

    def test_file_that_cannot_be_told(self) -> None:
        """Where the question fails the file's own job finds out; what is here stays here."""
        self.start()
        self.listed.instead["a"] = 403
        self.again()
        self.assertIs(self.mirror.state, S.FAILED)
        self.assertEqual(self.counts()["failed"], 1)
        self.assertEqual(self.here()["a"], b"a")
        del self.listed.instead["a"]
        self.again()
        self.assertIs(self.mirror.state, S.COMPLETE)
        self.assertEqual(self.children()["a"].state, S.COMPLETE)

    def test_throttled(self) -> None:
        """A host that asks for peace gets it, and is then asked on."""
        self.start()
        calm = self.world.clock.seconds() + 20

        def throttle(exchange: Exchange) -> None:
            if self.world.clock.seconds() < calm:
                exchange.answer(429, {"Retry-After": "5"}, 0).finish()
            else:
                self.listed.files["a"](exchange)

        self.listed.instead["a"] = throttle
        self.again(seconds=60)
        self.assertIs(self.mirror.state, S.COMPLETE)
        self.assertEqual(self.counts()["unchanged"], 3)

    def test_given_up(self) -> None:
        """A round that failed for good is no part of the next: all is asked about again."""
        self.start()
        self.listed.instead["sub/"] = 500
        self.have("new")
        self.again(seconds=100)
        self.assertIs(self.mirror.state, S.FAILED)
        del self.listed.instead["sub/"]
        self.again()
        self.assertIs(self.mirror.state, S.COMPLETE)
        self.assertEqual(self.counts(), {"folders": 3, "found": 4, "unchanged": 3, "fetched": 1})
        self.assertIn("a", self.listed.asked)

    def test_failed_and_not_wanted(self) -> None:
        """A file that failed and is not asked for any more fails no round."""
        self.listed.instead["a"] = 404
        self.start()
        self.assertIs(self.mirror.state, S.FAILED)
        spec = replace(self.mirror.spec, mirror=MirrorSpec(exclude=("a",)))
        self.world.result(self.runner.rewish(self.id, spec))
        self.settle()
        self.assertIs(self.mirror.state, S.COMPLETE)
        self.assertEqual(self.counts(), {"folders": 3, "found": 2, "unchanged": 2})

    def test_unreachable(self) -> None:
        """Nobody there: the mirror waits and begins again, no file's job is disturbed."""
        self.start()
        self.listed.instead[""] = lose
        self.again(seconds=0.5)
        self.assertIs(self.mirror.state, S.WAITING)
        self.assertEqual({r.state for r in self.children().values()}, {S.COMPLETE})
        del self.listed.instead[""]
        self.settle(10)
        self.assertIs(self.mirror.state, S.COMPLETE)
        self.assertEqual(self.counts(), {"folders": 3, "found": 3, "unchanged": 3})

    def test_interrupted(self) -> None:
        """A round that is cut short goes on: what it has fetched is not asked about again."""
        self.listed.instead["sub/b"] = lambda exchange: None
        self.start()
        self.assertIs(self.mirror.state, S.ACTIVE)
        self.assertEqual(set(self.here()) & {"a", "sub/deep/c d"}, {"a", "sub/deep/c d"})
        self.successResultOf(self.runner.stopService())
        self.assertIs(self.mirror.state, S.QUEUED)
        del self.listed.instead["sub/b"]
        self.listed.asked.clear()
        self.runner.startService()
        self.settle()
        self.assertIs(self.mirror.state, S.COMPLETE, self.mirror.error)
        self.assertNotIn("a", self.listed.asked)
        self.assertEqual(self.counts(), {"folders": 3, "found": 3, "fetched": 3})


class SteeringTests(MirrorCase):
    """Pausing, resuming, removing."""

    def test_stopped_while_adding(self) -> None:
        """Who stops a mirror in the middle of many new files need not wait for all of them."""
        self.patch(job, "PAGE", 1)
        add, paused, late = self.world.store.add, [], list[Exchange]()

        async def pausing(records: Sequence[JobRecord]) -> list[JobRecord]:
            paused.append(ensureDeferred(self.runner.pause(self.id)))
            return await add(records)

        self.listed.instead[""] = late.append
        self.start()
        self.patch(self.world.store, "add", pausing)
        send_page(late[0], '<a href="a"><a href="b"><a href="c">')
        self.settle()
        [told] = map(self.successResultOf, paused)
        self.assertIs(told.record.state, S.PAUSED)
        self.assertEqual([r.state for r in self.children().values()], [S.PAUSED])

    def test_pause_and_resume(self) -> None:
        """A paused mirror fetches nothing; resumed it goes on."""
        for name in ("sub/b", "a", "sub/deep/c d"):
            self.listed.instead[name] = lambda exchange: None
        self.start(max_active=1)
        paused = ensureDeferred(self.runner.pause(self.id))
        self.settle()
        self.assertIs(self.successResultOf(paused).record.state, S.PAUSED)
        self.assertEqual({r.state for r in self.children().values()}, {S.PAUSED})
        self.listed.instead.clear()
        self.world.result(self.runner.resume(self.id))
        self.settle()
        self.assertIs(self.mirror.state, S.COMPLETE)
        self.assertEqual(len(self.here()), 3)

    def test_remove(self) -> None:
        """The jobs of the files go with the mirror; the files stay, or go when that is said."""
        self.start()
        (self.base / "mine").write_text("mine")
        self.world.result(self.runner.remove(self.id, delete_files=True))
        self.assertEqual(self.world.store.records, {})
        self.assertEqual([*self.base.rglob("*")], [self.base / "mine"])

    def test_remove_keeps(self) -> None:
        """By default the files stay."""
        self.start()
        self.world.result(self.runner.remove(self.id, delete_files=False))
        self.assertEqual((self.world.store.records, len(self.here())), ({}, 3))

    def test_repeated(self) -> None:
        """Rounds come by the clock, also where that was wished for only after the first."""
        self.start()
        self.world.result(
            self.runner.change(self.id, JobChange(calendar={"repeat": Repeat(every=100.0)}))
        )
        self.assertIs(self.mirror.state, S.WAITING)
        first = self.round
        self.settle(120)
        self.assertGreater(self.round.began, first.began)
        self.assertEqual(self.counts(), {"folders": 3, "found": 3, "unchanged": 3})
        self.assertIs(self.mirror.state, S.WAITING)

    def test_other_login(self) -> None:
        """Another login is used for the listings and for every file from the next round on."""
        self.start()
        self.world.result(self.runner.change(self.id, JobChange(login=("me", "new"))))
        self.listed.files["a"] = File(b"other", etag='"other"')
        before = len(self.world.origin.exchanges)
        self.again()
        asked = self.world.origin.exchanges[before:]
        self.assertEqual({x.asked("Authorization") for x in asked}, {"Basic bWU6bmV3"})
        self.assertEqual(self.counts()["fetched"], 1)

    def test_other_files(self) -> None:
        """Which files are wanted counts from the next round on."""
        self.start()
        change = JobChange(mirror={"exclude": ("a",), "delete": True})
        self.world.result(self.runner.change(self.id, change))
        self.again()
        self.assertEqual(self.counts()["found"], 2)
        self.assertEqual(self.mirror.spec.mirror, MirrorSpec(exclude=("a",), delete=True))

    def test_no_other_place(self) -> None:
        """Neither address nor folder can be changed: the files' jobs go by them."""
        self.start()
        for change in (JobChange(urls=("http://o.test/",)), JobChange(directory="/elsewhere")):
            self.failureResultOf(ensureDeferred(self.runner.change(self.id, change)), StateForbids)

    def test_no_content(self) -> None:
        """A mirror has no content of its own to be read."""
        self.listed.instead["a"] = lambda exchange: None
        self.start()
        self.assertIs(self.mirror.state, S.ACTIVE)
        self.failureResultOf(ensureDeferred(self.runner.reader(self.id)), StateForbids)
