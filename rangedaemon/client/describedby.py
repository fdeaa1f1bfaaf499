"""
Metalinks that an answer links to, as descriptions of the file (RFC 6249, 4.1; RFC 5854).

An origin that says where its file is described is taken at its word for mirrors, pieces
and digest, as far as all promises agree: what was asked for and what the origin itself
promises go first, and a document that contradicts them, or that nothing ties to them, is
done without.  So is one that does not come in time: the file is what was asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from http.cookiejar import CookieJar

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from rangedaemon.client.describing import read_metalink
from rangedaemon.client.opening import Opening
from rangedaemon.client.surroundings import Surroundings
from rangedaemon.core.jobs import JobRecord, JobSpec, Remembered
from rangedaemon.core.links import descriptions_of
from rangedaemon.core.metalink_reading import SUFFIXES, Described
from rangedaemon.core.promises import is_active
from rangedaemon.core.urls import without_userinfo
from rangedaemon.errors import OriginFault, TimedOut, UnusableDocument

MOST_DESCRIPTIONS = 3
"""Documents that are tried for one job in one run."""
PATIENCE = 5.0
"""Seconds for all of them together: the file itself waits meanwhile."""

_log = Logger()


def descriptions_for(spec: JobSpec, opening: Opening) -> list[str]:
    """Where the file that *opening* brings is described; nowhere, where that would not help.

    Links count from the first address alone: no mirrors of mirrors (RFC 6249, 7).
    """
    reply, identity = opening.reply, opening.identity
    first = identity.asked in (None, spec.urls[0])
    wants_document = (spec.filename or identity.url or "").lower().endswith(SUFFIXES)
    if reply is None or not first or wants_document or spec.metalink or spec.pieces:
        return []
    whole = opening.piece is not None and len(opening.piece) == identity.length
    if whole and (spec.checksum is not None or is_active(identity.digest)):
        return []
    return [without_userinfo(url) for url in descriptions_of(reply.answer)[:MOST_DESCRIPTIONS]]


async def described_by(
    around: Surroundings,
    spec: JobSpec,
    jar: CookieJar,
    identity: Remembered,
    urls: list[str],
    go_on: Callable[[], bool],
) -> JobSpec:
    """*spec* with what the first good document of *urls* adds; as it is, where none is good.

    :param identity: what the origin says of its representation.
    :param go_on: whether the next document may be tried.
    :raises OriginFault: *go_on* said no.
    """
    deadline = around.clock.seconds() + PATIENCE
    for url in urls:
        rest = deadline - around.clock.seconds()
        if rest <= 0:
            break
        asked: Deferred[Described] = ensureDeferred(
            read_metalink(around, spec, url, jar, spec.filename)
        )
        asked.addTimeout(rest, around.clock, _too_late)
        try:
            return _with(spec, await asked, identity, url)
        except OriginFault as fault:
            if not go_on():
                raise
            _log.info("done without {url}: {why}", url=url, why=fault.detail)
    return spec


def _too_late(_value: object, _seconds: float) -> Failure:
    raise TimedOut(f"no description within {PATIENCE:g} s")


def _with(spec: JobSpec, file: Described, identity: Remembered, url: str) -> JobSpec:
    """:raises UnusableDocument: *file* is another one, or may be."""
    if None not in (file.size, identity.length) and file.size != identity.length:
        raise UnusableDocument(f"it is of a file of {file.size} octets", url=url)
    known = spec.checksum or identity.digest
    if known is not None and file.checksum != known:
        raise UnusableDocument("its digest is not the one that was promised", url=url)
    if file.checksum is None:  # mirrors need a digest of the whole file (RFC 6249, 6)
        raise UnusableDocument("it has no digest of the whole file", url=url)
    size = file.size if file.size is not None else identity.length
    return replace(
        spec,
        urls=tuple(dict.fromkeys([*spec.urls, *map(without_userinfo, file.urls)])),
        checksum=spec.checksum if is_active(known) else file.checksum,
        size=file.size,
        pieces=file.pieces if file.pieces is not None and file.pieces.fits(size) else None,
        metalink=url,
        unlinked={"urls": list(spec.urls), "checksum": spec.checksum},
    )


def is_outdated(record: JobRecord, opening: Opening) -> bool:
    """Whether the job's description is of what had another validator than *opening* has.

    It describes that representation alone, and the octets may be the same or not.
    """
    before, now = record.remembered, opening.identity
    if record.spec.unlinked is None or before.asked != now.asked:
        return False
    return (before.etag, before.last_modified) != (now.etag, now.last_modified)


def without_description(spec: JobSpec) -> JobSpec:
    """*spec* as it was asked for: a link of a former representation describes that one alone."""
    before = spec.unlinked
    if before is None:
        return spec
    return replace(
        spec,
        urls=tuple(before["urls"]),
        checksum=before["checksum"],
        size=None,
        pieces=None,
        metalink=None,
        unlinked=None,
    )
