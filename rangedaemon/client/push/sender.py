"""
Sending requests to upload servers: connections kept for the next request, faults made ours.

A kept connection may have been closed by the other side without our knowing; a request
without body then goes once more over a fresh one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

import h11
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Factory
from twisted.web.client import URI
from twisted.web.iweb import IAgentEndpointFactory

from rangedaemon.client.origin import USER_AGENT, fault_of
from rangedaemon.client.push.body import Body
from rangedaemon.client.push.wire import Heard, Wire
from rangedaemon.core.access import Route
from rangedaemon.core.counters import Counters
from rangedaemon.core.urls import Origin, origin_of
from rangedaemon.errors import Fault, OriginFault, Unreachable

IDLE_SECONDS = 4.0
"""How long a connection is kept: less than the five seconds after which Node.js closes it."""

Key = tuple[Origin, Route]


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask, with all fields but those that frame it."""

    method: str
    url: str
    fields: Mapping[str, str]
    route: Route = field(default_factory=Route)

    @property
    def key(self) -> Key:
        """What requests must have in common to share a connection."""
        return origin_of(self.url), self.route


class Sender:
    """Sends requests."""

    def __init__(
        self,
        endpoints_by: Callable[[Route], IAgentEndpointFactory],
        clock: IReactorTime,
        *,
        stall_timeout: float,
        answer_timeout: float,
        counters: Counters | None = None,
    ) -> None:
        """
        :param endpoints_by: where addresses lead by a route.
        :param stall_timeout: seconds for which a peer may take nothing.
        :param answer_timeout: seconds from the end of a request to the end of its answer.
        """
        self._endpoints_by = endpoints_by
        self._clock = clock
        self._new_wire: Callable[[], Wire] = lambda: Wire(
            clock, stall_timeout=stall_timeout, answer_timeout=answer_timeout
        )
        self._counters = counters or Counters()
        self._kept: defaultdict[Key, list[tuple[Wire, IDelayedCall]]] = defaultdict(list)

    async def ask(self, request: Request, body: Body | None = None) -> Heard:
        """
        The final answer to *request*.

        :raises OriginFault: there is none.
        :raises Fault: the body's octets could not be had.
        """
        kept = self._take(request.key)
        if kept is not None:
            try:
                return await self._ask_over(kept, request, body)
            except Unreachable:
                if body is not None:
                    raise
        return await self._ask_over(await self._connect(request), request, body)

    async def _ask_over(self, wire: Wire, request: Request, body: Body | None) -> Heard:
        try:
            heard = await wire.ask(_head(request, body), body)
        except Fault as fault:
            raise _about(fault, request.url) from fault
        self._counters.answers[heard.head.status_code] += 1
        if wire.reusable:
            self._keep(request.key, wire)
        else:
            wire.abort()
        return heard

    async def _connect(self, request: Request) -> Wire:
        url = request.url
        factory = Factory.forProtocol(self._new_wire)
        try:
            endpoints = self._endpoints_by(request.route)
            endpoint = endpoints.endpointForURI(URI.fromBytes(url.encode("ascii")))
            return cast("Wire", await endpoint.connect(factory))
        except Exception as error:
            raise fault_of(error, url) from error

    # -- connections that wait ----------------------------------------------------------

    def _take(self, key: Key) -> Wire | None:
        waiting = self._kept.get(key)
        if not waiting:
            return None
        wire, call = waiting.pop()
        call.cancel()
        wire.idle = lambda: None
        return wire

    def _keep(self, key: Key, wire: Wire) -> None:
        call = self._clock.callLater(IDLE_SECONDS, wire.abort)
        self._kept[key].append((wire, call))
        wire.idle = lambda: self._forget(key, wire)

    def _forget(self, key: Key, wire: Wire) -> None:
        for pair in [pair for pair in self._kept[key] if pair[0] is wire]:
            self._kept[key].remove(pair)
            if pair[1].active():
                pair[1].cancel()
        if not self._kept[key]:
            del self._kept[key]


def _head(request: Request, body: Body | None) -> h11.Request:
    parts = urlsplit(request.url)
    target = parts.path or "/"
    if parts.query:
        target += f"?{parts.query}"
    host = parts.netloc.rpartition("@")[2]
    fields = {"Host": host, "User-Agent": USER_AGENT, **request.fields}
    proxy = request.route.proxy
    if proxy is not None and proxy.kind == "http" and parts.scheme == "http":
        target = f"http://{host}{target}"
        if proxy.authorization is not None:
            fields["Proxy-Authorization"] = proxy.authorization
    if body is not None or request.method in ("POST", "PATCH", "PUT"):
        fields["Content-Length"] = str(len(body) if body is not None else 0)
    octets = [(name.encode("ascii"), value.encode("latin-1")) for name, value in fields.items()]
    return h11.Request(method=request.method, target=target.encode("ascii"), headers=octets)


def _about(fault: Fault, url: str) -> Fault:
    if isinstance(fault, OriginFault) and fault.url is None:
        fault.url = url
    return fault
