"""
The resource at the top of the site: finds the mount, opens the file, has it answered.

Everything that is not served is 404, whether it is absent, hidden, a link or not
readable (RFC 9110, 15.5.4: who may not read it need not learn that it is there);
the log tells the operator the difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from rangedaemon.core.negotiation import preferred_type
from rangedaemon.core.responses import Field, ResponsePlan, plan_error
from rangedaemon.errors import Fault, StorageFault
from rangedaemon.server.answering import (
    NO_SNIFFING,
    Surroundings,
    add_fields,
    field_value,
    peer_gone,
    send_plan,
    serve_octets,
)
from rangedaemon.server.cors import preflight_fields, sharing_fields
from rangedaemon.server.files import Files
from rangedaemon.server.hashing import DigestCache
from rangedaemon.server.hot import HotFiles
from rangedaemon.server.listing import CONTENT_POLICY, HTML, JSON, render
from rangedaemon.server.mounts import Mount, Target, encode_segments, parse_target
from rangedaemon.server.uploads.conditions import may_be_put
from rangedaemon.server.uploads.receiver import METHODS as RECEIVING
from rangedaemon.server.uploads.receiver import Receiver, concerns
from rangedaemon.storage.tree import Forbidden, IsDirectory, ServedTree

METHODS = "GET, HEAD, OPTIONS"

_log = Logger()


@dataclass(frozen=True, slots=True)
class _Mounted:
    """A mount, ready to be served."""

    mount: Mount
    prefix: tuple[str, ...]
    tree: ServedTree
    receiver: Receiver | None = None
    """Takes uploads, where the mount does."""

    @property
    def takes_uploads(self) -> bool:
        """Whether uploads may be made here, whoever takes them."""
        return self.mount.uploads or self.receiver is not None

    @property
    def methods(self) -> str:
        """What may be done here."""
        return RECEIVING if self.takes_uploads else METHODS


class MountsResource(Resource):
    """
    Serves *mounts*; where their prefixes nest, the longest one that fits counts.

    :param digests: what is known already, of an earlier resource.
    :raises ValueError: two mounts have the same prefix, or one is not a path.
    """

    isLeaf = True

    def __init__(
        self,
        mounts: Sequence[Mount],
        surroundings: Surroundings,
        digests: DigestCache | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._surroundings = surroundings
        self.digests = digests or DigestCache(surroundings.in_thread)
        self.hot = HotFiles(surroundings.clock, surroundings.now)
        """What is answered without this resource, for it was asked for a moment ago."""
        self._files = Files(surroundings, self.hot, self.digests)
        self.now = surroundings.now
        mounted = [_mounted(mount) for mount in mounts]
        if len({each.prefix for each in mounted}) < len(mounted):
            raise ValueError("two mounts have the same path")
        self._mounted = sorted(mounted, key=lambda each: -len(each.prefix))

    def render(self, request: Request) -> int:
        """Answer *request*, now or later."""
        visit = _Visit(request, self._surroundings, self._files)
        answered = Deferred.fromCoroutine(self._answer(request, visit))
        answered.addErrback(visit.fail)
        return NOT_DONE_YET

    def receive_by(self, receivers: Mapping[str, Receiver]) -> None:
        """From now on these take uploads, each those of the mount with its prefix."""
        self._mounted = [
            replace(each, receiver=receivers.get(each.mount.prefix)) for each in self._mounted
        ]

    def takes_body(self, request: Request) -> bool:
        """Whether *request* is one of an upload, and its body is to be taken as it comes."""
        place = self._place_of(request.uri)
        if place is None or place[0].receiver is None:
            return False
        return concerns(request.method, place[1].segments)

    def is_of_uploads(self, method: bytes, uri: bytes) -> bool:
        """Whether such a request is for whoever takes the uploads; asking what may be done is."""
        place = self._place_of(uri)
        if place is None or not place[0].takes_uploads:
            return False
        return method == b"OPTIONS" or concerns(method, place[1].segments)

    async def _answer(self, request: Request, visit: _Visit) -> None:
        if request.clientproto == b"HTTP/1.1" and not _one_host(request):
            visit.refuse(400, "A request needs one Host.")
        elif request.uri == b"*" and request.method == b"OPTIONS":
            visit.say(ResponsePlan(204, (("Allow", METHODS),)))
        elif (target := parse_target(request.uri)) is None:
            visit.refuse(400, "That is no path.")
        else:
            await self._route(target, visit)

    async def _route(self, target: Target, visit: _Visit) -> None:
        place = self._place(target)
        if place is None:
            visit.refuse(404, "Nothing is served here.")
        else:
            await visit.enter(*place)

    def _place_of(self, uri: bytes) -> tuple[_Mounted, Target] | None:
        target = parse_target(uri)
        return None if target is None else self._place(target)

    def _place(self, target: Target) -> tuple[_Mounted, Target] | None:
        """The mount that *target* belongs to, and what it is there."""
        for each in self._mounted:
            rest = target.below(each.prefix)
            if rest is not None:
                return each, rest
        return None


def _mounted(mount: Mount) -> _Mounted:
    target = parse_target(mount.prefix.encode())
    if target is None:
        raise ValueError(f"not a path: {mount.prefix}")
    tree = ServedTree(
        mount.root, hidden_files=mount.hidden_files, follow_symlinks=mount.follow_symlinks
    )
    return _Mounted(mount, target.segments, tree)


def _one_host(request: Request) -> bool:
    return len(request.requestHeaders.getRawHeaders(b"Host") or ()) == 1


class _Visit:
    """One request on its way to an answer."""

    def __init__(self, request: Request, surroundings: Surroundings, files: Files) -> None:
        self._request = request
        self._surroundings = surroundings
        self._files = files
        self._add(NO_SNIFFING)

    def _add(self, *fields: Field) -> None:
        """Have *fields* in the answer, whatever it will be."""
        add_fields(self._request, fields)
        self._common = self._request.responseHeaders.copy()

    def say(self, plan: ResponsePlan) -> None:
        """Send an answer that needs no file."""
        send_plan(self._request, plan)

    def refuse(self, status: int, sentence: str, *fields: Field) -> None:
        """Answer with a sentence."""
        self.say(plan_error(status, sentence, fields))

    def fail(self, failure: Failure) -> None:
        """Something of ours broke: say so if that can still be said."""
        _log.failure("answering {uri!r} failed", failure, uri=self._request.uri)
        if peer_gone(self._request):
            return
        if self._request.startedWriting:
            self._request.channel.forceAbortClient()
        else:
            self._request.responseHeaders = self._common
            self.refuse(500, "The server failed.")

    async def enter(self, place: _Mounted, target: Target) -> None:
        """Answer with what *target* is below a mount."""
        self._share(place)
        if self._request.method == b"OPTIONS":
            self._preflight(place)
        elif place.receiver is not None and concerns(self._request.method, target.segments):
            await self._receive(place, place.receiver, target)
        elif self._request.method not in {b"GET", b"HEAD"}:
            self.refuse(405, "Files can be read here, and nothing else.", ("Allow", METHODS))
        else:
            await self._read(place, target)

    async def _receive(self, place: _Mounted, receiver: Receiver, target: Target) -> None:
        goes_to = receiver.goes_to(target.segments)
        if self._request.method != b"PUT" or await may_be_put(
            self._request, self._surroundings, place.tree, goes_to
        ):
            await receiver.answer(self._request, place.prefix, target)
        else:
            self.refuse(412, "The file is not the one that the request is about.")

    def _share(self, place: _Mounted) -> None:
        allowed = place.mount.cors
        if allowed:
            origin = field_value(self._request, "Origin")
            self._add(*sharing_fields(allowed, origin, uploads=place.takes_uploads))
            if "*" not in allowed:
                self._add(("Vary", "Origin"))

    def _preflight(self, place: _Mounted) -> None:
        fields: list[Field] = [("Allow", place.methods)]
        if place.receiver is not None:
            fields += place.receiver.abilities()
        if field_value(self._request, "Access-Control-Request-Method") is not None:
            origin = field_value(self._request, "Origin")
            fields += preflight_fields(
                place.mount.cors, origin, place.methods, uploads=place.receiver is not None
            )
        self.say(ResponsePlan(204, tuple(fields)))

    async def _read(self, place: _Mounted, target: Target) -> None:
        try:
            if target.slash or not target.segments:
                await self._list(place, target)
            else:
                await self._serve(place, target.segments)
        except StorageFault as fault:
            _log.error("cannot serve {uri!r}: {why}", uri=self._request.uri, why=fault.detail)
            self.refuse(500, "The file cannot be read.")
        except Fault as fault:
            if isinstance(fault, Forbidden):
                _log.info("not serving {uri!r}: {why}", uri=self._request.uri, why=fault.detail)
            self.refuse(404, "There is no such file.")

    async def _serve(self, place: _Mounted, segments: Sequence[str]) -> None:
        try:
            path = encode_segments((*place.prefix, *segments))
            await self._files.serve(self._request, place.mount, place.tree, segments, path)
        except IsDirectory:
            if not place.mount.listing:
                raise
            self._redirect(place, segments)

    def _redirect(self, place: _Mounted, segments: Sequence[str]) -> None:
        query = self._request.uri.partition(b"?")[1:]
        location = encode_segments((*place.prefix, *segments)) + "/"
        location += b"".join(query).decode("latin-1")
        self.refuse(301, "That is a directory.", ("Location", location))

    async def _list(self, place: _Mounted, target: Target) -> None:
        if not place.mount.listing:
            raise IsDirectory("listings are off")
        if not target.slash:
            self._redirect(place, target.segments)
            return
        kind = preferred_type(field_value(self._request, "Accept"), (HTML, JSON))
        body = await self._surroundings.in_thread(_listing, place, target.segments, kind)
        serve_octets(
            self._request,
            body,
            self._surroundings,
            kind=f"{kind}; charset=utf-8" if kind == HTML else kind,
            kept=[("Cache-Control", "no-cache"), ("Vary", "Accept")],
            described=[("Content-Security-Policy", CONTENT_POLICY)],
        )


def _listing(place: _Mounted, segments: Sequence[str], kind: str) -> bytes:
    entries = place.tree.listdir(segments)
    return render(kind, place.prefix, segments, entries)
