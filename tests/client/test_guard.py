"""Tests for `rangedaemon.client.guard`: a resolver that tells other addresses each time."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import IHostnameResolver, IReactorPluggableNameResolver
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from rangedaemon.client.guard import LOOKUP_SECONDS, GuardedAgent, GuardedEndpoint
from rangedaemon.core.addresses import AddressPolicy
from rangedaemon.errors import ForbiddenAddress, Unreachable

POLICY = AddressPolicy.of(["loopback", "private"], [])


@implementer(IHostnameResolver)
class Fickle:
    """Answers each lookup with the next of its lists of addresses; None: not at all."""

    def __init__(self, *answers: list[str] | None) -> None:
        self.answers = list(answers)

    def resolveHostName(self, receiver: Any, name: str, port: int = 0, *_more: Any) -> Any:
        """As `IHostnameResolver`."""
        receiver.resolutionBegan(None)
        answer = self.answers.pop(0)
        for host in answer or ():
            kind = IPv6Address if ":" in host else IPv4Address
            receiver.addressResolved(kind("TCP", host, port))
        if answer is not None:
            receiver.resolutionComplete()


@implementer(IReactorPluggableNameResolver)
class Reactor(MemoryReactorClock):  # type: ignore[misc]
    """Remembers where connections were tried, and resolves as it is told."""

    def __init__(self, resolver: Fickle) -> None:
        super().__init__()
        self.nameResolver = resolver

    def installNameResolver(self, resolver: Any) -> Any:
        """As `IReactorPluggableNameResolver`."""
        raise NotImplementedError

    @property
    def tried(self) -> list[str]:
        """The addresses that were connected to."""
        return [client[0] for client in self.tcpClients]


class GuardedEndpointTests(SynchronousTestCase):
    """Tests for `GuardedEndpoint`."""

    def connect(self, *answers: list[str]) -> tuple[Reactor, Deferred[Any]]:
        """Connect to a host with these addresses."""
        reactor = Reactor(Fickle(*answers))
        endpoint = GuardedEndpoint(reactor, "a.test", 80, timeout=9, policy=POLICY)
        return reactor, endpoint.connect(Factory())

    def test_denied(self) -> None:
        """A host that has denied addresses only is not connected to, and told as forbidden."""
        reactor, connecting = self.connect(["127.0.0.1", "10.0.0.1", "::1", "::ffff:10.0.0.1"])
        self.failureResultOf(connecting, ForbiddenAddress)
        self.assertEqual(reactor.tried, [])

    def test_some_denied(self) -> None:
        """Of a host that has both kinds, the admitted ones alone are tried."""
        reactor, connecting = self.connect(["10.0.0.1", "192.0.2.1", "127.0.0.1", "192.0.2.2"])
        for _ in range(20):
            reactor.advance(0.1)
        self.assertEqual(reactor.tried, ["192.0.2.1", "192.0.2.2"])
        self.assertNoResult(connecting)

    def test_rebinding(self) -> None:
        """What was judged is what is connected to: there is no second lookup."""
        resolver = Fickle(["192.0.2.1"], ["127.0.0.1"])
        reactor = Reactor(resolver)
        endpoint = GuardedEndpoint(reactor, "a.test", 80, timeout=9, policy=POLICY)
        endpoint.connect(Factory())
        self.assertEqual(reactor.tried, ["192.0.2.1"])
        self.assertEqual(resolver.answers, [["127.0.0.1"]])
        self.failureResultOf(endpoint.connect(Factory()), ForbiddenAddress)
        self.assertEqual(reactor.tried, ["192.0.2.1"])

    def test_no_such_host(self) -> None:
        """A name that nobody knows is no forbidden one."""
        _, connecting = self.connect([])
        self.failureResultOf(connecting, DNSLookupError)


class Recorder:
    """An agent that only remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    def request(self, method: bytes, uri: bytes, *_more: Any) -> Deferred[Any]:
        """As `IAgent.request`."""
        self.asked.append(uri)
        return succeed(None)


class GuardedAgentTests(SynchronousTestCase):
    """Tests for `GuardedAgent`."""

    def ask(self, *answers: list[str] | None) -> tuple[Recorder, Deferred[Any]]:
        """Ask for a host with these addresses."""
        inner = Recorder()
        self.reactor = Reactor(Fickle(*answers))
        agent = GuardedAgent(inner, self.reactor, POLICY)  # type: ignore[arg-type]
        return inner, agent.request(b"GET", b"http://a.test:81/x")

    def test_admitted(self) -> None:
        """Hosts of admitted addresses are asked, and those that only the proxy may know."""
        for addresses in (["192.0.2.1"], []):
            inner, asked = self.ask(addresses)
            self.successResultOf(asked)
            self.assertEqual(inner.asked, [b"http://a.test:81/x"])

    def test_any_denied(self) -> None:
        """One denied address is enough: which of them a proxy takes, we cannot say."""
        inner, asked = self.ask(["192.0.2.1", "10.0.0.1"])
        self.failureResultOf(asked, ForbiddenAddress)
        self.assertEqual(inner.asked, [])

    def test_slow_lookup(self) -> None:
        """Where names cannot be looked up here, the proxy is asked soon all the same."""
        inner, asked = self.ask(None)
        self.reactor.advance(LOOKUP_SECONDS - 0.1)
        self.assertEqual(inner.asked, [])
        self.reactor.advance(0.2)
        self.successResultOf(asked)
        self.assertEqual(inner.asked, [b"http://a.test:81/x"])

    def test_given_up(self) -> None:
        """A request that is cancelled during the lookup ends at once."""
        inner, asked = self.ask(None)
        asked.cancel()
        self.failureResultOf(asked, Unreachable)
        self.assertEqual(inner.asked, [])
