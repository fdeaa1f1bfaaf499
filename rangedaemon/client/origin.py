"""
Asking an origin: one GET at a time, redirects followed by us, foreign faults made ours.

The only module that knows treq.  A `Reply` is the head of an answer whose body has
not been touched; who gets one must either deliver it or drop it.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from ssl import SSLCertVerificationError
from typing import Any
from typing import Protocol as TypingProtocol

from hyperlink import EncodedURL
from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionClosed,
    DNSLookupError,
)
from twisted.internet.error import (
    TimeoutError as ConnectTimedOut,
)
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.web.client import (  # type: ignore[attr-defined]
    RequestNotSent,
    RequestTransmissionFailed,
    ResponseFailed,
    ResponseNeverReceived,
)
from twisted.web.error import SchemeNotSupported
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IAgent, IResponse

from rangedaemon import __version__
from rangedaemon.client.agent import CODING
from rangedaemon.client.redirects import REDIRECTS, RedirectRules, next_hop
from rangedaemon.core.acceptance import Answer
from rangedaemon.core.access import Access, Route
from rangedaemon.core.counters import Counters
from rangedaemon.core.intervals import ByteRange
from rangedaemon.core.jobs import Login
from rangedaemon.core.ranges import format_range
from rangedaemon.errors import (
    BadResponse,
    OriginFault,
    TimedOut,
    TooManyRedirects,
    Unreachable,
    Untrusted,
)

WANTED_DIGESTS = "sha-256=10, sha-512=3"
USER_AGENT = f"rangedaemon/{__version__}"


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask: an address, the job's fields, a range with its condition."""

    url: str
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    range: ByteRange | None = None
    if_range: str | None = None
    if_none_match: str | None = None
    if_modified_since: str | None = None
    accept: str | None = None
    """The kinds of representation that are welcome; None: any."""
    want_digest: bool = False
    """Whether a digest of the whole would be welcome (RFC 9530, 4)."""
    given_for: str | None = None
    """The address whose origin *fields* were given for; None: this one."""
    logins: tuple[Login, ...] = ()
    guarded: bool = True
    """Whether only addresses may be asked that are open to strangers."""
    jar: CookieJar | None = field(default=None, repr=False)
    """The job's cookies; None: none, and those that redirects set count for this once."""


class Reply:
    """An answer's head, its body still to come."""

    before = b""
    """Octets of the body that were taken from its beginning."""

    def __init__(self, answer: Answer, response: IResponse) -> None:
        self.answer = answer
        self._response: IResponse | None = response

    def deliver(self, protocol: Protocol) -> None:
        """Let the body come to *protocol*."""
        response, self._response = self._response, None
        if response is not None:
            response.deliverBody(protocol)

    def drop(self) -> None:
        """Do without the body, where nobody took it: the connection is closed."""
        self.deliver(_Dropper())


class _Dropper(Protocol):
    """Closes the connection as soon as it has one."""

    def connectionMade(self) -> None:
        """The body is about to come: stop it."""
        if self.transport is not None:
            self.transport.stopProducing()  # type: ignore[attr-defined]


class _Address(EncodedURL):
    """An address that treq does not stumble over: hyperlink takes ``[::1]`` for a name."""

    def to_uri(self) -> EncodedURL:
        """The address in ASCII."""
        if ":" not in self.host:
            return super().to_uri()
        named: EncodedURL = EncodedURL.from_text(self.replace(host="literal").to_text()).to_uri()
        return named.replace(host=self.host)


class Agents(TypingProtocol):
    """Who sends requests by each route."""

    def agent_for(self, route: Route) -> IAgent:
        """The agent whose connections are made by *route*."""


class Origin:
    """Sends requests and follows redirects, with one time limit for each head."""

    def __init__(
        self,
        agents: Agents,
        clock: IReactorTime,
        *,
        head_timeout: float,
        access: Access | None = None,
        redirects: RedirectRules | None = None,
        counters: Counters | None = None,
    ) -> None:
        """
        :param head_timeout: seconds from a request to the end of its answer's head.
        :param access: what goes along to whom, and by which route.
        :param counters: where answers are counted.
        """
        self._counters = counters or Counters()
        self._agents = agents
        self._access = access or Access()
        self._redirects = redirects or RedirectRules()
        self._clock = clock
        self._head_timeout = head_timeout

    def renewed(self, access: Access, redirects: RedirectRules) -> Origin:
        """The same, by other rules."""
        return Origin(
            self._agents,
            self._clock,
            head_timeout=self._head_timeout,
            access=access,
            redirects=redirects,
            counters=self._counters,
        )

    async def get(
        self, request: Request, on_hop: Callable[[str], Awaitable[None]] | None = None
    ) -> Reply:
        """The first answer that is no redirect.

        :param on_hop: awaited with each address that a redirect leads to, before it is asked.
        :raises Unreachable, TimedOut, TooManyRedirects, BadRedirect, BadResponse: none came.
        """
        url, rules = request.url, self._redirects
        seen = {url}
        jar = CookieJar() if request.jar is None else request.jar
        for _ in range(rules.most + 1):
            response = await self._ask(url, request, jar)
            self._counters.answers[response.code] += 1
            if response.code not in REDIRECTS:
                return Reply(_answer(response, url), response)
            Reply(_answer(response, url), response).drop()
            location = _field(response, "Location")
            url = next_hop(url, location, allow_downgrade=rules.allow_downgrade)
            if url in seen:
                raise TooManyRedirects("the redirects run in a circle", url=request.url)
            seen.add(url)
            if on_hop is not None:
                await on_hop(url)
        raise TooManyRedirects(f"more than {rules.most} redirects", url=request.url)

    async def _ask(self, url: str, request: Request, jar: CookieJar) -> IResponse:
        try:
            route = self._access.route(url, guarded=request.guarded)
            asked: Deferred[Any] = HTTPClient(
                self._agents.agent_for(route),
                jar,  # type: ignore[arg-type]  # any jar will do
            ).request(
                "GET",
                _Address.from_text(url),
                headers=self._headers(url, request),
                allow_redirects=False,
                unbuffered=True,
                reactor=self._clock,  # type: ignore[arg-type]
            )
            asked.addTimeout(self._head_timeout, self._clock, _as_timed_out)
            return await asked  # type: ignore[no-any-return]
        except Exception as error:
            raise fault_of(error, url) from error

    def _headers(self, url: str, request: Request) -> Headers:
        headers = Headers({"User-Agent": [USER_AGENT], "Accept": [request.accept or "*/*"]})
        given_for = request.given_for or request.url
        along = self._access.fields(url, given_for, request.fields, request.logins)
        for name, value in along.items():
            headers.setRawHeaders(name, [value])
        if request.want_digest:
            headers.setRawHeaders("Want-Repr-Digest", [WANTED_DIGESTS])
        if request.range is not None:
            headers.setRawHeaders("Range", [format_range(request.range)])
            if request.if_range is not None:
                headers.setRawHeaders("If-Range", [request.if_range])
        if request.if_none_match is not None:
            headers.setRawHeaders("If-None-Match", [request.if_none_match])
        if request.if_modified_since is not None:
            headers.setRawHeaders("If-Modified-Since", [request.if_modified_since])
        return headers


def _field(response: IResponse, name: str) -> str | None:
    values = response.headers.getRawHeaders(name.encode("ascii"))
    return ", ".join(v.decode("latin-1") for v in values) if values else None


def _answer(response: IResponse, url: str) -> Answer:
    length = response.length
    return Answer(
        status=response.code,
        url=url,
        content_length=None if length is UNKNOWN_LENGTH else int(length),
        content_range=_field(response, "Content-Range"),
        content_type=_field(response, "Content-Type"),
        content_encoding=_field(response, CODING),
        etag=_field(response, "ETag"),
        last_modified=_field(response, "Last-Modified"),
        date=_field(response, "Date"),
        retry_after=_field(response, "Retry-After"),
        disposition=_field(response, "Content-Disposition"),
        repr_digest=_field(response, "Repr-Digest"),
        content_digest=_field(response, "Content-Digest"),
        digest=_field(response, "Digest"),
        content_md5=_field(response, "Content-MD5"),
        links=_field(response, "Link"),
    )


class _HeadTimedOut(Exception):
    """No head within the time limit."""


def _as_timed_out(_value: object, seconds: float) -> Failure:
    raise _HeadTimedOut(f"no answer within {seconds:g} s")


def fault_of(error: BaseException, url: str) -> OriginFault:
    """The fault of ours that a failure of Twisted's or treq's stands for.

    :raises BaseException: *error* itself, where it is nothing of the network's.
    """
    if isinstance(error, OriginFault):
        error.url = error.url or url
        return error
    if isinstance(error, _HeadTimedOut | ConnectTimedOut):
        return TimedOut(str(error) or "connecting took too long", url=url)
    if isinstance(error, ResponseFailed | ResponseNeverReceived):
        return _fault_of_reasons(error, url)
    if isinstance(error, RequestNotSent | RequestTransmissionFailed):
        return Unreachable("the request could not be sent", url=url)
    if isinstance(error, SSLCertVerificationError):
        return Untrusted(f"the host's certificate is refused: {error.verify_message}", url=url)
    if isinstance(error, DNSLookupError):
        return Unreachable("no such host (name lookup failed)", url=url)
    if isinstance(error, ConnectError | ConnectionClosed | ConnectingCancelledError | OSError):
        return Unreachable(_network_words(error), url=url)
    if isinstance(error, ValueError | KeyError | UnicodeError | SchemeNotSupported):
        return BadResponse(f"no usable answer: {error}", url=url)
    raise error


def _network_words(error: BaseException) -> str:
    """What the network said; the system's words alone where Twisted wraps its own round them."""
    number = getattr(error, "osError", None)
    return os.strerror(number) if number else str(error) or type(error).__name__


def _fault_of_reasons(error: Any, url: str) -> OriginFault:
    reasons = [getattr(r, "value", r) for r in getattr(error, "reasons", [])]
    texts = [_network_words(r) for r in reasons if r is not None]
    if any(isinstance(r, CancelledError) for r in reasons):
        return TimedOut("given up", url=url)
    if any(type(r).__name__ in ("ParseError", "BadResponseVersion") for r in reasons):
        return BadResponse("the answer is not HTTP", url=url)
    return Unreachable("; ".join(texts) or "the connection broke", url=url)
