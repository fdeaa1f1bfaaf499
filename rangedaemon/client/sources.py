"""
The addresses of one file: who is asked next, who may join, who is done without.

A mirror joins once samples of its octets were those on the disk, and only where it
promises no other digest than the first address did (RFC 6249, 7.1).  Who delivered bad
octets is asked only where nobody better has room, and after the second time not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from rangedaemon.client.blame import MOST_BAD, Blame
from rangedaemon.client.overlap import Read, mirror_identity
from rangedaemon.client.seldom import Seldom
from rangedaemon.client.source import Source
from rangedaemon.client.surroundings import Surroundings
from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.core.plan import Claim
from rangedaemon.core.telling import plain
from rangedaemon.core.validators import strong_digest
from rangedaemon.errors import BadResponse, Changed, Fault, OriginFault

PROOF_OCTETS = 256 * 1024
"""Octets that must be on the disk before mirrors are compared with them."""


class Sources:
    """The sources of one attempt."""

    _log = Logger()

    def __init__(
        self,
        around: Surroundings,
        sources: Sequence[Source],
        read: Read,
        on_proved: Callable[[], None],
        *,
        vouched: bool,
        mirrors: bool,
    ) -> None:
        """
        :param sources: the first is the one that answered; the others are its mirrors.
        :param read: reads octets of the part file, to compare mirrors with.
        :param on_proved: called when a mirror may join, or may not.
        :param vouched: a digest will prove the whole.
        :param mirrors: whether mirrors can join at all.
        """
        self.first = sources[0]
        self._around = around
        self._all = list(sources) if mirrors else [sources[0]]
        self._read = read
        self._on_proved = on_proved
        self._vouched = vouched
        self._blame = Blame()
        self._bad_octets = Seldom(around.clock, self._tell_bad_octets)
        self._proof: Deferred[None] | None = None
        self._stopped = False

    def pick(self) -> Source | None:
        """The source of the best name that is least busy and whose host has room."""
        hosts = self._around.hosts
        free = [s for s in self._good() if hosts.free(s.url) and hosts.free(s.served_by)]
        best = min(free, key=lambda s: (s.bad, s.busy), default=None)
        return None if best is not None and self.shunned(best) else best

    def shunned(self, source: Source) -> bool:
        """Whether *source* gave bad octets and another did not, or may prove to be better."""
        others = [*self._good(), *self._unproved()]
        return any(other.bad < source.bad for other in others)

    def put_aside(self, source: Source, fault: OriginFault) -> bool:
        """Do without *source* where there is another good one; whether there is."""
        if all(other is source for other in self._good()):
            return False
        source.aside = f"{fault.code}: {fault.detail}"
        self._log.warn("{url} is put aside: {why}", url=plain(source.url), why=source.aside)
        return True

    def _good(self) -> list[Source]:
        return [s for s in self._all if s.identity is not None and s.aside is None]

    def _unproved(self) -> list[Source]:
        return [s for s in self._all if s.identity is None and s.aside is None]

    # -- bad octets -----------------------------------------------------------------

    def delivers(self, source: Source, claim: Claim) -> None:
        """*source* is about to deliver the octets of *claim*."""
        self._blame.note(claim, source)

    def blame(self, bad: ByteRange, *, surely: bool) -> None:
        """The octets of *bad* were bad: whoever delivered them gets a mark.

        :param surely: whether everybody who had a part in them does.
        """
        for source in self._blame.mark(bad, surely=surely):
            self._bad_octets.happened(source)
            if source.bad >= MOST_BAD:
                self.put_aside(source, BadResponse("gave bad octets again", url=source.url))

    def _tell_bad_octets(self, count: int, source: Source) -> None:
        url = plain(source.url)
        self._log.warn("bad octets came {count} times, last from {url}", url=url, count=count)

    # -- mirrors ----------------------------------------------------------------------

    @property
    def proving(self) -> bool:
        """Whether a mirror is being compared now."""
        return self._proof is not None

    def consider(self, length: int | None, written: IntervalSet) -> None:
        """Prove the next mirror, one at a time, once there is something to compare with.

        :param length: complete length; where it is not known, nobody can join.
        """
        needed = self._vouched or any(source.bad for source in self._all)
        new = self._unproved() if needed or written.total >= PROOF_OCTETS else []
        if new and length is not None and not (self.proving or self._stopped):
            self._proof = ensureDeferred(self._prove(new[0], length, written))
            self._proof.addBoth(self._proved)

    def stop(self) -> None:
        """Compare no more."""
        self._stopped = True
        self._bad_octets.sum_up()
        if self._proof is not None:
            self._proof.cancel()

    def _proved(self, _outcome: Failure | None) -> None:
        self._proof = None
        if not self._stopped:
            self._on_proved()

    async def _prove(self, source: Source, length: int, written: IntervalSet) -> None:
        try:
            async with self._around.hosts.slot(source.url) as slot:
                identity = await mirror_identity(
                    self._around,
                    slot,
                    source.request,
                    length,
                    written,
                    self._read,
                    vouched=self._vouched,
                )
            ours = strong_digest(self.first.identity) if self.first.identity else None
            theirs = strong_digest(identity)
            if ours and theirs and ours[0] == theirs[0] and ours != theirs:
                raise Changed("the mirror promises another digest", url=source.url)
            source.identity = identity
        except Fault as fault:
            source.aside = f"{fault.code}: {fault.detail}"
            self._log.warn("{url} is put aside: {why}", url=plain(source.url), why=source.aside)
