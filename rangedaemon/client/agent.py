"""
The connections that everything is fetched over: wide reads, identity coding.

Twisted reads 64 KiB at a time; a transfer at full speed wants more.  treq asks for
gzip and decodes, which breaks ranges: the innermost agent asks for ``identity`` and
hides the answer's coding from the decoder under `CODING`, where the judge sees it.
"""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.web.http_headers import Headers
from twisted.web.iweb import (
    IAgent,
    IBodyProducer,
    IResponse,
)
from zope.interface import implementer

from rangedaemon.client.heads import bound_head
from rangedaemon.storage.lanes import Lanes, haul_plain

READ_SIZE = 128 * 1024
"""Octets that one read of a socket may bring."""

CODING = "X-Rangedaemon-Content-Encoding"
"""Where an answer's Content-Encoding is kept out of treq's sight."""

IDLE_SECONDS = 30
"""How long an unused connection is kept."""


@implementer(IStreamClientEndpoint)
class WideEndpoint:
    """An endpoint whose connections read more at a time."""

    def __init__(self, inner: IStreamClientEndpoint, lanes: Lanes) -> None:
        self._inner = inner
        self._lanes = lanes

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect, then widen the reads; a line in the log for each connection helps nobody."""
        factory.noisy = False  # type: ignore[attr-defined]
        return self._inner.connect(factory).addCallback(self._widen)

    def _widen(self, protocol: Any) -> IProtocol:
        bound_head(protocol)
        haul_plain(protocol, self._lanes)
        transport = protocol.transport
        while transport is not None:
            if hasattr(transport, "bufferSize"):
                transport.bufferSize = READ_SIZE
            transport = getattr(transport, "transport", None)
        return cast("IProtocol", protocol)


@implementer(IAgent)
class IdentityAgent:
    """Asks for no content coding, and takes what codings answers have out of sight."""

    def __init__(self, inner: IAgent) -> None:
        self._inner = inner

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,  # noqa: N803
    ) -> Deferred[IResponse]:
        """As `IAgent.request`."""
        headers = headers.copy() if headers is not None else Headers()
        headers.setRawHeaders("Accept-Encoding", ["identity"])
        answer: Deferred[IResponse] = self._inner.request(method, uri, headers, bodyProducer)
        return answer.addCallback(_hide_coding)


def _hide_coding(response: IResponse) -> IResponse:
    codings = response.headers.getRawHeaders("Content-Encoding")
    if codings is not None:
        response.headers.removeHeader("Content-Encoding")
        response.headers.setRawHeaders(CODING, codings)
    return response
