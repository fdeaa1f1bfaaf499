"""
One attempt at the octets: the swarm, with rates, silence and checkpoints beside it.

The file that the octets go to outlives the attempt; the swarm and its sink do not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from twisted.logger import Logger
from twisted.python.failure import Failure

from rangedaemon.client.books import Books
from rangedaemon.client.chores import beside
from rangedaemon.client.habits import Habits
from rangedaemon.client.opening import Opening
from rangedaemon.client.proofs import Proofs
from rangedaemon.client.secondlook import Edges
from rangedaemon.client.seldom import Seldom
from rangedaemon.client.sink import Sink
from rangedaemon.client.source import Source
from rangedaemon.client.swarm import Swarm
from rangedaemon.client.throttle import Throttle
from rangedaemon.client.verifying import Proof, promise_of, verify
from rangedaemon.client.weeding import held_back
from rangedaemon.client.workfile import Workfile
from rangedaemon.core.intervals import EMPTY, ByteRange, IntervalSet
from rangedaemon.core.jobs import JobSpec
from rangedaemon.core.plan import Plan
from rangedaemon.core.rates import RateMeter
from rangedaemon.core.slowness import Patience, floor_of
from rangedaemon.errors import Fault, StorageFault, TooSlow, Unjoinable

TICK_SECONDS = 0.5
ROOM_SECONDS = 5.0
"""How often it is looked whether the disk still has room."""

Cancellable = Callable[[Awaitable[None]], Awaitable[None]]


class Fetching:
    """What moves a job's octets, and what is known of how it goes."""

    _log = Logger()

    def __init__(self, books: Books, habits: Habits) -> None:
        self.file: Workfile | None = None
        self.won = False
        """Whether any octet has come since this was made."""
        self._books = books
        self._habits = habits
        self._clock = habits.around.clock
        self._throttle = Throttle(self._clock, books.record.spec.rate_limit, habits.pacer)
        self._meter = RateMeter()
        self._swarm: Swarm | None = None
        self._proofs: Proofs | None = None
        self._counted = 0
        self._bad_pieces = Seldom(self._clock, self._tell_bad_pieces)
        self._patience: Patience | None = None
        self._expect(books.record.spec)

    # -- how it goes --------------------------------------------------------------

    @property
    def swarm(self) -> Swarm | None:
        """The connections at work, None where none are."""
        return self._swarm

    @property
    def written(self) -> IntervalSet:
        """The octets that are in the part file now."""
        sink = self.file.sink if self.file is not None else None
        return sink.written if sink is not None else self._books.record.covered

    @property
    def rate(self) -> float:
        """Octets per second over the last seconds."""
        return self._meter.rate(self._clock.seconds())

    def change(self, spec: JobSpec) -> None:
        """Take on other wishes."""
        self._throttle.set_rate(spec.rate_limit)
        self._expect(spec)
        if self._swarm is not None and self._swarm.segmented:
            self._swarm.most = max(1, spec.segments)
            self._swarm.adjust()

    def _expect(self, spec: JobSpec) -> None:
        floor = floor_of(spec.lowest_speed, self._habits.floor)
        if floor is None or self._patience is None or self._patience.floor != floor:
            self._patience = None if floor is None else Patience(floor)

    # -- an attempt -----------------------------------------------------------------

    async def fetch(
        self, opening: Opening, sources: Sequence[Source], cancellable: Cancellable
    ) -> None:
        """Bring every octet that is missing.

        :param cancellable: awaits the network's part, which may be cut short.
        :raises Fault: it could not; what came is kept.
        """
        record = self._books.record
        file = self._file
        sink = file.begin(record.covered, self._disk_failed)
        self._counted = record.covered.total
        proofs = self._watch(sink, opening.identity.length)
        if opening.reply is None:
            await self._insist_on_pieces(record.covered, sink, opening.identity.length)
            return
        plan = Plan(opening.identity.length, record.covered, smallest=self._habits.min_segment_size)
        ranged = opening.reply.answer.status == 206
        claim = plan.open_with(opening.piece) if ranged else plan.take_all()
        self._swarm = self._swarm_of(opening, sources, plan, sink, proofs)
        try:
            await beside(
                self._clock,
                [
                    (TICK_SECONDS, self._tick),
                    (self._habits.checkpoint_interval, self.checkpoint),
                    (ROOM_SECONDS, file.watch_room),
                ],
                self._chore_failed,
                cancellable(self._swarm.run(opening, claim)),
            )
        finally:
            self._swarm = None
            self._bad_pieces.sum_up()
            self._count()
        if opening.identity.length is None:
            await self._books.save(remembered=replace(opening.identity, length=plan.length))
            # Where the pieces are was not known before.
            await self._insist_on_pieces(sink.written, sink, plan.length)

    def _swarm_of(
        self,
        opening: Opening,
        sources: Sequence[Source],
        plan: Plan,
        sink: Sink,
        proofs: Proofs,
    ) -> Swarm:
        """The connections that bring what *plan* misses into the file."""
        record, around, file = self._books.record, self._habits.around, self._file
        return Swarm(
            around,
            sources,
            plan,
            sink,
            self._throttle,
            file.read,
            Edges(around, file.read, opening.edges, vouched=record.vouched),
            most=max(1, record.spec.segments) if opening.segmented else 1,
            segmented=opening.segmented,
            vouched=record.vouched,
            checked=None if record.spec.pieces is None else proofs.settled,
        )

    # -- what proves them -------------------------------------------------------------

    def _watch(self, sink: Sink, length: int | None) -> Proofs:
        """Check what *sink* holds and gets, as far as something was promised of it."""
        if self._proofs is None:
            self._proofs = Proofs(self._file.hash_into)
        record = self._books.record
        promise = promise_of(record)
        algorithm = promise[1].partition("=")[0] if promise is not None else None
        self._proofs.expect(length, record.spec.pieces, algorithm)
        self._proofs.watch(sink, self._bad_piece, self._disk_failed)
        return self._proofs

    def _bad_piece(self, piece: ByteRange, again: bool) -> None:
        self._bad_pieces.happened(piece)
        if self._swarm is not None:
            self._swarm.lose(piece, surely=again)

    def _tell_bad_pieces(self, count: int, latest: ByteRange) -> None:
        job = self._books.record.id
        self._log.warn(
            "job {id}: {count} times the octets of a piece were not those promised, last {piece}",
            id=job, count=count, piece=latest,
        )  # fmt: skip

    async def check(self) -> None:
        """Check the pieces of a file of which every octet is there.

        :raises Unjoinable: some of them are bad; they count no longer.
        """
        record = self._books.record
        sink = self._file.begin(record.covered, lambda _fault: None)
        await self._insist_on_pieces(record.covered, sink, record.size)

    async def _insist_on_pieces(self, there: IntervalSet, sink: Sink, length: int | None) -> None:
        """:raises Unjoinable: pieces of what is *there* are bad; they count no longer."""
        await self._watch(sink, length).settled()
        if sink.written != there:
            raise Unjoinable("pieces of the part file are not what was promised")

    async def insist_on_whole(self, length: int) -> None:
        """:raises Unjoinable: octets were cut off since they were written; they count no longer."""
        lost = await self._file.lost(length)
        if lost and self._file.sink is not None:
            self._file.sink.lose(lost)
            raise Unjoinable(f"somebody cut the part file: {lost.total} octets of it are lost")

    async def verify(self, go_on: Callable[[], bool]) -> Proof | None:
        """By what the whole file is verified; None where *go_on* said no.

        :raises ChecksumMismatch: it is not what was promised.
        """
        record, proofs = self._books.record, self._proofs
        length = record.size
        if length is None or proofs is None:
            raise StorageFault("the length is still not known")

        async def digest(algorithm: str) -> str | None:
            return await proofs.digest(algorithm, length, go_on)

        return await verify(record, length, digest, pieces=proofs.pieces)

    async def _tick(self) -> None:
        if self._proofs is not None:
            self._proofs.advance()
        if self._swarm is not None:
            self._swarm.tick(TICK_SECONDS)
            self._insist_on_speed(self._swarm)
        self._count()
        if self._meter.note(self._clock.seconds(), self.written.total):
            self._books.announce("job")

    def _insist_on_speed(self, swarm: Swarm) -> None:
        if self._patience is None:
            return
        now, total = self._clock.seconds(), self.written.total
        if self._patience.exhausted(now, total, held_back=held_back(swarm.intakes)):
            swarm.stop(TooSlow(f"slower than {self._patience.floor.rate} octets per second"))

    def _count(self) -> None:
        """Add what came since the last time."""
        total = self.written.total
        self._habits.around.counters.received += max(0, total - self._counted)
        self._counted = total

    def _chore_failed(self, failure: Failure) -> None:
        if isinstance(failure.value, Fault):
            self._disk_failed(failure.value)
        else:
            self._log.failure("a chore broke", failure)
            self._disk_failed(StorageFault("an internal error; the log has its traceback"))

    def _disk_failed(self, fault: Fault) -> None:
        if self._swarm is not None:
            self._swarm.stop(fault)

    # -- what may be claimed ----------------------------------------------------------

    async def checkpoint(self) -> None:
        """Sync, then claim: never the other way round."""
        if self.file is None or self.file.sink is None:
            return
        began = self._clock.seconds()
        claims = await self.claims(prove=True)
        covered = self._books.record.covered
        if claims != {"covered": covered, "refetched": self._books.record.refetched}:
            self.won = self.won or claims["covered"].total > covered.total
            await self._books.save(**claims)
            self._habits.around.counters.checkpoints.note(self._clock.seconds() - began)

    async def claims(self, *, prove: bool = False) -> dict[str, Any]:
        """Sync; what the record may say of the part file then.

        :param prove: whether the file will still be needed, so that its hashes pay.
        """
        file = self._file
        covered = await file.sync(prove=prove)
        again = file.sink.take_again() if file.sink is not None else 0
        return {"covered": covered, "refetched": self._books.record.refetched + again}

    async def last_checkpoint(self) -> None:
        """A checkpoint where something is wrong already: what can be claimed, is."""
        try:
            if self.file is not None and self.file.sink is not None:
                await self.file.sink.settled()
            await self.checkpoint()
        except Fault as fault:
            self._log.warn("no last checkpoint: {why}", why=fault.detail)

    async def forget(self) -> int:
        """Throw every octet away; how many there were."""
        lost = max(self._books.record.covered.total, self.written.total)
        await self._books.save(covered=EMPTY)
        await self.let_go(empty=True)
        return lost

    async def let_go(self, *, empty: bool = False, forget: bool = False) -> None:
        """Close the file; with *empty* cut it first, with *forget* its log goes."""
        file, self.file = self.file, None
        proofs, self._proofs = self._proofs, None
        if proofs is not None:
            await proofs.stop()
        if file is not None:
            if empty:
                await file.truncate()
            await file.close(forget=forget or empty)

    @property
    def _file(self) -> Workfile:
        if self.file is None:
            raise StorageFault("the part file is not open")
        return self.file
