"""
The short way: small answers from files that were served a moment ago.

Most of what a small range costs is not the range: it is the hop to a thread and back
to open the file, and all that twisted.web does for requests that may be anything.  So a
file that went the long way stays open for a second, and a plain head
(`rangedaemon.server.plainheads`) for the same address is answered from it in the
reactor, with one read, one stat and one write.

Nothing is taken on trust but what the long way found out less than a second ago:

* The octets are read first; then the *path* must lead to the very same inode with the
  same size, mtime and ctime as when the file was opened, after the tick of its last
  change was over.  A file that was replaced, edited, renamed or closed to us shows, and
  the request goes the long way.
* Nothing here waits for a disk.  What is read is in the page cache or not read at all
  (RWF_NOWAIT, which network file systems refuse), or the file system is nothing but memory
  (which refuses it as well), and while the file is open the kernel keeps its path in
  memory too.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.web.http import RESPONSES

from rangedaemon.core.dates import format_http_date
from rangedaemon.core.intervals import ByteRange
from rangedaemon.core.responses import Field, Representation, ResponsePlan, plan_response
from rangedaemon.server.body import SMALL
from rangedaemon.server.partial import PartialHead, lines, simple_range
from rangedaemon.server.plainheads import HeadReader, PlainHead
from rangedaemon.storage.reading import lives_in_memory, read_cached, read_in_memory
from rangedaemon.storage.tree import OpenFile

KEPT_SECONDS: Final = 1.0
_MOST_FILES: Final = 64


@dataclass(slots=True)
class _HotFile:
    """An open file, and all that is the same in every answer from it."""

    fd: int
    path: str
    stamp: tuple[int, ...]
    representation: Representation
    common: bytes
    partial: PartialHead | None
    until: float
    in_memory: bool | None = None
    """Whether its file system has no disk; None: nobody had to know."""

    def octets(self, start: int, stop: int) -> bytes | None:
        """Those of ``[start, stop)`` if they are in memory."""
        octets = read_cached(self.fd, start, stop)
        if octets is not None:
            return octets
        if self.in_memory is None:
            self.in_memory = lives_in_memory(self.fd)
        return read_in_memory(self.fd, start, stop) if self.in_memory else None

    def is_at_path(self) -> bool:
        """Whether its path still leads to it, and nothing of it has changed."""
        try:
            now = os.lstat(self.path)
        except (OSError, ValueError):
            return False
        return self.stamp == (
            now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns
        )  # fmt: skip


class QuickAnswer(NamedTuple):
    """An answer as it goes to the wire, and what the access log says of it."""

    head: PlainHead
    range: str | None
    status: int
    octets: bytes
    body_length: int


class HotFiles:
    """
    The files that were served last, by the targets of their requests.

    :param now: seconds since the epoch.
    """

    def __init__(self, clock: IReactorTime, now: Callable[[], float]) -> None:
        self._clock = clock
        self._now = now
        self._files: OrderedDict[bytes, _HotFile] = OrderedDict()
        self._sweep_call: IDelayedCall | None = None
        self._heads = HeadReader()
        self._second = -1
        self._began = b""

    def remember(
        self,
        uri: bytes,
        path: str,
        opened: OpenFile,
        representation: Representation,
        common: Sequence[Field],
    ) -> None:
        """
        Keep *opened*, which *path* led to, for requests of *uri*.

        :param representation: what it is, with validators that no passing of time changes.
        :param common: fields of all answers from there, whatever their status.
        """
        self._forget(uri)
        stamp = (opened.device, opened.inode, opened.size, opened.mtime_ns, opened.ctime_ns)
        until = self._clock.seconds() + KEPT_SECONDS
        partial = PartialHead.of(representation, common)
        self._files[uri] = _HotFile(
            os.dup(opened.fd), path, stamp, representation, lines(common), partial, until
        )
        if len(self._files) > _MOST_FILES:
            self._forget(next(iter(self._files)))
        if self._sweep_call is None:
            self._sweep_call = self._clock.callLater(KEPT_SECONDS, self._sweep)

    def answer(self, octets: bytes) -> QuickAnswer | None:
        """The answer to a request that came as *octets*; None where it has to go the long way."""
        head, wanted = self._heads.read(octets)
        hot = self._files.get(head.uri) if head is not None else None
        if head is None or hot is None or self._clock.seconds() > hot.until:
            return None
        answer = self._partial(hot, head, wanted) or self._planned(hot, head, wanted)
        # Only now, after the octets were read: what is at the path has these octets.
        if answer is not None and not hot.is_at_path():
            self._forget(head.uri)
            return None
        return answer

    def _partial(self, hot: _HotFile, head: PlainHead, wanted: bytes) -> QuickAnswer | None:
        """One range of the file, without conditions."""
        if hot.partial is None or not wanted or head.conditional or head.method != b"GET":
            return None
        edges = simple_range(wanted, hot.representation.length)
        if edges is None or edges[1] - edges[0] > SMALL:
            return None
        body = hot.octets(*edges)
        if body is None:
            return None
        octets = hot.partial.fill(self._begin(), *edges) + body
        return QuickAnswer(head, wanted.decode("ascii"), 206, octets, len(body))

    def _planned(self, hot: _HotFile, head: PlainHead, wanted: bytes) -> QuickAnswer | None:
        """Any other answer but one of many parts."""
        if b"," in wanted:
            return None
        field = wanted.strip(b" \t").decode("latin-1") if wanted else None
        facts = head.facts(field)
        plan = plan_response(facts, hot.representation, now=self._now(), boundary="")
        body = b"" if head.method == b"HEAD" else _body(hot, plan)
        if body is None:
            return None
        octets = self._head(plan, hot.common) + body
        return QuickAnswer(head, field, plan.status, octets, len(body))

    def _head(self, plan: ResponsePlan, common: bytes) -> bytes:
        return b"HTTP/1.1 %d %b\r\n%b%b%b\r\n" % (
            plan.status,
            RESPONSES[plan.status],
            self._begin(),
            common,
            lines(plan.fields),
        )

    def _begin(self) -> bytes:
        """The fields that every answer begins with."""
        now = self._now()
        if int(now) != self._second:
            self._second = int(now)
            date = format_http_date(now).encode("ascii")
            self._began = b"Server: rangedaemon\r\nDate: %b\r\n" % date
        return self._began

    def _sweep(self) -> None:
        """Let go of files whose time is over: a deleted one would keep its room on the disk."""
        self._sweep_call = None
        now = self._clock.seconds()
        for uri in [uri for uri, hot in self._files.items() if hot.until <= now]:
            self._forget(uri)
        if self._files:
            self._sweep_call = self._clock.callLater(KEPT_SECONDS, self._sweep)

    def _forget(self, uri: bytes) -> None:
        hot = self._files.pop(uri, None)
        if hot is not None:
            os.close(hot.fd)


def _body(hot: _HotFile, plan: ResponsePlan) -> bytes | None:
    """The octets of a small body that is in memory."""
    if plan.body_length > SMALL:
        return None
    blocks: list[bytes] = []
    for part in plan.parts:
        block = hot.octets(part.start, part.stop) if isinstance(part, ByteRange) else part
        if block is None:
            return None
        blocks.append(block)
    return b"".join(blocks)
