"""
Nothing acknowledged is ever lost: the upload store against faults and crashes at random.

Some uploads, over as many lives of the daemon as it takes.  The machine draws who sends
what, what the disk does, in which order threads and journal get on, and when the process
is killed or the power is cut: at any system call that changes the disk, before and behind
any transaction.  Whatever it draws, octets that were acknowledged are on the disk and are
what was sent, a file under its final name is whole and there once, somebody was told of
each that is finished, and quotas hold; and once everybody behaves, every upload gets done.

``RANGEDAEMON_EXAMPLES`` sets how many stories are told, others each time; where it is
not set the same 200 are.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)
from twisted.internet.defer import ensureDeferred
from twisted.logger import LogEvent, LogLevel, eventAsText, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.intervals import EMPTY, ByteRange, IntervalSet
from rangedaemon.core.jobs import OnConflict
from rangedaemon.core.uploadfaults import QuotaExceeded
from rangedaemon.core.uploads import Scope, Upload, UploadProtocol, UploadState, Wish
from rangedaemon.errors import Fault
from rangedaemon.storage.uploads import files, live, publishing, writing
from rangedaemon.storage.uploads.mounts import UploadMount
from rangedaemon.storage.uploads.ports import Ears, Writer
from tests.simulation.disk import Disk, Image
from tests.simulation.uploads import Books, Life

EXAMPLES = int(os.environ.get("RANGEDAEMON_EXAMPLES", "200"))
SEARCHING = "RANGEDAEMON_EXAMPLES" in os.environ
"""Whether other stories are told each time; else always the same ones."""
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
WHICH = st.integers(0, 7)


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

    def saw(self, upload: Upload) -> None:
        """The store has said this of it: all of it has to stay true."""
        if not self.given_up and upload.state in (UploadState.OPEN, UploadState.PUBLISHING):
            lost = self.acknowledged - upload.arrived
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


class Engine(RuleBasedStateMachine):
    """The story of some uploads."""

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
        self.cleanups = ExitStack()
        for module, name, value in SMALLER:
            self.cleanups.enter_context(patch.object(module, name, value))
        self.errors: list[str] = []
        globalLogPublisher.addObserver(self._logged)
        self.cleanups.callback(globalLogPublisher.removeObserver, self._logged)
        home = Path(tempfile.mkdtemp(prefix="rangedaemon-"))
        self.cleanups.callback(shutil.rmtree, home)
        self.state, self.root = home / "state", home / "srv"
        self.parts = self.state / "uploads"
        for directory in (self.root, self.parts):
            directory.mkdir(parents=True)
        if two_systems:
            self.cleanups.enter_context(patch.object(os, "link", _links_within(os.link)))
        self.mount = UploadMount(
            "/files", self.root, on_conflict=on_conflict, expire=EXPIRE, quota=quota
        )
        self.held = held
        self.seconds = 0.0
        self.countdown: int | None = None
        self.power_cut = False
        self.left: tuple[Image, bytes] | None = None
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

    def _step(self) -> None:
        """Something is about to change the disk or the journal: the last moment to die."""
        if self.countdown is not None:
            self.countdown -= 1
            if self.countdown < 0:
                self._die()

    def _die(self) -> None:
        """Keep what would be left; the life itself may go on, nobody will know of it."""
        self.countdown = None
        if self.left is None:
            image = self.disk.after_a_power_cut() if self.power_cut else self.disk.after_a_kill()
            self.left = image, self.books.image()

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

    def _logged(self, event: LogEvent) -> None:
        if event.get("log_level") in (LogLevel.error, LogLevel.critical):
            self.errors.append(eventAsText(event))

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

    # -- what senders do ----------------------------------------------------------------------

    def _pick(self, which: int) -> Sent | None:
        there = self._named()
        return there[which % len(there)] if there else None

    @rule(
        length=LENGTHS,
        protocol=st.sampled_from([UploadProtocol.TUS, UploadProtocol.SEGMENTED]),
        deferred=st.booleans(),
        partial=st.booleans(),
        promised=st.booleans(),
    )
    def create(
        self, length: int, protocol: UploadProtocol, deferred: bool, partial: bool, promised: bool
    ) -> None:
        """Somebody begins an upload."""
        if len(self.sent) >= 6:
            return
        name = f"u{len(self.sent)}"
        content = Random(name).randbytes(length)
        segmented = protocol is UploadProtocol.SEGMENTED
        partial = partial and not segmented
        sent = Sent(name, content, Scope("/files", protocol), partial)
        self.sent.append(sent)
        wish = Wish(
            name,
            id=name if segmented else None,
            length=None if deferred and not segmented else length,
            partial=partial,
            digest="sha-256=" + hashlib.sha256(content).hexdigest() if promised else None,
        )
        self._ask(self.life.store.create(sent.scope, wish), sent.saw)
        self._check()

    @rule(
        which=WHICH,
        at=st.integers(0, 8),
        count=st.sampled_from([1, 300, 600, 3000, 9000]),
        told=st.booleans(),
        digest=st.sampled_from([None, None, "right", "wrong"]),
    )
    def write(self, which: int, at: int, count: int, told: bool, digest: str | None) -> None:
        """Somebody begins to send a run of octets."""
        sent = self._pick(which)
        if sent is None or sent.upload is None:
            return
        offset = sent.upload.offset
        if sent.scope.protocol is UploadProtocol.SEGMENTED:
            offset, told = len(sent.content) * at // 9, True
        run = sent.content[offset : offset + count]
        wanted = hashlib.sha1(run if digest == "right" else b"another" + run).hexdigest()
        sending: list[Sending] = []
        ended: list[bool] = []
        ears = Ears(
            on_end=lambda _fault: (ended.append(True), self._give_up(sending)),
            on_committed=lambda upto: self._safe_upto(sent, upto, life),
        )
        life = self.life
        sent.still, sent.writes = None, sent.writes + 1

        def begun(writer: Writer) -> None:
            sending.append(Sending(sent, writer, digest != "wrong", digest is not None))
            self.sending.append(sending[0])
            if ended:
                self._give_up(sending)

        story = life.store.write(
            sent.upload,
            offset,
            ears,
            count=len(run) if told or digest else None,
            digest="sha-1=" + wanted if digest else None,
        )
        self._ask(story, begun)
        self._check()

    def _give_up(self, begun: list[Sending]) -> None:
        """As an adapter does: at once, if it has the writer already."""
        for sending in [sending for sending in begun if sending in self.sending]:
            self.sending.remove(sending)
            self._ask(sending.writer.abandon(), sending.sent.saw)

    def _safe_upto(self, sent: Sent, upto: int, life: Life) -> None:
        if self.life is life and self.left is None:
            sent.acknowledged |= IntervalSet([ByteRange(0, upto)])

    @rule(which=WHICH, count=st.sampled_from([1, 20, 300, 700, 3000, 9000]))
    def push(self, which: int, count: int) -> None:
        """Octets of a run come."""
        if not self.sending:
            return
        sending = self.sending[which % len(self.sending)]
        writer, content = sending.writer, sending.sent.content
        most = writer.run.stop - writer.offset  # type: ignore[attr-defined]
        block = content[writer.offset : writer.offset + min(count, most)]
        if not sending.right:
            block = bytes(255 - octet for octet in block)
        while block:
            writer.push(block[:1500])
            block = block[1500:]
        self._check()

    @rule(which=WHICH, before=st.integers(0, 3), lost=st.booleans(), after=st.integers(0, 3))
    def come_back(self, which: int, before: int, lost: bool, after: int) -> None:
        """Who comes back asks for the offset while what came before is written and claimed."""
        if not self.sending:
            return
        sending = self.sending[which % len(self.sending)]
        self.push(which, 700)
        self.work([0] * before)
        if lost and sending in self.sending:
            self._give_up([sending])
            self.work([0] * after)
        if sending.sent in self._named():
            self.find(self._named().index(sending.sent), preempt=True)

    def _named(self) -> list[Sent]:
        """Uploads that exist; those that nobody cares for any more where there are no others."""
        known = [sent for sent in self.sent if sent.upload is not None]
        return [sent for sent in known if not sent.given_up and not sent.finished] or known

    @rule(which=WHICH, lost=st.booleans())
    def end_run(self, which: int, lost: bool) -> None:
        """A run comes to its end, or its connection is lost."""
        if not self.sending:
            return
        sending = self.sending.pop(which % len(self.sending))
        writer = sending.writer
        whole = not sending.digest or sending.writer.offset == sending.writer.run.stop  # type: ignore[attr-defined]
        if lost or not whole:
            self._ask(writer.abandon(), sending.sent.saw)
        else:
            self._ask(writer.commit(), sending.sent.saw)
        self._check()

    @rule(which=WHICH, count=st.sampled_from([300, 3000]), right=st.booleans())
    def send_judged(self, which: int, count: int, right: bool) -> None:
        """A run with a digest comes as a whole."""
        sent = self._pick(which)
        if sent is not None and sent.upload is not None:
            run = sent.content[sent.upload.offset :][:count]
            wanted = hashlib.sha1(run).hexdigest()
            sent.still, sent.writes = None, sent.writes + 1
            octets = run if right else bytes(255 - octet for octet in run)
            self._ask(self._story_of_run(sent.upload, octets, wanted), sent.saw)
            self._check()

    async def _story_of_run(self, upload: Upload, octets: bytes, wanted: str) -> Upload:
        writer = await self.life.store.write(
            upload, upload.offset, count=len(octets), digest=f"sha-1={wanted}"
        )
        writer.push(octets)
        return await writer.commit()

    @rule(which=WHICH)
    def tell_length(self, which: int) -> None:
        """The length that was deferred is told."""
        sent = self._pick(which)
        if sent is not None and sent.upload is not None:
            self._ask(self.life.store.set_length(sent.upload, len(sent.content)), sent.saw)
            self._check()

    @rule(which=WHICH, preempt=st.booleans())
    def find(self, which: int, preempt: bool) -> None:
        """Somebody asks how far an upload is."""
        sent = self._pick(which)
        if sent is not None and sent.upload is not None:
            story = self.life.store.find(sent.scope, sent.upload.id, preempt=preempt)
            asked_for = sent.scope.protocol is UploadProtocol.TUS and preempt
            self._ask(story, partial(self._found, sent, sent.writes, asked_for))
            self._check()

    def _found(self, sent: Sent, writes: int, still: bool, upload: Upload) -> None:
        sent.saw(upload)
        if still and writes == sent.writes:
            sent.still = upload.offset

    @rule(which=WHICH)
    def finish(self, which: int) -> None:
        """An upload should be published."""
        sent = self._pick(which)
        if sent is not None and sent.upload is not None:
            self._ask(self.life.store.finish(sent.upload), sent.saw)
            self._check()

    @rule(first=WHICH, second=WHICH)
    def concatenate(self, first: int, second: int) -> None:
        """Partial uploads are joined."""
        parts = [s for s in self.sent if s.partial and s.upload is not None and s.upload.whole]
        if not parts or len(self.sent) >= 6:
            return
        chosen = [parts[first % len(parts)], parts[second % len(parts)]]
        content = b"".join(part.content for part in chosen)
        sent = Sent(f"u{len(self.sent)}", content, chosen[0].scope, partial=False)
        self.sent.append(sent)
        ids = [part.upload.id for part in chosen if part.upload is not None]
        story = self.life.store.concatenate(sent.scope, Wish(sent.name), ids)
        self._ask(story, sent.saw)
        self._check()

    @rule(which=WHICH, rarely=st.integers(0, 3))
    def terminate(self, which: int, rarely: int) -> None:
        """An upload is not wanted any more."""
        sent = self._pick(which)
        if not rarely and sent is not None and sent.upload is not None:
            sent.given_up = True
            self._ask(self.life.store.terminate(sent.upload), lambda _none: None)
            self._check()

    # -- what the machine does ---------------------------------------------------------------

    @rule(which=st.lists(WHICH, min_size=1, max_size=6))
    def work(self, which: list[int]) -> None:
        """Disk and journal get on, in any order."""
        for number in which:
            self.life.work(number)
        self._check()

    @rule()
    def work_off(self) -> None:
        """Disk and journal do all that is due."""
        self.life.work_off()
        self._check()

    @rule(seconds=st.sampled_from([0.5, 1.0, 3.0]))
    def pass_time(self, seconds: float) -> None:
        """Time goes by."""
        self.life.clock.advance(seconds)
        self._check()

    @rule(rarely=st.integers(0, 3))
    def let_expire(self, rarely: int) -> None:
        """Nobody cares for a long time."""
        if rarely:
            return
        for sent in self.sent:
            sent.given_up = sent.given_up or not sent.finished
        self.life.clock.advance(EXPIRE + 1)
        self._check()

    @rule()
    def sweep(self) -> None:
        """What has expired goes."""
        self._ask(self.life.store.sweep(), lambda _more: None)
        self._check()

    @rule(faults=st.lists(st.integers(0, 1), min_size=1, max_size=5))
    def break_disk(self, faults: list[int]) -> None:
        """Some of the next writes and syncs fail."""
        self.disk.faults[:] = faults

    @rule(steps=st.integers(0, 20), power_cut=st.booleans())
    def crash(self, steps: int, power_cut: bool) -> None:
        """The process will die at that step of disk or journal from now."""
        self.countdown, self.power_cut = steps, power_cut

    @rule(power_cut=st.booleans())
    def crash_now(self, power_cut: bool) -> None:
        """The process dies between two steps."""
        self.power_cut = power_cut
        self._die()
        self._check()

    @rule(which=WHICH, steps=st.integers(0, 25), power_cut=st.booleans())
    def publish_and_crash(self, which: int, steps: int, power_cut: bool) -> None:
        """An upload is sent to its end, and the process dies while it is published."""
        sent = self._pick(which)
        if sent is None or sent.given_up or sent.partial or self.left is not None:
            return
        self.disk.faults.clear()
        if self._send_rest(sent):
            self.countdown, self.power_cut = steps, power_cut
            assert sent.upload is not None
            self._ask(self.life.store.finish(sent.upload), sent.saw)
            self.life.work_off()
        self._check()

    @rule()
    def restart(self) -> None:
        """An orderly end and a new start: what was written is kept."""
        self.disk.faults.clear()
        self._ask(self.life.store.close(), lambda _none: None)
        self.life.work_off()
        self.power_cut = True
        self._die()
        self._check()

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


def _links_within(link: Callable[..., None]) -> Callable[..., None]:
    """Links as between two file systems: none from one directory to another."""

    def linked(source: Path, target: Path, **named: Any) -> None:
        if Path(source).parent != Path(target).parent:
            raise OSError(errno.EXDEV, "two file systems")
        link(source, target, **named)

    return linked


class NeverLostTests(SynchronousTestCase):
    """The stories."""

    @pytest.mark.timeout(24 * 3600 if SEARCHING else 900)
    def test_stories(self) -> None:
        """Whatever happens, what was acknowledged is there, and every upload gets done."""
        run_state_machine_as_test(
            Engine,
            settings=settings(
                max_examples=EXAMPLES,
                derandomize=not SEARCHING,
                stateful_step_count=40,
                deadline=None,
                print_blob=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
