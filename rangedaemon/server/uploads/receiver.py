"""The uploads of one mount: which protocol a request speaks, who asks, what it is answered."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from twisted.logger import Logger
from twisted.web.http import Request

from rangedaemon.core.receiving import draft, segmented, tus
from rangedaemon.core.receiving.asks import Ask, Refusal
from rangedaemon.core.responses import Field, ResponsePlan
from rangedaemon.core.uploads import Scope, UploadProtocol
from rangedaemon.errors import Fault, StorageFault
from rangedaemon.server.answering import peer_gone, send_plan
from rangedaemon.server.arrival import Body, BodyCut
from rangedaemon.server.mounts import Target
from rangedaemon.server.uploads.access import Gate
from rangedaemon.server.uploads.arriving import Arriving
from rangedaemon.server.uploads.ietf import Ietf
from rangedaemon.server.uploads.put import Put
from rangedaemon.server.uploads.reception import UPLOADS, Adapter, Reception, Refuser
from rangedaemon.server.uploads.rules import Rules
from rangedaemon.server.uploads.segmented import Segmented
from rangedaemon.server.uploads.tus import Tus
from rangedaemon.storage.uploads.ports import UploadStore

METHODS = "GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE"
_BRINGING = frozenset({b"POST", b"PUT", b"PATCH", b"DELETE"})

_log = Logger()

_ADAPTERS: dict[UploadProtocol, Adapter] = {
    adapter.protocol: adapter for adapter in (Tus(), Ietf(), Segmented(), Put())
}


class Receiver:
    """The uploads of the mount at *prefix*."""

    def __init__(
        self,
        prefix: str,
        protocols: Iterable[UploadProtocol],
        store: UploadStore,
        rules: Rules,
        gate: Gate,
        arriving: Arriving,
    ) -> None:
        self._prefix = prefix
        self._protocols = frozenset(protocols)
        self._store = store
        self._rules = rules
        self._gate = gate
        self._arriving = arriving

    def goes_to(self, segments: Sequence[str]) -> tuple[str, ...]:
        """Where below the root a file goes that is put at *segments* below the mount."""
        return (*self._rules.directory, *segments)

    def abilities(self) -> list[Field]:
        """What an OPTIONS tells of us."""
        fields: list[Field] = []
        if UploadProtocol.TUS in self._protocols:
            fields += tus.abilities(self._rules.max_size)
        if UploadProtocol.IETF in self._protocols:
            fields.append(("Upload-Limit", draft.format_limits(self._limits())))
        return fields

    def _limits(self) -> draft.Limits:
        return draft.Limits(self._rules.max_size, int(self._rules.expire))

    async def answer(self, request: Request, prefix: tuple[str, ...], target: Target) -> None:
        """Answer a request for *target* below the mount."""
        body: Body = request.body  # type: ignore[attr-defined]
        try:
            plan = await self._planned(request, body, prefix, target)
            if body.trifling:
                await body.dropped()
        except BodyCut:
            return
        send_plan(request, plan)

    async def _planned(
        self,
        request: Request,
        body: Body,
        prefix: tuple[str, ...],
        target: Target,
    ) -> ResponsePlan:
        ask = ask_of(request, body)
        refuser = Refuser()
        try:
            refuser = adapter = self._adapter(ask, target.segments)
            host = getattr(request.getClientAddress(), "host", None)
            owner = await self._gate.admit(ask.get("authorization"), host)
            reception = Reception(
                ask=ask,
                scope=Scope(self._prefix, adapter.protocol, owner),
                prefix=prefix,
                target=target,
                body=body,
                store=self._store,
                rules=self._rules,
                tell=_teller(request),
                arriving=self._arriving,
                single=lambda: secrets.token_urlsafe(24),
                secure=request.isSecure(),
            )
            return await self._answered(adapter, reception)
        except BodyCut:
            raise
        except Fault as fault:
            if isinstance(fault, StorageFault):
                _log.error("an upload failed: {why}", why=fault.detail)
            return refuser.refused(fault)

    async def _answered(self, adapter: Adapter, reception: Reception) -> ResponsePlan:
        body = reception.body
        if body.length == 0:
            return await adapter.answer(reception)
        self._arriving.enter(reception.scope, reception.subject, body)
        try:
            return await adapter.answer(reception)
        finally:
            self._arriving.leave(reception.scope, reception.subject, body)

    def _adapter(self, ask: Ask, segments: tuple[str, ...]) -> Adapter:
        protocol = _addressed(segments) if segments[:1] == (UPLOADS,) else _spoken(ask)
        if protocol is None or protocol not in self._protocols:
            names = ", ".join(sorted(self._protocols))
            raise Refusal(400 if protocol is None else 403, f"Uploads are taken here by {names}.")
        return _ADAPTERS[protocol]


def concerns(method: bytes, segments: Sequence[str]) -> bool:
    """Whether a request for *segments* below a mount that takes uploads is one of these."""
    return method in _BRINGING or (segments[:1] == (UPLOADS,) and method != b"OPTIONS")


def _addressed(segments: tuple[str, ...]) -> UploadProtocol | None:
    """The protocol of an upload's address."""
    name = segments[1] if len(segments) > 1 else ""
    return UploadProtocol(name) if name in set(UploadProtocol) else None


def _spoken(ask: Ask) -> UploadProtocol | None:
    """The protocol of a request for a new upload."""
    if tus.is_spoken(ask):
        return UploadProtocol.TUS
    if draft.is_spoken(ask):
        return UploadProtocol.IETF
    if ask.method == "PUT":
        return UploadProtocol.PUT
    return UploadProtocol.SEGMENTED if segmented.is_spoken(ask) else None


def ask_of(request: Request, body: Body) -> Ask:
    """What of *request* decides."""
    fields = {
        name.decode("latin-1").lower(): ", ".join(value.decode("latin-1") for value in values)
        for name, values in request.requestHeaders.getAllRawHeaders()
    }
    return Ask(request.method.decode("latin-1"), fields, body.length)


def _teller(request: Request) -> Callable[[bytes], None]:
    def tell(octets: bytes) -> None:
        channel: Any = request.channel
        if not peer_gone(request) and request.clientproto == b"HTTP/1.1":
            channel.tell(octets)

    return tell
