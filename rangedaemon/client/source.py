"""
One address that octets come from, and what the answer to a segment means for it.

Each source keeps its own validators: mirrors have other tags for the same octets.  A
mirror is a good source once samples of its octets were those on the disk.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from rangedaemon.client.answers import ask
from rangedaemon.client.hosts import Slot, Traits
from rangedaemon.client.origin import Reply, Request
from rangedaemon.client.surroundings import Surroundings
from rangedaemon.core.acceptance import Acceptance, Answer, Partial, Unsatisfiable, Whole
from rangedaemon.core.conditions import condition
from rangedaemon.core.intervals import ByteRange
from rangedaemon.core.jobs import Remembered
from rangedaemon.core.validators import Judgement, Verdict, compare
from rangedaemon.errors import (
    Changed,
    Fault,
    NoRanges,
    OriginFault,
    Unjoinable,
    Unreachable,
)


@dataclass(eq=False, slots=True)
class Source:
    """An address with what we know of its representation."""

    request: Request
    identity: Remembered | None = None
    """None: a mirror that has not been proved yet."""
    aside: str | None = None
    """Why it is not asked any more; None: it is."""
    busy: int = 0
    """How many workers are at it."""
    bad: int = 0
    """How often octets of it were not what they should be."""
    latest: str | None = None
    """The address that answered last, after redirects; None: see its identity."""

    @property
    def url(self) -> str:
        """The address as it was given."""
        return self.request.url

    @property
    def served_by(self) -> str:
        """Where its octets come from, as far as known: redirects may lead to another host."""
        told = self.identity.url if self.identity is not None else None
        return self.latest or told or self.url

    def condition(self, traits: Traits) -> str | None:
        """The If-Range value for its next request."""
        return condition(self.identity, traits.rung) if self.identity is not None else None


def judge_segment(
    around: Surroundings,
    source: Source,
    answer: Answer,
    accepted: Acceptance,
    *,
    vouched: bool,
) -> ByteRange:
    """The octets that *answer* brings, if they may be joined to the others.

    :param accepted: what they are.
    :param vouched: a digest will prove the whole, so *cannot tell* may pass.
    :raises Changed: the source has another representation now.
    :raises NoRanges: it does not do ranges any more.
    :raises Unjoinable: nothing shows that it is the same; asked otherwise it may be shown.
    """
    seen = around.remembered_of(answer, accepted.length)
    judgement = compare(source.identity or Remembered(), seen)
    if not isinstance(accepted, Partial):
        raise _without_range(around, source, answer, accepted, judgement)
    if judgement.verdict is Verdict.CHANGED:
        raise Changed(judgement.reason, url=answer.url)
    if judgement.verdict is Verdict.CANNOT_TELL and not vouched:
        raise _unjoinable(around, source, answer, judgement)
    return accepted.range


def _without_range(
    around: Surroundings,
    source: Source,
    answer: Answer,
    accepted: Whole | Unsatisfiable,
    judgement: Judgement,
) -> OriginFault:
    """What it means that a range was asked for and none came."""
    traits = around.hosts.traits(source.url)
    if judgement.verdict is Verdict.CHANGED:
        return Changed(judgement.reason, url=answer.url)
    if isinstance(accepted, Whole) and source.condition(traits) is not None:
        traits.rung += 1
        return Unjoinable("the host does not honour this If-Range", url=answer.url)
    return NoRanges(f"{answer.status} in answer to a range", url=answer.url)


def _unjoinable(
    around: Surroundings, source: Source, answer: Answer, judgement: Judgement
) -> OriginFault:
    known = source.identity.etag if source.identity is not None else None
    if answer.etag is not None and answer.etag != known:
        around.hosts.traits(answer.url).volatile_tags = True
        around.hosts.traits(source.url).volatile_tags = True
    return Unjoinable(judgement.reason, url=answer.url)


async def ask_segment(
    around: Surroundings,
    slot: Slot,
    source: Source,
    asked: ByteRange,
    length: int | None,
    *,
    vouched: bool,
) -> tuple[Reply, ByteRange]:
    """Ask *source* for a range; its judged answer, and which octets that brings.

    A host that refuses, or cannot be reached, gets fewer connections for a while.

    :raises OriginFault: there is no usable answer; see `judge_segment` too.
    """
    condition = source.condition(around.hosts.traits(source.url))
    request = replace(source.request, range=asked, if_range=condition)
    try:
        reply, accepted = await ask(around, slot, request, length)
    except Unreachable as fault:
        around.hosts.overloaded(fault.url or source.url, None)
        raise
    source.latest = reply.answer.url
    try:
        return reply, judge_segment(around, source, reply.answer, accepted, vouched=vouched)
    except Fault:
        reply.drop()
        raise
