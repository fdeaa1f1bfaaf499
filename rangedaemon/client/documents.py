"""Small documents about files (metalinks, lists of checksums), fetched whole into memory."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss

from rangedaemon.client.answers import ask
from rangedaemon.client.origin import Request
from rangedaemon.client.patience import Patience
from rangedaemon.client.surroundings import Surroundings
from rangedaemon.core.acceptance import Answer, Whole
from rangedaemon.errors import OriginFault, Refused, Unreachable, UnusableDocument


class _Body(Protocol):
    """Collects a body of at most *most* octets; silence ends it."""

    def __init__(self, clock: IReactorTime, most: int, silence: float, url: str) -> None:
        self.done: Deferred[bytes] = Deferred(lambda _: self._stop())
        self._url = url
        self._most = most
        self._blocks: list[bytes] = []
        self._count = 0
        self._patience = Patience(clock, silence, self._fail, url)

    def dataReceived(self, data: bytes) -> None:
        """Take octets; too many end it."""
        if self.done.called:
            return
        self._patience.heard()
        self._blocks.append(data)
        self._count += len(data)
        if self._count > self._most:
            self._fail(UnusableDocument(f"more than {self._most} octets", url=self._url))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The body has ended."""
        if self.done.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self._patience.over()
            self.done.callback(b"".join(self._blocks))
        else:
            self._fail(Unreachable("the connection ended early", url=self._url))

    def _fail(self, fault: OriginFault) -> None:
        self._stop()
        self.done.errback(fault)

    def _stop(self) -> None:
        self._patience.over()
        if self.transport is not None:
            self.transport.stopProducing()  # type: ignore[attr-defined]


async def fetch_document(around: Surroundings, request: Request, most: int) -> tuple[bytes, str]:
    """The octets of a document, and the address that they came from after redirects.

    As `fetch_answer`.
    """
    octets, answer = await fetch_answer(around, request, most)
    return octets, answer.url


async def fetch_answer(around: Surroundings, request: Request, most: int) -> tuple[bytes, Answer]:
    """The octets of a document, and the head of the answer that brought them.

    :param most: octets; a longer document is refused.
    :raises UnusableDocument: it is too long.
    :raises OriginFault: there is no usable answer.
    """
    async with around.hosts.slot(request.url) as slot:
        reply, accepted = await ask(around, slot, request, None)
        url = reply.answer.url
        try:
            if not isinstance(accepted, Whole):
                raise Refused(f"the origin answered {reply.answer.status}", url=url)
            if accepted.length is not None and accepted.length > most:
                raise UnusableDocument(f"{accepted.length} octets are too many", url=url)
        except OriginFault:
            reply.drop()
            raise
        body = _Body(around.clock, most, around.stall_timeout, url)
        reply.deliver(body)
        return await body.done, reply.answer
