"""Addresses in numbers, and names."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IHostnameResolver, IHostResolution, IResolutionReceiver
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from rangedaemon.client.names import NumbersAtOnce


@implementer(IResolutionReceiver)
class Receiver:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def resolutionBegan(self, resolution: IHostResolution) -> None:
        verifyObject(IHostResolution, resolution)
        self.told.append("began")

    def addressResolved(self, address: Any) -> None:
        self.told.append(address)

    def resolutionComplete(self) -> None:
        self.told.append("complete")


@implementer(IHostnameResolver)
class Silent:
    """Never answers."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def resolveHostName(self, *asked: Any) -> Any:
        self.asked.append(asked)
        return "later"


class NumbersTests(SynchronousTestCase):
    """`NumbersAtOnce`."""

    def setUp(self) -> None:
        """Behind it nobody answers."""
        self.inner, self.receiver = Silent(), Receiver()
        self.resolver = NumbersAtOnce(self.inner)  # type: ignore[arg-type]
        verifyObject(IHostnameResolver, self.resolver)

    def test_numbers(self) -> None:
        """Both families are read at once, and nobody is asked."""
        for host, address in (
            ("192.0.2.7", IPv4Address("TCP", "192.0.2.7", 80)),
            ("2001:db8::7", IPv6Address("TCP", "2001:db8::7", 80)),
        ):
            self.receiver.told.clear()
            self.resolver.resolveHostName(self.receiver, host, 80).cancel()
            self.assertEqual(self.receiver.told, ["began", address, "complete"])
        self.assertEqual(self.inner.asked, [])

    def test_names(self) -> None:
        """What else there is, and a family that is not wanted, are for who knows names."""
        for host, types in (
            ("origin.test", None), ("1.2.3", None), ("fe80::1%eth0", None), ("::1", [IPv4Address]),
        ):  # fmt: skip
            found: Any = self.resolver.resolveHostName(self.receiver, host, 80, types)
            self.assertEqual(found, "later")
            self.assertEqual(self.inner.asked.pop(), (self.receiver, host, 80, types, "TCP"))
        self.assertEqual(self.receiver.told, [])
