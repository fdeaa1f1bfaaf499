"""
Names of hosts: an address that is written in numbers needs nobody to look it up.

Twisted asks in its few threads for those as well.  Where a server of names does not
answer, all of them wait for it, and whoever needs no name would wait with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IResolutionReceiver,
)
from zope.interface import implementer


@implementer(IHostResolution)
class _Read:
    """A lookup that is over as soon as it has begun."""

    def __init__(self, name: str) -> None:
        self.name = name

    def cancel(self) -> None:
        """As `IHostResolution`: nothing is under way."""


@implementer(IHostnameResolver)
class NumbersAtOnce:
    """Reads numbers by itself, and asks *inner* for names."""

    def __init__(self, inner: IHostnameResolver) -> None:
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
        address = _read(hostName, portNumber, transportSemantics)
        if address is None or (addressTypes and type(address) not in addressTypes):
            return self._inner.resolveHostName(
                resolutionReceiver, hostName, portNumber, addressTypes, transportSemantics
            )
        resolution = _Read(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        resolutionReceiver.addressResolved(address)
        resolutionReceiver.resolutionComplete()
        return resolution


def _read(host: str, port: int, semantics: str) -> Any:
    """The address; None: it is a name, or leads through an interface that has one."""
    kind: Any = "UDP" if semantics == "UDP" else "TCP"
    if isIPAddress(host):
        return IPv4Address(kind, host, port)
    if isIPv6Address(host) and "%" not in host:
        return IPv6Address(kind, host, port)
    return None


def read_numbers_at_once(reactor: Any) -> None:
    """Have *reactor* look up names only."""
    reactor.installNameResolver(NumbersAtOnce(reactor.nameResolver))
