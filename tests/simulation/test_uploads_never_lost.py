"""
Nothing acknowledged is ever lost: the upload store against faults and crashes at random.

Some uploads, over as many lives of the daemon as it takes.  The machine draws who sends
what, what the disk does, in which order threads and journal get on, and when the process
is killed or the power is cut: at any system call that changes the disk, before and behind
any transaction.  Whatever it draws, octets that were acknowledged are on the disk and are
what was sent, a file under its final name is whole and there once, somebody was told of
each that is finished, and quotas hold; and once everybody behaves, every upload gets done.
How many stories are told is `tests.simulation.stories`'.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from random import Random

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    rule,
)
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.core.uploads import Scope, Upload, UploadProtocol, Wish
from rangedaemon.storage.uploads.ports import Ears, Writer
from tests.simulation.receiving import EXPIRE, LENGTHS, Sending, Sent, Uploads
from tests.simulation.stories import LONGEST, WHICH, tell
from tests.simulation.uploads import Life


class Engine(Uploads):
    """The story of some uploads."""

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
        self._ask(self.life.store.create(sent.scope, wish), sent.answer())
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
            self._ask(sending.writer.abandon(), sending.sent.answer())

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
            self._ask(writer.abandon(), sending.sent.answer())
        else:
            self._ask(writer.commit(), sending.sent.answer())
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
            self._ask(self._story_of_run(sent.upload, octets, wanted), sent.answer())
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
            self._ask(self.life.store.set_length(sent.upload, len(sent.content)), sent.answer())
            self._check()

    @rule(which=WHICH, preempt=st.booleans())
    def find(self, which: int, preempt: bool) -> None:
        """Somebody asks how far an upload is."""
        sent = self._pick(which)
        if sent is not None and sent.upload is not None:
            story = self.life.store.find(sent.scope, sent.upload.id, preempt=preempt)
            asked_for = sent.scope.protocol is UploadProtocol.TUS and preempt
            self._ask(story, partial(self._found, sent, sent.writes, asked_for, sent.answer()))
            self._check()

    def _found(
        self,
        sent: Sent,
        writes: int,
        still: bool,
        answer: Callable[[Upload], None],
        upload: Upload,
    ) -> None:
        answer(upload)
        if still and writes == sent.writes:
            sent.still = upload.offset

    @rule(which=WHICH)
    def finish(self, which: int) -> None:
        """An upload should be published."""
        sent = self._pick(which)
        if sent is not None and sent.upload is not None:
            self._ask(self.life.store.finish(sent.upload), sent.answer())
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
        self._ask(story, sent.answer())
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
            self._ask(self.life.store.finish(sent.upload), sent.answer())
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


class NeverLostTests(SynchronousTestCase):
    """The stories."""

    @pytest.mark.timeout(LONGEST)
    def test_stories(self) -> None:
        """Whatever happens, what was acknowledged is there, and every upload gets done."""
        tell(Engine)
