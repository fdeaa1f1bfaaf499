"""A world with an origin that lists folders, and a mirror of one of them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote, urlsplit

from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseNeverReceived

from rangedaemon.core.jobs import JobRecord, JobSpec, JobState
from rangedaemon.core.mirrors import Mirrored, MirrorSpec
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
            send_page(exchange, self.page(path))

    def page(self, folder: str) -> str:
        """The listing of a folder."""
        inside = [name for name in self.files if name.startswith(folder)]
        names = {name.removeprefix(folder).partition("/") for name in inside}
        links = {f"{quote(first)}{slash}" for first, slash, _ in names}
        return "".join(f'<a href="./{link}">{link}</a>' for link in ["../", *sorted(links)])


def send_page(exchange: Exchange, page: str) -> None:
    """Answer with a page."""
    octets = page.encode()
    exchange.answer(200, {"Content-Type": "text/html"}, len(octets)).send(octets).finish()


def lose(exchange: Exchange) -> None:
    """Lose the connection before an answer."""
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
