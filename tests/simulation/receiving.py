"""Some uploads over as many lives of the daemon as it takes: their world, and what must hold."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
)
from twisted.internet.defer import ensureDeferred
from twisted.python.failure import Failure

from rangedaemon.core.intervals import EMPTY, ByteRange, IntervalSet
from rangedaemon.core.jobs import OnConflict
from rangedaemon.core.uploadfaults import QuotaExceeded
from rangedaemon.core.uploads import Scope, Upload, UploadProtocol, UploadState
from rangedaemon.errors import Fault
from rangedaemon.storage.uploads import files, live, publishing, writing
from rangedaemon.storage.uploads.mounts import UploadMount
from rangedaemon.storage.uploads.ports import Writer
from tests.simulation.disk import Disk, Image
from tests.simulation.stories import Story
from tests.simulation.uploads import Books, Life
from tests.storage.filesystems import links_within

EXPIRE = 1000.0
SMALLER = [
    (writing, "BATCH", 512),
    (writing, "MOST_PENDING", 4096),
    (writing, "LOW_PENDING", 1024),
    (writing, "SMALL", 32),
    (live, "CHECKPOINT_OCTETS", 2048),
    (files, "STEP", 1024),
    (files, "_BLOCK", 512),
    (publishing, "STEP", 1024),
    (publishing, "_BLOCK", 512),
]
"""Measures of the store, so that small uploads have as many steps as large ones."""

LENGTHS = st.sampled_from([0, 1, 511, 512, 700, 2048, 5000, 9000])


@dataclass
class Sent:
    """What the sender knows of an upload."""

    name: str
    content: bytes
    scope: Scope
    partial: bool
    upload: Upload | None = None
    acknowledged: IntervalSet = EMPTY
    finished: bool = False
    given_up: bool = False
    """Whether somebody has asked for its end: its octets may be gone."""
    writes: int = 0
    """How many requests have written to it."""
    still: int | None = None
    """The offset that was told when nobody was to write any more, until somebody does."""

    def answer(self) -> Callable[[Upload], None]:
        """For the answer to a question that is asked now: later ones may have theirs before."""
        return partial(self.saw, known=self.acknowledged)

    def saw(self, upload: Upload, known: IntervalSet | None = None) -> None:
        """The store has said this of it: all of it has to stay true.

        :param known: what was acknowledged when it was asked; None: as by now.
        """
        if not self.given_up and upload.state in (UploadState.OPEN, UploadState.PUBLISHING):
            lost = (self.acknowledged if known is None else known) - upload.arrived
            assert not lost, f"{self.name}: {lost} was acknowledged and is gone"
        if self.still is not None and upload.state is UploadState.OPEN:
            assert upload.offset == self.still, f"{self.name}: {self.still} did not stay true"
        self.acknowledged |= upload.arrived
        self.finished = self.finished or upload.finished
        self.upload = upload


@dataclass
class Sending:
    """A run of octets on its way."""

    sent: Sent
    writer: Writer
    right: bool
    """Whether the octets are those of the upload."""
    digest: bool


class Uploads(Story):
    """The story of some uploads, and what must hold in it."""

    @initialize(
        held=st.booleans(),
        two_systems=st.booleans(),
        quota=st.sampled_from([None, 6000]),
        on_conflict=st.sampled_from([OnConflict.RENAME, OnConflict.OVERWRITE, OnConflict.FAIL]),
        chance=st.integers(0, 1 << 16),
    )
    def begin(
        self,
        held: bool,
        two_systems: bool,
        quota: int | None,
        on_conflict: OnConflict,
        chance: int,
    ) -> None:
        """A store with nothing in it."""
        home = self.prepare(SMALLER)
        self.state, self.root = home / "state", home / "srv"
        self.parts = self.state / "uploads"
        for directory in (self.root, self.parts):
            directory.mkdir(parents=True)
        if two_systems:
            self.cleanups.enter_context(patch.object(os, "link", links_within(os.link)))
        self.mount = UploadMount(
            "/files", self.root, on_conflict=on_conflict, expire=EXPIRE, quota=quota
        )
        self.held = held
        self.sent: list[Sent] = []
        self.sending: list[Sending] = []
        self.told: set[Path | None] = set()
        """The files that somebody was told of."""
        self.random = Random(chance)
        self.disk = Disk((self.parts, self.root), Random(chance))
        self.disk.before = self._step
        self.books = Books(self._step)
        self.cleanups.callback(self.books.close)
        self._boot()
        for protocol in (UploadProtocol.TUS, UploadProtocol.SEGMENTED):
            self.create(3000, protocol, deferred=False, partial=False, promised=False)
        self.life.work_off()

    def teardown(self) -> None:
        """From now on everybody behaves: every upload gets done."""
        if hasattr(self, "life"):
            with self.cleanups:
                self._come_to_an_end()
                self.life.stop()
                self._check()
                self.disk.let_go()

    # -- the lives ----------------------------------------------------------------------

    def _boot(self, image: Image | None = None) -> None:
        self.disk.watch(image)
        self.life = Life(
            self.books,
            self.state,
            self.mount,
            held=self.held,
            seconds=self.seconds,
            new_id=lambda: self.random.randbytes(16).hex(),
            on_published=self._published,
        )

    def _published(self, upload: Upload) -> None:
        if self.left is None:  # else nobody heard it
            self.told.add(upload.path)

    def _committed(self) -> bytes:
        return self.books.image()

    def _check(self) -> None:
        """After each step: is somebody dead, and does everything hold?"""
        if self.left is not None:
            self._rise(*self.left)
        self._check_all(self.disk.after_a_kill())
        assert not self.errors, f"bugs were logged: {self.errors}"

    def _rise(self, image: Image, books: bytes) -> None:
        self.countdown = None
        self.disk.let_go()
        self.seconds = self.life.stop()
        self.left = None
        self.sending.clear()
        self.books.restore(books)
        self._check_all(image)
        image.restore()
        self._boot(image)

    def _ask(
        self,
        story: Awaitable[Any],
        then: Callable[[Any], None],
        failed: Callable[[Fault], None] = lambda _fault: None,
    ) -> None:
        """Begin *story*; its answer counts if it comes in this life."""
        life = self.life

        def answered(answer: Any) -> None:
            if self.life is not life or self.left is not None:
                return
            if not isinstance(answer, Failure):
                then(answer)
            elif isinstance(answer.value, Fault):
                failed(answer.value)
            else:
                answer.raiseException()

        def bug(failure: Failure) -> None:
            self.errors.append(failure.getTraceback())

        ensureDeferred(story).addBoth(answered).addErrback(bug)  # type: ignore[arg-type]

    # -- what must hold -------------------------------------------------------------------

    def _check_all(self, image: Image) -> None:
        rows = self.books.rows()
        by_name = {row.name: row for row in rows}
        for sent in self.sent:
            self._check_claims(sent, by_name.get(sent.name), image)
        self._check_names(image)
        self._check_quota(rows)

    def _check_claims(self, sent: Sent, row: Upload | None, image: Image) -> None:
        if sent.given_up:
            return
        if row is None:
            assert sent.upload is None, f"{sent.name} was created and is forgotten"
            return
        if row.state is UploadState.OPEN:
            there = image.file(self.parts / row.file) or b""
            for start, stop in row.arrived.to_pairs():
                claimed = there[start:stop].ljust(stop - start, b"?")
                assert claimed == sent.content[start:stop], (
                    f"{sent.name}: [{start}, {stop}) is claimed and not there"
                )
            lost = sent.acknowledged - row.arrived
            assert not lost, f"{sent.name}: {lost} was acknowledged and is not claimed"
        elif row.state in (UploadState.FINISHED, UploadState.KEPT):
            assert row.path is not None
            assert image.file(row.path) == sent.content, f"{sent.name} is finished and not there"
            assert row.path in self.told, f"nobody was told of {sent.name}"
        if sent.finished:
            assert row.state in (UploadState.FINISHED, UploadState.KEPT), f"{sent.name}: {row}"

    def _check_names(self, image: Image) -> None:
        """Who has a final name is whole, and has no other."""
        names = [name for name in image.names[self.root] if not name.startswith(".")]
        for sent in self.sent:
            own = [name for name in names if name.split(" ")[0].split(".")[0] == sent.name]
            assert len(own) <= 1, f"{sent.name} is there more than once: {own}"
            for name in own:
                assert image.file(self.root / name) == sent.content, f"{name} is not what was sent"
                names.remove(name)
        assert not names, f"nobody has sent {names}"

    def _check_quota(self, rows: list[Upload]) -> None:
        counted = [row for row in rows if row.state is not UploadState.GONE]
        octets = sum(row.reserved for row in counted)
        unfinished = sum(row.state in (UploadState.OPEN, UploadState.PUBLISHING) for row in counted)
        assert self.books.tally() == (octets, unfinished), "the tally is wrong"
        for row in counted:
            assert row.arrived.total <= row.reserved, f"{row.name} has more than is counted"
        if self.mount.quota is not None:
            assert octets <= self.mount.quota, f"{octets} are more than the quota"

    # -- the end ---------------------------------------------------------------------------------

    def _send_rest(self, sent: Sent) -> bool:
        """Send what is missing; whether it is all there now."""
        story = self._story_of_rest(sent)
        done: list[bool] = []
        self._ask(story, done.append, lambda _fault: None)
        self.life.work_off()
        return bool(done and done[0]) and self.left is None

    async def _story_of_rest(self, sent: Sent) -> bool:
        assert sent.upload is not None
        store = self.life.store
        upload = await store.find(sent.scope, sent.upload.id, preempt=True)
        self._saw(sent, upload)
        if upload.finished:
            return True
        if upload.length is None:
            upload = await store.set_length(upload, len(sent.content))
        if upload.parts is None:
            sent.still, sent.writes = None, sent.writes + 1
            for gap in upload.arrived.gaps(ByteRange(0, len(sent.content))):
                writer = await store.write(upload, gap.start, count=len(gap))
                writer.push(sent.content[gap.start : gap.stop])
                upload = await writer.commit()
                self._saw(sent, upload)
        return upload.whole

    def _saw(self, sent: Sent, upload: Upload) -> None:
        if self.left is None:  # else it was told to nobody
            sent.saw(upload)

    def _come_to_an_end(self) -> None:
        self.disk.faults.clear()
        self.countdown = None
        self.life.threads.held = self.books.held = False
        self.life.work_off()
        for sending in self.sending:
            self.life.finish(sending.writer.abandon())
        for sent in self.sent:
            if sent.upload is not None and not sent.given_up and not sent.finished:
                self._bring_to_its_end(sent)
        self._check()
        for sent in self.sent:
            sent.given_up = not sent.finished
        for _ in range(3):
            self.life.clock.advance(EXPIRE * 1000)
            while self.life.finish(self.life.store.sweep()):
                pass
        assert not list(self.parts.iterdir()), "octets are left that no upload has"
        assert not [p for p in self.root.iterdir() if p.name.startswith(".")], "staged for nobody"

    def _bring_to_its_end(self, sent: Sent) -> None:
        assert sent.upload is not None
        try:
            assert self.life.finish(self._story_of_rest(sent)), f"{sent.name} is not whole"
            upload = self.life.finish(self.life.store.finish(sent.upload))
        except QuotaExceeded:
            sent.given_up = True
            self.life.finish(self.life.store.terminate(sent.upload))
            return
        if not sent.partial:
            assert upload.finished
            sent.saw(upload)
