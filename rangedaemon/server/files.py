"""
What is sent for the name of a file: its representation, its digest, its metalink.

A digest is made when one is wanted (``Want-Repr-Digest``, RFC 9530) and told as soon
as it is known; nobody waits long for it, as the wish is only a hint.  ``NAME.meta4``
describes NAME where there is no such file (RFC 5854), and NAME's answers say where it
is (RFC 6249).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from urllib.parse import quote_from_bytes

from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.logger import Logger
from twisted.web.http import Request

from rangedaemon.core.digests import format_digest, wanted_algorithm
from rangedaemon.core.disposition import format_disposition
from rangedaemon.core.media import media_type
from rangedaemon.core.metalink import MEDIA_TYPE, SUFFIX, Hashes, format_metalink
from rangedaemon.core.negotiation import preferred_codings
from rangedaemon.core.responses import Field, Representation, plan_error
from rangedaemon.errors import StorageFault
from rangedaemon.server.answering import (
    NO_SNIFFING,
    Surroundings,
    field_value,
    open_settled,
    peer_gone,
    send_plan,
    serve_octets,
    serve_open_file,
    stamp_of,
    waited_for,
)
from rangedaemon.server.cors import sharing_fields
from rangedaemon.server.hashing import DigestCache
from rangedaemon.server.hot import HotFiles
from rangedaemon.server.mounts import Mount
from rangedaemon.server.pacing import Pace
from rangedaemon.server.variants import SUFFIXES, Variant, open_variant
from rangedaemon.storage.tree import NoSuchFile, OpenFile, ServedTree

DIGEST_PATIENCE = 2.0
"""Seconds that an answer waits for a digest that is wanted."""

METALINK_PATIENCE = 20.0
"""Seconds that the one who asks for a metalink waits for its hashes."""

_AUTHORITY = re.compile(r"[A-Za-z0-9._~:\[\]-]+")

_log = Logger()


class Files:
    """Answers for files of mounts."""

    def __init__(self, surroundings: Surroundings, hot: HotFiles, digests: DigestCache) -> None:
        self._surroundings = surroundings
        self._hot = hot
        self._digests = digests
        self._paces: dict[Mount, Pace] = {}

    async def serve(
        self, request: Request, mount: Mount, tree: ServedTree, segments: Sequence[str], path: str
    ) -> None:
        """
        Answer a GET or HEAD for the file that *segments* name, whose address has *path*.

        :raises NoSuchFile, IsDirectory, Forbidden, StorageFault: nothing was answered.
        """
        try:
            variant = await self._open(request, mount, tree, segments)
        except NoSuchFile:
            if not (mount.metalink and segments[-1].endswith(SUFFIX)):
                raise
            described = [*segments[:-1], segments[-1].removesuffix(SUFFIX)]
            await self._serve_metalink(
                request, mount, lambda: tree.open(described), path.removesuffix(SUFFIX)
            )
            return
        await self._serve_variant(request, mount, variant, segments)

    async def _open(
        self, request: Request, mount: Mount, tree: ServedTree, segments: Sequence[str]
    ) -> Variant:
        liked = preferred_codings(field_value(request, "Accept-Encoding"), tuple(SUFFIXES))
        in_thread = self._surroundings.in_thread
        variant = await in_thread(open_variant, mount, tree, segments, liked)
        if await waited_for(self._surroundings, variant.opened):
            variant = await in_thread(open_variant, mount, tree, segments, liked)
        return variant

    async def _serve_variant(
        self, request: Request, mount: Mount, variant: Variant, segments: Sequence[str]
    ) -> None:
        name = segments[-1]
        described = [("Content-Disposition", format_disposition(mount.disposition, name))]
        if variant.coding is not None:
            described.append(("Content-Encoding", variant.coding))
        elif mount.metalink:
            described.append(_metalink_link(name))
        usual = tuple(described)
        try:
            described += await self._wanted_digest(request, variant.opened)
        except BaseException:
            variant.opened.close()
            raise
        kept = _cache_fields(mount)
        if variant.negotiated:
            kept.append(("Vary", "Accept-Encoding"))
        await serve_open_file(
            request,
            variant.opened,
            self._surroundings,
            kind=media_type(name),
            kept=kept,
            described=described,
            rate_limit=mount.rate_limit,
            shared_pace=self._pace(mount),
            keep=lambda found: self._keep(
                request, mount, variant, segments, replace(found, described=usual)
            ),
        )

    def _keep(
        self,
        request: Request,
        mount: Mount,
        variant: Variant,
        segments: Sequence[str],
        representation: Representation,
    ) -> None:
        """Have the next who ask for the same answered quickly, if all are answered the same."""
        limited = mount.rate_limit is not None or mount.rate_limit_total is not None
        chosen = variant.negotiated or variant.coding is not None
        for_some = bool(mount.cors) and "*" not in mount.cors
        if limited or chosen or for_some or mount.follow_symlinks:
            return
        path = os.path.join(mount.root, *segments)  # noqa: PTH118 - a name may be no text
        common = [NO_SNIFFING, *sharing_fields(mount.cors, None)]
        self._hot.remember(request.uri, path, variant.opened, representation, common)

    def _pace(self, mount: Mount) -> Pace | None:
        """The pace of all connections that read from *mount*."""
        if mount.rate_limit_total is None:
            return None
        return self._paces.setdefault(mount, Pace(mount.rate_limit_total))

    async def _wanted_digest(self, request: Request, opened: OpenFile) -> list[Field]:
        algorithm = wanted_algorithm(field_value(request, "Want-Repr-Digest"))
        if algorithm is None or not self._settled(opened):
            return []
        digest = self._digests.digest(opened, algorithm)
        digest.addTimeout(DIGEST_PATIENCE, self._surroundings.clock)
        try:
            return [("Repr-Digest", format_digest(algorithm, await digest))]
        except DeferredTimeout:
            return []
        except (StorageFault, OSError) as fault:
            _log.info("no digest of {name}: {why}", name=opened.name, why=str(fault))
            return []

    async def _serve_metalink(
        self, request: Request, mount: Mount, opener: Callable[[], OpenFile], path: str
    ) -> None:
        opened = await open_settled(self._surroundings, opener)
        try:
            hashes = await self._hashes(opened)
        finally:
            opened.close()
        if hashes is None:
            wait = ("Retry-After", str(int(METALINK_PATIENCE)))
            send_plan(request, plan_error(503, "The file's hashes are being made.", [wait]))
            return
        document = _metalink(request, opened, hashes, path)
        if not peer_gone(request):
            kept = _cache_fields(mount)
            serve_octets(request, document, self._surroundings, kind=MEDIA_TYPE, kept=kept)

    def _settled(self, opened: OpenFile) -> bool:
        # A digest is remembered by the file's stamp, so that has to stand for its octets.
        return stamp_of(opened).settles_in(self._surroundings.now()) == 0

    async def _hashes(self, opened: OpenFile) -> Hashes | None:
        if not self._settled(opened):
            return None
        hashes = self._digests.hashes(opened)
        hashes.addTimeout(METALINK_PATIENCE, self._surroundings.clock)
        try:
            return await hashes
        except DeferredTimeout:
            return None


def _cache_fields(mount: Mount) -> list[Field]:
    return [] if mount.cache_control is None else [("Cache-Control", mount.cache_control)]


def _metalink_link(name: str) -> Field:
    target = quote_from_bytes(name.encode("utf-8", "surrogateescape"), safe="")
    return ("Link", f'<./{target}{SUFFIX}>; rel=describedby; type="{MEDIA_TYPE}"')


def _metalink(request: Request, opened: OpenFile, hashes: Hashes, path: str) -> bytes:
    """:raises NoSuchFile: the file's name, or this server's, cannot be told in a metalink."""
    authority = field_value(request, "Host") or ""
    if not _AUTHORITY.fullmatch(authority):
        raise NoSuchFile("no address to tell")
    scheme = "https" if request.isSecure() else "http"
    try:
        return format_metalink(opened.name, opened.size, hashes, [f"{scheme}://{authority}{path}"])
    except ValueError as exc:
        raise NoSuchFile(str(exc)) from exc
