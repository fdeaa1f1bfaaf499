"""
Addresses judged where they count: between the lookup of a name and the connection.

What is connected to is the very address that was judged, so a name that means another one
at the next lookup (DNS rebinding) is no way round; neither is a spelling such as ``0x7f.1``,
which the system's resolver reads like any other name.  A proxy looks names up itself: there
our own lookup is judged before it is asked, and where we cannot look names up, its rules hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IProtocol,
    IProtocolFactory,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
    IStreamClientEndpoint,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import URI
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from rangedaemon.core.addresses import AddressPolicy
from rangedaemon.errors import ForbiddenAddress, Unreachable

LOOKUP_SECONDS = 3.0
"""How long a name is looked up before a proxy is asked, which may be the only one to know it."""

_log = Logger()


@implementer(IResolutionReceiver)
class _Sieve:
    """Lets through what the policy admits, and counts the rest."""

    def __init__(self, inner: IResolutionReceiver, resolver: Sieving) -> None:
        self._inner = inner
        self._resolver = resolver

    def resolutionBegan(self, resolution: IHostResolution) -> None:  # noqa: N802
        """As `IResolutionReceiver`."""
        self._inner.resolutionBegan(resolution)

    def addressResolved(self, address: IAddress) -> None:  # noqa: N802
        """As `IResolutionReceiver`."""
        host = getattr(address, "host", "")
        if self._resolver.policy.admits(host):
            self._inner.addressResolved(address)
        else:
            self._resolver.refused.append(host)

    def resolutionComplete(self) -> None:  # noqa: N802
        """As `IResolutionReceiver`."""
        self._inner.resolutionComplete()


@implementer(IHostnameResolver)
class Sieving:
    """A resolver that brings no address that the policy does not admit."""

    def __init__(self, inner: IHostnameResolver, policy: AddressPolicy) -> None:
        self.policy = policy
        self.refused: list[str] = []
        """The addresses that were held back."""
        self._inner = inner

    def resolveHostName(  # noqa: N802
        self,
        resolutionReceiver: IResolutionReceiver,  # noqa: N803
        hostName: str,  # noqa: N803
        portNumber: int = 0,  # noqa: N803
        addressTypes: Sequence[type[IAddress]] | None = None,  # noqa: N803
        transportSemantics: str = "TCP",  # noqa: N803
    ) -> IHostResolution:
        """As `IHostnameResolver`."""
        sieve: Any = _Sieve(resolutionReceiver, self)
        return self._inner.resolveHostName(
            sieve, hostName, portNumber, addressTypes, transportSemantics
        )


@implementer(IReactorPluggableNameResolver)
class _Resolving:
    """The reactor, but for its resolver."""

    def __init__(self, reactor: Any, resolver: IHostnameResolver) -> None:
        self.nameResolver = resolver
        self._reactor = reactor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:  # noqa: N802
        """As `IReactorPluggableNameResolver`; for this view alone."""
        before, self.nameResolver = self.nameResolver, resolver
        return before


@implementer(IStreamClientEndpoint)
class GuardedEndpoint:
    """A host by name, connected to at addresses that the policy admits, and at no other."""

    def __init__(
        self, reactor: Any, host: str, port: int, *, timeout: float, policy: AddressPolicy
    ) -> None:
        """:param timeout: seconds until a connection must be there."""
        self._reactor = reactor
        self._host = host
        self._port = port
        self._timeout = timeout
        self._policy = policy

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect.

        :raises ForbiddenAddress: the host has no address that is admitted.
        """
        sieving = Sieving(self._reactor.nameResolver, self._policy)
        endpoint = HostnameEndpoint(
            _Resolving(self._reactor, sieving), self._host, self._port, timeout=self._timeout
        )

        def told(failure: Failure) -> Failure:
            if sieving.refused and failure.check(DNSLookupError):
                raise forbidden(self._host, sieving.refused)
            return failure

        return endpoint.connect(factory).addErrback(told)


def forbidden(host: str, addresses: list[str]) -> ForbiddenAddress:
    """The fault for *host*; which addresses it has, only our own log tells."""
    _log.warn(
        "{host} was not asked: {addresses} denied by downloads.deny_addresses",
        host=host, addresses=", ".join(addresses),
    )  # fmt: skip
    return ForbiddenAddress("the host's address is not open to jobs (downloads.deny_addresses)")


def _given_up(lookup: Deferred[None]) -> None:
    lookup.errback(Unreachable("given up while the host's name was looked up"))


@implementer(IResolutionReceiver)
class _Lookup:
    """Waits for the end of a lookup."""

    def __init__(self) -> None:
        self.done: Deferred[None] = Deferred(_given_up)

    def resolutionBegan(self, resolution: IHostResolution) -> None:  # noqa: N802
        """As `IResolutionReceiver`."""

    def addressResolved(self, address: IAddress) -> None:  # noqa: N802
        """As `IResolutionReceiver`."""

    def resolutionComplete(self) -> None:  # noqa: N802
        """As `IResolutionReceiver`."""
        if not self.done.called:
            self.done.callback(None)


@implementer(IAgent)
class GuardedAgent:
    """Asks a proxy only for hosts that have no address which the policy does not admit."""

    def __init__(self, inner: IAgent, reactor: Any, policy: AddressPolicy) -> None:
        self._inner = inner
        self._reactor = reactor
        self._policy = policy

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,  # noqa: N803
    ) -> Deferred[IResponse]:
        """As `IAgent.request`.

        :raises ForbiddenAddress: the host has such an address.
        """
        host = URI.fromBytes(uri).host.decode("ascii")
        judged = judge(self._reactor, self._policy, host)
        return judged.addCallback(lambda _: self._inner.request(method, uri, headers, bodyProducer))


@implementer(IStreamClientEndpoint)
class JudgedEndpoint:
    """Connects by *inner*, a proxy's way, only to a host that has no address denied."""

    def __init__(
        self, inner: IStreamClientEndpoint, reactor: Any, policy: AddressPolicy, host: str
    ) -> None:
        self._inner = inner
        self._reactor = reactor
        self._policy = policy
        self._host = host

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect.

        :raises ForbiddenAddress: the host has such an address.
        """
        judged = judge(self._reactor, self._policy, self._host)
        return judged.addCallback(lambda _: self._inner.connect(factory))


def judge(reactor: Any, policy: AddressPolicy, host: str) -> Deferred[Any]:
    """Look *host* up; a lookup that has no end soon finds nothing.

    :raises ForbiddenAddress: it has an address that *policy* does not admit.
    """
    sieving = Sieving(reactor.nameResolver, policy)
    lookup = _Lookup()
    sieving.resolveHostName(lookup, host)

    def looked_up(_nothing: None) -> None:
        if sieving.refused:
            raise forbidden(host, sieving.refused)

    def too_slow(_value: object, _seconds: float) -> None:
        """Where names are only known beyond the proxy, ours need not be known here."""

    lookup.done.addTimeout(LOOKUP_SECONDS, reactor, too_slow)
    return lookup.done.addCallback(looked_up)
