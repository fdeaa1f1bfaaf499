"""
Wishes that name documents: what those say takes their place before anything is fetched.

A job for a metalink becomes the job for the file that it describes (RFC 5854), with
its mirrors, its size and its hashes.  A checksum that is the address of a list of
checksums becomes the checksum that the list has for the job's file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from http.cookiejar import CookieJar

from twisted.logger import Logger

from rangedaemon.client.documents import fetch_document
from rangedaemon.client.opening import Opening
from rangedaemon.client.redirects import fields_for
from rangedaemon.client.requests import request_for
from rangedaemon.client.surroundings import Surroundings
from rangedaemon.core.disposition import filename_from_url
from rangedaemon.core.jobs import JobSpec
from rangedaemon.core.links import duplicates_of
from rangedaemon.core.metalink_reading import (
    MOST_OCTETS,
    SUFFIXES,
    Described,
    is_metalink,
    parse_metalink,
)
from rangedaemon.core.sums import MOST_OCTETS as MOST_SUMS
from rangedaemon.core.sums import address_of, find_sum
from rangedaemon.core.urls import apart, without_userinfo
from rangedaemon.errors import OriginFault, UnusableDocument

_log = Logger()

MOST_DUPLICATES = 16
"""Mirrors that an origin may add to a job by links."""


def names_documents(spec: JobSpec) -> bool:
    """Whether *spec* names a document that was not read yet."""
    return bool(_metalinks(spec)) or address_of(spec.checksum) is not None


def answers_with_metalink(spec: JobSpec, opening: Opening) -> bool:
    """Whether *opening* turns out to bring a metalink to be followed; then it is let go of."""
    reply = opening.reply
    if reply is None or not _follows(spec, is_metalink("", reply.answer.content_type)):
        return False
    opening.let_go()
    return True


def _follows(spec: JobSpec, found: bool) -> bool:
    """Who asks for a name that ends like a metalink's wants the document itself."""
    wants_document = spec.filename is not None and spec.filename.lower().endswith(SUFFIXES)
    return found and spec.metalink is None and not wants_document


def _metalinks(spec: JobSpec) -> list[str]:
    """Those of the addresses that name metalinks, if the first one does."""
    if not _follows(spec, is_metalink(spec.urls[0], None)):
        return []
    return [url for url in spec.urls if is_metalink(url, None)]


async def described(
    around: Surroundings, spec: JobSpec, jar: CookieJar, go_on: Callable[[], bool]
) -> JobSpec:
    """*spec* with what the documents that it names say.

    :param go_on: whether the next one may be asked for where one fails.
    :raises UnusableDocument: one of them says nothing about the file.
    :raises OriginFault: one of them cannot be had.
    """
    if _metalinks(spec):
        spec = await _follow_any(around, spec, jar, go_on)
    address = address_of(spec.checksum)
    if address is None:
        return spec
    algorithm, url = address
    octets, source = await fetch_document(around, request_for(spec, url, jar), MOST_SUMS)
    found = _sum_of(octets, spec, source, algorithm)
    return replace(spec, checksum=found, sums=spec.checksum)


async def _follow_any(
    around: Surroundings, spec: JobSpec, jar: CookieJar, go_on: Callable[[], bool]
) -> JobSpec:
    """What the first metalink that is good describes; else the other addresses alone.

    :raises OriginFault: none is, and there is no other address.
    """
    urls = _metalinks(spec)
    faults = []
    for url in urls:
        try:
            return await follow_metalink(around, spec, url, jar)
        except OriginFault as fault:
            _log.info("no metalink from {url}: {why}", url=url, why=fault.detail)
            faults.append(fault)
            if not go_on():
                raise
    others = tuple(url for url in spec.urls if url not in urls)
    if not others:
        raise faults[0]
    return apart(
        replace(spec, urls=others, headers=fields_for(others[0], spec.urls[0], spec.headers))
    )


def _sum_of(octets: bytes, spec: JobSpec, url: str, algorithm: str | None) -> str:
    """The checksum of the file by one of the names that it has.

    :raises UnusableDocument: the list knows it by none of them.
    """
    names = [filename_from_url(u) for u in spec.urls]
    names += [spec.filename] if spec.filename is not None else []
    faults = []
    for name in dict.fromkeys(names):
        try:
            return find_sum(octets, name, url, algorithm)
        except UnusableDocument as fault:
            faults.append(fault)
    raise faults[0]


async def follow_metalink(around: Surroundings, spec: JobSpec, url: str, jar: CookieJar) -> JobSpec:
    """The wish for the file that the metalink at *url* describes.

    What was asked for goes before what the document says.  The job's own fields stay
    with the origin that they were given for.

    :raises UnusableDocument: it describes no file, or several, or none that we can fetch.
    """
    file = await read_metalink(around, spec, url, jar, spec.filename)
    if not file.urls:
        raise UnusableDocument(f"the metalink has no http address for {file.name!r}", url=url)
    found = replace(
        spec,
        urls=file.urls,
        headers=fields_for(file.urls[0], spec.urls[0], spec.headers),
        filename=spec.filename or file.name,
        checksum=spec.checksum or file.checksum,
        size=file.size,
        pieces=file.pieces,
        metalink=url,
        described={
            "urls": list(spec.urls),
            "checksum": spec.checksum,
            "headers": dict(spec.headers),
        },
    )
    return apart(found)


async def described_anew(around: Surroundings, spec: JobSpec, jar: CookieJar) -> JobSpec:
    """*spec* by what its metalink says now; as it is, where it follows none.

    :raises OriginFault: the metalink cannot be had, or says nothing about the file.
    """
    asked, url = spec.described, spec.metalink
    if asked is None or url is None:
        return spec
    before = replace(
        spec,
        urls=tuple(asked["urls"]),
        checksum=asked["checksum"],
        headers=asked["headers"],
        metalink=None,
    )
    now = await follow_metalink(around, before, url, jar)
    return now if spec.sums is None else replace(now, checksum=spec.checksum)


async def read_metalink(
    around: Surroundings, spec: JobSpec, url: str, jar: CookieJar, name: str | None
) -> Described:
    """The file that the metalink at *url* describes.

    :param name: which one, where there are several.
    :raises UnusableDocument: it describes no file, or several.
    :raises OriginFault: it cannot be had.
    """
    octets, source = await fetch_document(around, request_for(spec, url, jar), MOST_OCTETS)
    return _chosen(parse_metalink(octets, source), name, url)


def mirrors_of(spec: JobSpec, opening: Opening) -> list[str]:
    """Where else than at the address that answered the file is.

    The answer may add to what was asked for, with links to duplicates (RFC 6249); those
    count for this run alone, and only from the first address: no mirrors of mirrors.
    """
    asked = opening.identity.asked or spec.urls[0]
    urls = [*spec.urls]
    if opening.reply is not None and asked == spec.urls[0]:
        urls += map(without_userinfo, duplicates_of(opening.reply.answer)[:MOST_DUPLICATES])
    return [url for url in dict.fromkeys(urls) if url != asked]


def insist_on_size(spec: JobSpec, opening: Opening) -> None:
    """:raises UnusableDocument: the answer is of a file that is not of the size promised."""
    length = opening.identity.length
    if None in (spec.size, length) or length == spec.size:
        return
    opening.let_go()
    raise UnusableDocument(
        f"the file has {length} octets, the metalink says {spec.size}", url=opening.identity.url
    )


def _chosen(files: Sequence[Described], name: str | None, url: str) -> Described:
    named = [file for file in files if file.name == name]
    if len(files) > 1 and not named:
        names = ", ".join(file.name for file in files[:5])
        raise UnusableDocument(
            f"the metalink describes {len(files)} files; ask for one by its filename: {names}",
            url=url,
        )
    return (named or files)[0]
