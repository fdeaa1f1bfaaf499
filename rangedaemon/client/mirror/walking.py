"""
Reading what an origin's folder holds, listing by listing.

A listing is asked for with what the job may say to that origin, and under the same rules
for redirects and addresses as a file.  What it lists is looked for below the address that
was asked, wherever a redirect led: so nothing is ever asked for that does not lie below
the mirror's own address.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from http.cookiejar import CookieJar

from twisted.logger import Logger

from rangedaemon.client.documents import fetch_answer
from rangedaemon.client.mirror.together import together
from rangedaemon.client.requests import request_for
from rangedaemon.client.surroundings import Surroundings
from rangedaemon.core.indexes import ACCEPT, MOST_OCTETS, Entry, parse_index
from rangedaemon.core.jobs import JobSpec
from rangedaemon.core.mirroring import (
    MOST_FILES,
    MOST_FOLDERS,
    as_folder,
    safe_path,
    wants_file,
    wants_folder,
)
from rangedaemon.core.mirrors import MirrorSpec
from rangedaemon.errors import Missing, Refused, Unauthorized, UnusableDocument
from rangedaemon.storage.threads import InThread

CONNECTIONS = 4
"""Listings that are asked for at once."""
MOST_ALIKE = 2
"""Folders on one way that may hold exactly the same."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that is to be listed."""

    url: str
    names: tuple[str, ...] = ()
    """Of the folders on the way to it, as the origin has them."""
    above: tuple[frozenset[Entry], ...] = ()
    """What the folders above it hold."""

    def leads_round(self, holds: frozenset[Entry]) -> bool:
        """Whether what it *holds* shows that it is a folder above it by another name."""
        return bool(holds) and self.above.count(holds) >= MOST_ALIKE


@dataclass(slots=True)
class Found:
    """What the listings have."""

    files: dict[str, str] = field(default_factory=dict)
    """Address to the path that the file would have here."""
    folders: int = 0
    unread: dict[str, str] = field(default_factory=dict)
    """Folders that could not be listed, and why."""


class Walk:
    """One pass over an origin's folder."""

    _log = Logger()

    def __init__(
        self, around: Surroundings, spec: JobSpec, jar: CookieJar, in_thread: InThread
    ) -> None:
        self._around = around
        self._spec = spec
        self._wishes = spec.mirror or MirrorSpec()
        self._jar = jar
        self._in_thread = in_thread
        self.found = Found()

    async def go(self) -> Found:
        """Read all listings, level by level.

        :raises OriginFault: the first cannot be had, or another not for now.
        """
        level = [Folder(as_folder(self._spec.urls[0]))]
        while level:
            deeper: list[Folder] = []
            await together(CONNECTIONS, level, partial(self._read, deeper))
            level = deeper
        return self.found

    async def _read(self, deeper: list[Folder], folder: Folder) -> None:
        try:
            entries = await self._entries(folder)
        except (Missing, Unauthorized, Refused, UnusableDocument) as fault:
            if not folder.names:
                raise
            self._log.info("{url}: {why}", url=folder.url, why=fault.detail)
            self.found.unread[folder.url] = fault.detail
            return
        self.found.folders += 1
        holds = frozenset(entries)
        if folder.leads_round(holds):
            self._log.info("{url} leads round in a circle", url=folder.url)
            return
        inside = replace(folder, above=(*folder.above, holds))
        for entry in entries:
            self._take(inside, entry, deeper)

    async def _entries(self, folder: Folder) -> Sequence[Entry]:
        request = replace(request_for(self._spec, folder.url, self._jar), accept=ACCEPT)
        octets, answer = await fetch_answer(self._around, request, MOST_OCTETS)
        return await self._in_thread(parse_index, octets, answer.content_type, answer.url)

    def _take(self, folder: Folder, entry: Entry, deeper: list[Folder]) -> None:
        url = f"{folder.url}{entry.segment}"
        names = (*folder.names, entry.name)
        path = "/".join(names)
        if not entry.is_folder:
            if wants_file(self._wishes, path):
                self.found.files[url] = safe_path(names)
        elif wants_folder(self._wishes, path):
            deeper.append(Folder(f"{url}/", names, folder.above))
        self._insist_on_bounds(len(deeper))

    def _insist_on_bounds(self, deeper: int) -> None:
        """:raises UnusableDocument: there is more than anybody wants."""
        if len(self.found.files) > MOST_FILES:
            raise UnusableDocument(f"more than {MOST_FILES} files", url=self._spec.urls[0])
        if self.found.folders + deeper > MOST_FOLDERS:
            raise UnusableDocument(f"more than {MOST_FOLDERS} folders", url=self._spec.urls[0])
