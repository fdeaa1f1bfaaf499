"""Tests for `rangedaemon.client.mirror`: rounds of mirrors, and what may go wrong in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from twisted.internet.defer import ensureDeferred
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseNeverReceived

from rangedaemon.client.mirror import job, walking
from rangedaemon.core.jobs import JobChange, JobRecord, JobSpec, JobState, Login
from rangedaemon.core.mirrors import Mirrored, MirrorSpec
from rangedaemon.errors import StateForbids
from tests.client.scripted import Exchange, File
from tests.client.world import World

ROOT = "http://origin.test/pub/"
S = JobState


class Listed:
    """An origin that lists what it has; `File` answers for the files."""

    def __init__(self) -> None:
        self.files: dict[str, File] = {}
        self.instead: dict[str, Any] = {}
        """Path to a status, a redirect's target, or what is called with the exchange."""
        self.asked: list[str] = []

    def __call__(self, exchange: Exchange) -> None:
        path = unquote(urlsplit(exchange.url).path).removeprefix("/pub/")
        self.asked.append(path)
        instead = self.instead.get(path)
        if isinstance(instead, int):
            exchange.answer(instead, {}, 0).finish()
        elif isinstance(instead, str):
            exchange.answer(302, {"Location": instead}, 0).finish()
        elif instead is not None:
            instead(exchange)
        elif path in self.files:
            self.files[path](exchange)
        else:
            _send_page(exchange, self.page(path))

    def page(self, folder: str) -> str:
        """The listing of a folder."""
        inside = [name for name in self.files if name.startswith(folder)]
        names = {name.removeprefix(folder).partition("/") for name in inside}
        links = {f"{quote(first)}{slash}" for first, slash, _ in names}
        return "".join(f'<a href="./{link}">{link}</a>' for link in ["../", *sorted(links)])


def _send_page(exchange: Exchange, page: str) -> None:
    octets = page.encode()
    exchange.answer(200, {"Content-Type": "text/html"}, len(octets)).send(octets).finish()


def _lose(exchange: Exchange) -> None:
    exchange.refuse(ResponseNeverReceived([Failure(ConnectionLost())]))


class MirrorCase(SynchronousTestCase):
    """A world with a mirror of a folder."""

    def setUp(self) -> None:
        """Three files, two of them in folders."""
        self.world = World(self)
        self.listed = self.world.origin.script = Listed()
        self.have("a", "sub/b", "sub/deep/c d")
        self.base = self.world.directory / "m"

    def have(self, *names: str) -> None:
        """The origin has these files, each with octets of its own."""
        for name in names:
            self.listed.files[name] = File(name.encode(), etag=f'"{name.encode().hex()}"')

    def start(self, *, max_active: int = 5, **wishes: Any) -> None:
        """A runner that runs a mirror."""
        names = {"include", "exclude", "depth", "delete"} & set(wishes)
        wanted = {name: wishes.pop(name) for name in names}
        spec = JobSpec(
            urls=(wishes.pop("url", ROOT),),
            directory=str(self.base),
            kind="mirror",
            mirror=MirrorSpec(**wanted),
            segments=2,
            **wishes,
        )
        self.runner = self.world.runner(max_active=max_active)
        [snapshot] = self.world.result(self.runner.add([spec]))
        self.id = snapshot.record.id
        self.runner.startService()
        self.addCleanup(self.runner.stopService)
        self.settle()

    def settle(self, seconds: float = 5.0) -> None:
        """Let time pass."""
        for _ in range(int(seconds * 10)):
            self.world.clock.advance(0.1)

    def again(self, *, seconds: float = 5.0) -> None:
        """One more round, by hand; only what it asks counts as asked."""
        self.listed.asked.clear()
        self.world.result(self.runner.retry(self.id))
        self.settle(seconds)

    @property
    def mirror(self) -> JobRecord:
        """The mirror's record."""
        return self.world.store.records[self.id]

    @property
    def round(self) -> Mirrored:
        """The latest round."""
        told = self.mirror.mirrored
        assert told is not None
        return told

    def counts(self) -> dict[str, int]:
        """What of it is not nought."""
        names = ("folders", "found", "unchanged", "fetched", "failed", "left", "gone", "deleted")
        return {name: count for name in names if (count := getattr(self.round, name))}

    def here(self) -> dict[str, bytes]:
        """The files below the mirror's folder."""
        files = (path for path in self.base.rglob("*") if path.is_file())
        return {str(path.relative_to(self.base)): path.read_bytes() for path in files}

    def children(self) -> dict[str, JobRecord]:
        """The jobs of the files by path at the origin."""
        of = [r for r in self.world.store.records.values() if r.spec.parent == self.id]
        return {unquote(r.spec.urls[0].removeprefix(ROOT)): r for r in of}


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
        self.listed.instead[""] = _lose
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


class OriginTests(MirrorCase):
    """Origins that mean harm, or are odd."""

    def test_no_way_out(self) -> None:
        """Whatever a page links to, nothing is asked for but what lies below the folder."""
        page = '<a href="/etc/a"><a href="//evil.test/pub/x"><a href="%2e%2e/x"><a href="a">'
        self.listed.instead[""] = lambda exchange: _send_page(exchange, page)
        self.start()
        self.assertEqual(list(self.here()), ["a"])
        self.assertEqual({x.url for x in self.world.origin.exchanges}, {ROOT, f"{ROOT}a"})

    def test_credentials(self) -> None:
        """A redirected listing gets no credentials elsewhere, and leads to no files elsewhere."""
        self.listed.instead["sub/"] = "http://other.test/pub/sub/"
        logins = (Login("http://origin.test:80", "u", "p"),)
        self.start(headers={"X-Key": "secret"}, logins=logins)
        for exchange in self.world.origin.exchanges:
            mine = exchange.url.startswith("http://origin.test/")
            self.assertIs(exchange.asked("X-Key") == "secret", mine, exchange.url)
            self.assertIs(exchange.asked("Authorization") is not None, mine, exchange.url)
        files = {x.url for x in self.world.origin.exchanges if not x.url.endswith("/")}
        self.assertTrue(all(url.startswith(ROOT) for url in files), files)

    def test_circle(self) -> None:
        """A folder that holds itself is left after two rounds through it."""
        page = '<a href="a"><a href="self/">'
        for depth in range(40):
            self.listed.instead["self/" * depth] = lambda exchange: _send_page(exchange, page)
            self.have("self/" * depth + "a")
        self.start()
        self.assertIs(self.mirror.state, S.COMPLETE)
        self.assertLess(self.counts()["folders"], 5)
        self.assertLess(len(self.here()), 4)

    def test_unreadable_folder(self) -> None:
        """One folder that is refused fails the round, not the others; nothing counts as gone."""
        self.start(delete=True)
        self.listed.instead["sub/"] = 403
        del self.listed.files["a"]
        self.again()
        self.assertIs(self.mirror.state, S.FAILED)
        assert self.mirror.error is not None
        self.assertIn("1 folders could not be had", self.mirror.error.message)
        self.assertEqual(self.counts()["gone"], 1)
        self.assertEqual(len(self.here()), 3)

    def test_no_listing(self) -> None:
        """What is no listing fails the mirror, clearly."""
        self.listed.files[""] = File(b"data")
        self.start()
        self.assertIs(self.mirror.state, S.FAILED)
        assert self.mirror.error is not None
        self.assertIn("no listing of a folder", self.mirror.error.message)

    def test_too_much(self) -> None:
        """More files than anybody has are refused before one is fetched."""
        self.patch(walking, "MOST_FILES", 2)
        self.start()
        self.assertIs(self.mirror.state, S.FAILED)
        self.assertEqual(self.here(), {})


class DeletionTests(MirrorCase):
    """Files that are gone at the origin."""

    def test_kept(self) -> None:
        """Unless it is wished for they stay, and are counted."""
        self.start()
        del self.listed.files["sub/deep/c d"]
        self.again()
        self.assertEqual(self.counts(), {"folders": 2, "found": 2, "unchanged": 2, "gone": 1})
        self.assertEqual(len(self.here()), 3)

    def test_deleted(self) -> None:
        """With ``delete`` they go, with their folders and jobs; strangers' files stay."""
        self.start(delete=True)
        (self.base / "sub" / "mine").write_text("mine")
        del self.listed.files["sub/deep/c d"], self.listed.files["sub/b"]
        self.have("z")
        self.again()
        counts = {"folders": 1, "found": 2, "unchanged": 1, "fetched": 1, "gone": 2, "deleted": 2}
        self.assertEqual(self.counts(), counts)
        self.assertEqual(set(self.here()), {"a", "z", "sub/mine"})
        self.assertFalse((self.base / "sub" / "deep").exists())
        self.assertEqual(set(self.children()), {"a", "z"})

    def test_empty_listing(self) -> None:
        """A folder that holds nothing at all is no proof that all is gone."""
        self.start(delete=True)
        self.listed.files.clear()
        self.again()
        self.assertEqual(self.counts(), {"folders": 1, "gone": 3})
        self.assertEqual(len(self.here()), 3)

    def test_filtered(self) -> None:
        """What is not wanted any more is not gone; other wishes are looked after at once."""
        self.start(delete=True)
        spec = self.mirror.spec
        self.world.result(
            self.runner.rewish(self.id, replace(spec, mirror=MirrorSpec(depth=0, delete=True)))
        )
        self.settle()
        self.assertEqual(self.counts(), {"folders": 1, "found": 1, "unchanged": 1})
        self.assertEqual(len(self.here()), 3)


class PlaceTests(MirrorCase):
    """Links and other things in the way."""

    def test_link_in_the_way(self) -> None:
        """A folder that is a link here leads nothing out, neither what comes nor what goes."""
        outside = self.world.directory / "outside"
        (outside / "deep").mkdir(parents=True)
        self.base.mkdir()
        (self.base / "sub").symlink_to(outside)
        self.start(delete=True)
        self.assertIs(self.mirror.state, S.FAILED)
        self.assertEqual([*outside.rglob("*")], [outside / "deep"])
        self.assertEqual((self.base / "a").read_bytes(), b"a")

    def test_link_that_came_later(self) -> None:
        """Deletion follows no link that took a folder's place."""
        self.start(delete=True)
        outside = self.world.directory / "outside"
        (self.base / "sub").rename(outside)
        (self.base / "sub").symlink_to(outside)
        del self.listed.files["sub/b"], self.listed.files["sub/deep/c d"]
        self.again()
        self.assertEqual((outside / "b").read_bytes(), b"sub/b")
        self.assertEqual((outside / "deep" / "c d").read_bytes(), b"sub/deep/c d")
        self.assertNotIn("deleted", self.counts())

    def test_names_that_meet(self) -> None:
        """Names that are made the same are told apart, for ever."""
        self.listed.files.clear()
        self.have("x:y", "x?y")
        self.start()
        first = self.here()
        self.assertEqual(set(first), {"x_y", "x_y (1)"})
        self.assertEqual(set(first.values()), {b"x:y", b"x?y"})
        self.again()
        self.assertEqual((self.here(), self.counts()["unchanged"]), (first, 2))


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
        _send_page(late[0], '<a href="a"><a href="b"><a href="c">')
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
